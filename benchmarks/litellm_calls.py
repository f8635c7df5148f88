"""LiteLLM's per-call cost function in a process of its own: it needs neither this package nor its
dependencies, and may live in an environment of its own (its pins differ from ours).

    python litellm_calls.py < protocol      # a JSON list of calls, then one line for each round

The first line holds the calls: [provider, model, tier, input tokens, cached, written, output].
It answers with how many of them LiteLLM prices; then each further line makes it price them all, one
by one, and answer with the seconds that took.
"""

from __future__ import annotations

import json
import os
import sys
import time

_PROVIDERS = {"google": "gemini"}


def main() -> int:
    """Answer the protocol; ends with status 3 where LiteLLM is not installed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its own copy: nothing is fetched
    try:
        import litellm
        from litellm import cost_per_token
    except ImportError:
        return 3
    calls = []
    for provider, model, tier, prompt, cached, written, output in json.loads(sys.stdin.readline()):
        given = {
            "model": model, "custom_llm_provider": _PROVIDERS.get(provider, provider),
            "prompt_tokens": prompt, "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written, "completion_tokens": output,
            "service_tier": tier,
        }  # fmt: skip
        try:
            if sum(cost_per_token(**given)) > 0:
                calls.append(given)
        except Exception:  # a model it does not know
            continue
    print(json.dumps({"calls": len(calls), "version": _version(litellm)}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        for given in calls:
            cost_per_token(**given)
        print(time.perf_counter() - began, flush=True)
    return 0


def _version(module: object) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("litellm")
    except PackageNotFoundError:
        return str(getattr(module, "__version__", "?"))


if __name__ == "__main__":
    sys.exit(main())
