"""The console's guard: Hosts, sign-ins, sessions, tokens, roles."""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oppserver.store.sqlite.library import LIBRARY
from tests.support.console import Visitor, text_of
from tests.support.running import Keys, Server, create_key, make_certificate, run, serving, start
from tests.support.world import OTHER_ID, fill

PAGES = ("", "/bulk-read", "/opportunities", "/requests", "/changes", "/keys", "/store")
OF_ADMINISTRATORS = ("/keys", "/store", "/store/job")
OF_USERS = ("/opportunities/x", "/opportunities/x/delete")
WRITES = (
    "/sample",
    "/requests/record",
    "/keys",
    "/keys/revoke",
    "/store/check",
    "/store/index",
    *OF_USERS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, Keys]:
    return {
        role: create_key(folder, role=role, email=f"{role}@example.com")
        for role in ("administrator", "user", "reader")
    }


@pytest.fixture(scope="module")
def local(folder: Path, keys: dict[str, Keys]) -> Iterator[Server]:
    """A server on a loopback address, whose API is open to scripts of all pages."""
    with serving(folder, "--cors-origins", "*", keys=keys["user"]) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(folder: Path, keys: dict[str, Keys]) -> Iterator[Server]:
    """A server that wants a sign-in, with two workers."""
    flags = ("--console-sign-in", "always", "--workers", "2", "--trusted-proxies", "127.0.0.1")
    with serving(folder, *flags, keys=keys["user"]) as server:
        yield server
        server.stop()


ADDRESSES = count(1)


def stranger(server: Server) -> Visitor:
    """Return a visitor from an address of their own: sign-ins are limited by address."""
    number = next(ADDRESSES)
    return Visitor(server, headers={"X-Forwarded-For": f"198.51.{number // 250}.{number % 250}"})


# --- without a sign-in --------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_pages_open_without_a_sign_in_on_this_machine(local: Server, path: str) -> None:
    """Each has the headers that keep scripts and frames of others out."""
    page = Visitor(local).get(path)
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(
        r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=|javascript:", text_of(page)
    )
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', text_of(page))


@pytest.mark.parametrize("path", ["", "/store"])
def test_pages_name_the_sqlite_library_and_its_version(local: Server, path: str) -> None:
    """The home page and the page of the store show both to an operator."""
    assert str(LIBRARY) in text_of(Visitor(local).get(path))


def test_the_root_leads_to_the_console(local: Server) -> None:
    """A browser that is sent to the server's address sees the console."""
    for path in ("/", "//"):
        answer = local.call("GET", path)
        assert (answer.status, answer.headers["location"]) == (302, "/console")


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "127.0.0.1.attacker.example:80",
        "localhost.attacker.example",
        "192.168.1.7",
        "0.0.0.0",
        "[fe80::1]",
        "",
    ],
)
def test_another_name_of_this_machine_is_refused(local: Server, host: str) -> None:
    """A page of a site whose name leads here by DNS gets nothing and changes nothing."""
    page = Visitor(local, headers={"Host": host}).get("/keys")
    assert page.status in (400, 403)
    assert b"administrator@example.com" not in page.body
    token = Visitor(local).token()
    assert Visitor(local, headers={"Host": host}).post("/sample", token=token).status in (400, 403)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8080", "a.localhost"]
)
def test_names_of_this_machine_are_answered(local: Server, host: str) -> None:
    """Also through a tunnel to another port."""
    assert Visitor(local, headers={"Host": host}).get().status == 200


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Real-IP", "Via"]
)
def test_a_request_through_a_proxy_needs_a_sign_in(local: Server, header: str) -> None:
    """A proxy that passes everything on does not open the console to the world."""
    page = Visitor(local, headers={header: "203.0.113.9"}).get("/keys")
    assert page.status == 303
    assert page.headers["location"] == "/console/sign-in?next=/keys"


# --- forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("token", ["", "0" * 64, "é", "x"])
def test_a_form_without_its_token_changes_nothing(local: Server, path: str, token: str) -> None:
    """A page of another site has none."""
    visitor = Visitor(local)
    visitor.get()
    assert visitor.post(path, {"email": "evil@example.com"}, token=token).status == 403
    assert b"evil@example.com" not in visitor.get("/keys").body


def test_a_token_of_another_session_is_refused(local: Server) -> None:
    """A stranger cannot use a token of their own."""
    visitor, other = Visitor(local), Visitor(local)
    visitor.get()
    assert visitor.post("/keys", {"email": "evil@example.com"}, token=other.token()).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_is_refused(local: Server, headers: dict[str, str]) -> None:
    """Also one that has a right token, and one from another port of this machine."""
    visitor = Visitor(local)
    page = visitor.post("/keys", {"email": "evil@example.com"}, **headers)
    assert page.status == 403
    assert "another site" in text_of(page)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
    ],
)
def test_a_script_of_another_site_reads_nothing(
    local: Server, headers: dict[str, str], status: int
) -> None:
    """Although the API is open to pages of all origins; a link from elsewhere leads here."""
    visitor = Visitor(local, headers=headers)
    for path in ("/keys", "/requests/live?x" if status == 403 else "/requests"):
        page = visitor.get(path)
        assert page.status == status
        assert (b"administrator@example.com" in page.body) == (status == 200 and path == "/keys")


def test_a_form_of_the_own_site_is_taken(local: Server) -> None:
    """With the headers that browsers send."""
    origin = {"Origin": local.url, "Sec-Fetch-Site": "same-origin"}
    assert Visitor(local).post("/requests/record", {"on": "no"}, **origin).status == 303


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "QUERY", "OPTIONS"])
def test_other_methods_are_refused(local: Server, method: str) -> None:
    """A page is got or sent."""
    assert local.call(method, "/console/keys").status == 405


@pytest.mark.parametrize(
    "path", ["/nothing", "/keys/x", "/../etc/passwd", "/static/../app.py", "/%2e"]
)
def test_unknown_pages_are_404(local: Server, path: str) -> None:
    """In the frame of the console, with the way back."""
    assert Visitor(local).get(path).status == 404


# --- sign-ins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/requests/live"])
def test_pages_lead_to_the_sign_in(guarded: Server, path: str) -> None:
    """Nothing of the server is shown before."""
    page = stranger(guarded).get(path)
    assert page.status == (404 if path == "/nothing" else 303)
    assert b"example.com" not in page.body


def test_a_session_serves_in_all_workers(guarded: Server, keys: dict[str, Keys]) -> None:
    """One sign-in; each request may meet another worker."""
    visitor = stranger(guarded)
    signed_in = visitor.sign_in(keys["administrator"])
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/console")
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Secure" not in cookie
    assert keys["administrator"].secret not in cookie
    for _ in range(12):
        assert "administrator@example.com" in text_of(visitor.get("/keys"))
    assert visitor.post("/sign-out").status == 303
    assert visitor.get("/keys").status == 303


@pytest.mark.parametrize(
    ("access", "secret"),
    [
        ("", ""),
        ("opp_000000000000000000000000", "x"),
        ("known", "wrong"),
        ("known", ""),
        ("\0", "\0"),
    ],
)
def test_a_wrong_key_pair_is_refused(
    guarded: Server, keys: dict[str, Keys], access: str, secret: str
) -> None:
    """The message is beside the field, and the secret is not shown again."""
    access = keys["user"].access if access == "known" else access
    visitor = stranger(guarded)
    page = visitor.post("/sign-in", {"access_key": access, "secret_key": secret})
    assert page.status in (400, 429)
    if page.status == 400:
        assert 'class="wrong-text"' in text_of(page)
    assert visitor.get("/keys").status == 303


@pytest.mark.parametrize("change", ["key", "cut", "data", "none"])
def test_a_changed_cookie_is_no_session(
    guarded: Server, keys: dict[str, Keys], change: str
) -> None:
    """Whatever is changed in it."""
    visitor = stranger(guarded)
    visitor.sign_in(keys["reader"])
    [(name, value)] = visitor.cookies.items()
    data, _, mac = value.partition(".")
    visitor.cookies[name] = {
        "key": f"{data}.{mac[::-1]}",
        "cut": data,
        "data": f"{data[:-2]}AA.{mac}",
        "none": ".",
    }[change]
    assert visitor.get("/changes").status == 303


def test_a_revoked_key_ends_its_session(guarded: Server, folder: Path) -> None:
    """With the next request, in each worker."""
    keys = create_key(folder, role="reader", email="short@example.com")
    visitor = stranger(guarded)
    visitor.sign_in(keys)
    assert visitor.get("/changes").status == 200
    assert run("key", "revoke", keys.access, folder=folder).returncode == 0
    assert all(visitor.get("/changes").status == 303 for _ in range(6))


@pytest.mark.parametrize(
    "there",
    ["//attacker.example", "https://attacker.example", "/\\attacker.example", "javascript:1"],
)
def test_a_sign_in_never_leads_elsewhere(
    guarded: Server, keys: dict[str, Keys], there: str
) -> None:
    """The page to go on to is one of the console."""
    form = {"access_key": keys["reader"].access, "secret_key": keys["reader"].secret}
    answer = stranger(guarded).post("/sign-in", {**form, "next": there})
    assert answer.headers["location"] == "/console"


@pytest.mark.parametrize("role", ["administrator", "user", "reader"])
def test_a_role_decides_what_is_shown_and_done(
    guarded: Server, keys: dict[str, Keys], role: str
) -> None:
    """Keys, store and others' requests are for administrators; users change opportunities."""
    visitor = stranger(guarded)
    visitor.sign_in(keys[role])
    is_administrator = role == "administrator"
    home = text_of(visitor.get())
    for path in PAGES:
        wanted = 200 if is_administrator or path not in OF_ADMINISTRATORS else 403
        assert visitor.get(path).status == wanted, path
        assert (f'href="/console{path}"' in home) == (wanted == 200), path
    assert visitor.get("/store/job").status == (200 if is_administrator else 403)
    for path in WRITES:
        status = visitor.post(path, {"email": "no address", "columns": "", "on": "no"}).status
        may = is_administrator or (role == "user" and path in OF_USERS)
        assert (status == 403) != may, path
    guarded.post(b"{}", keys=keys["administrator"])
    shown = text_of(visitor.get("/requests"))
    if not is_administrator:
        assert keys["administrator"].access[:8] + keys["administrator"].access[8:] not in shown


def test_sign_ins_are_limited_in_number(folder: Path, keys: dict[str, Keys]) -> None:
    """From one address, right ones too; the page says how long to wait, and so does a header."""
    with serving(folder, "--console-sign-in", "always") as server:
        visitor = Visitor(server)
        wrong = {"access_key": keys["user"].access, "secret_key": "wrong"}
        statuses = [visitor.post("/sign-in", wrong).status for _ in range(10)]
        assert statuses == [400] * 10
        refused = visitor.sign_in(keys["user"])
        assert refused.status == 429
        assert "Too many sign-ins from your address." in text_of(refused)
        assert visitor.get("/changes").status == 303


# --- settings -----------------------------------------------------------------------------------


def test_the_console_is_off_on_other_addresses(folder: Path) -> None:
    """Unless a setting says otherwise; the refusal names the setting."""
    server = start(folder, "--host", "0.0.0.0")
    try:
        server.url = f"http://127.0.0.1:{urlsplit(server.url).port}"
        page = server.call("GET", "/console")
        assert page.status == 404
        assert "--console read" in page.message
        assert server.call("GET", "/").headers["location"] == "/docs"
    finally:
        server.process.kill()
        server.process.wait()


def test_a_console_that_reads_changes_nothing(folder: Path, keys: dict[str, Keys]) -> None:
    """Under TLS the cookie is ``Secure``; an administrator sees all and changes nothing."""
    make_certificate(folder)
    flags = ("--host", "0.0.0.0", "--console", "read")
    tls = ("--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem")
    with serving(folder, *flags, *tls) as server:
        server.url = f"https://127.0.0.1:{urlsplit(server.url).port}"
        visitor = Visitor(server)
        assert visitor.get().status == 303
        assert "Secure" in visitor.sign_in(keys["administrator"]).headers["set-cookie"]
        assert visitor.get("/store").status == 200
        for path in WRITES:
            page = visitor.post(path)
            assert page.status == 403
            assert "--console full" in text_of(page)
        assert "Create a key" not in text_of(visitor.get("/keys"))
        assert (
            OTHER_ID.encode()
            in server.get("/v1/opportunities?event_code=12200", keys=keys["user"]).body
        )
