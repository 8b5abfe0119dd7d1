"""A visitor of the console over plain HTTP: cookies are kept, forms get their token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.support.running import Answer, Keys, Server


@dataclass
class Visitor:
    """Somebody who visits the console of a server. ``headers`` are sent with every request."""

    server: Server
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str = "", **headers: str) -> Answer:
        """Get a page below ``/console``."""
        return self._call("GET", path, None, headers)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a form with the session's token, or another one."""
        if token is None:
            token = self.token()
        data = urlencode({"_token": token, **(form or {})})
        return self._call(
            "POST", path, data, {"Content-Type": "application/x-www-form-urlencoded", **headers}
        )

    def token(self) -> str:
        """Return the token that pages of the session have."""
        page = self.get("/sign-in")
        if page.status == 303:
            page = self.get()
        found = re.search(r'name="csrf-token" content="(\w+)"', page.body.decode())
        assert found, page.body.decode()
        return found[1]

    def sign_in(self, keys: Keys) -> Answer:
        """Sign in by a key pair."""
        return self.post("/sign-in", {"access_key": keys.access, "secret_key": keys.secret})

    def _call(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**self.headers, **{name.replace("_", "-"): v for name, v in headers.items()}}
        if cookie:
            sent["Cookie"] = cookie
        connection = self.server.connect()
        try:
            connection.request(method, f"/console{path}", body, sent)
            response = connection.getresponse()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0].strip('"')
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()


def text_of(page: Answer) -> str:
    """Return a page as text."""
    return page.body.decode()
