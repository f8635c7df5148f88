"""What an image costs on OpenAI models, from its pixel size and the model family's rule.

Two rules exist. *Tiles*: fit into 2048 x 2048, shorten the short side to 768, then count 512-pixel
squares: gpt-4o bills 85 + 170 each, so 640 x 480 (2 tiles) is 425. *Patches*: count 32-pixel
squares, at most 1,536 (a larger image is scaled down first; 2,500 from gpt-5.4 on, 10,000 at detail
``original``), times a multiplier: gpt-5-mini bills 300 patches of the same image as
1.2 x 300 + 1 = 361. ``detail: low`` is the base alone on tile models and changes nothing on patch
models.

The size is read from the header of a data URL (PNG, JPEG, GIF, WebP). An address says nothing
about the size; then the answer is an interval, not a number.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from dataclasses import dataclass
from fractions import Fraction

from pricing.counting.families import table, vendor_images

_NOTE = re.compile(r"dims=(\d+)x(\d+)")  # recordings keep the size where they drop the payload
_ASSUMED = (1024, 1024)


@dataclass(frozen=True)
class ImageTokens:
    """Tokens of one image. ``low < high`` when its size is not in the request."""

    total: int
    low: int
    high: int


def image_tokens(rule_name: str, source: str, detail: str = "auto") -> ImageTokens:
    """Tokens of one image under a family's rule (a key of ``[image]`` in ``openai.toml``)."""
    rule = table()["image"][rule_name]
    if rule["rule"] == "tiles":
        base, tile = rule["base"], rule["tile"]
        if detail == "low":
            return ImageTokens(base, base, base)
        size = pixel_size(source)
        if size is None:
            # 1 tile at least; 8 at most (2048 x 768 after both scalings).
            return ImageTokens(base + tile * tiles(*_ASSUMED), base + tile, base + tile * 8)
        exact = base + tile * tiles(*size)
        return ImageTokens(exact, exact, exact)
    factor = float(rule["multiplier"])
    high = (rule["cap"], rule["side"])
    large = (rule.get("original_cap", rule["cap"]), rule.get("original_side", rule["side"]))
    auto = detail not in ("low", "high", "original")
    chosen = large if detail == "original" or (auto and rule.get("auto") == "original") else high
    size = pixel_size(source)
    if size is None:
        guess = _patch_tokens(factor, patches(*_ASSUMED, *chosen))
        most = large[0] if auto else chosen[0]
        return ImageTokens(guess, _patch_tokens(factor, 1), _patch_tokens(factor, most))
    exact = _patch_tokens(factor, patches(*size, *chosen))
    if not auto:
        return ImageTokens(exact, exact, exact)
    # What `auto` chooses is the server's business; only large images can tell the two apart.
    ends = [_patch_tokens(factor, patches(*size, *each)) for each in (high, large)]
    return ImageTokens(exact, min(ends), max(ends))


def vendor_image_tokens(rule_name: str, source: str, resolution: str = "") -> ImageTokens:
    """Tokens of one image of another vendor (a key of ``[image]`` in ``vendors.toml``).

    *Squares*: one token for each 28-pixel square and one more, after the image is scaled down to
    `side` and `cap` squares (Claude: 400 x 301 is 15 x 11 + 1 = 166). *Flat*: a number for each
    `resolution` (Gemini 3), or tiles of 768 pixels (Gemini 2).
    """
    rule = vendor_images()[rule_name]
    size = pixel_size(source)
    if rule["rule"] == "squares":
        if size is None:
            guess = squares(*_ASSUMED, rule["cap"], rule["side"]) + 1
            return ImageTokens(guess, 2, rule["cap"] + 1)
        exact = squares(*size, rule["cap"], rule["side"]) + 1
        return ImageTokens(exact, exact, exact)
    if rule["rule"] == "flat":
        most = rule["most"].get(resolution.lower().rpartition("_")[2], rule["most"]["high"])
        return ImageTokens(round(most * 0.975), round(most * 0.92), most)
    least = rule["tile"]
    if size is None:
        return ImageTokens(least, least, least * 16)
    count = 1 if max(size) <= 384 else math.ceil(size[0] / 768) * math.ceil(size[1] / 768)
    return ImageTokens(least, least, max(least, least * max(count, 2 * (max(size) > 384))))


def squares(width: int, height: int, cap: int, side: int) -> int:
    """28-pixel squares of an image, after it is scaled down to ``side`` pixels and ``cap``."""
    scale = min(1.0, side / max(width, height))
    while True:
        w, h = max(1, int(width * scale)), max(1, int(height * scale))
        count = math.ceil(w / 28) * math.ceil(h / 28)
        if count <= cap:
            return count
        scale *= min(0.995, math.sqrt(cap / count))


def _patch_tokens(factor: float, count: int) -> int:
    # One token around the image, and the product in binary floating point: 1.62 x 300 is billed as
    # 488 = 487 + 1, which only float arithmetic explains (486.00000000000006 rounded up).
    return math.ceil(factor * count) + 1


def tiles(width: int, height: int) -> int:
    """512-pixel squares of an image in pixels, after scaling down to 2048 and 768."""
    scale = min(Fraction(1), Fraction(2048, max(width, height)))
    w, h = width * scale, height * scale
    scale = min(Fraction(1), Fraction(768) / min(w, h))
    w, h = int(w * scale), int(h * scale)
    return max(1, -(-w // 512)) * max(1, -(-h // 512))


def patches(width: int, height: int, cap: int, side: int = 2048) -> int:
    """32-pixel squares of an image; above ``cap`` it is scaled down to fit (published rule).

    Longer than ``side`` pixels, it is first scaled down to that.
    """
    longest = max(width, height)
    if longest > side:
        width, height = (max(1, int(Fraction(n * side, longest))) for n in (width, height))
    count = math.ceil(width / 32) * math.ceil(height / 32)
    if count <= cap:
        return count
    ratio = math.sqrt(32 * 32 * cap / (width * height))
    across, down = width * ratio / 32, height * ratio / 32
    # Shrink once more so that whole patches fit at least one side.
    ratio *= min(math.floor(across) / across, math.floor(down) / down)
    return min(cap, math.ceil(width * ratio / 32) * math.ceil(height * ratio / 32))


def pixel_size(source: str) -> tuple[int, int] | None:
    """Width and height of a data URL's image, or None when they cannot be known."""
    if not source.startswith("data:"):
        return None
    header, _, payload = source.partition(",")
    noted = _NOTE.search(payload[:200])
    if noted:
        return int(noted[1]), int(noted[2])
    if not header.endswith(";base64"):
        return None
    try:
        # JPEG sizes may follow long metadata, so the whole payload is decoded.
        data = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None
    return _header_size(data)


def _header_size(data: bytes) -> tuple[int, int] | None:
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack(">II", data[16:24])
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack("<HH", data[6:10])
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        elif data[:2] == b"\xff\xd8":
            return _jpeg_size(data)
        else:
            return None
    except struct.error:
        return None
    return (width, height) if width and height else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        # The start-of-frame markers carry the size; C4, C8 and CC are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return (width, height) if width and height else None
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return width, int.from_bytes(data[27:30], "little") + 1
    return None
