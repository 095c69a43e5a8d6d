"""The page at `/docs`: the OpenAPI document for people, rendered here, so that nothing is fetched from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

__all__ = ["documents"]

_SHAPE = "#/components/schemas/"


def documents(document: Mapping[str, Any]) -> bytes:
    """The whole page of an OpenAPI document."""
    template = Template(files("leaflab.serve").joinpath("docs.html").read_text(encoding="utf-8"))
    info, schemas = document["info"], document["components"]["schemas"]
    operations = [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    text = template.substitute(
        title=escape(info["title"]),
        description=escape(info["description"]),
        operations="\n".join(operations),
        columns=_columns(schemas["Row"]),
        shapes="\n".join(f'<h3 id="{escape(name)}">{escape(name)}</h3>{_json(s)}' for name, s in schemas.items()),
    )
    return text.encode("utf-8", "replace")


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><b>{method.upper()}</b> {escape(path)}</h2><p>{escape(operation['summary'])}</p>"]
    if operation.get("security"):
        parts.append("<p>Needs a key: <code>Authorization: Bearer KEY</code> or <code>X-API-Key: KEY</code>.</p>")
    for asked in operation.get("parameters", ()):
        parts.append(f"<p><code>?{escape(asked['name'])}=true</code> {escape(asked['description'])}</p>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts += [f"<p>Takes <code>{escape(kind)}</code></p>", *_example(path, kind, content), _json(content["schema"])]
    for code, answer in operation["responses"].items():
        shapes = [_json(content["schema"]) for content in answer.get("content", {}).values() if code == "200"]
        parts.append(f"<p><b>{escape(code)}</b> {escape(answer['description'])}</p>{''.join(shapes)}")
    return f"<section>{''.join(parts)}</section>"


def _example(path: str, kind: str, content: Mapping[str, Any]) -> Iterator[str]:
    if "example" in content:
        body = json.dumps(content["example"], ensure_ascii=False).replace("'", r"'\''")
        command = f"curl -H 'content-type: {kind}' -d '{body}' http://HOST:PORT{path}"
        yield f"<pre>{escape(command)}</pre>"


def _columns(row: Mapping[str, Any]) -> str:
    """A table line for each column of the model."""
    needed = set(row.get("required", ()))
    lines = []
    for name, column in row.get("properties", {}).items():
        kinds = [", ".join(k) if isinstance(k := one["type"], list) else k for one in column["anyOf"]]
        shown = json.dumps(column["examples"][0], ensure_ascii=False) if column.get("examples") else ""
        cells = [name, " or ".join(dict.fromkeys(kinds)), "required" if name in needed else "optional", shown]
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return "".join(lines)


def _json(schema: Mapping[str, Any]) -> str:
    if list(schema) == ["$ref"]:
        name = escape(schema["$ref"].removeprefix(_SHAPE))
        return f'<p><a href="#{name}">{name}</a></p>'
    text = escape(json.dumps(schema, ensure_ascii=False, indent=1))
    return f"<details><summary>schema</summary><pre>{text}</pre></details>"
