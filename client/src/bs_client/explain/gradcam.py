"""Grad-CAM in closed form: score and map from one forward pass.

Grad-CAM (Selvaraju et al. 2017) weighs each channel of the last convolution by the mean gradient of
the class score. Behind that convolution come max pooling, global averaging and two dense layers;
pooling routes each gradient to one cell and averaging spreads it evenly, so the mean gradient of
channel k is the gradient with respect to its averaged feature, divided by the number of cells::

    alpha_k = (1 / hw) dS/dg_k,    dS/dg = ([u > 0] * (W2_1 - W2_0)) W1^T,    u = g W1 + b1

S is the margin z_1 - z_0. A softmax score gives the same picture, but in float32 its gradient
vanishes near p = 1 and the picture becomes another one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bs_common.architecture import NamedArrays

Maps = NDArray[np.float32]


def grad_cam(last_convolution: Maps, head: NamedArrays) -> Maps:
    """Give the map of the class "metastasis" for each scan.

    Parameters
    ----------
    last_convolution : (N, h, w, 512) output of `block5_conv3` after its ReLU; h and w even.
    head : the four head arrays.

    Returns
    -------
    (N, h, w) in [0, 1], each divided by its own maximum; a map without any positive evidence is
    zero throughout.
    """
    count, rows, columns, channels = last_convolution.shape
    pooled = last_convolution.reshape(count, rows // 2, 2, columns // 2, 2, channels)
    features = pooled.max(axis=(2, 4)).mean(axis=(1, 2))  # (N, 512)
    hidden = features @ head["head_hidden/kernel"] + head["head_hidden/bias"]
    towards = head["head_output/kernel"][:, 1] - head["head_output/kernel"][:, 0]
    weights = ((hidden > 0) * towards) @ head["head_hidden/kernel"].T  # (N, 512)
    weights /= rows * columns
    maps = np.einsum("nijk,nk->nij", last_convolution, weights, optimize=True)
    maps = np.maximum(maps, 0)
    peaks = maps.max(axis=(1, 2), keepdims=True)
    normalised: Maps = np.divide(maps, peaks, out=np.zeros_like(maps), where=peaks > 0)
    return normalised.astype(np.float32)
