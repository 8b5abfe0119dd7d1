"""The options of dropdowns as files have them: texts that hold JSON.

``place`` is where a text stands; what cannot be understood raises InvalidFile with it.
"""

from typing import Any

import msgspec

from oppserver.contract.errors import InvalidFile
from oppserver.contract.names import quoted


def options_in(text: str | None, place: str) -> list[str]:
    """The values of an ``OptionSet``, in the order that they say."""
    return [_value(one, place) for one in decoded_options(text, place)]


def default_in(text: str | None, place: str) -> str | None:
    """The value of the first option of an ``OptionSet`` that says it is the default."""
    for one in decoded_options(text, place):
        if isinstance(one, dict) and one.get("IsDefault") is True:
            return _value(one, place) or None
    return None


def decoded_options(text: str | None, place: str) -> list[Any]:
    """The options of an ``OptionSet`` as they stand there, in the order that they say."""
    return _ordered(_decoded(text, place), place)


def dependent_options_in(text: str | None, place: str) -> dict[str, list[str]]:
    """The values of a ``DependentOptionSet`` by the parent's value.

    It is an array of objects of ``Parent`` and ``Options``, or an object by the parent's value:
    public client code reads both.
    """
    found = _decoded(text, place)
    if isinstance(found, list):
        found = {_parent(one, place): one.get("Options") for one in found}
    if not isinstance(found, dict):
        raise _no_options(found, place)
    return {
        parent: [_value(one, place) for one in _ordered(some or [], place)]
        for parent, some in found.items()
    }


def _decoded(text: str | None, place: str) -> Any:
    if not (text or "").strip():
        return []
    try:
        return msgspec.json.decode(text or "")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidFile(f"{place}: the text is not JSON: {error}") from None


def _ordered(options: Any, place: str) -> list[Any]:
    if not isinstance(options, list):
        raise _no_options(options, place)
    return sorted(options, key=_order)


def _order(option: Any) -> int:
    order = option.get("Order") if isinstance(option, dict) else None
    return order if isinstance(order, int) else 0


def _parent(entry: Any, place: str) -> str:
    parent = (entry.get("Parent") or entry.get("parent")) if isinstance(entry, dict) else None
    if not isinstance(parent, str):
        raise _no_options(entry, place)
    return parent


def _value(option: Any, place: str) -> str:
    """An option's value: its text where it has no other."""
    value = (option.get("Value") or option.get("Text")) if isinstance(option, dict) else option
    if value is not None and not isinstance(value, str):
        raise _no_options(option, place)
    return value or ""


def _no_options(found: object, place: str) -> InvalidFile:
    return InvalidFile(f"{place}: {quoted(found)} is not what options are: objects with a Value")
