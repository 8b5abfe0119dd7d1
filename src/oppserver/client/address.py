"""Where a host is, and the keys that open it."""

import re
from typing import Final, NoReturn
from urllib.parse import quote, urlsplit

from oppserver.client.errors import InvalidCall
from oppserver.contract.names import quoted

_HIDDEN: Final = "[hidden]"

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._:\-]+", re.ASCII)

_KEY_CHARACTERS_MIN: Final = 6

_NAMES_IN_HEADERS: Final = ("x-LSQ-AccessKey", "x-LSQ-SecretKey")

_NAMES_IN_QUERY: Final = ("accessKey", "secretKey")


class Keys:
    """A key pair. It is in no repr and no pickle; only the one who sends a request reads it."""

    __slots__ = ("_access", "_secret")

    def __init__(self, access_key: str, secret_key: str) -> None:
        for name, key in (("access_key", access_key), ("secret_key", secret_key)):
            if not key.strip() or not key.isascii() or not key.isprintable():
                raise InvalidCall(
                    f"{name} is empty, or has characters that no key has. Pass it as it was given"
                    " to you."
                )
        self._access: Final = access_key.strip()
        self._secret: Final = secret_key.strip()

    def __repr__(self) -> str:
        return f"Keys({_HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Keys are not pickled: make a client in each process.")

    def headers(self) -> list[tuple[str, str]]:
        """As headers (source: the documentation's recommended way)."""
        return list(zip(_NAMES_IN_HEADERS, (self._access, self._secret), strict=True))

    def query(self) -> list[tuple[str, str]]:
        """As members of the query."""
        return list(zip(_NAMES_IN_QUERY, (self._access, self._secret), strict=True))

    def hide(self, text: str) -> str:
        """The text with both keys replaced, also where they are written as in a URL.

        A key of a few characters is not looked for: it would be found in half of all words.
        """
        for key in (self._secret, self._access):
            if len(key) >= _KEY_CHARACTERS_MIN:
                for spelled in {key, quote(key, safe="")}:
                    text = text.replace(spelled, _HIDDEN)
        return text


def base_url_of(host: str) -> str:
    """``https://HOST`` of a name, or of a URL without what follows the host; no slash at its end.

    Raises InvalidCall when it is none.
    """
    text = host.strip()
    if "://" not in text:
        text = f"https://{text}"
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    path = parts.path.rstrip("/")
    is_sound = (
        parts.scheme in ("http", "https")
        and bool(_HOST_NAME.fullmatch(parts.hostname or ""))
        and port != -1
        and path.lower() in ("", "/v2")
    )
    if not is_sound or parts.username is not None or parts.query:
        raise InvalidCall(
            f"{quoted(parts.hostname or 'host')} is no host. Pass a name such as"
            " 'api.leadsquared.com', or a URL such as 'http://127.0.0.1:8080', without keys."
        )
    return f"{parts.scheme}://{parts.netloc}"
