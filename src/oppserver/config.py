"""Settings: the only reader of the environment.

Every setting is an environment variable and a flag of ``oppserver serve``; a flag outranks the
variable, the variable outranks the default. docs/configuration.md is generated from this module.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, fields
from dataclasses import field as dataclass_field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from oppserver.contract import limits
from oppserver.contract.errors import InvalidSetting
from oppserver.contract.names import nearest, quoted
from oppserver.contract.secrets import hide_secrets
from oppserver.rate_limit.address import RateLimitStore, parse_rate_limit_store

PREFIX: Final = "OPPSERVER_"

_RATE_LIMIT: Final = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,4})", re.ASCII)

_NO_PROXY: Final = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?", re.ASCII)
"""An address in brackets or a name, with a port or without; a bare IPv6 address is neither."""

_WHOLE_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)

_PATH_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)

_ORIGIN: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII
)
"""A scheme, a host and maybe a port, in lower case (RFC 6454, 6.2)."""

_OF_KUBERNETES: Final = re.compile(
    r"OPPSERVER_(?:SERVICE_(?:HOST|PORT)|PORT_\d+_(?:TCP|UDP|SCTP))(?:_\w+)?"
)
"""Variables that Kubernetes sets in each container for a Service with the name ``oppserver``."""

_ADDRESS_OF_KUBERNETES: Final = re.compile(r"(?:tcp|udp|sctp)://\S+")
"""The value that it gives to ``OPPSERVER_PORT``, too."""

_OF_TESTS: Final = "OPPSERVER_TEST_"

_KEYS_OF_FILE: Final = tuple(
    (
        re.compile(
            rf"""^[ \t{{,"]*(?:export\s+)?(?:OPPSERVER_)?{name}["\s:=']+([^\s",}}']+)""",
            re.IGNORECASE | re.MULTILINE,
        ),
        re.compile(rf'"{name}"\s*:\s*"([^"]+)"', re.IGNORECASE),
    )
    for name in ("access_?Key", "secret_?Key")
)
"""A key at the start of a line, or as a member of JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """``calls`` in any ``window_s`` seconds per key."""

    calls: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.calls}/{self.window_s}"


def parse_rate_limit(text: str) -> RateLimit | None:
    """``25/5`` or ``off`` (None). Raises ValueError."""
    if text.strip().lower() == "off":
        return None
    match = _RATE_LIMIT.fullmatch(text.strip())
    if not match:
        raise ValueError("expected CALLS/SECONDS, for example 25/5, or off")
    return RateLimit(calls=int(match[1]), window_s=int(match[2]))


def _integer(smallest: int, largest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text) if _WHOLE_NUMBER.fullmatch(text.strip()) else -1
        if not smallest <= number <= largest:
            raise ValueError(f"expected a whole number from {smallest} to {largest}")
        return number

    return parse


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 86_400:
        raise ValueError("expected seconds, above 0 and at most 86400")
    return number


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.strip().lower() not in allowed:
            raise ValueError(f"expected {' or '.join(allowed)}")
        return text.strip().lower()

    return parse


def _read_databases(text: str) -> tuple[str, ...]:
    """URLs with blanks between them, which no URL has in it. Raises ValueError."""
    urls = tuple(text.split())
    if len(urls) > limits.STANDBYS_MAX:
        raise ValueError(f"expected at most {limits.STANDBYS_MAX} URLs")
    return urls


def _trusted_proxies(text: str) -> tuple[str, ...]:
    """Addresses and networks with blanks or commas between them. Raises ValueError."""
    names = tuple(text.replace(",", " ").split())
    for name in names:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise ValueError(
                f"'{name}' is not an address or a network, such as 10.0.0.7 or 10.0.0.0/8"
            ) from None
    return names


def _path_prefix(text: str) -> str:
    prefix = text.strip().rstrip("/")
    if not _PATH_PREFIX.fullmatch(prefix) or prefix.lower() in ("/v1", "/v2"):
        raise ValueError("expected a path such as /crm, of letters, digits and . _ ~ -")
    return prefix


def _cors_origins(text: str) -> tuple[str, ...]:
    """``*``, or origins with blanks or commas between them. Raises ValueError."""
    origins = tuple(one.lower().rstrip("/") for one in text.replace(",", " ").split())
    if origins == ("*",):
        return origins
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"'{origin}' is not an origin, such as https://app.example.com; * is every origin"
            )
    return origins


def _existing_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError("there is no such file")
    return path


def _setting(
    default: Any,
    help_text: str,
    parse: Callable[[str], Any] = str,
    *,
    is_secret: bool = False,
    is_list: bool = False,
) -> Any:
    """``is_list``: the flag can be given several times; in the variable, blanks are in between."""
    metadata = {"help": help_text, "parse": parse, "is_secret": is_secret, "is_list": is_list}
    return dataclass_field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of a server, checked."""

    database: str = _setting(
        "sqlite:///oppserver.db",
        "The store: `sqlite:///relative.db`, `sqlite:////absolute.db` or"
        " `postgresql://USER:PASSWORD@HOST/DATABASE`.",
    )
    read_database: tuple[str, ...] | None = _setting(
        None,
        "A PostgreSQL standby of the store, from which reads are answered. Repeatable; the"
        " variable takes several URLs with blanks between them.",
        _read_databases,
        is_secret=True,
        is_list=True,
    )
    host: str = _setting("127.0.0.1", "The address to listen on. `0.0.0.0` is every interface.")
    port: int = _setting(8080, "The port to listen on; 0 takes a free one.", _integer(0, 65_535))
    trusted_proxies: tuple[str, ...] | None = _setting(
        None,
        "Addresses and networks of proxies whose `X-Forwarded-For` is believed: the log then has"
        " the caller's address. Repeatable.",
        _trusted_proxies,
        is_list=True,
    )
    path_prefix: str | None = _setting(
        None,
        "The path below which a proxy shows the server, such as `/crm`. Calls come with it or"
        " without it; documents and answers name it.",
        _path_prefix,
    )
    cors_origins: tuple[str, ...] | None = _setting(
        None,
        "Origins of pages whose scripts may call the server, such as `https://app.example.com`; `*`"
        " is every origin. Repeatable.",
        _cors_origins,
        is_list=True,
    )
    rate_limit: RateLimit | None = _setting(  # noqa: RUF009 (it is dataclasses.field)
        RateLimit(
            calls=limits.RATE_LIMIT_CALLS_DEFAULT, window_s=limits.RATE_LIMIT_WINDOW_S_DEFAULT
        ),
        "Calls in any window of seconds per key, as `CALLS/SECONDS`, or `off`.",
        parse_rate_limit,
    )
    rate_limit_store: RateLimitStore | None = _setting(  # noqa: RUF009 (it is dataclasses.field)
        None,
        "Where servers on several machines count calls together: `redis://HOST:PORT/NUMBER`,"
        " `rediss://` (TLS), `valkey://`, `valkeys://` (TLS) or `unix:///PATH`. Without it, each"
        " machine counts alone. Takes the package `valkey`.",
        parse_rate_limit_store,
        is_secret=True,
    )
    workers: int = _setting(
        limits.WORKERS_DEFAULT,
        "Server processes that share the port. One for each core is a good start.",
        _integer(1, limits.WORKERS_MAX),
    )
    worker_threads: int = _setting(
        limits.WORKER_THREADS_DEFAULT,
        "Threads that run calls, in each worker. Twice the number of cores is a good start.",
        _integer(1, 256),
    )
    calls_in_flight_max: int = _setting(
        limits.CALLS_IN_FLIGHT_MAX_DEFAULT,
        "Calls that each worker accepts at once; above that, 503 with `Retry-After`.",
        _integer(1, 65_536),
    )
    body_bytes_max: int = _setting(
        limits.BODY_BYTES_MAX_DEFAULT,
        "Bytes that the body of a call may have; above that, 413.",
        _integer(1_024, 1 << 30),
    )
    head_timeout_s: float = _setting(
        limits.HEAD_TIMEOUT_S_DEFAULT,
        "Seconds for the head of a call to arrive; then 408, or nothing where none began.",
        _seconds,
    )
    body_timeout_s: float = _setting(
        limits.BODY_TIMEOUT_S_DEFAULT,
        "Seconds for the body of a call to arrive; then 408.",
        _seconds,
    )
    stream_timeout_s: float = _setting(
        limits.STREAM_TIMEOUT_S_DEFAULT,
        "Seconds for which the caller of a stream may stand still: send no ids, or take no rows.",
        _seconds,
    )
    query_timeout_s: float = _setting(
        limits.QUERY_TIMEOUT_S_DEFAULT,
        "Seconds that one statement of a call may take in the store; then 503.",
        _seconds,
    )
    shutdown_timeout_s: int = _setting(
        limits.SHUTDOWN_TIMEOUT_S_DEFAULT,
        "Seconds that calls under way get to end when the server is told to stop.",
        _integer(0, 3_600),
    )
    console: str | None = _setting(
        None,
        "The web console: `off`, `read`, or `full` to change things, too. Default: `full` on a"
        " loopback address, else `off`.",
        _one_of("off", "read", "full"),
    )
    console_sign_in: str = _setting(
        "auto",
        "`always`: the console wants a sign-in on a loopback address, too, as it does elsewhere and"
        " behind a proxy; or `auto`.",
        _one_of("auto", "always"),
    )
    ssl_certfile: Path | None = _setting(  # noqa: RUF009 (it is dataclasses.field)
        None, "The certificate (PEM) with which the server speaks HTTPS.", _existing_file
    )
    ssl_keyfile: Path | None = _setting(  # noqa: RUF009 (it is dataclasses.field)
        None, "The private key (PEM) of the certificate.", _existing_file
    )
    log_format: str = _setting(
        "auto",
        "The form of a log line: `json`, `text`, or `auto` (text on a terminal, else json).",
        _one_of("auto", "json", "text"),
    )
    log_level: str = _setting(
        "info",
        "The least important lines to log: `debug`, `info`, `warning` or `error`.",
        _one_of("debug", "info", "warning", "error"),
    )
    row_cache_bytes: int = _setting(
        limits.ROW_CACHE_BYTES_DEFAULT,
        "Bytes of rendered rows that each worker keeps for repeated reads; 0 keeps none. None is"
        " stale, except on shards, which are experimental.",
        _integer(0, 1 << 40),
    )
    sqlite_mmap_bytes: int = _setting(
        limits.SQLITE_MMAP_BYTES_DEFAULT,
        "Bytes of the database file that are mapped into memory: page cache, shared and"
        " reclaimable, but counted as resident; 0 reads through the cache below.",
        _integer(0, limits.SQLITE_MMAP_BYTES_MAX),
    )
    sqlite_cache_bytes: int = _setting(
        limits.SQLITE_CACHE_BYTES_DEFAULT,
        "Bytes of page cache of each worker thread, for what is not mapped.",
        _integer(65_536, 1 << 40),
    )
    sqlite_read_parts: int | None = _setting(
        None,
        "Parts in which the ids of one call are read at once while no other call reads; 1 never"
        " divides them. Default: the cores, divided among the workers.",
        _integer(1, limits.SQLITE_READ_PARTS_MAX),
    )


def load_settings(
    flags: Mapping[str, str | None], environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings of flags (None: not given), then of the environment, then the defaults.

    Raises InvalidSetting, which names the flag or the variable, the value (unless it may hold a
    password) and what was expected.
    """
    environment = os.environ if environment is None else environment
    _check_variables(environment)
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        flag, variable = flag_of(setting.name), variable_of(setting.name)
        if (text := flags.get(setting.name)) is not None:
            values[setting.name] = _parsed(setting, text, source=flag)
        elif (text := environment.get(variable, "")) and not _is_of_kubernetes(variable, text):
            values[setting.name] = _parsed(setting, text, source=variable)
    settings = Settings(**values)
    if (settings.ssl_certfile is None) != (settings.ssl_keyfile is None):
        raise InvalidSetting("--ssl-certfile and --ssl-keyfile go together: give both, or neither")
    return settings


def command_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a command of ours that works on the server's database."""
    return {**os.environ, variable_of("database"): settings.database}


ACCESS_KEY_VARIABLE: Final = PREFIX + "ACCESS_KEY"

SECRET_KEY_VARIABLE: Final = PREFIX + "SECRET_KEY"


def load_keys(file: Path | None, environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The key pair of a file, else of the environment, with which a command calls a host.

    The file has what ``oppserver key create`` prints, as text or as JSON. Raises InvalidSetting,
    which never repeats a key.
    """
    environment = os.environ if environment is None else environment
    _check_variables(environment)
    if file is not None:
        return _keys_of_file(file)
    access_key = environment.get(ACCESS_KEY_VARIABLE, "").strip()
    secret_key = environment.get(SECRET_KEY_VARIABLE, "").strip()
    if not access_key or not secret_key:
        raise InvalidSetting(
            f"There are no keys. Set {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE}, or pass"
            " --keys-file FILE with what 'oppserver key create' printed."
        )
    return access_key, secret_key


def _check_variables(environment: Mapping[str, str]) -> None:
    """Check that each variable with our prefix is one of ours: a misspelt one would be ignored.

    Raises InvalidSetting, which never repeats a value.
    """
    known = [variable_of(setting.name) for setting in fields(Settings)]
    known += [ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE]
    for name, text in environment.items():
        is_ours = name.upper().startswith(PREFIX) and not name.startswith(_OF_TESTS)
        if is_ours and text and name not in known and not _is_of_kubernetes(name, text):
            raise InvalidSetting(
                f"{name}: there is no such variable, so it would change nothing."
                f"{_did_you_mean(name, known)} Unset it, or name it otherwise; 'oppserver serve"
                " --help' has all."
            )


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    ends = nearest(name.upper().removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in known])
    return f" Did you mean {' or '.join(PREFIX + end for end in ends)}?" if ends else ""


def _is_of_kubernetes(name: str, text: str) -> bool:
    is_port = name == variable_of("port") and _ADDRESS_OF_KUBERNETES.fullmatch(text)
    return bool(is_port or _OF_KUBERNETES.fullmatch(name))


def _keys_of_file(file: Path) -> tuple[str, str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidSetting(f"--keys-file: {file} cannot be read: {reason}") from None
    found = [at_line.search(text) or member.search(text) for at_line, member in _KEYS_OF_FILE]
    keys = [match[1] for match in found if match]
    if len(keys) != len(found):
        raise InvalidSetting(
            f"--keys-file: {file} has no key pair. It has to have what 'oppserver key create'"
            " prints, with or without --json."
        )
    return keys[0], keys[1]


def proxy_for(host: str) -> str | None:
    """The proxy that the environment names for a host (HTTPS_PROXY, NO_PROXY and so on)."""
    try:
        url = urlsplit(host.strip() if "://" in host else f"https://{host.strip()}")
        name, port = url.hostname or "", url.port
    except ValueError:  # refused where the host is read
        return None
    proxies = getproxies()
    if _is_direct(name, port, proxies.get("no", "")) or proxy_bypass(name):
        return None
    return proxies.get(url.scheme) or proxies.get("all")


def _is_direct(name: str, port: int | None, no_proxy: str) -> bool:
    """Tell whether NO_PROXY names a host, as curl reads it (curl.se/docs/manpage.html, --noproxy).

    A name is meant with all below it; an address may be a network, and have brackets.
    """
    folded = name.lower().strip(".")
    for entry in no_proxy.replace(",", " ").lower().split():
        if entry == "*":
            return True
        match = _NO_PROXY.fullmatch(entry)
        bare = (match[1] or match[2] if match else entry).lstrip("*").strip(".")
        if match and match[3] and int(match[3]) != port:
            continue
        try:
            if ip_address(folded) in ip_network(bare, strict=False):
                return True
        except ValueError:
            if bare and (folded == bare or folded.endswith(f".{bare}")):
                return True
    return False


def flag_of(name: str) -> str:
    """``rate_limit`` is ``--rate-limit`` on the command line."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """``rate_limit`` is ``OPPSERVER_RATE_LIMIT`` in the environment."""
    return PREFIX + name.upper()


def _parsed(setting: Field[Any], text: str, *, source: str) -> Any:
    try:
        return setting.metadata["parse"](text)
    except ValueError as error:
        shown = "the value" if setting.metadata["is_secret"] else quoted(hide_secrets(text))
        raise InvalidSetting(f"{source}: {shown} is refused: {error}") from None
