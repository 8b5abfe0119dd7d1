"""The promises of every engine about types and fields."""

from oppserver.contract.model import ActivityType, DataType, OpportunityType
from oppserver.store import Store
from tests.support import stores
from tests.support.stores import NOW, field, opportunity

database, store = stores.database, stores.store


def test_a_fresh_catalogue_is_empty(store: Store) -> None:
    """A fresh store has no types and no fields."""
    catalogue = store.catalogue()
    assert catalogue.types == {}
    assert catalogue.fields == {}


def test_types_are_created_and_renamed(store: Store) -> None:
    """A type that is there takes the new name; the last of two in a call counts."""
    store.put_types([OpportunityType(event_code=12_000, name="Old"), *_types(12_001, "Other")])
    store.put_fields([field(1)])
    store.put_types(_types(12_000, "New", "Newest"))
    catalogue = store.catalogue()
    assert {code: one.name for code, one in catalogue.types.items()} == {
        12_000: "Newest",
        12_001: "Other",
    }
    assert catalogue.fields == {12_000: {"mx_Custom_1": field(1)}, 12_001: {}}


def test_types_are_kept_whole(store: Store) -> None:
    """A type comes out as it went in, and what replaces it keeps nothing of it but its fields."""
    whole = OpportunityType(
        event_code=12_000,
        name="Kredit 🏠",
        description='For "homes",\nmostly',
        can_delete=False,
        duplicate_rules=(("ProspectId", "mx_Custom_1"), ("EmailAddress",)),
    )
    store.put_types([whole])
    store.put_fields([field(1)])
    assert store.catalogue().types == {12_000: whole}
    store.put_types(_types(12_000, "Plain"))
    catalogue = store.catalogue()
    assert catalogue.types[12_000] == OpportunityType(event_code=12_000, name="Plain")
    assert catalogue.fields[12_000] == {"mx_Custom_1": field(1)}


def test_activity_types_are_created_and_renamed(store: Store) -> None:
    """Activity types come by event code; one that is there takes the new name, the last counts."""
    assert store.catalogue().activity_types == {}
    visit, call = (ActivityType(event_code=code, name="x") for code in (201, 200))
    store.put_activity_types([visit, call])
    version = store.catalogue().version
    renamed = [ActivityType(event_code=200, name=name) for name in ("Call", "Phone call")]
    store.put_activity_types(renamed)
    catalogue = store.catalogue()
    assert list(catalogue.activity_types.items()) == [(200, renamed[1]), (201, visit)]
    assert catalogue.types == {}
    assert catalogue.version > version


def test_fields_are_kept_whole(store: Store) -> None:
    """A field comes out as it went in, options in order."""
    whole = field(
        7,
        display_name="Größe 📏",
        data_type=DataType.SEARCHABLE_DROPDOWN,
        is_mandatory=True,
        sequence=3,
        options=("b", "a", 'with "quotes", commas', ""),
        max_length=17,
        parent_field="Status",
        dependent_options={"Open": ("b", ""), "Won": ("a",), "Lost": ()},
    )
    store.put_fields([whole])
    assert store.catalogue().fields[12_000]["mx_Custom_7"] == whole


def test_a_field_that_is_there_is_replaced(store: Store) -> None:
    """A field is one per type and schema name; the last of two in a call counts."""
    store.put_fields([field(1), field(1, event_code=12_001), field(2)])
    store.put_fields([field(1, display_name="x"), field(1, display_name="New", options=("a",))])
    catalogue = store.catalogue()
    assert catalogue.fields[12_000]["mx_Custom_1"].display_name == "New"
    assert catalogue.fields[12_000]["mx_Custom_2"] == field(2)
    assert catalogue.fields[12_001]["mx_Custom_1"] == field(1, event_code=12_001)


def test_fields_are_in_their_sequence(store: Store) -> None:
    """Fields come by their sequence, then by name; types by event code."""
    store.put_fields([field(3, sequence=1), field(1, sequence=2), field(2, sequence=1)])
    store.put_types(_types(11_000, "First"))
    catalogue = store.catalogue()
    assert list(catalogue.types) == [11_000, 12_000]
    assert list(catalogue.fields[12_000]) == ["mx_Custom_2", "mx_Custom_3", "mx_Custom_1"]


def test_a_field_creates_its_type(store: Store) -> None:
    """A field of a type that is not there brings it; one that is there keeps its name."""
    store.put_types(_types(12_000, "Named"))
    store.put_fields([field(1), field(1, event_code=12_001)])
    names = {code: one.name for code, one in store.catalogue().types.items()}
    assert names == {12_000: "Named", 12_001: "Opportunity 12001"}


def test_opportunities_create_what_they_use(store: Store) -> None:
    """A write brings the types and fields it uses, and leaves those that are there."""
    named = field(1, display_name="Named", data_type=DataType.NUMBER)
    store.put_fields([named])
    batch = [
        opportunity(1, slots={"mx_custom_1": "a", "mx_custom_2": "b"}),
        opportunity(2, slots={"mx_custom_10": "c"}),
        opportunity(3, event_code=12_001),
    ]
    store.write_opportunities(batch, now=NOW)
    fields = store.catalogue().fields
    assert list(fields[12_000]) == ["mx_Custom_1", "mx_Custom_2", "mx_Custom_10"]
    assert fields[12_000]["mx_Custom_1"] == named
    assert fields[12_000]["mx_Custom_10"] == field(10)
    assert fields[12_001] == {}


def test_the_version_moves_with_every_change(store: Store) -> None:
    """The catalogue's version is raised by changes of types and fields, and by nothing else."""
    versions = [store.catalogue().version]
    store.put_types(_types(12_000, "A"))
    versions.append(store.catalogue().version)
    store.put_fields([field(1)])
    versions.append(store.catalogue().version)
    store.write_opportunities([opportunity(1, slots={"mx_custom_2": "b"})], now=NOW)
    versions.append(store.catalogue().version)
    assert versions == sorted(set(versions))
    store.write_opportunities([opportunity(1, slots={"mx_custom_2": "c"})], now=NOW)
    assert store.catalogue().version == versions[-1]


def test_another_store_sees_a_change_at_once(database: stores.Database) -> None:
    """A store that has read the catalogue reads it anew after a change by another one."""
    store, other = database.open(), database.open()
    for number in range(1, 6):
        other.put_fields([field(number)])
        assert len(store.catalogue().fields[12_000]) == number
        store.write_opportunities([opportunity(1, event_code=12_000 + number)], now=NOW)
        assert 12_000 + number in other.catalogue().types
    store.close()
    other.close()


def _types(event_code: int, *names: str) -> list[OpportunityType]:
    return [OpportunityType(event_code=event_code, name=name) for name in names]
