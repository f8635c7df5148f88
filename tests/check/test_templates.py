"""The text before a template's first tag never reaches Jinja's lexer, and nobody can tell."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgets.check.errors import PromptError
from budgets.check.prompts.templates import Jinja
from budgets.check.tree import WorkTree

PIECES = st.sampled_from(
    ["a", " b ", "\n", "\r\n", "\r", "\t", "{", "}", "%}", "{{ x }}", "{{- x -}}", "{%- if x %}y",
     "{% endif %}", "{# note #}", "{#- n -#}", "{% raw %}{{ x }}{% endraw %}", "{%+ set z = 1 %}"]
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Jinja:
    return Jinja(WorkTree(Path(__file__).parent))


@given(pieces=st.lists(PIECES, max_size=9))
def test_peeling_renders_what_jinja_renders(engine: Jinja, pieces: list[str]) -> None:
    source = "".join(pieces)
    try:
        wanted = jinja2.Environment().from_string(source).render(x="v")
    except jinja2.TemplateSyntaxError as error:
        with pytest.raises(PromptError) as ours:
            engine.source(source, "a.j2")
        assert (ours.value.rule, ours.value.line) == ("unrenderable-template", error.lineno)
        return
    assert engine.source(source, "a.j2").render({"x": "v"}) == wanted


def test_a_fault_is_named_by_its_line_in_the_file(engine: Jinja) -> None:
    with pytest.raises(PromptError, match=r"a.j2:4: 'nobody' is undefined"):
        engine.source("one\ntwo\nthree\nfour {{ nobody }}", "a.j2").render({})
    with pytest.raises(PromptError, match=r"a.j2:3: "):
        engine.source("one\r\ntwo\r\n{% if x %}", "a.j2")
