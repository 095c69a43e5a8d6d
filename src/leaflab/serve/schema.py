"""The OpenAPI document, made from the columns and classes of the model that serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leaflab.scorer import Column
    from leaflab.serve.live import Live
    from leaflab.serve.service import Limits

__all__ = ["openapi"]

_NUMERAL = r"^-?[0-9]{1,12}$"
_REFUSALS = {
    "400": "The body is not what it must be.",
    "401": "A valid API key is required.",
    "408": "The request took too long to arrive.",
    "413": "Too many rows or bytes.",
    "415": "Another content type is needed.",
    "422": "A column is missing, or a value cannot be read; both are named.",
    "429": "Too many requests are waiting; come back after Retry-After seconds.",
    "500": "The server failed.",
    "503": "No model serves yet, or the answer took too long.",
}


def openapi(name: str, live: Live | None, limits: Limits, *, keys: bool) -> dict[str, Any]:
    """The document of a server.

    Args:
        name: the registered model.
        live: the model that serves now; None leaves the columns open.
        limits: what a request may cost.
        keys: whether a key is needed.
    """
    version = str(live.version.number) if live else "none"
    plain: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"leaflab: {name}",
            "version": version,
            "description": f"Answers by version {version} of the registered model '{name}'.",
        },
        "paths": {
            "/predict": {"post": _predict(live, limits)},
            "/invocations": {"post": _invocations(live, limits)},
            "/truth": {"post": _truth()},
            "/ping": {"get": _plain("Whether the server lives.")},
            "/version": {"get": _plain("The version of MLflow whose protocol is spoken.")},
            "/metrics": {"get": _plain("Measures for Prometheus.")},
            "/health": {"get": _health()},
        },
        "components": {"schemas": {"Row": _row(live), "Answer": _answer(live), "Refusal": _refusal()}},
    }
    if keys:
        plain["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path in ("/predict", "/invocations", "/truth", "/metrics"):
            for operation in plain["paths"][path].values():
                operation["security"] = [{"bearer": []}, {"header": []}]
    return plain


def _predict(live: Live | None, limits: Limits) -> dict[str, Any]:
    rows = {"type": "array", "minItems": 1, "maxItems": limits.rows, "items": {"$ref": "#/components/schemas/Row"}}
    body: dict[str, Any] = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    content: dict[str, Any] = {"schema": body}
    if live and live.example:
        content["example"] = {"rows": [{name: values[0] for name, values in live.example.items()}]}
    return {
        "summary": "Predictions for rows.",
        "operationId": "predict",
        "parameters": [
            _flag("proba", "Probabilities of every class."),
            _flag("explain", "Contributions of every feature; at most 100 rows."),
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": _json("The answers.", {"$ref": "#/components/schemas/Answer"}), **_refusals()},
    }


def _invocations(live: Live | None, limits: Limits) -> dict[str, Any]:
    params = {"type": "object", "properties": {"proba": {"type": "boolean"}}}
    records = {"type": "array", "minItems": 1, "maxItems": limits.rows, "items": {"$ref": "#/components/schemas/Row"}}
    names = [c.name for c in live.scorer.columns] if live else []
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "minItems": 1, "items": {"type": "array"}},
        },
        "examples": [{"columns": names, "data": [[values[0] for values in live.example.values()]]}] if live else [],
    }
    one_of = [
        {
            "type": "object",
            "required": [key],
            "properties": {key: shape, "params": params},
            "additionalProperties": False,
        }
        for key, shape in (
            ("dataframe_records", records),
            ("dataframe_split", split),
            ("instances", records),
            ("inputs", {"type": "object"}),
        )
    ]
    content = {"application/json": {"schema": {"oneOf": one_of}}, "text/csv": {"schema": {"type": "string"}}}
    answer = {"type": "object", "required": ["predictions"], "properties": {"predictions": {"type": "array"}}}
    return {
        "summary": "Predictions by MLflow's scoring protocol.",
        "operationId": "invocations",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": _json("The predictions.", answer), **_refusals()},
    }


def _truth() -> dict[str, Any]:
    one = {
        "type": "object",
        "required": ["row_id", "truth"],
        "properties": {
            "row_id": {"type": "string", "minLength": 1},
            "truth": {"type": ["string", "number", "boolean"]},
        },
    }
    rows = {"type": "array", "minItems": 1, "items": one}
    body = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    taken = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "integer"}}}
    return {
        "summary": "What really happened, by row id; a later label replaces an earlier one.",
        "operationId": "truth",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": _json("The number of labels taken.", taken), **_refusals()},
    }


def _row(live: Live | None) -> dict[str, Any]:
    if live is None:
        return {"type": "object"}
    columns = live.scorer.columns
    return {
        "type": "object",
        "required": [c.name for c in columns if c.required],
        "properties": {c.name: _column(c, live) for c in columns},
    }


def _column(column: Column, live: Live) -> dict[str, Any]:
    null, numeral = {"type": "null"}, {"type": "string", "pattern": _NUMERAL}
    kinds: dict[str, list[dict[str, Any]]] = {
        "number": [{"type": "number"}, numeral, null],
        "boolean": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false", "yes", "no"]}, null],
        "category": [{"type": ["string", "number", "boolean"]}, null],
        "text": [{"type": ["string", "number", "boolean"]}, null],
        "time": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}, null],
    }
    shown = live.example.get(column.name)
    return {"anyOf": kinds[column.kind], **({"examples": shown[:1]} if shown else {})}


def _answer(live: Live | None) -> dict[str, Any]:
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    prediction: dict[str, Any] = {}
    if live is not None:
        prediction = {"enum": list(live.scorer.classes)} if live.scorer.classes else {"type": "number"}
    row = {
        "type": "object",
        "required": ["row_id", "prediction"],
        "properties": {
            "row_id": {"type": "string"},
            "prediction": prediction,
            "probabilities": numbers,
            "contributions": numbers,
        },
    }
    return {
        "type": "object",
        "required": ["model", "version", "request_id", "rows"],
        "properties": {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "request_id": {"type": "string"},
            "rows": {"type": "array", "items": row},
        },
    }


def _refusal() -> dict[str, Any]:
    texts = {key: {"type": "string"} for key in ("error_code", "message", "request_id")}
    fields = {"fields": {"type": "array", "items": {"type": "string"}}, "row": {"type": "integer"}}
    return {"type": "object", "required": ["error_code", "message"], "properties": {**texts, **fields}}


def _health() -> dict[str, Any]:
    texts: dict[str, Any] = {key: {"type": "string"} for key in ("status", "model", "alias", "trouble")}
    known = {**texts, "version": {"type": ["integer", "null"]}}
    body = {"type": "object", "required": ["status", "model"], "properties": known}
    return {
        "summary": "Which version serves, and what is wrong.",
        "operationId": "health",
        "responses": {"200": _json("It answers.", body), "503": _json("It has no model yet.", body)},
    }


def _plain(summary: str) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    known = {code: answer for code, answer in _refusals().items() if code in ("401", "429", "503")}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": text}, **known}}


def _flag(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "boolean", "default": False}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refusals() -> dict[str, Any]:
    return {code: _json(said, {"$ref": "#/components/schemas/Refusal"}) for code, said in _REFUSALS.items()}
