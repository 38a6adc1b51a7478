"""What a tablet sends as a picture is drawn anew, or refused."""

import io
import struct
import zlib

import pytest
from PIL import Image

from lib.shared import images
from lib.shared.errors import Refusal
from tests.visits.house_calls import a_photo, a_signature


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_becomes_a_jpeg_of_at_most_1600_pixels(kind: str):
    picture = images.photo(a_photo((2400, 1200), kind))
    image = opened(picture.content)
    assert (image.format, image.size, picture.media_type) == ("JPEG", (1600, 800), "image/jpeg")


def test_the_place_and_camera_of_a_photo_are_forgotten_and_its_turn_is_kept():
    exif = Image.Exif()
    exif[0x0110] = "Tablet X"
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    picture = images.photo(a_photo((400, 200), exif=exif.tobytes()))
    image = opened(picture.content)
    assert image.size == (200, 400)
    assert not image.getexif()
    assert b"Tablet X" not in picture.content


def test_a_transparent_picture_gets_white_paper():
    sent = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(sent, "PNG")
    assert opened(images.photo(sent.getvalue()).content).getpixel((5, 5)) == (255, 255, 255)


def a_png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (b"", "photo_unreadable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo_unreadable"),
        (b"%PDF-1.7 not a picture", "photo_unreadable"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 200, "photo_unreadable"),
        (a_photo((80, 60), "GIF"), "photo_unreadable"),
        (a_photo((80, 60))[:400], "photo_unreadable"),
        (a_png_that_claims(20_000, 20_000), "photo_too_large"),
        (b"\xff\xd8" + b"\0" * images.MOST_BYTES, "photo_too_large"),
    ],
    ids=["empty", "svg", "pdf", "zeros", "gif", "cut", "bomb", "large"],
)
def test_what_is_no_picture_or_too_large_a_one_is_refused(sent: bytes, refusal: str):
    with pytest.raises(Refusal) as caught:
        images.photo(sent)
    assert caught.value.key == refusal


def test_a_signature_is_dark_on_white():
    picture = images.signature(a_signature())
    image = opened(picture.content)
    assert (image.format, image.mode, image.getpixel((0, 0))) == ("PNG", "L", 255)
    assert image.getextrema()[0] == 0


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (a_signature(drawn=False), "signature_empty"),
        (a_photo((80, 60)), "signature_unreadable"),
        (b"\x89PNG broken", "signature_unreadable"),
        (b"x" * (images.SIGNATURE_BYTES + 1), "signature_unreadable"),
    ],
    ids=["blank", "photo", "broken", "large"],
)
def test_an_empty_or_foreign_signature_is_refused(sent: bytes, refusal: str):
    with pytest.raises(Refusal) as caught:
        images.signature(sent)
    assert caught.value.key == refusal


def test_a_thumbnail_is_small():
    small = images.thumbnail(images.photo(a_photo()).content)
    assert max(opened(small).size) == images.THUMBNAIL_SIDE
    assert len(small) < 60_000
