"""Sockets and sessions for the hostile tests: widgets found in what the server said, sessions opened beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from db import session as database
from db.models.people import Person
from lib.people import actions
from lib.shared import clock
from lib.shared.settings import key, settings
from lib.shared.work import perform, system
from tests.cast import login_of
from tests.serving import Server
from tests.wire import Answer


@contextmanager
def inside(server: Server) -> Iterator[None]:
    """Work on the server's own database and keys from here, as a command beside it does."""
    before = os.environ["VAR_DIR"]
    os.environ["VAR_DIR"] = str(server.var_dir)
    settings.cache_clear()
    key.cache_clear()
    database.configure(settings().database)
    try:
        yield
    finally:
        database.dispose()
        os.environ["VAR_DIR"] = before
        settings.cache_clear()
        key.cache_clear()


def person_id(part: str) -> int:
    """The id of somebody of the cast; inside a server only."""
    from sqlalchemy import select

    with database.ReadSession() as session:
        return session.scalars(select(Person.id).where(Person.login == login_of(part))).one()


def cookie_of(server: Server, part: str) -> str:
    """A Cookie header of a fresh session of somebody of the cast."""
    with inside(server):
        token = perform(
            actions.open_session_for,
            actor=system("test"),
            now=clock.now(),
            person_id=person_id(part),
        )
    return f"desk_session={token}"


def raw_socket(
    address: str,
    *,
    cookie: str | None = None,
    protocols: list[str] | None = None,
    headers: dict[str, str] | None = None,
    origin: str | None = None,
) -> ClientConnection:
    """A socket with whatever a hostile client likes to send."""
    sent = dict(headers or {})
    if cookie:
        sent["Cookie"] = cookie
    return connect(
        f"ws://{urlsplit(address).netloc}/_stcore/stream",
        origin=origin or address,
        subprotocols=protocols or ["streamlit"],
        additional_headers=sent,
        max_size=None,
        compression=None,
    )


def elements(answer: Answer, kind: str) -> dict[str, str]:
    """Label to widget id of the elements of a kind, e.g. "text_input" or "button"."""
    found = {}
    for message in answer.messages:
        element = message.delta.new_element
        if message.WhichOneof("type") == "delta" and element.WhichOneof("type") == kind:
            body = getattr(element, kind)
            found[body.label] = body.id
    return found


def session_id(answer: Answer) -> str:
    """The Streamlit session's id as told to the client."""
    return next(
        message.new_session.initialize.session_id
        for message in answer.messages
        if message.WhichOneof("type") == "new_session"
    )


def page_hashes(answer: Answer) -> dict[str, str]:
    """Page name to script hash, as told to the client."""
    return {
        page.url_pathname: page.page_script_hash
        for message in answer.messages
        if message.WhichOneof("type") == "navigation"
        for page in message.navigation.app_pages
    }


def headings(answer: Answer) -> list[str]:
    """The titles and headers on the screen."""
    return [
        message.delta.new_element.heading.body
        for message in answer.messages
        if message.WhichOneof("type") == "delta"
        and message.delta.new_element.WhichOneof("type") == "heading"
    ]


def pressed(widget_id: str) -> WidgetState:
    """The state of a button that was pressed."""
    return WidgetState(id=widget_id, trigger_value=True)


def typed(widget_id: str, text: str) -> WidgetState:
    """The state of a text box."""
    return WidgetState(id=widget_id, string_value=text)


def closing_code(socket: ClientConnection) -> int:
    """The code with which the server closes the socket, whatever it says before."""
    try:
        while True:
            socket.recv(timeout=5)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else 0
