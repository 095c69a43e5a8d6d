"""A small server for one packaged model: this file, the model's folder, and the requirements beside it are enough.

    python server.py [--host 127.0.0.1] [--port 8000]

GET /ping, /health and /version; POST /invocations as MLflow has it: JSON with dataframe_split, dataframe_records,
inputs or instances, and params {"proba": true}; or text/csv. Every answer carries the header x-leaflab-version.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["answer", "handler", "load", "main"]

_MOST_BYTES = 64 * 2**20


def load(folder: Path) -> Any:
    """The model of a folder in MLflow's layout, by the loader that lies in it."""
    code = folder / "code"
    sys.path.insert(0, str(code))
    loader = next(p.name for p in sorted(code.iterdir()) if (p / "pyfunc.py").is_file())
    return importlib.import_module(loader)._load_pyfunc(str(folder / "data"))


def frame_of(body: bytes, kind: str) -> tuple[Any, dict[str, Any]]:
    """The rows asked about and the parameters of a request.

    Raises:
        ValueError: the body is none of the forms that are understood.
    """
    import pandas as pd

    if kind.startswith("text/csv"):
        return pd.read_csv(io.BytesIO(body)), {}
    plain = json.loads(body)
    if not isinstance(plain, dict):
        raise ValueError("the body must be a JSON object")
    params = plain.get("params") or {}
    if "dataframe_split" in plain:
        split = plain["dataframe_split"]
        rows = [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
        return pd.DataFrame(rows, columns=split["columns"], dtype=object), params
    for form in ("dataframe_records", "inputs", "instances"):
        if form in plain:
            return pd.DataFrame(plain[form], dtype=object), params
    raise ValueError("the body must hold dataframe_split, dataframe_records, inputs or instances")


def answer(model: Any, body: bytes, kind: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON answer of one request to /invocations."""
    try:
        frame, params = frame_of(body, kind)
        found = model.predict(frame.infer_objects(), params=params)
    except (ValueError, KeyError, TypeError) as error:
        return 400, {"error_code": "BAD_REQUEST", "message": str(error)}
    rows = found.to_dict(orient="records") if hasattr(found, "to_dict") else found.tolist()
    return 200, {"predictions": rows}


def handler(model: Any, about: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    """The request handler of a model; `about` has its `name` and `version`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path in ("/ping", "/health"):
                self._send(200, {})
            elif self.path == "/version":
                self._send(200, about)
            else:
                self._send(404, {"error_code": "NOT_FOUND", "message": f"{self.path} is not served"})

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > _MOST_BYTES:
                self.close_connection = True
                self._send(413 if length.isdigit() else 411, {"message": "send Content-Length, at most 64 MB"})
                return
            body = self.rfile.read(int(length))
            if self.path != "/invocations":
                self._send(404, {"error_code": "NOT_FOUND", "message": f"{self.path} is not served"})
                return
            self._send(*answer(model, body, self.headers.get("Content-Type", "application/json")))

        def _send(self, status: int, plain: dict[str, Any]) -> None:
            content = json.dumps(plain).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-leaflab-version", str(about["version"]))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            sys.stderr.write(f"{self.log_date_time_string()} {format % args}\n")

    return Handler


def main(argv: list[str] | None = None) -> None:
    """Serves the model beside this file until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    asked = parser.parse_args(argv)
    folder = Path(__file__).resolve().parent
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    server = ThreadingHTTPServer((asked.host, asked.port), handler(load(folder / "model"), about))
    sys.stderr.write(f"{about['name']} version {about['version']} on http://{asked.host}:{server.server_port}\n")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
