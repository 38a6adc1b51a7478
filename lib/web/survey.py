"""The public survey: an own address without sign-in, cookie or script; one answer per link (security 14).

A link that is unknown, used or expired gets one and the same reply.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from db.codes import Language
from lib.feedback.actions import answer_survey
from lib.feedback.queries import Survey, find_survey
from lib.feedback.rules import TOKEN_LENGTH, Question, answers_of, problems_of
from lib.shared import clock
from lib.shared.errors import Refusal
from lib.shared.logs import log
from lib.shared.work import guest, look, perform
from lib.web import survey_page
from lib.web.rate_limit import RateLimit

T = TypeVar("T")
GUEST = guest("survey")
TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}")
MOST_BYTES = 64 * 1024
MOST_FIELDS = 20
HEADERS = {
    "content-security-policy": survey_page.POLICY,
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
}

limit = RateLimit(tries=30, seconds=60)
"""Per client address; a family or an office behind one address answers within it."""


async def show(request: Request) -> Response:
    """GET: the questions."""
    language = language_of(request)
    if not _may_try(request):
        return _too_many(language)
    try:
        survey = await _find(request.path_params["token"])
    except Exception:
        log.exception("survey.show_failed")
        return _page(survey_page.notice(language, "failed"), 503)
    if survey is None:
        return _page(survey_page.notice(language, "closed"))
    return _page(survey_page.form(language, survey, given={}, problems={}))


async def answer(request: Request) -> Response:
    """POST: the answers; a switch of the language is no answer and keeps what was typed."""
    fields = await _fields(request)
    language = _known(fields.get("lang", "")) or language_of(request)
    if not _may_try(request):
        return _too_many(language)
    token = request.path_params["token"]
    given = {question: fields.get(question.value, "") for question in Question}
    switched = _known(fields.get("switch", ""))
    try:
        survey = await _find(token)
    except Exception:
        log.exception("survey.answer_failed")
        return _page(survey_page.notice(language, "failed"), 503)
    if survey is None:
        return _page(survey_page.notice(switched or language, "closed"))
    if switched is not None:
        return _page(survey_page.form(switched, survey, given=given, problems={}))
    problems = problems_of(given)
    if problems:
        return _page(survey_page.form(language, survey, given=given, problems=problems))
    try:
        await _in_thread(lambda: _answer(token, given))
    except Refusal:
        return _page(survey_page.notice(language, "closed"))
    except Exception:
        log.exception("survey.answer_failed")
        kept = survey_page.form(language, survey, given=given, problems={}, failed=True)
        return _page(kept, 503)
    return RedirectResponse(f"/survey/thanks?lang={language}", 303, headers=HEADERS)


async def thank(request: Request) -> Response:
    """GET: where an answer leads; the address carries no secret."""
    return _page(survey_page.notice(language_of(request), "thanks"))


def language_of(request: Request) -> Language:
    """The one asked for by `?lang=`, else the browser's, else Chinese."""
    asked = _known(request.query_params.get("lang", ""))
    return asked or preferred_language(request.headers.get("accept-language", ""))


def preferred_language(accepted: str) -> Language:
    """English only for browsers that want it more than Chinese."""
    wishes = {Language.ZH_CN: 0.0, Language.EN: 0.0}
    for part in accepted.split(",")[:20]:
        tag, _, quality = part.strip().lower().partition(";q=")
        kind = {"zh": Language.ZH_CN, "en": Language.EN}.get(tag.partition("-")[0])
        if kind is None:
            continue
        try:
            wishes[kind] = max(wishes[kind], float(quality or 1))
        except ValueError:
            continue
    return Language.EN if wishes[Language.EN] > wishes[Language.ZH_CN] else Language.ZH_CN


def _known(code: str) -> Language | None:
    return Language(code) if code in set(Language) else None


async def _find(token: str) -> Survey | None:
    if TOKEN.fullmatch(token) is None:
        return None
    try:
        return await _in_thread(
            lambda: look(find_survey, actor=GUEST, now=clock.now(), token=token)
        )
    except Refusal:
        return None


def _answer(token: str, given: Mapping[Question, str]) -> None:
    answers = answers_of(dict(given))
    perform(
        answer_survey,
        actor=GUEST,
        now=clock.now(),
        token=token,
        satisfaction=answers.satisfaction,
        punctuality=answers.punctuality,
        quality=answers.quality,
        words=answers.words,
    )


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields, the last of each name; nothing for a body that is no form or too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return {}
    try:
        found = parse_qs(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def _may_try(request: Request) -> bool:
    address = request.scope.get("desk_address") or (request.client.host if request.client else "")
    return limit.allows(address)


def _too_many(language: Language) -> Response:
    page = survey_page.notice(language, "too_many", switch=False)
    return HTMLResponse(page, 429, headers={**HEADERS, "retry-after": "60"})


def _page(html: str, status: int = 200) -> Response:
    return HTMLResponse(html, status, headers=HEADERS)


async def _in_thread(work: Callable[[], T]) -> T:
    return await to_thread.run_sync(work)


routes = [
    Route("/survey/thanks", thank, methods=["GET"]),
    Route("/survey/{token:path}", show, methods=["GET"]),
    Route("/survey/{token:path}", answer, methods=["POST"]),
]
