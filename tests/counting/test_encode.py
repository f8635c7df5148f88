"""The fast path equals the reference on any text, and surrogates are cleaned first."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import UnknownModelError, VocabularyError, backend, count_text, encode
from pricing.counting.encode import _load, clean, encoder

REFERENCES = {name: _load(name, "tiktoken") for name in ("o200k_base", "cl100k_base")}
# Any code point, lone surrogates included, and what has tripped tokenizers before.
ANY = st.text(st.characters(), max_size=200)
HARD = st.lists(
    st.sampled_from(
        [
            "  ", "\n\n", "\t", "\r\n", "'s", "'LL", "ß", "İ", "1234567", "٣٤", "é", "e\u0301",
            "中文", "🤷🏽‍♀️", "<|endoftext|>", "<|im_start|>", "....", "/*", "\ud83d", "\udc00",
            "\u0cdc", "\u1ad0", "aaaa", "\x00",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("name", sorted(REFERENCES))
@settings(deadline=None, max_examples=300)
@given(text=st.one_of(ANY, HARD))
def test_splintr_gives_the_ids_of_tiktoken(name, text):
    pytest.importorskip("splintr", reason="the extra 'fast' is not installed")
    assert _load(name, "splintr-rs").ids(text) == REFERENCES[name].ids(text)


@given(text=st.one_of(ANY, HARD))
def test_cleaning_is_tiktokens_own(text):
    cleaned = clean(text)
    cleaned.encode("utf-8")  # nothing left that cannot be encoded
    assert cleaned == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("", 0, 0),
        ("hello world", 2, 2),
        ("<|endoftext|>", 7, 7),  # spelled-out specials are ordinary text
        ("天气很好", 2, 6),
        ("\ud83d", 1, 1),  # a lone surrogate is one replacement character
        ("\ud83d\ude00", 1, 2),  # a split pair is the emoji it was
    ],
)
def test_known_counts(text, o200k, cl100k):
    assert encoder("o200k_base").count(text) == o200k
    assert encoder("cl100k_base").count(text) == cl100k


def test_without_the_extra_tiktoken_counts(monkeypatch):
    monkeypatch.setitem(sys.modules, "splintr", None)
    assert backend() == "tiktoken"
    assert encoder("o200k_base").backend == "tiktoken"


def test_the_reference_can_be_forced(monkeypatch):
    monkeypatch.setenv("TOKENBOOKS_TOKENIZER", "tiktoken")
    assert backend() == "tiktoken"


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-2024-08-06", "o200k_base"),
        ("openai/gpt-4o-mini", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "o200k_base"),
        ("gpt-5.6-terra", "o200k_base"),
        ("gpt-4-0613", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
    ],
)
def test_models_resolve_by_table(model, encoding):
    tokens = count_text("hello world", model)
    assert (tokens.total, tokens.low, tokens.high) == (2, 2, 2)
    assert tokens.encoding == encoding
    assert tokens.basis == "exact"


@pytest.mark.parametrize("model", ["gpt-4o-maxi", "gpt-6", "claude-9-poem", "", "gpt"])
def test_an_unknown_model_is_an_error_not_a_relative(model):
    with pytest.raises(UnknownModelError):
        count_text("hello", model)


def test_other_vendors_are_a_ratio_with_an_interval():
    tokens = count_text("word " * 100, "claude-sonnet-4-5")
    assert tokens.basis == "ratio"
    assert tokens.low < tokens.total == 121 < tokens.high


def test_vendor_vocabularies_are_what_they_were_measured_with(monkeypatch):
    pytest.importorskip("splintr", reason="the extra 'fast' is not installed")
    for name in encode.VENDOR_VOCABULARIES:
        vocabulary = encode.vendor_encoder(name)
        assert vocabulary is not None
        # A spelled-out special token is ordinary text, and a lone surrogate does not raise.
        assert vocabulary.count("<|im_start|><start_of_turn>") > 4
        assert vocabulary.count("\ud83d") >= 1
        assert vocabulary.count("") == 0
    monkeypatch.setitem(encode.VENDOR_VOCABULARIES, "llama3", "0" * 64)
    encode._vendor.cache_clear()
    with pytest.raises(VocabularyError, match="other ids"):
        count_text("hi", "llama-3.3-70b-instruct")
    encode._vendor.cache_clear()


def test_without_the_extra_there_are_no_vendor_vocabularies(monkeypatch):
    monkeypatch.setitem(sys.modules, "splintr", None)
    assert encode.vendor_encoder("gemma3") is None
    assert count_text("hello world", "gemini-2.5-flash").basis == "ratio"
