"""From the query to how an answer is wanted."""

from collections.abc import Mapping

from oppserver.contract.errors import InvalidValue
from oppserver.contract.formats import Format, Wanted
from oppserver.contract.query import flag, wanted_rows


def parse_wanted(query: Mapping[str, str], chosen: Format, *, is_conditional: bool) -> Wanted:
    """How the answer to a bulk read is wanted. ``is_conditional``: there is an ``If-None-Match``.

    Raises InvalidValue.
    """
    wanted = wanted_rows(
        query,
        chosen,
        ledger=flag(query, "ledger"),
        entity_tag=flag(query, "etag") or is_conditional,
    )
    if wanted.ledger and chosen is not Format.JSON:
        raise InvalidValue(
            f"query parameter 'ledger': {chosen} has one row per opportunity and no place for those"
            f" that are missing. Ask for {Format.JSON}, or read X-Opportunities-Missing."
        )
    return wanted
