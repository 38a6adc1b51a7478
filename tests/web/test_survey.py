from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from db import session as database
from db.codes import Language
from db.models.feedback import SurveyAnswer
from lib.shared import clock
from lib.web import survey, survey_page
from lib.web.rate_limit import RateLimit
from tests.feedback.cases import a_survey

ANSWERS = {"satisfaction": "4", "punctuality": "5", "quality": "", "words": "师傅很准时"}
CLOSED = "链接已失效"


@pytest.fixture
def client(cast, monkeypatch):
    monkeypatch.setattr(survey, "limit", RateLimit(1000, 60))
    with TestClient(Starlette(routes=survey.routes), follow_redirects=False) as client:
        client.headers["accept-language"] = "zh-CN,zh;q=0.9"
        yield client


@pytest.fixture
def link(cast) -> str:
    """The address of a fresh survey."""
    return f"/survey/{a_survey(cast, clock.now() - timedelta(days=1))}"


def answers() -> int:
    with database.ReadSession() as session:
        return session.scalar(select(func.count()).select_from(SurveyAnswer)) or 0


def test_a_customer_answers_without_signing_in_and_is_thanked(client, link):
    page = client.get(link)
    assert page.status_code == 200
    assert "请评价本次服务" in page.text
    assert "CC-20" in page.text
    sent = client.post(link, data=ANSWERS)
    assert (sent.status_code, sent.headers["location"]) == (303, "/survey/thanks?lang=zh_CN")
    assert "感谢您的评价" in client.get(sent.headers["location"]).text
    with database.ReadSession() as session:
        stored = session.scalars(select(SurveyAnswer)).one()
    assert (stored.satisfaction, stored.punctuality, stored.quality) == (4, 5, None)
    assert stored.words == "师傅很准时"


def test_unknown_used_and_expired_links_get_one_reply(client, cast, link):
    expired = f"/survey/{a_survey(cast, clock.now() - timedelta(days=400))}"
    client.post(link, data=ANSWERS)
    replies = [
        (reply.status_code, reply.text, dict(reply.headers))
        for address in (
            link,
            expired,
            f"/survey/{'x' * 43}",
            "/survey/",
            "/survey/a/../b",
            "/survey/%00",
        )
        for reply in (client.get(address), client.post(address, data=ANSWERS))
    ]
    assert CLOSED in replies[0][1]
    assert all(reply == replies[0] for reply in replies)
    assert answers() == 1


def test_what_is_missing_is_named_and_what_was_typed_is_kept(client, link):
    reply = client.post(link, data={"quality": "2", "words": "<b>慢</b>"})
    assert "请选择一项" in reply.text
    assert 'name="quality" value="2" checked' in reply.text
    assert "&lt;b&gt;慢&lt;/b&gt;</textarea>" in reply.text
    assert "<b>" not in reply.text
    assert answers() == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"satisfaction": "9"}, "请从五个选项中选择一项"),
        ({"punctuality": "-1"}, "请从五个选项中选择一项"),
        ({"words": "字" * 1001}, "最多 1000 字"),
        ({"words": "a\x00b"}, "无法保存的字符"),
    ],
)
def test_bad_input_is_refused_in_words(client, link, wrong, told):
    reply = client.post(link, data=ANSWERS | wrong)
    assert (reply.status_code, told in reply.text) == (200, True)
    assert answers() == 0


def test_the_switch_of_the_language_keeps_what_was_typed_and_spends_nothing(client, link):
    reply = client.post(link, data=ANSWERS | {"lang": "zh_CN", "switch": "en"})
    assert '<html lang="en">' in reply.text
    assert "师傅很准时</textarea>" in reply.text
    assert 'name="satisfaction" value="4" checked' in reply.text
    assert answers() == 0
    assert client.post(link, data=ANSWERS | {"lang": "en"}).headers["location"].endswith("=en")


def test_the_page_speaks_the_browsers_language(client, link):
    english = client.get(link, headers={"accept-language": "en-GB,en;q=0.9"})
    assert "Overall, how was our service?" in english.text
    assert "总体来说" in client.get(link + "?lang=zh_CN", headers={"accept-language": "en"}).text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", Language.ZH_CN),
        ("*", Language.ZH_CN),
        ("en-US,en;q=0.9,zh-CN;q=0.8", Language.EN),
        ("en;q=0.5, zh;q=0.5", Language.ZH_CN),
        ("fr,en;q=0.1", Language.EN),
        ("de", Language.ZH_CN),
        ("en;q=x", Language.ZH_CN),
    ],
)
def test_english_only_for_browsers_that_want_it_more(accepted, language):
    assert survey.preferred_language(accepted) is language


def test_no_cookie_no_script_no_foreign_address(client, link):
    for reply in (client.get(link), client.post(link, data={}), client.get("/survey/thanks")):
        assert "set-cookie" not in reply.headers
        assert reply.headers["content-security-policy"] == survey_page.POLICY
        assert reply.headers["cache-control"] == "no-store"
        assert "<script" not in reply.text
        assert "http://" not in reply.text
        assert "https://" not in reply.text
    assert "script-src" not in survey_page.POLICY
    assert "unsafe" not in survey_page.POLICY


def test_too_many_tries_are_put_off_and_spend_nothing(client, link, monkeypatch):
    monkeypatch.setattr(survey, "limit", RateLimit(3, 60))
    statuses = [client.get(link).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    late = client.post(link, data=ANSWERS)
    assert (late.status_code, late.headers["retry-after"]) == (429, "60")
    assert answers() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"satisfaction",
        b"a=" + b"x" * 70_000,
        b"&".join([b"a=1"] * 50),
        b"satisfaction=5&words=%ED%A0%80",
    ],
)
def test_a_body_that_is_no_fit_form_is_answered_calmly(client, link, body):
    reply = client.post(
        link, content=body, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert reply.status_code in {200, 303}


def test_a_store_that_is_down_keeps_what_was_typed(client, link, monkeypatch):
    def broken(*_):
        raise OSError("no space left")

    monkeypatch.setattr(survey, "_answer", broken)
    reply = client.post(link, data=ANSWERS)
    assert reply.status_code == 503
    assert "暂时无法保存" in reply.text
    assert "师傅很准时</textarea>" in reply.text


@dataclass
class Hand:
    """A clock that a test moves."""

    at: float = field(default=0.0)

    def __call__(self) -> float:
        return self.at


def test_tries_come_back_with_time_and_each_address_has_its_own():
    hand = Hand()
    limit = RateLimit(2, 60, ticking=hand)
    assert [limit.allows("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limit.allows("192.0.2.2")
    hand.at = 30
    assert [limit.allows("192.0.2.1") for _ in range(2)] == [True, False]


def test_neighbours_in_one_ipv6_network_share_their_tries():
    limit = RateLimit(1, 60, ticking=Hand())
    assert limit.allows("2001:db8::1")
    assert not limit.allows("2001:db8::2")
    assert limit.allows("2001:db8:0:1::1")
