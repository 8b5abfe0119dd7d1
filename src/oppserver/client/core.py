"""The parts of a client: its options, the host's address, the keys, and HTTP requests. No I/O.

Below this, the clients use httpx's transports, not its client: so nothing logs a URL, follows a
redirect with keys in it, or keeps a request that an error could show.
"""

import os
import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Final, Literal, NoReturn, TypedDict, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import msgspec

import oppserver
from oppserver.client.calls import Broken, HostAnswer, HostCall
from oppserver.client.errors import InvalidCall
from oppserver.client.exchange import Exchange, Flow, Retry
from oppserver.client.rate_limiter import DEFAULT_RATE_LIMIT, RateLimit, RateLimiter
from oppserver.contract.names import did_you_mean, quoted

T = TypeVar("T")

CALLS_IN_FLIGHT_DEFAULT: Final = 8
"""Enough for 25 calls in 5 seconds at 1.5 s each. Each call keeps 2,000 decoded rows in memory."""

TIMEOUT_S_DEFAULT: Final = 60.0
"""Seconds until the next bytes of an answer: a shared service may need long for 2,000 ids."""

CONNECT_TIMEOUT_S_DEFAULT: Final = 10.0

RETRY_FOR_S_DEFAULT: Final = 120.0
"""Seconds for which a call is retried: long enough for a restart of the host."""

_HIDDEN: Final = "[hidden]"

_PATH_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*", re.ASCII)

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9._:\-]+", re.ASCII)

_KEY_CHARACTERS_MIN: Final = 6

_NAMES_IN_HEADERS: Final = ("x-LSQ-AccessKey", "x-LSQ-SecretKey")

_NAMES_IN_QUERY: Final = ("accessKey", "secretKey")

_HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "zstd, gzip"),
    ("User-Agent", f"oppserver-client/{oppserver.__version__}"),
)

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
)


_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")

_AUTHORITIES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name certificates. Source: openssl.org, SSL_CTX_set_default_verify_paths(3)."""

_TRUST: Final = (
    "If it is of an authority of your own, name that one's certificate (PEM) in SSL_CERT_FILE, or"
    " pass verify=ssl.create_default_context(cafile=…) to the client."
)

_PROXY_EXPECTED: Final = (
    "expected http://HOST:PORT or HOST:PORT, with USER:PASSWORD@ before the host where needed."
    " Commands read HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."
)


class Options(TypedDict, total=False):
    """The options of both clients, passed by name.

    - ``keys_in``: ``"headers"`` (default), or ``"query"`` if headers cannot pass; proxies log URLs.
    - ``rate_limit``: ``"learn"`` (default) starts with 25 calls in 5 seconds and follows the host;
      ``RateLimit(10, 5)`` is an upper bound; ``"off"`` is no limit.
    - ``calls_in_flight``: parallel calls when many ids are read.
    - ``retry_for_s``: seconds for which a call is retried; 0: never.
    - ``timeout_s``, ``connect_timeout_s``: seconds to wait for an answer, and for a connection.
    - ``idempotency_keys``: send an ``Idempotency-Key`` with writes (default).
    - ``on_retry``: called before each retry, from any thread.
    - ``proxy``: URL of a proxy. ``verify``: False or an SSLContext, for your own certificate.
    """

    keys_in: Literal["headers", "query"]
    rate_limit: RateLimit | Literal["learn", "off"]
    calls_in_flight: int
    retry_for_s: float
    timeout_s: float
    connect_timeout_s: float
    idempotency_keys: bool
    on_retry: Callable[[Retry], None] | None
    proxy: str | None
    verify: bool | ssl.SSLContext


class Keys:
    """A key pair. It appears in no repr and in no pickle; only requests contain it."""

    __slots__ = ("_access", "_secret")

    def __init__(self, access_key: str, secret_key: str) -> None:
        for name, key in (("access_key", access_key), ("secret_key", secret_key)):
            if not key.strip() or not key.isascii() or not key.strip().isprintable():
                raise InvalidCall(
                    f"{name} is empty, or has characters that are not allowed in a key. Pass it"
                    " exactly as you received it."
                )
        self._access: Final = access_key.strip()
        self._secret: Final = secret_key.strip()

    def __repr__(self) -> str:
        return f"Keys({_HIDDEN})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Keys cannot be pickled: make a client in each process.")

    def headers(self) -> list[tuple[str, str]]:
        """The keys as headers (source: recommended by the documentation)."""
        return list(zip(_NAMES_IN_HEADERS, (self._access, self._secret), strict=True))

    def query(self) -> list[tuple[str, str]]:
        """The keys as members of the query."""
        return list(zip(_NAMES_IN_QUERY, (self._access, self._secret), strict=True))

    def hide(self, text: str) -> str:
        """The text without both keys, plain or percent-encoded.

        A key shorter than six characters is not searched for: many words would contain it.
        """
        for key in (self._secret, self._access):
            if len(key) >= _KEY_CHARACTERS_MIN:
                for spelled in {key, quote(key, safe="")}:
                    text = text.replace(spelled, _HIDDEN)
        return text


def base_url_of(host: str) -> str:
    """The base URL of a host, without a slash at its end; a name without a scheme gets HTTPS.

    Raises InvalidCall if it is not a host's name or URL.
    """
    text = host.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit("https://"), -1
    is_valid = (
        parts.scheme in ("http", "https")
        and bool(_HOST_NAME.fullmatch(parts.hostname or ""))
        and port != -1
        and bool(_PATH_PREFIX.fullmatch(path := _without_version(parts.path)))
        and parts.username is None
        and not parts.query
    )
    if not is_valid:
        raise InvalidCall(
            f"{quoted(parts.hostname or 'host')} is not a host. Pass a name such as"
            " 'api.leadsquared.com', or a URL such as 'http://127.0.0.1:8080', without keys."
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def _without_version(path: str) -> str:
    """A path without the ``/v2`` of the calls at its end, and without a slash there."""
    path = path.rstrip("/")
    return path[:-3] if path.lower().endswith("/v2") else path


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a host: from a call to an HTTP request, and from what happened to a reply."""

    base_url: str
    keys: Keys
    are_keys_in_query: bool
    timeout_s: float
    connect_timeout_s: float
    connections_max: int
    proxy: str | None
    verify: bool | ssl.SSLContext

    def request(self, call: HostCall[object]) -> httpx.Request:
        """The request of a call, with the keys. Keep it in no variable: its repr has the URL."""
        headers = list(_HEADERS)
        query = list(call.query)
        if self.are_keys_in_query:
            query += self.keys.query()
        else:
            headers += self.keys.headers()
        if call.method == "POST":
            headers.append(("Content-Type", "application/json"))
        if call.writes and call.idempotency_key is not None:
            headers.append(("Idempotency-Key", call.idempotency_key))
        timeouts = {
            "connect": self.connect_timeout_s,
            "read": self.timeout_s,
            "write": self.timeout_s,
            "pool": None,  # the clients bound the calls in flight themselves
        }
        return httpx.Request(
            call.method,
            self.base_url + call.path,
            params=httpx.QueryParams(tuple(query)),
            headers=headers,
            content=call.body,
            extensions={"timeout": timeouts},
        )

    def proxy_url(self) -> httpx.URL | None:
        """The proxy; one without a scheme is HTTP. Raises InvalidCall, which shows no password."""
        if not self.proxy:
            return None
        text = self.proxy if "://" in self.proxy else f"http://{self.proxy}"
        scheme = text.partition("://")[0].lower()
        try:
            url = httpx.URL(text)
            host = url.host
        except (httpx.InvalidURL, ValueError):
            host = ""
        if scheme not in ("http", "https", "socks5", "socks5h") or not host:
            raise InvalidCall(f"The proxy cannot be used: {_PROXY_EXPECTED}")
        if scheme.startswith("socks") and find_spec("socksio") is None:
            raise InvalidCall(
                f"The proxy cannot be used: a {scheme}:// proxy needs the package socksio."
                f" Install it (pip install socksio), or name another: {_PROXY_EXPECTED}"
            )
        return url

    def tls(self) -> bool | ssl.SSLContext:
        """Return the check of the host's certificate. Raises InvalidCall without authorities."""
        is_plain = self.base_url.startswith("http://")
        if self.verify is not True or (is_plain and not (self.proxy or "").startswith("https:")):
            return self.verify if self.verify is not True else False
        try:
            return httpx.create_ssl_context()
        except OSError as error:  # ssl.SSLError too
            named = next((one for one in _AUTHORITIES if os.environ.get(one)), "the system")
            raise InvalidCall(
                f"The certificates of {named} cannot be read: {error.strerror or error}."
                f" Correct or unset {' and '.join(_AUTHORITIES)}."
            ) from None

    def limits(self) -> httpx.Limits:
        """The connections that a transport may keep."""
        return httpx.Limits(
            max_connections=self.connections_max,
            max_keepalive_connections=self.connections_max,
            keepalive_expiry=4.0,  # below the 5 s after which usual servers close an idle one
        )

    def broken_by(self, error: Exception) -> Broken:
        """The reply for an error of the transport; its text has no key and no URL."""
        text = str(error)
        was_sent = not isinstance(error, _NOT_SENT)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            why = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
            return Broken(
                reason=f"the host's certificate is not trusted ({why or 'it cannot be verified'})",
                advice=_TRUST,
                is_lasting=True,
                was_sent=False,
            )
        if "[SSL: " in text and any(sign in text for sign in _NO_TLS):
            plain = self.base_url.replace("https://", "http://", 1)
            return Broken(
                reason="the host does not speak TLS on this port",
                advice=f"Name it as {plain}, or name the port of its HTTPS.",
                is_lasting=True,
                was_sent=False,
            )
        if isinstance(error, httpx.ProxyError):
            return Broken(
                reason=f"the proxy refused the connection ({self.keys.hide(text)})",
                advice="Check the proxy's address and password, or name the host in NO_PROXY.",
                is_lasting=text.startswith("4"),
                was_sent=False,
            )
        if isinstance(error, httpx.ConnectTimeout):
            reason = f"no connection within {self.connect_timeout_s:g} s"
        elif isinstance(error, httpx.TimeoutException):
            reason = f"no answer within {self.timeout_s:g} s"
        else:
            what = "no connection" if isinstance(error, _NOT_SENT) else "the connection broke"
            reason = f"{what} ({self.keys.hide(str(error)) or type(error).__name__})"
        if self.proxy and not was_sent:
            reason += ", through a proxy"
        return Broken(reason=reason, was_sent=was_sent)


def answer_of(response: httpx.Response, body: bytes) -> HostAnswer:
    """The answer in a response whose body was read."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HostAnswer(status=response.status_code, headers=headers, body=body)


class Core:
    """The state of a client besides its connections: keys, rate limit, retries."""

    def __init__(self, host: str, access_key: str, secret_key: str, options: Options) -> None:
        if unknown := options.keys() - Options.__annotations__.keys():
            one = min(unknown)
            near = did_you_mean(one, Options.__annotations__)
            raise InvalidCall(f"{quoted(one)} is not an option of a client.{near}")
        keys = Keys(access_key, secret_key)
        self.calls_in_flight: Final = options.get("calls_in_flight", CALLS_IN_FLIGHT_DEFAULT)
        if not 1 <= self.calls_in_flight <= 1_000:
            raise InvalidCall("calls_in_flight is from 1 to 1000.")
        keys_in = options.get("keys_in", "headers")
        if keys_in not in ("headers", "query"):
            raise InvalidCall("keys_in is 'headers' or 'query'.")
        self._idempotency_keys: Final = options.get("idempotency_keys", True)
        self.wire: Final = Wire(
            base_url=base_url_of(host),
            keys=keys,
            are_keys_in_query=keys_in == "query",
            timeout_s=options.get("timeout_s", TIMEOUT_S_DEFAULT),
            connect_timeout_s=options.get("connect_timeout_s", CONNECT_TIMEOUT_S_DEFAULT),
            connections_max=self.calls_in_flight,
            proxy=options.get("proxy"),
            verify=options.get("verify", True),
        )
        self._exchange: Final = Exchange(
            rate_limiter=_rate_limiter(options.get("rate_limit", "learn")),
            retry_for_s=options.get("retry_for_s", RETRY_FOR_S_DEFAULT),
            hide=keys.hide,
            on_retry=options.get("on_retry"),
        )

    def flow(self, call: HostCall[T]) -> Flow[T]:
        """The flow of a call; a write gets an idempotency key."""
        if call.writes and self._idempotency_keys and call.idempotency_key is None:
            call = replace(call, idempotency_key=str(uuid4()))
        return self._exchange.flow(call)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client cannot be pickled: it has keys. Make one in each process.")


def _rate_limiter(rate_limit: RateLimit | str) -> RateLimiter:
    if isinstance(rate_limit, RateLimit):
        if rate_limit.calls < 1 or rate_limit.window_s <= 0:
            raise InvalidCall("rate_limit has at least one call, in more than 0 seconds.")
        return RateLimiter(rate_limit, is_fixed=True)
    if rate_limit not in ("learn", "off"):
        raise InvalidCall("rate_limit is 'learn', 'off', or a RateLimit(calls, window_s).")
    return RateLimiter(DEFAULT_RATE_LIMIT if rate_limit == "learn" else None, is_fixed=False)
