"""Signing in by a key pair, and out again."""

from typing import Final

from oppserver.calls.shared.admission import authenticate
from oppserver.console import access
from oppserver.console.visit import FormError, Moved, Page, Reply, Shown, Visit
from oppserver.contract.errors import InvalidCredentials


def _form(visit: Visit) -> Reply:
    if not visit.server.access.needs_sign_in and visit.is_local:
        return Moved("")
    is_open = visit.scheme == "http" and not access.is_this_machine(visit.host)
    return Shown("sign_in.html", {"next": _next(visit), "is_open": is_open})


def _sign_in(visit: Visit) -> Reply:
    now_s = visit.now.timestamp()
    visit.server.sign_ins.count(visit.caller, now_s=now_s)
    access_key, secret_key = visit.form.one("access_key"), visit.form.one("secret_key")
    if not access_key:
        raise FormError("access_key", "Type the access key of a key pair.")
    try:
        stored = visit.server.services.store.key(access_key)
        principal = authenticate(stored, secret_key=secret_key)
    except InvalidCredentials:
        raise FormError(
            "secret_key",
            "This key pair is not known here, or was revoked. 'oppserver key create' makes one.",
        ) from None
    session = access.new_session(principal.access_key, now_s=int(now_s))
    return Moved(_next(visit), session=session)


def _next(visit: Visit) -> str:
    """The page below the console to go to; never an address elsewhere."""
    there = visit.form.one("next") or visit.query.one("next")
    is_here = there.startswith("/") and not there.startswith(("//", "/\\")) and there.isprintable()
    return there if is_here else ""


def _sign_out(_: Visit) -> Reply:
    return Moved("/sign-in", ends_session=True)


PAGES: Final = (
    Page("GET", "/sign-in", _form),
    Page("POST", "/sign-in", _sign_in, form=_form),
    Page("POST", "/sign-out", _sign_out),
)
