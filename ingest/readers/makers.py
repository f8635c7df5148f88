"""Who makes a model, from its name: for logs that name models and no provider.

Only prefixes that one maker uses; an unknown name gives None, never a guess.

>>> maker_of("claude-opus-4-5"), maker_of("projects/p/models/gemini-2.5-flash"), maker_of("llama-3")
('anthropic', 'google', None)
"""

from __future__ import annotations

import re
from functools import lru_cache

_MAKERS = (
    (re.compile(r"^(?:gpt-|chatgpt-|o\d(?:-|$)|text-embedding-|codex-|davinci|ft:gpt)"), "openai"),
    (re.compile(r"^claude-"), "anthropic"),
    (re.compile(r"^(?:gemini-|text-embedding-00|gemma-)"), "google"),
    (re.compile(r"^(?:mistral-|ministral-|codestral-|magistral-|pixtral-|devstral-)"), "mistral"),
    (re.compile(r"^deepseek-"), "deepseek"),
    (re.compile(r"^grok-"), "x-ai"),
    (re.compile(r"^command-"), "cohere"),
    (re.compile(r"^sonar(?:-|$)"), "perplexity"),
    (re.compile(r"^(?:kimi-|moonshot-)"), "moonshotai"),
)
_CLOUD = re.compile(r"^(?:(?:us-gov|us|eu|apac|jp|au|ca|global)\.)?(?:anthropic|amazon|meta)\.")


@lru_cache(maxsize=4096)  # a log names few models, each of them in every line
def maker_of(model: str | None) -> str | None:
    """The provider that sells a model under this name, or None when the name does not tell."""
    if not model:
        return None
    name = model.strip().lower()
    if _CLOUD.match(name):
        return "bedrock"
    name = name.rsplit("/", 1)[-1] if "/models/" in name else name
    return next((maker for pattern, maker in reversed(_MAKERS) if pattern.match(name)), None)
