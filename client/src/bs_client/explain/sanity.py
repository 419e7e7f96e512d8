"""Whether a map explains the model at all: it must change when what was learned is taken away.

Adebayo et al. 2018 (NeurIPS): weights are drawn anew from the output downwards, group by group of
layers, and the maps compared with those of the trained model. A map that stays alike is drawn by
the picture, as by an edge detector, and explains nothing of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import spearmanr

from bs_client.explain.gradcam import Maps
from bs_common.architecture import NamedArrays
from bs_common.randomness import generator

# Maps of networks without any training correlate by up to this, since all of them show the body.
SURVIVES = 0.5
GROUPS = ("head_output", "head_hidden", "block5", "block4", "block3", "block2", "block1")

MapsOf = Callable[[NamedArrays], Maps]
Progress = Callable[[int, int], None]
_SSIM_WINDOW = 7
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2  # for values in [0, 1], Wang et al. 2004


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two sets of maps are, means over scans (and draws).

    spearman : rank correlation over the cells where either map is above zero, for all maps are
        blank beside the body; 0 where one of them is constant there.
    ssim : structural similarity.
    """

    spearman: float
    ssim: float

    @property
    def survives(self) -> bool:
        """Whether the maps are alike although what they should explain is gone."""
        return self.spearman >= SURVIVES


@dataclass(frozen=True, slots=True)
class Step:
    """The likeness to the trained model's maps after all groups down to `group` are drawn anew."""

    group: str
    likeness: Likeness


def cascade(
    maps_of: MapsOf,
    weights: NamedArrays,
    *,
    groups: Sequence[str] = GROUPS,
    seed: int,
    draws: int = 3,
    progress: Progress = lambda done, total: None,
) -> list[Step]:
    """Draw weights anew from the output down to the input and compare the maps after each group.

    Parameters
    ----------
    maps_of : gives the maps (N, h, w) in [0, 1] of the same scans for any weights.
    weights : of the whole trained model, named ``layer/kernel`` and ``layer/bias``.
    groups : beginnings of layer names, from the output downwards.
    draws : sets of random weights; one alone may look like the model by chance.
    """
    trained = maps_of(weights)
    likenesses: list[list[Likeness]] = [[] for _ in groups]
    for draw in range(draws):
        changed = dict(weights)
        for place, group in enumerate(groups):
            names = [name for name in weights if name.startswith(group)]
            changed |= {name: _redraw(weights[name], seed, draw, name) for name in names}
            likenesses[place].append(compare_maps(trained, maps_of(changed)))
            progress(draw * len(groups) + place + 1, draws * len(groups))
    return [Step(group, _mean(found)) for group, found in zip(groups, likenesses, strict=True)]


def _redraw(array: NDArray[np.float32], seed: int, draw: int, name: str) -> NDArray[np.float32]:
    """Draw a kernel He-normal; a bias is zero, as before training."""
    if array.ndim == 1:
        return np.zeros_like(array)
    spread = math.sqrt(2 / np.prod(array.shape[:-1]))
    drawn = generator(seed, "sanity", str(draw), name).normal(0, spread, array.shape)
    return drawn.astype(np.float32)


def _mean(found: Sequence[Likeness]) -> Likeness:
    return Likeness(
        float(np.mean([one.spearman for one in found])), float(np.mean([one.ssim for one in found]))
    )


def compare_maps(first: Maps, second: Maps) -> Likeness:
    """Compare two sets of maps of the same scans, (N, h, w) in [0, 1] each, N >= 1."""
    return _mean(
        [Likeness(_rank_correlation(a, b), ssim(a, b)) for a, b in zip(first, second, strict=True)]
    )


def _rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    lit = (first > 0) | (second > 0)
    one, other = first[lit], second[lit]
    if one.size < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


def ssim(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Give the structural similarity of two images in [0, 1] (Wang et al. 2004, IEEE TIP 13:600).

    Uniform windows of 7 x 7 cells, or as large as the image allows, sample (co)variances, windows
    that reach over the rim left out: what scikit-image computes by default.
    """
    size = min(_SSIM_WINDOW, *(length - (length + 1) % 2 for length in first.shape))
    a, b = first.astype(np.float64), second.astype(np.float64)
    unbiased = size**2 / max(1, size**2 - 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(ndimage.uniform_filter(values, size))

    mean_a, mean_b = mean(a), mean(b)
    variance_a = unbiased * (mean(a * a) - mean_a**2)
    variance_b = unbiased * (mean(b * b) - mean_b**2)
    covariance = unbiased * (mean(a * b) - mean_a * mean_b)
    similarity = (
        (2 * mean_a * mean_b + _SSIM_C1)
        * (2 * covariance + _SSIM_C2)
        / ((mean_a**2 + mean_b**2 + _SSIM_C1) * (variance_a + variance_b + _SSIM_C2))
    )
    rim = (size - 1) // 2
    return float(similarity[rim : a.shape[0] - rim, rim : a.shape[1] - rim].mean())
