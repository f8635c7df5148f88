"""`tokenbooks price`: what calls cost, without storing anything: of a log, or of a lake's calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pricing.json_types import JsonDict
from tokenbooks.cli.common import (
    Engine,
    Json,
    LakeDir,
    Since,
    Until,
    Where,
    Zone,
    catalogue,
    lake_of,
    moment,
    scope,
    settings,
)
from tokenbooks.cli.output import (
    FINDING,
    MISUSE,
    UNREADABLE,
    count,
    fail,
    note,
    print_json,
    say,
    table,
)

if TYPE_CHECKING:
    from dashboards.lake.prices import PricedCalls

SHOWN = 200
"""Calls of a log or lake that the table shows."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("price")(price)


def price(
    path: Annotated[
        str,
        typer.Argument(help="A usage object, a response body or any log; - for standard input."),
    ] = "-",
    provider: Annotated[
        str | None, typer.Option(help="Whose API it was: openai, anthropic…")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model, where the input names none.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When: a date or instant, UTC.")] = None,
    tier: Annotated[str | None, typer.Option(help="standard, batch, flex, priority…")] = None,
    region: Annotated[str | None, typer.Option(help="Data residency region.")] = None,
    seller: Annotated[str | None, typer.Option(help="Who sends the bill.")] = None,
    known_at: Annotated[
        str | None, typer.Option(help="Price as the table stood on this date.")
    ] = None,
    lake: LakeDir = None,
    engine: Engine = None,
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    json_: Json = False,
) -> None:
    """Price a usage object, a body or a whole log, line by line, storing nothing.

    With --lake the engine prices the lake's calls, one by one, in a period (--since, --until) and
    of the values asked for (--where).

    Exit code 1 when anything is unpriced, 3 when nothing could be read.
    """
    from pricing.estimator import PricedCall

    chosen = settings()
    if lake is not None or engine is not None:
        given = [provider, model, at, tier, region, seller]
        if path != "-" or any(given):
            fail("--lake: its calls say what they are; ask for some with --where", MISUSE)
        _price_lake(lake, engine, chosen, scope(since, until, tz, where, chosen), known_at, json_)
        return
    if since or until or tz or where:
        fail("--since, --until, --tz and --where ask a lake: name it with --lake", MISUSE)
    book = catalogue(chosen)
    when = moment(at, "--at")
    known = moment(known_at, "--known-at")
    source = _source(path)
    calls: list[tuple[str, PricedCall]] = []
    rejects: list[tuple[int | None, str]] = []
    usage = _bare_usage(source)
    if usage is not None:
        from pricing.estimator import price_call
        from pricing.usage import UsageError

        if not model:
            fail("a bare usage object names no model: give --model (and --provider)", 2)
        try:
            calls.append(
                (
                    "usage",
                    price_call(
                        provider or "openai", model or "", usage, at=when, tier=tier,
                        region=region, seller=seller, catalogue=book, known_at=known,
                    ),
                )
            )  # fmt: skip
        except UsageError as error:
            fail(f"{path}: {error}")
    else:
        for record in _records(source, rejects, path):
            calls.append(
                (
                    record.call_key,
                    _price_record(record, book, provider, model, when, tier, region, seller, known),
                )
            )
    if json_:
        print_json(_document(calls, rejects))
    else:
        _print(calls, rejects)
    if not calls:
        raise typer.Exit(UNREADABLE)
    if any(call.status == "unpriced" for _, call in calls):
        raise typer.Exit(FINDING)


def _price_lake(
    lake: str | None, engine: str | None, chosen: Any, asked: Any, known_at: str | None, json_: bool
) -> None:
    source = lake_of(lake, engine, None)
    assert source is not None
    from dashboards.lake.engine import EngineError
    from dashboards.lake.prices import priced_calls

    known = moment(known_at, "--known-at")
    unpriced = 0
    try:
        with priced_calls(source, catalogue(chosen), asked, known_at=known) as priced:
            if priced is None:
                fail("no calls in that period", UNREADABLE)
                return
            (_lake_document if json_ else _print_lake)(priced)
            unpriced = priced.total.unpriced_calls
    except EngineError as error:
        fail(str(error))
    if unpriced:
        raise typer.Exit(FINDING)


def _lake_document(priced: PricedCalls) -> None:
    """One JSON document, written as the calls come: a lake does not fit in memory."""
    import json

    from pricing.money import plain, usd

    out = sys.stdout
    out.write('{\n  "calls": [')
    comma = ""
    for batch in priced.batches():
        for row in batch.to_pylist():
            cost = row.pop("cost_pico")
            row["occurred_at"] = row["occurred_at"].isoformat()
            row["variant"], row["tier"] = row["variant"] or None, row["tier"] or None
            row["cost_usd"] = None if cost is None else plain(usd(int(cost)))
            out.write(f"{comma}\n    {json.dumps(row, ensure_ascii=False)}")
            comma = ","
    total = priced.total
    rest = {
        "total_usd": None if total.wholly_unpriced else plain(total.cost_usd),
        "unpriced_calls": total.unpriced_calls,
    }
    out.write(f"\n  ],\n{json.dumps(rest, indent=2)[2:]}\n")


def _print_lake(priced: PricedCalls) -> None:
    from pricing.money import show_usd, usd

    rows = priced.first(SHOWN).to_pylist()
    table(
        [("Time (UTC)", "left"), ("Call", "left"), ("Variant", "left"), ("Tier", "left"),
         ("Status", "left"), ("Cost", "right")],
        [
            (
                f"{row['occurred_at']:%Y-%m-%d %H:%M}", row["call_key"][-24:],
                row["variant"] or "?", row["tier"] or "-", row["status"],
                show_usd(None if row["cost_pico"] is None else usd(int(row["cost_pico"]))),
            )
            for row in rows
        ],
    )  # fmt: skip
    total = priced.total
    if total.calls > len(rows):
        note(f"the first {len(rows):,} (use --json for all)")
    say(
        f"{total.calls:,} calls, {show_usd(total.cost_usd)}"
        + (f", {total.unpriced_calls:,} unpriced" if total.unpriced_calls else "")
    )


def _source(path: str) -> Any:
    from ingest.files import UnreadableFile, look, look_at_bytes

    if path == "-":
        return look_at_bytes(sys.stdin.buffer.read())
    if not Path(path).is_file():
        fail(f"{path}: no such file")
    try:
        return look(Path(path))
    except UnreadableFile as error:
        fail(str(error))
        raise AssertionError from error


def _bare_usage(source: Any) -> Any:
    """The one document when it is a usage object and not a body around one."""
    if source.kind not in ("json", "jsonl") or len(source.sample) != 1:
        return None
    document = source.sample[0]
    if not isinstance(document, JsonDict) or "usage" in document or "usageMetadata" in document:
        return None
    marks = (
        "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "inputTokens",
        "outputTokens", "promptTokenCount", "candidatesTokenCount", "totalTokenCount",
    )  # fmt: skip
    if "model" in document or "occurred_at" in document:
        return None
    return document if any(m in document for m in marks) else None


def _records(source: Any, rejects: list[tuple[int | None, str]], path: str) -> list[Any]:
    """The calls of a log, each once: the best sighting of each key."""
    from ingest.importer import ImportOptions, read_source, recognise
    from ingest.record import Reject, UsageRecord
    from pricing.usage import total_output

    options = ImportOptions()
    reader, _, why = recognise(source, options)
    if reader is None:
        fail(f"{path}: {why}")
        raise AssertionError
    best: dict[str, Any] = {}
    results, _ = read_source(source, reader, options)
    for result in results:
        if isinstance(result, Reject):
            rejects.append((result.line, result.reason))
        elif isinstance(result, UsageRecord):
            rank = (
                result.finality == "final",
                result.input_total + total_output(result.counts),
            )
            held = best.get(result.call_key)
            if held is None or rank > held[0]:
                best[result.call_key] = (rank, result)
    return [record for _, record in best.values()]


def _price_record(
    record: Any, book: Any, provider: str | None, model: str | None, when: Any, tier: str | None,
    region: str | None, seller: str | None, known: Any,
) -> Any:  # fmt: skip
    from dataclasses import replace

    from pricing.estimator import price_reading
    from pricing.usage import Reading

    call = price_reading(
        Reading(record.counts, record.source_format, flags=record.flags),
        provider or record.provider,
        record.model or model,
        at=when or record.occurred_at,
        tier=tier or record.tier,
        region=region or record.region,
        seller=seller or record.seller,
        catalogue=book,
        known_at=known,
    )
    if record.time_assumed and when is None and call.status == "exact":
        return replace(call, status="assumed", reason="time not stated, the file time assumed")
    return call


def _document(
    calls: list[tuple[str, Any]], rejects: list[tuple[int | None, str]]
) -> dict[str, Any]:
    from pricing.money import plain, usd

    priced = [c.cost_usd for _, c in calls if c.cost_usd is not None]
    return {
        "calls": [{"call_key": key, **call.as_json()} for key, call in calls],
        "total_usd": plain(sum(priced, usd(0))) if priced else None,
        "unpriced_calls": sum(c.status == "unpriced" for _, c in calls),
        "rejects": [{"line": line, "reason": reason} for line, reason in rejects],
    }


def _print(calls: list[tuple[str, Any]], rejects: list[tuple[int | None, str]]) -> None:
    from pricing.money import show_usd, usd

    if len(calls) == 1:
        _print_one(calls[0][1])
    else:
        table(
            [("Call", "left"), ("Variant", "left"), ("Tier", "left"), ("Status", "left"),
             ("Cost", "right")],
            [
                (key[-24:], call.variant or "?", call.tier or "-", call.status,
                 show_usd(call.cost_usd))
                for key, call in calls[:SHOWN]
            ],
        )  # fmt: skip
        if len(calls) > SHOWN:
            note(f"… and {len(calls) - SHOWN:,} more calls (use --json for all)")
        total = sum((c.cost_usd for _, c in calls if c.cost_usd is not None), usd(0))
        unpriced = sum(c.status == "unpriced" for _, c in calls)
        say(
            f"{len(calls):,} calls, {show_usd(total)}"
            + (f", {unpriced} unpriced" if unpriced else "")
        )
        for reason in sorted({c.reason for _, c in calls if c.reason}):
            note(reason)
    for line, reason in rejects[:20]:
        note(f"rejected{f' line {line}' if line else ''}: {reason}")


def _print_one(call: Any) -> None:
    from pricing.money import show_usd, usd

    table(
        [("Meter", "left"), ("Quantity", "right"), ("USD", "left"), ("Cost", "right")],
        [
            (
                line.meter + (f" ({line.item})" if line.item else ""),
                count(line.quantity),
                (line.price_usd_per or "no price") + (f" (as {line.via})" if line.via else ""),
                show_usd(None if line.cost_pico is None else usd(line.cost_pico)),
            )
            for line in call.lines
        ],
    )
    name = f"{call.variant or 'unknown variant'} at {call.seller}, tier {call.tier or 'unknown'}"
    say(f"{name}, {call.at:%Y-%m-%d %H:%M} UTC")
    say(f"{show_usd(call.cost_usd)}  ({call.status}{': ' + call.reason if call.reason else ''})")
    for flag in call.flags:
        note(f"flag: {flag}")
