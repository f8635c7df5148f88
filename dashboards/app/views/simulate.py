"""Simulate: what a month will cost before launch, on each variant, and how sure that is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import streamlit as st

from dashboards.app import parts, source, traffic_charts
from dashboards.app.parts import Column
from dashboards.app.scenarios import (
    SURENESS,
    Answers,
    fan,
    lever_rows,
    scenario_text,
    tornado_centre,
    tornado_rows,
    variant_rows,
)
from ingest.traffic import CataloguePrices, ScenarioError, parse_scenario, simulate
from ingest.traffic.efforts import EFFORTS
from pricing.counting import CountingError, count_request
from pricing.money import show_usd

books = source.current()
default = Answers()
QUERY: Any = "query-params"
MAKERS = ("openai", "anthropic", "google", "x-ai", "deepseek", "mistral")


def words(amount: Decimal | str | None) -> str:
    """An estimate in USD: no cents from a hundred dollars up."""
    if amount is None:
        return "unpriced"
    value = Decimal(amount)
    return f"${value:,.0f}" if abs(value) >= 100 else show_usd(value)


def variant_names() -> list[str]:
    """The variants that have a price at their maker."""
    return books.remember(
        ("simulated variants", books.catalogue.version),
        lambda: sorted({v for s in MAKERS for v in books.catalogue.listed(s)}),
    )


def count_prompt() -> None:
    """Put the tokens of the pasted prompt into the form."""
    text = st.session_state.get("prompt_text", "")
    chosen = st.session_state.get("sim_variants") or list(default.variants)
    try:
        talk = [{"role": "system", "content": text}, {"role": "user", "content": ""}]
        full = count_request({"messages": talk}, chosen[0]).total
        bare = count_request({"messages": talk[1:]}, chosen[0]).total
    except CountingError as error:
        st.session_state["prompt_problem"] = str(error)
        return
    st.session_state.pop("prompt_problem", None)
    st.session_state["system"] = min(full - bare, 2_000_000)


def whole(label: str, key: str, value: int, top: int = 1_000_000, hint: str | None = None) -> int:
    """A whole number of tokens or days."""
    return int(st.number_input(label, 0, top, value, key=key, bind=QUERY, help=hint))


def sure(label: str, key: str, value: str) -> str:
    """How well a number is known."""
    return st.select_slider(label, list(SURENESS), value, key=key, bind=QUERY)


def form() -> Answers:
    """The questions, with defaults; every answer is part of the address."""
    d = default
    chosen = st.multiselect(
        "Variants", variant_names(), list(d.variants), key="sim_variants", bind=QUERY,
        accept_new_options=True, help="The first one gets the levers.",
    )  # fmt: skip
    with st.container(horizontal=True):
        users = st.number_input("Users", 1.0, 1e9, d.users, step=100.0, key="users", bind=QUERY,
                                format="%.0f")  # fmt: skip
        sessions = st.number_input(
            "Sessions a user and day", 0.001, 1000.0, d.sessions_per_user_day, key="sessions",
            bind=QUERY,
        )  # fmt: skip
        turns = st.number_input("Questions a session", 1.0, 500.0, d.turns, step=1.0, key="turns",
                                bind=QUERY, format="%.0f")  # fmt: skip
    with st.container(horizontal=True):
        system = whole("System prompt, tokens", "system", d.system_tokens, 2_000_000)
        output = max(1, whole("Answer, tokens", "output", d.output_tokens,
                              hint="100 tokens are about 75 English words."))  # fmt: skip
        reasoning = whole("Reasoning, tokens", "reasoning", d.reasoning_tokens,
                          hint="Reasoning models: 200 to 2,000 a call at medium.")  # fmt: skip
    with st.popover("Count a prompt", icon=":material/calculate:"):
        st.text_area("Paste the system prompt", key="prompt_text", height=200)
        st.button("Use its tokens", on_click=count_prompt)
        st.caption("Counted on this machine with the first variant's vocabulary; stored nowhere.")
    if problem := st.session_state.get("prompt_problem"):
        parts.problem(problem)
    with st.expander("How sure are you?"):
        users_sure = sure("Users", "users_sure", d.users_sure)
        output_sure = sure("Answers", "output_sure", d.output_sure)
    with st.expander("More about a call"):
        a, b = st.columns(2)
        with a:
            effort = st.selectbox("Effort", EFFORTS, EFFORTS.index(d.effort), key="sim_effort",
                                  bind=QUERY)  # fmt: skip
            user = max(1, whole("User message, tokens", "user_tokens", d.user_tokens))
            retrieved = whole("Retrieved passages, tokens", "retrieved", d.retrieved_tokens)
            caching = st.toggle("Prompt caching", d.caching, key="caching", bind=QUERY)
        with b:
            calls = st.number_input("Calls a question", 1.0, 200.0, d.calls_per_turn, step=1.0,
                                    key="calls", bind=QUERY, format="%.0f",
                                    help="About 8 for coding agents.")  # fmt: skip
            tools = whole("Tool definitions, tokens", "tools", d.tools_tokens)
            result = whole("Tool result, tokens", "tool_result", d.tool_result_tokens)
            stable = st.toggle("The prompt's beginning never changes", d.stable_prefix,
                               key="stable", bind=QUERY)  # fmt: skip
    with st.expander("Period, growth, budget"):
        a, b = st.columns(2)
        today = datetime.now(UTC).date()
        with a:
            start = st.date_input("First day", today, key="first", bind=QUERY, format="YYYY-MM-DD")
            days = max(1, whole("Days", "sim_days", d.days, 3660))
            ramp = whole("Days until everybody is there", "ramp", d.ramp_days, 3660)
        with b:
            growth = st.number_input("Growth a month, %", -90.0, 1000.0, 0.0, key="growth",
                                     bind=QUERY)  # fmt: skip
            batch = st.slider("Sent as batch, %", 0, 100, 0, key="batch", bind=QUERY)
            retries = st.number_input("Calls tried again, %", 0.0, 90.0, 3.0, key="retries",
                                      bind=QUERY)  # fmt: skip
        cap = st.number_input("Budget a month, USD (0: none)", 0.0, 1e9, 0.0, key="cap",
                              bind=QUERY)  # fmt: skip
    return Answers(
        users=users, users_sure=users_sure, sessions_per_user_day=sessions, turns=turns,
        calls_per_turn=calls, system_tokens=system, tools_tokens=tools,
        retrieved_tokens=retrieved, user_tokens=user, tool_result_tokens=result,
        output_tokens=output, output_sure=output_sure, reasoning_tokens=reasoning, effort=effort,
        variants=tuple(chosen), start=start, days=days, growth=growth / 100, ramp_days=ramp,
        batch=batch / 100, retry_rate=retries / 100, caching=caching, stable_prefix=stable,
        cap_usd=cap,
    )  # fmt: skip


def png(drawing: Any) -> bytes:
    """A chart as a picture, at twice the screen's size."""
    import vl_convert  # pyright: ignore[reportMissingImports]

    made = drawing.properties(width=800).to_json()
    return vl_convert.vegalite_to_png(made, scale=2)


def headline(first: dict[str, Any], answer: dict[str, Any]) -> None:
    """The bill in words and four figures."""
    cost = first["cost_usd"]
    with st.container(horizontal=True):
        st.metric(f"{answer['days']:g} days on {first['variant']}", words(cost["p50"]),
                  help="P50: as likely more as less.")  # fmt: skip
        st.metric("80 % confidence", f"{words(cost['p10'])} – {words(cost['p90'])}",
                  help="P10 to P90.")  # fmt: skip
        st.metric("A session", words(first["cost_per_session_usd"]))
        st.metric("From the cache", parts.share(first["cached_share"]),
                  help="Share of input tokens.")  # fmt: skip
    if answer["cheapest"] != first["variant"]:
        best = next(v for v in answer["variants"] if v["variant"] == answer["cheapest"])
        st.markdown(
            f"**{best['variant']}** would be the cheapest of these: "
            f"{words(best['cost_usd']['p50'])}.".replace("$", "\\$")
        )


def show(answer: dict[str, Any], text: str, fan_rows: list[dict[str, Any]], cap: float) -> None:
    """Everything the simulation says."""
    first = next((v for v in answer["variants"] if v["cost_usd"] is not None), None)
    for v in answer["variants"]:
        if v["cost_usd"] is None:
            st.warning(f"**{v['variant']}** has no price: {v.get('reason', 'unknown')}",
                       icon=":material/help:")  # fmt: skip
    if first is None:
        return
    headline(first, answer)
    for warning in first["warnings"]:
        st.warning(warning.replace("$", "\\$"), icon=":material/warning:")
    drawing = traffic_charts.fan(fan_rows, cap * answer["days"] / 30.4375 if cap else None)
    st.subheader("The bill so far", anchor=False)
    st.altair_chart(
        drawing, width="stretch", key="chart_fan",
        alt=f"Bill so far on {first['variant']}: at the end {words(first['cost_usd']['p50'])}.",
    )  # fmt: skip
    st.caption("The line is P50; the band holds 80 % of the simulated months.")
    st.subheader("Variants", anchor=False)
    parts.table(
        variant_rows(answer),
        [
            Column("variant", "Variant"), Column("p10", "P10", "usd"),
            Column("p50", "P50", "usd"), Column("p90", "P90", "usd"),
            Column("p99", "P99", "usd"), Column("session", "A session", "usd"),
            Column("cached", "Cached", "share"), Column("input", "Input tokens", "count"),
            Column("output", "Output tokens", "count"),
            Column("reasoning", "Reasoning", "count", "Part of the output"),
            Column("status", "Price"),
        ],
        "simulated", alt="Simulated cost by variant",
    )  # fmt: skip
    bars = tornado_rows(first)
    st.subheader("What the bill hangs on", anchor=False)
    st.altair_chart(
        traffic_charts.tornado(bars, tornado_centre(first)),
        width="stretch", key="chart_tornado",
        alt="; ".join(f"{b['name']} moves the bill by {b['label']}" for b in bars),
    )  # fmt: skip
    st.caption("One number at a time at its P10 and P90, the others in the middle.")
    if levers := lever_rows(answer["levers"]):
        st.subheader("What would lower it", anchor=False)
        parts.table(
            levers,
            [
                Column("lever", "Lever"), Column("saves", "Saves", "usd"),
                Column("share", "Share", "share"), Column("assumes", "Holds if"),
            ],
            "levers", alt="Levers by what they save, and what each assumes",
        )  # fmt: skip
    with st.container(horizontal=True):
        st.download_button(
            "Scenario (TOML)", text, "scenario.toml", "application/toml", on_click="ignore",
            icon=":material/download:", help="For `tokenbooks simulate scenario.toml`.",
        )  # fmt: skip
        if find_spec("vl_convert") is not None:
            st.download_button(
                "Chart (PNG)", lambda: png(drawing), "tokenbooks-simulated.png", "image/png",
                on_click="ignore", icon=":material/image:",
            )  # fmt: skip
    st.caption("The answers are part of the address: copy it to share this view.")


def compute(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The simulation and its fan; remembered under the scenario's text."""

    def work() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        scenario = parse_scenario(text)
        prices = CataloguePrices(books.catalogue)
        answer = simulate(scenario, prices)
        first = next((v for v in answer["variants"] if v["cost_usd"] is not None), None)
        return answer, fan(scenario, prices, first["variant"]) if first else []

    return books.remember(("simulate", books.catalogue.version, text), work)


left, right = st.columns([2, 3], gap="large")
with left:
    answers = form()
with right:
    if not answers.variants:
        st.info("Choose at least one variant.", icon=":material/arrow_back:")
    else:
        file = scenario_text(answers)
        try:
            with st.spinner("Simulating …", show_time=False):
                answered, drawn = compute(file)
        except (ScenarioError, CountingError) as error:
            parts.problem(str(error))
        else:
            show(answered, file, drawn, answers.cap_usd)
