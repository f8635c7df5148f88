"""One run: configuration, discovery, both sides of the diff, limits, report.

Both sides are priced with the same rates, traffic and vocabularies: those of the working tree. Only
files that differ from the merge base (or whose includes do) are measured twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from budgets.check import git
from budgets.check.config import CheckConfig, Found, load, parse
from budgets.check.discovery import Target, discover, relative
from budgets.check.errors import FINE, OVER, UNMEASURED, CheckConfigError, PromptError
from budgets.check.grown import grown_line
from budgets.check.limits import Break, Finding, cache_break, check, fits, limits_for
from budgets.check.measure import Counter
from budgets.check.options import CheckOptions, CheckResult
from budgets.check.prompts import Unit
from budgets.check.removed import add_removed, at_base
from budgets.check.traffic import store_problems, traffic_of
from budgets.check.tree import GitTree, WorkTree
from budgets.check.units import (
    Measured,
    Prices,
    Problem,
    Reader,
    measure_unit,
    models_of,
    read_all,
    with_variables,
)

if TYPE_CHECKING:
    pass


@dataclass
class Pair:
    """A unit now and at the base. `status` is unchanged, changed, renamed, added or removed."""

    head: Measured | None
    base: Measured | None
    status: str
    before: str = ""  # the id at the base, where the prompt was read again
    breaks: dict[str, Break] = field(default_factory=dict)


@dataclass
class Run:
    """Everything a report is made of."""

    found: Found
    options: CheckOptions
    at: datetime
    prices: Prices
    base_ref: str | None = None
    merge_base: str | None = None
    pairs: list[Pair] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    store_fault: str | None = None
    base_tree: GitTree | None = None
    unlogged: list[tuple[Unit, Mapping[str, Sequence[str]]]] = field(default_factory=list)


def run(options: CheckOptions) -> CheckResult:
    """Check prompts. Raises :class:`CheckConfigError` for what the caller must correct."""
    from budgets.check.report import build

    done = gather(options)
    report = build(done)
    return CheckResult(report, report["exit_code"])


def gather(options: CheckOptions) -> Run:
    """Measure and judge; the report is built from what this returns."""
    here = options.cwd.resolve()
    found = Found(CheckConfig(), here, None) if options.isolated else load(options.config, here)
    config = found.config
    if options.catalogue is None:
        from pricing.catalogue import default_catalogue

        catalogue = default_catalogue()
    else:
        catalogue = options.catalogue
    at = options.at or _instant(config)
    at = at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
    counter = Counter()
    prices = Prices(catalogue, at, config.tier, counter)
    done = Run(found, options, at, prices)

    tree = WorkTree(found.root)
    paths = [relative(p, found.root, options.cwd.resolve()) for p in options.paths]
    side = Reader(tree, config)
    discovered = discover(tree, config, paths)
    pairs, problems, done.skipped = read_all(side, discovered)
    done.problems += [
        Problem(e.rule, e.message, e.path, e.line, e.path) for e in discovered.problems
    ]
    done.problems += problems
    heads: list[Measured] = []
    for unit, target in pairs:
        models = models_of(unit, target, config, options)
        traffic = traffic_of(unit, target, done)
        made, wrong = measure_unit(unit, target, models, traffic, tree, prices, counter)
        heads.append(made)
        done.problems += wrong
    done.problems += store_problems(done)
    done.unlogged = []
    ref = options.base or config.base
    if ref is None or _is_zero(ref):
        done.pairs = [Pair(head, None, "measured") for head in heads]
        _note_missing_base(done)
    else:
        done.base_ref = ref
        _compare(done, heads, ref, counter, paths)
    done.problems = [*prices.problems, *done.problems]
    _judge(done, bool(paths))
    return done


def _instant(config: CheckConfig) -> datetime:
    if config.prices_at is not None:
        return datetime.combine(config.prices_at, datetime.min.time())
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def _is_zero(ref: str) -> bool:
    # What push events give as "before" for a new branch: there is no base yet.
    return bool(ref) and set(ref) == {"0"}


def _note_missing_base(done: Run) -> None:
    limits = [done.found.config.limits, *done.found.config.overrides]
    limits += [p.limits for p in done.found.config.prompts]
    keys = ("max_tokens_increase", "max_increase_percent", "max_usd_increase_per_month",
            "budget_usd_per_month")  # fmt: skip
    total = done.found.config.total
    on_change = any(getattr(each, key) is not None for each in limits for key in keys)
    on_change = on_change or total.max_usd_increase_per_month is not None
    if on_change or total.budget_usd_per_month is not None:
        done.notes.append("No base to compare with: limits on change were not checked (--base).")


def _compare(
    done: Run, heads: list[Measured], ref: str, counter: Counter, paths: Sequence[str]
) -> None:
    root = done.found.root
    try:
        done.merge_base = git.merge_base(root, ref)
        tree = done.base_tree = GitTree(root, done.merge_base)
        changes = git.changes(root, done.merge_base)
    except git.GitError as error:
        done.problems.append(Problem("base-not-found", f"{error}. Fetch it, or leave --base out."))
        done.pairs = [Pair(head, None, "measured") for head in heads]
        return
    older = _base_config(done, tree)
    side = Reader(tree, done.found.config)
    read: dict[tuple[str, str, int], tuple[Target, list[Unit] | PromptError]] = {}

    def units_at_base(target: Target) -> list[Unit] | PromptError:
        key = (target.path, target.constant, target.section)
        if key not in read:
            try:
                read[key] = target, side.read(target)
            except PromptError as error:
                read[key] = target, error
        return read[key][1]

    seen: set[str] = set()
    here = WorkTree(root)
    for head in heads:
        # git reports the file a link leads to, not the link (CLAUDE.md beside AGENTS.md).
        head.unit.files |= {here.real(file) for file in head.unit.files}
        old = changes.renamed.get(head.unit.path, head.unit.path)
        seen.add(old)
        # A promptfoo configuration decides which files are prompts: it is a part of each.
        files = head.unit.files | {head.target.path}
        touched = {changes.renamed.get(f, f) for f in files} | files
        if not touched & changes.changed and tree.exists(old):
            done.pairs.append(Pair(head, head, "unchanged"))
            continue
        if not tree.exists(old):
            done.pairs.append(Pair(head, None, "added"))
            continue
        target = replace(head.target, path=changes.renamed.get(head.target.path, head.target.path))
        if not tree.exists(target.path):
            target = replace(target, path=old)
        units = units_at_base(target)
        done.pairs.append(_pair(done, head, units, old, tree, older, counter))
    fewer = [
        (unit, target)
        for target, units in read.values() if not isinstance(units, PromptError)
        for unit in units
    ]  # fmt: skip
    whole = at_base(done, side, set(changes.changed) - seen, paths)
    add_removed(done, [*fewer, *whole], counter, older)


def _pair(
    done: Run, head: Measured, units: list[Unit] | PromptError, old: str, tree: GitTree,
    older: CheckConfig | None, counter: Counter,
) -> Pair:  # fmt: skip
    if isinstance(units, PromptError):
        _base_fault(done, head, units.message)
        return Pair(head, None, "changed")
    tail = head.unit.id.removeprefix(head.unit.path)
    match = next((u for u in units if u.id == head.unit.id), None) or next(
        (u for u in units if u.path == old and u.id.removeprefix(u.path) == tail), None
    )
    if match is None:
        return Pair(head, None, "added")
    traffic = head.traffic
    if older is not None:
        stated = older.traffic.variables
        for prompt in older.prompts:
            if head.target.prompt is not None and prompt.path == head.target.prompt.path:
                stated = {**stated, **prompt.traffic.variables}
        traffic = with_variables(traffic, stated)
    measured, wrong = measure_unit(
        match, head.target, list(head.sides), (traffic, head.logged), tree, done.prices, counter
    )
    for problem in wrong[:1]:
        _base_fault(done, head, problem.message)
    renamed = old != head.unit.path
    status = "renamed" if renamed else "changed"
    return Pair(head, measured, status, match.id)


def _base_fault(done: Run, head: Measured, message: str) -> None:
    # A warning, not a failure: the change that repairs a broken prompt must be able to pass.
    done.findings.append(
        Finding(
            "base-unmeasured", "warn", f"{head.unit.id}: growth unknown, the base side could not "
            f"be measured: {message}", head.unit.id, head.unit.path, head.unit.line,
        )
    )  # fmt: skip


def _base_config(done: Run, tree: GitTree) -> CheckConfig | None:
    """The base's own configuration, for variables that only it declares; None if it has none."""
    if done.found.file is None:
        return None
    try:
        name = done.found.file.resolve().relative_to(done.found.root).as_posix()
        import tomllib

        data = tomllib.loads(tree.data(name).decode("utf-8"))
        if name.endswith("pyproject.toml"):
            data = data.get("tool", {}).get("tokenbooks", {})
        return parse(data.get("check", {}), f"{name} at the base")
    except (PromptError, CheckConfigError, ValueError):
        return None


def _judge(done: Run, narrowed: bool) -> None:
    config = done.found.config
    used: set[int] = set()
    monthly: set[str] = set()
    for pair in done.pairs:
        if pair.head is None:
            continue
        unit = pair.head.unit
        for model, side in pair.head.sides.items():
            used |= {
                i for i, o in enumerate(config.overrides) if fits(o, unit.path, unit.id, model)
            }
            limits = limits_for(config, pair.head.target.prompt, unit.path, unit.id, model)
            then = pair.base.sides.get(model) if pair.base else None
            level = limits.level or "fail"
            line: tuple[str, int] | None = None
            for rule, words, actual, limit in check(limits, side, then, model):
                line = line or grown_line(done, pair)
                done.findings.append(
                    Finding(rule, level, f"{unit.id}: {words}.", unit.id, line[0], line[1], model,
                            actual, limit)
                )  # fmt: skip
            if side.cost.month is None and (
                limits.max_usd_per_month is not None
                or limits.max_usd_increase_per_month is not None
                or limits.budget_usd_per_month is not None
            ):
                monthly.add(unit.id)
            if limits.max_context_share is not None and side.cost.context_share is None:
                done.problems.append(
                    Problem("no-context-window", f"{unit.id}: the context window of {model} is not "
                            "known, so max_context_share cannot be checked.", unit.path, unit.line,
                            unit.id, model)
                )  # fmt: skip
            if then is not None and then is not side and limits.cache_prefix != "off":
                _cache(done, pair, model, limits.cache_prefix or "warn")
    for ident in sorted(monthly):
        done.problems.append(
            Problem("no-traffic", f"{ident}: a limit a month is set, but calls_per_month is not "
                    "known.", prompt=ident)
        )  # fmt: skip
    if not narrowed:
        for place, override in enumerate(config.overrides):
            if place not in used and any(p.head and p.head.sides for p in done.pairs):
                where = override.path or override.prompt or override.model
                done.problems.append(
                    Problem("nothing-matched", f"[[check.overrides]] for {where!r} fits no prompt: "
                            "its limits are never checked.")
                )  # fmt: skip
    from budgets.check.totals import judge_totals, totals

    done.findings += judge_totals(done)
    total = config.total
    wanted = (total.max_usd_per_month, total.max_usd_increase_per_month, total.budget_usd_per_month)
    if any(each is not None for each in wanted):
        done.problems += [
            Problem("no-traffic", "All prompts: a limit a month is set, but no prompt's calls a "
                    "month are known.", model=row.model)
            for row in totals(done)
            if row.month is None and row.prompts
        ]  # fmt: skip


def _cache(done: Run, pair: Pair, model: str, level: str) -> None:
    assert pair.head is not None and pair.base is not None
    rates = done.prices.rates(model)
    if rates is None:
        return
    unit = pair.head.unit
    found = cache_break(
        pair.head.sides[model], pair.base.sides[model], rates, pair.head.traffic,
        unit.max_output, pair.head.logged,
    )  # fmt: skip
    if found is None:
        return
    pair.breaks[model] = found
    path, line = grown_line(done, pair)
    done.findings.append(
        Finding("cache-prefix-broken", level, f"{unit.id}: {found.sentence}.", unit.id, path, line,
                model, str(found.after), str(found.before))
    )  # fmt: skip


def exit_code(done: Run) -> int:
    """3 when anything was not measured, 1 when a limit failed, else 0; as the options allow."""
    if done.options.exit_zero:
        return FINE
    allowed = done.options.allow_unmeasured or done.found.config.allow_unmeasured
    if done.problems and not allowed:
        return UNMEASURED
    return OVER if any(f.level == "fail" for f in done.findings) else FINE
