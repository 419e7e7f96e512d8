"""What may travel between coordinator and sites, as one table that both sides check against.

Every message carries the contract version, the digest of the study's settings and its round. A
request adds at most the model's arrays; a reply adds numbers and short texts named in the table
below. A value that a site hides is absent, and its name stands in the reply's `hidden` text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bs_common.architecture import Shape, array_shapes, backbone_shapes
from bs_common.metrics import HISTOGRAM_EDGES
from bs_common.settings import Role, StudySettings

CONTRACT_VERSION = 2
HISTOGRAM_BINS = HISTOGRAM_EDGES.size + 1
MAX_SCANS = 10_000_000  # no site holds more; anything above is a mistake or an attack


class MessageType(StrEnum):
    """Flower message types of a study."""

    DESCRIBE = "query.describe"
    INITIAL = "query.initial"
    TRAIN = "train"
    EVALUATE = "evaluate"
    EXTERNAL = "query.external"
    PROGRESS = "query.progress"
    FINISH = "query.finish"


class Phase(StrEnum):
    """What a site does at the moment; the same word for both roles where the work is the same."""

    IDLE = "idle"
    READING = "reading"
    FEATURES = "features"
    TRAINING = "training"
    SCORING = "scoring"
    DRAWING = "drawing"


REQUESTS_BY_ROLE: Mapping[Role, frozenset[MessageType]] = {
    "train": frozenset(
        {
            MessageType.DESCRIBE,
            MessageType.INITIAL,
            MessageType.TRAIN,
            MessageType.EVALUATE,
            MessageType.PROGRESS,
            MessageType.FINISH,
        }
    ),
    "evaluate": frozenset(
        {
            MessageType.DESCRIBE,
            MessageType.EXTERNAL,
            MessageType.PROGRESS,
            MessageType.FINISH,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number, or a list of `length` (exactly, or at most) numbers, within [low, high]."""

    kind: Literal["int", "float"]
    low: float = 0
    high: float = MAX_SCANS
    length: int | None = None
    at_most: bool = False
    hideable: bool = False


EXAMPLES = Numbers("int", low=1)
HIDEABLE_COUNT = Numbers("int", hideable=True)
HIDEABLE_RATE = Numbers("float", high=1, hideable=True)
LOSS = Numbers("float", high=1e6)
HISTOGRAM = Numbers("int", length=HISTOGRAM_BINS, hideable=True)
ROC_CELLS = Numbers("int", length=HISTOGRAM_BINS, at_most=True, hideable=True)

SPLITS = ("train", "validation", "external")
COHORT_CELLS = tuple(
    f"{split}.{label}" for split in SPLITS for label in ("metastasis", "no_metastasis")
)
CONFUSION_CELLS = ("tp", "fn", "tn", "fp")

# A name that ends in * stands for names with a refusal code in its place.
REPLY_METRICS: Mapping[MessageType, Mapping[str, Numbers]] = {
    MessageType.DESCRIBE: {
        **dict.fromkeys(COHORT_CELLS, HIDEABLE_COUNT),
        "refused.*": HIDEABLE_COUNT,
        "synthetic": Numbers("int", high=1),
        "min-cell": Numbers("int", low=1, high=1000),
    },
    MessageType.INITIAL: {},
    MessageType.TRAIN: {
        "num-examples": EXAMPLES,
        "loss": LOSS,
        "accuracy": Numbers("float", high=1),
    },
    MessageType.EVALUATE: {
        "num-examples": EXAMPLES,
        "loss": LOSS,
        "histogram.metastasis": HISTOGRAM,
        "histogram.no_metastasis": HISTOGRAM,
    },
    MessageType.EXTERNAL: {
        **dict.fromkeys(CONFUSION_CELLS, HIDEABLE_COUNT),
        **dict.fromkeys(("auc", "auc-low", "auc-high"), HIDEABLE_RATE),
        **dict.fromkeys(("roc.metastasis", "roc.no_metastasis"), ROC_CELLS),
        "overlays": HIDEABLE_COUNT,
        "refused.*": HIDEABLE_COUNT,
    },
    # In whole tenths, and 0 for a phase of few steps: no small count can be told from it.
    MessageType.PROGRESS: {"percent": Numbers("int", high=100)},
    MessageType.FINISH: {},
}

_SHA256 = r"[0-9a-f]{64}"
_VERSION = r"[0-9A-Za-z.+\-]{1,32}"
REPLY_TEXTS: Mapping[MessageType, Mapping[str, str]] = {
    MessageType.DESCRIBE: {
        "backbone-sha256": _SHA256,
        "device": r"[A-Za-z0-9 ()@.,+\-]{1,64}",
        "version.bs-client": _VERSION,
        "version.python": _VERSION,
        "version.keras": _VERSION,
        "version.backend": r"[a-z]+ [0-9A-Za-z.+\-]{1,32}",
        "version.flwr": _VERSION,
    },
    MessageType.INITIAL: {},
    MessageType.TRAIN: {},
    MessageType.EVALUATE: {},
    MessageType.EXTERNAL: {"weights-sha256": _SHA256},
    MessageType.PROGRESS: {"phase": "|".join(Phase)},
    MessageType.FINISH: {},
}

REFUSAL_CODE = r"E_[A-Z0-9_]{1,32}"


def request_shapes(message_type: MessageType, settings: StudySettings) -> dict[str, Shape]:
    """Arrays a request carries: the travelling weights, or none."""
    with_model = (MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL)
    return array_shapes(settings.trainable) if message_type in with_model else {}


def reply_shapes(message_type: MessageType, settings: StudySettings) -> dict[str, Shape]:
    """Arrays a reply carries: trained weights, or the backbone's trainable part once."""
    if message_type is MessageType.TRAIN:
        return array_shapes(settings.trainable)
    if message_type is MessageType.INITIAL:
        travelling = array_shapes(settings.trainable)
        return {name: shape for name, shape in backbone_shapes().items() if name in travelling}
    return {}
