import io
import json
import logging

import pytest

from lib.shared import logs


@pytest.fixture
def written(capfd):
    """What was logged, line by line, while the real configuration is in force."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure_logs()
    stream = io.StringIO()
    root.handlers[0].stream = stream  # type: ignore[attr-defined]
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level


def test_lines_are_json_and_hold_no_personal_values(written):
    logs.log.info(
        "ticket.opened",
        ticket_id=12,
        phone="021-68888888",
        contact="张三",
        note="回电 13812345678 或 zhang@example.cn",
        nested={"name": "李四", "status": "new"},
    )
    line = written()[0]
    assert (line["ticket_id"], line["nested"]["status"], line["level"]) == (12, "new", "info")
    told = json.dumps(line, ensure_ascii=False)
    for value in ("68888888", "张三", "13812345678", "zhang@", "李四"):
        assert value not in told


def test_an_exception_is_told_by_type_and_place_never_by_message(written):
    try:
        try:
            raise KeyError("王丽 13812345678")
        except KeyError as error:
            raise ValueError("secret of a customer") from error
    except ValueError:
        logs.log.exception("desk.failed", reference="AB12CD")
    line = written()[0]
    assert line["reference"] == "AB12CD"
    assert line["exception"][0] == "builtins.ValueError"
    assert any("test_logs.py" in place for place in line["exception"])
    assert "builtins.KeyError" in line["exception"]
    told = json.dumps(line, ensure_ascii=False)
    assert "secret" not in told
    assert "13812345678" not in told


def test_libraries_write_the_same_lines(written):
    logging.getLogger("apscheduler.executors").error("job for %s failed", "陈刚")
    line = written()[0]
    assert line["logger"] == "apscheduler.executors"
    assert "陈刚" not in json.dumps(line, ensure_ascii=False)
