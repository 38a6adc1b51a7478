"""A PDF is taken for what it shows: whatever acts in it is gone, and what is none is refused."""

import io

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    TextStringObject,
)

from lib.shared import papers
from lib.shared.errors import Refusal

SHOWN = b"BT /F1 24 Tf 72 700 Td (Invoice 4711) Tj ET"


def a_paper(pages: int = 1, *, armed: bool = False, password: str = "") -> bytes:
    """A PDF with a line of text; `armed`: with all that a hostile one brings."""
    writer = PdfWriter()
    for _ in range(pages):
        page = writer.add_blank_page(595, 842)
        drawn = DecodedStreamObject()
        drawn.set_data(SHOWN)
        page[NameObject("/Contents")] = writer._add_object(drawn)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
    if armed:
        writer._root_object[NameObject("/OpenAction")] = _script()
        writer.add_attachment("evil.exe", b"MZ EVIL")
        writer.add_metadata({"/Author": "EVIL"})
        page = writer.pages[0]
        page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): _script()})
        writer.add_annotation(0, Link(rect=(0, 0, 50, 50), url="https://evil.example/"))
        button = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Annot"),
                NameObject("/Subtype"): NameObject("/Widget"),
                NameObject("/Rect"): ArrayObject([FloatObject(each) for each in (0, 0, 9, 9)]),
                NameObject("/A"): _script(),
                NameObject("/T"): TextStringObject("EVIL"),
            }
        )
        page["/Annots"].append(writer._add_object(button))
    if password:
        writer.encrypt(password)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _script() -> DictionaryObject:
    return DictionaryObject(
        {
            NameObject("/S"): NameObject("/JavaScript"),
            NameObject("/JS"): TextStringObject("app.alert('EVIL')"),
        }
    )


def test_a_paper_shows_what_it_showed():
    told = papers.paper(a_paper(3))
    reader = PdfReader(io.BytesIO(told.content))
    assert told.media_type == "application/pdf"
    assert [page.extract_text().strip() for page in reader.pages] == ["Invoice 4711"] * 3


def test_scripts_actions_links_attachments_and_metadata_are_gone():
    sent = a_paper(armed=True)
    for word in (b"EVIL", b"/JavaScript", b"/EmbeddedFile"):
        assert word in sent, "the paper of the test is armed"
    content = papers.paper(sent).content
    words = (b"EVIL", b"JavaScript", b"/JS", b"Embedded", b"evil", b"/OpenAction", b"/AA", b"/URI")
    assert [word for word in words if word in content] == []
    assert b"Invoice 4711" in content


def test_what_stands_before_or_behind_the_paper_is_not_kept():
    content = papers.paper(a_paper() + b"\nPK\x03\x04<script>alert(1)</script>").content
    assert b"<script>" not in content
    assert b"PK\x03\x04" not in content
    assert not papers.is_paper(b"<html>" + a_paper())


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (b"%PDF-1.7\n<html><script>alert(1)</script>", "paper_unreadable"),
        (b"%PDF-1.7", "paper_unreadable"),
        (a_paper()[:300], "paper_unreadable"),
        (a_paper(password="secret"), "paper_locked"),
        (a_paper(papers.MOST_PAGES + 1), "paper_too_large"),
        (b"%PDF-1.7" + b"\0" * papers.MOST_BYTES, "paper_too_large"),
    ],
    ids=["html", "nothing", "cut", "locked", "long", "large"],
)
def test_what_is_no_paper_or_too_large_a_one_is_refused(sent: bytes, refusal: str):
    with pytest.raises(Refusal) as caught:
        papers.paper(sent)
    assert caught.value.key == refusal
