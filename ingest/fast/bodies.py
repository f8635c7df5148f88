"""Bodies in SQL: what `ingest.readers.bodies` says of Chat Completions, Responses and Messages.

`parse_query` takes a chunk of lines apart: each line's shape (`ingest.fast.shapes`) and its cells,
as JSON text. `staging_query` makes staging rows of the lines whose shapes are judged: the
arithmetic of the three APIs, the id, the time, and the labels. Both look at the paths of a scope
(`ingest.fast.layouts`) and at no other.

| | inside input | beside input |
| --- | --- | --- |
| Chat, Responses | cached, written, audio, image | |
| Messages | | cached, written |

    con.execute(f"CREATE TEMP TABLE bodies AS {parse_query(Scope(layout))}")
    con.execute(f"INSERT INTO stage {staging_query(Scope(layout), 'bodies', …)}")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from ingest.fast import cells as plain
from ingest.fast.cells import ABSENT, Cell, Value, literal
from ingest.fast.layouts import Scope, place_paths
from ingest.fast.lines import SOUND
from ingest.fast.shapes import COLUMNS
from ingest.fast.staging import Row, query
from ingest.fast.tables import call_key, coalesce
from ingest.readers.base import SHORT_ID
from ingest.readers.wrapping import DIMENSION_KEYS, DURATION_KEYS, SESSION_KEYS, TIME_KEYS
from ingest.record import DIMENSIONS

_IDS = ("gen-", "resp_", "msg_bdrk_", "msg_vrtx_", "msg_")
"""Beginnings of ids that tell more than who made them."""

_LONGEST = 400
"""Characters of a deciding value beyond which a line is left to the reader."""

TAG_LABELS = tuple(n for n in DIMENSION_KEYS if n not in (*DIMENSIONS, "env"))


# A wrapped body's `content` may be a saved stream: unless its blocks are a message's own.
_BLOCKS = (
    "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use",
    "web_search_tool_result",
)  # fmt: skip


def _no_stream(scope: Scope) -> str:
    content, text = scope.at("response.content"), scope.at("response.text")
    found = (
        f"({content} IS NULL OR (starts_with({content}, '[')"
        f" AND list_has_all([{', '.join(map(literal, _BLOCKS))}],"
        f" json_extract_string({content}, '$[*].type'))"
        f" AND len(json_extract_string({content}, '$[*].type')) = json_array_length({content})"
        f" AND NOT regexp_matches({content}, '\"(choices|candidates|object|metadata"
        "|usage[A-Za-z_]*|internal[A-Za-z]*|(message|content|model)[A-Z][A-Za-z]*"
        "|[a-z]+Exception)\":')))"
        f" AND ({text} IS NULL OR starts_with({text}, '{{'))"
    )
    if scope.has("request"):
        found += " AND coalesce(json_type(text -> '$.request'), 'OBJECT') IN ('OBJECT', 'NULL')"
    return found


def parse_query(scope: Scope) -> str:
    """SELECT of the sound lines of the relation `lines`: `line`, `shape` (NULL: none that can be
    judged), the lists of keys, whether there is metadata, and the parsed line as a struct.

    A line's shape is the same text whatever the scope, as long as it has no paths beyond it.
    """
    structure = literal(json.dumps(scope.structure()))
    paths = ", ".join(
        literal("$" + "".join(f".{step}" for step in path)) for path in place_paths(scope.layout)
    )
    there = [scope.at(path) for path in scope.deciding if scope.has(path)]
    deciding = [
        f"coalesce({scope.at(path)}, chr(1))" if scope.has(path) else "chr(1)"
        for path in scope.deciding
    ]
    kind = " ".join(
        f"WHEN starts_with({scope.at(scope.body + 'id')}, '\"{prefix}') THEN '{prefix}'"
        for prefix in _IDS
    )
    long = " OR ".join(f"coalesce(strlen({d}) > {_LONGEST}, false)" for d in there) or "false"
    # Azure marks its answers inside `choices`, which are not looked into: unless the top says so.
    azure = (
        "contains(text, 'content_filter_results')"
        " AND NOT contains(text, '\"prompt_filter_results\"')"
    )
    hidden = r"regexp_matches(text, '\\u00[4-7]')"
    # Searches are counted from the output, which is not looked into.
    hidden += " OR contains(text, '_search_call\"')"
    if scope.layout == "pair":
        hidden += f" OR NOT ({_no_stream(scope)})"
    meta = [f"coalesce({scope.at(p)}, '{{}}') <> '{{}}'" for p in scope.metadata if scope.has(p)]
    return (
        f"SELECT line, keys, {' OR '.join(meta) or 'false'} AS metadata, j,"
        f" CASE WHEN text IS NOT NULL AND NOT ({long} OR ({azure}) OR {hidden})"
        " THEN concat_ws(chr(2),"
        f" CAST(to_json(keys) AS VARCHAR), CASE {kind} ELSE '' END, {', '.join(deciding)})"
        f" END AS shape FROM (SELECT line, text, json_keys(text, [{paths}]) AS keys,"
        f" from_json(text, {structure}) AS j FROM (SELECT line, CASE WHEN {SOUND} THEN text END"
        " AS text FROM lines))"
    )


def staging_query(
    scope: Scope,
    bodies: str,
    assumed_time: datetime,
    stamps: Mapping[str, str],
    *,
    ascii_only: bool,
    where: str = "true",
) -> str:
    """SELECT of staging rows of the plain lines of `bodies` (what `parse_query` gives of the same
    scope: a relation's name or the query in brackets) whose shape is in `shapes`."""
    row = Row()
    body = scope.body
    usage = f"{body}usage."

    def cell(*paths: str) -> Cell | None:
        cells = [scope.at(path, "c.j") for path in paths if scope.has(path)]
        if not cells:
            return None
        return Cell(f"coalesce({', '.join(cells)})" if len(cells) > 1 else cells[0], "json")

    def let(name: str, rule: Callable[[Cell], Value], *paths: str) -> str:
        found = cell(*paths)
        return row.let(name, ABSENT if found is None else rule(found))

    def count(name: str, *paths: str) -> str:
        return let(name, plain.count, *(usage + p for p in paths))

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
        "NULL"
        if written == "NULL"
        else (
            f"CASE WHEN {written} > {known} OR ({written} IS NOT NULL AND"
            f" coalesce({', '.join(lives.values())}) IS NULL) THEN {written} - ({known}) END"
        )
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
            "web_search": coalesce(searches, "s_search"),
        }
    )
    row.total(total)
    row.set("source_cost_usd", let("cost", plain.money, usage + "cost"))
    iterations = cell(usage + "iterations")
    if iterations is not None:
        row.checks.append(f"({iterations.sql} IS NULL OR {iterations.sql} = '[]')")
    conversation = cell(body + "conversation")
    if conversation is not None:
        row.checks.append(f"{conversation.sql} IS NULL")

    created = {n: let(n, plain.instant, body + n) for n in ("created", "created_at")}
    times = [f"CASE WHEN chat THEN {created['created']} ELSE {created['created_at']} END"]
    times += [let(f"time{n}", plain.instant, key) for n, key in enumerate(TIME_KEYS)]
    at = coalesce(*times)
    row.set("occurred_at", f"coalesce({at}, TIMESTAMP '{assumed_time.isoformat(' ')}')")
    row.set("time_assumed", f"{at} IS NULL")

    label = partial(plain.label, ascii_only=ascii_only)
    labels = {name: let(f"l_{name}", label, name) for name in (*DIMENSION_KEYS, *SESSION_KEYS)}
    spans = [let(f"d_{n}", plain.count, n) for n in reversed(DURATION_KEYS)]
    row.set("latency_ms", coalesce(*spans))
    row.set("session", coalesce(*(labels[n] for n in SESSION_KEYS)))
    row.need(f"(NOT metadata OR {coalesce(*(labels[n] for n in DIMENSION_KEYS))} IS NULL)")
    for name in DIMENSIONS:
        own = (labels["env"], labels[name]) if name == "environment" else (labels[name],)
        row.set(name, coalesce(*own, f"s_{name}"))
    row.tags("s_tags")
    for name in TAG_LABELS:
        if labels[name] != "NULL":
            row.tag(name, labels[name])

    response = let("id", partial(plain.text, ascii_only=ascii_only), body + "id")
    row.need(f"length(CAST({response} AS VARCHAR)) >= {SHORT_ID}")
    row.key(call_key("s_provider", f"CAST({response} AS VARCHAR)"))
    for column, name in _FROM_SHAPE.items():
        row.set(column, name)
    for name in ("metadata", *(name for name, _ in COLUMNS[1:])):
        row.steps[name] = f"c.{name}"
    source = (
        f"(SELECT b.line, b.j, b.metadata, s.* EXCLUDE (shape) FROM {bodies} AS b"
        f" JOIN shapes AS s ON s.shape = b.shape WHERE s.inclusive IS NOT NULL AND {where}) AS c"
    )
    return query(row, stamps, source)


_FROM_SHAPE = {
    "source_format": "s_format", "provider": "s_provider", "seller_stated": "s_seller",
    "model": "s_model", "tier_stated": "s_tier", "region": "s_region", "effort": "s_effort",
    "finality": "s_finality", "failed": "s_failed",
}  # fmt: skip
