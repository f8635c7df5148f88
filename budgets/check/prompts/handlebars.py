"""A small Handlebars: what Dotprompt and Semantic Kernel prompts use of it.

Values, `if`, `unless`, `each`, `with`, `else`, comments, partials with arguments, `this`, `@index`,
`@key`, `@first`, `@last`, `../`. A helper it does not know is an error with its line: rendered
empty, it would count as nothing. Example: `{{#each xs}}- {{this}}\\n{{/each}}` over two items.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Context
from budgets.check.tree import beside
from pricing.json_types import JsonList, JsonObject

_TAG = re.compile(
    r"\{\{!--.*?--\}\}|\{\{![^}]*\}\}|\{\{\{(?P<raw>.*?)\}\}\}|\{\{(?P<tag>.*?)\}\}", re.DOTALL
)
_WORD = re.compile(r'[\w@./-]+=(?:"[^"]*"|\'[^\']*\'|[^\s]+)|"[^"]*"|\'[^\']*\'|\([^)]*\)|[^\s]+')
_BLOCKS = ("if", "unless", "each", "with", "ifEquals", "unlessEquals")
_MAX = 200_000


@dataclass
class Node:
    """A piece of a template: text, a tag, or a block with its inner pieces."""

    kind: str
    words: list[str] = field(default_factory=list)
    text: str = ""
    line: int = 1
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)


@dataclass
class Mark:
    """What is not text: a role change, media, the place of the history."""

    kind: str
    value: str = ""


class Handlebars:
    """A parsed template. `names` are the variables it uses, `includes` its partials' files."""

    def __init__(self, source: str, path: str, context: Context) -> None:
        self.path = path
        self.context = context
        self.partials: dict[str, list[Node]] = {}
        self.files: set[str] = set()
        self.nodes = self._parse(source, path)
        self.names = frozenset(self._names(self.nodes, frozenset()))
        self.includes = frozenset(self.files)

    # --- reading ---------------------------------------------------------------------------

    def _parse(self, source: str, path: str) -> list[Node]:
        stack: list[tuple[Node, bool]] = [(Node("root"), False)]
        at = 0
        line = 1

        def put(node: Node) -> None:
            owner, otherwise = stack[-1]
            (owner.other if otherwise else owner.body).append(node)

        for match in _TAG.finditer(source):
            if match.start() > at:
                put(Node("text", text=source[at : match.start()]))
            line += source.count("\n", at, match.start())
            self._tag(match, line, stack, put, path)
            line += match[0].count("\n")
            at = match.end()
        if at < len(source):
            put(Node("text", text=source[at:]))
        if len(stack) > 1:
            node = stack[-1][0]
            raise self._fault(f"{{{{#{node.words[0]}}}}} is never closed", node.line, path)
        return stack[0][0].body

    def _tag(
        self, match: re.Match[str], line: int, stack: list[tuple[Node, bool]],
        put: Callable[[Node], None], path: str,
    ) -> None:  # fmt: skip
        inner = match["raw"] if match["raw"] is not None else match["tag"]
        if inner is None:
            return
        inner = inner.strip().strip("~").strip()
        sign, words = inner[:1], _WORD.findall(inner[1:] if inner[:1] in "#/>^&" else inner)
        if not words:
            raise self._fault("an empty tag", line, path)
        if sign == "#":
            node = Node("block", words, line=line)
            put(node)
            stack.append((node, False))
        elif sign == "/":
            if len(stack) < 2 or stack[-1][0].words[0] != words[0]:
                raise self._fault(f"{{{{/{words[0]}}}}} closes nothing", line, path)
            stack.pop()
        elif words[0] == "else" or sign == "^":
            if len(stack) < 2:
                raise self._fault("{{else}} outside a block", line, path)
            stack[-1] = (stack[-1][0], True)
            if len(words) > 1 and words[0] == "else":
                raise self._fault("{{else if}} is not supported: nest the blocks", line, path)
        elif sign == ">":
            self._partial(words[0], line, path)
            put(Node("partial", words, line=line))
        else:
            put(Node("value", words, line=line))

    def _partial(self, name: str, line: int, path: str) -> None:
        if name in self.partials:
            return
        for file in (f"_{name}.prompt", f"{name}.prompt", f"{name}.hbs", f"_{name}.hbs"):
            where = beside(path, file)
            if self.context.tree.exists(where):
                self.files.add(where)
                self.partials[name] = []  # a partial may include itself under a condition
                self.partials[name] = self._parse(self.context.read(where), where)
                return
        raise PromptError(
            "missing-reference", f"{path}:{line}: no partial _{name}.prompt beside it.",
            path=path, line=line,
        )  # fmt: skip

    def _fault(self, what: str, line: int, path: str = "") -> PromptError:
        where = path or self.path
        return PromptError(
            "unrenderable-template", f"{where}:{line}: {what}.", path=where, line=line
        )

    def _names(self, nodes: list[Node], bound: frozenset[str]) -> Iterator[str]:
        for node in nodes:
            if node.kind == "value" and len(node.words) == 1:
                yield from _root(node.words[0])
            elif node.kind in ("value", "block"):
                for word in node.words[1:]:
                    yield from _root(word.partition("=")[2] or word)
            # Inside each and with, bare names belong to the item, not to the caller.
            if node.kind == "block" and node.words[0] not in ("each", "with"):
                yield from self._names(node.body, bound)
            yield from self._names(node.other, bound)

    # --- rendering -------------------------------------------------------------------------

    def text(self, values: Mapping[str, Any], files: set[str]) -> str:
        """The rendered text; roles, media and history have no place in a bare text."""
        files |= self.files
        out: list[str] = []
        for piece in self.pieces(values):
            if isinstance(piece, Mark):
                raise self._fault(f"{{{{{piece.kind}}}}} outside a Dotprompt file", 1)
            out.append(piece)
        return "".join(out)

    def pieces(self, values: Mapping[str, Any]) -> Iterator[str | Mark]:
        """Texts and marks in order. Raises :class:`PromptError`."""
        budget = [_MAX]
        yield from self._run(self.nodes, [values], {}, budget, 0)

    def _run(
        self, nodes: list[Node], scopes: list[Any], data: dict[str, Any], budget: list[int],
        depth: int,
    ) -> Iterator[str | Mark]:  # fmt: skip
        if depth > 50:
            raise self._fault("partials or blocks nested deeper than 50", nodes[0].line)
        for node in nodes:
            budget[0] -= 1
            if budget[0] < 0:
                raise self._fault("renders to too many pieces", node.line)
            if node.kind == "text":
                yield node.text
            elif node.kind == "value":
                yield self._show(node, scopes, data)
            elif node.kind == "partial":
                scope = self._arguments(node, scopes, data)
                yield from self._run(self.partials[node.words[0]], scope, data, budget, depth + 1)
            else:
                yield from self._block(node, scopes, data, budget, depth + 1)

    def _arguments(self, node: Node, scopes: list[Any], data: dict[str, Any]) -> list[Any]:
        named = [w.partition("=") for w in node.words[1:] if "=" in w]
        extra = {key: self._get(value, scopes, data, node) for key, _, value in named}
        for word in node.words[1:]:
            if "=" not in word:
                scopes = [*scopes, self._get(word, scopes, data, node)]
        if not extra:
            return scopes
        here = scopes[-1]
        return [*scopes, {**(here if isinstance(here, JsonObject) else {}), **extra}]

    def _show(self, node: Node, scopes: list[Any], data: dict[str, Any]) -> str | Mark:
        head, *rest = node.words
        if head == "role":
            return Mark("role", str(self._get(rest[0], scopes, data, node)) if rest else "")
        if head == "media":
            return Mark("media")
        if head == "history" and not rest:
            return Mark("history")
        if head == "section":
            return ""
        if head == "json":
            return json.dumps(self._get(rest[0], scopes, data, node), ensure_ascii=False)
        if rest:
            raise self._fault(f"unknown helper {head!r}", node.line)
        value = self._get(head, scopes, data, node)
        if isinstance(value, JsonList):
            return ",".join(str(each) for each in value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, JsonObject):
            return "[object Object]"
        return "" if value is None else str(value)

    def _block(
        self, node: Node, scopes: list[Any], data: dict[str, Any], budget: list[int], depth: int
    ) -> Iterator[str | Mark]:
        head, *rest = node.words
        if head not in _BLOCKS or not rest:
            raise self._fault(f"unknown block {head!r}", node.line)
        # A condition may test a variable that is not there; only showing it is a fault.
        value = self._get(rest[0], scopes, data, node, missing=head in ("if", "unless"))
        if head in ("if", "unless", "ifEquals", "unlessEquals"):
            truth = bool(value)
            if head.endswith("Equals"):
                truth = len(rest) > 1 and value == self._get(rest[1], scopes, data, node)
            wanted = truth != head.startswith("unless")
            yield from self._run(node.body if wanted else node.other, scopes, data, budget, depth)
        elif head == "with":
            inner = node.body if value else node.other
            yield from self._run(inner, [*scopes, value] if value else scopes, data, budget, depth)
        else:
            items: list[tuple[Any, Any]] = (
                list(value.items())
                if isinstance(value, JsonObject)
                else list(enumerate(value or ()))
            )
            if not items:
                yield from self._run(node.other, scopes, data, budget, depth)
            for place, (key, item) in enumerate(items):
                own = {"index": place, "key": key, "first": place == 0,
                       "last": place == len(items) - 1}  # fmt: skip
                yield from self._run(node.body, [*scopes, item], own, budget, depth)

    def _get(
        self, word: str, scopes: list[Any], data: dict[str, Any], node: Node, missing: bool = False
    ) -> Any:
        if word[:1] in "\"'":
            return word[1:-1]
        if word in ("true", "false"):
            return word == "true"
        if re.fullmatch(r"-?\d+(\.\d+)?", word):
            return float(word) if "." in word else int(word)
        if word.startswith("@"):
            name = word[1:].split(".", maxsplit=1)[0]
            if name in data:
                return data[name]
            # Dotprompt's @state and @metadata come from the caller, like any variable.
            word = word[1:]
        level = len(scopes) - 1
        while word.startswith("../"):
            word, level = word[3:], max(0, level - 1)
        value = scopes[level]
        if word in ("this", "."):
            return value
        for place, part in enumerate(word.removeprefix("this.").split(".")):
            if isinstance(value, JsonObject) and part in value:
                value = value[part]
            elif isinstance(value, JsonList) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            elif missing:
                return None
            elif (
                place == 0 and level > 0 and isinstance(scopes[0], JsonObject) and part in scopes[0]
            ):
                value = scopes[0][part]
            else:
                raise PromptError(
                    "undefined-variable", f"{self.path}:{node.line}: {word!r} is undefined. "
                    "Declare its size in [check.traffic.variables], or give a sample.",
                    path=self.path, line=node.line,
                )  # fmt: skip
        return value


def _root(word: str) -> Iterator[str]:
    name = word.removeprefix("this.").split(".")[0].removeprefix("@")
    if re.fullmatch(r"[A-Za-z_]\w*", name) and name not in (
        "this", "true", "false", "role", "media", "history", "section", "json", "index", "key",
        "first", "last",
    ):  # fmt: skip
        yield name
