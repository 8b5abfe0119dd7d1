"""Without a browser, the tests of pages are not left out in silence."""

import pytest

from tests.browser import chromium


def test_a_missing_browser_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing can be installed, the command ends with 1 and names both ways out."""
    monkeypatch.setattr(chromium, "NAMES", ("no-such-browser",))
    monkeypatch.setenv("PATH", "")
    assert chromium.main() == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Chromium is missing: ")
    assert "Install Chromium" in line
    assert "BROWSER=none" in line


def test_a_browser_that_is_there_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is installed and nothing is printed."""
    assert chromium.main() == 0
    assert capsys.readouterr() == ("", "")
