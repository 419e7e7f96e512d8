"""Who sends a request: the visit behind its cookie, and whether our own page sent it."""

from __future__ import annotations

from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request

from bs_client.reader.access import LEAD, digest, is_own_form
from bs_client.reader.open_study import OpenStudy

FORM_MARK = "x-form-mark"
FORBIDDEN = 403


def study_of(request: Request) -> OpenStudy:
    """Give the study that this server holds."""
    return cast("OpenStudy", request.app.state.study)


def cookie_name(study: OpenStudy) -> str:
    """Name the cookie; over TLS browsers bind the `__Host-` form to this host (RFC 6265bis)."""
    return "__Host-visit" if study.secure else "visit"


def find_visitor(request: Request) -> str | None:
    """Tell who sends this request, or None."""
    study = study_of(request)
    cookie = request.cookies.get(cookie_name(study))
    return None if cookie is None else study.store.find_visitor(digest(cookie))


def require_reader(request: Request) -> str:
    """Give the reader who sends this request; anybody else is refused."""
    visitor = find_visitor(request)
    if visitor is None or visitor == LEAD:
        raise HTTPException(FORBIDDEN, "Open the page with your own link first.")
    return visitor


def require_own_form(request: Request, mark: str) -> None:
    """Refuse a request that another site's page sent with this visitor's cookie."""
    cookie = request.cookies.get(cookie_name(study_of(request)), "")
    if not is_own_form(cookie, mark) or not came_from_here(request):
        raise HTTPException(FORBIDDEN, "This request did not come from the study's own page.")


def came_from_here(request: Request) -> bool:
    """Whether the browser says that this site's page sent the request, or says nothing."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return origin in (None, own) and request.headers.get("sec-fetch-site") in (None, "same-origin")
