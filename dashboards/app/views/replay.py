"""Replay: a recorded trace through prompt-cache rules and the prices of any variant."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboards.app import parts, source, traces, traffic_charts
from dashboards.app.parts import Column
from dashboards.app.scenarios import COMPARED
from ingest.traffic import CataloguePrices, TraceError, replay
from pricing.money import pico_from_usd

if TYPE_CHECKING:
    from ingest.traffic import Trace

books = source.current()
QUERY: Any = "query-params"
EXAMPLE, UPLOAD, FILE = "Example", "Upload", "File beside the store"


def chosen_trace() -> tuple[Trace, str] | None:
    """The trace to replay and what tells it apart; None while there is none."""
    origin = st.segmented_control(
        "Trace", (EXAMPLE, UPLOAD, FILE), default=EXAMPLE, key="trace_from", required=True,
    )  # fmt: skip
    if origin == EXAMPLE:
        st.caption("Made up: an assistant with tools, 250 sessions of four questions.")
        return books.remember("made-up trace", traces.made_up), "example"
    with st.expander("Columns and blocks"):
        size = int(st.number_input("Tokens a block (0: read off the trace)", 0, 65_536, 0,
                                   key="block"))  # fmt: skip
        mapping = traces.rename_from(
            st.text_area("Columns, ours=theirs", key="map", placeholder="input_tokens=prompt_len")
        )
        pieces = st.file_uploader("Lengths of prompt components", list(traces.TYPES), key="pieces",
                                  max_upload_size=traces.MOST_MB)  # fmt: skip
    options = repr((size, sorted(mapping.items())))
    if origin == FILE:
        folder = books.path.resolve().parent
        name = st.text_input("Path below the store's folder", key="trace_path",
                             placeholder="traces/pilot.parquet")  # fmt: skip
        if not name:
            return None
        key = f"{name} {options} {_stamp(folder / name)}"
        return books.remember(
            ("trace", key),
            lambda: traces.beside(name, folder, block_size=size or None, rename=mapping),
        ), key
    file = st.file_uploader(
        "Parquet, JSON lines or CSV: t_s or t_ms, input_tokens, output_tokens, hash_ids",
        list(traces.TYPES), key="trace_file", max_upload_size=traces.MOST_MB,
    )  # fmt: skip
    if file is None:
        return None
    data = file.getvalue()
    extra = (pieces.name, pieces.getvalue()) if pieces is not None else None
    key = f"{traces.fingerprint(data)} {options} {extra and traces.fingerprint(extra[1])}"
    return books.remember(
        ("trace", key),
        lambda: traces.uploaded(file.name, data, block_size=size or None, rename=mapping,
                                components=extra),
    ), key  # fmt: skip


def _stamp(path: Any) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _pico(text: str | None) -> int | None:
    return None if text is None else pico_from_usd(Decimal(text))


def show(answer: dict[str, Any], curve: list[dict[str, Any]]) -> None:
    """Figures, the variants with and without their cache, and what the lifetime does."""
    first = answer["variants"][0]
    with st.container(horizontal=True):
        st.metric("Requests", parts.count(answer["requests"]))
        st.metric("Input tokens", parts.count(answer["input_tokens"]))
        st.metric("Output tokens", parts.count(answer["output_tokens"]))
        st.metric(f"From the cache on {first['variant']}", parts.share(first["cached_share"]))
    rows: list[dict[str, Any]] = [
        {
            "variant": v["variant"],
            "cost": _pico(v["cost_usd"]),
            "without": _pico(v["cost_without_cache_usd"]),
            "cached": v["cached_share"], "written": v["cache_write_tokens"],
            "lifetime": f"{v['rule']['ttl_s']:,.0f} s", "minimum": v["rule"]["min_tokens"],
            "step": v["rule"]["step"], "rule": v["rule"]["source"],
            "status": v.get("reason") or v["status"],
        }
        for v in answer["variants"]
    ]  # fmt: skip
    drawn = traces.cost_rows(answer["variants"])
    if drawn:
        best = min((r for r in rows if r["cost"] is not None), key=lambda r: r["cost"])
        st.markdown(
            f"**{best['variant']}** is the cheapest of these: {parts.money(best['cost'])} for this "
            f"trace ({parts.money(best['without'])} without caching).".replace("$", "\\$")
        )
        parts.draw(
            traffic_charts.with_and_without(drawn), key="chart_replay",
            alt="; ".join(f"{d['name']} {d['kind']} {d['label']}" for d in drawn[:8]),
        )  # fmt: skip
    for v in answer["variants"]:
        if v["cost_usd"] is None:
            why = v.get("reason", "it has no price")
            st.warning(f"**{v['variant']}**: no cost is shown, because {why}",
                       icon=":material/help:")  # fmt: skip
    parts.table(
        rows,
        [
            Column("variant", "Variant"), Column("cost", "Cost", "usd"),
            Column("without", "Without cache", "usd"), Column("cached", "Cached", "share"),
            Column("written", "Written to the cache", "count"), Column("lifetime", "Lifetime"),
            Column("minimum", "Minimum", "count", "Shortest prompt that is cached"),
            Column("step", "Step", "count"), Column("rule", "Rule"), Column("status", "Price"),
        ],
        "replay", alt="The trace's cost on each variant",
    )  # fmt: skip
    if curve:
        st.header("What a longer lifetime would add", anchor=False)
        parts.chart(
            traffic_charts.lifetimes(curve), curve,
            [Column("words", "Lifetime"), Column("cached", "Cached tokens", "count"),
             Column("share", "Share", "share")],
            "lifetimes",
            caption=f"Share of input tokens read from the cache, with a minimum of "
            f"{first['rule']['min_tokens']:,} and steps of {first['rule']['step']:,} tokens.",
            alt=", ".join(f"{r['words']}: {r['label']}" for r in curve),
        )  # fmt: skip
    for note in answer["notes"]:
        st.caption(f"{note[:1].upper()}{note[1:]}.")


left, right = st.columns([2, 3], gap="large")
found: tuple[Trace, str] | None = None
with left:
    variants = st.multiselect(
        "Variants", books.of_makers(), COMPARED,
        key="replay_variants", bind=QUERY, accept_new_options=True,
    )  # fmt: skip
    try:
        found = chosen_trace()
    except TraceError as error:
        parts.problem(traces.in_fields(str(error)))
    scope = st.segmented_control("Cache shared by", ("all", "session"), default="all", key="scope",
                                 required=True, bind=QUERY)  # fmt: skip
    own = st.toggle("Each variant's own cache rule", True, key="own_rule", bind=QUERY)
    given: dict[str, Any] = {}
    if not own:
        given["ttl"] = float(st.number_input("Lifetime, seconds", 0, 10_000_000, 300, key="ttl",
                                             bind=QUERY))  # fmt: skip
        given["min_tokens"] = int(st.number_input("Minimum, tokens", 0, 1_000_000, 1024, key="min",
                                                  bind=QUERY))  # fmt: skip
        given["step"] = int(st.number_input("Step, tokens", 1, 1_000_000, 128, key="step",
                                            bind=QUERY))  # fmt: skip
    st.caption("Variants and rules are part of the address: copy it to share this view.")
with right:
    if found is None:
        st.info("Choose a trace on the left.", icon=":material/arrow_back:")
    elif not variants:
        st.info("Choose at least one variant.", icon=":material/arrow_back:")
    else:
        trace, name = found
        question = (name, tuple(variants), scope, tuple(given.items()), books.catalogue.version)
        try:
            with st.spinner("Replaying …", show_time=False):
                result = books.remember(
                    ("replay", *question),
                    lambda: replay(trace, variants, CataloguePrices(books.catalogue),
                                   scope=scope or "all", **given),
                )  # fmt: skip
                rule = result["variants"][0]["rule"]
                lines = books.remember(
                    ("lifetimes", *question),
                    lambda: traces.by_lifetime(trace, scope or "all", rule["min_tokens"],
                                               rule["step"]) if trace.has_blocks else [],
                )  # fmt: skip
        except TraceError as error:
            parts.problem(traces.in_fields(str(error)))
        else:
            show(result, lines)
