"""Simulate: what a month will cost before launch, on each variant, and how sure that is.

Three ways in: a few questions, a scenario file, or recorded requests. The answers of the first and
the text of the second are part of the address; an upload stays in memory and a private folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboards.app import parts, source, traces
from dashboards.app.scenarios import (
    MOST_WORKLOADS,
    SURENESS,
    Answers,
    Ends,
    packed,
    scenario_text,
    unpacked,
    uploaded_scenario,
    with_volume,
)
from dashboards.app.simulation import compute, show
from ingest.traffic import ScenarioError, TraceError, fit_scenario, parse_scenario, write_trace
from ingest.traffic.scenarios.efforts import EFFORTS
from pricing.counting import CountingError, count_request

if TYPE_CHECKING:
    from ingest.traffic import Scenario, Trace

books = source.current()
default = Answers()
QUERY: Any = "query-params"
QUESTIONS, SCENARIO, TRACE = "Questions", "Scenario file", "Recorded trace"
# Levers run a trace a dozen times; beyond this many requests the page would keep one waiting.
MOST_FOR_LEVERS = 15_000


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


def between(label: str, key: str, value: Ends, least: int = 0) -> Ends:
    """A share in percent by its P10 and P90; at one place where it is sure."""
    low, high = st.slider(
        label, least, 100, (round(100 * value[0]), round(100 * value[1])), key=key, bind=QUERY
    )
    return low / 100, high / 100


def form() -> Answers:
    """The questions, with defaults; every answer is part of the address."""
    d = default
    chosen = st.multiselect(
        "Variants", books.of_makers(), list(d.variants), key="sim_variants", bind=QUERY,
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
    with st.expander("What succeeds, waits, is easy"):
        success = between("Sessions that solve their task, %", "success", d.success, least=1)
        can_wait = between("Traffic that can wait for a batch, %", "can_wait", d.can_wait)
        easy = between("Sessions easy enough for a smaller variant, %", "easy", d.easy)
        st.caption("Two ends apart are P10 and P90.")
    with st.expander("More workloads"):
        further = int(st.number_input("Workloads beside this one", 0, MOST_WORKLOADS - 1, 0,
                                      key="workloads", bind=QUERY))  # fmt: skip
        more = tuple(another(number + 2) for number in range(further))
    return Answers(
        more=more, users=users, users_sure=users_sure, sessions_per_user_day=sessions, turns=turns,
        calls_per_turn=calls, system_tokens=system, tools_tokens=tools,
        retrieved_tokens=retrieved, user_tokens=user, tool_result_tokens=result,
        output_tokens=output, output_sure=output_sure, reasoning_tokens=reasoning, effort=effort,
        variants=tuple(chosen), start=start, days=days, growth=growth / 100, ramp_days=ramp,
        batch=batch / 100, retry_rate=retries / 100, caching=caching, stable_prefix=stable,
        cap_usd=cap, success=success, can_wait=can_wait, easy=easy,
    )  # fmt: skip


def another(number: int) -> Answers:
    """A further workload: what differs between workloads, the rest is asked once."""
    d = default
    key = f"_{number}"
    name = st.text_input("Name", f"workload {number}", max_chars=60, key=f"name{key}", bind=QUERY)
    with st.container(horizontal=True):
        users = st.number_input("Users", 1.0, 1e9, d.users, step=100.0, key=f"users{key}",
                                bind=QUERY, format="%.0f")  # fmt: skip
        sessions = st.number_input("Sessions a user and day", 0.001, 1000.0,
                                   d.sessions_per_user_day, key=f"sessions{key}",
                                   bind=QUERY)  # fmt: skip
        turns = st.number_input("Questions a session", 1.0, 500.0, d.turns, step=1.0,
                                key=f"turns{key}", bind=QUERY, format="%.0f")  # fmt: skip
        calls = st.number_input("Calls a question", 1.0, 200.0, d.calls_per_turn, step=1.0,
                                key=f"calls{key}", bind=QUERY, format="%.0f")  # fmt: skip
    with st.container(horizontal=True):
        system = whole("System prompt, tokens", f"system{key}", d.system_tokens, 2_000_000)
        result = whole("Tool result, tokens", f"tool_result{key}", d.tool_result_tokens)
        output = max(1, whole("Answer, tokens", f"output{key}", d.output_tokens))
        reasoning = whole("Reasoning, tokens", f"reasoning{key}", d.reasoning_tokens)
    return Answers(
        name=name or f"workload {number}", users=users, sessions_per_user_day=sessions,
        turns=turns, calls_per_turn=calls, system_tokens=system, tool_result_tokens=result,
        output_tokens=output, reasoning_tokens=reasoning,
    )  # fmt: skip


def questions() -> None:
    """The form and its result, side by side."""
    left, right = st.columns([2, 3], gap="large")
    with left:
        answers = form()
    with right:
        if not answers.variants:
            st.info("Choose at least one variant.", icon=":material/arrow_back:")
            return
        text = scenario_text(answers)
        result(text, lambda: parse_scenario(text), text, answers.cap_usd,
               "The answers are part of the address: copy it to share this view.")  # fmt: skip


def result(
    text: str, scenario: Callable[[], Scenario], question: str, cap: float, shared: str,
    levers: bool = True,
) -> None:  # fmt: skip
    """Simulate and show, or say what is wrong with the scenario."""
    try:
        with st.spinner("Simulating …", show_time=False):
            answered, drawn = compute(books, scenario(), question, levers=levers)
    except (ScenarioError, CountingError) as error:
        # A line a problem, each a paragraph of its own; which file it is one can see.
        lines = str(error).splitlines()
        parts.problem("\n\n".join(line.removeprefix("scenario: ") for line in lines))
    else:
        show(answered, text, drawn, cap, shared)


def take_upload() -> None:
    """Put the uploaded file into the editor."""
    file = st.session_state.get("scenario_file")
    if file is not None:
        st.session_state["scenario_edit"] = file.getvalue().decode("utf-8", "replace")


def from_file() -> None:
    """A scenario file, uploaded or from a link, to look at, change and simulate."""
    if "scenario_edit" not in st.session_state:
        linked = unpacked(st.query_params.get("scenario", ""))
        st.session_state["scenario_edit"] = linked or scenario_text(default)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.file_uploader("Scenario (TOML)", ["toml"], key="scenario_file", max_upload_size=1,
                         on_change=take_upload)  # fmt: skip
        text = st.text_area("Scenario", key="scenario_edit", height=620,
                            label_visibility="collapsed")  # fmt: skip
        st.caption("Kept in this session only. Change it and press Ctrl+Enter.")
    link = packed(text)
    if link is None:
        st.query_params.pop("scenario", None)
    elif st.query_params.get("scenario") != link:
        st.query_params["scenario"] = link
    with right:
        result(text, lambda: uploaded_scenario(text), text, 0.0,
               "The scenario is part of the address: copy it to share this view." if link else
               "The scenario is too long for an address: share the file.")  # fmt: skip


def from_trace() -> None:
    """Recorded requests, drawn again as whole sessions at any volume."""
    left, right = st.columns([2, 3], gap="large")
    found: tuple[Trace, str] | None = None
    with left:
        chosen = st.multiselect("Variants", books.of_makers(), list(default.variants),
                                key="sim_variants", bind=QUERY,
                                accept_new_options=True)  # fmt: skip
        file = st.file_uploader(
            "Parquet, JSON lines or CSV: t_s or t_ms, input_tokens, output_tokens, hash_ids",
            list(traces.TYPES), key="sim_trace", max_upload_size=traces.MOST_MB,
        )  # fmt: skip
        mapping = st.text_input("Columns, ours=theirs", key="sim_map",
                                placeholder="input_tokens=prompt_len")  # fmt: skip
        try:
            if file is not None:
                data = file.getvalue()
                key = f"{traces.fingerprint(data)} {mapping}"
                rename = traces.rename_from(mapping)
                found = (
                    books.remember(
                        ("trace", key), lambda: traces.uploaded(file.name, data, rename=rename)
                    ),
                    key,
                )
        except TraceError as error:
            parts.problem(str(error))
        days = max(1, whole("Days", "sim_days", default.days, 3660))
    with right:
        if found is None or not chosen:
            st.info("Upload a trace and choose a variant. It stays on this machine, in memory.",
                    icon=":material/arrow_back:")  # fmt: skip
            return
        trace, name = found
        try:
            size = trace.block_size if trace.block_tokens is None else None
            text, got = fit_scenario(trace, file.name if file else name, chosen, size)
        except TraceError as error:
            parts.problem(str(error))
            return
    with left:
        measured = min(max(float(f"{got.sessions_per_day:.6g}"), 0.001), 1e9)
        rate = st.number_input("Sessions a day", 0.001, 1e9, measured, key="sim_rate",
                               help="As recorded; set what you expect.")  # fmt: skip
        certain = sure("How sure are you of it?", "users_sure", "exactly")
        st.caption(f"{got.requests:,} requests in {got.sessions:,} sessions, "
                   f"{got.span_days:.2f} days.")  # fmt: skip
    text = with_volume(text, rate, certain, days)
    with right, tempfile.TemporaryDirectory(prefix="tokenbooks-") as folder:

        def scenario() -> Scenario:
            path = Path(folder) / "trace.parquet"
            write_trace(trace, path)
            made = parse_scenario(text)
            made.workloads[0].trace = str(path)
            return made

        result(text, scenario, f"{name} {text}", 0.0,
               "The trace is not part of the address: share the trace and the scenario.",
               levers=trace.requests <= MOST_FOR_LEVERS)  # fmt: skip


origin = st.segmented_control("Start from", (QUESTIONS, SCENARIO, TRACE), default=QUESTIONS,
                              key="sim_from", required=True, bind=QUERY)  # fmt: skip
{QUESTIONS: questions, SCENARIO: from_file, TRACE: from_trace}[origin or QUESTIONS]()
