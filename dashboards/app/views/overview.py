"""Overview: the month against its budget, what was spent, on what, and what changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from budgets.spend.model import Budget, BudgetError, read_budgets
from dashboards.app import charts, finance_charts, outlooks, parts, source
from dashboards.app.filters import compared, sidebar, tested_notice
from dashboards.app.parts import Column
from dashboards.forecasting.outlook import ForecastError
from dashboards.queries.movers import movers
from dashboards.queries.periods import end_of, grain, scope_of, steps, variants_in_order
from dashboards.queries.scope import show_value
from dashboards.queries.spend import Spend, SpendRow, spend
from pricing.currency import CurrencyError, Exchange

books = source.current()
choice = sidebar(books)
with st.sidebar:
    looked_from = outlooks.as_of()


def budget_of(where: dict[str, list[str]]) -> Budget | None:
    """The monthly budget in money that covers exactly what is shown, if the settings hold one."""
    same = {k: sorted(v) for k, v in where.items()}
    for held in read_budgets(getattr(books.settings, "budgets", None) or []):
        covers = {k: sorted(v) for k, v in held.scope.items()} == same
        if held.period == "month" and not held.amount.in_tokens and covers:
            return held
    return None


def month_to_date() -> None:
    """The running month with its forecast, the budget it must stay within, and the month before."""
    ahead = outlooks.look(books, choice.zone, choice.where, looked_from)
    month, name = ahead.month, f"{ahead.month.since:%B %Y}"
    budget = budget_of(choice.where)
    limit: int | None = None
    if budget is not None:
        exchange = Exchange.from_settings(getattr(books.settings, "currency", None) or {})
        limit = exchange.to_pico(budget.amount.value, budget.amount.unit, ahead.start)
    st.header(f"{name}, month to date")
    if not ahead.seen.priced(ahead.where):
        parts.unknown("Nothing here has a price: where the month will end is unknown.")
        return
    spent = ahead.spent(month)
    low, middle, high = ahead.seen.end_of(month, ahead.where)
    ends = [round(v * 100) * 10**10 for v in (low, middle, high)]
    paths = ahead.seen.money(ahead.where)[:, ahead.seen.ahead(month)].sum(axis=1) + spent / 1e12
    with st.grid(4, min_column_width=150):
        st.metric(
            "Spent so far", parts.money(spent), border=True, height="stretch",
            help=f"From {month.since} until the forecast begins, {ahead.start}.",
        )  # fmt: skip
        st.metric(
            "At month's end", parts.money(ends[1]), border=True, height="stretch",
            help=f"Expected: P50, the middle of the paths. P10 {parts.money(ends[0])}, "
            f"P90 {parts.money(ends[2])}.",
        )  # fmt: skip
        st.metric(
            "Budget", "none" if limit is None else parts.money(limit), border=True,
            height="stretch",
            help=f"{budget.name}: {budget.amount}." if budget else "See the Budgets page.",
        )  # fmt: skip
        over = None if limit is None else float((paths > limit / 1e12).mean())
        st.metric(
            "Chance to exceed", "–" if over is None else parts.share(over), border=True,
            height="stretch", help="The share of forecast paths that end above the budget.",
        )  # fmt: skip
    running, past = ahead.running(month), ahead.running(ahead.before)
    fan = ahead.fan(month)
    actual, coming = outlooks.fan_rows([(d, v / 1e12) for d, v in running], fan)
    # The month before is drawn on this month's days: its first on the first.
    shifted = [
        {"day": f"{month.since + (d - ahead.before.since)}T00:00:00", "value": v / 1e12}
        for d, v in past
        if month.since + (d - ahead.before.since) < month.until
    ]
    by_day = dict(running)
    before_by_day = {month.since + (d - ahead.before.since): v for d, v in past}
    bands = {d: [round(v * 100) * 10**10 for v in b] for d, *b in fan}
    rows = [
        {
            "day": d, "spent": by_day.get(d), "before": before_by_day.get(d),
            "low": bands[d][0] if d in bands else None,
            "middle": bands[d][1] if d in bands else None,
            "high": bands[d][2] if d in bands else None,
        }
        for d in (month.since + timedelta(days=n) for n in range(month.days))
    ]  # fmt: skip
    parts.chart(
        finance_charts.fan(
            actual, coming, None if limit is None else limit / 1e12, last=shifted,
            limit_name=budget.name if budget else "",
        ),
        rows,
        [
            Column("day", "By the end of", "date"), Column("spent", "Spent", "usd"),
            Column("low", "P10", "usd"), Column("middle", "P50", "usd"),
            Column("high", "P90", "usd"),
            Column("before", f"{ahead.before.since:%B}, by that day", "usd"),
        ],
        "month-to-date",
        caption="Running cost of priced calls (line), the middle of the forecast's paths (dashes) "
        "with the band from P10 to P90"
        + (f", the budget “{budget.name}” (orange)" if budget else "")
        + (f", and {ahead.before.since:%B} on the same days (grey)" if shifted else "")
        + ". The period on the left does not apply here.",
        alt=f"Running spend of {name}: {parts.money(spent)} so far, expected "
        f"{parts.money(ends[1])} at the end"
        + (f", budget {parts.money(limit)}." if limit is not None else "."),
    )  # fmt: skip
    for note in ahead.notes:
        st.caption(f":material/info: {note}")
    if budget is None:
        st.caption("No monthly budget covers exactly this choice. [Add one](budgets)")


def key_figures(now: Spend, before: SpendRow, starts: Sequence[datetime]) -> None:
    """The row of figures, each with its course and its change against the period before."""
    total = now.total
    series: dict[str, list[float]] = {name: [] for name in ("cost", "calls", "tokens", "saved")}
    by_step: dict[datetime, list[SpendRow]] = defaultdict(list)
    for row in now.rows:
        by_step[row.keys[0]].append(row)
    cached: list[float] = []
    unpriced: list[float] = []
    for start in starts:
        rows = by_step.get(start, [])
        calls = sum(r.calls for r in rows)
        tokens_in = sum(r.input_tokens for r in rows)
        series["cost"].append(sum(r.cost_pico for r in rows) / 1e12)
        series["calls"].append(calls)
        series["tokens"].append(tokens_in + sum(r.output_tokens for r in rows))
        series["saved"].append(sum(r.cache_savings_pico for r in rows) / 1e12)
        cached.append(sum(r.cached_tokens for r in rows) / tokens_in if tokens_in else 0.0)
        unpriced.append(sum(r.unpriced_calls for r in rows) / calls if calls else 0.0)
    tokens = total.input_tokens + total.output_tokens
    tokens_before = before.input_tokens + before.output_tokens
    known = not total.wholly_unpriced
    with st.grid(6, min_column_width=140):
        st.metric(
            "Spend", parts.money(total.cost_pico if known else None),
            parts.change(before.cost_pico, total.cost_pico), "inverse", border=True,
            height="stretch", chart_data=series["cost"], chart_type="area",
            help="Computed from counts and the rates in force at each call; priced calls only.",
        )  # fmt: skip
        st.metric(
            "Calls", parts.count(total.calls), parts.change(before.calls, total.calls), "off",
            border=True, height="stretch", chart_data=series["calls"], chart_type="area",
        )  # fmt: skip
        st.metric(
            "Tokens", parts.count(tokens), parts.change(tokens_before, tokens), "off",
            border=True, height="stretch", chart_data=series["tokens"], chart_type="area",
            help="Input (cached included) and output (reasoning included).",
        )  # fmt: skip
        st.metric(
            "Cached share", parts.share(total.cached_share), border=True, height="stretch",
            chart_data=cached, chart_type="area",
            help="Input tokens read from a cache over all input tokens.",
        )  # fmt: skip
        st.metric(
            "Cache savings", parts.money(total.cache_savings_pico if known else None),
            parts.change(before.cache_savings_pico, total.cache_savings_pico), border=True,
            height="stretch", chart_data=series["saved"], chart_type="area",
            help="Cached reads at the input price, less what they cost, less the extra price of "
            "cache writes.",
        )  # fmt: skip
        st.metric(
            "Unpriced share", parts.share(total.unpriced_share), border=True, height="stretch",
            chart_data=unpriced, chart_type="area",
            help="Calls whose cost is unknown over all calls; they are in no amount.",
        )  # fmt: skip


def over_time(now: Spend, unit: str, order: Sequence[str]) -> None:
    """Spend by variant, stacked, with the table behind it."""
    rank = {
        name: n
        for n, (name, _) in enumerate(sorted(_by_variant(now).items(), key=lambda item: -item[1]))
    }
    drawn: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for row in now.rows:
        start, variant = row.keys[0], show_value(row.keys[1])
        priced = not row.wholly_unpriced
        rows.append(
            {
                "period": start, "variant": variant, "calls": row.calls,
                "cost": row.cost_pico if priced else None, "unpriced": row.unpriced_calls,
            }
        )  # fmt: skip
        if priced and row.cost_pico:
            drawn.append(
                {
                    "start": start.isoformat(), "end": charts.bar_end(start, end_of(start, unit)),
                    "name": variant, "value": row.cost_pico / 1e12, "rank": rank[variant],
                    "when": show_value(start, unit), "label": parts.money(row.cost_pico),
                }
            )  # fmt: skip
    st.header(f"Spend by {unit}")
    if not drawn:
        parts.unknown("No call of this period has a price and a cost.")
        return
    parts.chart(
        charts.over_time(
            drawn, order, unit=unit, what="usd", group="Variant",
            span=(choice.period.since, choice.period.covered),
        ),
        rows,
        [
            Column("period", unit.capitalize(), "time"), Column("variant", "Variant"),
            Column("cost", "Cost", "usd"), Column("calls", "Calls", "count"),
            Column("unpriced", "Unpriced calls", "count"),
        ],
        "spend-over-time",
        caption=f"Cost of priced calls, by variant and {unit}, cut at midnight in {choice.zone}. "
        "The bars add up to the spend above.",
        alt=f"Stacked bars of spend per {unit} by variant, {choice.words()}, in total "
        f"{parts.money(now.total.cost_pico)}.",
    )  # fmt: skip


def _by_variant(answer: Spend) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for row in answer.rows:
        sums[show_value(row.keys[-1])] += row.cost_pico
    return sums


def what_changed() -> None:
    """The largest moves by a dimension of the reader's choice."""
    st.header("What changed")
    before, now = compared(books, choice)
    by = st.segmented_control(
        "By", ["variant", "team", "feature", "tier", "seller"], default="variant", required=True,
        key="changed_by", bind="query-params", format_func=str.capitalize,
    )  # fmt: skip
    old = books.ask(spend, [by], scope_of(before, choice.where))
    # By variant the period was asked for above.
    same = by == "variant" and now == choice.period
    new = answer.by_one(by) if same else books.ask(spend, [by], scope_of(now, choice.where))
    if not old.total.calls or not new.total.calls:
        parts.nothing_yet("There is nothing to compare with: no calls before these.")
        return
    if old.total.wholly_unpriced or new.total.wholly_unpriced:
        parts.unknown("No call of one of the two periods has a price: the change is unknown.")
        return
    found = movers(old, new)
    names = [show_value(m.keys[0]) for m in found]
    drawn = [
        {
            "name": name, "value": m.change_pico / 1e12,
            "label": parts.money(m.change_pico, signed=True),
            "note": f"{parts.money(m.before_pico)} → {parts.money(m.now_pico)}"
            + (f" ({m.kind})" if m.kind else ""),
        }
        for name, m in zip(names, found, strict=True)
        if m.change_pico
    ]  # fmt: skip
    total = new.total.cost_pico - old.total.cost_pico
    verb = "rose" if total > 0 else "fell"
    percent = parts.change(old.total.cost_pico, new.total.cost_pico)
    moved = f"{verb} by {parts.money(abs(total))}{f' ({percent})' if percent else ''}"
    st.markdown(
        f"Spend {moved if total else 'stayed the same'}, from "
        f"{parts.money(old.total.cost_pico)} ({before.words()}) to "
        f"{parts.money(new.total.cost_pico)} ({now.words()}).".replace("$", "\\$")
    )
    if not drawn:
        return
    rows = [
        {
            "name": name, "before": m.before_pico, "now": m.now_pico, "change": m.change_pico,
            "calls_before": m.calls_before, "calls_now": m.calls_now, "kind": m.kind,
            "unpriced": m.unpriced_calls,
        }
        for name, m in zip(names, found, strict=True)
    ]  # fmt: skip
    parts.chart(
        charts.moves(drawn[:12]),
        rows,
        [
            Column("name", by.capitalize()), Column("before", "Before", "usd"),
            Column("now", "Now", "usd"), Column("change", "Change", "usd"),
            Column("calls_before", "Calls before", "count"),
            Column("calls_now", "Calls now", "count"), Column("kind", "New or gone"),
            Column("unpriced", "Unpriced calls", "count"),
        ],
        "what-changed",
        caption=f"Cost now less cost before, by {by}, priced calls only, largest moves first"
        + (f" (12 of {len(drawn)})." if len(drawn) > 12 else ". The bars add up to the change."),
        alt=f"Bars of the change of spend by {by}: "
        + ", ".join(f"{d['name']} {d['label']}" for d in drawn[:3])
        + ".",
    )  # fmt: skip


unit = grain(choice.period)
answer = books.ask(spend, [unit, "variant"], choice.scope)
if not answer.total.calls:
    parts.nothing()
else:
    earlier = books.ask(spend, ["variant"], choice.scope_before).total
    parts.unpriced_notice(
        answer.total.unpriced_calls, answer.total.calls, answer.total.unpriced_tokens,
        answer.total.assumed_calls,
    )  # fmt: skip
    tested_notice(books, choice.scope)
    key_figures(answer, earlier, steps(choice.period.since, choice.period.covered, unit))
    if earlier.calls:
        st.caption(f"Changes are against {choice.before.words()}.")
    # The forecast takes longest: what is below it is drawn first.
    place = st.container()
    over_time(answer, unit, books.ask(variants_in_order))
    what_changed()
    with place:
        try:
            with st.skeleton(height=420):
                month_to_date()
        except ForecastError as error:
            st.info(f"No forecast: {error}.", icon=":material/info:")
        except (BudgetError, CurrencyError) as error:
            parts.problem(str(error))
