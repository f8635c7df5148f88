"""Tool definitions: OpenAI `tools`, MCP tool lists and single tools, JSON Lines of functions.

All are brought into OpenAI's form and counted as the tools of a request, because providers render
them anew: pretty JSON of 2,246 tokens was billed as 1,573.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SCHEMAS = ("parameters", "inputSchema", "input_schema")


def normal(tool: Any) -> dict[str, Any] | None:
    """One tool in OpenAI's form, or None when it is no tool definition."""
    if not isinstance(tool, Mapping):
        return None
    function = tool.get("function")
    if tool.get("type") == "function" and isinstance(function, Mapping):
        return {"type": "function", "function": dict(function)}
    name = tool.get("name")
    schema = next((tool[key] for key in _SCHEMAS if isinstance(tool.get(key), Mapping)), None)
    if not isinstance(name, str) or (schema is None and tool.get("type") != "function"):
        return None
    made: dict[str, Any] = {"name": name}
    if isinstance(tool.get("description"), str):
        made["description"] = tool["description"]
    if schema is not None:
        made["parameters"] = schema
    return {"type": "function", "function": made}


def tools_of(data: Any) -> list[dict[str, Any]] | None:
    """The tools in parsed data, or None when it is not a tool file."""
    if isinstance(data, Mapping):
        result = data.get("result")
        if isinstance(result, Mapping) and "tools" in result:
            return tools_of(result["tools"])
        if isinstance(data.get("tools"), list) and not _speaks(data):
            return tools_of(data["tools"])
        if isinstance(data.get("functions"), list) and not _speaks(data):
            return tools_of(data["functions"])
        one = normal(data)
        return [one] if one else None
    if not isinstance(data, list) or not data:
        return None
    made = [normal(each) for each in data]
    return [each for each in made if each] if all(made) else None


def _speaks(data: Mapping[str, Any]) -> bool:
    return any(key in data for key in ("messages", "input", "contents"))
