"""Models of single sites, frozen before they are judged: weights and what is known of them.

A site's folder appears when its answer has come. The list of all that are to be compared is written
once, when no more is waited for; from then on neither it nor a weight changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bs_common.architecture import NamedArrays, Trainable, array_shapes
from bs_common.errors import TrustError
from bs_common.files import storing_in
from bs_common.settings import Name
from bs_common.weights import digest, read_weights, write_weights
from bs_server.results.external_values import Sha256, Share, Value
from bs_server.storage.documents import Document, read_state, write_state

_WEIGHTS = "weights.safetensors"
_RECORD = "model.json"
_LIST = "frozen.json"


class FrozenModel(Value):
    """A model trained on one site's scans alone.

    best_round : chosen by the site on its own validation scans; `validation_auc` is of that round
        and on these, None where hidden.
    threshold : what the study's rule chooses on these scans, or the settings' own.
    """

    site: Name
    weights_sha256: Sha256
    best_round: Annotated[int, Field(ge=1)]
    validation_auc: Share | None
    threshold: Annotated[float, Field(gt=0, lt=1)]


class ModelFile(Document):
    """One model's record as it lies on disk."""

    model: FrozenModel


class FrozenFile(Document):
    """Everything to be compared with the study's model.

    left_out : train site -> why there is no model of it.
    """

    models: list[FrozenModel]
    left_out: dict[Name, str]


@dataclass(frozen=True, slots=True)
class FrozenModels:
    """The frozen models of one study."""

    folder: Path
    trainable: Trainable

    def find_list(self) -> FrozenFile | None:
        """Give the list of models, or None while it is open."""
        path = self.folder / _LIST
        return read_state(path, FrozenFile) if path.exists() else None

    def close_list(self, sites: Iterable[str], left_out: Mapping[str, str]) -> FrozenFile:
        """Freeze those of the sites' models that are on disk as the ones to be compared."""
        models = [model for site in sorted(sites) if (model := self.find(site)) is not None]
        found = FrozenFile(version=1, models=models, left_out=dict(sorted(left_out.items())))
        with storing_in(self.folder):
            self.folder.mkdir(exist_ok=True)
        write_state(self.folder / _LIST, found)
        return found

    def keep(self, model: FrozenModel, arrays: NamedArrays) -> None:
        """Write a model down; its record comes last, so that what has one is whole."""
        folder = self.folder / model.site
        with storing_in(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / _WEIGHTS, arrays)
        write_state(folder / _RECORD, ModelFile(version=1, model=model))

    def find(self, site: str) -> FrozenModel | None:
        """Give a site's model; None where there is none, or what is there is damaged."""
        try:
            model = read_state(self.folder / site / _RECORD, ModelFile).model
            self.weights(model)
        except TrustError:
            return None
        return model

    def weights(self, model: FrozenModel) -> NamedArrays:
        """Read a model's weights; raises TrustError if they are not those it recorded."""
        path = self.folder / model.site / _WEIGHTS
        arrays = read_weights(path, array_shapes(self.trainable))
        if digest(arrays) != model.weights_sha256:
            raise TrustError(
                f"The weights of {model.site} alone are not those that were recorded.",
                remedy=f"Move {self.folder} away and run again: the sites give the same models.",
            )
        return arrays
