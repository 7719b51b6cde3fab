"""The document as a page for people: no scripts, nothing loaded, readable on a telephone and by lamplight."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from api.openapi.descriptions import JSON, NDJSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEEPEST = 5
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
    "null": "null",
}
REFUSALS = {"RenderError": "`/api` and `/reports`", "ODataError": "`/odata`", "Failure": "`/api/v1`"}
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)")


def shown(document: Mapping[str, Any]) -> str:
    """Write the page of an OpenAPI document."""
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=1,
    )
    environment.filters["prose"] = prose
    template = environment.from_string(_file("page.html"))
    reader = _Reader(document)
    return template.render(
        info=document["info"],
        base=document["servers"][0]["url"],
        families=list(reader.families()),
        refusals=list(reader.refusals()),
        everywhere=document["components"]["parameters"].values(),
        style=Markup(_file("page.css")),  # noqa: S704  # Our own file.
    )


def policy() -> str:
    """Return the page's Content-Security-Policy: its own style, and nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(_file("page.css").encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def prose(text: str) -> Markup:
    """Turn what the descriptions use of Markdown into HTML: paragraphs, lists, code, bold and links."""
    blocks = []
    for block in text.strip().split("\n\n"):
        if block.startswith("- "):
            items = re.split(r"\n- ", block[2:])
            blocks.append(
                Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}").format(_inline(one)) for one in items))
            )
        else:
            blocks.append(Markup("<p>{}</p>").format(_inline(block)))
    return Markup("\n").join(blocks)


def _inline(text: str) -> Markup:
    parts, end = [], 0
    for found in _INLINE.finditer(text):
        parts.append(escape(text[end : found.start()]))
        code, bold, link, address = found.groups()
        if code:
            parts.append(Markup("<code>{}</code>").format(code))
        elif bold:
            parts.append(Markup("<b>{}</b>").format(bold))
        else:
            parts.append(Markup('<a href="{}">{}</a>').format(address, link))
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def _file(name: str) -> str:
    return files("api").joinpath("docs", name).read_text(encoding="utf-8")


class _Reader:
    """Reads a document as the page shows it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._base = document["servers"][0]["url"]

    def families(self) -> Iterator[dict[str, Any]]:
        for tag in self._document["tags"]:
            operations: dict[tuple[str, str], dict[str, Any]] = {}
            for path, methods in self._document["paths"].items():
                for method, said in methods.items():
                    if tag["name"] not in said["tags"] or method == "head":
                        continue
                    # One view under two addresses is one thing to read about.
                    one = operations.setdefault((method, said["summary"]), self._operation(method, path, said))
                    if one["path"] != path:
                        one["also"].append(path)
            if operations:
                yield {**tag, "anchor": _anchor(tag["name"]), "operations": list(operations.values())}

    def refusals(self) -> Iterator[dict[str, Any]]:
        for schema, family in REFUSALS.items():
            yield {"family": family, "fields": list(self._fields({"$ref": f"#/components/schemas/{schema}"}))}

    def _operation(self, method: str, path: str, said: Mapping[str, Any]) -> dict[str, Any]:
        parameters = [one for one in said["parameters"] if "$ref" not in one]
        content = said.get("requestBody", {}).get("content", {})
        # Where there are several, the first one is shown, and the text says the others.
        body: Mapping[str, Any] = next(iter(content.values()), {})
        examples = [(one["summary"], one["value"]) for one in body.get("examples", {}).values()]
        return {
            "anchor": _anchor(said["operationId"]),
            "method": method.upper(),
            "also_head": "head" in self._document["paths"][path],
            "path": path,
            "also": [],
            "summary": said["summary"],
            "text": said.get("description", ""),
            "open": said.get("security") == [],
            "parameters": [one | {"kind": self._kind(one["schema"])} for one in parameters],
            "media_type": " or ".join(content),
            "fields": list(self._fields(body.get("schema", {}))),
            "examples": [
                {"name": name, "body": _pretty(value), "curl": self._curl(method, path, said, value)}
                for name, value in examples
            ],
            "curl": None if examples else self._curl(method, path, said, None),
            "answers": [self._answer(status, answer) for status, answer in said["responses"].items()],
        }

    def _answer(self, status: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        headers = [name for name in answer.get("headers", {}) if name != "X-Trace-Id"]
        content = answer.get("content", {})
        example = next((one["example"] for one in content.values() if "example" in one), None)
        return {
            "status": status,
            "kind": status[0],
            "text": answer["description"],
            "headers": [(name, self._document["components"]["headers"][name]["description"]) for name in headers],
            "media_types": list(content),
            # What refusals look like is said once for all of them.
            "fields": [] if status[0] in "45" else list(self._fields(content.get(JSON, {}).get("schema", {}))),
            "example": example if isinstance(example, str) or example is None else _pretty(example),
        }

    def _curl(self, method: str, path: str, said: Mapping[str, Any], body: Any) -> str:
        for one in said["parameters"]:
            if one.get("in") == "path":
                path = path.replace(f"{{{one['name']}}}", quote(str(one.get("example", one["name"])), safe=""))
        needed = [one for one in said["parameters"] if one.get("in") == "query" and one.get("required")]
        query = "&".join(f"{one['name']}={quote(str(one.get('example', '')), safe='')}" for one in needed)
        address = self._base + path + (f"?{query}" if query else "")
        # Keys of OData are in single quotes, its own words begin with a dollar sign.
        words = ["curl", "-sS", f'"{address}"' if "'" in address else f"'{address}'"]
        if method not in ("get", "post") or (method == "post" and body is None):
            words[2:2] = ["-X", method.upper()]
        if said.get("security") != []:
            words += ["\\\n  -H", '"Authorization: Bearer $TOKEN"']
        media_type = next(iter(said.get("requestBody", {}).get("content", {})), None)
        if media_type == JSON and body is not None:
            # The shell ends a text in single quotes at the next one; JSON can say it in another way.
            text = json.dumps(body, ensure_ascii=False).replace("'", "\\u0027")
            words += ["\\\n  -H", "'Content-Type: application/json'", "\\\n  -d", f"'{text}'"]
        elif media_type == "multipart/form-data":
            words += ["\\\n  -F", "file=@northwind.png"]
        elif media_type == "application/octet-stream":
            words += ["\\\n  --data-binary", "@northwind.png"]
        elif media_type == NDJSON:
            words += ["\\\n  -H", f"'Content-Type: {NDJSON}'", "\\\n  --data-binary", "@invoices.ndjson"]
        if "application/pdf" in said["responses"].get("200", {}).get("content", {}):
            later = isinstance(body, dict) and body.get("options", {}).get("reports", {}).get("async")
            words += ["\\\n  -i" if later else "\\\n  -o document.pdf"]
        return " ".join(words)

    def _fields(self, schema: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[dict[str, Any]]:
        """Return the fields of an object, and under each those of the objects in it."""
        schema = self._resolved(schema)
        required = schema.get("required", ())
        for name, said in schema.get("properties", {}).items():
            inner, many = self._object_in(said)
            yield {
                "prefix": prefix,
                "name": name,
                "kind": self._kind(said),
                "required": name in required,
                "text": said.get("description") or self._resolved(said).get("description", ""),
                "default": json.dumps(said["default"]) if "default" in said else None,
                "depth": depth,
            }
            if inner is not None and depth < DEEPEST:
                yield from self._fields(inner, f"{prefix}{name}{'[]' if many else ''}.", depth + 1)

    def _object_in(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
        """Return the object that a field is or has in its list, and whether it is a list."""
        for one in schema.get("anyOf", [schema]):
            found = self._resolved(one)
            if found.get("properties"):
                return found, False
            items = self._resolved(found.get("items") or {})
            if items.get("properties"):
                return items, True
        return None, False

    def _kind(self, schema: Mapping[str, Any]) -> str:
        """Say in a few words what a value may be."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            kinds = [self._kind(one) for one in schema["anyOf"]]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
        if "enum" in schema:
            return " | ".join(map(str, schema["enum"]))
        if "const" in schema:
            return json.dumps(schema["const"])
        types = schema.get("type", [])
        kinds = [kind for kind in ([types] if isinstance(types, str) else types) if kind != "null"]
        kind = " or ".join(TYPES[one] for one in kinds) or ("null" if types else "anything")
        if schema.get("format") == "date-time":
            return "time"
        items = schema.get("items")
        if kind == "list" and items:
            return f"list of {self._kind(items)}s".replace("anythings", "anything")
        return kind

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = schema
        while "$ref" in found:
            found = self._document["components"]["schemas"][found["$ref"].rpartition("/")[2]]
        return found


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name).lower()


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
