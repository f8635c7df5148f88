"""How long the check of 1,000 prompt files takes, as a ratio to reading and tokenising them.

    python -m benchmarks.check [FILES]

The corpus is made here: 1,000 files of 200 to 1,200 words in the mix of a prompt repository
(Markdown and text 60 %, Jinja with an include 25 %, chat JSON 10 %, Prompty 5 %). The floor reads
the same files and encodes each once with the same tokenizer; both run in fresh processes, start-up
included, and the best of five counts. The goal is a ratio of at most 3.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import Row

WORDS = """
    the a customer order answer question please never always tool result format JSON list summary
    translate careful policy refund ticket agent response language user system note example input
    output step verify citation source document between however unless configuration
"""

FLOOR = """
import sys
from pathlib import Path
from pricing.counting import encoder
count = encoder("o200k_base").count
print(sum(count(p.read_text("utf-8")) for p in sorted(Path("prompts").iterdir())))
"""
CHECK = """
from pathlib import Path
from budgets.check import CheckOptions, render, run
result = run(CheckOptions(cwd=Path.cwd()))
assert result.exit_code == 0, result.report["unmeasured"][:3]
print(sum(m["tokens"]["expected"] for m in result.report["models"]))
render(result.report, "table")
"""


def text(rng: random.Random) -> str:
    vocabulary = WORDS.split()
    words = [rng.choice(vocabulary) for _ in range(rng.randint(200, 1200))]
    lines = [" ".join(words[i : i + 14]).capitalize() + "." for i in range(0, len(words), 14)]
    return "\n".join(lines)


def corpus(root: Path, files: int, kinds: int = 20) -> None:
    """`kinds` 20 is the mix; 12 is Markdown and text alone."""
    rng = random.Random(7)
    folder = root / "prompts"
    folder.mkdir()
    (folder / "_shared.j2").write_text("Answer in the language of the user.\n")
    for number in range(files):
        body = text(rng)
        kind = number % kinds
        if kind < 12:
            (folder / f"p{number:05}.{'md' if kind < 8 else 'txt'}").write_text(body)
        elif kind < 17:
            source = body + "\n{% include '_shared.j2' %}\n{% if name %}Hi {{ name }}{% endif %}"
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


def best(code: str, root: Path, times: int = 5) -> tuple[float, float]:
    """Least wall-clock and processor seconds of a fresh process (the latter ignores neighbours)."""
    here = Path(__file__).parents[1]
    setup = f"import sys; sys.path.insert(0, {str(here)!r})\n"
    wall, processor = [], []
    for _ in range(times):
        before = os.times()
        subprocess.run([sys.executable, "-c", setup + code], cwd=root, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        after = os.times()
        wall.append(after.elapsed - before.elapsed)
        processor.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
    return min(wall), min(processor)


def measured(files: int, kinds: int) -> tuple[float, float, float, float]:
    """Wall and processor seconds of the floor, then of the check."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        corpus(root, files, kinds)
        return (*best(FLOOR, root), *best(CHECK, root))


def rows(files: int = 1000) -> list[Row]:
    """The two lines of the common table."""
    from pricing.counting import backend

    found = []
    for name, kinds in (("Markdown and text", 12), ("mixed", 20)):
        _, cpu, _, check_cpu = measured(files, kinds)
        what = "processor time of a check / of reading and tokenising, goal at most 3"
        detail = f"{files:,} prompts, {name}, {backend()}: {check_cpu:.2f} s / {cpu:.2f} s"
        found.append(Row("check", what, check_cpu / cpu, detail))
    return found


def main(files: int = 1000) -> None:
    from pricing.counting import backend

    print(f"{files:,} prompt files, {backend()}: seconds of processor time (wall)")
    print(f"{'':18}{'read + tokenise':>18}{'check':>16}{'ratio':>8}   goal: at most 3")
    for name, kinds in (("Markdown and text", 12), ("mixed", 20)):
        wall, cpu, check_wall, check_cpu = measured(files, kinds)
        print(
            f"{name:18}{cpu:10.2f} ({wall:5.2f}){check_cpu:8.2f} ({check_wall:5.2f})"
            f"{check_cpu / cpu:8.2f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
