"""The command line: one module a group of commands, each importing what it needs when it runs.

Exit codes: 0 fine; 1 a finding (a limit exceeded, rejects under --strict); 2 usage or
configuration error; 3 could not read or could not measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from tokenbooks.cli.output import MISUSE, UNREADABLE

app = typer.Typer(
    name="tokenbooks",
    help="Keep the books on LLM tokens: prices, usage, forecasts, budgets and a CI check.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 a finding, 2 usage or configuration error, "
    "3 could not read or measure.",
)


def program_version() -> str:
    """The installed version, or the checkout's."""
    try:
        return version("tokenbooks")
    except PackageNotFoundError:
        return "0+checkout"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tokenbooks {program_version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keep the books on LLM tokens."""


# One module a group of commands; the order is the order of `--help`.
COMMANDS = (
    "demo", "ingest", "price", "report", "forecast", "budget", "anomalies", "unit",
    "report_month", "export", "reconcile", "rates", "count", "simulate", "traffic", "check",
    "sql", "serve", "mock", "lake", "doctor",
)  # fmt: skip


def _register() -> None:
    """Add every command."""
    for name in COMMANDS:
        import_module(f"tokenbooks.cli.{name}").register(app)


_register()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        app(args=arguments)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0 if done.code is None else 1
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:
        return _known(error)
    return 0


def _known(error: Exception) -> int:
    """Errors a person can act on, by name so that nothing heavy is imported to test for them."""
    misuse = {
        "ScopeError", "SettingsError", "CardError", "MappingError", "ScenarioError",
        "ExportError", "BudgetError", "CurrencyError", "ShowbackError", "ForecastError",
        "BehaviourError",
    }  # fmt: skip
    unreadable = {
        "StoreError", "StoreHeld", "UnreadableFile", "UsageError", "CountingError",
        "VocabularyError", "UnknownModelError", "RequestError", "TraceError",
    }  # fmt: skip
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & (misuse | unreadable):
        typer.echo(f"error: {error}", err=True)
        return MISUSE if names & misuse else UNREADABLE
    raise error
