"""Logs as JSON lines that hold ids and codes only: personal values are dropped before a line is written."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

PERSONAL = frozenset(
    {
        "address",
        "answer",
        "company",
        "contact",
        "cookie",
        "customer",
        "email",
        "login",
        "mail",
        "mobile",
        "name",
        "password",
        "phone",
        "report",
        "signature",
        "text",
        "title",
        "token",
        "words",
    }
)
"""Fields that are never written, whatever they hold."""

LOOKS_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # an e-mail address
    r"|(?<![\w-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\w)"  # a mobile number
    r"|(?<![\w-])0\d{2,3}[ -]?\d{7,8}(?!\w)"  # a fixed line
    r"|[㐀-鿿𠀀-𲎯][㐀-鿿𠀀-𲎯 -〿＀-￯]*"  # Chinese: a name, an address, somebody's words
)

log: structlog.stdlib.BoundLogger = structlog.get_logger("desk")

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def drop_personal_data(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop personal fields and blank what looks like a number, an address or somebody's words."""
    for field in list(event):
        if field in PERSONAL:
            event[field] = "[dropped]"
        else:
            event[field] = _cleaned(event[field])
    return event


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return LOOKS_PERSONAL.sub("[dropped]", value)
    if isinstance(value, dict):
        return {
            key: "[dropped]" if key in PERSONAL else _cleaned(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(item) for item in value]
    return value


def tell_exception_without_values(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the exception by its types and places.

    The message is left out: messages quote values (a statement's parameters, a key that was looked up).
    """
    told = event.pop("exc_info", None)
    if not told:
        return event
    if told is True:
        told = sys.exc_info()
    error = told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        event["exception"] = describe(error)
    return event


def describe(error: BaseException) -> list[str]:
    """Types and places of an exception and its causes, outermost first; no message, no values."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        kind = type(current)
        state = getattr(getattr(current, "orig", None), "sqlstate", None)
        lines.append(
            f"{kind.__module__}.{kind.__qualname__}" + (f" sqlstate={state}" if state else "")
        )
        lines.extend(
            f"  {frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        )
        current = current.__cause__ or current.__context__
    return lines


def configure_logs(level: int = logging.INFO) -> None:
    """Send our own lines and those of the libraries to standard error as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_exception_without_values,
        drop_personal_data,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "streamlit"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # Lines per request hold addresses of people and of links; the guarded figures count requests instead.
    logging.getLogger("uvicorn.access").disabled = True
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("streamlit."):
            logging.getLogger(name).handlers[:] = []
            logging.getLogger(name).propagate = True
