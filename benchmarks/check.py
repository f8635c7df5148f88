"""How long the check of 1,000 prompt files takes, as a ratio to reading and tokenising them.

    python -m benchmarks.check [FILES]

The corpus is made here: 1,000 files of 200 to 1,200 words in the mix of a prompt repository
(Markdown and text 60 %, Jinja with an include 25 %, chat JSON 10 %, Prompty 5 %). The floor reads
the same files and encodes each once with the same tokenizer; both run in fresh processes, start-up
included (`tokenbooks check` as typed), and the best of five counts. The goal is a ratio of 3.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import Row

FLOOR = """
import sys
from pathlib import Path
from pricing.counting import encoder
count = encoder("o200k_base").count
print(sum(count(p.read_text("utf-8")) for p in sorted(Path("prompts").iterdir())))
"""


def prose() -> list[str]:
    """Lines of real English: the language reference that every Python carries for `help()`."""
    from pydoc_data.topics import topics

    return [line for topic in sorted(topics) for line in topics[topic].splitlines() if line.strip()]


def text(rng: random.Random, lines: list[str]) -> str:
    """200 to 1,200 words that follow one another somewhere in `lines`, without template signs."""
    wanted, start = rng.randint(200, 1200), rng.randrange(len(lines))
    taken: list[str] = []
    while wanted > 0:
        line = lines[start % len(lines)].replace("{", "(").replace("}", ")")
        taken.append(line)
        wanted -= len(line.split())
        start += 1
    return "\n".join(taken)


def corpus(root: Path, files: int, kinds: int = 20) -> None:
    """`kinds` 20 is the mix; 12 is Markdown and text alone."""
    rng, lines = random.Random(7), prose()
    folder = root / "prompts"
    folder.mkdir()
    (folder / "_shared.j2").write_text("Answer in the language of the user.\n")
    for number in range(files):
        body = text(rng, lines)
        kind = number % kinds
        if kind < 12:
            (folder / f"p{number:05}.{'md' if kind < 8 else 'txt'}").write_text(body)
        elif kind < 17:
            # No two end alike: nothing compiled for one template may serve another.
            source = (
                body + "\n{% include '_shared.j2' %}\n"
                f"{{% if name %}}Customer {number}: {{{{ name }}}}{{% endif %}}"
            )
            (folder / f"p{number:05}.j2").write_text(source)
        elif kind < 19:
            chat = [
                {"role": "system", "content": body},
                {"role": "user", "content": "{{ question }}"},
            ]
            (folder / f"p{number:05}.json").write_text(json.dumps(chat))
        else:
            front = "---\nmodel: gpt-4o\nsample:\n  name: Ann\n---\n"
            source = f"{front}system:\n{body}\nuser:\n{{{{name}}}}"
            (folder / f"p{number:05}.prompty").write_text(source)
    (root / "tokenbooks.toml").write_text(
        '[check]\nmodel = "gpt-4o"\n[check.limits]\nmax_tokens = 100000\n'
        "[check.traffic]\ncalls_per_month = 1000\nvariables.name = 3\n"
        "variables.question = [5, 20, 80]\n"
    )


# With bytecode beside the modules, as an installed product has it; each process is a fresh one.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def best(command: list[str], root: Path, tokenizer: str, times: int = 5) -> tuple[float, float]:
    """Least wall-clock and processor seconds of a fresh process (the latter ignores neighbours)."""
    environment = {
        **ENVIRONMENT,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "PYTHONPYCACHEPREFIX": str(root.parent / "bytecode"),
        "TOKENBOOKS_TOKENIZER": tokenizer,
    }
    wall, processor = [], []
    for turn in range(times + 1):
        before = os.times()
        subprocess.run([sys.executable, *command], cwd=root, check=True, env=environment,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        after = os.times()
        if turn:  # the first one writes the bytecode
            wall.append(after.elapsed - before.elapsed)
            processor.append(
                after.children_user + after.children_system
                - before.children_user - before.children_system
            )  # fmt: skip
    return min(wall), min(processor)


@dataclass(frozen=True)
class Timing:
    """Seconds of the floor and of the check, in processor time and by the clock."""

    corpus: str
    tokenizer: str
    floor: float
    floor_wall: float
    check: float
    check_wall: float


def timings(files: int = 1000) -> Iterator[Timing]:
    """Both corpora with each tokenizer that is installed."""
    from pricing.counting import backend

    tokenizers = ["tiktoken"] if backend() == "tiktoken" else ["tiktoken", backend()]
    for name, kinds in (("Markdown and text", 12), ("mixed", 20)):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "project"
            root.mkdir()
            corpus(root, files, kinds)
            for tokenizer in tokenizers:
                wall, cpu = best(["-c", FLOOR], root, tokenizer)
                check_wall, check = best(["-m", "tokenbooks", "check"], root, tokenizer)
                yield Timing(name, tokenizer, cpu, wall, check, check_wall)


def start() -> Row:
    """`tokenbooks --help` beside an interpreter that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        _, empty = best(["-c", "pass"], root, "tiktoken")
        _, shown = best(["-m", "tokenbooks", "--help"], root, "tiktoken")
    what = "--help / an empty interpreter"
    return Row("check", what, shown / empty, f"{shown:.2f} s of processor time")


def rows(files: int = 1000) -> list[Row]:
    """The lines of the common table."""
    found = [
        Row(
            "check", f"check {files:,} prompts, {t.corpus}, {t.tokenizer} / reading + tokenising",
            t.check / t.floor, f"goal 3: {t.check:.2f} s / {t.floor:.2f} s of processor time",
        )
        for t in timings(files)
    ]  # fmt: skip
    return [*found, start()]


def main(files: int = 1000) -> None:
    print(f"{files:,} prompt files: seconds of processor time (wall)")
    print(f"{'':32}{'read + tokenise':>18}{'check':>16}{'ratio':>8}   goal: at most 3")
    for t in timings(files):
        print(
            f"{t.corpus:20}{t.tokenizer:12}{t.floor:10.2f} ({t.floor_wall:5.2f})"
            f"{t.check:8.2f} ({t.check_wall:5.2f}){t.check / t.floor:8.2f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
