from __future__ import annotations

import numpy as np

from bs_client.predict.picture import STRIP_ROWS, add_strip

GREY = np.full((40, 700, 3), 128, np.uint8)


def test_the_strip_lies_below_and_leaves_the_picture_as_it_is() -> None:
    picture = add_strip(GREY, "model test 0123")

    assert picture.shape == (40 + STRIP_ROWS, 700, 3)
    assert np.array_equal(picture[:39], GREY[:39])  # the line is two pixels wide


def test_the_strip_has_red_words_on_the_left_and_black_ones_on_the_right() -> None:
    strip = add_strip(GREY, "model test 0123")[43:]

    ink = strip.min(axis=2) < 128
    red = ink & (strip[..., 0] > strip[..., 1].astype(int) + 60)
    assert red[:, :350].sum() > 300
    assert red[:, 400:].sum() == 0
    assert ink[:, 500:].sum() > 100


def test_another_model_gives_another_strip() -> None:
    assert not np.array_equal(add_strip(GREY, "model a"), add_strip(GREY, "model b"))
