"""Tokens of a unit on a model: an interval, its basis, and the prefix that never changes.

A unit is rendered at the low, expected and high size of its variables, and once more with other
values of the expected size. Each distinct text is tokenised once for each vocabulary, however many
models share it. Example: "Hello {{ name }}" with `name = [1, 5, 50]` is 2, 6 and 51 tokens on
gpt-4o, and its unchanging prefix is 1 token ("Hello").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from budgets.check.config import Image, Traffic, Variable
from budgets.check.errors import PromptError
from budgets.check.prompts import Body, Unit
from budgets.check.prompts.bodies import as_chat, is_anthropic
from budgets.check.tree import Tree
from budgets.check.variables import values
from pricing.counting import (
    CountingError,
    RequestTokens,
    TextTokens,
    UnknownModelError,
    VocabularyError,
    count_request,
    count_text,
    endpoint_of,
)
from pricing.counting.families import openai_family
from pricing.counting.images import image_tokens
from pricing.counting.vendors import vendor_of


@dataclass(frozen=True)
class Renders:
    """The bodies of one unit: at three sizes, and with other values (None: it cannot differ)."""

    low: Body
    expected: Body
    high: Body
    other: Body | None


@dataclass(frozen=True)
class Tokens:
    """Input tokens a call. `prefix` is how many leading ones are the same in every call."""

    low: int
    expected: int
    high: int
    basis: str
    encoding: str
    prefix: int
    parts: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()


def render(unit: Unit, traffic: Traffic, tree: Tree) -> Renders:
    """Render a unit at every size its variables have. Raises :class:`PromptError`."""
    # No names known (a dynamic include): every declared variable may matter.
    declared = {
        name: each
        for name, each in traffic.variables.items()
        if name in unit.variables or not unit.variables
    }
    if not unit.templated:
        body = unit.render(values({}, unit.defaults, "expected", tree))
        return Renders(body, body, body, None)
    unit.files |= {v.sample for v in declared.values() if v.sample}
    expected = unit.render(values(declared, unit.defaults, "expected", tree))
    low = high = expected
    if any(_varies(each) for each in declared.values()):
        low = unit.render(values(declared, unit.defaults, "low", tree))
        high = unit.render(values(declared, unit.defaults, "high", tree))
    other = unit.render(values(declared, unit.defaults, "expected", tree, other=True))
    return Renders(low, expected, high, other)


def _varies(variable: Variable) -> bool:
    sizes = [s for s in (variable.tokens, variable.items) if s is not None]
    return any(s.low != s.high for s in sizes)


@lru_cache(maxsize=256)
def _vocabulary(model: str) -> str:
    """What decides the count of a bare text: an encoding, or a vendor's ratio."""
    family = openai_family(model)
    return family.encoding if family is not None else "vendor " + vendor_of(model).name


class Counter:
    """Counts texts and bodies, each distinct one once. Raises :class:`PromptError`."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], TextTokens] = {}

    def known(self, model: str) -> None:
        """Fail early, once a model: unknown name, or vocabulary that cannot be trusted."""
        self.text("the", model)

    def text(self, text: str, model: str) -> TextTokens:
        """Tokens of a bare text."""
        try:
            key = (_vocabulary(model), text)
            if key not in self._texts:
                self._texts[key] = count_text(text, model)
            return self._texts[key]
        except CountingError as error:
            raise _problem(error) from error

    def body(self, body: Body, model: str) -> RequestTokens:
        """Tokens of a body: bare text, tools alone, or a whole request."""
        if body.request is None and not body.messages and not body.tools:
            found = self.text(body.text, model)
            return RequestTokens(
                found.total, found.low, found.high, found.basis, {"text": found.total}, model,
                encoding=found.encoding, notes=found.notes,
            )  # fmt: skip
        request = body.as_request()
        try:
            if not body.messages and body.request is None:
                return _countable(_tools_alone(request, model))
            if body.request is not None:
                request = _spoken(request, model)
            endpoint = "chat.completions"
            if (body.request is not None and "messages" not in request) or (
                body.request is not None and openai_family(model) is None
            ):
                endpoint = endpoint_of(request, model)
            counted = count_request(request, model, endpoint)
        except CountingError as error:
            raise _problem(error) from error
        return _countable(counted)


def _countable(found: RequestTokens) -> RequestTokens:
    if not found.countable:
        raise PromptError("server-side", found.notes[0])
    return found


def _spoken(request: dict[str, Any], model: str) -> dict[str, Any]:
    """The body as the model's maker has it; one written for another's API is brought over."""
    name = model.lower()
    if is_anthropic(request) if "claude" in name else "contents" in request and "gemini" in name:
        return request
    return as_chat(request)


def _tools_alone(request: dict[str, Any], model: str) -> RequestTokens:
    """What a list of tools adds to a request: the request with them less the one without."""
    user = [{"role": "user", "content": "x"}]
    without = count_request({"messages": user}, model)
    with_tools = count_request({**request, "messages": user}, model)
    total = with_tools.total - without.total
    below, above = with_tools.total - with_tools.low, with_tools.high - with_tools.total
    parts = {k: v for k, v in with_tools.parts.items() if k in ("tools", "hidden") and v}
    parts["frame"] = total - sum(parts.values())
    return replace(
        with_tools, total=total, low=max(0, total - below), high=total + above,
        parts={k: v for k, v in parts.items() if v},
    )  # fmt: skip


def _problem(error: CountingError) -> PromptError:
    if isinstance(error, UnknownModelError):
        return PromptError("unknown-model", str(error))
    if isinstance(error, VocabularyError):
        return PromptError("missing-vocabulary", str(error))
    return PromptError("unknown-shape", str(error))


def measure(renders: Renders, model: str, images: tuple[Image, ...], counter: Counter) -> Tokens:
    """Count a unit's renders on one model. Raises :class:`PromptError`."""
    middle = counter.body(renders.expected, model)
    low = middle if renders.low is renders.expected else counter.body(renders.low, model)
    high = middle if renders.high is renders.expected else counter.body(renders.high, model)
    if renders.expected.media and not images:
        raise PromptError(
            "media-undeclared", f"it sends {renders.expected.media} images or files: declare them "
            "in [check.traffic] images.",
        )  # fmt: skip
    pictures = sum(_image(each, model) * each.count for each in images)
    parts = dict(middle.parts)
    if pictures:
        parts["images"] = parts.get("images", 0) + pictures
    prefix = (
        middle.total
        if renders.other is None or renders.other == renders.expected
        else _prefix(renders.expected, renders.other, model, counter)
    )
    return Tokens(
        low.low + pictures, middle.total + pictures, high.high + pictures, str(middle.basis),
        middle.encoding, min(prefix, middle.total), parts, tuple(middle.notes),
    )  # fmt: skip


def _image(image: Image, model: str) -> int:
    family = openai_family(model)
    if family is None or family.image is None:
        raise PromptError("server-side", f"images on {model} can only be counted by the server.")
    source = f"data:image/png;base64,dims={image.width}x{image.height}"
    return image_tokens(family.image, source, image.detail).total


def _prefix(one: Body, two: Body, model: str, counter: Counter) -> int:
    """Leading tokens that two renders share; tools come before messages, as providers have it."""
    if one.text or two.text:
        return _shared(one.text, two.text, model, counter)
    total = 0
    if one.tools:
        if one.tools != two.tools:
            return 0
        total += counter.body(Body(tools=one.tools), model).total
    for (role, left), (other_role, right) in zip(one.messages, two.messages, strict=False):
        if role != other_role:
            break
        # A role line is some three tokens; counting too few keeps the estimate on the safe side.
        total += 3 + _shared(left, right, model, counter)
        if left != right:
            break
    return total


def _shared(left: str, right: str, model: str, counter: Counter) -> int:
    if left == right:
        return counter.text(left, model).total
    same, over = 0, min(len(left), len(right)) + 1
    while over - same > 1:  # bisection: comparing slices is far quicker than a loop over letters
        middle = (same + over) // 2
        if left[same:middle] == right[same:middle]:
            same = middle
        else:
            over = middle
    if not same:
        return 0
    # The last token of a cut text may be another one in the whole: it is not counted on. Only the
    # shorter of the two pieces is tokenised.
    if same > len(left) // 2:
        whole, rest = counter.text(left, model).total, counter.text(left[same:], model).total
        return max(0, whole - rest - 1)
    return max(0, counter.text(left[:same], model).total - 1)
