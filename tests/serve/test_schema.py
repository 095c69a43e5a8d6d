"""The OpenAPI document, and a server that keeps to it whatever it is asked."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import pytest

from leaflab.lake.delta import Delta
from leaflab.scorer import Column, Encoder, Feature
from leaflab.serve.service import Limits

from .conftest import Shelf

COLUMNS = (
    Column("n", "number", missing=("na",)),
    Column("flag", "boolean", required=False),
    Column("town", "category"),
    Column("when", "time", required=False),
)
FEATURES = (
    Feature("n", "n", "number"),
    Feature("town", "town", "codes", {"levels": ["Paris"]}, categorical=True),
)


@pytest.fixture(scope="module")
def server(started, toys, tmp_path_factory):
    scorer = replace(toys.boosted(), columns=COLUMNS, encoder=Encoder(FEATURES))
    example = {"n": [1.5], "flag": [True], "town": ["Paris"], "when": ["2013-01-01T05:00:00Z"]}
    lake = Delta(path=str(tmp_path_factory.mktemp("lake")))
    return started(Shelf({1: scorer}, {"champion": 1}, {1: example}), lake=lake, limits=Limits(rows=100))


def test_rows_follow_the_models_columns(server):
    document = server.ask("GET", "/openapi.json").body
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == ["n", "town"] and set(row["properties"]) == {"n", "flag", "town", "when"}
    example = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    jsonschema.validate(example["rows"][0], row)
    answer = server.predict(*example["rows"], query="?proba=true&explain=true")
    shape = {**document["components"]["schemas"]["Answer"], "components": document["components"]}
    jsonschema.validate(answer.body, shape)


def test_the_document_changes_with_the_model(started, toys, until):
    shelf = Shelf(
        {1: toys.constant(), 2: replace(toys.boosted(), columns=COLUMNS, encoder=Encoder(FEATURES))}, {"champion": 1}
    )
    server = started(shelf)

    def columns():
        return set(server.ask("GET", "/openapi.json").body["components"]["schemas"]["Row"]["properties"])

    assert columns() == {"a", "b"}
    shelf.aliases["champion"] = 2
    until(lambda: columns() == {"n", "flag", "town", "when"})


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_schemathesis_finds_nothing(server, mode):
    import schemathesis

    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [operation.ok() for operation in schema.get_all_operations()]
    posts = [operation for operation in operations if operation.method == "post"]
    assert len(posts) == 3 and len(operations) == 7
    asked = [
        status
        for operation in (posts if mode == "NEGATIVE" else operations)
        for status in fuzzed(operation, server, mode)
    ]
    assert len(asked) > 100 and (200 if mode == "POSITIVE" else 422) in asked
    assert server.predict({"n": 1, "town": "x"}).status == 200


def fuzzed(operation, server, mode) -> list[int]:
    """Asks what Schemathesis makes up; every answer must be one that the document promises. Returns the statuses."""
    from hypothesis import HealthCheck, given, settings
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as known

    checks = [
        not_a_server_error,
        known.content_type_conformance,
        known.response_schema_conformance,
        known.status_code_conformance,
    ]
    asked = []

    @given(case=operation.as_strategy(generation_mode=GenerationMode[mode]))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def fuzz(case):
        answer = case.call(base_url=f"http://127.0.0.1:{server.port}", timeout=60)
        asked.append(answer.status_code)
        case.validate_response(answer, checks=checks)
        assert answer.headers["x-leaflab-version"] == ["1"]

    fuzz()
    return asked
