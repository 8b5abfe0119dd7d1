"""Entity tags of answers (RFC 9110, 8.8.3 and 13.1.2): made of what makes an answer's bytes."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.contract.formats import Table, Wanted
from oppserver.contract.model import Plan, Stamp, Whereabouts

_DIGEST_BYTES: Final = 16
_ENTITY_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def entity_tag(made_of: bytes, stamp: Stamp, whereabouts: Mapping[str, Whereabouts] | None) -> str:
    """The strong entity tag of an answer: equal tags, equal bytes.

    ``made_of`` is the request's part, ``stamp`` the rows', ``whereabouts`` the ledger's if any.
    """
    digest = hashlib.blake2b(made_of, digest_size=_DIGEST_BYTES)
    digest.update(msgspec.json.encode((stamp, whereabouts)))
    return f'"{digest.hexdigest()}"'


def made_of(plan: Plan, wanted: Wanted, table: Table | None, *, coding: str, made_by: str) -> bytes:
    """All of a request that shows in the bytes of its answer, and what makes the bytes.

    ``coding`` is the one that the caller likes best: a short answer is sent without, but which
    answers are short is known from the rest. ``made_by`` are versions: the same rows may be
    rendered, or packed, in other bytes by the next one.
    """
    parts = (plan, wanted, table, coding, made_by)
    return hashlib.blake2b(msgspec.json.encode(parts)).digest()


def is_matched(if_none_match: str, tag: str) -> bool:
    """Whether a caller has the answer of a tag. Weak tags match too, as the RFC has it."""
    return if_none_match.strip() == "*" or tag in _ENTITY_TAG.findall(if_none_match)
