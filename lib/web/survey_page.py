"""The survey as HTML that needs no script: faces and words to choose from, readable on a phone and without sight."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from db.codes import Language
from lib.feedback.queries import Survey
from lib.feedback.rules import LONGEST_WORDS, REQUIRED, SCORES, Question
from lib.shared.clock import SHANGHAI
from lib.shared.words import text

TAGS = {Language.ZH_CN: "zh-CN", Language.EN: "en"}
OTHER = {Language.ZH_CN: Language.EN, Language.EN: Language.ZH_CN}

MOUTHS = {
    1: "M10.5 26.5Q18 17 25.5 26.5",
    2: "M11.5 25.5Q18 20.5 24.5 25.5",
    3: "M12 24H24",
    4: "M11.5 22.5Q18 27.5 24.5 22.5",
    5: "M10.5 21H25.5Q24 29.5 18 29.5T10.5 21Z",
}

STYLE = """
:root{color-scheme:light dark;--page:#f3f6fa;--card:#fff;--ink:#14202e;--soft:#4a5868;--line:#8a94a6;
--act:#005a9c;--on-act:#fff;--wash:#ddebf7;--bad:#7a1f0b}
@media (prefers-color-scheme:dark){:root{--page:#0f141b;--card:#18202b;--ink:#eef2f7;--soft:#b9c4d2;
--line:#6b7688;--act:#7cbcf0;--on-act:#0f141b;--wash:#1d3a56;--bad:#ffb4a0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:17px/1.5 "Noto Sans SC","Noto Sans CJK SC","PingFang SC",
"Microsoft YaHei",system-ui,sans-serif}
main{max-width:560px;margin:0 auto;padding:12px 14px 32px;position:relative}
h1{font-size:22px;line-height:1.3;margin:14px 0 4px}
p{margin:4px 0 10px}
.desk{color:var(--soft);font-size:15px;min-height:44px;display:flex;align-items:center}
.case,.hint{color:var(--soft);font-size:15px}
.other{position:absolute;top:12px;right:14px;min-height:44px;min-width:64px;padding:0 12px;font:inherit;
font-size:15px;color:var(--act);background:none;border:1px solid var(--line);border-radius:6px;
display:inline-flex;align-items:center;justify-content:center;text-decoration:none;cursor:pointer}
fieldset,.words{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:12px 0;
padding:10px 10px 12px;min-width:0}
legend,.words label{font-weight:600;padding:0;float:left;width:100%;margin-bottom:8px}
legend span,.words label span{font-weight:400;color:var(--soft);font-size:15px}
.scale{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:4px;clear:both}
.scale label{position:relative;display:flex;flex-direction:column;align-items:center;gap:4px;padding:8px 2px;
min-height:76px;border:2px solid transparent;border-radius:8px;font-size:14px;line-height:1.2;text-align:center;
cursor:pointer}
.scale input{position:absolute;inset:0;width:100%;height:100%;margin:0;opacity:0;cursor:pointer}
.scale svg{width:38px;height:38px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;
stroke-linejoin:round}
.scale .eye,.scale .open{fill:currentColor}
.scale label:hover{border-color:var(--line)}
.scale label:has(:checked){border-color:var(--act);background:var(--wash);font-weight:600}
.scale label:has(:focus-visible){outline:3px solid var(--act);outline-offset:1px}
textarea{display:block;clear:both;width:100%;min-height:112px;padding:10px;font:inherit;color:inherit;background:var(--page);
border:1px solid var(--line);border-radius:6px;resize:vertical}
textarea:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--act);outline-offset:2px}
.send{width:100%;min-height:56px;font:inherit;font-size:18px;font-weight:600;color:var(--on-act);background:var(--act);
border:0;border-radius:8px;cursor:pointer;margin-top:6px}
.alert{border:2px solid var(--bad);border-radius:8px;padding:10px 12px;color:var(--bad);margin:12px 0;font-weight:600}
.alert a{color:inherit}
.problem{color:var(--bad);font-weight:600;clear:both;font-size:15px;margin:0 0 6px}
.told{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 16px;margin-top:16px;
font-size:18px}
"""

POLICY = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""No script, no image, no font and no foreign address; the one style sheet by its hash."""


def form(
    language: Language,
    survey: Survey,
    *,
    given: Mapping[Question, str],
    problems: Mapping[Question, str],
    failed: bool = False,
) -> str:
    """The questions, with what was typed kept and what must be mended named."""
    told = ""
    if failed:
        told = f'<div class="alert" role="alert">{_(language, "survey.failed")}</div>'
    elif problems:
        links = " ".join(
            f'<a href="#{question}">{_(language, f"survey.{question}")}</a>'
            for question in problems
        )
        told = f'<div class="alert" role="alert">{_(language, "survey.problems")} {links}</div>'
    received_on = survey.received_at.astimezone(SHANGHAI).date().isoformat()
    case = _(
        language,
        "survey.case",
        number=survey.number,
        fault=text(language, f"fault_code.{survey.fault}"),
        day=received_on,
    )
    scales = "".join(
        _scale(language, question, given.get(question, ""), problems.get(question))
        for question in Question
        if question is not Question.WORDS
    )
    other = OTHER[language]
    return _page(
        language,
        "survey.title",
        f'<p class="case">{case}</p><p>{_(language, "survey.intro")}</p>{told}'
        '<form method="post">'
        f'<input type="hidden" name="lang" value="{language}">{scales}'
        f"{_words(language, given.get(Question.WORDS, ''), problems.get(Question.WORDS))}"
        f'<button class="send">{_(language, "survey.send")}</button>'
        f'<button class="other" name="switch" value="{other}" lang="{TAGS[other]}" formnovalidate>'
        f"{_(language, 'survey.other_language')}</button>"
        "</form>",
        wrong=bool(problems) or failed,
    )


def notice(language: Language, kind: str, *, switch: bool = True) -> str:
    """A page that only tells: `thanks`, `closed`, `too_many` or `failed`."""
    other = OTHER[language]
    link = (
        f'<a class="other" href="?lang={other}" lang="{TAGS[other]}">'
        f"{_(language, 'survey.other_language')}</a>"
        if switch
        else ""
    )
    return _page(
        language,
        f"survey.{kind}_title",
        f'<p class="told">{_(language, f"survey.{kind}_words")}</p>{link}',
    )


def _scale(language: Language, question: Question, chosen: str, problem: str | None) -> str:
    need = "" if question in REQUIRED else f" <span>{_(language, 'survey.optional')}</span>"
    wrong = ""
    if problem:
        words = _(language, f"survey.problem.{problem}")
        wrong = f'<p class="problem" id="{question}-problem">{words}</p>'
    described = f' aria-describedby="{question}-problem"' if problem else ""
    faces = "".join(
        f'<label><input type="radio" name="{question}" value="{score}"'
        f"{' checked' if chosen == str(score) else ''}{described}>"
        f"{_face(score)}{_(language, f'survey.score.{score}')}</label>"
        for score in SCORES
    )
    return (
        f'<fieldset id="{question}"><legend>{_(language, f"survey.{question}")}{need}</legend>'
        f'{wrong}<div class="scale">{faces}</div></fieldset>'
    )


def _words(language: Language, typed: str, problem: str | None) -> str:
    wrong, described = "", "words-hint"
    if problem:
        words = _(language, f"survey.problem.{problem}", limit=LONGEST_WORDS)
        wrong, described = f'<p class="problem" id="words-problem">{words}</p>', "words-problem"
    invalid = ' aria-invalid="true"' if problem else ""
    return (
        f'<div class="words"><label for="words">{_(language, "survey.words")} '
        f'<span id="words-hint">{_(language, "survey.words_hint", limit=LONGEST_WORDS)}</span></label>'
        f'{wrong}<textarea id="words" name="words" maxlength="{LONGEST_WORDS}" '
        f'aria-describedby="{described}"{invalid}>\n{escape(typed)}</textarea></div>'
    )


def _face(score: int) -> str:
    shape = "open" if score == max(SCORES) else "mouth"
    return (
        '<svg viewBox="0 0 36 36" aria-hidden="true"><circle cx="18" cy="18" r="15.5"/>'
        '<circle class="eye" cx="12.5" cy="14.5" r="1"/><circle class="eye" cx="23.5" cy="14.5" r="1"/>'
        f'<path class="{shape}" d="{MOUTHS[score]}"/></svg>'
    )


def _page(language: Language, title_key: str, body: str, *, wrong: bool = False) -> str:
    title = _(language, title_key)
    shown = f"{_(language, 'survey.mend')} {title}" if wrong else title
    return (
        f'<!doctype html><html lang="{TAGS[language]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Chromium sends `Origin: null` with a form under no-referrer, which the guard refuses.
        '<meta name="referrer" content="same-origin"><meta name="robots" content="noindex">'
        f"<title>{shown}</title><style>{STYLE}</style></head><body><main>"
        f'<div class="desk">{_(language, "survey.desk")}</div><h1>{title}</h1>{body}</main></body></html>'
    )


def _(language: Language, key: str, **params: object) -> str:
    return escape(text(language, key, **params))
