"""Why it moved: the effects between a period and the one before, exactly."""

from __future__ import annotations

import streamlit as st

from dashboards.app import finance_charts, parts, source
from dashboards.app.filters import sidebar
from dashboards.app.parts import Column
from dashboards.explain.effects import explain
from dashboards.queries.explain import cells

MEANING = {
    "retired": "Teams and variants that are gone",
    "volume": "As many tokens as now, at old shares and prices",
    "mix": "Between teams and variants, input and output",
    "tier": "Between service tiers",
    "cache": "Between cached, written and uncached input",
    "price": "Prices of the rates in force",
    "new": "Teams and variants that were not there before",
}
books = source.current()
choice = sidebar(books)

made = explain(books.ask(cells, choice.scope_before), books.ask(cells, choice.scope))
st.caption(f"From {choice.before.words()} to {choice.words()}")
if not (made.before or made.after or any(made.unpriced)):
    parts.nothing()
elif not (made.before or made.after):
    st.warning(
        f"Everything here is **unpriced**: {made.unpriced[0]:,} units before, "
        f"{made.unpriced[1]:,} now.", icon=":material/help:",
    )  # fmt: skip
else:
    st.markdown(made.sentence().replace("$", r"\$"))
    rows = [{"step": "before", "low": 0.0, "high": made.before / 1e12, "kind": "total",
             "label": parts.money(made.before)}]  # fmt: skip
    for name, low, high in made.waterfall():
        rows.append(
            {
                "step": name, "low": low / 1e12, "high": high / 1e12,
                "kind": "up" if high > low else "down",
                "label": parts.money(high - low, signed=True),
            }
        )  # fmt: skip
    rows.append({"step": "now", "low": 0.0, "high": made.after / 1e12, "kind": "total",
                 "label": parts.money(made.after)})  # fmt: skip
    parts.chart(
        finance_charts.waterfall(rows),
        [{"effect": n, "value": v, "meaning": MEANING[n]} for n, v in made.effects.items()],
        [Column("effect", "Effect"), Column("value", "Effect", "usd"),
         Column("meaning", "What it counts")],
        "why",
        caption="Effects in the order they are taken, quantities before prices; they add up to "
        "the difference of the two totals exactly.",
        alt=made.sentence(),
    )  # fmt: skip
