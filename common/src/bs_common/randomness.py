"""Every random draw of a study, named by what it is for, so that each can be repeated alone."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Give the generator for one purpose of one study.

    Parameters
    ----------
    seed : the study seed, >= 0.
    purpose : what the draw is for, from coarse to fine, such as ``("aachen", 3, "negatives")``.
        The same words give the same stream; any other words an independent one.
    """
    text = "\x1f".join(str(word) for word in (seed, *purpose))
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype="<u4")
    return np.random.Generator(np.random.PCG64(words.tolist()))
