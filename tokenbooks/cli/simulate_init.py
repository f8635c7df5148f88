"""`tokenbooks simulate init`: a first scenario from a few answers, asked for or given.

    tokenbooks simulate init                                  asks, on a terminal
    tokenbooks simulate init --prompt prompt.md --users 2000  asks nothing
    printf 'shop\\n500\\n' | tokenbooks simulate init          answers, a line each

An answer that cannot be is asked for again on a terminal, and an error in a pipe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from tokenbooks.cli.common import moment
from tokenbooks.cli.output import MISUSE, fail, note, say
from tokenbooks.cli.traffic_options import Variants, listed, price_source, write_text

_Check = Callable[[str], Any]


def init(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write; - for standard output.")
    ] = Path("scenario.toml"),
    prompt: Annotated[
        Path | None, typer.Option("--prompt", help="The system prompt: its tokens are counted.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the application is called.")] = None,
    variants: Variants = "",
    users: Annotated[float | None, typer.Option(min=1e-9, help="How many users it has.")] = None,
    sessions: Annotated[
        float | None, typer.Option(min=1e-9, help="Sessions a user and day.")
    ] = None,
    turns: Annotated[float | None, typer.Option(min=1, help="Questions in a session.")] = None,
    output_tokens: Annotated[
        float | None, typer.Option("--output-tokens", min=1, help="Tokens of an answer.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First day.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented scenario from a few answers; without any, ask for them.

    Users are taken as half to double and answers as 0.7 to 1.4 times what is said.
    """
    from ingest.traffic import parse_scenario, scenario_template

    given: dict[str, Any] = {
        "name": name, "users": users, "sessions_per_user_day": sessions, "turns": turns,
        "output_tokens": output_tokens,
    }  # fmt: skip
    chosen = listed(variants)
    asked_nothing = not chosen and prompt is None and all(v is None for v in given.values())
    if asked_nothing:
        given, chosen, prompt = _questions(_terminal if _on_terminal() else _Piped())
    day = moment(start, "--start")
    answers = {k: v for k, v in given.items() if v is not None}
    answers["prompt_file"] = None if prompt is None else _beside(prompt, output)
    if chosen:
        answers["variants"] = chosen
    if day is not None:
        answers["start"] = day.date()
    text = scenario_template(**answers)
    parse_scenario(text, str(output))
    for variant in chosen:
        _known(variant, answers.get("start"))
    told = "" if prompt is None else _counted(prompt, chosen)
    if str(output) == "-":
        sys.stdout.write(text)
        return
    write_text(output, text, force)
    say(f"{output} written{told}.")
    say(f"Next: look it through, then `tokenbooks simulate {output}`.")


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _questions(
    ask: Callable[[str, str, _Check], Any],
) -> tuple[dict[str, Any], list[str], Path | None]:
    """The few questions, with what is taken when nothing is said."""
    given = {
        "name": ask("What is the application called?", "my application", str),
        "users": ask("How many users will it have?", "1000", _above(0)),
        "sessions_per_user_day": ask("Sessions a user and day?", "0.5", _above(0)),
        "turns": ask("Questions in a session?", "3", _at_least_one),
        "output_tokens": ask("Tokens of an answer (100 are about 75 words)?", "300", _at_least_one),
    }
    variants = ask("Variants to compare?", "gpt-5.2,gpt-5-mini", listed)
    return given, variants, ask("File with the system prompt (empty: none)?", "", _file)


def _terminal(text: str, default: str, check: _Check) -> Any:
    """Ask until the answer can be; on standard error, so that a pipe stays clean."""

    def checked(answer: str) -> Any:
        try:
            return check(answer.strip() or default)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return typer.prompt(
        text, default=default, err=True, value_proc=checked, show_default=bool(default)
    )


class _Piped:
    """Answers from standard input, a line each; what is not said is taken as suggested."""

    def __init__(self) -> None:
        self.lines = self.read()
        self.said = 0

    @staticmethod
    def read() -> Iterator[str]:
        """Lines as they come; none where there is no standard input."""
        try:
            yield from sys.stdin
        except (OSError, ValueError):
            return

    def __call__(self, text: str, default: str, check: _Check) -> Any:
        line = next(self.lines, None) if self.said >= 0 else None
        if line is None and self.said == 0:
            note("no answers on standard input: what is usual is taken; change it in the file")
        self.said = -1 if line is None else self.said + 1
        answer = (line or "").strip() or default
        try:
            taken = check(answer)
        except ValueError as error:
            fail(f"answer {self.said} ({text}): {error}", MISUSE)
            raise AssertionError from error
        if line is not None:
            note(f"{text} {answer}")
        return taken


def _above(least: float) -> _Check:
    def check(answer: str) -> float:
        number = _number(answer)
        if not least < number < float("inf"):
            raise ValueError(f"{answer} must be above {least:g}")
        return number

    return check


def _at_least_one(answer: str) -> float:
    number = _number(answer)
    if not 1 <= number < float("inf"):
        raise ValueError(f"{answer} must be at least 1")
    return number


def _number(answer: str) -> float:
    try:
        return float(answer.replace(",", "").replace("_", ""))
    except ValueError as error:
        raise ValueError(f"{answer!r} is not a number") from error


def _file(answer: str) -> Path | None:
    if answer and not Path(answer).is_file():
        raise ValueError(f"{answer}: no such file")
    return Path(answer) if answer else None


def _known(variant: str, day: date | None) -> None:
    """Say now, not in the bill, that nobody sells a variant."""
    from ingest.traffic.prices import why_unpriced

    prices = price_source()
    on = day or date.today()
    if prices.sheet(variant, on) is None:
        note(f"{why_unpriced(prices, variant, on)} It will come out as unpriced.")


def _beside(prompt: Path, output: Path) -> str:
    """The prompt's path as the scenario file will see it: relative to its own folder."""
    import os

    if not prompt.is_file():
        fail(f"{prompt}: no such file")
    folder = Path.cwd() if str(output) == "-" else output.absolute().parent
    return Path(os.path.relpath(prompt.absolute(), folder)).as_posix()


def _counted(prompt: Path, variants: list[str]) -> str:
    """How long the prompt is on the first variant, for the person who wrote it."""
    from ingest.traffic.simulation.synth import count_file

    first = variants[0] if variants else "gpt-5.2"
    try:
        tokens = count_file(str(prompt), first)
    except LookupError as error:
        fail(str(error.args[0]))
        raise AssertionError from error
    return f" ({prompt}: {tokens:,} tokens as a system message on {first})"
