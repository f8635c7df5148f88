"""The one shape every prompt kind is read into: a unit that can be rendered to what is sent.

Example: a Jinja file becomes ``Unit(id="prompts/a.j2", kind="jinja", render=…)``, and
``unit.render({"name": "the"})`` is a ``Body`` with its text. A unit without variables renders the
same body whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from budgets.check.tree import Tree, beside, text

if TYPE_CHECKING:
    from budgets.check.prompts.templates import Jinja

Load = Literal["call", "always", "on use"]


@dataclass(frozen=True)
class Body:
    """What would be sent: a bare text, a list of tools, or a request with messages.

    `messages` are (role, text) pairs; `request` is set when the body holds more than texts and
    must be counted as it stands.
    """

    text: str = ""
    messages: tuple[tuple[str, str], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    request: Mapping[str, Any] | None = None
    media: int = 0

    def as_request(self) -> dict[str, Any]:
        """The Chat Completions body of messages and tools."""
        if self.request is not None:
            return dict(self.request)
        body: dict[str, Any] = {"messages": [{"role": r, "content": t} for r, t in self.messages]}
        if self.tools:
            body["tools"] = list(self.tools)
        return body


@dataclass
class Unit:
    """One prompt. `line` is where it starts; `files` are all files it is made of."""

    id: str
    path: str
    kind: str
    render: Callable[[Mapping[str, Any]], Body]
    line: int = 1
    variables: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    templated: bool = False
    load: Load = "call"
    model: str | None = None
    max_output: int | None = None
    files: set[str] = field(default_factory=set)
    includes: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files.add(self.path)


def constant(body: Body) -> Callable[[Mapping[str, Any]], Body]:
    """A render that needs no values."""
    return lambda _values: body


@dataclass
class Context:
    """What a reader may use: the tree, the settings of the prompt, shared template engines."""

    tree: Tree
    template: str = "auto"
    entries: Sequence[str] = ()
    encoding: str = "utf-8"
    roots: Sequence[str] = ()
    engines: dict[str, Any] = field(default_factory=dict)

    def read(self, path: str, near: str = "") -> str:
        """Text of a file named by a prompt: beside it, else from the project's root."""
        if near:
            close = beside(near, path)
            if self.tree.exists(close):
                return text(self.tree, close, self.encoding)
        return text(self.tree, path, self.encoding)

    def locate(self, path: str, near: str) -> str:
        """The path under which :meth:`read` finds a reference."""
        close = beside(near, path)
        return close if self.tree.exists(close) else path

    @cached_property
    def jinja(self) -> Jinja:
        """The sandbox, one for all templates of a tree."""
        if "jinja" not in self.engines:
            from budgets.check.prompts.templates import Jinja

            self.engines["jinja"] = Jinja(self.tree, tuple(self.roots))
        return self.engines["jinja"]
