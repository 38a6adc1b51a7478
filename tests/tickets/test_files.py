"""Photos and papers of a case: who attaches, opens and removes them; hostile ones, on both databases."""

import io
import zipfile

import pytest
from PIL import Image
from sqlalchemy import select

from db import session as database
from db.codes import EventKind
from db.models.tickets import TicketFile
from lib.shared.errors import Refusal
from lib.shared.work import look
from lib.tickets import actions
from lib.tickets.files import MOST_FILES, add_file, clean_name, list_files, read_file, remove_file
from tests.shared.test_images import a_png_that_claims
from tests.shared.test_papers import a_paper
from tests.visits.house_calls import a_photo


def attach(desk, ticket_id, sent=None, *, by=None, name="客厅.png"):
    sent = a_photo((300, 200), "PNG") if sent is None else sent
    return desk.do(add_file, by=by or desk.cast.hotline, ticket_id=ticket_id, name=name, sent=sent)


def listed(desk, ticket_id, by=None):
    return look(list_files, actor=by or desk.cast.hotline, now=desk.now, ticket_id=ticket_id)


def served(desk, file_id, by=None, **how):
    return look(read_file, actor=by or desk.cast.hotline, now=desk.now, file_id=file_id, **how)


def a_shade(number):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (number * 10, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_photo_is_drawn_anew_listed_and_served_with_its_thumbnail(desk):
    ticket_id = desk.take_call()
    file_id = attach(desk, ticket_id)
    (row,) = listed(desk, ticket_id)
    assert (row.name, row.media_type, row.by) == ("客厅.jpg", "image/jpeg", "王丽")
    assert row.is_picture
    shown = served(desk, file_id)
    assert (shown.media_type, shown.content[:2], shown.download) == ("image/jpeg", b"\xff\xd8", "")
    assert len(served(desk, file_id, small=True).content) <= len(shown.content) * 2
    assert desk.events(ticket_id)[-1] is EventKind.FILE_ADDED


def test_a_paper_is_saved_by_the_browser_not_shown(desk):
    ticket_id = desk.take_call()
    file_id = attach(desk, ticket_id, a_paper(armed=True), name="报价.html")
    shown = served(desk, file_id)
    assert (shown.media_type, shown.download) == ("application/pdf", "报价.pdf")
    assert b"EVIL" not in shown.content
    with pytest.raises(Refusal, match="not_found"):
        served(desk, file_id, small=True)


def test_the_same_content_twice_is_one_file(desk):
    ticket_id = desk.take_call()
    sent = a_shade(3)
    assert attach(desk, ticket_id, sent) == attach(desk, ticket_id, sent, name="again.png")
    assert len(listed(desk, ticket_id)) == 1


def test_a_case_holds_so_many_files_and_a_removed_one_makes_room(desk):
    ticket_id = desk.take_call()
    ids = [attach(desk, ticket_id, a_shade(number)) for number in range(MOST_FILES)]
    with pytest.raises(Refusal, match="files_too_many"):
        attach(desk, ticket_id, a_shade(MOST_FILES))
    desk.do(remove_file, by=desk.cast.hotline, file_id=ids[0])
    attach(desk, ticket_id, a_shade(MOST_FILES))


def test_a_removed_file_loses_its_content_and_leaves_a_record(desk):
    ticket_id = desk.take_call()
    file_id = attach(desk, ticket_id)
    with pytest.raises(Refusal, match="file_not_yours"):
        desk.do(remove_file, by=desk.cast.dispatcher, file_id=file_id)
    desk.do(remove_file, by=desk.cast.supervisor, file_id=file_id)
    with pytest.raises(Refusal, match="file_removed"):
        desk.do(remove_file, by=desk.cast.supervisor, file_id=file_id)
    with pytest.raises(Refusal, match="not_found"):
        served(desk, file_id)
    (row,) = listed(desk, ticket_id)
    assert (row.removed_at, row.may_open) == (desk.now, False)
    with database.ReadSession() as session:
        assert session.scalar(select(TicketFile.content)) == b""
    assert desk.events(ticket_id)[-1] is EventKind.FILE_REMOVED


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb", b"\0" * 5_000_000)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        (b"<html><script>alert(1)</script></html>", "photo_unreadable"),
        (b"<html>" + a_paper(), "photo_unreadable"),
        (b"GIF89a/*" + b"\0" * 64, "photo_unreadable"),
        (zipped(), "photo_unreadable"),
        (a_png_that_claims(20_000, 20_000), "photo_too_large"),
        (b"%PDF-1.4 <script>", "paper_unreadable"),
        (b"", "photo_unreadable"),
    ],
    ids=["html", "html-pdf", "gif-script", "zip", "bomb", "no-pdf", "empty"],
)
def test_hostile_content_is_refused_whatever_its_name_says(desk, sent, refusal):
    ticket_id = desk.take_call()
    with pytest.raises(Refusal, match=refusal):
        attach(desk, ticket_id, sent, name="photo.png")
    assert listed(desk, ticket_id) == []


def test_a_picture_with_a_script_behind_it_is_pixels_only(desk):
    ticket_id = desk.take_call()
    sent = a_photo((60, 40)) + b"<script>alert(1)</script>"
    assert b"script" not in served(desk, attach(desk, ticket_id, sent)).content


def test_files_of_a_foreign_case_are_neither_listed_nor_served(desk):
    ticket_id = desk.take_call()
    file_id = attach(desk, ticket_id)
    technician = desk.cast.technician
    for who in (technician, desk.cast.storekeeper, desk.cast.auditor, desk.cast.outsider):
        with pytest.raises(Refusal, match="not_found"):
            served(desk, file_id, who)
    with pytest.raises(Refusal, match="ticket_not_found"):
        listed(desk, ticket_id, technician)
    with pytest.raises(Refusal, match="not_your_ticket"):
        attach(desk, ticket_id, by=technician)
    desk.step(
        actions.assign_technician,
        ticket_id,
        by=desk.cast.dispatcher,
        technician_id=technician.person_id,
    )
    assert served(desk, file_id, technician).media_type == "image/jpeg"
    assert [row.may_open for row in listed(desk, ticket_id, desk.cast.auditor)] == [False]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\photos\\a b.PNG", "a b.jpg"),
        ("<img src=x>.png", "<img src=x>.jpg"),
        ("\u202egnp.exe\r\n", "gnp.jpg"),
        ("", "file.jpg"),
        ("x" * 300, "x" * 116 + ".jpg"),
    ],
)
def test_a_name_is_a_name_and_no_path(name, kept):
    assert clean_name(name, "image/jpeg") == kept
