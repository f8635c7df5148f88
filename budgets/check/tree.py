"""Where files come from: the working tree, or a commit. Prompt readers cannot tell which.

Example: the base side of a diff reads includes, samples and few-shot files from the same commit as
the prompt itself, because both come through ``GitTree``.

Text is UTF-8 unless told otherwise; a byte-order mark is dropped, CRLF is counted as it stands.
Whatever is not text (an LFS pointer, a binary file, another encoding) is a named error.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from budgets.check import git
from budgets.check.errors import PromptError

_LFS = b"version https://git-lfs.github.com/spec/"
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
MAX_BYTES = 64 * 2**20


class Tree(Protocol):
    """A folder of files by relative POSIX path."""

    root: Path

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        ...

    def data(self, path: str) -> bytes:
        """Its bytes. Raises :class:`PromptError` (missing-reference or unreadable-file)."""
        ...

    def paths(self) -> Iterable[str]:
        """Every file."""
        ...


def text(tree: Tree, path: str, encoding: str = "utf-8") -> str:
    """The text of a file. Raises :class:`PromptError` naming what it is instead."""
    data = tree.data(path)
    if data.startswith(_LFS):
        raise PromptError(
            "lfs-pointer", f"{path} is a Git LFS pointer: run git lfs pull first.", path=path
        )
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        if data[:2] in _MARKS:
            raise PromptError(
                "unreadable-file", f"{path} is {_MARKS[data[:2]]}: state encoding = \"utf-16\", or "
                "save it as UTF-8.", path=path,
            )  # fmt: skip
        encoding = "utf-8-sig"
        if b"\0" in data:
            raise PromptError("unreadable-file", f"{path} is a binary file.", path=path)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PromptError(
            "unreadable-file", f"{path} is not {encoding.removesuffix('-sig')} (byte "
            f"{error.start:,}, line {line}): state its encoding in [[check.prompts]].",
            path=path, line=line,
        ) from error  # fmt: skip
    except LookupError as error:
        raise PromptError("unreadable-file", f"{path}: {error}.", path=path) from error


def inside(path: str) -> str:
    """A relative path with `..` resolved. Raises :class:`PromptError` when it leaves the root."""
    if ".." not in path and "./" not in path and not path.startswith("/"):
        return path
    parts: list[str] = []
    for part in PurePosixPath(path).parts:
        if part == "..":
            if not parts:
                raise PromptError("missing-reference", f"{path} leaves the project folder.")
            parts.pop()
        elif part == "/":
            raise PromptError("missing-reference", f"{path} is absolute; use a relative path.")
        else:
            parts.append(part)
    return "/".join(parts)


def beside(path: str, other: str) -> str:
    """`other` as seen from the folder of `path`."""
    if other.startswith("/"):
        return inside(other)
    folder, slash, _ = path.rpartition("/")
    return inside(folder + slash + other)


class WorkTree:
    """The files as they are on disk now."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._prefix = str(self.root) + os.sep
        self._folders: dict[str, str] = {}

    def _file(self, path: str) -> str:
        return self._prefix + inside(path)

    def exists(self, path: str) -> bool:
        """Whether a regular file is there."""
        return os.path.isfile(self._file(path))  # noqa: PTH113 - a thousand Paths cost a tenth

    def data(self, path: str) -> bytes:
        """Bytes of a file; a link that leads out of the project is refused."""
        file = self._file(path)
        try:
            if not self._inside(self._real(file)):
                raise PromptError(
                    "unreadable-file", f"{path} is a link out of the project.", path=path
                )
            with open(file, "rb") as stream:  # noqa: PTH123
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError as error:
            what = "is a link to nothing" if os.path.islink(file) else "does not exist"  # noqa: PTH114
            raise PromptError("missing-reference", f"{path} {what}.", path=path) from error
        except (OSError, RuntimeError) as error:
            loop = isinstance(error, RuntimeError) or error.errno == errno.ELOOP
            why = "is a link that leads back to itself" if loop else f"cannot be read: {error}"
            raise PromptError("unreadable-file", f"{path} {why}.", path=path) from error
        if len(data) > MAX_BYTES:
            raise PromptError(
                "unreadable-file", f"{path} is larger than 64 MiB: not a prompt.", path=path
            )
        return data

    def _real(self, file: str) -> str:
        """Where a file really is; the folders on the way are followed once."""
        if os.path.islink(file):  # noqa: PTH114
            return os.path.realpath(file)
        folder, name = os.path.split(file)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder] + os.sep + name

    def real(self, path: str) -> str:
        """The path a link leads to, relative to the root; the path itself when it is none."""
        found = self._real(self._file(path))
        return found[len(self._prefix) :].replace(os.sep, "/") if self._inside(found) else path

    def _inside(self, file: str) -> bool:
        return file.startswith(self._prefix)

    def paths(self) -> Iterable[str]:
        """Files git knows or would add; outside a repository every file below the root."""
        known = git.tracked(self.root)
        if known is not None:
            return known
        found: list[str] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in _SKIPPED]
            inner = folder[len(self._prefix) :].replace(os.sep, "/")
            found += [f"{inner}/{name}" if inner else name for name in files]
        return sorted(p for p in found if self.exists(p))


_SKIPPED = {".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", "dist", "build"}


class GitTree:
    """The files of one commit; links are followed, as they are on disk, within the project."""

    def __init__(self, root: Path, commit: str) -> None:
        self.root = root
        self.commit = commit
        self._files, self._links = git.files_at(root, commit)
        self._targets: dict[str, str] = {}
        self._data: dict[str, bytes] = {}

    def exists(self, path: str) -> bool:
        """Whether the commit has the file."""
        return self._real(inside(path)) is not None

    def data(self, path: str) -> bytes:
        """Bytes of a file at the commit."""
        real = self._real(inside(path))
        if real is None:
            raise PromptError(
                "missing-reference", f"{path} does not exist at {self.commit[:10]}.", path=path
            )
        if real not in self._data:
            try:
                self._data[real] = git.blob(self.root, self.commit, real)
            except git.GitError as error:
                raise PromptError("unreadable-file", f"{path}: {error}", path=path) from error
        return self._data[real]

    def _real(self, path: str) -> str | None:
        """The file a path leads to, links to files and to folders followed; None if to none."""
        for _ in range(1 + _HOPS if self._links else 1):
            if path in self._files:
                return path
            parts = path.split("/")
            heads = ("/".join(parts[:n]) for n in range(1, len(parts) + 1))
            link = next((head for head in heads if head in self._links), None)
            if link is None:
                return None
            try:
                path = beside(link, self._target(link) + path[len(link) :])
            except (PromptError, git.GitError):
                return None  # it leads out of the project
        return None

    def _target(self, link: str) -> str:
        if link not in self._targets:
            raw = git.blob(self.root, self.commit, link)
            self._targets[link] = raw.decode("utf-8", "surrogateescape").rstrip("/")
        return self._targets[link]

    def paths(self) -> Iterable[str]:
        """Every file of the commit, links to files included."""
        links = (link for link in self._links if self._real(link) is not None)
        return sorted((*self._files, *links))


_HOPS = 8  # links that lead to links; a ring of them ends here
