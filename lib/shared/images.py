"""What is taken as a photo or a signature: sniffed, measured, and always drawn anew before it is stored.

A re-encoded picture carries no place, no camera and no hidden payload of the file that was sent (security 13).
"""

import hashlib
import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps

from lib.shared.cores import any_core
from lib.shared.errors import Refusal

MOST_BYTES = 10 * 1024 * 1024
MOST_PIXELS = 60_000_000
"""Cameras of tablets reach 50 megapixels; a file that unpacks to more is refused unread."""

PHOTO_SIDE = 1600
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP")
PHOTO_QUALITY = 82
SIGNATURE_SIDE = 1200
SIGNATURE_BYTES = 1024 * 1024
THUMBNAIL_SIDE = 320


@dataclass(frozen=True)
class Picture:
    content: bytes
    media_type: str
    sha256: str


@any_core()
def photo(sent: bytes) -> Picture:
    """A JPEG of at most 1600 px a side. Refuses `photo_too_large` and `photo_unreadable`."""
    if len(sent) > MOST_BYTES:
        raise Refusal("photo_too_large", most=MOST_BYTES // (1024 * 1024))
    image = _opened(sent, PHOTO_FORMATS, "photo_unreadable", "photo_too_large")
    return _encoded(_flat(image, PHOTO_SIDE), "JPEG", "image/jpeg")


@any_core()
def signature(sent: bytes) -> Picture:
    """A PNG in greys, dark on white. Refuses `signature_unreadable` and `signature_empty`."""
    if len(sent) > SIGNATURE_BYTES:
        raise Refusal("signature_unreadable")
    image = _opened(sent, ("PNG",), "signature_unreadable", "signature_unreadable")
    drawn = _flat(image, SIGNATURE_SIDE).convert("L")
    darkest, _ = drawn.getextrema()
    if not isinstance(darkest, (int, float)) or darkest > 128:
        raise Refusal("signature_empty")
    return _encoded(drawn, "PNG", "image/png")


@any_core()
def thumbnail(content: bytes) -> bytes:
    """A small JPEG of a stored picture."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    return _encoded(_flat(image, THUMBNAIL_SIDE), "JPEG", "image/jpeg").content


def _opened(sent: bytes, formats: tuple[str, ...], unreadable: str, too_large: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(sent), formats=formats)
            if image.width * image.height > MOST_PIXELS:
                raise Refusal(too_large, most=MOST_BYTES // (1024 * 1024))
            if image.format in ("JPEG", "MPO"):
                image.draft("RGB", (PHOTO_SIDE, PHOTO_SIDE))
            image.load()
    except Refusal:
        raise
    except Image.DecompressionBombError:
        raise Refusal(too_large, most=MOST_BYTES // (1024 * 1024)) from None
    except (OSError, ValueError, SyntaxError, EOFError):
        raise Refusal(unreadable) from None
    return image


def _flat(image: Image.Image, side: int) -> Image.Image:
    """Upright, without transparency, at most `side` pixels a side."""
    upright = ImageOps.exif_transpose(image)
    if "A" in upright.getbands() or "transparency" in upright.info:
        shown = upright.convert("RGBA")
        paper = Image.new("RGBA", shown.size, "white")
        upright = Image.alpha_composite(paper, shown)
    plain = upright.convert("RGB")
    plain.thumbnail((side, side))
    return plain


def _encoded(image: Image.Image, kind: str, media_type: str) -> Picture:
    # A picture made of pixels alone: nothing of the sent file's metadata is carried over.
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    buffer = io.BytesIO()
    bare.save(buffer, kind, quality=PHOTO_QUALITY, optimize=True)
    content = buffer.getvalue()
    return Picture(content, media_type, hashlib.sha256(content).hexdigest())
