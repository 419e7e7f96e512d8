"""Random streams named by what they are for."""

from __future__ import annotations

import numpy as np

from bs_common.randomness import generator


def test_the_same_words_give_the_same_stream() -> None:
    first = generator(5, "aachen", 3, "negatives").integers(0, 2**62, 20)
    again = generator(5, "aachen", 3, "negatives").integers(0, 2**62, 20)

    assert np.array_equal(first, again)


def test_any_other_word_gives_another_stream() -> None:
    purposes: list[tuple[str | int, ...]] = [
        ("aachen", 3),
        ("aachen", 4),
        ("aalborg", 3),
        ("aachen",),
        ("aachen3",),
        (3, "aachen"),
    ]
    draws = {int(generator(5, *purpose).integers(2**62)) for purpose in purposes}
    draws.add(int(generator(6, "aachen", 3).integers(2**62)))

    assert len(draws) == len(purposes) + 1


def test_words_do_not_run_together() -> None:
    assert generator(1, "ab", "c").integers(2**62) != generator(1, "a", "bc").integers(2**62)


def test_the_stream_is_the_same_in_every_release() -> None:
    # Noted from the first release: a study that goes on after an update must draw the same scans.
    assert generator(0, "noted").integers(0, 1000, 5).tolist() == [18, 687, 823, 542, 956]
