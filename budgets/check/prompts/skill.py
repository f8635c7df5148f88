"""SKILL.md: the front matter is loaded with every session, the body only when the skill is used.

Two units, so that a limit can hold the always-loaded part small without touching the body:
`skills/pdf/SKILL.md::front-matter` and `skills/pdf/SKILL.md::body`.
"""

from __future__ import annotations

from budgets.check.errors import PromptError
from budgets.check.prompts.base import Body, Context, Unit, constant
from budgets.check.prompts.frontmatter import split
from budgets.check.prompts.plain import hints


def read(path: str, context: Context) -> list[Unit]:
    """The two units. A skill without front matter is never found by an agent: an error."""
    source = context.read(path)
    front = split(source)
    if not front.text:
        raise PromptError(
            "unknown-shape", f"{path}: a skill needs front matter with name and description.",
            path=path,
        )  # fmt: skip
    front.data(path)
    always = Unit(
        f"{path}::front-matter", path, "skill", constant(Body(text=front.text)), load="always"
    )
    body = Unit(
        f"{path}::body", path, "skill", constant(Body(text=front.body)), line=front.line,
        load="on use", notes=hints(source),
    )  # fmt: skip
    return [always, body]
