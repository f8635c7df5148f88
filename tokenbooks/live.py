"""The doors of a running service besides its pages: the collector and the mock, where enabled.

    service.run(…, settings=chosen, routes=live.routes(chosen))

Settings decide: `[serve] collector = true`, `mock = true`; `token` is what senders must carry (and
the mock's API key). Both write through the service's own writer lock, so pages, imports and
senders take turns on one store. On the service the mock's calls stand beside real ones, told apart
by `source_format = 'mock'` and the tag `simulated`: totals leave them out and say so.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from tokenbooks.service import Owner
    from tokenbooks.settings import Settings


def routes(chosen: Settings) -> Callable[[Owner], Sequence[BaseRoute]]:
    """What `service.run` calls with its owner: the routes that the settings enable.

    Raises `BehaviourError` at once for a wrong `[mock]` section.
    """
    behaviour = None
    if chosen.serve.mock:
        from ingest.mock import Behaviour

        behaviour = Behaviour.of(chosen.mock)

    def make(owner: Owner) -> Sequence[BaseRoute]:
        if not (chosen.serve.collector or chosen.serve.mock):
            return ()
        from ingest import collector as live

        limits = live.Limits(max_body=chosen.serve.max_body_mb * 1024 * 1024)
        collector = live.Collector(owner.catalogue, owner.writing, limits)
        collector.start()
        # Closing the owner waits for the transaction under way, and what is not committed by then
        # was not acknowledged; what is left is to end the thread before the interpreter does.
        atexit.register(collector.close, 5.0)
        found: list[BaseRoute] = []
        if chosen.serve.collector:
            found += live.routes(collector, token=chosen.token)
        if behaviour is not None:
            from ingest import mock

            simulator = mock.Simulator(owner.catalogue, behaviour)
            found += mock.routes(simulator, collector, token=chosen.token)
        return found

    return make
