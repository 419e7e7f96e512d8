"""The pages of a reader study: coming in, reading, the lead's view of the progress, leaving."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bs_client.reader.access import LEAD, TOKEN_BYTES, digest, form_mark
from bs_client.reader.open_study import OpenStudy
from bs_client.reader.standing import Phase, Standing
from bs_client.reader.visitors import (
    FORBIDDEN,
    came_from_here,
    cookie_name,
    find_visitor,
    require_own_form,
    study_of,
)

TEMPLATES = Path(__file__).parent / "templates"
COOKIE_DAYS = 400  # longer than the longest washout; the visit is ended from here
SEE_OTHER = 303
AWAY_MS = 60_000  # a page that is open reports every few seconds

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def home(request: Request) -> Response:
    """Send a visitor to the page that is theirs."""
    visitor = find_visitor(request)
    if visitor is None:
        raise HTTPException(FORBIDDEN, "Open the page with your own link first.")
    return RedirectResponse("/progress" if visitor == LEAD else "/read", SEE_OTHER)


async def enter(request: Request) -> Response:
    """Greet the holder of a link; a link is used up by the button only, not by being looked at.

    Mail programs open links to look for harm; that must not lock a reader out.
    """
    study = study_of(request)
    holder = study.store.find_link_holder(digest(request.path_params["token"]))
    visitor = find_visitor(request)
    if holder is None or (visitor is not None and visitor != holder):
        return _refused_link(request, holder, visitor)
    return _page("enter.html", study, holder=holder, token=request.path_params["token"])


async def enter_for_good(request: Request) -> Response:
    """Use a link up and open a visit in this browser."""
    study = study_of(request)
    token = digest(request.path_params["token"])
    holder, visitor = study.store.find_link_holder(token), find_visitor(request)
    if holder is None or (visitor is not None and visitor != holder):
        return _refused_link(request, holder, visitor)
    if not came_from_here(request):
        raise HTTPException(FORBIDDEN, "This request did not come from the study's own page.")
    cookie = secrets.token_urlsafe(TOKEN_BYTES)
    if not study.store.use_link(token, digest(cookie), at_ms=study.clock()):
        return _refused_link(request, None, visitor)
    response = RedirectResponse("/", SEE_OTHER)
    response.set_cookie(
        cookie_name(study),
        cookie,
        max_age=COOKIE_DAYS * 24 * 60 * 60,
        httponly=True,
        secure=study.secure,
        samesite="strict",
    )
    return response


def _refused_link(request: Request, holder: str | None, visitor: str | None) -> Response:
    if holder is None:
        if visitor is not None:
            return RedirectResponse("/", SEE_OTHER)  # the holder opens a used link again
        text = "This link is not valid, or was used already. Ask the study's lead for a new one."
    else:
        text = f"This browser is in use by {visitor}. They have to leave the page first."
    return _page("message.html", study_of(request), status=FORBIDDEN, title="No entry", text=text)


async def read(request: Request) -> Response:
    """Show the reading page; what is on it comes by `/api/state`."""
    study = study_of(request)
    visitor = find_visitor(request)
    if visitor is None or visitor == LEAD:
        return await home(request)
    cookie = request.cookies[cookie_name(study)]
    return _page("read.html", study, reader=visitor, mark=form_mark(cookie))


async def leave(request: Request) -> Response:
    """End the visit in this browser; the link that opened it stays used."""
    study = study_of(request)
    fields = parse_qs((await request.body()).decode("ascii", errors="replace"))
    require_own_form(request, fields.get("mark", [""])[0])
    cookie = request.cookies[cookie_name(study)]
    study.store.end_visit(digest(cookie))
    text = "You have left the study in this browser. A new link brings you back to the same case."
    response = _page("message.html", study, title="Goodbye", text=text)
    response.delete_cookie(cookie_name(study), secure=study.secure, httponly=True)
    return response


async def progress(request: Request) -> Response:
    """Show the lead how far every reader is: numbers of cases, and no answer."""
    study = study_of(request)
    if find_visitor(request) != LEAD:
        raise HTTPException(FORBIDDEN, "This page is for the study's lead.")
    rows = [_progress_row(study, reader) for reader in study.protocol.reader_names]
    mark = form_mark(request.cookies[cookie_name(study)])
    return _page(
        "progress.html",
        study,
        rows=rows,
        done=sum(row["done"] for row in rows),
        total=sum(row["total"] for row in rows),
        finished=sum(row["finished"] for row in rows),
        mark=mark,
        now=_time(study.clock()),
    )


class _Row(TypedDict):
    """One reader's line of the lead's page."""

    reader: str
    words: str
    finished: bool
    session: int
    done: int
    total: int
    seen: str


def _progress_row(study: OpenStudy, reader: str) -> _Row:
    standing = study.standing(reader)
    seen = study.store.last_seen_ms(reader)
    here = seen is not None and study.clock() - seen < AWAY_MS
    sessions = study.protocol.sessions
    per_session = standing.total
    done = (standing.session - 1) * per_session + standing.done
    return {
        "reader": reader,
        "words": progress_words(standing, seen=seen is not None, here=here),
        "finished": standing.phase is Phase.FINISHED,
        "session": standing.session,
        "done": done,
        "total": sessions * per_session,
        "seen": "never" if seen is None else _time(seen),
    }


def progress_words(standing: Standing, *, seen: bool, here: bool) -> str:
    """Say in words what a reader is doing."""
    if standing.phase is Phase.FINISHED:
        return "finished"
    if standing.phase is Phase.WASHOUT:
        return f"second session from {_day(standing.opens_ms or 0)}"
    if not seen:
        return "not begun"
    if standing.reading is not None and standing.reading.practice:
        return "practising" if here else "away, practising"
    return "reading now" if here else "away"


def _page(template: str, study: OpenStudy, *, status: int = 200, **content: object) -> HTMLResponse:
    page = _environment.get_template(template).render(protocol=study.protocol, **content)
    return HTMLResponse(page, status)


def error_page(study: OpenStudy, status: int, text: str) -> HTMLResponse:
    """Say in words why a page is not shown."""
    return _page("message.html", study, status=status, title="Not shown", text=text)


def _time(ms: int) -> str:
    # People look at their own clock; the tables of the export hold UTC.
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%d %b %Y, %H:%M")


def _day(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%d %b %Y")
