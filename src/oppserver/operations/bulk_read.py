"""``GetOpportunitiesById``: up to 2,000 opportunities in one call. The one to read first."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.parse import parse_bulk_read
from oppserver.steps.plan import plan_bulk_read
from oppserver.steps.render import render_bulk_read


def bulk_read(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_bulk_read(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    plan = plan_bulk_read(asked, services.store.catalogue())
    rows = services.store.bulk_read(plan)
    return render_bulk_read(plan, rows)
