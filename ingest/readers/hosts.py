"""Who answered a call: the provider behind an address, where a log has one.

Bodies of compatible servers look alike; the address does not. Hosts are matched whole or by a
dot-separated ending, never by a part of a name.

>>> provider_of("https://my-team.openai.azure.com/openai/deployments/x/chat/completions")
'azure'
>>> provider_of("https://example.org/v1/chat/completions") is None
True
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_HOSTS: dict[str, str] = {
    "api.openai.com": "openai",
    "eu.api.openai.com": "openai",
    "us.api.openai.com": "openai",
    "openai.azure.com": "azure",
    "services.ai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "models.inference.ai.azure.com": "azure",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "google",
    "aiplatform.googleapis.com": "google",
    "openrouter.ai": "openrouter",
    "api.deepseek.com": "deepseek",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.x.ai": "x-ai",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.deepinfra.com": "deepinfra",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshotai",
    "api.cerebras.ai": "cerebras",
    "api.cometapi.com": "cometapi",
    "router.huggingface.co": "huggingface",
    "dashscope.aliyuncs.com": "alibaba",
    "dashscope-intl.aliyuncs.com": "alibaba",
    "dashscope-us.aliyuncs.com": "alibaba",
    "maas.aliyuncs.com": "alibaba",
}
_BEDROCK = re.compile(r"^bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com$")
_VERTEX = re.compile(r"^[a-z0-9-]+-aiplatform\.googleapis\.com$")
_RESIDENCY = re.compile(r"^(eu|us)\.api\.openai\.com$")
_LOCATION = re.compile(r"/locations/([a-z0-9-]+)(?:/|$)")
# A colon begins a method (`:generateContent`), unless a version stands before it (`-v1:0`).
_MODEL_PATH = re.compile(r"/(?:model|models|deployments)/([^/:?]+(?:(?:%3A|(?<=v\d):)[^/?]*)?)")


def host(url: str) -> str:
    """The host of an address, lower-cased, without port; "" when there is none."""
    return (urlsplit(url).hostname or "").lower() if "://" in url else ""


def provider_of(url: str) -> str | None:
    """The provider whose address this is, or None when no rule knows it."""
    name = host(url)
    if not name:
        return None
    if _BEDROCK.match(name):
        return "bedrock"
    if _VERTEX.match(name):
        return "google"
    while name:
        if name in _HOSTS:
            return _HOSTS[name]
        name = name.partition(".")[2]
    return None


def region_of(url: str) -> str | None:
    """The region an address implies, where a seller charges by it: OpenAI's hosts for data
    residency, Vertex AI's locations.

    >>> region_of("https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/x")
    'us-east5'
    """
    found = _RESIDENCY.match(host(url))
    if found:
        return found.group(1)
    place = _LOCATION.search(url) if host(url).endswith("aiplatform.googleapis.com") else None
    return place.group(1) if place else None


def model_in(url: str) -> str | None:
    """The model or deployment named in an address path, percent-decoded."""
    found = _MODEL_PATH.search(url)
    return unquote(found.group(1)) if found else None
