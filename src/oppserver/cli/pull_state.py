"""The progress of a mirror: a small durable file beside the store, checked before it is used."""

from pathlib import Path

import msgspec

from oppserver.cli.common import store_file
from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.transfer.outputs import written


class PullState(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of the last run.

    All that the host had modified up to ``up_to`` (stored form) is in the store. ``count`` and
    ``newest`` (the last ModifiedOn) are those of the store when a run had ended; a store that has
    others was changed since, by a write or a restored backup, and is read anew. They are None while
    a run is under way.
    """

    host: str
    event_code: int
    up_to: str | None = None
    count: int | None = None
    newest: str | None = None


_DECODER = msgspec.json.Decoder(PullState)


def state_path(database: str, event_code: int, given: Path | None) -> Path:
    """The file that was given, or one beside the SQLite file. Raises InvalidInput."""
    if given is not None:
        return given
    store = store_file(database)
    if store is None:
        raise InvalidInput(
            "--state FILE is needed: this store is no file that one could be beside."
        )
    return store.with_name(f"{store.name}.pull-{event_code}.json")


def read_state(path: Path, *, host: str, event_code: int) -> PullState:
    """Return the state of a file; a new one where no file is.

    Raises InvalidInput when it is of another host or type, InvalidFile when it cannot be read.
    """
    try:
        state = _DECODER.decode(path.read_bytes())
    except FileNotFoundError:
        return PullState(host=host, event_code=event_code)
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise InvalidFile(
            f"{path} is no state of a pull: {error}. Remove it, and everything is pulled again."
        ) from None
    if (state.host, state.event_code) != (host, event_code):
        raise InvalidInput(
            f"{path} is of type {state.event_code} of {state.host}. A mirror has one host: pull"
            " into another store, or remove the file."
        )
    return state


def write_state(path: Path, state: PullState) -> None:
    """Puts a state on the disk, whole or not at all."""
    with written(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
