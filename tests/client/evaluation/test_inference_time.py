"""What is timed of the model, by a clock whose ticks are known."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np

from bs_client.evaluation.inference_time import BATCH, InferenceTime, measure_inference


class Timed:
    """A data set and a network in one; each use takes its own number of seconds."""

    def __init__(self, *, reading: float, alone: float, batch: float) -> None:
        self.now = 0.0
        self.seconds = SimpleNamespace(reading=reading, alone=alone, batch=batch)
        self.sizes: list[int] = []
        self.first = count()

    def clock(self) -> float:
        return self.now

    def image(self, entry: object) -> np.ndarray:
        return np.zeros((64, 64), np.float32)

    def image_anew(self, entry: object) -> np.ndarray:
        self.now += self.seconds.reading
        return self.image(entry)

    def explain(self, images: np.ndarray) -> None:
        # The first use compiles; it must not be counted.
        self.now += 100 * self.seconds.alone if next(self.first) == 0 else self.seconds.alone

    def activate(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        return images

    def score(self, activations: np.ndarray) -> None:
        self.now += self.seconds.batch


def measure(timed: Any, scans: int) -> InferenceTime:
    entries: Any = [object()] * scans
    return measure_inference(timed, entries, timed, device="cpu", clock=timed.clock)


def test_reading_computing_alone_and_in_a_batch_are_told_apart() -> None:
    timed = Timed(reading=0.25, alone=0.5, batch=2.0)

    found = measure(timed, 20)

    assert (found.reading_s, found.alone_s, found.in_batch_s) == (0.25, 0.5, 2.0 / BATCH)
    assert (found.scans, found.rows, found.columns, found.device) == (8, 64, 64, "cpu")


def test_fewer_scans_than_a_batch_still_fill_one() -> None:
    timed = Timed(reading=0.25, alone=0.5, batch=2.0)

    assert measure(timed, 3).scans == 3
    assert set(timed.sizes) == {BATCH}


def test_a_slow_machine_is_not_kept_for_long() -> None:
    assert measure(Timed(reading=1.0, alone=15.0, batch=1.0), 20).scans == 2
