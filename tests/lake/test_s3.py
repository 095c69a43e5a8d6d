"""The same lake in an object store, against a real S3 server of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pyarrow as pa
import pytest

from leaflab.errors import LakeError
from leaflab.lake import care
from leaflab.lake.delta import Delta
from leaflab.source.file import File

pytest.importorskip("moto.server", reason="the S3 server for tests (moto) is not installed")

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    import boto3

    # a process of its own: deltalake does not let another thread run while it waits for an answer
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    url = next(found[0] for line in server.stderr if (found := re.findall(r"http://127.0.0.1:[0-9]+", line)))
    client = boto3.client(
        "s3", endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
    )
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="in/a.csv", Body=b"n,s\n1,x\n")
    client.put_object(Bucket="bucket", Key="in/b.csv", Body=b"n,s\n2,y\n")
    client.close()
    yield url
    server.terminate()
    server.communicate()


@pytest.fixture
def lake(endpoint: str) -> Delta:
    return Delta(path="s3://bucket/lake", storage={**KEYS, "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true"})


def test_the_lake_in_a_bucket(lake: Delta) -> None:
    assert lake.tables() == []
    table = pa.table({"a": [1, None], "s": ["x", "y"]})
    version = lake.write("raw/t", table, meta={"uri": "x"})
    assert lake.read("raw/t").equals(table)
    assert lake.write("raw/t", table) == version
    lake.write("raw/t", table.slice(0, 1), mode="append")
    assert lake.tables() == ["raw/t"]
    assert [v.rows for v in lake.versions("raw/t")] == [2, 3]
    assert care.compact(lake, "raw/t").rows == 3
    assert care.waste(lake, "raw/t", days=0, history=False) == []
    assert lake.read("raw/t", 0).equals(table)


def test_a_store_that_refuses_is_one_sentence(endpoint: str, free_port: int) -> None:
    gone = {
        **KEYS,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port}",
        "AWS_ALLOW_HTTP": "true",
        "max_retries": "0",
        "retry_timeout": "1s",
    }
    with pytest.raises(LakeError, match=r"lake table 'raw/t' in 's3://bucket/lake' cannot be"):
        Delta(path="s3://bucket/lake", storage=gone).write("raw/t", pa.table({"a": [1]}))


def test_a_bucket_that_is_not_there_is_told_in_the_words_of_the_store(lake: Delta) -> None:
    with pytest.raises(LakeError, match=r"cannot be written \([^<]*The specified bucket does not exist\)"):
        Delta(path="s3://nowhere/lake", storage=lake.storage).write("raw/t", pa.table({"a": [1]}))


_GOOGLE = '{"gcs_base_url":"%s","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}'
_AZURE = {"azure_storage_account_name": "devstoreaccount1", "azure_storage_account_key": "c2VjcmV0"}


@pytest.mark.parametrize("path", ["gs://bucket/lake", "az://bucket/lake"])
def test_google_and_azure_are_the_same_option(path: str, free_port: int) -> None:
    gone, quick = f"http://127.0.0.1:{free_port}", {"max_retries": "0", "retry_timeout": "1s"}
    storage = {**quick, "google_service_account_key": _GOOGLE % gone}
    if path.startswith("az"):
        storage = {**quick, **_AZURE, "azure_storage_endpoint": f"{gone}/account", "azure_allow_http": "true"}
    with pytest.raises(LakeError, match=rf"lake table 'raw/t' in '{path}' cannot be written \(.*Connection refused"):
        Delta(path=path, storage=storage).write("raw/t", pa.table({"a": [1]}))


def test_sources_read_from_a_bucket(endpoint: str) -> None:
    storage = {"key": "testing", "secret": "testing", "client_kwargs": {"endpoint_url": endpoint}}
    reading = File(path="s3://bucket/in/*.csv", storage=storage).read()
    assert reading.table().to_pydict() == {"n": [1, 2], "s": ["x", "y"]}
    assert reading.uri == "s3://bucket/in/*.csv"
