"""The Simulate page's answers as a scenario file, and its result as rows to draw.

The form is turned into TOML text and that text is simulated: what one downloads is what was
computed. Streamlit is not needed here.

>>> answers = Answers(users=1000.0, variants=("gpt-5.2",))
>>> "users = { p10 = 500, p90 = 2000 }" in scenario_text(answers)
True
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pricing.money import pico_from_usd

if TYPE_CHECKING:
    from ingest.traffic.prices import Prices
    from ingest.traffic.scenarios.scenario import Scenario

SURENESS = {
    "exactly": 1.0,
    "within a quarter": 1.25,
    "half to double": 2.0,
    "a third to three times": 3.0,
}
"""How well a number is known: P10 and P90 are the number over and times this."""

FAN_STEPS = 6
MOST_WORKLOADS = 5
LONGEST_SCENARIO = 100_000
LONGEST_LINK = 6_000
MOST_DRAWS = 16_384
Ends = tuple[float, float]
LEAST_SHARE = 0.01
"""Ranges begin above 0."""
FROM_STORE_TEXT = '"from store"'


COMPARED = ("gpt-5.2", "gpt-5-mini", "claude-sonnet-5")
"""What a visitor who chose nothing sees beside each other."""


@dataclass(frozen=True)
class Answers:
    """What the form asks. Counts in tokens, shares as fractions of one (with two ends: P10 and P90,
    equal where sure), growth a month.

    ``more`` are further workloads; of those only what `_workload` takes from a workload counts.
    """

    users: float = 1000.0
    users_sure: str = "half to double"
    sessions_per_user_day: float = 0.5
    turns: float = 3.0
    calls_per_turn: float = 1.0
    system_tokens: int = 800
    tools_tokens: int = 0
    retrieved_tokens: int = 0
    user_tokens: int = 80
    tool_result_tokens: int = 0
    output_tokens: int = 300
    output_sure: str = "within a quarter"
    reasoning_tokens: int = 0
    effort: str = "medium"
    variants: tuple[str, ...] = COMPARED
    start: date = date(2026, 12, 1)
    days: int = 30
    growth: float = 0.0
    ramp_days: int = 0
    batch: float = 0.0
    retry_rate: float = 0.03
    caching: bool = True
    stable_prefix: bool = True
    cap_usd: float = 0.0
    success: Ends = (1.0, 1.0)
    can_wait: Ends = (0.0, 0.0)
    easy: Ends = (0.0, 0.0)
    name: str = "chat"
    more: tuple[Answers, ...] = ()


def number(value: float, sureness: str) -> str:
    """A number as TOML: itself, or the range its sureness means."""
    factor = SURENESS[sureness]
    if factor == 1.0 or not value:
        return f"{value:g}"
    return f"{{ p10 = {value / factor:g}, p90 = {value * factor:g} }}"


def part(ends: Ends) -> str:
    """A share as TOML: itself, or its range.

    >>> part((0.2, 0.2)), part((0.0, 0.5))
    ('0.2', '{ p10 = 0.01, p90 = 0.5 }')
    """
    low, high = ends
    if low == high:
        return f"{low:g}"
    return f"{{ p10 = {max(low, LEAST_SHARE):g}, p90 = {high:g} }}"


def scenario_text(a: Answers) -> str:
    """The answers as a scenario file that `tokenbooks simulate` reads."""
    variants = ", ".join(json.dumps(v) for v in a.variants)
    lines = [
        '# Every number may be a value, a range { p10 = ..., p90 = ... } or "from store".',
        'name = "my application"',
        f"start = {a.start.isoformat()}",
        f"days = {a.days}",
        f"variants = [{variants}]     # the first one gets the levers",
    ]
    for load in (a, *a.more):
        lines += _workload(load, a)
    if a.cap_usd > 0:
        lines += ["", "[limits.default]", f"monthly_usd = {a.cap_usd:g}"]
    return "\n".join(lines) + "\n"


def _workload(load: Answers, general: Answers) -> list[str]:
    """One workload; how sure, success, growth, effort's reference and caching are asked once."""
    return [
        "",
        "[[workloads]]",
        f"name = {json.dumps(load.name)}",
        f"success_rate = {part(general.success)}     # of the sessions",
        f"can_wait = {part(general.can_wait)}         # could be sent as batch or flex",
        f"easy_share = {part(general.easy)}       # a smaller variant would do",
        "",
        "[workloads.volume]",
        f"users = {number(load.users, general.users_sure)}",
        f"sessions_per_user_day = {load.sessions_per_user_day:g}",
        f"growth_per_month = {general.growth:g}",
        f"ramp_days = {general.ramp_days}",
        "drift = 0.3     # sd of the log between periods; 0.3 was seen in production",
        "",
        "[workloads.structure]",
        f"system_tokens = {load.system_tokens}",
        f"tools_tokens = {load.tools_tokens}",
        f"retrieved_tokens = {load.retrieved_tokens}",
        f"user_tokens = {{ mean = {load.user_tokens} }}",
        f"turns = {load.turns:g}",
        f"calls_per_turn = {load.calls_per_turn:g}",
        f"tool_result_tokens = {load.tool_result_tokens}",
        "",
        "[workloads.output]",
        f"tokens = {{ mean = {number(load.output_tokens, general.output_sure)} }}",
        f"reasoning_tokens = {load.reasoning_tokens}",
        'reference_effort = "medium"',
        f"effort = {json.dumps(load.effort)}",
        "",
        "[workloads.failures]",
        f"retry_rate = {general.retry_rate:g}",
        "",
        "[workloads.tiers]",
        f"batch = {load.batch:g}",
        "",
        "[workloads.cache]",
        f"enabled = {str(general.caching).lower()}",
        f"stable_prefix = {str(general.stable_prefix).lower()}",
    ]


def with_volume(text: str, per_day: float, sureness: str, days: int) -> str:
    """A fitted scenario with another volume and length."""
    lines = [
        f"sessions_per_day = {number(per_day, sureness)}" if x.startswith("sessions_per_day") else
        f"days = {days}" if x.startswith("days = ") else x
        for x in text.splitlines()
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def uploaded_scenario(text: str) -> Scenario:
    """A scenario somebody sent: it may not name files, which would be this machine's.

    Raises ScenarioError for those and for everything a scenario file must not have.
    """
    from ingest.traffic.scenarios.numbers import ScenarioError
    from ingest.traffic.scenarios.scenario import parse_scenario

    if len(text) > LONGEST_SCENARIO:
        raise ScenarioError(f"a scenario of more than {LONGEST_SCENARIO:,} characters")
    scenario = parse_scenario(text)
    for load in scenario.workloads:
        for key, value in (
            ("trace", load.trace), ("system_file", load.structure.system_file),
            ("tools_file", load.structure.tools_file),
        ):  # fmt: skip
            if value is not None:
                raise ScenarioError(
                    f"{load.name}: {key} = {value!r} names a file, which this page does not open; "
                    f"give token counts, upload the trace itself, or use `tokenbooks simulate`"
                )
    if FROM_STORE_TEXT in scenario.model_dump_json():
        raise ScenarioError(
            'a number is "from store": `tokenbooks simulate` fills it in from the database'
        )
    if scenario.draws > MOST_DRAWS:
        raise ScenarioError(f"draws = {scenario.draws:,}: this page draws at most {MOST_DRAWS:,}")
    return scenario


def packed(text: str) -> str | None:
    """A text short enough for an address, packed; None where it is too long.

    >>> unpacked(packed("days = 30"))
    'days = 30'
    """
    import base64
    import zlib

    code = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    return code if len(code) <= LONGEST_LINK else None


def unpacked(code: str) -> str:
    """The text of a link; empty where the link was cut or is not one of ours."""
    import base64
    import zlib

    try:
        data = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        unzip = zlib.decompressobj()
        text = unzip.decompress(data, LONGEST_SCENARIO)
        return text.decode() if unzip.eof else ""
    except (ValueError, zlib.error):
        return ""


def result_csv(answer: dict[str, Any]) -> str:
    """The result as CSV: a row a variant, costs in USD, tokens of each kind at P10, P50, P90."""
    import csv
    import io

    kinds = ("input", "cached", "cache_write", "output", "reasoning")
    levels = ("p10", "p50", "p90")
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(
        ["variant", "status", *(f"cost_usd_{p}" for p in (*levels, "p99")), "cost_per_session_usd",
         "cost_per_successful_task_usd", *(f"successful_task_usd_{p}" for p in ("p10", "p90")),
         "cached_share",
         *(f"{kind}_tokens_{p}" for kind in kinds for p in levels)]
    )  # fmt: skip
    for v in answer["variants"]:
        cost: Mapping[str, Any] = v["cost_usd"] or {}
        tokens: Mapping[str, Any] = v.get("tokens", {})
        task: Mapping[str, Any] = v.get("successful_task_usd", {})
        write.writerow(
            [v["variant"], v["status"], *(cost.get(p) for p in (*levels, "p99")),
             v.get("cost_per_session_usd"), v.get("cost_per_successful_task_usd"),
             task.get("p10"), task.get("p90"), v.get("cached_share"),
             *(tokens.get(kind, {}).get(p) for kind in kinds for p in levels)]
        )  # fmt: skip
    return out.getvalue()


def fan(scenario: Scenario, prices: Prices, variant: str) -> list[dict[str, Any]]:
    """The bill so far at the end of growing spans of the period: day, p10, p50, p90 in USD.

    Floats, for the eye only. Each span is simulated for itself, so growth and ramp are in it.
    """
    from ingest.traffic import simulate

    rows: list[dict[str, Any]] = [
        {"day": scenario.start.isoformat() + "T00:00:00", "p10": 0.0, "p50": 0.0, "p90": 0.0}
    ]
    for step in range(1, FAN_STEPS + 1):
        days = max(1, round(scenario.days * step / FAN_STEPS))
        got = simulate(scenario, prices, variants=[variant], days=days, levers=False)
        cost = got["variants"][0]["cost_usd"]
        if cost is None:
            return []
        day = scenario.start + timedelta(days=days)
        rows.append(
            {"day": f"{day.isoformat()}T00:00:00",
             **{p: float(cost[p]) for p in ("p10", "p50", "p90")}}
        )  # fmt: skip
    return rows


def variant_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a variant for the table: costs in pico-dollars, None where there is no price."""
    rows: list[dict[str, Any]] = []
    for v in answer["variants"]:
        cost: Mapping[str, Any] = v["cost_usd"] or {}
        tokens = v.get("tokens", {})
        task = v.get("successful_task_usd", {})
        rows.append(
            {
                "variant": v["variant"],
                **{p: _pico(cost.get(p)) for p in ("p10", "p50", "p90", "p99")},
                "session": _pico(v.get("cost_per_session_usd")),
                "task": _pico(v.get("cost_per_successful_task_usd")),
                **{f"task_{p}": _pico(task.get(p)) for p in ("p10", "p90")},
                "cached": v.get("cached_share"),
                **{k: tokens.get(k, {}).get("p50") for k in ("input", "output", "reasoning")},
                "status": v.get("reason") or v["status"],
            }
        )
    return rows


def lever_rows(levers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Levers that save something, largest first; all together last."""
    return [
        {"lever": v["lever"], "saves": _pico(v["saving_usd"]), "share": v["saving"],
         **{p: _pico(v.get(f"saving_{p}_usd")) for p in ("p10", "p90")},
         "assumes": v["assumes"]}
        for v in levers if v["saving"] >= 0.002
    ]  # fmt: skip


def lifetime_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The bill if cache entries live as short or as long as the provider's words allow; nothing
    where that moves it by less than a percent."""
    found = row.get("cache_lifetime", [])
    costs = [float(f["cost_usd"]) for f in found]
    if not costs or max(costs) - min(costs) < 0.01 * max(costs):
        return []
    return [
        {"lifetime": lifetime(f["lifetime_s"]), "cost": _pico(f["cost_usd"]),
         "assumed": "assumed here" if f["assumed"] else ""}
        for f in found
    ]  # fmt: skip


def lifetime(seconds: float) -> str:
    """A lifetime in words.

    >>> lifetime(300), lifetime(3600), lifetime(86400), lifetime(45)
    ('5 min', '1 h', '24 h', '45 s')
    """
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def tornado_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the bill hangs on: name, low and high in USD (floats, for the eye), and words."""
    found = row["tornado"][:8]
    only = len({t["parameter"].split(": ", 1)[0] for t in row["tornado"]}) == 1
    return [
        {
            "name": t["parameter"].split(": ", 1)[-1] if only else t["parameter"],
            "low": float(t["low_usd"]),
            "high": float(t["high_usd"]),
            "label": f"{100 * t['low']:+.0f} % to {100 * t['high']:+.0f} %",
        }
        for t in found
    ]


def tornado_centre(row: dict[str, Any]) -> float:
    """The bill with every number in its middle, in USD (for the eye)."""
    first = row["tornado"][0]
    return float(first["high_usd"]) / (1 + first["high"])


def _pico(text: str | None) -> int | None:
    return None if text is None else pico_from_usd(Decimal(text))
