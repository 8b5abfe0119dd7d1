"""Hiding keys and passwords in a text that is logged or shown, however they are spelled."""

import re
from typing import Final

HIDDEN: Final = "[hidden]"

_NAME: Final = r"(?:access|secret)[-_ ]?key|pass(?:word|wd|phrase)|passwd|\bpwd"

_PARTS: Final = ("key", "pass", "pwd")
"""Each name above has one of these."""

_SECRET: Final = re.compile(
    rf"""
    ((?:{_NAME})                             # as a parameter, a header, a variable, a member
    (?:
      (?:\\*["'])?\s*(?:=|:|%3D|%3A)\s*      # name=value, "name": value, also inside another text
    | \\*["']\s*,\s*                         # a pair of a tuple, as the HTTP server holds headers
    | \s+(?=')                               # SQL: PASSWORD 'value'
    | [ \t]{{2,}}(?=\S)                      # a table, as 'key create' prints it
    )
    (?:b?(?P<quote>\\*["']))?)
    (?(quote)
      (?:(?!(?P=quote))(?:\\.|[^\\\n]))+     # a quoted value ends at its quote, or with the line
    | (?:(?!%26)[^&\s"'])+(?<![,;)\]}}])     # a bare one with the word, or with the parameter
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)

_DATABASE_USER: Final = re.compile(
    r"""\b(?:postgres(?:ql)?|rediss?|valkeys?)(?:\+\w+)?://[^\s:/@"']*:""", re.IGNORECASE
)

_OTHER_PASSWORD: Final = re.compile(r"(://[^\s:/?#@]*:)[^\s/?#]+(?=@)")

_WORDS: Final = re.compile(r"""[^\s"']+""")


def hide_secrets(text: str) -> str:
    """The text without the values of ``accessKey`` and ``secretKey``, and without passwords.

    It takes time in proportion to the text, whatever the text is: callers choose it.
    """
    if "://" in text:
        text = _WORDS.sub(_hide_url_password, text)
    folded = text.lower()
    if any(part in folded for part in _PARTS):  # most lines of a log have none: 40 times as fast
        text = _SECRET.sub(rf"\1{HIDDEN}", text)
    return text


def _hide_url_password(word: re.Match[str]) -> str:
    """A word without the password of a URL in it.

    That of a database ends at the last ``@`` of the word: an ``@`` that was not percent-encoded is
    a part of it. One pattern for all of it would look for that ``@`` anew from every ``redis://``.
    Other URLs have paths, in which an ``@`` may be something else.
    """
    text = word[0]
    last_at = text.rfind("@")
    if last_at < 0:
        return text
    if user := _DATABASE_USER.search(text, 0, last_at):
        if text.startswith("PASSWORD@", user.end()):  # how a message says what is expected
            return text
        return f"{text[: user.end()]}{HIDDEN}{text[last_at:]}"
    return _OTHER_PASSWORD.sub(rf"\1{HIDDEN}", text)
