"""What may travel between coordinator and sites, as one table that both sides check against.

Every message carries the contract version, the digest of the study's settings and its round. A
request adds at most the model's arrays, or those of all models to be compared; a reply adds numbers
and short texts named in the table below. A value that a site hides is absent, and its name stands
in the reply's `hidden` text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from bs_common.architecture import Shape, array_shapes, backbone_shapes
from bs_common.bins import COUNTS_NAMES, EDGES_NAME
from bs_common.metrics import HISTOGRAM_EDGES, ROC_EDGES
from bs_common.settings import Role, StudySettings

CONTRACT_VERSION = 3
HISTOGRAM_BINS = HISTOGRAM_EDGES.size + 1
MAX_SCANS = 10_000_000  # no site holds more; anything above is a mistake or an attack


class MessageType(StrEnum):
    """Flower message types of a study."""

    DESCRIBE = "query.describe"
    INITIAL = "query.initial"
    TRAIN = "train"
    LOCAL = "train.local"
    EVALUATE = "evaluate"
    EXTERNAL = "query.external"
    READERS = "query.readers"
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
            MessageType.LOCAL,
            MessageType.EVALUATE,
            MessageType.PROGRESS,
            MessageType.FINISH,
        }
    ),
    "evaluate": frozenset(
        {
            MessageType.DESCRIBE,
            MessageType.EXTERNAL,
            MessageType.READERS,
            MessageType.PROGRESS,
            MessageType.FINISH,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number, or a list of `length` (exactly, or at most) numbers, within [low, high].

    hideable : may be left out if it is named as hidden, for the small count it rests on.
    optional : may be left out because there is no such figure, as of masks where there are none.
    """

    kind: Literal["int", "float"]
    low: float = 0
    high: float = MAX_SCANS
    length: int | None = None
    at_most: bool = False
    hideable: bool = False
    optional: bool = False


EXAMPLES = Numbers("int", low=1)
HIDEABLE_COUNT = Numbers("int", hideable=True)
HIDEABLE_RATE = Numbers("float", high=1, hideable=True)
LOSS = Numbers("float", high=1e6)
FIGURE = Numbers("float", low=-1e6, high=1e6, hideable=True, optional=True)
SHARE = Numbers("float", high=1, hideable=True, optional=True)
# Scans by score: bins merged by the site, and which edges of the grid are left between them. Edge
# numbers, not edges: a number of free choice could carry a scan's score.
SCORE_BINS: Mapping[str, Numbers] = {
    **dict.fromkeys(
        COUNTS_NAMES, Numbers("int", length=HISTOGRAM_BINS, at_most=True, hideable=True)
    ),
    EDGES_NAME: Numbers(
        "int",
        high=HISTOGRAM_BINS - 2,
        length=HISTOGRAM_BINS - 1,
        at_most=True,
        hideable=True,
        optional=True,
    ),
}

SPLITS = ("train", "validation", "external")
COHORT_CELLS = tuple(
    f"{split}.{label}" for split in SPLITS for label in ("metastasis", "no_metastasis")
)
CONFUSION_CELLS = ("tp", "fn", "tn", "fp")

# The edges to which a reply's edge numbers point; the nearest of the external ones is moved to the
# threshold (`bins.edges_with`).
SCORE_GRIDS = {
    MessageType.EVALUATE: HISTOGRAM_EDGES,
    MessageType.LOCAL: HISTOGRAM_EDGES,
    MessageType.EXTERNAL: ROC_EDGES,
}

# Whose scans are counted apart: closed lists, so that no text of a scan or a person can travel.
SUBGROUPS: Mapping[str, tuple[str, ...]] = {
    "sex": ("female", "male", "other"),
    "age": ("under-50", "50-to-64", "65-to-74", "75-and-over"),
    "scanner": ("siemens", "ge", "philips", "other"),
    # Counts of both views together; about a million a view is usual.
    "counts": ("under-1m", "1m-to-3m", "3m-and-over"),
    # Separate spots in the masks; scans without metastasis have none.
    "lesions": ("1-to-2", "3-to-9", "10-and-over"),
}
SUBGROUP_CELLS: Mapping[str, Numbers] = {
    f"subgroup.{variable}.{level}.{cell}": Numbers("int", hideable=True, optional=True)
    for variable, levels in SUBGROUPS.items()
    for level in levels
    for cell in CONFUSION_CELLS
}

# Maps against masks: the model's, and what a map that knows nothing of the model would reach.
AGREEMENT_SOURCES = ("model", "intensity", "body", "ceiling")
AGREEMENT_MEASURES = ("pointing", "pointing-tolerant", "energy", "auprc", "iou", "dice")
AGREEMENT: Mapping[str, Numbers] = {
    f"agreement.{source}.{measure}{end}": SHARE
    for source in AGREEMENT_SOURCES
    for measure in AGREEMENT_MEASURES
    for end in ("", "-low", "-high")
}
# Mean share of a map's energy where no metastasis can be.
ARTEFACTS = ("artefact.outside-body", "artefact.bladder", "artefact.injection")
CALIBRATION = tuple(
    f"{name}{end}" for name in ("slope", "intercept") for end in ("", "-low", "-high")
)

# Models judged beside the study's own, in the one external request: so many at most, and no more
# than `_MODELS_BYTES` of weights with the study's own. That is 7 heads (8 x 1.05 MB in all), 7 of
# the last block (8 x 29.4 MB), or 3 whole networks (4 x 59.9 MB).
MOST_COMPARED = 7
_MODELS_BYTES = 256 * 10**6
AUC_FIGURES: Mapping[str, Numbers] = {
    **dict.fromkeys(("auc", "auc-low", "auc-high", "p"), SHARE),
    # The study's own area minus this one's, on the same scans.
    **dict.fromkeys(
        ("difference", "difference-low", "difference-high"),
        Numbers("float", low=-1, high=1, hideable=True, optional=True),
    ),
}
# In a table of calls here each number stands for `compared.rounded-to` possible ones at least.
COMPARED: Mapping[str, Numbers] = {
    f"compared.{place}.{name}": numbers
    for place in range(1, MOST_COMPARED + 1)
    for name, numbers in (
        *AUC_FIGURES.items(),
        *((cell, Numbers("int", hideable=True, optional=True)) for cell in CONFUSION_CELLS),
    )
}
ROUNDED_TO = "compared.rounded-to"
# A finished reader study: what its readers said as a group, arm by arm, and the model on the same
# cases. Nobody's name, no answer and no case is among it.
MAX_READERS = 99
READER_CASES = ("cases.metastasis", "cases.no_metastasis")
READER_ARMS = ("unaided", "aided", "session-1", "session-2")
QUARTILES = ("lower-quartile", "median", "upper-quartile")
ENDS = ("", "-low", "-high")
READER_SPREADS = ("auc", "sensitivity", "specificity", "f1")  # median and quartiles over readers
SINGLE_READERS = ("auc", "sensitivity", "specificity")  # one number a reader, where a site allows
MODEL_FIGURES = ("auc", "sensitivity", "specificity", "f1")
READER_TESTS = ("readers-minus-model", "second-minus-first")  # of the AUC, by Obuchowski-Rockette
AGREEMENTS = ("fleiss-kappa", "krippendorff-alpha")
_SECONDS = Numbers("float", high=1e6, hideable=True, optional=True)
_STATISTIC = Numbers("float", high=1e12, hideable=True, optional=True)
_EACH_READER = Numbers(
    "float", high=1, length=MAX_READERS, at_most=True, hideable=True, optional=True
)
READER_FIGURES: Mapping[str, Numbers] = {
    f"{arm}.{name}": numbers
    for arm in READER_ARMS
    for name, numbers in {
        **{f"{figure}.{part}": SHARE for figure in READER_SPREADS for part in QUARTILES},
        **dict.fromkeys((f"mean-auc{end}" for end in ENDS), FIGURE),
        **{f"{name}{end}": FIGURE for name in AGREEMENTS for end in ENDS},
        **dict.fromkeys((f"seconds.{part}" for part in QUARTILES), _SECONDS),
        "minutes": _SECONDS,
    }.items()
}
EACH_READER: Mapping[str, Numbers] = {
    f"{arm}.each-reader.{figure}": _EACH_READER for arm in READER_ARMS for figure in SINGLE_READERS
}
MODEL_ON_CASES: Mapping[str, Numbers] = {
    f"model.{figure}{end}": SHARE for figure in MODEL_FIGURES for end in ENDS
}
MODEL_SECONDS = ("model.seconds-alone", "model.seconds-in-batch")
READERS_TESTED: Mapping[str, Numbers] = {
    f"{test}{part}": numbers
    for test in READER_TESTS
    for part, numbers in {
        **dict.fromkeys(ENDS, FIGURE),
        ".f": _STATISTIC,
        ".df": _STATISTIC,
        ".p": SHARE,
    }.items()
}

# A name that ends in * stands for names with a refusal code in its place.
REPLY_METRICS: Mapping[MessageType, Mapping[str, Numbers]] = {
    MessageType.DESCRIBE: {
        **dict.fromkeys(COHORT_CELLS, HIDEABLE_COUNT),
        "refused.*": HIDEABLE_COUNT,
        "synthetic": Numbers("int", high=1),
        "min-cell": Numbers("int", low=1, high=1000),
        # How many sets of weights an evaluate site's policy lets its scans judge.
        "external-models": Numbers("int", low=1, high=100, optional=True),
    },
    MessageType.INITIAL: {},
    MessageType.TRAIN: {
        "num-examples": EXAMPLES,
        "loss": LOSS,
        "accuracy": Numbers("float", high=1),
    },
    # Of the round with the best validation; `num-examples`, `loss` and the bins are of that.
    MessageType.LOCAL: {
        "best-round": Numbers("int", low=1, high=10_000),
        "train-examples": EXAMPLES,
        "num-examples": EXAMPLES,
        "loss": LOSS,
        **SCORE_BINS,
    },
    MessageType.EVALUATE: {
        "num-examples": EXAMPLES,
        "loss": LOSS,
        **SCORE_BINS,
    },
    MessageType.EXTERNAL: {
        **dict.fromkeys(CONFUSION_CELLS, HIDEABLE_COUNT),
        **dict.fromkeys(("auc", "auc-low", "auc-high"), HIDEABLE_RATE),
        **SCORE_BINS,
        **dict.fromkeys(("auc-bootstrap-low", "auc-bootstrap-high", "brier"), SHARE),
        **dict.fromkeys(CALIBRATION, FIGURE),
        "overlays": HIDEABLE_COUNT,
        "refused.*": HIDEABLE_COUNT,
        "masks": Numbers("int", hideable=True, optional=True),
        **AGREEMENT,
        **dict.fromkeys(ARTEFACTS, SHARE),
        **SUBGROUP_CELLS,
        **COMPARED,
        ROUNDED_TO: Numbers("int", low=1, high=1000, optional=True),
    },
    MessageType.READERS: {
        "readers": Numbers("int", low=1, high=MAX_READERS),
        "synthetic": Numbers("int", high=1),
        **dict.fromkeys(READER_CASES, HIDEABLE_COUNT),
        **READER_FIGURES,
        **EACH_READER,
        **MODEL_ON_CASES,
        **dict.fromkeys(MODEL_SECONDS, _SECONDS),
        **READERS_TESTED,
    },
    # In whole tenths, and 0 for a phase of few steps: no small count can be told from it.
    MessageType.PROGRESS: {"percent": Numbers("int", high=100)},
    MessageType.FINISH: {},
}

# What a request says besides its round and its arrays.
REQUEST_NUMBERS: Mapping[MessageType, Mapping[str, Numbers]] = {
    # As chosen on validation scans, before those to be judged are seen; else the settings' own.
    MessageType.EXTERNAL: {
        "threshold": Numbers("float", low=1e-6, high=1 - 1e-6, optional=True),
        # One for each model to be compared, each from the model's own validation scans.
        "compared-thresholds": Numbers(
            "float", low=1e-6, high=1 - 1e-6, length=MOST_COMPARED, at_most=True, optional=True
        ),
    },
}

_SHA256 = r"[0-9a-f]{64}"
_DEVICE = r"[A-Za-z0-9 ()@.,+\-]{1,64}"
_VERSION = r"[0-9A-Za-z.+\-]{1,32}"
REPLY_TEXTS: Mapping[MessageType, Mapping[str, str]] = {
    MessageType.DESCRIBE: {
        "backbone-sha256": _SHA256,
        "device": _DEVICE,
        "version.bs-client": _VERSION,
        "version.python": _VERSION,
        "version.keras": _VERSION,
        "version.backend": r"[a-z]+ [0-9A-Za-z.+\-]{1,32}",
        "version.flwr": _VERSION,
    },
    MessageType.INITIAL: {},
    MessageType.TRAIN: {},
    MessageType.LOCAL: {"start-sha256": _SHA256},
    MessageType.EVALUATE: {},
    MessageType.EXTERNAL: {
        "weights-sha256": _SHA256,
        "compared-sha256": rf"({_SHA256}(,{_SHA256}){{0,{MOST_COMPARED - 1}}})?",
    },
    MessageType.READERS: {"model-device": f"({_DEVICE})?"},
    MessageType.PROGRESS: {"phase": "|".join(Phase)},
    MessageType.FINISH: {},
}

REFUSAL_CODE = r"E_[A-Z0-9_]{1,32}"


def request_shapes(message_type: MessageType, settings: StudySettings) -> dict[str, Shape]:
    """Arrays a request carries: the travelling weights, or none."""
    with_model = (MessageType.TRAIN, MessageType.EVALUATE, MessageType.EXTERNAL)
    return array_shapes(settings.trainable) if message_type in with_model else {}


def most_compared(settings: StudySettings) -> int:
    """Models that one external request may carry beside the study's own; 0 if not agreed."""
    parameters = sum(math.prod(shape) for shape in array_shapes(settings.trainable).values())
    fitting = _MODELS_BYTES // (4 * parameters) - 1
    return min(MOST_COMPARED, fitting) if settings.compare_local else 0


def requests_of(role: Role, settings: StudySettings) -> frozenset[MessageType]:
    """Give the requests that a role answers in a study; local models only where agreed on."""
    not_agreed = frozenset() if settings.compare_local else {MessageType.LOCAL}
    return REQUESTS_BY_ROLE[role] - not_agreed


def reply_shapes(message_type: MessageType, settings: StudySettings) -> dict[str, Shape]:
    """Arrays a reply carries: trained weights, or the backbone's trainable part once."""
    if message_type in (MessageType.TRAIN, MessageType.LOCAL):
        return array_shapes(settings.trainable)
    if message_type is MessageType.INITIAL:
        travelling = array_shapes(settings.trainable)
        return {name: shape for name, shape in backbone_shapes().items() if name in travelling}
    return {}
