"""Image rules at their boundaries, and sizes read from real headers."""

import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.counting import Basis, count_request
from pricing.counting.images import ImageTokens, image_tokens, patches, pixel_size, tiles


def noted(width, height):
    return f"data:image/png;base64,<omitted bytes=9 dims={width}x{height} sha256=0>"


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ((1, 1), 1), ((512, 512), 1), ((513, 512), 2), ((640, 480), 2), ((1024, 1024), 4),
        ((3008, 2000), 6), ((2048, 4096), 6), ((2048, 768), 8), ((8192, 100), 4),
    ],
)  # fmt: skip
def test_tiles(size, count):
    assert tiles(*size) == count


@pytest.mark.parametrize(
    ("size", "count"),
    [((32, 32), 1), ((33, 32), 2), ((640, 480), 300), ((1024, 1024), 1024), ((1800, 2400), 1452)],
)
def test_patches(size, count):
    assert patches(*size, 1536) == count


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_patches_never_exceed_the_cap(width, height):
    assert 1 <= patches(width, height, 1536) <= 1536


@pytest.mark.parametrize(
    ("rule", "size", "total"),
    [
        ("gpt-4o", (640, 480), 425),
        ("gpt-4o", (3008, 2000), 1105),
        ("gpt-4o-mini", (640, 480), 14167),
        ("gpt-5", (640, 480), 350),
        ("gpt-4.1-mini", (640, 480), 488),
        ("gpt-4.1-nano", (540, 360), 503),
        ("o4-mini", (640, 480), 517),
        ("gpt-5-mini", (640, 480), 361),
        ("gpt-5-nano", (640, 480), 451),
        ("gpt-5.4", (60, 30), 4),
    ],
)
def test_tokens_by_family(rule, size, total):
    tokens = image_tokens(rule, noted(*size))
    assert (tokens.total, tokens.low, tokens.high) == (total, total, total)


@pytest.mark.parametrize(
    ("rule", "detail", "size", "total"),
    [
        # 50 x 50 patches are the most that high takes; one pixel more is scaled down to fit.
        ("gpt-5.4", "high", (1600, 1600), 3001),
        ("gpt-5.4", "high", (3200, 3200), 3001),
        ("gpt-5.4", "original", (3200, 3200), 12001),
        ("gpt-5.4", "original", (6400, 6400), 12001),
        ("gpt-5.2", "high", (1600, 1600), 1827),  # 39 x 39 of 1,536
        ("gpt-5.2", "original", (1600, 1600), 1827),  # it has no such detail
        ("gpt-5.2", "high", (4096, 64), 65 + 13),  # 2,048 x 32 first: 64 patches
    ],
)
def test_large_images_by_detail(rule, detail, size, total):
    tokens = image_tokens(rule, noted(*size), detail)
    assert (tokens.total, tokens.low, tokens.high) == (total, total, total)


def test_auto_is_an_interval_where_the_details_differ():
    assert image_tokens("gpt-5.4", noted(3200, 3200)) == ImageTokens(3001, 3001, 12001)
    assert image_tokens("gpt-5.5", noted(3200, 3200)) == ImageTokens(12001, 3001, 12001)
    assert image_tokens("gpt-5.5", noted(640, 480)) == ImageTokens(361, 361, 361)
    assert image_tokens("gpt-5.5", "https://example.org/a.png").high == 12001


def test_low_detail_is_the_base_on_tile_models_only():
    assert image_tokens("gpt-4o", "https://example.org/a.png", "low").total == 85
    assert image_tokens("gpt-5-mini", noted(640, 480), "low").total == 361


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (37, 61), (300, 200)])
def test_sizes_of_real_files(kind, size):
    image = pytest.importorskip("PIL.Image", reason="Pillow draws the test images")
    file = io.BytesIO()
    image.new("RGB", size, "red").save(file, kind)
    data = base64.b64encode(file.getvalue()).decode()
    assert pixel_size(f"data:image/{kind.lower()};base64,{data}") == size


@given(st.binary(max_size=60))
def test_any_bytes_are_no_size_or_a_size_but_no_crash(data):
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"RIFF0000WEBPVP8X", b"GIF89a"):
        payload = base64.b64encode(start + data).decode()
        size = pixel_size(f"data:image/x;base64,{payload}")
        assert size is None or (len(size) == 2 and min(size) >= 0)


def test_an_address_gives_an_interval_and_says_so():
    parts = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": parts}]}
    tokens = count_request(request)
    assert tokens.basis is Basis.UNKNOWN
    assert (tokens.parts["images"], tokens.low) == (765, 7 + 255 - 15)  # 2 % of 772
    assert tokens.high >= 7 + 1445
    assert any("1024 x 1024 assumed" in note for note in tokens.notes)
