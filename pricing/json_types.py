"""What `isinstance` says of a JSON value, in words a type checker understands.

The values of a log, a request or a TOML file have no known type until they are looked at, and
`isinstance(value, Mapping)` is the look. But it tells a checker only "a mapping of unknown to
unknown", and everything read from it is unknown from there on. A document's objects have text for
keys and anything for values; these names say so. When the program runs they *are* `Mapping`,
`dict`, `list` and so on: asking for them costs nothing and finds the same.

>>> isinstance({"usage": {}}, JsonObject), isinstance([1], JsonObject), isinstance([1], JsonList)
(True, False, True)
>>> JsonDict is dict
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    class JsonObject(Mapping[str, Any]):
        """A JSON object, of whatever mapping type."""

    class JsonDict(dict[str, Any]):
        """A JSON object that may be written to."""

    class JsonList(list[Any]):
        """A JSON array."""

    class JsonTuple(tuple[Any, ...]):
        """An array in a tuple, as templates and widgets hold them."""

    class JsonSet(set[Any]):
        """What a document cannot hold and a program may hand over as an array."""

    class JsonSequence(Sequence[Any]):
        """A JSON array, of whatever sequence type; a text is one too, so ask for texts first."""

else:
    JsonObject, JsonDict, JsonSequence = Mapping, dict, Sequence
    JsonList, JsonTuple, JsonSet = list, tuple, set
