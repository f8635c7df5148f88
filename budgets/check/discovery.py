"""Which files are prompts: those named on the command line or in the configuration, else by name.

The configuration's globs work as in .gitignore's simpler half: `*` within a folder, `**` across
folders. Example: without any configuration `prompts/answer.md`, `AGENTS.md` and
`skills/pdf/SKILL.md` are found, `prompts/README.md` and `src/main.py` are not. Of tools these are
`tools.json`, `functions.json` and their kin; a `tools` folder is more often one of scripts.

A path, glob or section that matches nothing is reported: a check of nothing never passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from budgets.check.config import CheckConfig, Prompt
from budgets.check.errors import CheckConfigError, PromptError
from budgets.check.tree import Tree

# Files whose name alone says they are read by a model.
_NAMES = {
    "AGENTS.md", "AGENT.md", "CLAUDE.md", "GEMINI.md", "SKILL.md", ".cursorrules",
    ".windsurfrules", ".clinerules", "copilot-instructions.md", "skprompt.txt",
    "promptfooconfig.yaml", "promptfooconfig.yml", "promptfooconfig.json", "tools.json",
    "tools.jsonl", "tools.yaml", "tools.yml", "functions.json", "tool_definitions.json",
}  # fmt: skip
_ENDINGS = (
    ".prompty", ".prompt", ".prompt.md", ".prompt.txt", ".prompt.yaml", ".prompt.yml",
    ".prompt.json", ".instructions.md", ".mdc", ".tools.json", ".tool.json", "_tools.json",
    "-tools.json",
)  # fmt: skip
_PROMPT_FOLDERS = {"prompts", "prompt", "prompt_templates", "system_prompts"}
_READABLE = {
    ".txt", ".md", ".markdown", ".mdx", ".j2", ".jinja", ".jinja2", ".prompty", ".prompt", ".json",
    ".jsonl", ".yaml", ".yml", ".mdc", ".xml", ".csv", ".hbs",
}  # fmt: skip
_NOT_PROMPTS = {"README.md", "CHANGELOG.md", "LICENSE.md", "CONTRIBUTING.md", "LICENSE.txt"}
CODE = {".py", ".js", ".ts", ".mjs", ".cjs", ".rb", ".sh"}


@dataclass(frozen=True)
class Target:
    """A file to measure and how it was chosen; `named` files must hold a prompt."""

    path: str
    prompt: Prompt | None = None
    named: bool = False
    constant: str = ""  # module.py::NAME
    section: int = -1  # place of the [[check.prompts]] entry


@dataclass
class Discovered:
    """Targets in order of path, what matched nothing, and what was left out and why."""

    targets: list[Target] = field(default_factory=list)
    problems: list[PromptError] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


@lru_cache(maxsize=512)
def _pattern(glob: str) -> re.Pattern[str]:
    out = ""
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif glob.startswith("**", at):
            out, at = out + ".*", at + 2
        elif glob[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif glob[at] == "?":
            out, at = out + "[^/]", at + 1
        else:
            out, at = out + re.escape(glob[at]), at + 1
    return re.compile(out + r"\Z")


def matches(path: str, glob: str) -> bool:
    """Whether a relative POSIX path fits a glob; a folder's name means everything in it."""
    glob = glob.removeprefix("./").rstrip("/")
    return bool(_pattern(glob).match(path) or _pattern(glob + "/**").match(path))


class _Chosen(dict[tuple[str, str], Target]):
    """Targets by path and constant (or entries); `apart` are the paths taken apart by them."""

    def __init__(self) -> None:
        super().__init__()
        self.apart: set[str] = set()

    def add(self, key: tuple[str, str], target: Target) -> None:
        """Choose a target, instead of one with the same key."""
        self[key] = target
        if key[1]:
            self.apart.add(key[0])


def is_glob(text: str) -> bool:
    """Whether a pattern has a wildcard."""
    return any(sign in text for sign in "*?")


def looks_like_prompt(path: str) -> bool:
    """Whether the name of a file alone says that it is a prompt."""
    pure = PurePosixPath(path)
    if pure.name in _NOT_PROMPTS:
        return False
    if pure.name in _NAMES or pure.name.endswith(_ENDINGS):
        return True
    folders = {part.lower() for part in pure.parts[:-1]}
    return bool(folders & _PROMPT_FOLDERS) and pure.suffix.lower() in _READABLE


def discover(
    tree: Tree,
    config: CheckConfig,
    paths: Iterable[str] = (),
    *,
    report_gaps: bool = True,
) -> Discovered:
    """The targets in `tree`. `paths` (relative to the root) narrow the choice to what they name.

    With `report_gaps` off (the base side of a diff) a pattern that matches nothing is no problem.
    Raises :class:`CheckConfigError` when two sections claim the same file.
    """
    found = Discovered()
    everything = [p for p in tree.paths() if not any(matches(p, g) for g in config.exclude)]
    wanted = [p.removeprefix("./") for p in paths]
    chosen = _Chosen()
    if wanted:
        for path in wanted:
            _named(path, tree, everything, config, chosen, found, report_gaps)
    else:
        _configured(everything, config, chosen, found, report_gaps)
        if ".gitmodules" in everything:
            _submodules(tree, found)
    found.targets = sorted(chosen.values(), key=lambda t: (t.path, t.constant, t.section))
    if not found.targets and not found.problems and report_gaps:
        found.problems.append(
            PromptError(
                "nothing-matched",
                f"No prompt found in {tree.root.name or tree.root}: name files, "
                "or set include in [check].",
            )
        )
    return found


_SUBMODULE = re.compile(r"^\s*path\s*=\s*(.+?)\s*$", re.MULTILINE)


def _submodules(tree: Tree, found: Discovered) -> None:
    # git lists a submodule as one entry: what is in it would be passed over without a word.
    for path in _SUBMODULE.findall(tree.data(".gitmodules").decode("utf-8", "replace")):
        found.skipped.append((path, "a submodule: check it where it lives, or name its files"))


def _configured(
    everything: list[str], config: CheckConfig, chosen: _Chosen,
    found: Discovered, report_gaps: bool,
) -> None:  # fmt: skip
    for place, prompt in enumerate(config.prompts):
        path, _, constant = prompt.path.partition("::")
        if "::" in prompt.path and report_gaps is False and path not in everything:
            continue
        hits = [p for p in everything if matches(p, path)]
        if not hits and report_gaps:
            found.problems.append(
                PromptError(
                    "nothing-matched",
                    f"[[check.prompts]] path {prompt.path!r} matches no file.",
                    path=path,
                )
            )
        for hit in hits:
            _claim(chosen, Target(hit, prompt, True, constant, place), config)
    for glob in config.include:
        path, _, constant = glob.partition("::")
        hits = [p for p in everything if matches(p, path)]
        if not hits and report_gaps:
            found.problems.append(
                PromptError("nothing-matched", f"include {glob!r} matches no file.", path=path)
            )
        for hit in hits:
            if constant:
                if (hit, constant) not in chosen:
                    chosen.add((hit, constant), Target(hit, None, True, constant))
            elif _readable(hit, found):
                _add(chosen, Target(hit, None, not is_glob(path) and path == hit))
    if not config.include:
        for path in everything:
            if looks_like_prompt(path):
                _add(chosen, Target(path))


def _named(
    path: str, tree: Tree, everything: list[str], config: CheckConfig,
    chosen: _Chosen, found: Discovered, report_gaps: bool,
) -> None:  # fmt: skip
    """One PATH of the command line: a file, a folder, a glob, or file.py::NAME."""
    plain, _, constant = path.partition("::")
    known = set(everything)
    section, place = _section(plain, constant, config)
    if constant or plain in known or (tree.exists(plain) if plain else False):
        if not tree.exists(plain):
            if report_gaps:
                found.problems.append(
                    PromptError("nothing-matched", f"{plain} does not exist.", path=plain)
                )
            return
        _add(chosen, Target(plain, section, True, constant, place))
        return
    hits = [p for p in everything if plain in (".", "") or matches(p, plain)]
    count = 0
    for hit in hits:
        section, place = _section(hit, "", config)
        if section is not None:
            _add(chosen, Target(hit, section, True, section.path.partition("::")[2], place))
            count += 1
        elif (plain in (".", "") and looks_like_prompt(hit)) or (
            plain not in (".", "") and _readable(hit, found)
        ):
            _add(chosen, Target(hit))
            count += 1
    if not count and report_gaps:
        why = "holds no prompt" if hits else "does not exist or is ignored"
        found.problems.append(PromptError("nothing-matched", f"{path} {why}.", path=plain))


def _section(path: str, constant: str, config: CheckConfig) -> tuple[Prompt | None, int]:
    best: tuple[Prompt | None, int] = (None, -1)
    for place, prompt in enumerate(config.prompts):
        own, _, name = prompt.path.partition("::")
        if matches(path, own) and name == constant and (best[0] is None or own == path):
            best = (prompt, place)
    return best


def _readable(path: str, found: Discovered) -> bool:
    pure = PurePosixPath(path)
    if pure.suffix.lower() in _READABLE or pure.name in _NAMES:
        if pure.name in _NOT_PROMPTS:
            found.skipped.append((path, "documentation, not a prompt"))
            return False
        return True
    why = "code is not executed: name a constant, file.py::NAME"
    found.skipped.append((path, why if pure.suffix.lower() in CODE else "not a prompt format"))
    return False


def _add(chosen: _Chosen, target: Target) -> None:
    # A section that takes the file apart by entries holds it under another key.
    if (target.path, target.constant) in chosen:
        return
    if target.constant or target.path not in chosen.apart:
        chosen.add((target.path, target.constant), target)


def _claim(chosen: _Chosen, target: Target, config: CheckConfig) -> None:
    """A section takes a file; the exact path beats a glob, two of a kind are a mistake."""
    assert target.prompt is not None
    key = (target.path, target.constant or "|".join(target.prompt.entries))
    other = chosen.get(key)
    if other is not None and other.prompt is not None:
        exact = not is_glob(target.prompt.path)
        if exact == (not is_glob(other.prompt.path)):
            raise CheckConfigError(
                f"[[check.prompts]] {other.prompt.path!r} and {target.prompt.path!r} both claim "
                f"{target.path}. Make one of them more exact."
            )
        if not exact:
            return
    chosen.add(key, target)


def relative(path: str, root: Path, cwd: Path) -> str:
    """A PATH as typed in `cwd`, relative to `root`. Raises :class:`CheckConfigError` outside it."""
    plain, sep, constant = path.partition("::")
    whole = (cwd / plain).absolute()
    try:
        # normpath keeps links as they are: a link in the project is a path of the project.
        import os

        rel = Path(os.path.normpath(whole)).relative_to(root).as_posix()
    except ValueError as error:
        raise CheckConfigError(
            f"{path} is outside {root}, where the configuration lies. Use --config or cd there."
        ) from error
    return rel + sep + constant
