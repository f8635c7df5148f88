"""Variants: every model id a seller charges for, and the explicit rules that resolve names to one.

A *variant* is an API model id with a price: `gpt-5.2`, `gpt-5.2-chat-latest` and `gpt-5.2-codex`
are three variants of one family even where they share a price. A dated snapshot
(`gpt-5.2-2025-12-11`) is its base variant unless it has a card of its own
(`gpt-4o-2024-05-13` has). Names are resolved by the rules below and never by likeness:

>>> candidates("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'us.anthropic.claude-sonnet-4-5-20250929', \
'anthropic.claude-sonnet-4-5-20250929', 'claude-sonnet-4-5-20250929', 'claude-sonnet-4-5']
>>> candidates("gpt-5.2-turbo")
['gpt-5.2-turbo']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Variant:
    """What is known of a variant besides its prices. Unknown facts are None or empty."""

    id: str
    maker: str
    family: str = ""
    role: str = ""
    name: str = ""
    context_window: int | None = None
    max_output: int | None = None
    efforts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    cache_rule: str = ""
    released: date | None = None
    retired: date | None = None
    successor: str = ""
    note: str = ""
    origin: str = ""

    def retired_on(self, day: date) -> bool:
        """Whether the maker no longer serves the variant on `day`."""
        return self.retired is not None and day >= self.retired


# Providers as logs, SDKs and proxies spell them, and the seller that sends the bill.
_SELLERS: dict[str, str] = {
    "aliyun": "alibaba",
    "dashscope": "alibaba",
    "anthropic": "anthropic",
    "aws": "bedrock",
    "aws-bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "aws.bedrock": "bedrock",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "amazon-bedrock": "bedrock",
    "amazon_bedrock": "bedrock",
    "amazon bedrock": "bedrock",
    "azure": "azure",
    "azure-openai": "azure",
    "azure_openai": "azure",
    "azure openai": "azure",
    "azure_ai": "azure",
    "azure-ai": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google_vertex": "google",
    "google_ai": "google",
    "google_genai": "google",
    "mistral": "mistral",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "openai": "openai",
    "openai-responses": "openai",
    "perplexity": "perplexity",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex": "google",
    "vertex-ai": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "xai": "x-ai",
    "x_ai": "x-ai",
}


def normal_seller(provider: str) -> str:
    """The seller a provider name means; a name without a rule is itself, lower-cased."""
    name = provider.strip().lower()
    return _SELLERS.get(name, name)


_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$")
# `ft:BASE:ORGANISATION:NAME:ID`; the bases of 2023 were dated by month and day.
_TUNED = re.compile(r"(?<!^ft):.*$")
_TUNED_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
_CLOUD_VERSION = re.compile(r"-v\d+(?::\d+)*$|:\d+$")
_CLOUD_REGION = re.compile(r"^(us-gov|us|eu|apac|apne|jp|au|ca|global)\.(?=[a-z0-9-]+\.)")
_VENDOR = re.compile(
    r"^(?:anthropic|amazon|meta|mistral|cohere|deepseek|openai|google|ai21|qwen|moonshotai?)\."
)
_PATH = re.compile(
    r"^(?:.*[/:])?(?:models|publishers/[a-z0-9-]+/models|inference-profile|foundation-model)/"
)
# A marker an agent appends to its own model setting; the call is billed as the plain model.
_MARKER = re.compile(r"\[1m\]$")


def candidates(model: str) -> list[str]:
    """The names a reported model id may stand for, most literal first.

    In turn: the id as it stands; a fine-tuned model as its base's fine-tuned price, which is
    published once for all of them; without an agent's context marker; the last part of a resource
    path; without a cloud's version suffix; without a cloud's region prefix and maker prefix; each
    without a snapshot date. A caller takes the first that a card lists.

    >>> candidates("ft:gpt-4o-mini-2024-07-18:acme::7p4lURel")[1:]
    ['ft:gpt-4o-mini-2024-07-18', 'ft:gpt-4o-mini']
    """
    found: list[str] = []

    def add(name: str) -> str:
        if name and name not in found:
            found.append(name)
        return name

    name = add(model.strip().lower())
    if name.startswith("ft:"):
        add(_TUNED_SNAPSHOT.sub("", add(_TUNED.sub("", name))))
        return found
    name = add(_MARKER.sub("", name))
    name = add(_PATH.sub("", name))
    if "." in name:
        name = add(_CLOUD_VERSION.sub("", name))
        name = add(_CLOUD_REGION.sub("", name))
        name = add(_VENDOR.sub("", name))
    add(_SNAPSHOT.sub("", name))
    return found


def cloud_region(model: str) -> str | None:
    """The routing region in a cloud's inference-profile id (`us.` in `us.anthropic…`), if any."""
    found = _CLOUD_REGION.match(_PATH.sub("", model.strip().lower()))
    return found.group(1) if found else None


def without_maker(model: str) -> tuple[str, str] | None:
    """Split a gateway's `maker/model` id into (maker's seller name, model), or None."""
    maker, slash, rest = model.strip().lower().partition("/")
    if not slash or not rest or "/" in rest:
        return None
    return normal_seller(_GATEWAY_MAKERS.get(maker, maker)), rest


_GATEWAY_MAKERS = {"meta-llama": "meta", "x-ai": "x-ai", "z-ai": "zai", "google": "google"}


def spelling_key(model: str) -> str:
    """One key for the spellings of one id: dots as dashes, no snapshot date, no `-latest` alias.

    `gpt-5.2-chat-latest` keeps its suffix: there `-latest` is part of the product's name.
    """
    name = _SNAPSHOT.sub("", model.lower()).replace(".", "-")
    if name.endswith("-latest") and not name.endswith("chat-latest"):
        name = name.removesuffix("-latest")
    return name
