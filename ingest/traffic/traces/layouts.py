"""The column layouts of public traces, and what each column means here.

A layout is recognised by the columns it must have; the first match in the table wins, the
product's own names first. `columns` maps our name to theirs. `unit` is the unit of a numeric
time. Naming columns by hand (`--map input_tokens=prompt_len`) wins over every layout.

>>> recognise(["timestamp", "input_length", "output_length", "hash_ids"]).name
'mooncake'
>>> recognise(["TIMESTAMP", "ContextTokens", "GeneratedTokens"]).columns["input_tokens"]
'ContextTokens'
>>> recognise(["a", "b"]).name
'native'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

OURS = (
    "t_s", "t_ms", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
    "hash_ids", "block_tokens", "session", "turn", "model", "client",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How one published trace names its columns. ``block_size`` in tokens, where it is fixed."""

    name: str
    needs: frozenset[str]
    columns: dict[str, str] = field(default_factory=dict)
    block_size: int | None = None
    parent: tuple[str, str] | None = None  # (own id, id of the request it continues)
    source: str = ""
    untimed: bool = False  # a batch job: all requests at one moment, in the file's order


COMPONENT_COLUMNS = ("sys_prompt", "passages_ids", "history", "web_search", "user_input")

LAYOUTS = (
    Layout(
        "ragpulse",
        frozenset({"input_tokens", "output_tokens", *COMPONENT_COLUMNS}),
        {"t_s": "t_s", "session": "session"},
        source="https://github.com/flashserve/RAGPulse",
    ),
    Layout(
        "bailian",
        frozenset({"chat_id", "parent_chat_id", "timestamp", "input_length", "output_length"}),
        {"t_s": "timestamp", "input_tokens": "input_length", "output_tokens": "output_length"},
        block_size=16,
        parent=("chat_id", "parent_chat_id"),
        source="https://github.com/alibaba-edu/qwen-bailian-usagetraces-anon",
    ),
    Layout(
        "mooncake",
        frozenset({"timestamp", "input_length", "output_length", "hash_ids"}),
        {"t_ms": "timestamp", "input_tokens": "input_length", "output_tokens": "output_length"},
        block_size=512,
        source="https://github.com/kvcache-ai/Mooncake",
    ),
    Layout(
        "burstgpt",
        frozenset({"Timestamp", "Model", "Request tokens", "Response tokens"}),
        {
            "t_s": "Timestamp",
            "model": "Model",
            "input_tokens": "Request tokens",
            "output_tokens": "Response tokens",
            "session": "Session ID",
        },
        source="https://github.com/HPMLL/BurstGPT",
    ),
    Layout(
        "azure",
        frozenset({"TIMESTAMP", "ContextTokens", "GeneratedTokens"}),
        {
            "t_s": "TIMESTAMP",
            "input_tokens": "ContextTokens",
            "output_tokens": "GeneratedTokens",
        },
        source="https://github.com/Azure/AzurePublicDataset",
    ),
    Layout(
        "servegen-offline",
        frozenset({"request_id", "type", "input_length"}),
        {"input_tokens": "input_length", "output_tokens": "output_length"},
        block_size=16,
        source="https://github.com/alibaba/ServeGen (data/offline)",
        untimed=True,
    ),
    Layout(
        "timestamped",
        frozenset({"ts", "input_tokens", "output_tokens"}),
        {"t_s": "ts"},
    ),
)

NATIVE = Layout("native", frozenset())


def recognise(columns: Iterable[str]) -> Layout:
    """The layout whose needed columns are all there; the product's own names otherwise."""
    have = set(columns)
    if {"input_tokens", "output_tokens", "hash_ids"} <= have and have & {"t_s", "t_ms"}:
        return NATIVE
    for layout in LAYOUTS:
        if layout.needs <= have:
            return layout
    return NATIVE
