"""The commands: `check`, `check-comment`, `init` and `explain`, added to a Typer application.

    register(app)                                  # or register(app, store=open_store, settings=…)

Reports go to standard output (or `--output-file`), everything else to standard error. Exit codes:
0 fine, 1 a limit exceeded, 2 usage or configuration error, 3 could not read or measure.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from budgets.check.errors import MISUSE, UNMEASURED, CheckConfigError
from budgets.check.outputs import FORMATS, render

if TYPE_CHECKING:
    from budgets.check.options import StoreTraffic
    from pricing.catalogue import Catalogue

_FORMAT_HELP = f"Output: {', '.join(FORMATS)}."


def _fail(message: str, code: int = MISUSE) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(code)


def register(
    app: typer.Typer,
    *,
    store: Callable[[Path | None], AbstractContextManager[StoreTraffic]] | None = None,
    catalogue: Callable[[], Catalogue] | None = None,
) -> None:
    """Add the commands to `app`.

    `store` opens logged usage for `--from-store`, given `--db`; `catalogue` gives the price table
    of the caller's settings (negotiated cards, discounts). Both are called only when a check runs.
    """

    @app.command("check")
    def check(
        paths: Annotated[
            list[str] | None,
            typer.Argument(help="Files, folders, globs or module.py::NAME; default: the project."),
        ] = None,
        model: Annotated[
            list[str] | None, typer.Option("--model", "-m", help="Model to count and price for.")
        ] = None,
        base: Annotated[
            str | None, typer.Option(help="Compare with the merge base of this git revision.")
        ] = None,
        form: Annotated[str, typer.Option("--format", "-f", help=_FORMAT_HELP)] = "table",
        output_file: Annotated[
            Path | None, typer.Option(help="Write the report here instead of standard output.")
        ] = None,
        write: Annotated[
            list[str] | None,
            typer.Option(help="Write one more output of the same run, FORMAT=PATH (repeatable)."),
        ] = None,
        config: Annotated[
            Path | None, typer.Option(help="tokenbooks.toml or pyproject.toml to use.")
        ] = None,
        from_store: Annotated[
            bool, typer.Option("--from-store", help="Take traffic from logged usage.")
        ] = False,
        db: Annotated[
            Path | None,
            typer.Option(help="The store of --from-store (default: TOKENBOOKS_DB or settings)."),
        ] = None,
        allow_unmeasured: Annotated[
            bool, typer.Option("--allow-unmeasured", help="Do not fail for what is not measured.")
        ] = False,
        exit_zero: Annotated[
            bool, typer.Option("--exit-zero", help="Exit 0 whatever is found.")
        ] = False,
    ) -> None:
        """Count and price prompts; compare with limits and with another revision."""
        from budgets.check.engine import run
        from budgets.check.options import CheckOptions

        outputs = [_output(each) for each in write or []]
        if form not in FORMATS:
            raise _fail(f"no format {form!r}. Formats: {', '.join(FORMATS)}.")
        if from_store and store is None:
            raise _fail("--from-store needs the usage store, which is not available here.")
        if db is not None and not from_store:
            raise _fail("--db names the store of --from-store: give both, or neither.")
        logged = store(db) if from_store and store is not None else nullcontext()
        try:
            with _uncollected(), logged as usage:
                result = run(
                    CheckOptions(
                        paths=tuple(paths or ()), models=tuple(model or ()), base=base,
                        config=config, allow_unmeasured=allow_unmeasured, exit_zero=exit_zero,
                        store=usage, catalogue=catalogue() if catalogue is not None else None,
                    )
                )  # fmt: skip
        except CheckConfigError as error:
            if form == "github":  # a job's page shows annotations, not what a step printed
                from budgets.check.outputs import github

                typer.echo(github.fault(str(error)))
            raise _fail(str(error)) from error
        for name, path in outputs:
            _save(render(result.report, name), path)
        if output_file is not None:
            _save(render(result.report, form), output_file)
        else:
            sys.stdout.write(_shown(result.report, form))
        if form == "github":
            _step_summary(result.report)
        raise typer.Exit(result.exit_code)

    @app.command("check-comment")
    def comment(
        report: Annotated[Path, typer.Argument(help="A report: check --format json.")],
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print the comment; post nothing.")
        ] = False,
        repository: Annotated[
            str, typer.Option(envvar="GITHUB_REPOSITORY", help="owner/name.")
        ] = "",
        pull_request: Annotated[int, typer.Option("--pull-request", help="Its number.")] = 0,
        name: Annotated[str, typer.Option(help="Keeps comments of several checks apart.")] = "",
        only_changes: Annotated[
            bool, typer.Option("--only-changes", help="No new comment when nothing changed.")
        ] = False,
    ) -> None:
        """Post a report as one comment that later runs update (token: GITHUB_TOKEN)."""
        from budgets.check import comment as comments

        try:
            data = comments.load(report)
            if dry_run:
                sys.stdout.write(comments.body(data, name))
                return
            done = comments.post(
                data, repository, pull_request, os.environ.get("GITHUB_TOKEN", ""), name,
                only_changes=only_changes,
            )  # fmt: skip
        except CheckConfigError as error:
            raise _fail(str(error)) from error
        except OSError as error:
            raise _fail(str(error), UNMEASURED) from error
        typer.echo(done, err=True)

    @app.command("init")
    def init(
        paths: Annotated[list[str] | None, typer.Argument(help="Files, folders or globs.")] = None,
        model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model.")] = None,
        room: Annotated[int, typer.Option(help="Percent above today's size.", min=0)] = 20,
        stdout: Annotated[
            bool, typer.Option("--stdout", help="Print the section; write nothing.")
        ] = False,
    ) -> None:
        """Find prompts and write the configuration: today's numbers as limits, plus room."""
        from budgets.check.init import section, write

        try:
            text, found = section(Path.cwd(), tuple(paths or ()), tuple(model or ()), room)
            where = None if stdout else write(Path.cwd(), text)
        except CheckConfigError as error:
            raise _fail(str(error)) from error
        if where is None:
            sys.stdout.write(text)
        gaps = found["unmeasured"]
        for problem in gaps[:20]:
            typer.echo(f"not measured: {problem['message']}", err=True)
        if len(gaps) > 20:
            typer.echo(f"… and {len(gaps) - 20:,} more not measured", err=True)
        if where is not None:
            typer.echo(f"Wrote [check] to {where}. Next: tokenbooks check", err=True)
        if not found["coverage"]["measured"]:
            raise typer.Exit(UNMEASURED)

    @app.command("explain")
    def explain(
        rule: Annotated[str | None, typer.Argument(help="A rule's name; none lists all.")] = None,
    ) -> None:
        """Say what a finding of `check` means and what to do about it."""
        from budgets.check.rules import RULES
        from budgets.check.rules import explain as words

        if rule is None:
            for each in RULES.values():
                typer.echo(f"{each.name:<28}{each.short}")
            return
        try:
            typer.echo(words(rule), nl=False)
        except KeyError as error:
            raise _fail(str(error.args[0])) from error


@contextmanager
def _uncollected() -> Generator[None]:
    """Rarely collect garbage: a run keeps nearly all it makes, and looking takes a tenth of it."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _output(given: str) -> tuple[str, Path]:
    name, sign, path = given.partition("=")
    if not sign or name not in FORMATS or not path:
        raise _fail(f"--write {given!r}: write FORMAT=PATH with one of {', '.join(FORMATS)}.")
    return name, Path(path)


def _save(text: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _fail(f"cannot write {path}: {error}", UNMEASURED) from error


def _shown(report: dict[str, Any], form: str) -> str:
    if form != "table":
        return render(report, form)
    from budgets.check.outputs import table

    forced = os.environ.get("FORCE_COLOR")
    color = not os.environ.get("NO_COLOR") and (bool(forced) or sys.stdout.isatty())
    return table.render(report, color=color)


def _step_summary(report: dict[str, Any]) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from budgets.check.outputs import github

    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(github.summary(report))
    except OSError as error:
        # The summary is a copy: the result must still be the check's own.
        typer.echo(f"note: no step summary: {error}", err=True)
