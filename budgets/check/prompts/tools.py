"""Tool definitions: OpenAI's, Anthropic's, Gemini's, Bedrock's, MCP's; lists, single, JSON Lines.

All are brought into OpenAI's form and counted as the tools of a request, because providers render
them anew: pretty JSON of 2,246 tokens was billed as 1,573. A tool of the server's own
(`web_search`, `computer_20250124`) stays what it is, so that the count says who alone knows it: a
list is never passed over because of one such entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricing.json_types import JsonList, JsonObject

_SCHEMAS = ("parameters", "inputSchema", "input_schema", "parametersJsonSchema")
# Tools that are no function: each maker's own, run by its server or the client in a fixed way.
_KINDS = (
    "custom", "web_search", "web_fetch", "file_search", "computer", "code_interpreter", "bash_",
    "code_execution", "image_generation", "mcp", "local_shell", "shell", "apply_patch",
    "text_editor_", "str_replace_", "memory_", "tool_search",
)  # fmt: skip
_GEMINI = {
    "googleSearch", "google_search", "codeExecution", "code_execution", "urlContext", "url_context",
    "googleSearchRetrieval", "google_search_retrieval", "fileSearch", "computerUse", "googleMaps",
}  # fmt: skip


def normal(tool: Any) -> dict[str, Any] | None:
    """One tool in OpenAI's form, or None when it is no tool definition."""
    if not isinstance(tool, JsonObject):
        return None
    function = tool.get("function")
    if tool.get("type") == "function" and isinstance(function, JsonObject):
        return {"type": "function", "function": dict(function)}
    spec = tool.get("toolSpec")
    if isinstance(spec, JsonObject):  # Bedrock wraps both the tool and its schema
        inner = spec.get("inputSchema")
        given = inner.get("json") if isinstance(inner, JsonObject) else None
        return normal({**spec, "inputSchema": given if isinstance(given, JsonObject) else {}})
    name = tool.get("name")
    schema = next((tool[key] for key in _SCHEMAS if isinstance(tool.get(key), JsonObject)), None)
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
    if isinstance(data, JsonObject):
        result = data.get("result")
        if isinstance(result, JsonObject) and "tools" in result:
            return tools_of(result["tools"])
        declared = _declared(data)
        for inner in (data.get("tools"), data.get("functions"), declared):
            if isinstance(inner, JsonList) and not _speaks(data):
                return tools_of(inner)
        one = normal(data)
        return [one] if one else None
    if not isinstance(data, JsonList) or not data:
        return None
    made: list[dict[str, Any]] = []
    for each in data:
        declared = _declared(each)
        found = (tools_of(declared) if declared else None) or [normal(each) or _of_server(each)]
        if None in found:
            return None
        made += [tool for tool in found if tool]
    return made


def _declared(tool: Any) -> list[Any] | None:
    """Gemini's function declarations, under either spelling."""
    if not isinstance(tool, JsonObject):
        return None
    found = tool.get("functionDeclarations") or tool.get("function_declarations")
    return found if isinstance(found, JsonList) and found else None


def _of_server(tool: Any) -> dict[str, Any] | None:
    """A tool that is no function, as it stands; None when it is no tool."""
    if not isinstance(tool, JsonObject) or {"role", "content"} & tool.keys():
        return None
    kind = tool.get("type")
    if isinstance(kind, str) and kind.startswith(_KINDS):
        return dict(tool)
    # Gemini's are a lone key: {"googleSearch": {}}.
    lone = next(iter(tool), "") if len(tool) == 1 else ""
    return {"type": lone} if lone in _GEMINI else None


def _speaks(data: Mapping[str, Any]) -> bool:
    return any(key in data for key in ("messages", "input", "contents"))
