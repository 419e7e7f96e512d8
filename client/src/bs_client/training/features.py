"""What the frozen part of the network makes of each scan, computed once and kept on disk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bs_client.data.cache import ArrayCache, feature_key
from bs_client.data.dataset import Dataset
from bs_client.data.labels import Split
from bs_client.data.manifest import Entry
from bs_client.data.preprocess import as_channels, flip
from bs_client.data.sampling import Flags, Indices
from bs_client.interruption import Progress, unwatched
from bs_client.model.network import Activations, Margins, Network

_GROUP = 8  # scans computed together; the groups follow the manifest, never what is missing
# A multiple of every batch size of the branch, and 200 MB of images where there is no trunk.
_SCORED_TOGETHER = 64
_IN_MEMORY_BYTES = 1 << 30


class Features:
    """Boundary activations of one split's scans, as they are and flipped.

    Parameters
    ----------
    backbone_sha256 : digest of the frozen arrays, part of every cache key.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: Split,
        *,
        network: Network,
        cache: ArrayCache,
        backbone_sha256: str,
    ) -> None:
        self._dataset = dataset
        self._entries = dataset.of_split(split)
        self._network = network
        self._cache = cache
        self._backbone_sha256 = backbone_sha256
        self._held: dict[str, Activations] = {}
        self._held_bytes = 0

    def prepare(self, *, flips: Sequence[bool], progress: Progress) -> None:
        """Compute whatever is missing; a network without a frozen part needs nothing."""
        if self._network.trainable == "all":
            return
        total, done = len(flips) * len(self._entries), 0
        for flipped in flips:
            for start in range(0, len(self._entries), _GROUP):
                done += len(self._group(start, flipped))
                progress(done, total)

    def of(self, indices: Indices, flips: Flags) -> Activations:
        """Give the activations of scans by their place in the split, (N, ...)."""
        if self._network.trainable == "all":
            pairs = zip(indices, flips, strict=True)
            return self._images([(self._entries[i], bool(f)) for i, f in pairs])
        return np.stack([self._one(int(i), bool(f)) for i, f in zip(indices, flips, strict=True)])

    def score_all(self, progress: Progress = unwatched) -> Margins:
        """Score the whole split unflipped with the network's present weights, (N,), N >= 1."""
        places = np.arange(len(self._entries))
        margins = []
        for start in range(0, len(places), _SCORED_TOGETHER):
            piece = places[start : start + _SCORED_TOGETHER]
            margins.append(self._network.score(self.of(piece, np.zeros(len(piece), bool))))
            progress(start + len(piece), len(places))
        return np.concatenate(margins)

    def _one(self, index: int, flipped: bool) -> Activations:
        found = self._find(self._key(self._entries[index], flipped))
        if found is not None:
            return found
        start = index - index % _GROUP
        return self._group(start, flipped)[index - start]

    def _group(self, start: int, flipped: bool) -> list[Activations]:
        """Give one group of the manifest, computed together unless all of it is there."""
        entries = self._entries[start : start + _GROUP]
        keys = [self._key(entry, flipped) for entry in entries]
        found = [array for key in keys if (array := self._find(key)) is not None]
        if len(found) == len(keys):
            return found
        computed = self._network.activate(self._images([(entry, flipped) for entry in entries]))
        for key, array in zip(keys, computed, strict=True):
            self._cache.put(key, array)
            self._hold(key, array)
        return list(computed)

    def _find(self, key: str) -> Activations | None:
        if key in self._held:
            return self._held[key]
        array = self._cache.get(key)
        if array is not None:
            self._hold(key, array)
        return array

    def _hold(self, key: str, array: Activations) -> None:
        if self._held_bytes + array.nbytes <= _IN_MEMORY_BYTES:
            self._held[key] = array
            self._held_bytes += array.nbytes

    def _images(self, scans: Sequence[tuple[Entry, bool]]) -> Activations:
        images = [self._dataset.image(entry) for entry, _ in scans]
        turned = [flip(i) if f else i for i, (_, f) in zip(images, scans, strict=True)]
        return as_channels(np.stack(turned))

    def _key(self, entry: Entry, flipped: bool) -> str:
        settings = self._dataset.settings
        return feature_key(
            entry.pixel_sha256,
            preprocessing=settings.preprocessing,
            view_height=settings.view_height,
            view_width=settings.view_width,
            backbone_digest=self._backbone_sha256,
            boundary=f"{self._network.boundary}/float32",
            flipped=flipped,
        )
