"""`tokenbooks replay` and `tokenbooks traffic`: recorded traffic, and logs of traffic to come."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenbooks.cli.bars import progress_bar
from tokenbooks.cli.common import (
    Db,
    Json,
    Since,
    Until,
    Where,
    Zone,
    moment,
    reading,
    scope,
    settings,
)
from tokenbooks.cli.output import (
    FINDING,
    MISUSE,
    count,
    fail,
    note,
    percent,
    print_json,
    say,
    table,
)
from tokenbooks.cli.traffic_options import (
    BlockSize,
    Components,
    Lifetime,
    Map,
    MinTokens,
    Seed,
    Share,
    Step,
    Variants,
    checked_scope,
    listed,
    money,
    price_source,
    read_trace,
    say_wrapped,
    unpriced,
    write_text,
)

DEFAULT_VARIANT = "gpt-5.2"

group = typer.Typer(
    no_args_is_help=True, help="Traffic: fit a scenario to it, generate it, judge the method."
)


def register(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command("replay")(replay)
    app.add_typer(group, name="traffic")


def replay(
    trace: Annotated[Path, typer.Argument(help="Parquet, JSON lines or CSV, a row a request.")],
    block_size: BlockSize = None,
    share: Share = "all",
    ttl: Lifetime = None,
    min_tokens: MinTokens = None,
    step: Step = None,
    variants: Variants = "",
    rename: Map = None,
    components: Components = None,
    tier: Annotated[str, typer.Option(help="standard, batch, flex, priority…")] = "standard",
    seller: Annotated[str | None, typer.Option(help="Who sends the bill.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Rules and prices of this date.")] = None,
    json_: Json = False,
) -> None:
    """Run a recorded trace through prompt-cache rules and prices.

    Columns: t_s or t_ms, input_tokens, output_tokens, hash_ids (ids of prefix blocks); optionally
    session, model, reasoning_tokens. With --ttl that lifetime holds, with the minimum and step
    given; without it each variant's own rule. Exit code 1 when a variant asked for is unpriced.
    """
    from ingest.traffic import replay as run_replay

    who = checked_scope(share)
    day = moment(at, "--at")
    loaded = read_trace(trace, block_size, rename, components)
    chosen = listed(variants)
    assumed = not chosen and loaded.models is None
    with progress_bar("replaying") as advance:
        answer = run_replay(
            loaded, [DEFAULT_VARIANT] if assumed else chosen, price_source(), scope=who, ttl=ttl,
            min_tokens=min_tokens, step=step, day=None if day is None else day.date(), tier=tier,
            seller=seller, progress=advance,
        )  # fmt: skip
    if assumed:
        answer["notes"].append(
            f"the trace names no model: priced on {DEFAULT_VARIANT}; choose with --variants"
        )
    if json_:
        print_json(answer)
    else:
        print_replay(answer)
    if chosen and unpriced(answer["variants"]):
        raise typer.Exit(FINDING)


def print_replay(answer: dict[str, Any]) -> None:
    """The replay as a table of variants, and what was assumed."""
    say(
        f"{answer['trace']}: {answer['requests']:,} requests, "
        f"{count(answer['input_tokens'])} input and {count(answer['output_tokens'])} output tokens"
    )
    say(
        f"{count(answer['cached_tokens'])} input tokens "
        f"({percent(answer['cached_share'], 2)}) come from the cache"
    )
    table(
        [("Variant", "left"), ("Lifetime", "right"), ("Min/step", "right"), ("Cached", "right"),
         ("Cost", "right"), ("No cache", "right"), ("Saved", "right")],
        [_replay_cells(r) for r in answer["variants"]],
    )  # fmt: skip
    for row in unpriced(answer["variants"]):
        why = row.get("reason") or f"no price on tier {answer['tier']} on {answer['day']}"
        say_wrapped(f"{row['variant']} is UNPRICED: {why}")
    if "cost_usd" in answer:
        left = answer["unpriced_requests"]
        more = f"; {left:,} requests are UNPRICED and not in it" if left else ""
        say(f"all requests on their own models: {money(answer['cost_usd'])}{more}")
    say(f"prices of {answer['day']}, tier {answer['tier']}; cache scope: {answer['scope']}")
    for text in answer["notes"]:
        note(text)


def _replay_cells(row: dict[str, Any]) -> tuple[str, ...]:
    from decimal import Decimal

    rule = row["rule"]
    life = f"{rule['ttl_s']:,.0f} s" if rule["ttl_s"] else rule["source"]
    saved, without = "-", row["cost_without_cache_usd"]
    if row["cost_usd"] is not None and Decimal(without):
        saved = f"{100 * (1 - float(Decimal(row['cost_usd']) / Decimal(without))):.0f} %"
    return (
        row["variant"], life, f"{rule['min_tokens']:,}/{rule['step']:,}",
        percent(row["cached_share"], 2), money(row["cost_usd"]),
        "-" if without is None else money(without), saved,
    )  # fmt: skip


@group.command("fit")
def fit(
    trace: Annotated[
        Path | None, typer.Argument(help="A recorded trace; leave it out with --from-store.")
    ] = None,
    from_store: Annotated[
        bool, typer.Option("--from-store", help="Fit on the calls in the database.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The scenario file to write.")
    ] = Path("scenario.toml"),
    variants: Variants = "",
    block_size: BlockSize = None,
    rename: Map = None,
    components: Components = None,
    since: Since = None,
    until: Until = None,
    tz: Zone = None,
    where: Where = None,
    seed: Seed = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Write a scenario from recorded traffic: its whole sessions are drawn again, not a formula.

    Store calls, or columns under other names, are first written beside the scenario as a trace; of
    a large store a sample of whole sessions (--seed), while rates and shapes are of all calls.
    """
    from ingest.traffic import fit as measure
    from ingest.traffic import fit_scenario
    from ingest.traffic.traces.stored import stored_calls, write_trace

    if (trace is None) != from_store:
        fail("give either a TRACE or --from-store", MISUSE)
    if output.exists() and not force:
        fail(f"{output} exists; give another name with -o, or --force to replace it", MISUSE)
    copy = output.with_name(f"{output.stem}-trace.parquet")
    measured = None
    if trace is None:
        chosen = settings()
        asked = scope(since, until, tz, where, chosen)
        with progress_bar("reading the store") as advance, reading(db, chosen) as store:
            found = stored_calls(store.con, *asked.clause())
            advance(1, 2)
            measured, loaded = measure(found.trace), found.drawn(seed=seed or 0)
            advance(2, 2)
    else:
        loaded = read_trace(trace, block_size, rename, components)
    if trace is None or rename or components is not None:
        write_trace(loaded, copy)
        source = copy
    else:
        source = trace
    models = [m for m in loaded.model_names if m]
    names = listed(variants) or models[:3] or [DEFAULT_VARIANT]
    relative = Path(os.path.relpath(source.absolute(), output.absolute().parent)).as_posix()
    size = loaded.block_size if loaded.block_tokens is None else None
    text, got = fit_scenario(loaded, relative, names, size, measured)
    write_text(output, text, force)
    if json_:
        print_json({
            "scenario": str(output), "trace": str(source), "fit": got.as_json(),
            "drawn_from": {"requests": loaded.requests,
                           "sessions": loaded.session_count or got.sessions},
            "notes": list(dict.fromkeys((*got.notes, *loaded.notes))),
        })  # fmt: skip
        return
    say(
        f"{output} written: {got.requests:,} requests in {got.sessions:,} sessions over "
        f"{got.span_days:.2f} days, {got.sessions_per_day:,.1f} sessions a day."
    )
    if source == copy:
        say(f"{copy} written: the requests it draws from.")
    for text in dict.fromkeys((*got.notes, *loaded.notes)):
        note(text)
    say(f"Next: `tokenbooks simulate {output}`.")


@group.command("generate")
def generate(
    scenario: Annotated[Path, typer.Argument(help="A scenario file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The log to write (JSON lines); - for stdout.")
    ] = Path("logs.jsonl"),
    days: Annotated[float | None, typer.Option("--days", help="Days of log.")] = None,
    seed: Seed = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    json_: Json = False,
) -> None:
    """Write a simulated log, a usage record a line, that `tokenbooks ingest` reads back."""
    from ingest.traffic import generate as rows_of
    from ingest.traffic import load_scenario, write_log

    if days is not None and not days > 0:
        fail(f"--days {days:g} must be positive", MISUSE)
    chosen = load_scenario(scenario)
    to_pipe = str(output) == "-"
    if output.exists() and not force and not to_pipe:
        fail(f"{output} exists; give another name with -o, or --force to replace it", MISUSE)
    rows = rows_of(chosen, price_source(), days=days, seed=seed)
    if to_pipe:
        import json

        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        return
    total = write_log(output, rows)
    if json_:
        print_json({"log": str(output), **total})
        return
    say(
        f"{output} written: {total['rows']:,} calls in {total['sessions']:,} sessions, "
        f"{count(total['input_tokens'])} input and {count(total['output_tokens'])} output tokens."
    )
    say(f"Next: `tokenbooks ingest {output}`.")


@group.command("validate")
def validate(
    trace: Annotated[Path, typer.Argument(help="A recorded trace.")],
    block_size: BlockSize = None,
    variant: Annotated[str, typer.Option("--variant", help="Whose prices.")] = DEFAULT_VARIANT,
    splits: Annotated[
        int | None, typer.Option(min=2, help="Random splits (default: 200, 400 where cheap).")
    ] = None,
    share: Share = "all",
    ttl: Lifetime = None,
    min_tokens: MinTokens = None,
    step: Step = None,
    rename: Map = None,
    components: Components = None,
    seed: Seed = None,
    json_: Json = False,
) -> None:
    """How wrong would a simulation have been on traffic it had not seen?

    Half of the sessions predict the other half; the past predicts the rest; all clients but one
    predict that one. Always beside two baselines.
    """
    from ingest.traffic import validate as judge

    who = checked_scope(share)
    loaded = read_trace(trace, block_size, rename, components)
    with progress_bar("validating") as advance:
        answer = judge(
            loaded, variant, price_source(), splits=splits, scope=who, ttl=ttl,
            min_tokens=min_tokens, step=step, seed=seed or 0, progress=advance,
        )  # fmt: skip
    if json_:
        print_json(answer)
    else:
        print_validation(answer)


_PREDICTORS = {
    "mean_times_count": "mean x count",
    "session_bootstrap": "session bootstrap",
    "whole_sessions": "whole sessions",
    "recent_sessions": "recent sessions",
}
_SPLITS = {
    "random_split": "Random split by session",
    "time_split": "Past predicts the rest",
    "leave_one_client_out": "Leave one out",
}


def print_validation(answer: dict[str, Any]) -> None:
    """Errors of each predictor on each split: parts apart, since errors cancel in a total."""
    say(
        f"{answer['trace']} on {answer['variant']}: {answer['requests']:,} requests in "
        f"{answer['sessions']:,} sessions ({answer['session_origin']})"
    )
    random = answer["random_split"]
    if "skipped" not in random:
        got = random["predictors"]["whole_sessions"]
        share = got["cached_share"]["median_abs_error_points"]
        say_wrapped(
            f"half of the sessions predict the other half's cost within "
            f"{percent(got['cost']['median_abs_error'], 1)}"
            + (f" and its cached share within {share:.2f} points" if share else "")
            + f" (median of {random['splits']} splits); the 80 % interval held "
            f"{percent(got['coverage']['80%'])} of them"
        )
    say("Median errors; last: how often the 80 % interval held the true cost.")
    for key, title in _SPLITS.items():
        part = answer[key]
        if "skipped" in part:
            say_wrapped(f"{title}: skipped, {part['skipped']}")
            continue
        table(
            [(f"{title} ({part['splits']})", "left"), ("Cost", "right"), ("Input", "right"),
             ("Output", "right"), ("Cached", "right"), ("80 %", "right")],
            [
                (
                    _PREDICTORS[who],
                    *(_error(row, p) for p in ("cost", "input", "output")),
                    f"{row['cached_share']['median_abs_error_points']:.2f} pt",
                    percent(row["coverage"]["80%"]) if "coverage" in row else "-",
                )
                for who, row in part["predictors"].items()
            ],
        )  # fmt: skip
    chance = 2 * random["coverage_standard_error"]
    say_wrapped(
        f"with {random['splits']} random splits an honest 80 % is seen as {percent(0.8 - chance)} "
        f"to {percent(0.8 + chance)}"
    )
    share = random["predictors"]["whole_sessions"]["cached_share"]
    if share["chance_points"] > 0:
        say_wrapped(
            f"cached share: by which half the long sessions fall into, chance alone makes the "
            f"halves differ by {share['chance_points']:.2f} points (median)"
        )
    chosen = answer["default"]
    say_wrapped(
        f"default for a later period: {_PREDICTORS[chosen['generator']]} ({chosen['reason']})"
    )
    for text in answer["notes"]:
        note(text)


def _error(row: dict[str, Any], part: str) -> str:
    return percent(row[part]["median_abs_error"], 1) if part in row else "-"
