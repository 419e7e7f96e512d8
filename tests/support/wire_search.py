"""Searching bytes for what must stay at a site: rows of pixels, features, scores, identifiers.

Images are searched for by blocks of sixteen neighbouring values, cut at every eighth value of a
row, so that any 23 neighbours hold a whole block. Blocks of fewer than eight different values say
nothing (a scan is mostly empty) and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[Any]  # (rows, values)
Blocks = NDArray[Any]  # (blocks, BLOCK)
Hashes = NDArray[np.uint64]
Scores = NDArray[np.float64]

BLOCK = 16
STEP = 8
TELLING = 8  # different values in a block

# Counts stay below 2^15, so that int16 has the same bytes as uint16.
COUNT_TYPES: tuple[DTypeLike, ...] = ("<u2", "<f2", "<f4", "<f8")
REAL_TYPES: tuple[DTypeLike, ...] = ("<f2", "<f4", "<f8")
_TABLE = np.uint64((1 << 26) - 1)  # low bits of a hash; few blocks of a study share them by chance


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a site holds.

    counts : rows of the scans as stored, one array (rows, columns) a view.
    inputs : rows of network inputs, float32.
    features : the network's features of scans, one array (1, features) a scan, float32.
    scores : probabilities or margins of the scans.
    texts : identifiers and file names.
    """

    counts: Sequence[Rows] = ()
    inputs: Sequence[Rows] = ()
    features: Sequence[Rows] = ()
    scores: Sequence[Scores] = ()
    texts: frozenset[str] = frozenset()


class Searched:
    """Bytes in which blocks are looked up by a hash of what begins at each byte."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._words = np.ascontiguousarray(
            sliding_window_view(np.frombuffer(data, np.uint8), 8)
        ).view("<u8")[:, 0]
        self._known: dict[int, tuple[Hashes, NDArray[np.bool_]]] = {}  # by words in a block

    def find(self, secrets: Secrets) -> dict[str, int]:
        """Count the blocks, scores and texts of each kind that occur; found kinds only."""
        found = {
            "counts": self._count(secrets.counts, COUNT_TYPES),
            "inputs": self._count(secrets.inputs, REAL_TYPES),
            "features": self._count(secrets.features, REAL_TYPES),
            "scores": sum(form in self._data for form in _score_forms(secrets.scores)),
            "texts": sum(text.encode() in self._data for text in secrets.texts),
        }
        return {kind: number for kind, number in found.items() if number}

    def _count(self, rows: Sequence[Rows], kinds: Sequence[DTypeLike]) -> int:
        blocks = telling_blocks(rows)
        return sum(self._count_blocks(blocks.astype(kind)) for kind in kinds) if len(blocks) else 0

    def _count_blocks(self, blocks: Blocks) -> int:
        words = blocks.view("<u8")  # (blocks, words)
        hashes, table = self._hashes(words.shape[1])
        wanted = _mix(words.T)
        likely = np.flatnonzero(table[wanted & _TABLE])  # most are sorted out here, quickly
        places = np.minimum(np.searchsorted(hashes, wanted[likely]), len(hashes) - 1)
        candidates = blocks[likely[hashes[places] == wanted[likely]]]
        return sum(block in self._data for block in {block.tobytes() for block in candidates})

    def _hashes(self, size: int) -> tuple[Hashes, NDArray[np.bool_]]:
        """Give the sorted hashes of all places, and which low bits occur among them."""
        if size not in self._known:
            starts = len(self._words) - 8 * (size - 1)
            hashes = np.sort(_mix(self._words[8 * k : 8 * k + starts] for k in range(size)))
            table = np.zeros(int(_TABLE) + 1, np.bool_)
            table[hashes & _TABLE] = True
            self._known[size] = hashes, table
        return self._known[size]


def telling_blocks(rows: Sequence[Rows]) -> Blocks:
    """Cut rows into the blocks that are searched for; mirrored ones, as of flipped scans, too."""
    cut = [
        sliding_window_view(array, BLOCK, axis=1)[:, ::STEP].reshape(-1, BLOCK) for array in rows
    ]
    blocks = np.concatenate(cut) if cut else np.empty((0, BLOCK))
    ordered = np.sort(blocks, axis=1)
    different = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
    telling = blocks[different >= TELLING]
    return np.concatenate([telling, telling[:, ::-1]])


def _mix(words: Iterable[Hashes]) -> Hashes:
    """Hash blocks given word by word; overflow is meant."""
    total = np.zeros(1, np.uint64)
    for word in words:
        total = (total ^ word) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


def _score_forms(orders: Sequence[Scores]) -> set[bytes]:
    """Give the bytes by which a list of scores would show.

    A float64 alone, two float32 in a row, or eight decimals: nothing shorter is rare by chance.
    """
    forms: set[bytes] = set()
    for scores in orders:
        forms |= {score.astype("<f8").tobytes() for score in scores}
        forms |= {f"{abs(score):.10f}"[:10].encode() for score in scores}
        for way in (scores, np.sort(scores), np.sort(scores)[::-1]):
            forms |= {way[at : at + 2].astype("<f4").tobytes() for at in range(len(way) - 1)}
    return forms
