"""Plain English: nothing that a reader has to translate (CONTRIBUTING, "How code is written")."""

from tests.project.english import riddles


def test_no_sentence_has_to_be_translated() -> None:
    """Docstrings say what the caller gets; no phrase or word hides who does what."""
    found = [f"{one.module}:{one.line}: {one.text}" for one in riddles()]
    assert not found, "\n".join(found)
