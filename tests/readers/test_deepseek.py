"""DeepSeek's platform export, loose and zipped."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal

import pytest

from ingest.files import look_at_bytes
from ingest.readers import deepseek
from ingest.readers.base import ReadContext
from tests.readers.golden import FIXTURES
from tests.readers.probe import counts, golden, rejects, rows

HERE = FIXTURES / "deepseek"
FILES = ("amount-2026-01.csv", "cost-2026-01.csv")


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str) -> None:
    golden(deepseek, "deepseek", name)


def test_types_of_one_slice_are_one_row() -> None:
    found = golden(deepseek, "deepseek", FILES[0])
    chat, reasoner = rows(found)
    assert counts(chat) == {"input_uncached": 36, "cache_read": 64, "output_text": 9}
    assert (chat.requests, counts(reasoner)) == (2, {"output_text": 7})
    assert [r.reason for r in rejects(found)] == [
        "type = 'something_new' is no count this reader knows",
        "start_time_iso is not a time",
    ]


def test_costs_keep_their_currency() -> None:
    found = rows(golden(deepseek, "deepseek", FILES[1]))
    assert [(r.amount, r.currency) for r in found] == [
        (Decimal("0.0000156520"), "USD"),
        (Decimal("1.25"), "CNY"),
    ]


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(f"export/{name}", (HERE / name).read_bytes())
        archive.writestr("readme.txt", "nothing")
    return packed.getvalue()


def test_the_zip_is_read_as_its_tables() -> None:
    source = look_at_bytes(zipped(*FILES))
    assert deepseek.READER.identify(source) == 0.9
    assert len(rows(deepseek.READER.read(source, ReadContext(source)))) == 4


def test_another_or_a_damaged_zip_is_not_claimed() -> None:
    assert deepseek.READER.identify(look_at_bytes(zipped())) == 0
    assert deepseek.READER.identify(look_at_bytes(zipped(*FILES)[:-30])) == 0
