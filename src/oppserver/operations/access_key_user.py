"""``UserByAccessKey.Get``: the user behind the keys of this call."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_users import render_access_key_user


def access_key_user(call: Call, services: Services) -> bytes:
    """The body of the answer. No secret is in it."""
    principal = admit(call, services)
    [user] = [user for user in services.store.users() if user.id == principal.user_id]
    return render_access_key_user(user, role=principal.role, host=call.host)
