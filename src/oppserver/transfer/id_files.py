"""Files of ids: one GUID a line, packed into 16 bytes each."""

import hashlib
from pathlib import Path
from typing import Final

from oppserver.contract.errors import InvalidFile
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.names import quoted
from oppserver.transfer.files import opened

_ID_BYTES: Final = 16

_LINE_BYTES_MAX: Final = 1_000

_HEADERS: Final = frozenset({"prospectactivityid", "opportunityid", "id"})
"""Names that an export puts in the first line of such a file."""


class Ids:
    """Distinct ids in the order of a file, cut into chunks; a GUID takes 16 bytes of memory."""

    def __init__(self, packed: bytes, *, repeated: int, chunk_ids: int) -> None:
        self._packed: Final = packed
        self._chunk_bytes: Final = chunk_ids * _ID_BYTES
        self.repeated: Final = repeated
        """Number of lines with an id that came before."""

    def __len__(self) -> int:
        return len(self._packed) // _ID_BYTES

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-len(self._packed) // self._chunk_bytes)

    def chunk(self, number: int) -> list[str]:
        """The ids of a chunk, from 0, in canonical form."""
        start = number * self._chunk_bytes
        text = self._packed[start : start + self._chunk_bytes].hex()
        return [
            f"{text[n : n + 8]}-{text[n + 8 : n + 12]}-{text[n + 12 : n + 16]}"
            f"-{text[n + 16 : n + 20]}-{text[n + 20 : n + 32]}"
            for n in range(0, len(text), 2 * _ID_BYTES)
        ]

    def size(self, number: int) -> int:
        """Return the number of ids in a chunk."""
        start = number * self._chunk_bytes
        return len(self._packed[start : start + self._chunk_bytes]) // _ID_BYTES

    def sha256(self) -> str:
        """Return a digest that two different lists of ids do not share (hexadecimal)."""
        return hashlib.sha256(self._packed).hexdigest()


def read_ids(path: Path, *, chunk_ids: int) -> Ids:
    """The ids of a file, or of the standard input; it may be packed by gzip or zstd.

    Blank lines count for nothing, an id that comes again is not asked for again, and a first line
    may name the column. Raises InvalidFile at a line that is no GUID.
    """
    packed, seen, repeated = bytearray(), set[bytes](), 0
    with opened(path) as source:
        number = 0
        while line := source.bytes.readline(_LINE_BYTES_MAX):
            number += 1
            text = line.decode("utf-8-sig", "replace").strip().strip('"')
            if not text or (number == 1 and text.lower() in _HEADERS):
                continue
            guid = canonical_guid(text)
            if guid is None:
                raise InvalidFile(
                    f"{path}, line {number}: {quoted(text)} is no GUID. One id is expected on each"
                    " line. Nothing was asked for."
                )
            one = bytes.fromhex(guid.replace("-", ""))
            if one in seen:
                repeated += 1
            else:
                seen.add(one)
                packed += one
    return Ids(bytes(packed), repeated=repeated, chunk_ids=chunk_ids)
