"""From the page that the store rendered to the body of an answer."""

from oppserver.contract.searches import RenderedPage


def render_list(page: RenderedPage) -> bytes:
    """The body of lists and searches. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"List":%b}' % (page.total, page.json)


def render_modified_opportunities(page: RenderedPage) -> bytes:
    """The body of ``RetrieveRecentlyModified`` of an opportunity type."""
    return b'{"RecordCount":%d,"ProspectActivities":%b}' % (page.total, page.json)
