"""Bodies in SQL: what `ingest.readers.bodies` says of Chat Completions, Responses and Messages.

A file's *layout* is either the plain body a line, or a body under `response` with the request and
the log's own fields beside it. `parse_query` takes a chunk of lines apart: each line's shape
(`ingest.fast.shapes`) and its cells, as JSON text. `staging_query` makes staging rows of them once
the shapes are judged: the arithmetic of the three APIs, the id, the time, and the labels.

| | inside input | beside input |
| --- | --- | --- |
| Chat, Responses | cached, written, audio, image | |
| Messages | | cached, written |

    con.execute(f"CREATE TEMP TABLE bodies AS {parse_query(layout)}")
    con.execute(f"INSERT INTO stage {staging_query(layout, …)}")
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from ingest.fast import cells as plain
from ingest.fast.cells import Cell, literal
from ingest.fast.lines import SOUND, member
from ingest.fast.shapes import COLUMNS
from ingest.fast.staging import Row, query
from ingest.fast.tables import call_key
from ingest.readers.base import SHORT_ID
from ingest.readers.wrapping import DIMENSION_KEYS, DURATION_KEYS, SESSION_KEYS, TIME_KEYS
from ingest.record import DIMENSIONS

Layout = Literal["plain", "pair"]


def _leaves(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, "JSON")


_INPUT = _leaves("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens") | {
    "cache_write_tokens_details": _leaves("ttl_30m_tokens", "ttl_12h_tokens")
}
_OUTPUT = _leaves("reasoning_tokens", "thinking_tokens", "audio_tokens")
_USAGE = _leaves(
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens",
    "prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "cache_read_input_tokens",
    "cache_creation_input_tokens", "service_tier", "inference_geo", "speed", "cost", "iterations",
) | {
    "prompt_tokens_details": _INPUT,
    "input_tokens_details": _INPUT,
    "completion_tokens_details": _OUTPUT,
    "output_tokens_details": _OUTPUT,
    "cache_creation": _leaves("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
    "server_tool_use": _leaves("web_search_requests"),
}  # fmt: skip
_BODY = _leaves(
    "id", "object", "type", "role", "status", "created", "created_at", "model", "service_tier",
    "reasoning", "reasoning_effort", "provider", "metadata", "tool_usage", "conversation",
) | {"usage": _USAGE}  # fmt: skip
_REQUEST = _leaves("url", "uri", "model", "service_tier", "reasoning_effort", "reasoning")
_BESIDE = _leaves(*DIMENSION_KEYS, *SESSION_KEYS, *DURATION_KEYS, *TIME_KEYS, "url", "seller")
_AROUND = _BESIDE | _leaves("provider", "vendor", "metadata", "tags", "labels", "object", "type")

_STRUCTURES: dict[Layout, dict[str, Any]] = {
    "plain": {**_BODY, **_BESIDE},
    "pair": {**_AROUND, "request": _REQUEST, "response": _BODY | _leaves("content", "text")},
}
_WITHIN: dict[Layout, tuple[str, ...]] = {"plain": (), "pair": ("response",)}
_PLACES: dict[Layout, dict[str, tuple[str, ...]]] = {
    layout: {
        "top": (),
        **({"request": ("request",), "body": body} if body else {}),
        "usage": (*body, "usage"),
        "input": (*body, "usage", "prompt_tokens_details"),
        "input:2": (*body, "usage", "input_tokens_details"),
        "writes": (*body, "usage", "prompt_tokens_details", "cache_write_tokens_details"),
        "writes:2": (*body, "usage", "input_tokens_details", "cache_write_tokens_details"),
        "output": (*body, "usage", "completion_tokens_details"),
        "output:2": (*body, "usage", "output_tokens_details"),
        "creation": (*body, "usage", "cache_creation"),
        "tools": (*body, "usage", "server_tool_use"),
    }
    for layout, body in _WITHIN.items()
}  # fmt: skip
_METADATA: dict[Layout, tuple[str, ...]] = {
    "plain": ("metadata",),
    "pair": ("metadata", "tags", "labels", "response.metadata"),
}
# The values that decide how a line is read: part of its shape.
_BODY_DECIDES = (
    "object", "type", "role", "status", "model", "service_tier", "reasoning", "reasoning_effort",
    "provider", "tool_usage", "usage.service_tier", "usage.inference_geo", "usage.speed",
    "metadata",
)  # fmt: skip
_DECIDING: dict[Layout, tuple[str, ...]] = {
    "plain": (*_BODY_DECIDES, "url", "seller"),
    "pair": (
        *(f"response.{name}" for name in _BODY_DECIDES), *(f"request.{name}" for name in _REQUEST),
        "url", "provider", "vendor", "seller", "metadata", "tags", "labels", "object", "type",
    ),
}  # fmt: skip
_IDS = ("gen-", "resp_", "msg_bdrk_", "msg_vrtx_", "msg_")
"""Beginnings of ids that tell more than who made them."""

_LONGEST = 400
"""Characters of a deciding value beyond which a line is left to the reader."""

TAG_LABELS = tuple(n for n in DIMENSION_KEYS if n not in (*DIMENSIONS, "env"))


def place_names(layout: Layout) -> tuple[str, ...]:
    """The places whose keys `parse_query` lists, in the order of its lists."""
    return tuple(name.partition(":")[0] for name in _PLACES[layout])


def known_keys(layout: Layout) -> dict[str, set[str]]:
    """The keys that are taken out at each place."""
    found: dict[str, set[str]] = {}
    for name, path in _PLACES[layout].items():
        structure: Any = _STRUCTURES[layout]
        for step in path:
            structure = structure[step]
        found.setdefault(name.partition(":")[0], set()).update(structure)
    if layout == "pair":
        found["body"] |= {"request_id"}
    return found


def _at(path: str, root: str = "j") -> str:
    """The JSON text at a path of the parsed line."""
    sql = root
    for step in path.split("."):
        sql = member(sql, step)
    return f"CAST({sql} AS VARCHAR)"


# A wrapped body's `content` may be a saved stream: unless its blocks are a message's own.
_BLOCKS = (
    "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use",
    "web_search_tool_result",
)  # fmt: skip
_CONTENT, _TEXT, _ASKED = _at("response.content"), _at("response.text"), "text -> '$.request'"
_NO_STREAM = (
    f"({_CONTENT} IS NULL OR (starts_with({_CONTENT}, '[')"
    f" AND list_has_all([{', '.join(map(literal, _BLOCKS))}],"
    f" json_extract_string({_CONTENT}, '$[*].type'))"
    f" AND len(json_extract_string({_CONTENT}, '$[*].type')) = json_array_length({_CONTENT})"
    f" AND NOT regexp_matches({_CONTENT}, '\"(choices|candidates|object|metadata"
    "|usage[A-Za-z_]*|internal[A-Za-z]*|(message|content|model)[A-Z][A-Za-z]*|[a-z]+Exception)\":')))"
    f" AND ({_TEXT} IS NULL OR starts_with({_TEXT}, '{{'))"
    f" AND coalesce(json_type({_ASKED}), 'OBJECT') IN ('OBJECT', 'NULL')"
)


def parse_query(layout: Layout) -> str:
    """SELECT of the sound lines of the relation `lines`: `line`, `shape` (NULL: none that can be
    judged), the lists of keys, whether there is metadata, and the parsed line as a struct."""
    structure = literal(json.dumps(_STRUCTURES[layout]))
    paths = ", ".join(
        literal("$" + "".join(f".{step}" for step in path)) for path in _PLACES[layout].values()
    )
    deciding = [f"coalesce({_at(path)}, chr(1))" for path in _DECIDING[layout]]
    body = "response." if layout == "pair" else ""
    kind = " ".join(
        f"WHEN starts_with({_at(body + 'id')}, '\"{prefix}') THEN '{prefix}'" for prefix in _IDS
    )
    long = " OR ".join(f"strlen({d}) > {_LONGEST}" for d in deciding)
    # Azure marks its answers inside `choices`, which are not looked into: unless the top says so.
    azure = (
        "contains(text, 'content_filter_results')"
        " AND NOT contains(text, '\"prompt_filter_results\"')"
    )
    hidden = r"regexp_matches(text, '\\u00[4-7]')"
    # Searches are counted from the output, which is not looked into.
    hidden += " OR contains(text, '_search_call\"')"
    if layout == "pair":
        hidden += f" OR NOT ({_NO_STREAM})"
    meta = " OR ".join(f"coalesce({_at(path)}, '{{}}') <> '{{}}'" for path in _METADATA[layout])
    return (
        f"SELECT line, keys, {meta} AS metadata, j,"
        f" CASE WHEN text IS NOT NULL AND NOT ({long} OR ({azure}) OR {hidden})"
        " THEN concat_ws(chr(2),"
        f" CAST(to_json(keys) AS VARCHAR), CASE {kind} ELSE '' END, {', '.join(deciding)})"
        f" END AS shape FROM (SELECT line, text, json_keys(text, [{paths}]) AS keys,"
        f" from_json(text, {structure}) AS j FROM (SELECT line, CASE WHEN {SOUND} THEN text END"
        " AS text FROM lines))"
    )


def staging_query(
    layout: Layout,
    assumed_time: datetime,
    stamps: Mapping[str, str],
    *,
    ascii_only: bool,
    where: str = "true",
) -> str:
    """SELECT of staging rows of the plain lines of `bodies` whose shape is in `shapes`."""
    row = Row()
    body = "response." if layout == "pair" else ""
    usage = f"{body}usage."

    def cell(*paths: str) -> Cell:
        cells = [_at(path, "c.j") for path in paths]
        return Cell(f"coalesce({', '.join(cells)})" if len(cells) > 1 else cells[0], "json")

    def count(name: str, *paths: str) -> str:
        return row.let(name, plain.count(cell(*(usage + p for p in paths))))

    into = ("prompt_tokens_details.", "input_tokens_details.")
    out = ("completion_tokens_details.", "output_tokens_details.")
    whole = count("whole", "prompt_tokens", "input_tokens")
    output = count("output", "completion_tokens", "output_tokens")
    cached = count(
        "cached", *(f"{p}cached_tokens" for p in into), "prompt_cache_hit_tokens",
        "cache_read_input_tokens",
    )  # fmt: skip
    count("missed", "prompt_cache_miss_tokens")
    written = count(
        "written", *(f"{p}cache_write_tokens" for p in into), "cache_creation_input_tokens"
    )
    lives = {
        "5m": count("w5m", "cache_creation.ephemeral_5m_input_tokens"),
        "30m": count("w30m", *(f"{p}cache_write_tokens_details.ttl_30m_tokens" for p in into)),
        "1h": count("w1h", "cache_creation.ephemeral_1h_input_tokens"),
        "12h": count("w12h", *(f"{p}cache_write_tokens_details.ttl_12h_tokens" for p in into)),
    }
    audio_in = count("audio_in", *(f"{p}audio_tokens" for p in into))
    image_in = count("image_in", *(f"{p}image_tokens" for p in into))
    reasoning = count(
        "reasoning", *(f"{p}reasoning_tokens" for p in out), *(f"{p}thinking_tokens" for p in out)
    )
    audio_out = count("audio_out", *(f"{p}audio_tokens" for p in out))
    total = count("total", "total_tokens")
    searches = count("searches", "server_tool_use.web_search_requests")

    known = " + ".join(f"coalesce({w}, 0)" for w in lives.values())
    rest = (
        f"CASE WHEN {written} > {known} OR ({written} IS NOT NULL AND"
        f" coalesce({', '.join(lives.values())}) IS NULL) THEN {written} - ({known}) END"
    )
    parts = f"(coalesce({cached}, 0) + greatest(coalesce({written}, 0), {known}))"
    media = f"(coalesce({audio_in}, 0) + coalesce({image_in}, 0))"
    spoken = f"(coalesce({reasoning}, 0) + coalesce({audio_out}, 0))"
    row.need(f"{whole} IS NOT NULL")
    row.need(f"({written} IS NULL OR {known} <= {written})")
    row.need(f"(NOT inclusive OR {parts} + {media} <= {whole})")
    # Reasoning beside the output, as xAI counts it.
    row.need(f"NOT coalesce(inclusive AND {reasoning} > 0"
             f" AND {total} = {whole} + {output} + {reasoning}, false)")  # fmt: skip
    row.need(
        f"({spoken} <= {output} OR ({output} IS NULL"
        f" AND coalesce({reasoning}, {audio_out}) IS NULL))"
    )
    row.counts(
        {
            "input_uncached": f"CASE WHEN inclusive THEN {whole} - {parts} - {media}"
            f" ELSE {whole} END",
            "cache_read": cached,
            **{f"cache_write_{life}": name for life, name in lives.items()},
            "cache_write_unknown": rest,
            "input_audio": audio_in,
            "input_image": image_in,
            "output_text": f"{output} - {spoken}",
            "reasoning": reasoning,
            "output_audio": audio_out,
            "web_search": f"coalesce({searches}, s_search)",
        }
    )
    row.total(total)
    row.set("source_cost_usd", row.let("cost", plain.money(cell(usage + "cost"))))
    iterations = cell(usage + "iterations").sql
    row.checks.append(f"({iterations} IS NULL OR {iterations} = '[]')")
    row.checks.append(f"{cell(body + 'conversation').sql} IS NULL")

    names = {"created": cell(body + "created"), "created_at": cell(body + "created_at")}
    created = {n: row.let(n, plain.instant(c)) for n, c in names.items()}
    times = [f"CASE WHEN chat THEN {created['created']} ELSE {created['created_at']} END"]
    times += [row.let(f"time{n}", plain.instant(cell(k))) for n, k in enumerate(TIME_KEYS)]
    at = f"coalesce({', '.join(times)})"
    row.set("occurred_at", f"coalesce({at}, TIMESTAMP '{assumed_time.isoformat(' ')}')")
    row.set("time_assumed", f"{at} IS NULL")

    def label(name: str) -> str:
        return row.let(f"l_{name}", plain.label(cell(name), ascii_only=ascii_only))

    labels = {name: label(name) for name in (*DIMENSION_KEYS, *SESSION_KEYS)}
    spans = [row.let(f"d_{n}", plain.count(cell(n))) for n in reversed(DURATION_KEYS)]
    row.set("latency_ms", f"coalesce({', '.join(spans)})")
    row.set("session", f"coalesce({', '.join(labels[n] for n in SESSION_KEYS)})")
    everything = ", ".join(labels[n] for n in DIMENSION_KEYS)
    row.need(f"(NOT metadata OR coalesce({everything}) IS NULL)")
    for name in DIMENSIONS:
        own = f"{labels['env']}, {labels[name]}" if name == "environment" else labels[name]
        row.set(name, f"coalesce({own}, s_{name})")
    row.tags("s_tags")
    for name in TAG_LABELS:
        row.tag(name, labels[name])

    response = row.let("id", plain.text(cell(body + "id"), ascii_only=ascii_only))
    row.need(f"length({response}) >= {SHORT_ID}")
    row.key(call_key("s_provider", response))
    for column, name in _FROM_SHAPE.items():
        row.set(column, name)
    for name in ("metadata", *(name for name, _ in COLUMNS[1:])):
        row.steps[name] = f"c.{name}"
    source = (
        f"(SELECT b.line, b.j, b.metadata, s.* EXCLUDE (shape) FROM bodies AS b"
        f" JOIN shapes AS s ON s.shape = b.shape WHERE s.inclusive IS NOT NULL AND {where}) AS c"
    )
    return query(row, stamps, source)


_FROM_SHAPE = {
    "source_format": "s_format", "provider": "s_provider", "seller_stated": "s_seller",
    "model": "s_model", "tier_stated": "s_tier", "region": "s_region", "effort": "s_effort",
    "finality": "s_finality", "failed": "s_failed",
}  # fmt: skip
