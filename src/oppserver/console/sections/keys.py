"""Keys and users: key pairs are made, shown once, revoked; users are listed."""

from typing import Final

from oppserver.calls.shared.admission import checked_email, new_key
from oppserver.calls.types.define import check_name
from oppserver.calls.users.run import USERS
from oppserver.console.access import Right
from oppserver.console.sections.home import key_limits
from oppserver.console.visit import FormError, Moved, Page, Reply, Section, Shown, Visit
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import Key, Role


def _keys(visit: Visit, *, made: tuple[Key, str] | None = None) -> Reply:
    uses = visit.server.requests.keys()
    limits = {one.access_key: one for one in key_limits(visit)}
    keys = [
        (key, uses.get(key.access_key), limits.get(key.access_key))
        for key in reversed(visit.server.services.store.keys())
    ]
    values = {
        "keys": keys,
        "made": made,
        "roles": [role.value for role in Role],
        "limit": visit.server.settings.rate_limit,
        "started_on": visit.server.started_on.timestamp(),
        "users": visit.json(USERS, name="UsersGet"),
    }
    return Shown("keys/keys.html", values)


def _create(visit: Visit) -> Reply:
    form = visit.form
    names = {}
    try:
        email = checked_email(form.one("email"), place="E-mail")
    except InvalidInput as error:
        raise FormError("email", str(error)) from None
    for name, label in (("first_name", "First name"), ("last_name", "Last name")):
        text = form.one(name)
        names[name] = text or None
        try:
            check_name(text or label, place=label)
        except InvalidInput as error:
            raise FormError(name, str(error)) from None
    role = form.one("role", Role.USER.value)
    if role not in list(Role):
        raise FormError("role", f"A role is {', '.join(Role)}.")
    services = visit.server.services
    key, secret = new_key(
        email=email,
        role=Role(role),
        user_id=services.sources.new_id(),
        created_on=now_stored(visit.now),
    )
    stored = services.store.add_key(key, **names)
    return _keys(visit, made=(stored, secret))


def _revoke(visit: Visit) -> Reply:
    access_key = visit.form.one("access_key")
    if not visit.server.services.store.revoke_key(access_key, now=now_stored(visit.now)):
        raise FormError("access_key", "This key is revoked already, or not known here.")
    return Moved("/keys", note=f"Revoked {access_key}. Calls with it get 401 from now on.")


SECTION: Final = Section(
    title="Keys and users",
    path="/keys",
    needs=Right.SEE_ALL,
    pages=(
        Page("GET", "/keys", _keys, needs=Right.SEE_ALL),
        Page("POST", "/keys", _create, needs=Right.ADMINISTER, form=_keys),
        Page("POST", "/keys/revoke", _revoke, needs=Right.ADMINISTER, form=_keys),
    ),
)
