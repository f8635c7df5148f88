"""String constants in Python, read from the syntax tree; nothing is imported or run.

`app/prompts.py::SYSTEM`, or `app/agent.py::Agent.PROMPT` for a class attribute. Read are texts,
their joins and repetitions, other constants of the module, `textwrap.dedent`, `inspect.cleandoc`,
`.strip()` and its kin, `.join` of a list, and f-strings, whose holes become variables named by
their expression. A list of role and content is a chat, a list of functions is tools.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, NamedTuple

from budgets.check.errors import PromptError
from budgets.check.prompts import chat
from budgets.check.prompts.base import Body, Context, Unit
from budgets.check.prompts.plain import unit as plain_unit
from budgets.check.prompts.templates import format_fields
from pricing.json_types import JsonList

_DEDENT = {"dedent": textwrap.dedent, "cleandoc": inspect.cleandoc}
_METHODS = {
    "strip",
    "lstrip",
    "rstrip",
    "upper",
    "lower",
    "removeprefix",
    "removesuffix",
    "replace",
}


class _NotStatic(Exception):
    def __init__(self, node: ast.AST, why: str) -> None:
        super().__init__(why)
        self.line = getattr(node, "lineno", 1)


class _Holes(str):
    """A text with `{expression}` holes and doubled braces, as f-strings are kept here."""

    __slots__ = ()


def read(path: str, context: Context, name: str) -> list[Unit]:
    """The unit of one constant. Raises :class:`PromptError` not-static when it cannot be read."""
    if not name:
        raise PromptError(
            "not-static", f"{path}: name the constant to measure, {path}::NAME.", path=path
        )
    source = context.read(path)
    try:
        module = ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise PromptError(
            "unreadable-file", f"{path}:{line}: not valid Python: {error}.", path=path, line=line
        ) from error
    found = _find(module.body, name.split("."), {})
    if found is None:
        raise PromptError("not-static", f"{path} has no constant {name}.", path=path)
    node, line, scope = found
    try:
        if node is None:
            raise _NotStatic(ast.Pass(lineno=line), "what it is depends on running the module")
        value = _value(node, scope, 0)
    except _NotStatic as error:
        raise PromptError(
            "not-static", f"{path}:{error.line}: {name} cannot be read without running code: "
            f"{error}.", path=path, line=error.line,
        ) from error  # fmt: skip
    return [_unit(value, path, name, node.lineno, context)]


def _unit(value: Any, path: str, name: str, line: int, context: Context) -> Unit:
    ident = f"{path}::{name}"
    if isinstance(value, _Holes):
        text = str(value)
        names = frozenset(_hole_names(text))
        unit = Unit(ident, path, "python", lambda _values: Body(), line=line)
        unit.variables, unit.templated = names, True
        unit.render = lambda values: Body(text=_fill(text, values, path))
        return unit
    if isinstance(value, str):
        return plain_unit(value, path, context, "python", name=name, line=line)
    found = chat.part(value, path, context, ident, line)
    if found is not None:
        return found
    raise PromptError(
        "unknown-shape", f"{path}:{line}: {name} is a {type(value).__name__}, not a prompt.",
        path=path, line=line,
    )  # fmt: skip


def _hole_names(text: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def _fill(text: str, values: Any, path: str) -> str:
    return format_fields(text, values, path)


class _Assigned(NamedTuple):
    """One assignment: its line, where it ends, and its value (None: it depends on a condition)."""

    line: int
    end: tuple[int, int]
    value: ast.expr | None


Scope = dict[str, list[_Assigned]]


def _constants(body: list[ast.stmt]) -> Scope:
    """Every assignment in a body, in order.

    `X += "more"` is `X = X + "more"`. What an `if`, a loop or a `try` assigns depends on running
    the module: the name is not static from there on.
    """
    found: Scope = {}

    def add(name: str, statement: ast.stmt, value: ast.expr | None) -> None:
        end = (statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
        found.setdefault(name, []).append(_Assigned(statement.lineno, end, value))

    for statement in body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    for name, whole in _targets(target):
                        add(name, statement, value if whole else None)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                add(name, statement, value)
            case ast.AugAssign(target=ast.Name(id=name) as before, op=op, value=value):
                joined = ast.copy_location(ast.BinOp(before, op, value), statement)
                add(name, statement, joined)
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                pass
            case _:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        add(node.id, statement, None)
    return found


def _targets(target: ast.expr) -> list[tuple[str, bool]]:
    """The names a target assigns, and whether each gets the whole value."""
    if isinstance(target, ast.Name):
        return [(target.id, True)]
    stored = (n for n in ast.walk(target) if isinstance(n, ast.Name))
    return [(n.id, False) for n in stored if isinstance(n.ctx, ast.Store)]


def _find(
    body: list[ast.stmt], parts: list[str], outer: Scope
) -> tuple[ast.expr | None, int, Scope] | None:
    """The last value of a constant, its line, and the names it may refer to."""
    scope = {**outer, **_constants(body)}
    if len(parts) == 1:
        own = _constants(body).get(parts[0])
        return (own[-1].value, own[-1].line, scope) if own else None
    for statement in body:
        inner = isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if inner and statement.name == parts[0]:
            return _find(statement.body, parts[1:], scope)
    return None


def _assigned(node: ast.Name, scope: Scope) -> ast.expr:
    """The value a name has where it is used: of the assignment before that place."""
    if node.id not in scope:
        raise _NotStatic(node, f"{node.id} is not a constant of this module")
    every = scope[node.id]
    before = [each for each in every if each.end <= (node.lineno, node.col_offset)]
    value = (before or every)[-1].value
    if value is None:
        raise _NotStatic(node, f"what {node.id} is depends on running the module")
    return value


def _value(node: ast.expr, scope: Scope, depth: int) -> Any:
    if depth > 200:
        raise _NotStatic(node, "it refers to itself")
    deeper = depth + 1
    match node:
        case ast.Constant(value=value):
            return value
        case ast.JoinedStr(values=parts):
            return _joined(parts, scope, deeper)
        case ast.Name():
            return _value(_assigned(node, scope), scope, deeper)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _add(_value(left, scope, deeper), _value(right, scope, deeper), node)
        case ast.BinOp(op=ast.Mult(), left=left, right=right):
            a, b = _value(left, scope, deeper), _value(right, scope, deeper)
            if isinstance(a, str) and isinstance(b, int) and len(a) * b < 2**23:
                return type(a)(a * b) if isinstance(a, _Holes) else a * b
            raise _NotStatic(node, "a repetition of something else than text")
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_plain(_value(each, scope, deeper), each) for each in elements]
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {
                _value(k, scope, deeper): _plain(_value(v, scope, deeper), v)
                for k, v in zip(keys, values, strict=True)
                if k is not None
            }
        case ast.Call():
            return _call(node, scope, deeper)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = _value(operand, scope, deeper)
            if isinstance(number, int | float):
                return -number
        case _:
            pass
    raise _NotStatic(node, f"`{ast.unparse(node)[:60]}` is not a text or a constant")


def _plain(value: Any, node: ast.expr) -> Any:
    if isinstance(value, _Holes):
        raise _NotStatic(node, "an f-string inside a list or mapping")
    return value


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _as_holes(value: str) -> str:
    return str(value) if isinstance(value, _Holes) else _escape(value)


def _add(left: Any, right: Any, node: ast.expr) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        if isinstance(left, _Holes) or isinstance(right, _Holes):
            return _Holes(_as_holes(left) + _as_holes(right))
        return left + right
    if isinstance(left, JsonList) and isinstance(right, JsonList):
        return left + right
    raise _NotStatic(node, "a sum of something else than texts")


def _joined(parts: list[ast.expr], scope: Scope, depth: int) -> Any:
    out: list[str] = []
    holes = False
    for part in parts:
        if isinstance(part, ast.Constant):
            out.append(_escape(str(part.value)))
            continue
        assert isinstance(part, ast.FormattedValue)
        if part.conversion == -1 and part.format_spec is None:
            try:
                inner = _value(part.value, scope, depth)
            except _NotStatic:
                inner = None
            if isinstance(inner, str):
                out.append(_as_holes(inner))
                holes = holes or isinstance(inner, _Holes)
                continue
        # The hole is named after what it shows: {user.name} is the variable "user".
        names = [n.id for n in ast.walk(part.value) if isinstance(n, ast.Name)]
        out.append("{" + (names[0] if names else "value") + "}")
        holes = True
    text = "".join(out)
    return _Holes(text) if holes else text.replace("{{", "{").replace("}}", "}")


def _call(node: ast.Call, scope: Scope, depth: int) -> Any:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _DEDENT and len(node.args) == 1 and not node.keywords:
        text = _value(node.args[0], scope, depth)
        if isinstance(text, str):
            made = _DEDENT[name](str(text))
            return _Holes(made) if isinstance(text, _Holes) else made
    if isinstance(node.func, ast.Attribute) and not node.keywords:
        if name == "join" and len(node.args) == 1:
            return _join(node, scope, depth)
        if name in _METHODS:
            text = _value(node.func.value, scope, depth)
            arguments = [_value(each, scope, depth) for each in node.args]
            if isinstance(text, str) and all(isinstance(a, str) for a in arguments):
                made = getattr(str(text), name)(*arguments)
                return _Holes(made) if isinstance(text, _Holes) else made
    raise _NotStatic(node, f"`{ast.unparse(node)[:60]}` is a call")


def _join(node: ast.Call, scope: Scope, depth: int) -> Any:
    assert isinstance(node.func, ast.Attribute)
    glue = _value(node.func.value, scope, depth)
    items = node.args[0]
    if isinstance(glue, str) and isinstance(items, ast.List | ast.Tuple):
        result: Any = ""
        for place, each in enumerate(items.elts):
            if place:
                result = _add(result, glue, node)
            result = _add(result, _value(each, scope, depth), node)
        return result
    raise _NotStatic(node, "a join of something else than a written-out list")
