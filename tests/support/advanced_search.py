"""``Retrieve/BySearchParameter`` as a program would send it; over the database of ``listed.py``."""

import json
from typing import Any

from tests.support.listed import LOAN, SEARCH
from tests.support.running import Answer, Server

BASE = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(LOAN)}


def row(name: str, operator: str, value: Any = None) -> dict[str, Any]:
    """One row of a Condition."""
    return {"LSO": name, "LSO_Type": "String", "Operator": operator, "RSO": value}


OPEN, WON, LOST = (row("Status", "eq", status) for status in ("Open", "Won", "Lost"))


def joined(one: dict[str, Any], joiner: str) -> dict[str, Any]:
    """A row that says how it is joined to the others."""
    return {"SubConOp": joiner, **one}


def condition(*rows: dict[str, Any], joiner: str | None = None) -> dict[str, Any]:
    """One Condition."""
    made = {"Type": "Activity", "RowCondition": list(rows)}
    return made if joiner is None else {"ConOp": joiner, **made}


def posted(server: Server, advanced: Any, code: Any = LOAN, **more: Any) -> Answer:
    """The answer to a search, whose conditions are JSON in a text."""
    text = advanced if isinstance(advanced, str) else json.dumps(advanced)
    body = {"OpportunityEventCode": code, "AdvancedSearch": text, **more}
    return server.post(body, path=SEARCH)
