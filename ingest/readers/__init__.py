"""One module a log format; a module is found because it is here.

A module that defines `READER` reads files of its own; one that defines `BODY` (and perhaps
`STREAM`) teaches `bodies` one more API. To add a format, add a module: nothing else lists them.
`BODY.order` (default 50) decides who is asked first when bodies look alike.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from ingest.readers.base import Reader

_HELPERS = ("base", "hosts")


@cache
def _modules() -> tuple[ModuleType, ...]:
    names = sorted(m.name for m in iter_modules(__path__) if m.name not in _HELPERS)
    return tuple(import_module(f"{__name__}.{name}") for name in names)


@cache
def body_modules() -> tuple[ModuleType, ...]:
    """Modules that know an API's body, the most distinctive first."""
    found = [m for m in _modules() if hasattr(m, "BODY")]
    return tuple(sorted(found, key=lambda m: (getattr(m.BODY, "order", 50), m.__name__)))


@cache
def all_readers() -> dict[str, Reader]:
    """Every file reader by name."""
    found = [m.READER for m in _modules() if hasattr(m, "READER")]
    return {reader.name: reader for reader in sorted(found, key=lambda r: r.name)}
