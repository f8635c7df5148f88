"""The collector: usage arrives over HTTP and is in the store before the answer goes out.

`writer` gathers what many requests submit into few transactions and tells each when its records
are durable; `reading` turns bodies into records; `otlp` speaks OpenTelemetry's protocol; `routes`
are the doors, for any Starlette application. Nothing of a prompt, an answer, a header or a key is
kept: a record has counts, names, times and the tags its sender put on it.

    collector = Collector(catalogue, own_cursor(store))
    collector.start()
    app = Starlette(routes=routes(collector, token="…"))
"""

from ingest.collector.routes import routes
from ingest.collector.writer import Collector, Limits, own_cursor

__all__ = ["Collector", "Limits", "own_cursor", "routes"]
