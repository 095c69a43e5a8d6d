"""OpenML data sets, from a small server that answers as openml.org does."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leaflab.errors import ConfigError, SourceError
from leaflab.source.openml import Openml

pytest.importorskip("openml", reason="the openml package is not installed", exc_type=ImportError)

ARFF = """@RELATION toy
@ATTRIBUTE x REAL
@ATTRIBUTE colour {red, 'dark blue'}
@ATTRIBUTE n INTEGER
@ATTRIBUTE class {yes, no}
@DATA
1.5,red,1,yes
?,'dark blue',2,no
2.5,red,3,yes
"""
DESCRIPTION = """<oml:data_set_description xmlns:oml="http://openml.org/openml"><oml:id>7</oml:id><oml:name>toy</oml:name>
<oml:version>1</oml:version><oml:description>A toy.</oml:description><oml:format>ARFF</oml:format>
<oml:url>{base}/data/v1/download/7/toy.arff</oml:url><oml:file_id>7</oml:file_id>
<oml:default_target_attribute>class</oml:default_target_attribute><oml:visibility>public</oml:visibility>
<oml:status>active</oml:status></oml:data_set_description>"""
LIST = """<oml:data xmlns:oml="http://openml.org/openml"><oml:dataset><oml:did>7</oml:did><oml:name>toy</oml:name>
<oml:version>1</oml:version><oml:status>active</oml:status><oml:format>ARFF</oml:format></oml:dataset></oml:data>"""
ERROR = """<oml:error xmlns:oml="http://openml.org/openml"><oml:code>{code}</oml:code>
<oml:message>{text}</oml:message></oml:error>"""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            base = f"http://127.0.0.1:{self.server.server_port}"
            code, text = 412, ERROR.format(code=111, text="Unknown dataset")
            if "/data/list/" in self.path:
                known = "data_name/toy" in self.path and "offset/0" in self.path
                code, text = (200, LIST) if known else (412, ERROR.format(code=372, text="No results"))
            elif self.path == "/api/v1/xml/data/7":
                code, text = 200, DESCRIPTION.format(base=base)
            elif self.path.endswith("toy.arff"):
                code, text = 200, ARFF
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}/api/v1/xml", asked
    running.shutdown()
    thread.join()
    running.server_close()


def test_by_id_and_by_name_with_a_cache(server: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = server
    source = Openml(set=7, server=url, cache=str(tmp_path))
    reading = source.read()
    assert reading.table().to_pydict() == {
        "x": [1.5, None, 2.5],
        "colour": ["red", "dark blue", "red"],
        "n": [1, 2, 3],
        "class": ["yes", "no", "yes"],
    }
    assert (reading.uri, source.default_name) == ("openml:7", "openml_7")
    assert reading.notes == ["OpenML names 'class' as the target: dataset.target=class"]
    before = len(asked)
    assert source.read().table().num_rows == 3
    assert len(asked) == before
    named = Openml(set="toy", server=url, cache=str(tmp_path))
    assert (named.default_name, named.read().uri) == ("toy", "openml:7")


def test_what_is_not_there_is_one_sentence(server: tuple[str, list[str]], tmp_path: Path, free_port: int) -> None:
    with pytest.raises(SourceError, match=r"the OpenML data set 8 cannot be had \(.*Unknown dataset"):
        Openml(set=8, server=server[0], cache=str(tmp_path)).read()
    with pytest.raises(SourceError, match=r"the OpenML data set 'nope' cannot be had"):
        Openml(set="nope", server=server[0], cache=str(tmp_path)).read()
    with pytest.raises(ConfigError, match=r"`source.set` is not set"):
        Openml().read()


def test_a_server_that_does_not_answer(tmp_path: Path, free_port: int) -> None:
    with pytest.raises(SourceError, match=r"'http://127.0.0.1:.*' cannot be reached"):
        Openml(set=7, server=f"http://127.0.0.1:{free_port}/api/v1/xml", cache=str(tmp_path)).read()
