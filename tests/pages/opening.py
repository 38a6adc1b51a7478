"""Pages opened as a person of the cast, without a browser."""

import json
from pathlib import Path
from typing import Any

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest

from lib.people.actions import open_session_for
from lib.people.sessions import find_session, hash_token
from lib.shared import clock
from lib.shared.work import Actor, look, perform, system

ROOT = Path(__file__).resolve().parents[2]


def open_page(actor: Actor, page: str, **query: str) -> AppTest:
    """The page of that name as the person sees it."""
    now = clock.now()
    token = perform(open_session_for, actor=system("test"), now=now, person_id=actor.person_id)
    facts = look(find_session, actor=system("test"), now=now, token_hash=hash_token(token))
    assert facts is not None
    at = AppTest.from_file(ROOT / "lib" / "ui" / "shell.py", default_timeout=120)
    at.user["session_row"] = str(facts.row_id)
    at.run()
    for name, value in query.items():
        at.query_params[name] = value
    return at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()


def component(at: AppTest, field: str) -> dict[str, Any] | None:
    """What the first component with this field was given; None when there is none."""
    for element in at.get("bidi_component"):
        data: dict[str, Any] = json.loads(element.proto.json) if element.proto.json else {}
        if field in data:
            return data
    return None


def fire(at: AppTest, field: str, event: str, value: object = 1) -> AppTest:
    """Run the page as the script of the component with this field asks for it."""
    [asking] = [each for each in at.get("bidi_component") if field in json.loads(each.proto.json)]
    states = at._tree.get_widget_states()
    state = states.widgets.add(id=_make_trigger_id(asking.proto.id, "events"))
    state.json_trigger_value = json.dumps([{"event": event, "value": value}])
    return at._run(states)
