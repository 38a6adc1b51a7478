"""A Streamlit client without a browser: asks for reruns over the websocket and counts what comes back."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect


def is_end(message: ForwardMsg) -> bool:
    """Whether the run has ended for good; a run that switches the page ends early and is followed by another."""
    early = ForwardMsg.ScriptFinishedStatus.FINISHED_EARLY_FOR_RERUN
    return message.WhichOneof("type") == "script_finished" and message.script_finished != early


@dataclass
class Answer:
    """One rerun as the client saw it."""

    messages: list[ForwardMsg] = field(default_factory=list)
    size: int = 0
    """Bytes over all messages."""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Everything that was said, for searching."""
        return "\n".join(str(message) for message in self.messages)


class Wire:
    """One socket. `cookie` is a Cookie header's value, e.g. `desk_session=...`."""

    def __init__(self, address: str, cookie: str | None = None) -> None:
        headers = {"Cookie": cookie} if cookie else {}
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(
                f"ws://{urlsplit(address).netloc}/_stcore/stream",
                origin=address,
                subprotocols=["streamlit"],
                additional_headers=headers,
                max_size=None,
                compression=None,
            )
        )

    def rerun(
        self,
        page: str = "",
        *,
        query: str = "",
        widgets: tuple[WidgetState, ...] = (),
        timeout: float = 60,
    ) -> Answer:
        """Run the script for the page of that address and wait until it is done."""
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = page
        message.rerun_script.widget_states.widgets.extend(widgets)
        began = time.perf_counter()
        self._socket.send(message.SerializeToString())
        answer = Answer()
        while True:
            data = self._socket.recv(timeout=timeout)
            received = ForwardMsg.FromString(data)
            answer.messages.append(received)
            answer.size += len(data)
            if is_end(received):
                answer.seconds = time.perf_counter() - began
                return answer

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
