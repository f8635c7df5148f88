"""The mock endpoint: an OpenAI-compatible server that costs nothing and books everything.

An application or its tests run against it without a key or a bill. Input tokens are counted from
the request, cached tokens follow the variant's cache rule over the prefixes really sent, output
and reasoning are drawn from a profile, and every call is stored as simulated usage: a report then
says what the run would have cost, on this variant and on others.

    client = OpenAI(base_url="http://127.0.0.1:8766/v1", api_key="none")

`profiles` draws lengths, `prefixes` is the cache, `limits` are rate limits and faults, `simulator`
decides one call, `answers` and `streams` write it down, `routes` are the doors. Answers say that
they are simulated: in their text, in a field, in a header.
"""

from ingest.mock.limits import Behaviour, BehaviourError
from ingest.mock.routes import routes
from ingest.mock.simulator import Simulator

__all__ = ["Behaviour", "BehaviourError", "Simulator", "routes"]
