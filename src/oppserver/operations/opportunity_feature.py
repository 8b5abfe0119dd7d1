"""``IsOpportunityEnabled``: whether there are opportunities here. There are."""

from oppserver.operations.call import Call, Services, admit

_ENABLED = b'{"OpportunityManagement":"Enabled"}'


def opportunity_feature(call: Call, services: Services) -> bytes:
    """The body of the answer, for any ``orgId``: a server serves one organisation."""
    admit(call, services)
    return _ENABLED
