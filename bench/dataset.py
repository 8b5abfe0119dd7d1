"""Generated opportunities: seeded, so that every run of a size has the same rows.

Five types, 50 owners, a lead for each opportunity, 34 fields per type of which a row fills 12:
``mx_Custom_1`` to ``_4`` and eight others. Text is of the kind a CRM holds: names in several
scripts, quotes and backslashes, amounts, dates, addresses.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.options import FIELDS, OWNERS, SEED, TYPES
from bench.progress import Progress

_FIRST: Final = (  # noqa: SIM905 (a list of words reads worse)
    "Aarav Ananya Beatriz Carlos Chen Diego Elif Fatima George Hannah Ingrid Jane Jerry Kofi"
    " Léa Mateus Nguyễn Olga Priya Quentin Ravi Søren Tomás Uma Victor Wei Ximena Yuki Zoë अदिति"
).split()
_LAST: Final = (  # noqa: SIM905 (as above)
    "Almeida Benes Costanza Devi Eriksen Fischer García Hewitt Iyer Johansson Kaur Lindqvist"
    " Müller Nakamura Okafor Patel Quiroga Ramírez Seinfeld Tanaka Usman Verma Weber Xu Y\u0131lmaz"
).split()
_COMPANIES: Final = (
    "Vandelay Industries",
    "Kramerica",
    "Pendant Publishing",
    "Costanza & Sons",
    'H&H "Bagels"',
    "Søndergaard A/S",
    "Y\u0131lmaz Lojistik",
    "शर्मा ट्रेडर्स",
    "株式会社ヤマト",
    "O'Neil \\ Partners",
)
_PRODUCTS: Final = (
    "Annual plan, 50 seats",
    "Premium support (24x7)",
    "MBA Executive, autumn intake",
    "Home loan, 20 years",
    'Monitor 27" 4K',
    "Term insurance, 1 crore",
    "Certified pre-owned SUV",
    "Two-bedroom flat, north wing",
)
_SOURCES: Final = (
    "Organic Search",
    "Pay per Click Ads",
    "Referral Sites",
    "Direct Traffic",
    "Inbound Phone call",
    "Social Media",
    "Trade show/Mumbai 2023",
)
_STAGES: Final = ("Prospecting", "Qualified", "Proposal sent", "Negotiation", "Closed")
_CITIES: Final = ("Bengaluru", "Mumbai", "São Paulo", "Zürich", "New York", "İstanbul", "東京")
_NOTES: Final = (
    "Asked for a call back after 6 PM.",
    "Wants a discount of 10%; budget is approved by the board, decision next week.",
    "Spoke with the assistant.\nSend the brochure and the price list again.",
    'Said: "not before the new quarter".',
)
_STATUSES: Final = ("Open", "Open", "Open", "Won", "Lost")
_FIRST_DAY: Final = datetime(2019, 1, 1, 8, 0, 0)  # noqa: DTZ001 (stored dates are UTC by contract)
_ENCODE: Final = msgspec.json.Encoder().encode_into


def write_ndjson(path: Path, rows: int, progress: Progress) -> None:
    """Writes the rows as lines that ``oppserver import`` reads."""
    buffer = bytearray()
    with path.open("wb") as file:
        for number, row in enumerate(generate(rows), 1):
            _ENCODE(row, buffer, -1)
            buffer += b"\n"
            if number % 10_000 == 0:
                file.write(buffer)
                buffer.clear()
                progress.update(number, rows)
        file.write(buffer)


def generate(rows: int) -> Iterator[dict[str, Any]]:
    """The rows, by the names of the API."""
    chance = random.Random(SEED)
    owners = _owners(chance)
    dates = _dates(chance)
    values = [_pool(chance, slot) for slot in range(1, FIELDS + 1)]
    layouts = [_layout(chance) for _ in range(40)]
    bits, below = chance.getrandbits, chance.random
    for number in range(rows):
        owner_id, owner_email = owners[int(below() * OWNERS)]
        created = int(below() * len(dates))
        modified = created + int(below() * (len(dates) - created))
        first = _FIRST[int(below() * len(_FIRST))]
        last = _LAST[int(below() * len(_LAST))]
        row: dict[str, Any] = {
            "ProspectActivityId": _guid(bits(128)),
            "EventCode": TYPES[int(below() * len(TYPES))],
            "ProspectId": _guid(bits(128)),
            "EmailAddress": f"{first}.{last}{number}@example.com".lower(),
            "Owner": owner_id,
            "OwnerEmailAddress": owner_email,
            "Status": _STATUSES[int(below() * len(_STATUSES))],
            "CreatedOn": dates[created],
            "ModifiedOn": dates[modified],
            "OpportunityNote": _NOTES[int(below() * len(_NOTES))],
        }
        pick = bits(9)
        for name, slot in layouts[int(below() * len(layouts))]:
            row[name] = values[slot][(pick * (slot + 7)) % 500]
        yield row


def _guid(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _owners(chance: random.Random) -> list[tuple[str, str]]:
    return [
        (_guid(chance.getrandbits(128)), f"owner.{number}@example.com") for number in range(OWNERS)
    ]


def _dates(chance: random.Random) -> list[str]:
    moments = sorted(
        _FIRST_DAY + timedelta(seconds=chance.randrange(5 * 365 * 86_400)) for _ in range(50_000)
    )
    return [moment.isoformat(sep=" ") for moment in moments]


def _layout(chance: random.Random) -> list[tuple[str, int]]:
    """Which 12 slots a row fills: (name, index into the pools)."""
    slots = [1, 2, 3, 4, *sorted(chance.sample(range(5, FIELDS + 1), 8))]
    return [(f"mx_Custom_{slot}", slot - 1) for slot in slots]


def _pool(chance: random.Random, slot: int) -> list[str]:
    """500 values of one slot."""
    pick = chance.choice
    kinds: tuple[Callable[[], str], ...] = (
        lambda: f"{pick(_COMPANIES)} - {pick(_PRODUCTS)}",
        lambda: f"{chance.randrange(1_000, 9_999_999)}.{chance.randrange(100):02}",
        lambda: pick(_SOURCES),
        lambda: pick(_STAGES),
        lambda: f"2024-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02} 00:00:00",
        lambda: f"{pick(_FIRST)} {pick(_LAST)}",
        lambda: f"{chance.randrange(1, 999)} {pick(_LAST)} Street, {pick(_CITIES)}",
        lambda: f"+91-{chance.randrange(7_000_000_000, 9_999_999_999)}",
        lambda: f"https://www.example.com/c/{chance.getrandbits(40):x}?utm_source=mail",
        lambda: pick(("Yes", "No")),
    )
    kind = kinds[(slot - 1) % len(kinds)]
    return [kind() for _ in range(500)]
