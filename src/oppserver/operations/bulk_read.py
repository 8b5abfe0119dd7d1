"""``GetOpportunitiesById``: up to 2,000 opportunities in one call. The one to read first."""

from oppserver.contract.formats import TEXT_FORMATS
from oppserver.formats.tables import formats_here
from oppserver.operations.bulk_read_forms import answer_of, shape_bulk_read
from oppserver.operations.bulk_read_found import find
from oppserver.operations.call import Answer, Call, Services, admit
from oppserver.steps.negotiate import choose_format
from oppserver.steps.parse import parse_bulk_read
from oppserver.steps.parse_wanted import parse_wanted
from oppserver.steps.plan import plan_bulk_read


def bulk_read(call: Call, services: Services) -> Answer:
    """The answer. Raises an ApiError for everything that is neither status 200 nor 304."""
    admit(call, services)
    chosen = choose_format(call.accept, formats_here(TEXT_FORMATS))
    wanted = parse_wanted(call.query, chosen, is_conditional=call.if_none_match is not None)
    asked = parse_bulk_read(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    catalogue = services.store.catalogue()
    shape = shape_bulk_read(plan_bulk_read(asked, catalogue), wanted, catalogue)
    found = find(services, shape=shape, call=call)
    return answer_of(shape, found)
