"""The console's guard: from which hosts, as whom, and with which forms. Pure, but for attempts.

The problem. On a developer's machine the console is open without a sign-in, and every page that
the developer's browser shows can send requests to it. Elsewhere, strangers can.

The invariant. Nothing is shown to a host name that a stranger can choose, and nothing is done for a
request that no page of the console has sent.

Why it holds. Without a sign-in only names of this machine are answered: a page of another site
whose name leads here (DNS rebinding) has its own name in ``Host``. What came through a proxy needs
a sign-in always. Scripts of other pages, which have another ``Origin``, get nothing. A request that
does something needs the token of its session, which only pages of the console have. Cookies are
signed by a secret of the server that its workers share and nobody stores; a key that is revoked
ends its sessions with the next request.
"""

import hashlib
import hmac
import secrets
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict, deque
from collections.abc import Mapping
from enum import Enum
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec

from oppserver.config import Settings
from oppserver.contract.errors import AccessDenied, TooManySignIns
from oppserver.contract.model import Principal, Role
from oppserver.contract.names import quoted

SESSION_S: Final = 12 * 3_600
"""Seconds after which a sign-in ends. Chosen: a working day."""

SIGN_INS_MAX: Final = 10
"""Sign-ins from one address in a minute, in each worker. Chosen: more than a person types."""

SIGN_INS_WINDOW_S: Final = 60

_ADDRESSES_MAX: Final = 1_000
"""Addresses whose sign-ins are counted. Chosen: bounds the memory; the oldest is forgotten."""

_PROXY_HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers that proxies add: whoever calls is not on this machine."""

_OWN_SITES: Final = ("same-origin", "none")

_SECRET_BYTES: Final = 32  # the size of SHA-256, as RFC 2104 advises

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"


class Right(Enum):
    """The rights that a page may need."""

    READ = "read"
    WRITE = "write"
    SEE_ALL = "see all"
    """To see keys, the store, and the requests of others."""
    ADMINISTER = "administer"


Mode: TypeAlias = Literal["off", "read", "full"]

_MODES: Final[Mapping[str, Mode]] = {"off": "off", "read": "read", "full": "full"}
"""The modes by the text of the setting, which is checked when it is read."""


class Access(NamedTuple):
    """The access that the settings give. ``mode``: what may be done at all."""

    mode: Mode
    needs_sign_in: bool


def access_of(settings: Settings) -> Access:
    """Return the access that the settings give: without them, all on this machine, else nothing."""
    is_local = _is_loopback(settings.host)
    mode = settings.console or ("full" if is_local else "off")
    needs_sign_in = not is_local or settings.console_sign_in == "always"
    return Access(_MODES[mode], needs_sign_in=needs_sign_in)


def local_principal(access: Access) -> Principal:
    """Return the one who is at this machine, without a sign-in."""
    role = Role.ADMINISTRATOR if access.mode == "full" else Role.READER
    return Principal(access_key="", user_id=_NOBODY, email="this machine", role=role)


def rights_of(principal: Principal, access: Access, *, is_local: bool) -> frozenset[Right]:
    """Return the rights of a role. A console that only reads shows the same and changes nothing."""
    rights = {Right.READ}
    if is_local or principal.role is Role.ADMINISTRATOR:
        rights.add(Right.SEE_ALL)
    if access.mode == "full":
        if principal.role is not Role.READER:
            rights.add(Right.WRITE)
        if principal.role is Role.ADMINISTRATOR:
            rights.add(Right.ADMINISTER)
    return frozenset(rights)


# --- hosts --------------------------------------------------------------------------------------


def is_proxied(header_names: frozenset[str]) -> bool:
    """Return true when a request came through a proxy."""
    return any(name in header_names for name in _PROXY_HEADERS)


def check_local_host(host: str) -> None:
    """Check that a host is a name of this machine. Raises AccessDenied, with the cure."""
    if not is_this_machine(host):
        raise AccessDenied(
            f"Without a sign-in the console answers on this machine alone, not as {quoted(host)}."
            " Open it at http://127.0.0.1 and the port, or start the server with"
            " '--console-sign-in always'."
        )


def check_origin(headers: Mapping[str, str], *, is_form: bool) -> None:
    """Check that no page of another site has sent a request. Raises AccessDenied.

    A link from elsewhere may lead here; a script of elsewhere reads nothing, whatever
    ``--cors-origins`` says of the API, and sends no form. Not every program sends the headers that
    say so; then the token of a form decides.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_link = not is_form and headers.get("sec-fetch-mode") == "navigate"
    is_other = origin is not None and urlsplit(origin).netloc.lower() != headers["host"].lower()
    if is_other or (site is not None and site not in _OWN_SITES and not is_link):
        raise AccessDenied(
            "A page of another site has sent this. Open the console and do it there."
        )


def is_this_machine(host: str) -> bool:
    """Return true when the name in a ``Host`` header is one of this machine's own."""
    name = urlsplit(f"//{host}").hostname or ""
    return _is_loopback(name) or name.endswith(".localhost")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


# --- sessions -----------------------------------------------------------------------------------


class Session(msgspec.Struct, frozen=True, array_like=True):
    """The content of a cookie. ``access_key`` is empty before a sign-in, and without one."""

    access_key: str
    nonce: str
    issued_s: int


def new_session(access_key: str, *, now_s: int) -> Session:
    """Return a new session."""
    return Session(access_key, secrets.token_hex(16), now_s)


def new_secret() -> bytes:
    """Return a secret to sign sessions with, for one run of a server."""
    return secrets.token_bytes(_SECRET_BYTES)


def cookie_of(session: Session, secret: bytes) -> str:
    """Return the signed text of a session."""
    data = urlsafe_b64encode(msgspec.json.encode(session)).decode().rstrip("=")
    return f"{data}.{_mac(secret, 'session', data)}"


def session_of(cookie: str, secret: bytes, *, now_s: int) -> Session | None:
    """Return the session of a cookie; None when it is not ours, was changed, or is over."""
    data, _, mac = cookie.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(secret, "session", data).encode()):
        return None
    session = msgspec.json.decode(urlsafe_b64decode(data + "=" * (-len(data) % 4)), type=Session)
    return session if 0 <= now_s - session.issued_s < SESSION_S else None


def token_of(session: Session, secret: bytes) -> str:
    """Return the token that the forms of a session carry."""
    return _mac(secret, "form", session.nonce)


def check_token(given: str, session: Session, secret: bytes) -> None:
    """Check the token of a form. Raises AccessDenied."""
    if not hmac.compare_digest(given.encode(), token_of(session, secret).encode()):
        raise AccessDenied("This form is of an earlier session. Load the page again, and send it.")


def _mac(secret: bytes, purpose: str, text: str) -> str:
    return hmac.digest(secret, f"{purpose}:{text}".encode(), hashlib.sha256).hex()


class SignIns:
    """Counts sign-ins by address, so that nobody can try keys one after the other."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._times: Final[OrderedDict[str, deque[float]]] = OrderedDict()  # owner: count()

    def count(self, address: str, *, now_s: float) -> None:
        """Count a sign-in. Raises TooManySignIns when there were too many."""
        with self._lock:
            times = self._times.setdefault(address, deque())
            self._times.move_to_end(address)
            if len(self._times) > _ADDRESSES_MAX:
                self._times.popitem(last=False)
            while times and times[0] <= now_s - SIGN_INS_WINDOW_S:
                times.popleft()
            if len(times) >= SIGN_INS_MAX:
                wait_s = int(times[0] + SIGN_INS_WINDOW_S - now_s) + 1
                raise TooManySignIns(
                    calls=SIGN_INS_MAX, window_s=SIGN_INS_WINDOW_S, retry_after_s=wait_s
                )
            times.append(now_s)
