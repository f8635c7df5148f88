"""Render function tools the way OpenAI models read them, to count what they cost.

The API does not send the JSON of a tool to the model. It writes a TypeScript-like namespace into
the prompt, and that text is what is billed. Example: the tool ``get_weather`` with a described
string ``city`` becomes::

    # Tools

    ## functions

    namespace functions {

    // Current weather.
    type get_weather = (_: {
    // Name of the city
    city: string,
    }) => any;

    } // namespace functions

Rules (each found by comparing recorded bills with candidate renderings; see ``openai.toml``):
descriptions become comment lines; parameters without a title, description or default stand on one
line; ``additionalProperties``, ``strict``, ranges and lengths cost nothing; a title comes before
the description with an empty comment between; a default is a trailing comment in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pricing.json_types import JsonList, JsonObject

Schema = Mapping[str, Any]

HEADING = "# Tools\n\n## functions\n\nnamespace functions {\n\n"
CLOSING = "\n\n} // namespace functions"
_MAX_DEPTH = 24  # a schema may refer to itself; below this it is read as ``any``


@dataclass(frozen=True)
class Tool:
    """A function tool: its name, description and JSON schema of parameters."""

    name: str
    description: str
    parameters: Schema


def namespace(tools: Iterable[Tool], item_comments: bool = True) -> str:
    """The whole block for a list of tools, without a trailing newline.

    ``item_comments``: whether titles and descriptions of array items are written out (gpt-3.5 and
    gpt-4 leave them away).
    """
    written = (render_tool(tool, item_comments) for tool in tools)
    return HEADING + "\n\n".join(written) + CLOSING


def render_tool(tool: Tool, item_comments: bool = True) -> str:
    """One tool: its description as comments, then its type line."""
    lines = comment(tool.description)
    root = tool.parameters if item_comments else _without_item_comments(tool.parameters)
    if not _properties(root):
        lines.append(f"type {tool.name} = () => any;")
    else:
        # The parameter object's own title and description stand before its brace.
        lead = " " + "".join(f"{line}\n" for line in _documentation(root))
        lines.append(f"type {tool.name} = (_:{lead}{_object(root, root, 0)}) => any;")
    return "\n".join(lines)


def _without_item_comments(schema: Any) -> Any:
    if isinstance(schema, JsonList):
        return [_without_item_comments(each) for each in schema]
    if not isinstance(schema, JsonObject):
        return schema
    plain = {key: _without_item_comments(value) for key, value in schema.items()}
    items = plain.get("items")
    if schema.get("type") == "array" and isinstance(items, JsonObject):
        plain["items"] = {k: v for k, v in items.items() if k not in ("title", "description")}
    return plain


def comment(text: str) -> list[str]:
    """``// `` lines of a description: stripped, line by line; an empty line is a bare ``//``."""
    if not text or not text.strip():
        return []
    stripped = (line.strip() for line in text.strip().split("\n"))
    return [f"// {line}" if line else "//" for line in stripped]


def _documentation(schema: Schema) -> list[str]:
    title, description = _text(schema.get("title")), _text(schema.get("description"))
    lines = comment(title)
    if lines and description.strip():
        lines.append("//")
    return lines + comment(description)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _properties(schema: Schema) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, JsonObject) else {}


def _object(schema: Schema, root: Schema, depth: int) -> str:
    required = schema.get("required")
    needed: set[Any] = set(required) if isinstance(required, JsonList) else set()
    fields: list[tuple[str, Schema]] = []
    for name, value in _properties(schema).items():
        fields.append((name + ("" if name in needed else "?"), resolve(value, root)))
    if not any(_documentation(field) or "default" in field for _, field in fields):
        inside = ", ".join(f"{name}: {_type(field, root, depth + 1)}" for name, field in fields)
        return "{ " + inside + " }"
    lines: list[str] = []
    for name, field in fields:
        lines += _documentation(field)
        line = f"{name}: {_type(field, root, depth + 1)},"
        if "default" in field:
            line += f" // default: {json.dumps(field['default'], ensure_ascii=False)}"
        lines.append(line)
    return "{\n" + "\n".join(lines) + "\n}"


def resolve(schema: object, root: Schema) -> Schema:
    """Follow ``$ref`` within the document; keywords beside the reference win over its target."""
    seen: set[str] = set()
    while isinstance(schema, JsonObject):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#") or reference in seen:
            return schema
        seen.add(reference)
        target: object = root
        for step in reference.lstrip("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, JsonObject) and key else target
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **beside} if isinstance(target, JsonObject) else beside
    return {}


def _type(schema: Schema, root: Schema, depth: int) -> str:
    """The type of a property. Its own comments were already written above it."""
    if depth > _MAX_DEPTH:
        return "any"
    variants = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(variants, JsonList) and variants:
        return _union([resolve(v, root) for v in variants], root, depth)
    alone = schema.get("allOf")
    if isinstance(alone, JsonList) and len(alone) == 1:
        return _type(resolve(alone[0], root), root, depth + 1)
    if isinstance(schema.get("enum"), JsonList) and schema["enum"]:
        return " | ".join(json.dumps(member, ensure_ascii=False) for member in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    kind = schema.get("type")
    if isinstance(kind, JsonList):
        # Each kind of a list is read as a variant that repeats the whole schema, comments included.
        return _union([{**schema, "type": each} for each in kind], root, depth)
    if kind == "array":
        return _array(schema, root, depth)
    if kind == "object" or _properties(schema):
        return _object(schema, root, depth) if _properties(schema) else "object"
    return kind if isinstance(kind, str) else "any"


def _array(schema: Schema, root: Schema, depth: int) -> str:
    items = resolve(schema.get("items"), root)
    inner = _type(items, root, depth + 1) if items else "any"
    notes = _documentation(items)
    if notes:
        return "Array<\n" + "\n".join(notes) + f"\n{inner}\n>"
    return f"{inner}[]"


def _union(variants: Sequence[Schema], root: Schema, depth: int) -> str:
    """Variants joined by bars; one that has comments of its own takes lines of its own."""
    written: list[str] = []
    for variant in variants:
        inner = _type(variant, root, depth + 1)
        notes = _documentation(variant)
        if isinstance(variant.get("format"), str):
            notes.append(f'// format: "{variant["format"]}"')
        written.append("\n" + "\n".join(notes) + f"\n{inner}\n" if notes else inner)
    return " | ".join(written)
