"""Rendering is running somebody's code, so it happens in a sandbox with nothing in reach.

Jinja's immutable sandbox, strict about undefined names, without methods that build huge texts, with
a limit on output and time. Includes are read through the same tree as the template, never from
elsewhere. Every render is made twice: two answers mean that the count would change between runs.

Example: ``Jinja(tree).source("Hi {{ name }}", "a.j2").render({"name": "Ann"})`` is ``"Hi Ann"``.
"""

from __future__ import annotations

import re
import signal
import string
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import jinja2
from jinja2 import meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from budgets.check.errors import PromptError
from budgets.check.tree import Tree, beside, text
from pricing.json_types import JsonList, JsonTuple

MAX_CHARACTERS = 8 * 2**20
MAX_SECONDS = 5.0
ANYWHERE = "<template>"
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_PADDING = {"ljust", "rjust", "center", "zfill", "expandtabs"}


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**", "%"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for a, b in ((left, right), (right, left)):
                if not isinstance(a, str | JsonList | JsonTuple) or not isinstance(b, int):
                    continue
                if len(a) * b > MAX_CHARACTERS:
                    raise SecurityError("a repetition is longer than 8 Mi characters")
        elif operator == "**":
            if isinstance(right, int) and abs(right) > 1000:
                raise SecurityError("a power above 1,000")
        elif isinstance(left, str) and re.search(r"%[^a-zA-Z%]*\d{5,}", left):
            raise SecurityError("a padding wider than 9,999")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in _PADDING:
            return False
        return super().is_safe_attribute(obj, attr, value)


def _center(value: str, width: int = 80) -> str:
    if width > 10_000:
        raise SecurityError("a padding wider than 9,999")
    return str(value).center(width)


class _Loader(jinja2.BaseLoader):
    def __init__(self, tree: Tree, roots: tuple[str, ...], read: set[str]) -> None:
        self._tree = tree
        self._roots = roots
        self._read = read

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        for root in ("", *self._roots):
            path = f"{root.rstrip('/')}/{template}" if root else template
            if self._tree.exists(path):
                self._read.add(path)
                return text(self._tree, path), path, lambda: True
        raise jinja2.TemplateNotFound(template)


class _Environment(_Sandbox):
    tree: Tree

    def join_path(self, template: str, parent: str) -> str:
        # Beside the including file first, as people write it; else from a root, as Jinja has it.
        try:
            near = beside(parent, template)
        except PromptError:
            return template
        return near if self.tree.exists(near) else template


_REFERENCES = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)


class Template:
    """A compiled template: what it includes, which names it leaves open, and how it renders.

    `head` is the text before its first tag, which is sent as it stands.
    """

    def __init__(
        self, engine: Jinja, compiled: jinja2.Template, path: str, ast: nodes.Template, head: str
    ) -> None:
        self._engine = engine
        self._compiled = compiled
        self._head = head
        self.path = path
        self.static = _is_plain(ast)
        # Every name that is read: more than the open ones (loop variables too), at a fraction of
        # the price of Jinja's own analysis, and enough to know which declared sizes matter.
        names: set[str] = set()
        references: list[nodes.Node] = []
        waiting: list[nodes.Node] = [] if self.static else [ast]
        while waiting:
            node = waiting.pop()
            if isinstance(node, nodes.Name):
                if node.ctx == "load":
                    names.add(node.name)
            else:
                if isinstance(node, _REFERENCES):
                    references.append(node)
                waiting += node.iter_child_nodes()
        self.names = frozenset(names)
        # Of the whole tree Jinja would look at every node again.
        refer = nodes.Template(references)
        found = list(meta.find_referenced_templates(refer)) if references else []
        self.dynamic = None in found  # {% include variable %}: anything may be included
        self.includes = frozenset(engine.environment.join_path(n, path) for n in found if n)

    def render(self, values: Mapping[str, Any]) -> str:
        """The text. Raises :class:`PromptError` naming the fault and its line."""
        return guarded(self.path, lambda: self._pieces(values), self._head)

    def _pieces(self, values: Mapping[str, Any]) -> Iterator[str]:
        return self._compiled.generate(dict(values))


def _is_plain(ast: nodes.Template) -> bool:
    """Whether a template only outputs text: rendering it again cannot differ."""
    return all(
        isinstance(node, nodes.Output)
        and all(isinstance(n, nodes.TemplateData) for n in node.nodes)
        for node in ast.body
    )


class Jinja:
    """One sandbox for the templates of a tree; `read` collects every file a render opened."""

    def __init__(self, tree: Tree, roots: tuple[str, ...] = ()) -> None:
        self.read: set[str] = set()
        self._compiled: dict[str, tuple[jinja2.Template, nodes.Template]] = {}
        self.environment = _Environment(
            undefined=jinja2.StrictUndefined, loader=_Loader(tree, roots, self.read),
            cache_size=4000, auto_reload=False,
        )  # fmt: skip
        self.environment.tree = tree
        # lipsum is random by nature; a prompt that needs it is not a prompt.
        self.environment.globals.pop("lipsum", None)
        self.environment.filters["center"] = _center

    def source(self, source: str, path: str) -> Template:
        """Compile a text. Raises :class:`PromptError` with the line of a syntax error."""
        head, rest = _peeled(source)
        # Texts with expressions only include nothing, so where they stand does not matter: a
        # content such as "{{ question }}" is compiled once, however many chats hold it.
        plain = "{%" not in rest
        try:
            if plain and rest in self._compiled:
                compiled, ast = self._compiled[rest]
            else:
                where = ANYWHERE if plain else path
                ast = self.environment.parse(rest, where, where)
                compiled = jinja2.Template.from_code(
                    self.environment,
                    cast(Any, self.environment.compile(ast, where, where)),
                    self.environment.make_globals(None),
                )
                if plain:
                    self._compiled[rest] = (compiled, ast)
        except jinja2.TemplateSyntaxError as error:
            raise _bad_syntax(error, path) from error
        except RecursionError as error:
            raise PromptError(
                "unrenderable-template", f"{path}: nested too deeply.", path=path
            ) from error
        return Template(self, compiled, path, ast, head)


_TAG = re.compile(r"\{[{%#]")
_NEWLINE = re.compile(r"\r\n|\r")


def _peeled(source: str) -> tuple[str, str]:
    """The text before the first tag, ready to be sent, and the rest for Jinja to parse.

    A prompt is mostly text in front of its first tag, and Jinja's lexer is slow on text. What Jinja
    would do to it is done here: line ends become newlines, a `{%-` takes the blanks before it.

    A comment stands in for the head's lines, so that every fault is still named by its own line.

    >>> _peeled("Be brief.\\n\\n{%- if x %}…")
    ('Be brief.', '{#\\n\\n#}{%- if x %}…')
    """
    found = _TAG.search(source)
    if found is None:
        return "", source
    cut = found.start()
    head, rest = source[:cut], source[cut:]
    if "\r" in head:
        head = _NEWLINE.sub("\n", head)
    lines = head.count("\n")
    if lines:
        rest = "{#" + "\n" * lines + "#}" + rest
    return head.rstrip() if source[cut + 2 : cut + 3] == "-" else head, rest


def guarded(path: str, pieces: Callable[[], Iterator[str]], head: str = "") -> str:
    """Join `head` and what a template yields, within limits, and turn its errors into words."""
    out = [head]
    size = len(head)
    end = time.monotonic() + MAX_SECONDS
    try:
        with _alarm():
            for piece in pieces():
                out.append(piece)
                size += len(piece)
                if size > MAX_CHARACTERS:
                    raise PromptError(
                        "unrenderable-template", f"{path}: renders to more than 8 Mi characters.",
                        path=path,
                    )  # fmt: skip
                if time.monotonic() > end:
                    raise TimeoutError
    except PromptError:
        raise
    except TimeoutError as error:
        raise PromptError(
            "unrenderable-template", f"{path}: takes longer than {MAX_SECONDS:g} s to render.",
            path=path,
        ) from error  # fmt: skip
    except jinja2.UndefinedError as error:
        line = _line_of(error, path)
        raise PromptError(
            "undefined-variable", f"{path}:{line}: {error.message}. Declare its size in "
            "[check.traffic.variables], or give a sample.", path=path, line=line,
        ) from error  # fmt: skip
    except jinja2.TemplateNotFound as error:
        line = _line_of(error, path)
        raise PromptError(
            "missing-reference", f"{path}:{line}: includes {error.name}, which does not exist.",
            path=path, line=line,
        ) from error  # fmt: skip
    except jinja2.TemplateSyntaxError as error:
        raise _bad_syntax(error, path) from error
    except RecursionError as error:
        raise PromptError(
            "unrenderable-template", f"{path}: includes itself without end.", path=path
        ) from error
    except Exception as error:
        # A template is somebody's code: whatever it raises is a fault of the template.
        line = _line_of(error, path)
        raise PromptError(
            "unrenderable-template", f"{path}:{line}: {type(error).__name__}: {error}",
            path=path, line=line,
        ) from error  # fmt: skip
    return "".join(out)


def _bad_syntax(error: jinja2.TemplateSyntaxError, path: str) -> PromptError:
    where = path if error.filename in (None, ANYWHERE) else str(error.filename)
    return PromptError(
        "unrenderable-template", f"{where}:{error.lineno}: {error.message}",
        path=where, line=error.lineno,
    )  # fmt: skip


def _line_of(error: BaseException, path: str) -> int:
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in (path, ANYWHERE):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@contextmanager
def _alarm() -> Generator[None]:
    """Interrupt a loop that yields nothing; only the main thread of a Unix process can."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def check_stable(first: str, second: str, path: str) -> None:
    """Two renders with equal values must be equal, and hold no memory address."""
    address = _ADDRESS.search(first)
    if first == second and address is None:
        return
    if address is not None:
        line = first[: address.start()].count("\n") + 1
        what = f"prints an object ({address.group()}) on line {line} of its output: call the method"
    else:
        same = next(
            (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        line = first[:same].count("\n") + 1
        what = f"renders differently each time, from line {line} of its output"
    raise PromptError("unstable-template", f"{path}: {what}.", path=path)


def format_names(template: str, path: str) -> frozenset[str]:
    """Names in a `{name}` template as Python's str.format and LangChain's f-string read it."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise PromptError("unrenderable-template", f"{path}: {error}.", path=path) from error
    return frozenset(re.split(r"[.\[]", name, maxsplit=1)[0] for name in fields)


def format_fields(template: str, values: Mapping[str, Any], path: str) -> str:
    """Fill in a `{name}` template without touching attributes of what is filled in."""
    missing = sorted(name for name in format_names(template, path) if name not in values)
    if missing:
        raise PromptError(
            "undefined-variable", f"{path}: {', '.join(repr(m) for m in missing)} undefined. "
            "Declare the size in [check.traffic.variables], or give a sample.", path=path,
        )  # fmt: skip
    out: list[str] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        out.append(literal)
        if name is not None:
            out.append(str(values[re.split(r"[.\[]", name, maxsplit=1)[0]]))
    return "".join(out)
