"""The settings of a study that every site must share: they travel, are hashed, and are agreed to.

The defaults are the paper's but for the bootstrap draws; `profiles` knows the paper's own.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bs_common.architecture import Trainable
from bs_common.thresholds import RULE_PATTERN

Role = Literal["train", "evaluate"]
Preprocessing = Literal["paper", "robust", "robust-sqrt"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class StudySettings(BaseModel):
    """What is computed at every site of a study."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    # Where the VGG16 convolutions start: Keras' ImageNet weights, the same weights carried in as a
    # file, or a He-normal draw for tests and demonstrations.
    backbone: Annotated[str, Field(pattern=r"^(imagenet|file:.+|random:\d+)$")] = "imagenet"
    # What is trained and travels. The paper trains everything (59.9 MB a message); the head alone
    # is 1.05 MB and lets each scan's features be computed once.
    trainable: Trainable = "all"
    # Pixels of one view. VGG16 halves five times, so both are multiples of 32.
    view_height: Annotated[int, Field(ge=32, le=2048, multiple_of=32)] = 512
    view_width: Annotated[int, Field(ge=32, le=2048, multiple_of=32)] = 256
    # How counts become [0, 1]: by minimum and maximum of each view, as in the paper, or "robust":
    # clipped at the 99.9th percentile first, so that one hot bladder does not darken the skeleton.
    # "robust-sqrt" takes the square root after that, which levels the Poisson noise of counts and
    # lifts faint bone.
    preprocessing: Preprocessing = "paper"
    # The paper: six epochs. One local epoch a round keeps sites closest to the pooled training.
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 6
    local_epochs: Annotated[int, Field(ge=1, le=1000)] = 1
    # Optimiser steps a round, for studies that count steps; replaces `local_epochs` where given.
    local_steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    # Not printed in the paper; 658 scans / 200 steps = 3.3, so 4.
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 4
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-4
    # Calls a scan positive at or above this probability; the paper states none.
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    # "fixed" takes `threshold`; "youden" and "sensitivity:0.9" choose on the pooled validation
    # scans of the best round, and fall back to `threshold` where a site hides its scores.
    threshold_rule: Annotated[str, Field(pattern=RULE_PATTERN)] = "fixed"
    # Bootstrap draws behind intervals: 2000 move an end by about 0.001, the paper's 100 by 0.003.
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    # Share of a train site's patients with and without metastasis kept for validation, where the
    # labels file does not say. The paper keeps 164 of 1367.
    validation_fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.12
    # The smallest count that any site may show; a site's own limit holds where it is higher.
    min_cell: Annotated[int, Field(ge=1, le=1000)] = 1
    # Whether each train site also trains a model from its own scans alone, which is judged beside
    # the study's: what did federation gain it? Only a site whose policy says so lets its model out.
    compare_local: bool = False

    def digest(self) -> str:
        """Give the SHA-256 of the settings in canonical JSON; every message carries it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
