"""Words that tell a view, and words that only seem to."""

from __future__ import annotations

import pytest

from bs_client.dicom.view_words import view_of_code, view_of_free_text


@pytest.mark.parametrize(
    "stated",
    ["AN", "Anterior", "FACE ANT", "AP", "Antérieure", "Ganzkörper von vorne", "ventral", "前位"],
)
def test_coded_anterior_words_are_understood(stated: str) -> None:
    assert view_of_code(stated) == "anterior"


@pytest.mark.parametrize(
    "stated", ["PO", "Posterior", "FACE POST", "PA", "DOS", "Dorsal", "hinten", "retro", "後位"]
)
def test_coded_posterior_words_are_understood(stated: str) -> None:
    assert view_of_code(stated) == "posterior"


@pytest.mark.parametrize("stated", ["ANT POST", "Left anterior oblique LAO", "PANT", "", "Lateral"])
def test_unclear_codes_tell_nothing(stated: str) -> None:
    assert view_of_code(stated) is None


@pytest.mark.parametrize(
    ("stated", "view"),
    [
        ("WHOLE BODY ANT", "anterior"),
        ("POSTERIOR_H2", "posterior"),
        ("WB POST", "posterior"),
        ("Post WB", "posterior"),
        ("WB PA", "posterior"),
        ("Ganzkörper dorsal", "posterior"),
    ],
)
def test_free_text_with_a_clear_word_tells_the_view(stated: str, view: str) -> None:
    assert view_of_free_text(stated) == view


@pytest.mark.parametrize(
    "stated",
    [
        "WB 3H POST INJECTION",
        "BONE 3h post",
        "control post op hip",
        "PA Meyer knee",
        "scan of the spine, posterior",
        "ANT/POST 3H",
        "WHOLE BODY ANT+POST",
        "patient from Antwerp",
    ],
)
def test_free_text_about_something_else_tells_nothing(stated: str) -> None:
    assert view_of_free_text(stated) is None
