"""Sockets and sessions for the hostile tests: widgets found in what the server said, sessions opened beside it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from sqlalchemy import select
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from db import session as database
from db.models.people import Person
from lib.people import actions
from lib.shared import clock
from lib.shared.settings import key, settings
from lib.shared.work import perform, system
from tests.cast import login_of
from tests.serving import Server
from tests.wire import Answer, Wire, is_end


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


class HostileWire(Wire):
    """A socket with whatever a hostile client likes to send."""

    def __init__(
        self,
        address: str,
        cookie: str | None = None,
        *,
        protocols: tuple[str, ...] = ("streamlit",),
        headers: dict[str, str] | None = None,
        origin: str | None = None,
    ) -> None:
        sent = dict(headers or {})
        if cookie:
            sent["Cookie"] = cookie
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(
                f"ws://{urlsplit(address).netloc}/_stcore/stream",
                origin=Origin(origin or address),
                subprotocols=[Subprotocol(each) for each in protocols],
                additional_headers=sent,
                max_size=None,
                compression=None,
            )
        )

    def send(self, message: BackMsg | bytes | str) -> None:
        """Send a message, or a frame that is none."""
        self._socket.send(message.SerializeToString() if isinstance(message, BackMsg) else message)

    def rerun_by_hash(self, page_hash: str) -> Answer:
        """Run the script for the page of that hash."""
        message = BackMsg()
        message.rerun_script.page_script_hash = page_hash
        self.send(message)
        return self.answer()

    def answer(self) -> Answer:
        """What comes back until a run has ended."""
        answer = Answer()
        while True:
            received = ForwardMsg.FromString(self._socket.recv(timeout=20))
            answer.messages.append(received)
            if is_end(received):
                return answer

    def closing_code(self) -> int:
        """The code with which the server closes the socket, whatever it says before."""
        try:
            while True:
                self._socket.recv(timeout=5)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 0


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
