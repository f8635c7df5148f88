"""The command line: one module a group of commands, each importing what it needs when it runs.

`manual` lists what there is; a command's module is imported when that command is asked for.

Exit codes: 0 fine; 1 a finding (a limit exceeded, rejects under --strict); 2 usage or
configuration error; 3 could not read or could not measure.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from tokenbooks.cli import manual
from tokenbooks.cli.output import MISUSE, UNREADABLE

# Without this pydantic reads the metadata of every installed package at the first model it builds.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def module_commands(module: str) -> dict[str, Any]:
    """The commands that a module of this package registers."""
    part = typer.Typer(rich_markup_mode=None)
    part.callback()(_nothing)
    import_module(f"tokenbooks.cli.{module}").register(part)
    group: Any = typer.main.get_command(part)
    return group.commands


def _nothing() -> None:
    """Registered so that typer makes a group of a single command too."""


class Shelf(typer.core.TyperGroup):
    """The commands of `manual`, each loaded when it is first taken out."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options before the command."""
        params = super().get_params(ctx)
        _take_texts(params)
        return params

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the manual's order."""
        return list(manual.COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by name, with its examples; None when there is no such command."""
        entry = manual.COMMANDS.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self.commands:
            made = module_commands(entry.module)[cmd_name]
            made.epilog = "\b\nExamples:\n" + "\n".join(f"  tokenbooks {e}" for e in entry.examples)
            for command in (made, *getattr(made, "commands", {}).values()):
                _name_values(command)
                _take_texts(command.get_params(ctx) if ctx is not None else command.params)
            self.commands[cmd_name] = made
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command asked for; a name that is none gets the nearest ones."""
        if args and args[0] not in manual.COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], manual.COMMANDS)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The chapters, from the manual alone."""
        for chapter, entries in manual.CHAPTERS.items():
            with formatter.section(chapter):
                width = max(map(len, manual.COMMANDS))
                formatter.write_dl([(f"{e.name:{width}}", e.does) for e in entries])


def _name_values(command: Any) -> None:
    """Say what an option's value is, rather than of which Python type."""
    for option in command.params:
        if option.param_type_name == "option" and not option.is_flag and option.metavar is None:
            kind = option.type_descriptor.annotation
            option.metavar = manual.VALUES.get(option.name) or _TYPES.get(kind)


class _AsTyped:
    """A parameter's values before typer's validator sees them.

    typer builds a validator for every parameter, given or not, with a library that takes longer to
    import than a command to run. Nothing given needs none, and a text is taken as it was typed; all
    else goes on to that validator.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, as typer would have it."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        kind = param.type_descriptor.annotation
        if kind is str and isinstance(value, str) and not several:
            return value
        if kind == list[str] and several and isinstance(value, list | tuple):
            return [*value]
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _take_texts(params: list[Any]) -> None:
    """Spare typer the validators that `_AsTyped` makes needless."""
    for param in params:
        info = getattr(getattr(param, "type_descriptor", None), "parameter_info", None)
        # A typer that builds its validators otherwise, and a parameter with a parser, stay alone.
        if getattr(param, "_runtime_param", 0) is None and getattr(info, "parser", 0) is None:
            param._runtime_param = _AsTyped()


_TYPES = {str: "TEXT", list[str]: "TEXT", Path: "PATH", list[Path]: "PATH", int: "N", float: "X"}


app = typer.Typer(
    name="tokenbooks",
    cls=Shelf,
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
    from importlib.metadata import PackageNotFoundError, version

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


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    # pydantic looks for plugins in the entry points of every installed package before it reads the
    # first setting. None of them is meant for ours, and looking takes a tenth of a command's start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
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
        "VocabularyError", "UnknownModelError", "RequestError", "TraceError", "EngineError",
        "LakeError",
    }  # fmt: skip
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & (misuse | unreadable):
        typer.echo(f"error: {error}", err=True)
        return MISUSE if names & misuse else UNREADABLE
    if type(error).__module__.strip("_") == "duckdb":
        from ingest.store.database import damage

        if said := damage(error):
            typer.echo(f"error: {said}", err=True)
            return UNREADABLE
    raise error
