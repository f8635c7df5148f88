"""`tokenbooks simulate`: the month's bill before launch, with its interval.

    tokenbooks simulate init --prompt prompt.md --users 2000 -o scenario.toml
    tokenbooks simulate scenario.toml

`simulate SCENARIO` is short for `simulate run SCENARIO`; a file called like a command is `./init`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tokenbooks.cli.bars import bar_between, progress_bar
from tokenbooks.cli.common import Db, Json, reading, settings
from tokenbooks.cli.output import FINDING, count, fail, note, percent, print_json, say, table
from tokenbooks.cli.simulate_init import init
from tokenbooks.cli.traffic_options import (
    Seed,
    Variants,
    estimate,
    listed,
    price_source,
    say_wrapped,
    unpriced,
)

TORNADO_ROWS = 8
WORTH_NAMING = 0.002


class ScenarioGroup(TyperGroup):
    """A group whose first word may be a scenario file: then the command is `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before anything that is neither one of the commands nor a call for help."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


group = typer.Typer(
    cls=ScenarioGroup,
    no_args_is_help=True,
    subcommand_metavar="SCENARIO | COMMAND [ARGS]...",
    help="What a month will cost before launch, on each variant, and how sure that is.\n\n"
    "`simulate SCENARIO` is `simulate run SCENARIO`: its options are in "
    "`simulate run --help`.",
)


def register(app: typer.Typer) -> None:
    """Add the command and its group."""
    group.command("init")(init)
    app.add_typer(group, name="simulate")


@group.command("run")
def run(
    scenario: Annotated[Path, typer.Argument(help="A scenario file (see `simulate init`).")],
    variants: Variants = "",
    days: Annotated[
        float | None, typer.Option("--days", help="Length of the period (default: the scenario's).")
    ] = None,
    seed: Seed = None,
    levers: Annotated[
        bool, typer.Option("--levers/--no-levers", help="Price what would lower the bill.")
    ] = True,
    db: Db = None,
    json_: Json = False,
) -> None:
    """Simulate a scenario: P10, P50, P90 and P99 of the bill and of every kind of token.

    Numbers "from store" are read from the database. Exit code 1 when a variant is unpriced.
    """
    from ingest.traffic import fill_from_store, load_scenario, simulate
    from ingest.traffic.scenarios.numbers import FROM_STORE

    if not scenario.is_file():
        fail(f"{scenario}: no such file; `tokenbooks simulate init` writes one")
    chosen = load_scenario(scenario)
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    if f'"{FROM_STORE}"' in chosen.model_dump_json():
        from ingest.traffic.scenarios.fitting import asks_failures
        from ingest.traffic.traces.stored import failures_in_store, stored_calls

        with reading(db, settings(db)) as store:
            failures = failures_in_store(store.con) if asks_failures(chosen) else None
            clause = "NOT u.failed" if failures else ""
            chosen = fill_from_store(chosen, stored_calls(store.con, clause).trace, failures)
    with progress_bar("simulating") as advance:
        answer = simulate(
            chosen, price_source(), variants=listed(variants) or None, days=days, levers=levers,
            progress=advance,
        )  # fmt: skip
    if json_:
        print_json(answer)
    else:
        print_answer(answer)
    if unpriced(answer["variants"]):
        raise typer.Exit(FINDING)


def print_answer(answer: dict[str, Any]) -> None:
    """The answer as tables of 80 columns: variants, tokens, what drives it, what lowers it."""
    rows = answer["variants"]
    say(f"{answer['scenario']}: {answer['days']:g} days from {answer['start']}")
    table(
        [("Variant", "left"), ("P10", "right"), ("P50", "right"), ("P90", "right"),
         ("P99", "right"), ("Cached", "right"), ("A session", "right")],
        [_variant_cells(r) for r in rows],
    )  # fmt: skip
    for row in unpriced(rows):
        say_wrapped(f"{row['variant']} is UNPRICED: {row.get('reason', 'no price is known')}")
    priced = [r for r in rows if r["cost_usd"] is not None]
    if not priced:
        return
    first = priced[0]
    cost = first["cost_usd"]
    say(
        f"{first['variant']}: {estimate(cost['p10'])} to {estimate(cost['p90'])} with 80 % "
        f"confidence, {estimate(cost['p50'])} in the middle."
    )
    say(
        f"A successful task costs {estimate(first['cost_per_successful_task_usd'])}"
        f"{_ends(first.get('successful_task_usd', {}), 'p10', 'p90')}; "
        f"cheapest variant: {answer['cheapest']}."
    )
    say()
    table(
        [(f"Tokens on {first['variant']}", "left"), ("P10", "right"), ("P50", "right"),
         ("P90", "right")],
        [
            (words, *(count(first["tokens"][part][p]) for p in ("p10", "p50", "p90")))
            for part, words in (("input", "input"), ("cached", "of it read from the cache"),
                                ("cache_write", "of it written to the cache"),
                                ("output", "output"), ("reasoning", "of it reasoning"))
            if part in first["tokens"]
        ],
    )  # fmt: skip
    _print_tornado(first)
    _print_levers(answer["levers"], first["variant"])
    for text in dict.fromkeys(w for r in priced for w in r["warnings"]):
        say_wrapped(f"warning: {text}")
    for text in dict.fromkeys(_effort_words(e) for r in priced for e in r["efforts"]):
        note(text)
    if any(r["status"] == "assumed" for r in priced):
        note("some prices rest on an assumption (hours of the day, or a tier)")


def _effort_words(row: dict[str, Any]) -> str:
    """Whose ratio an effort other than the one measured rests on."""
    return (
        f"effort {row['effort']} on {row['variant']}: output x {row['p50']:.2f} of "
        f"{row['reference_effort']} ({row['p10']:.2f} to {row['p90']:.2f}); {row['source']}"
    )


def _variant_cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["cost_usd"] is None:
        return (row["variant"], "unpriced", "", "", "", "", "")
    return (
        row["variant"], *(estimate(row["cost_usd"][p]) for p in ("p10", "p50", "p90", "p99")),
        percent(row["cached_share"]), estimate(row["cost_per_session_usd"]),
    )  # fmt: skip


def _print_tornado(row: dict[str, Any]) -> None:
    found = row["tornado"][:TORNADO_ROWS]
    if not found:
        return
    largest = max(max(abs(t["low"]), abs(t["high"])) for t in found)
    # With one workload its name on every line says nothing.
    only = len({t["parameter"].split(": ", 1)[0] for t in row["tornado"]}) == 1
    table(
        [("What the bill hangs on", "left"), ("P10", "right"), ("less | more", "left"),
         ("P90", "right")],
        [
            (t["parameter"].split(": ", 1)[-1] if only else t["parameter"],
             f"{100 * t['low']:+.0f} %", bar_between(t["low"], t["high"], largest, 24),
             f"{100 * t['high']:+.0f} %")
            for t in found
        ],
    )  # fmt: skip


def _ends(of: dict[str, Any], low: str, high: str) -> str:
    """What an uncertain share makes of an amount, in brackets; nothing where it is sure."""
    return f" ({estimate(of[low])} to {estimate(of[high])})" if low in of else ""


def _print_levers(levers: list[dict[str, Any]], variant: str) -> None:
    useful = [v for v in levers if v["saving"] >= WORTH_NAMING]
    if useful:
        _print_useful(useful, variant)
    idle = [v["lever"] for v in levers if v["saving"] < WORTH_NAMING]
    if idle:
        note(f"no saving here: {', '.join(idle)}")


def _print_useful(levers: list[dict[str, Any]], variant: str) -> None:
    table(
        [(f"What would lower it ({variant})", "left"), ("Saves", "right"), ("", "right"),
         ("If", "left")],
        [
            (v["lever"], estimate(v["saving_usd"]), f"{100 * v['saving']:.0f} %",
             v["assumes"] + _ends(v, "saving_p10_usd", "saving_p90_usd"))
            for v in levers
        ],
    )  # fmt: skip


@group.command("schema")
def schema() -> None:
    """Print the JSON schema of a scenario file."""
    from ingest.traffic import schema as scenario_schema

    print_json(scenario_schema())
