"""What is taken as a PDF: opened, and its pages written anew without anything that acts, before it is stored.

Of the sent file only what a page shows is carried over: no scripts, actions, embedded files, forms or metadata, and
nothing that stood before or behind the PDF in the file (security 13).
"""

import hashlib
import io
import logging
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject

from lib.shared.errors import Refusal
from lib.shared.images import MOST_BYTES, Picture

MEDIA_TYPE = "application/pdf"
MAGIC = b"%PDF-"
MOST_PAGES = 100
PAGE_KEYS = frozenset(
    {
        "/Type",
        "/Contents",
        "/Resources",
        "/MediaBox",
        "/CropBox",
        "/BleedBox",
        "/TrimBox",
        "/ArtBox",
        "/Rotate",
        "/Group",
        "/UserUnit",
    }
)
MARK_KEYS = (
    "/Type",
    "/Subtype",
    "/Rect",
    "/AP",
    "/AS",
    "/F",
    "/C",
    "/Border",
    "/BS",
    "/QuadPoints",
)
"""What is kept of a mark on a page: how it looks, not what it does."""
NO_MARKS = frozenset(
    {"/FileAttachment", "/RichMedia", "/Screen", "/Movie", "/Sound", "/3D", "/Popup", "/Link"}
)
ACTING_KEYS = (
    "/A",
    "/AA",
    "/AF",
    "/EF",
    "/JS",
    "/Launch",
    "/Metadata",
    "/OpenAction",
    "/PieceInfo",
    "/RichMediaContent",
)

# The reader tells every oddity of a file, in words of the file; none of that belongs into the desk's log.
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def is_paper(sent: bytes) -> bool:
    """Whether the content begins as a PDF does; its name says nothing."""
    return sent.startswith(MAGIC)


def paper(sent: bytes) -> Picture:
    """A PDF that only shows its pages. Refuses `paper_too_large`, `paper_unreadable` and `paper_locked`."""
    if len(sent) > MOST_BYTES:
        raise Refusal("paper_too_large", most=MOST_BYTES // (1024 * 1024), pages=MOST_PAGES)
    try:
        content = _written_anew(sent)
    except Refusal:
        raise
    except Exception:  # noqa: BLE001 - a broken file fails in the reader in any way
        raise Refusal("paper_unreadable") from None
    if len(content) > 2 * MOST_BYTES:
        raise Refusal("paper_too_large", most=MOST_BYTES // (1024 * 1024), pages=MOST_PAGES)
    return Picture(content, MEDIA_TYPE, hashlib.sha256(content).hexdigest())


def _written_anew(sent: bytes) -> bytes:
    reader = PdfReader(io.BytesIO(sent), strict=False)
    if reader.is_encrypted:
        raise Refusal("paper_locked")
    pages = len(reader.pages)
    if pages == 0:
        raise Refusal("paper_unreadable")
    if pages > MOST_PAGES:
        raise Refusal("paper_too_large", most=MOST_BYTES // (1024 * 1024), pages=MOST_PAGES)
    writer = PdfWriter()
    for page in reader.pages:
        marks = _marks(page.get("/Annots"))
        for name in [name for name in page if name not in PAGE_KEYS]:
            del page[name]
        if marks:
            page[NameObject("/Annots")] = marks
        writer.add_page(page)
    for stored in writer._objects:
        _disarm(stored)
    writer.metadata = None
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _marks(annotations: Any) -> ArrayObject:
    """The marks of a page as they look, e.g. the filled fields of a form."""
    kept = ArrayObject()
    if annotations is None:
        return kept
    for each in annotations.get_object():
        mark = each.get_object()
        if not isinstance(mark, DictionaryObject) or mark.get("/Subtype") in NO_MARKS:
            continue
        kept.append(
            DictionaryObject(
                {NameObject(name): mark.raw_get(name) for name in MARK_KEYS if name in mark}
            )
        )
    return kept


def _disarm(stored: Any) -> None:
    """Take what acts out of an object and of all that stands directly in it."""
    waiting = [stored]
    while waiting:
        part = waiting.pop()
        if isinstance(part, DictionaryObject):
            for name in ACTING_KEYS:
                if name in part:
                    del part[name]
            waiting += [dict.__getitem__(part, name) for name in part]
        elif isinstance(part, ArrayObject):
            waiting += list.__iter__(part)
