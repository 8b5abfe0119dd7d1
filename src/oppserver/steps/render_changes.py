"""From a page of changes that the store rendered to the body of an answer."""

import msgspec

from oppserver.contract.changes import FoundChanges
from oppserver.contract.cursors import cursor_text
from oppserver.contract.wire import ChangesEndWire


def render_changes(found: FoundChanges) -> bytes:
    """One object. The changes are JSON already and are not looked into."""
    return b'{"Changes":%b,%b' % (found.rendered.json, _end(found)[1:])


def changes_end(found: FoundChanges) -> bytes:
    """The last line where each change is a line: what the object has beside them."""
    return b'{"End":%b}\n' % _end(found)


def _end(found: FoundChanges) -> bytes:
    return msgspec.json.encode(
        ChangesEndWire(
            RecordCount=found.rendered.count,
            HasMore=found.has_more,
            OwnerAddressesChanged=found.addresses_changed,
            Cursor=cursor_text(found.cursor),
        )
    )
