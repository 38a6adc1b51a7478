"""Photos and papers of a case: drawn or written anew before they are stored, removed with a record."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import bindparam, func, select

from db.codes import ActorKind, EventKind, Role
from db.models.people import Person
from db.models.tickets import Ticket, TicketFile
from lib.shared import images, papers
from lib.shared.errors import Refusal
from lib.shared.work import Look, Work, permit
from lib.tickets.actions import add_event, ensure_own_work
from lib.tickets.queries import find_visible, sees_contact_in_full, visible_to

ATTACHERS = (Role.HOTLINE, Role.DISPATCHER, Role.TECHNICIAN, Role.SUPERVISOR, Role.QUALITY)
READERS = (Role.HOTLINE, Role.DISPATCHER, Role.SUPERVISOR, Role.QUALITY)
"""A technician reads those of a case whose address he may read; others see that there are some."""
MOST_FILES = 20
SUFFIXES = {"image/jpeg": ".jpg", papers.MEDIA_TYPE: ".pdf"}
NAME_LENGTH = 120


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of a case; a removed one is told, but can no longer be opened."""

    id: int
    name: str
    media_type: str
    size_bytes: int
    by: str
    at: datetime
    removed_at: datetime | None
    may_open: bool
    may_remove: bool

    @property
    def is_picture(self) -> bool:
        return self.media_type.startswith("image/")


@dataclass(frozen=True, slots=True)
class StoredPaper:
    """What is served; `download` names a file that the browser saves instead of showing it."""

    media_type: str
    content: bytes
    download: str = ""


@permit(*ATTACHERS)
def add_file(work: Work, *, ticket_id: int, name: str, sent: bytes) -> int:
    """Attach a photo or a PDF, told apart by its content. Answers the file's id; the same content twice is one file.

    Refuses `files_too_many`, and what `images.photo` and `papers.paper` refuse.
    """
    ticket = work.get(Ticket, ticket_id)
    ensure_own_work(work, ticket)
    drawn = papers.paper(sent) if papers.is_paper(sent) else images.photo(sent)
    work.session.execute(select(Ticket.id).where(Ticket.id == ticket_id).with_for_update())
    kept = (TicketFile.ticket_id == ticket_id, TicketFile.removed_at.is_(None))
    same = work.session.scalar(
        select(TicketFile.id).where(*kept, TicketFile.sha256 == drawn.sha256).limit(1)
    )
    if same is not None:
        return same
    if (work.session.scalar(select(func.count(TicketFile.id)).where(*kept)) or 0) >= MOST_FILES:
        raise Refusal("files_too_many", most=MOST_FILES)
    file = TicketFile(
        ticket_id=ticket_id,
        name=clean_name(name, drawn.media_type),
        media_type=drawn.media_type,
        sha256=drawn.sha256,
        size_bytes=len(drawn.content),
        content=drawn.content,
        person_id=work.actor.person_id,
        at=work.now,
    )
    work.session.add(file)
    work.session.flush()
    add_event(work, ticket, EventKind.FILE_ADDED, words=file.name, details={"file_id": file.id})
    work.record("ticket.file_added", file, ticket_id=ticket_id, sha256=file.sha256)
    work.touch_ticket(ticket_id)
    return file.id


@permit(*ATTACHERS)
def remove_file(work: Work, *, file_id: int) -> None:
    """Take a file off the case: its content is gone, that it was there stays on record.

    Who attached it may, and a supervisor. Refuses `file_not_yours` and `file_removed`.
    """
    file = work.get(TicketFile, file_id)
    if file.removed_at is not None:
        raise Refusal("file_removed")
    if file.person_id != work.actor.person_id and not work.actor.has(Role.SUPERVISOR):
        raise Refusal("file_not_yours")
    ticket = work.get(Ticket, file.ticket_id)
    file.content = b""
    file.removed_at = work.now
    file.removed_by_id = work.actor.person_id
    add_event(work, ticket, EventKind.FILE_REMOVED, words=file.name, details={"file_id": file.id})
    work.record("ticket.file_removed", file, ticket_id=ticket.id, sha256=file.sha256)
    work.touch_ticket(ticket.id)


FILES = (
    select(TicketFile, Person.name)
    .outerjoin(Person, Person.id == TicketFile.person_id)
    .where(TicketFile.ticket_id == bindparam("of_ticket"))
    .order_by(TicketFile.id.desc())
)


def list_files(look: Look, *, ticket_id: int) -> list[FileRow]:
    """The files of a case, the newest first. Refuses `ticket_not_found`."""
    ticket = find_visible(look, ticket_id)
    opens = _may_open(look, ticket)
    actor = look.actor
    rows = look.session.execute(FILES, {"of_ticket": ticket_id})
    return [
        FileRow(
            file.id,
            file.name,
            file.media_type,
            file.size_bytes,
            by or "",
            file.at,
            file.removed_at,
            opens and file.removed_at is None,
            file.removed_at is None
            and actor.has(*ATTACHERS)
            and (file.person_id == actor.person_id or actor.has(Role.SUPERVISOR)),
        )
        for file, by in rows
    ]


def read_file(look: Look, *, file_id: int, small: bool = False) -> StoredPaper:
    """A file of a case, or its thumbnail. Refuses `not_found` to whoever may not see it, and for removed ones."""
    file = look.session.get(TicketFile, file_id)
    ticket = None if file is None else look.session.get(Ticket, file.ticket_id)
    if file is None or ticket is None or file.removed_at is not None:
        raise Refusal("not_found")
    seen = select(Ticket.id).where(Ticket.id == ticket.id, visible_to(look.actor))
    if look.session.scalar(seen) is None or not _may_open(look, ticket):
        raise Refusal("not_found")
    if file.media_type == papers.MEDIA_TYPE:
        if small:
            raise Refusal("not_found")
        return StoredPaper(file.media_type, file.content, file.name)
    if small:
        return StoredPaper("image/jpeg", images.thumbnail(file.content))
    return StoredPaper(file.media_type, file.content)


def clean_name(name: str, media_type: str) -> str:
    """The name without folders and unprintable letters, with the ending of what it is now."""
    bare = PurePath(name.replace("\\", "/")).name
    printable = "".join(letter for letter in bare if letter.isprintable())
    stem = re.sub(r"\.[^.]{0,8}$", "", printable).strip(" .") or "file"
    suffix = SUFFIXES[media_type]
    return stem[: NAME_LENGTH - len(suffix)] + suffix


def _may_open(look: Look, ticket: Ticket) -> bool:
    if look.actor.kind is ActorKind.SYSTEM or look.actor.has(*READERS):
        return True
    return look.actor.has(Role.TECHNICIAN) and sees_contact_in_full(look, ticket)
