"""A released model ready to read scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bs_client.data.preprocess import Image, as_channels, prepare
from bs_client.dicom.scan import BoneScan
from bs_client.evaluation.external import probabilities_of
from bs_client.explain.gradcam import grad_cam
from bs_client.model.backbone import load_backbone
from bs_client.model.network import Network
from bs_common.architecture import NamedArrays, backbone_shapes
from bs_common.bundle import ModelBundle, read_bundle
from bs_common.errors import TrustError
from bs_common.weights import digest


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the model makes of one scan.

    probability : of bone metastases.
    anterior_map, posterior_map : Grad-CAM in the views' native shapes, 0 or above.
    """

    probability: float
    anterior_map: Image
    posterior_map: Image


@dataclass(frozen=True, slots=True, eq=False)
class OpenModel:
    """A verified bundle and its network."""

    bundle: ModelBundle
    network: Network

    def read(self, scan: BoneScan) -> Reading:
        """Give probability and maps from one forward pass.

        Raises DataError if a view has no contrast.
        """
        settings = self.bundle.model.settings
        prepared = prepare(
            scan.anterior.counts,
            scan.posterior.counts,
            height=settings.view_height,
            width=settings.view_width,
            profile=settings.preprocessing,
        )
        last, margins = self.network.explain(as_channels(prepared.image[np.newaxis]))
        native = prepared.geometry.to_native(grad_cam(last, self.bundle.arrays)[0])
        return Reading(float(probabilities_of(margins)[0]), *native)


def open_model(path: Path, key: Ed25519PublicKey, *, backbone_file: Path | None) -> OpenModel:
    """Verify a released model and build its network.

    Parameters
    ----------
    backbone_file : this site's copy of the weights file that the study started from, where that
        is neither drawn nor to be downloaded.

    Raises
    ------
    TrustError
        The bundle was changed or signed by another key, or the backbone here is another one than
        the model was trained on.
    ConfigError
        The backbone's weights cannot be had.
    """
    bundle = read_bundle(path, key)
    settings = bundle.model.settings
    network = Network(
        settings.trainable,
        rows=settings.view_height,
        columns=2 * settings.view_width,
        backbone=_backbone(bundle, backbone_file),
    )
    network.set_arrays(bundle.arrays)
    return OpenModel(bundle, network)


def _backbone(bundle: ModelBundle, file: Path | None) -> NamedArrays:
    settings = bundle.model.settings
    if settings.trainable == "all":  # every convolution is among the signed weights
        return {name: bundle.arrays[name] for name in backbone_shapes()}
    arrays = load_backbone(settings.backbone, file=file)
    if digest(arrays) != bundle.model.backbone_sha256:
        raise TrustError(
            "The backbone here is not the one that this model was trained on.",
            remedy=f"Use the weights that the study names: {settings.backbone}.",
        )
    return arrays
