"""A recorded trace in memory: one row a request, prefix blocks in one flat array.

Two requests, the second continuing the first:

>>> import numpy as np
>>> trace = Trace(
...     time_us=np.array([0, 60_000_000]), input_tokens=np.array([700, 1400]),
...     output_tokens=np.array([50, 80]), ids=np.array([1, 2, 1, 2, 3]),
...     offsets=np.array([0, 2, 5]), block_size=512)
>>> trace.requests, trace.span_s
(2, 60.0)
>>> trace.select(np.array([1])).ids.tolist()
[1, 2, 3]
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pricing.caching import BlockStream

IntArray = npt.NDArray[np.int64]


class TraceError(ValueError):
    """A trace that cannot be read or used; the message says what to do."""


@dataclass(frozen=True)
class Trace:
    """Requests in file order. Times in microseconds from any origin, counts in tokens.

    ``output_tokens`` includes ``reasoning_tokens`` where those are known. ``sessions``, ``models``
    and ``clients`` are integer codes into the name lists beside them; ``turns`` count from 1.
    ``ids``/``offsets`` are the prefix blocks (see `pricing.caching.BlockStream`), None where the
    trace has none. A sampled request stands for ``weight`` of them.
    """

    time_us: IntArray
    input_tokens: IntArray
    output_tokens: IntArray
    reasoning_tokens: IntArray | None = None
    ids: npt.NDArray[Any] | None = None
    offsets: IntArray | None = None
    block_size: int | None = None
    block_tokens: IntArray | None = None
    sessions: IntArray | None = None
    turns: IntArray | None = None
    models: IntArray | None = None
    model_names: tuple[str, ...] = ()
    clients: IntArray | None = None
    client_names: tuple[str, ...] = ()
    name: str = "trace"
    layout: str = "native"
    session_origin: str = "none"
    notes: tuple[str, ...] = ()
    weight: float = 1.0
    _stream: list[BlockStream] = field(default_factory=list, repr=False, compare=False)

    @property
    def requests(self) -> int:
        """Number of requests."""
        return len(self.time_us)

    @property
    def session_count(self) -> int:
        """Number of sessions; 0 where none are known."""
        return 0 if self.sessions is None else len(np.unique(self.sessions))

    @property
    def has_blocks(self) -> bool:
        """Whether prefix blocks are known, so that caching can be replayed."""
        return self.ids is not None

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last request."""
        if not self.requests:
            return 0.0
        return float(self.time_us.max() - self.time_us.min()) / 1e6

    @property
    def own_clocks(self) -> bool:
        """Whether each session counts time from its own start, so that nothing says how sessions
        lie in time: most of them begin at the trace's first moment."""
        if self.layout == "agent-sessions":
            return True
        if self.sessions is None or self.session_origin != "column" or not self.requests:
            return False
        order = np.lexsort((self.time_us, self.sessions))
        codes = self.sessions[order]
        first = self.time_us[order][np.concatenate(([True], codes[1:] != codes[:-1]))]
        return len(first) >= 5 and float((first - first.min() < 1_000_000).mean()) > 0.5

    def stream(self) -> BlockStream:
        """The trace as the cache simulator takes it (built once)."""
        if self.ids is None or self.offsets is None:
            raise TraceError(
                f"{self.name}: no prefix blocks (hash_ids), caching cannot be replayed"
            )
        if not self._stream:
            self._stream.append(
                BlockStream(
                    self.time_us,
                    self.input_tokens,
                    self.ids,
                    self.offsets,
                    self.block_size if self.block_tokens is None else None,
                    self.block_tokens,
                    self.sessions,
                )
            )
        return self._stream[0]

    def select(self, index: npt.NDArray[Any]) -> Trace:
        """The rows of ``index`` (integers, in the order given, or a boolean mask)."""
        rows = np.flatnonzero(index) if index.dtype == bool else index
        ids = offsets = block_tokens = None
        if self.ids is not None and self.offsets is not None:
            lengths = np.diff(self.offsets)[rows]
            offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
            take = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
            take += np.arange(len(take))
            ids = self.ids[take]
            block_tokens = None if self.block_tokens is None else self.block_tokens[take]

        def at(column: IntArray | None) -> IntArray | None:
            return None if column is None else column[rows]

        return replace(
            self,
            time_us=self.time_us[rows],
            input_tokens=self.input_tokens[rows],
            output_tokens=self.output_tokens[rows],
            reasoning_tokens=at(self.reasoning_tokens),
            ids=ids,
            offsets=offsets,
            block_tokens=block_tokens,
            sessions=at(self.sessions),
            turns=at(self.turns),
            models=at(self.models),
            clients=at(self.clients),
            _stream=[],
        )

    def at_times(self, time_us: IntArray) -> Trace:
        """The same requests at other times, put in the order of those times."""
        moved = replace(self, time_us=time_us, _stream=[])
        order = np.argsort(time_us, kind="stable")
        if (order[1:] > order[:-1]).all():
            return moved
        return moved.select(order)
