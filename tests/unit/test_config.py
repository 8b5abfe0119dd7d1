"""Settings: where they come from, and what they may be."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from oppserver.config import (
    RateLimit,
    Settings,
    flag_of,
    load_keys,
    load_settings,
    parse_rate_limit,
    variable_of,
)
from oppserver.contract.errors import InvalidSetting


def loaded(name: str, text: str) -> Any:
    """A setting's value, given as a flag."""
    return getattr(load_settings({name: text}, {}), name)


def test_a_flag_outranks_the_variable_and_the_variable_the_default() -> None:
    """Each setting for itself."""
    environment = {"OPPSERVER_PORT": "1111", "OPPSERVER_HOST": "::1", "PORT": "3333"}
    settings = load_settings({"port": "2222", "host": None}, environment)
    assert (settings.port, settings.host) == (2222, "::1")
    assert settings.worker_threads == Settings().worker_threads


def test_an_empty_variable_counts_as_not_set_and_an_empty_flag_does_not() -> None:
    """A variable is emptied to take it back; a flag that is typed is meant."""
    assert load_settings({}, {"OPPSERVER_PORT": ""}) == Settings()
    with pytest.raises(InvalidSetting, match=r"^--port: '' is refused"):
        load_settings({"port": ""}, {})


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another one is given."""
    monkeypatch.setenv("OPPSERVER_LOG_LEVEL", "error")
    assert load_settings({}).log_level == "error"
    assert load_settings({}, {}).log_level == "info"


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_a_default_as_it_is_shown_can_be_typed(setting: Any) -> None:
    """The default in the documents is read as the default."""
    if setting.default is not None:
        assert loaded(setting.name, str(setting.default)) == setting.default
    assert getattr(load_settings({}, {}), setting.name) == setting.default


def test_names() -> None:
    """Flags and variables have names made from those of the settings."""
    assert flag_of("rate_limit") == "--rate-limit"
    assert variable_of("rate_limit") == "OPPSERVER_RATE_LIMIT"


@pytest.mark.parametrize(
    ("name", "smallest", "largest"),
    [
        ("port", 0, 65_535),
        ("workers", 1, 64),
        ("worker_threads", 1, 256),
        ("calls_in_flight_max", 1, 65_536),
        ("body_bytes_max", 1_024, 1 << 30),
        ("shutdown_timeout_s", 0, 3_600),
        ("sqlite_mmap_bytes", 0, 1 << 40),
        ("sqlite_cache_bytes", 65_536, 1 << 40),
        ("sqlite_read_parts", 1, 8),
    ],
)
def test_a_whole_number_has_bounds(name: str, smallest: int, largest: int) -> None:
    """The bounds themselves are taken; one beyond is refused, naming both."""
    assert loaded(name, str(smallest)) == smallest
    assert loaded(name, f" {largest} ") == largest
    for beyond in (smallest - 1, largest + 1):
        with pytest.raises(InvalidSetting, match=rf"from {smallest} to {largest}$"):
            loaded(name, str(beyond))


@pytest.mark.parametrize(
    "text", ["x", "8080.0", "8_080", "+80", "0x50", "1e3", "\u0668\u0660", "9" * 5_000, "80\n81"]
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    """Digits only, and those of ASCII."""
    with pytest.raises(InvalidSetting, match=r"^--port: "):
        loaded("port", text)


@pytest.mark.parametrize("name", ["body_timeout_s", "query_timeout_s"])
def test_seconds_have_bounds(name: str) -> None:
    """Above 0, with a fraction where one is meant, and a day at most."""
    assert loaded(name, "86400") == 86_400
    assert loaded(name, "0.001") == 0.001
    for text in ("0", "-1", "86400.001", "inf", "nan", "-inf", "", "5s", "1e400"):
        with pytest.raises(InvalidSetting, match=f"^{flag_of(name)}: .* at most 86400$"):
            loaded(name, text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("25/5", RateLimit(calls=25, window_s=5)),
        ("1/1", RateLimit(calls=1, window_s=1)),
        (" 999999999/99999 ", RateLimit(calls=999_999_999, window_s=99_999)),
        ("off", None),
        (" OFF ", None),
    ],
)
def test_a_rate_limit_is_read(text: str, limit: RateLimit | None) -> None:
    """Calls in seconds, or none at all; its text is read back as the same."""
    assert parse_rate_limit(text) == limit
    if limit is not None:
        assert parse_rate_limit(str(limit)) == limit


@pytest.mark.parametrize(
    "text",
    [
        *("", "25", "0/5", "25/0", "-1/5", "25/-5", "2.5/5", "25 / 5", "25/5/1", "025/5", "none"),
        *("1000000000/5", "25/100000", "\u0662/\u0665", "25\n/5"),
    ],
)
def test_what_is_no_rate_limit_is_refused(text: str) -> None:
    """Nothing turns the limit off but ``off``."""
    with pytest.raises(ValueError, match="25/5, or off"):
        parse_rate_limit(text)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [("log_format", " JSON ", "xml"), ("log_level", "Debug", "trace"), ("log_level", "INFO", "")],
)
def test_a_choice_is_one_of_few(name: str, good: str, bad: str) -> None:
    """In any case; what is not among them is refused with what is."""
    assert loaded(name, good) == good.strip().lower()
    with pytest.raises(InvalidSetting, match=r": expected \w+ or \w+ or "):
        loaded(name, bad)


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    """Both or neither, and both are files."""
    file = tmp_path / "file.pem"
    file.touch()
    both = {"ssl_certfile": str(file), "ssl_keyfile": str(file)}
    assert load_settings(both, {}).ssl_keyfile == file
    for name in both:
        with pytest.raises(InvalidSetting, match="go together"):
            load_settings({name: str(file)}, {})
        for no_file in (tmp_path, tmp_path / "other.pem", "", "a\0b"):
            with pytest.raises(InvalidSetting, match=f"^{flag_of(name)}: .* no such file$"):
                load_settings(both | {name: str(no_file)}, {})


def test_a_refusal_names_where_the_value_came_from() -> None:
    """The variable, or the flag, and the value as it was given."""
    with pytest.raises(InvalidSetting, match=r"^OPPSERVER_PORT: 'x' is refused: expected "):
        load_settings({}, {"OPPSERVER_PORT": "x"})
    with pytest.raises(InvalidSetting, match=r"^--port: 'y' is refused: expected "):
        load_settings({"port": "y"}, {"OPPSERVER_PORT": "x"})


def test_a_refusal_repeats_no_password() -> None:
    """The value of a setting that may hold a password is not quoted; a good one has it hidden."""
    with pytest.raises(InvalidSetting, match=r"^--rate-limit-store: the value is refused: ") as no:
        load_settings({"rate_limit_store": "redis://:s3cret@host:port"}, {})
    assert "s3cret" not in str(no.value)
    settings = load_settings({}, {"OPPSERVER_RATE_LIMIT_STORE": "redis://:s3cret@host"})
    assert str(settings.rate_limit_store) == "redis://:[hidden]@host:6379/0"
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        pytest.param("OPPSERVER_PROT", "OPPSERVER_PORT", id="O5"),
        pytest.param("OPPSERVER_DATABSE", "OPPSERVER_DATABASE", id="O5 database"),
        pytest.param("OPPSERVER_RATELIMIT", "OPPSERVER_RATE_LIMIT", id="O5 no sign"),
        pytest.param("OPPSERVER_SECRETKEY", "OPPSERVER_SECRET_KEY", id="O5 key"),
        pytest.param("oppserver_port", "OPPSERVER_PORT", id="O5 in lower case"),
        pytest.param("OPPSERVER_ZZZZZZZZ", "", id="O5 nothing near"),
    ],
)
def test_o5_an_unknown_variable_is_refused(name: str, near: str) -> None:
    """With the nearest name, and without its value; also where keys are read."""
    for load in (lambda them: load_settings({}, them), lambda them: load_keys(None, them)):
        with pytest.raises(InvalidSetting, match=f"^{name}: there is no such variable") as no:
            load({name: "s3cret"})
        assert f"Did you mean {near}" in str(no.value) if near else "mean" not in str(no.value)
        assert "s3cret" not in str(no.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OPPSERVER_PORT", "tcp://10.96.0.12:8080"),
        ("OPPSERVER_SERVICE_HOST", "10.96.0.12"),
        ("OPPSERVER_SERVICE_PORT", "8080"),
        ("OPPSERVER_SERVICE_PORT_HTTP", "8080"),
        ("OPPSERVER_PORT_8080_TCP", "tcp://10.96.0.12:8080"),
        ("OPPSERVER_PORT_8080_TCP_ADDR", "10.96.0.12"),
        ("OPPSERVER_TEST_SCALE", "10"),
        ("OPPSERVER_PROT", ""),
        ("MY_OPPSERVER_PORT", "1"),
        ("OPPSERVERS", "1"),
    ],
)
def test_o5_variables_of_others_change_nothing(name: str, text: str) -> None:
    """Kubernetes sets some for a Service of this name, and tests have theirs."""
    assert load_settings({}, {name: text}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("trusted_proxies", "10.0.0.7, 10.1.0.0/16 ::1", ("10.0.0.7", "10.1.0.0/16", "::1")),
        ("path_prefix", "/crm/", "/crm"),
        ("path_prefix", "/a/b.c", "/a/b.c"),
        ("cors_origins", "*", ("*",)),
        (
            "cors_origins",
            "https://App.example.com, http://localhost:3000/",
            ("https://app.example.com", "http://localhost:3000"),
        ),
    ],
)
def test_settings_of_proxies_and_pages(name: str, text: str, value: object) -> None:
    """Lists have blanks or commas between their parts."""
    assert loaded(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("trusted_proxies", text) for text in ("*", "proxy.example.com", "10.0.0.0/33")),
        *(("path_prefix", text) for text in ("crm", "/", "/v2/", "/a b", "/a?b", "//a")),
        *(("cors_origins", text) for text in ("app.example.com", "https://a/b", "* https://a")),
    ],
)
def test_settings_of_proxies_and_pages_are_checked(name: str, text: str) -> None:
    """The refusal says what was expected."""
    with pytest.raises(InvalidSetting, match=f"^{flag_of(name)}: .* is refused: "):
        loaded(name, text)
