"""The forms of details, kept until the catalogue moves."""

from typing import NamedTuple

from oppserver.contract.model import Catalogue
from oppserver.steps.render_details import DetailsForm, details_form


class _Kept(NamedTuple):
    catalogue: Catalogue
    forms: dict[int, DetailsForm]


class DetailsForms:
    """Makes the form of a type once for each catalogue. Safe from several threads.

    At most one form for each type is kept. Two threads may make the same one at the same time.
    """

    def __init__(self) -> None:
        self._kept: _Kept | None = None  # owner: of(); replaced whole

    def of(self, catalogue: Catalogue, event_code: int) -> DetailsForm:
        """The form of a type that is in the catalogue.

        A store gives the same catalogue until it moves, so it is known by its identity.
        """
        kept = self._kept
        if kept is None or kept.catalogue is not catalogue:
            kept = self._kept = _Kept(catalogue, {})
        form = kept.forms.get(event_code)
        if form is None:
            fields = catalogue.fields.get(event_code, {})
            form = details_form(catalogue.types[event_code], fields.values())
            kept.forms[event_code] = form
        return form
