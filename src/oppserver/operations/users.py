"""``Users.Get``: all users."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_users import render_users


def users(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    return render_users(services.store.users())
