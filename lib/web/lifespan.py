"""What starts and stops with the app, and what must be so before it serves anybody."""

import gc
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from db import migrate
from db import session as database
from lib.people.passwords import dummy_hash
from lib.shared.logs import configure_logs, log
from lib.shared.settings import key, settings

SESSION_HEADER_MAP = {"X-Desk-Session": "session_row"}
KEYS = ("audit", "sign_in")

Companion = Callable[[], AbstractAsyncContextManager[None]]
"""Something that runs as long as the app: entered at start, left at stop, in this order and back."""


def lifespan(
    option: Callable[[str], Any], companions: Sequence[Companion]
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The app's lifespan with its companions (the live listener, jobs). `option` reads Streamlit's settings."""

    @asynccontextmanager
    async def running(_app: Any) -> AsyncIterator[None]:
        ensure_streamlit_is_configured(option)
        configure_logs()
        for name in KEYS:
            key(name)
        if not database.is_configured():
            migrate.upgrade(settings().database)
            database.configure(settings().database)
        # Hashing takes a third of a second, beside what starts meanwhile.
        threading.Thread(target=dummy_hash, name="dummy hash", daemon=True).start()
        async with AsyncExitStack() as stack:
            for companion in companions:
                await stack.enter_async_context(companion())
            gc.collect()
            gc.freeze()
            log.info("desk.started")
            yield
        log.info("desk.stopped")

    return running


def ensure_streamlit_is_configured(option: Callable[[str], Any]) -> None:
    """Refuse to serve when Streamlit has not read our `.streamlit/config.toml`.

    Under uvicorn it reads that of the working folder only, and says nothing: it would then collect garbage after
    every run and, worse, know nobody by the guard's header. Raises RuntimeError.
    """
    wrong = []
    if option("runner.postScriptGC"):
        wrong.append("runner.postScriptGC must be false")
    if option("server.trustedUserHeaders") != SESSION_HEADER_MAP:
        wrong.append("server.trustedUserHeaders must name X-Desk-Session")
    if option("client.showErrorDetails") not in {"none", False, "False", "false"}:
        wrong.append('client.showErrorDetails must be "none"')
    if option("server.enableStaticServing") or option("server.enableAgentApi"):
        wrong.append("static serving and the agent API must be off")
    if not option("server.enableXsrfProtection"):
        wrong.append("server.enableXsrfProtection must be true")
    if wrong:
        raise RuntimeError(
            "The settings of .streamlit/config.toml are not in force; start in the project's folder: "
            + "; ".join(wrong)
        )
