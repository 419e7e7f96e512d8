"""The sanity checks of a released model on a site's own scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bs_client.config import SiteFolder
from bs_client.data.cache import ArrayCache
from bs_client.data.labels import Split
from bs_client.data.preprocess import as_channels
from bs_client.data.sampling import balanced_epoch
from bs_client.explain.gradcam import Maps, grad_cam
from bs_client.explain.sanity import Likeness, Progress, Step, cascade, compare_maps
from bs_client.federation.work import SiteWork, open_site
from bs_client.predict.pinned_key import pinned_key
from bs_client.training.features import Features
from bs_common.architecture import NamedArrays, initial_head
from bs_common.bundle import read_bundle
from bs_common.errors import ConfigError, DataError, TrustError
from bs_common.randomness import generator
from bs_common.weights import digest


@dataclass(frozen=True, slots=True)
class SanityReport:
    """What became of the maps.

    steps : weights drawn anew, from the output downwards; the last step has nothing learned left.
    labels : maps of a head trained on permuted labels against those of one trained on the real
        ones; None where the study trains more than the head.
    """

    scans: int
    steps: list[Step]
    labels: Likeness | None

    @property
    def passed(self) -> bool:
        """Whether no map survives."""
        return not (self.steps[-1].likeness.survives or (self.labels and self.labels.survives))


def check_sanity(
    site: SiteFolder, model: Path, *, scans: int, draws: int, progress: Progress
) -> SanityReport:
    """Run both checks on some of the site's scans with metastasis.

    Parameters
    ----------
    model : the released bundle; its signature must fit the site's pinned key.
    scans : how many, evenly spread over the manifest; fewer where the site has fewer.

    Raises
    ------
    TrustError if the bundle is not the study's or fits another backbone, ConfigError if its study
    has other settings than the site, DataError if the site has no scan with metastasis.
    """
    bundle = read_bundle(model, pinned_key(key_file=None, site=site))
    work = open_site(site)
    if bundle.model.settings_sha256 != work.dataset.settings.digest():
        raise ConfigError(
            "The model comes from a study with other settings than this site has agreed to.",
            remedy="Give the folder of the site's part in the model's own study.",
        )
    if bundle.model.backbone_sha256 != digest(work.backbone):
        raise TrustError(
            "The backbone here is not the one that this model was trained on.",
            remedy=f"Use the weights that the study names: {work.dataset.settings.backbone}.",
        )
    split, images = _positives(work, scans)
    weights = work.backbone | bundle.arrays

    def maps_of(arrays: NamedArrays) -> Maps:
        work.network.set_arrays(arrays)
        convolution, _ = work.network.explain(images)
        return grad_cam(convolution, arrays)

    steps = cascade(
        maps_of, weights, seed=work.dataset.settings.seed, draws=draws, progress=progress
    )
    labels = None
    if work.dataset.settings.trainable == "head":
        heads = [_trained_head(work, split, permuted=permuted) for permuted in (False, True)]
        first, second = (maps_of(work.backbone | head) for head in heads)
        labels = compare_maps(first, second)
    return SanityReport(len(images), steps, labels)


def _positives(work: SiteWork, wanted: int) -> tuple[Split, Maps]:
    """Give the network inputs of some scans with metastasis, of the split that has most."""
    by_split = {s: [e for e in work.dataset.of_split(s) if e.label] for s in Split}
    split = max(by_split, key=lambda name: len(by_split[name]))
    entries = by_split[split]
    if not entries:
        raise DataError(
            "This site has no scan with metastasis.",
            remedy="Run the check at a site that has some.",
        )
    places = np.linspace(0, len(entries) - 1, min(wanted, len(entries))).round().astype(int)
    return split, as_channels(np.stack([work.dataset.image(entries[place]) for place in places]))


def _trained_head(work: SiteWork, split: Split, *, permuted: bool) -> NamedArrays:
    """Train a head on the site's scans for one of the study's rounds.

    The two heads start from different draws, or the start that they share would be compared.
    """
    settings = work.dataset.settings
    labels = work.dataset.labels(split)
    if permuted:
        labels = generator(settings.seed, "sanity", "labels").permutation(labels)
    features = Features(
        work.dataset,
        split,
        network=work.network,
        cache=ArrayCache(work.folder.cache / "features"),
        backbone_sha256=digest(work.backbone),
    )
    work.network.set_arrays(work.backbone)
    outcome = work.trainer.train_round(
        initial_head(settings.seed + permuted),
        labels=labels,
        activations_of=features.of,
        epoch_of=lambda epoch: balanced_epoch(
            labels, seed=settings.seed, site="sanity", round_number=1, epoch=epoch
        ),
    )
    return outcome.arrays
