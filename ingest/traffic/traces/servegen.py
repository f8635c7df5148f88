"""ServeGen: measured rates and lengths of a cloud API's clients, sampled into single requests.

The published tables are not requests but, for every client, requests a second in ten-minute
windows, and quantiles of the lengths in six-hour windows. Requests are drawn from them: as many a
window and client as their rate asks for, at times that are Gamma as measured, lengths by the
quantiles of that client and window (of all clients of the model where a client has none). Hundreds
of millions of requests are thinned; each then stands for `weight` of them.
https://github.com/alibaba/ServeGen
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ingest.traffic.traces.tables import Column, read_table
from ingest.traffic.traces.trace import Trace, TraceError

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = npt.NDArray[np.float64]

RATES = frozenset({"model", "client", "t_s", "req_per_s"})
LENGTHS = frozenset({"model", "client", "t_s", "field", "quantiles_0_100"})
SAMPLE = 50_000
_WINDOW_S, _LENGTH_WINDOW_S = 600, 21_600


def sampled(path: Path, rates: pa.Table, lengths: str | Path | None, seed: int = 0) -> Trace:
    """Requests drawn from a table of rates. TraceError names the table of lengths it needs."""
    found = Path(lengths) if lengths else _sibling(path)
    if found is None or not found.exists():
        raise TraceError(
            f"{path}: holds request rates, not requests; the table of their lengths (model, "
            f"client, t_s, field, quantiles_0_100) is needed: name it with --components"
        )
    table = read_table(found)
    if not set(table.column_names) >= LENGTHS:
        raise TraceError(f"{found}: a table of lengths needs {', '.join(sorted(LENGTHS))}")
    expected = np.nan_to_num(rates["req_per_s"].to_numpy().astype(np.float64)) * _WINDOW_S
    total = float(expected.sum())
    if not total > 0:
        raise TraceError(f"{path}: no window has a rate above zero")
    weight = max(1.0, total / SAMPLE)
    rng = np.random.default_rng(seed)
    number = rng.poisson(expected / weight)
    row = np.repeat(np.arange(len(number)), number)
    start = rates["t_s"].to_numpy().astype(np.int64)[row]
    time = np.round((start + rng.random(len(row)) * _WINDOW_S) * 1e6).astype(np.int64)
    models, model_names = _codes(rates["model"])
    clients, client_names = _codes(rates["client"])
    order = np.argsort(time, kind="stable")
    row, time, start = row[order], time[order], start[order]
    book = _Lengths(table, model_names, client_names)
    u = rng.random((2, len(row)))
    model, client = models[row], clients[row]
    inputs = book.draw("input_tokens", model, client, start, u[0])
    outputs = book.draw("output_tokens", model, client, start, u[1])
    # Each client is told apart by its model too: the numbers begin anew in every series.
    both, client_of = np.unique(model * (len(client_names) + 1) + client, return_inverse=True)
    names = tuple(
        f"{model_names[b // (len(client_names) + 1)]}/{client_names[b % (len(client_names) + 1)]}"
        for b in both.tolist()
    )
    return Trace(
        time_us=time, input_tokens=inputs, output_tokens=outputs, models=model,
        model_names=model_names, clients=client_of.reshape(-1), client_names=names,
        name=path.name, layout="servegen", weight=weight,
        notes=(
            f"drawn from measured rates and lengths: {len(row):,} requests, each of which stands "
            f"for {weight:,.1f}",
            "no hash_ids: caching is not replayed, every input token is new",
        ),
    )  # fmt: skip


def _sibling(path: Path) -> Path | None:
    found = sorted(path.parent.glob(f"{path.name.split('_')[0]}_length*{path.suffix}"))
    return found[0] if found else None


def _codes(column: Column) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    coded = column.combine_chunks().dictionary_encode()
    names = tuple(str(v) for v in coded.dictionary.to_pylist())
    return coded.indices.to_numpy().astype(np.int64), names


class _Lengths:
    """Quantiles by field, model, client and window, with the model's mean where one is missing."""

    def __init__(self, table: pa.Table, models: tuple[str, ...], clients: tuple[str, ...]) -> None:
        self.known: dict[tuple[str, int, int, int], FloatArray] = {}
        of_model: dict[tuple[str, int], list[FloatArray]] = {}
        names = ("model", "client", "t_s", "field", "quantiles_0_100")
        for model, client, t, field, values in zip(
            *(table[n].to_pylist() for n in names), strict=True
        ):
            if str(model) not in models or str(client) not in clients or not values:
                continue
            m, c = models.index(str(model)), clients.index(str(client))
            quantiles = np.asarray(values, dtype=np.float64)
            self.known[field, m, c, int(t) // _LENGTH_WINDOW_S] = quantiles
            of_model.setdefault((field, m), []).append(quantiles)
        self.typical = {key: np.mean(rows, axis=0) for key, rows in of_model.items()}
        self.models = models

    def draw(
        self,
        field: str,
        model: npt.NDArray[np.int64],
        client: npt.NDArray[np.int64],
        start: npt.NDArray[np.int64],
        u: FloatArray,
    ) -> npt.NDArray[np.int64]:
        """Whole tokens at probabilities ``u``."""
        window = start // _LENGTH_WINDOW_S
        keys = np.stack((model, client, window))
        groups, where = np.unique(keys, axis=1, return_inverse=True)
        out = np.zeros(len(u))
        where = where.reshape(-1)
        for g, (m, c, w) in enumerate(groups.T.tolist()):
            table = self.known.get((field, m, c, w))
            table = self.typical.get((field, m)) if table is None else table
            if table is None:
                raise TraceError(f"no lengths ({field}) for {self.models[m]}")
            mine = where == g
            out[mine] = np.interp(u[mine], np.linspace(0, 1, len(table)), table)
        return np.maximum(np.round(out), 0).astype(np.int64)
