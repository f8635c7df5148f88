"""Count a request to an OpenAI model: its text, and the text the API adds around it.

Example: ``{"messages": [{"role": "user", "content": "hi"}]}`` on gpt-4o is one message (3 for its
envelope, 1 for "user", 1 for "hi") and 3 for the start of the answer: 8 tokens. Rules and constants
are in ``openai.toml``, a set per family and endpoint.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from pricing.counting.conversation import (
    AddedTools,
    Call,
    Calls,
    Conversation,
    Message,
    ToolResult,
)
from pricing.counting.families import Family, Rules, table
from pricing.counting.images import image_tokens
from pricing.counting.schema import response_format
from pricing.counting.typescript import namespace

Count = Callable[[str], int]
FEW = 5  # recordings; a rule found on fewer widens the interval
UNKNOWN_SIZE = "image of unknown size"
_SYSTEM = ("system", "developer")


def count_parts(
    talk: Conversation, family: Family, rules: Rules, count: Count
) -> tuple[Counter[str], int, int, list[str]]:
    """Tokens by part, how much lower and higher the total may be, and notes.

    Images whose size is not in the request are what opens the interval here.
    """
    parts: Counter[str] = Counter(frame=rules.opening, hidden=rules.hidden)
    _turns(talk, rules, count, parts)
    _blocks(talk, rules, count, parts)
    if talk.format and rules.schema_forced >= 0:
        # The header of every earlier answer names the schema; so does that of the answer to come
        # when, without tools, it can be nothing else.
        answers = sum(isinstance(t, Message) and t.role == "assistant" for t in talk.turns)
        answers += not talk.tools
        parts["schema"] += answers * (count(talk.format.name) + rules.schema_forced)
    forced = talk.forced
    if talk.required and rules.required_forces and len(talk.tools) == 1:
        forced = talk.tools[0].name
    if forced and talk.tools and rules.forced >= 0:
        parts["tools"] += count(f"functions.{forced}") + rules.forced
    if talk.tools and not talk.parallel:
        parts["hidden"] += rules.no_parallel
    if talk.pro:
        parts["hidden"] += rules.pro
    below, above, notes = _images(talk, family, parts)
    return parts, below, above, notes


def _turns(talk: Conversation, rules: Rules, count: Count, parts: Counter[str]) -> None:
    for turn in talk.turns:
        if isinstance(turn, Message):
            parts["frame"] += rules.message + (count(turn.role) if rules.roles else 0)
            parts["messages"] += count(turn.text)
            if turn.role == "assistant":
                parts["frame"] += rules.assistant + (rules.commentary if turn.commentary else 0)
            if turn.name:
                # The header is "user:ann" in the newer format, "user name=ann" in the older one.
                named = count(f":{turn.name}") if rules.name_joined else 1 + count(turn.name)
                parts["frame"] += named
        elif isinstance(turn, ToolResult):
            parts["tool_calls"] += count(turn.text)
        elif isinstance(turn, AddedTools):
            block = count(namespace(turn.tools, rules.item_comments))
            names = sum(count(tool.name) for tool in turn.tools)
            parts["tools"] += block + names + max(0, rules.added_tools)
        else:
            parts["tool_calls"] += _calls(turn, rules, count)
    if any(call.stored for t in talk.turns if isinstance(t, Calls) for call in t.calls):
        parts["tool_calls"] += rules.stored_call


def _calls(turn: Calls, rules: Rules, count: Count) -> int:
    if len(turn.calls) > 1 and rules.parallel == "json":
        uses = [
            {"recipient_name": f"functions.{call.name}", "parameters": _parsed(call.arguments)}
            for call in turn.calls
        ]
        return rules.parallel_once + count(_compact({"tool_uses": uses}))
    each = rules.call if len(turn.calls) == 1 else rules.parallel_call
    total = rules.parallel_once if len(turn.calls) > 1 else 0
    return total + sum(each + _call(call, rules, count) for call in turn.calls)


def _call(call: Call, rules: Rules, count: Count) -> int:
    # The name stands in the header of the call and again in that of its result.
    full = count(f"{call.namespace}.{call.name}")
    named = full + (full if rules.result_named else count(call.name))
    return named + count(_compact(_parsed(call.arguments)))


def _parsed(arguments: str) -> object:
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return arguments  # not JSON: it is billed as the text it is


def _compact(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _blocks(talk: Conversation, rules: Rules, count: Count, parts: Counter[str]) -> None:
    """Tools and schema: after the first system message, or in a message of their own.

    Joined text is encoded as a whole, because a full stop and the blank line after it are one
    token; each block is charged with what it adds.
    """
    text = ""
    joined = False
    if rules.tools_joined:
        system = (t.text for t in talk.turns if isinstance(t, Message) and t.role in _SYSTEM)
        first = next(system, None)
        joined = first is not None
        text = first or ""
    before = count(text)
    for part, block in (
        ("tools", namespace(talk.tools, rules.item_comments) if talk.tools else ""),
        ("schema", response_format(talk.format) if talk.format else ""),
    ):
        if not block:
            continue
        if not rules.tools_joined:
            parts[part] += count(block)
            continue
        text = f"{text}\n\n{block}" if text else block
        after = count(text)
        parts[part] += after - before
        before = after
    if talk.tools:
        parts["tools"] += rules.tools + (0 if joined else rules.tools_frame)
        for tool in talk.tools:
            if not tool.description.strip():
                parts["tools"] += rules.tools_bare
            elif count(tool.description.strip()[-1] + "\n") > 1:
                parts["tools"] += rules.tools_line
        parts["hidden"] += rules.preamble
        parts["hidden"] += rules.multi_tool if talk.parallel else 0
    elif talk.format and not joined:
        parts["schema"] += rules.schema_frame


def features(talk: Conversation) -> set[str]:
    """What a request holds that has a rule of its own, in the words of the table's ``seen``."""
    held = {"text"}
    for turn in talk.turns:
        if isinstance(turn, Message):
            held |= {"assistant"} if turn.role == "assistant" else set()
            held |= {"name"} if turn.name else set()
        elif isinstance(turn, AddedTools):
            held.add("added tools")
        elif isinstance(turn, Calls):
            held.add("parallel" if len(turn.calls) > 1 else "calls")
            held |= {"stored calls"} if any(call.stored for call in turn.calls) else set()
        else:
            held.add("calls")
    for what, there in (
        ("tools", talk.tools),
        ("schema", talk.format),
        ("images", talk.images),
        ("named tool", talk.forced),
        ("pro", talk.pro),
        ("no parallel calls", talk.tools and not talk.parallel),
    ):
        held |= {what} if there else set()
    return held


def margin(total: int, held: set[str], rules: Rules) -> int:
    """Half the width of the interval of a reconstructed count, in tokens.

    2 % and at least 2: what nine in ten recorded requests with tools or a schema keep. A rule found
    on one to four recordings may be off by a few tokens more, one taken over from another family
    or endpoint by about as much as those differ among themselves (3 to 12).
    """
    fewest = min(rules.seen.get(what, FEW) for what in held)
    more = 0 if fewest >= FEW else 4 if fewest else 12
    return max(2, round(0.02 * total)) + more


def server_room(talk: Conversation) -> tuple[int, bool]:
    """Tokens that what only the server can count may add at most, and whether it may lower too.

    An image of unknown size is not in it: its own interval is.
    """
    most = table()["server"]["most"]
    doubts = {what: n for what, n in talk.doubts.items() if what != UNKNOWN_SIZE}
    room = sum(n * most.get(what, most["any"]) for what, n in doubts.items())
    return room, any(what in table()["server"]["shrinks"] for what in doubts)


def _images(talk: Conversation, family: Family, parts: Counter[str]) -> tuple[int, int, list[str]]:
    below = above = 0
    notes: list[str] = []
    if not talk.images:
        return 0, 0, notes
    if family.image is None:
        talk.doubt(f"images: no rule for {family.name}")
        return 0, 0, notes
    for number, image in enumerate(talk.images, start=1):
        tokens = image_tokens(family.image, image.source, image.detail)
        parts["images"] += tokens.total
        below += tokens.total - tokens.low
        above += tokens.high - tokens.total
        if tokens.low != tokens.high:
            talk.doubt(UNKNOWN_SIZE)
            notes.append(f"Image {number}: its size is not in the request; 1024 x 1024 assumed.")
    return below, above, notes
