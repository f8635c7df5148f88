"""Make whole sessions from a described structure, as a trace the cache simulator can read.

A prompt is system prompt, tools, history, then what is retrieved for this turn and the user's
message; calls within a turn append the model's call and the tool's result. Every piece is a
prefix block with its own length, so that what repeats and what does not is exact. A session has
its own size and pace (`session_spread`, the sd of a log factor): sessions differ more between
each other than turns within one, and pooling that away misses agent bills by a quarter to a half.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.traffic.scenarios.lengths import mean_of, quantile_of
from ingest.traffic.scenarios.numbers import Length, ScenarioError, middle, numbers_of
from ingest.traffic.scenarios.scenario import Structure, Workload
from ingest.traffic.simulation.sobol import normal
from ingest.traffic.traces.trace import Trace
from pricing.json_types import JsonDict, JsonList

FloatArray = npt.NDArray[np.float64]

LIBRARY_CALLS = 12_000
MIN_SESSIONS = 150
MAX_SESSIONS = 1_500
_SYSTEM, _TOOLS, _FIRST_OWN = 0, 1, 2


def count_file(path: str, variant: str, kind: str = "system") -> int:
    """Tokens of a prompt file in the variant's own encoding, as a system message is billed.

    With kind "tools" a JSON list of tool definitions is counted as the API renders it. Raises
    ScenarioError for a file that cannot be read, LookupError for a variant without an encoding.
    """
    import json

    from pricing.counting import UnknownModelError, count_request

    try:
        text = Path(path).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not UTF-8 text") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    request: dict[str, object] = {"messages": [{"role": "user", "content": ""}]}
    bare = dict(request)
    request = {"messages": [{"role": "system", "content": text}, *bare["messages"]]}  # type: ignore[misc]
    if kind == "tools":
        try:
            tools = json.loads(text)
        except ValueError:
            tools = None
        if isinstance(tools, JsonList) and all(isinstance(t, JsonDict) for t in tools):
            request = {**bare, "tools": tools}
    model = variant.rsplit("/", 1)[-1]
    try:
        return int(count_request(request, model).total - count_request(bare, model).total)
    except UnknownModelError as error:
        raise LookupError(str(error)) from error


def shared_tokens(structure: Structure, variant: str) -> tuple[int, int]:
    """System prompt and tool tokens; files are counted, numbers taken as they are."""
    system = (
        count_file(structure.system_file, variant)
        if structure.system_file
        else round(middle(structure.system_tokens))
    )
    tools = (
        count_file(structure.tools_file, variant, "tools")
        if structure.tools_file
        else round(middle(structure.tools_tokens))
    )
    return system, tools


def calls_per_session(workload: Workload) -> float:
    """Expected calls a session."""
    s = workload.structure
    return max(mean_of(s.turns), 1.0) * max(mean_of(s.calls_per_turn), 1.0)


def library_size(workload: Workload) -> int:
    """How many sessions to make: enough to be smooth, not more than a second's work."""
    return int(np.clip(LIBRARY_CALLS / calls_per_session(workload), MIN_SESSIONS, MAX_SESSIONS))


def make_sessions(
    workload: Workload,
    variant: str,
    sessions: int,
    sessions_per_day: float,
    seed: int,
    shared: tuple[int, int] | None = None,
) -> Trace:
    """``sessions`` whole sessions, started at random at the given rate over a day's shape."""
    s = workload.structure
    system, tools = shared or shared_tokens(s, variant)
    rng = np.random.default_rng(seed)
    span_days = max(sessions / max(sessions_per_day, 1e-9), 1e-6)
    starts = np.sort(_starts(rng, sessions, span_days, numbers_of(workload.volume.hour_shape)))
    # One stratified uniform a session and trait: small libraries keep their means.
    trait = (np.argsort(rng.random((3, sessions)), axis=1) + rng.random((3, sessions))) / sessions
    turns = np.maximum(np.round(quantile_of(s.turns, trait[0])), 1).astype(np.int64)
    spread = middle(s.session_spread)
    size = np.exp(spread * normal(trait[1]) - spread * spread / 2)
    pace = np.exp(spread * normal(trait[2]) - spread * spread / 2)
    draw = _Draws(workload, rng)
    rows: list[tuple[float, int, int, int, int, list[int], list[int], int]] = []
    fresh = _FIRST_OWN
    at_tokens, keep = workload.compaction.at_tokens, middle(workload.compaction.keep_share)
    limit = None if at_tokens is None else middle(at_tokens)
    times = middle(workload.output.n)
    for k in range(sessions):
        head_ids, head_len = [_SYSTEM, _TOOLS], [system, tools]
        if not workload.cache.stable_prefix:
            # A changing beginning (a date, a name) makes every prompt a new one.
            head_ids = [fresh, fresh + 1]
            fresh += 2
        past_ids: list[int] = []
        past_len: list[int] = []
        now = float(starts[k])
        for turn in range(int(turns[k])):
            if turn:
                now += draw("turn_gap") * pace[k]
            calls = max(round(draw("calls")), 1)
            user = max(round(draw("user") * size[k]), 1) + draw.images()
            lead = round(draw("retrieved") * size[k])
            now_ids, now_len = [fresh, fresh + 1], [lead, user]
            fresh += 2
            reply = 0
            for call in range(calls):
                if call:
                    now += draw("call_gap") * pace[k]
                    now_ids += [fresh, fresh + 1]
                    now_len += [reply, round(draw("tool") * size[k])]
                    fresh += 2
                if not workload.cache.stable_prefix:
                    head_ids = [fresh, fresh + 1]
                    fresh += 2
                ids, lens = head_ids + past_ids + now_ids, head_len + past_len + now_len
                total = sum(lens)
                if limit is not None and total > limit and past_len:
                    # Compaction: one more call reads the history and answers with its summary;
                    # the next prompt begins anew.
                    kept = round(sum(past_len) * keep)
                    asked, sizes = head_ids + past_ids, head_len + past_len
                    rows.append((now, k, sum(sizes), kept, 0, asked, sizes, turn + 1))
                    past_ids, past_len = [fresh], [kept]
                    fresh += 1
                    ids, lens = head_ids + past_ids + now_ids, head_len + past_len + now_len
                    total = sum(lens)
                reply, thinking = draw.reply()
                billed, thought = round((reply + thinking) * times), round(thinking * times)
                rows.append((now, k, total, billed, thought, ids, lens, turn + 1))
            if s.history:
                # What was retrieved is dropped from history; the rest stands at a new place.
                moved = now_ids[1:]
                if lead:
                    moved = list(range(fresh, fresh + len(moved)))
                    fresh += len(moved)
                past_ids = [*past_ids, *moved, fresh]
                past_len = [*past_len, *now_len[1:], reply]
                fresh += 1
    rows.sort(key=lambda r: r[0])
    flat = [i for r in rows for i in r[5]]
    lengths = [n for r in rows for n in r[6]]
    cuts = np.cumsum([0, *(len(r[5]) for r in rows)])
    return Trace(
        time_us=np.array([round(r[0] * 1e6) for r in rows], dtype=np.int64),
        input_tokens=np.array([r[2] for r in rows], dtype=np.int64),
        output_tokens=np.array([r[3] for r in rows], dtype=np.int64),
        reasoning_tokens=np.array([r[4] for r in rows], dtype=np.int64),
        ids=np.array(flat, dtype=np.int64),
        offsets=cuts.astype(np.int64),
        block_tokens=np.array(lengths, dtype=np.int64),
        sessions=np.array([r[1] for r in rows], dtype=np.int64),
        turns=np.array([r[7] for r in rows], dtype=np.int64),
        name=workload.name,
        layout="made",
        session_origin="made",
    )


class _Draws:
    """Streams of lengths, drawn in blocks."""

    def __init__(self, workload: Workload, rng: np.random.Generator) -> None:
        s, o = workload.structure, workload.output
        self.rng = rng
        self.workload = workload
        self.lengths: dict[str, Length] = {
            "turn_gap": s.turn_gap_s,
            "call_gap": s.call_gap_s,
            "calls": s.calls_per_turn,
            "user": s.user_tokens,
            "retrieved": s.retrieved_tokens,
            "tool": s.tool_result_tokens,
            "output": o.tokens,
            "reasoning": o.reasoning_tokens,
        }
        self.left: dict[str, list[float]] = {}
        self.per_image = middle(workload.images.tokens_each)
        self.images_mean = middle(workload.images.per_turn)
        self.cap = None if o.max_output is None else round(middle(o.max_output))

    def __call__(self, name: str) -> float:
        block = self.left.get(name)
        if not block:
            n = 2048
            u = (self.rng.permutation(n) + self.rng.random(n)) / n
            block = quantile_of(self.lengths[name], u).tolist()
            self.left[name] = block
        return block.pop()

    def images(self) -> int:
        """Tokens of a turn's images; a fractional number of images is drawn."""
        if not self.images_mean:
            return 0
        return round(self.per_image * self.rng.poisson(self.images_mean))

    def reply(self) -> tuple[int, int]:
        """Visible and reasoning tokens of one answer, within the maximum output."""
        visible, thinking = round(self("output")), round(self("reasoning"))
        cap = self.cap
        if cap is not None and visible + thinking > cap:
            thinking = min(thinking, cap)
            visible = cap - thinking
        return visible, thinking


def _starts(
    rng: np.random.Generator, n: int, span_days: float, shape: list[float] | None
) -> FloatArray:
    """Start times in seconds, evenly spread at random; a day's shape moves them within days."""
    at = np.sort((np.arange(n) + rng.random(n)) / n) * span_days
    if shape is None or span_days < 1 or sum(shape) <= 0:
        return at * 86_400
    whole, part = np.divmod(at, 1.0)
    cumulative = np.concatenate(([0.0], np.cumsum(shape))) / sum(shape)
    return (whole + np.interp(part, cumulative, np.arange(25) / 24)) * 86_400
