"""What a site agrees to when it joins: what is computed, what leaves, how often, and for whom.

Both sides derive the same text from the invitation. Its SHA-256 is what a site approves, writes
into its enrolment, and what the coordinator finds there. Read out by telephone, it vouches for the
whole invitation: address, certificate authority, release key, role and every setting are in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from bs_common.architecture import Trainable, parameter_count
from bs_common.contract import (
    AGREEMENT,
    ARTEFACTS,
    CALIBRATION,
    COMPARED,
    CONTRACT_VERSION,
    EACH_READER,
    MODEL_ON_CASES,
    MODEL_SECONDS,
    READER_CASES,
    READER_FIGURES,
    READERS_TESTED,
    REPLY_METRICS,
    REPLY_TEXTS,
    ROUNDED_TO,
    SUBGROUP_CELLS,
    MessageType,
    reply_shapes,
    requests_of,
)
from bs_common.joining import Invitation, certificate_sha256
from bs_common.settings import Role, StudySettings
from bs_common.signing import read_release_public_pem, release_fingerprint

# When each message is answered, and what each of its entries is, in a reviewer's words. An entry
# without words is named as the contract names it.
OCCASIONS: dict[MessageType, str] = {
    MessageType.DESCRIBE: "when the study starts or goes on",
    MessageType.INITIAL: "once, from one training site",
    MessageType.TRAIN: "after training in each round",
    MessageType.LOCAL: "once, if this site's policy says release_local = true",
    MessageType.EVALUATE: "after validation in each round",
    MessageType.EXTERNAL: "once, after the finished model was judged",
    MessageType.READERS: "once, when all physicians of a reader study here have finished",
    MessageType.PROGRESS: "while the site works on a request, about once a minute",
    MessageType.FINISH: "when the study is over",
}
WORDS: dict[str, str] = {
    "train.metastasis": "numbers of scans by class and split",
    "train.no_metastasis": "numbers of scans by class and split",
    "validation.metastasis": "numbers of scans by class and split",
    "validation.no_metastasis": "numbers of scans by class and split",
    "external.metastasis": "numbers of scans by class and split",
    "external.no_metastasis": "numbers of scans by class and split",
    "refused.*": "numbers of unusable scans by reason",
    "synthetic": "whether the scans were made by a computer program",
    "min-cell": "the smallest count that this site shows",
    "external-models": "how many sets of weights this site judges",
    "best-round": "which round of training here alone was best",
    "train-examples": "the number of scans shown to the network",
    "num-examples": "the number of scans shown to the network",
    "loss": "the mean loss",
    "accuracy": "the mean accuracy",
    "histogram.metastasis": "how many scans of each class fall into each range of the score",
    "histogram.no_metastasis": "how many scans of each class fall into each range of the score",
    "tp": "the four counts of right and wrong calls",
    "fn": "the four counts of right and wrong calls",
    "tn": "the four counts of right and wrong calls",
    "fp": "the four counts of right and wrong calls",
    "auc": "the area under the ROC curve with its interval",
    "auc-low": "the area under the ROC curve with its interval",
    "auc-high": "the area under the ROC curve with its interval",
    "histogram.edges": "how many scans of each class fall into each range of the score",
    "auc-bootstrap-low": "the area under the ROC curve with its interval",
    "auc-bootstrap-high": "the area under the ROC curve with its interval",
    "brier": "how well the probabilities fit (Brier score, slope, intercept)",
    **dict.fromkeys(CALIBRATION, "how well the probabilities fit (Brier score, slope, intercept)"),
    **dict.fromkeys(SUBGROUP_CELLS, "the four counts again by scanner, counts, lesions, sex, age"),
    **dict.fromkeys(
        (*COMPARED, ROUNDED_TO),
        "of each model compared: the area under the ROC curve, its difference from the study's, "
        "and the four counts, coarse by min_cell",
    ),
    "masks": "how many scans have lesions drawn, and how well the maps agree with them",
    **dict.fromkeys(
        AGREEMENT, "how many scans have lesions drawn, and how well the maps agree with them"
    ),
    **dict.fromkeys(ARTEFACTS, "what share of the maps lies outside the body or on urine"),
    "overlays": "the number of pictures drawn (the pictures stay)",
    "readers": "how many physicians read how many scans of each class",
    **dict.fromkeys(READER_CASES, "how many physicians read how many scans of each class"),
    **dict.fromkeys(
        READER_FIGURES,
        "how well, how fast and how much of one mind the readers were (medians, quartiles, means)",
    ),
    **dict.fromkeys(
        EACH_READER, "each reader's figures without a name, where the site's policy allows it"
    ),
    **dict.fromkeys(MODEL_ON_CASES, "how well the model did on the same scans, and its speed"),
    **dict.fromkeys(MODEL_SECONDS, "how well the model did on the same scans, and its speed"),
    "model-device": "how well the model did on the same scans, and its speed",
    **dict.fromkeys(READERS_TESTED, "the readers' AUC minus the model's, tested"),
    "percent": "how far the work in hand is, in tenths, and its kind",
    "phase": "how far the work in hand is, in tenths, and its kind",
    "backbone-sha256": "a checksum of the starting weights",
    "device": "the kind of processor",
    "version.bs-client": "versions of the software",
    "version.python": "versions of the software",
    "version.keras": "versions of the software",
    "version.backend": "versions of the software",
    "version.flwr": "versions of the software",
    "start-sha256": "a checksum of the starting weights",
    "weights-sha256": "a checksum of the judged weights",
    "compared-sha256": "a checksum of the judged weights",
}
_ROLES: dict[Role, str] = {
    "train": "train: trains and validates the model on its own scans in every round",
    "evaluate": "evaluate: judges the finished model on its own scans, and never trains",
}
_SCOPES: dict[Trainable, str] = {
    "head": "the last two layers",
    "block5": "the last convolution block and the last two layers",
    "all": "the whole network",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """One heading of the terms and what stands under it."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A heading under which two terms differ; None where one of them does not have it."""

    heading: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The clauses in order; no two have the same heading."""

    clauses: tuple[Clause, ...]

    def text(self) -> str:
        """Give the canonical text: one line a clause, in ASCII as far as settings go."""
        return "".join(f"{clause.heading}: {clause.text}\n" for clause in self.clauses)

    def digest(self) -> str:
        """Give the SHA-256 of the text in UTF-8, in hex: what is approved."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def changes_to(self, other: Terms) -> tuple[Change, ...]:
        """Name every heading whose text is another in `other`, in the order of `other`."""
        before = {clause.heading: clause.text for clause in self.clauses}
        after = {clause.heading: clause.text for clause in other.clauses}
        return tuple(
            Change(heading, before.get(heading), after.get(heading))
            for heading in {**after, **before}
            if before.get(heading) != after.get(heading)
        )


def terms_of(invitation: Invitation) -> Terms:
    """Derive the terms; raises TrustError or ValueError if a key or certificate is unreadable."""
    settings, role = invitation.settings, invitation.role
    coordinator = invitation.coordinator
    release = invitation.release_key
    return Terms(
        (
            Clause("Study", settings.name),
            Clause("Coordinator", f"{coordinator.name} ({coordinator.contact})"),
            Clause("Site", invitation.site),
            Clause("Role", _ROLES[role]),
            Clause("Computed here", _computed(settings, role)),
            Clause("Rounds", _rounds(settings, role)),
            *_leaving(settings, role),
            Clause(
                "Never leaves",
                "scans, labels, masks, names and numbers of patients, scores of single scans, "
                "pictures, names, single answers and comments of readers, texts of errors, "
                "the private key",
            ),
            Clause(
                "Small counts",
                "hidden below the site's own min_cell"
                + (f", at least {settings.min_cell}" if settings.min_cell > 1 else ""),
            ),
            Clause("Address", invitation.address),
            Clause("Certificate authority", certificate_sha256(invitation.ca_certificate)),
            Clause(
                "Key of released models",
                release_fingerprint(read_release_public_pem(release)) if release else "none",
            ),
            Clause("Contract version", str(CONTRACT_VERSION)),
            *(
                Clause(f"Setting {name}", json.dumps(value))
                for name, value in settings.model_dump(mode="json").items()
            ),
        )
    )


def _computed(settings: StudySettings, role: Role) -> str:
    views = f"both views at {settings.view_height} x {settings.view_width} pixels"
    if role == "evaluate":
        beside = (
            "; so do models of single training sites, if policy external_models allows as many"
            if settings.compare_local
            else ""
        )
        return (
            f"a VGG16 network judges {views}{beside}; maps of what it saw are drawn and stay here"
        )
    scope = _SCOPES[settings.trainable]
    weights = f"{parameter_count(settings.trainable):,} weights"
    alone = (
        "; if policy release_local allows it, once more from this site's scans alone"
        if settings.compare_local
        else ""
    )
    return f"a VGG16 network is trained on {views}: {scope} ({weights}){alone}"


def _rounds(settings: StudySettings, role: Role) -> str:
    if role == "evaluate":
        return "none; one evaluation at the end"
    if settings.local_steps is not None:
        return f"{settings.rounds}, each with {settings.local_steps} steps"
    return f"{settings.rounds}, each with {settings.local_epochs} passes over the training scans"


def contents_of(kind: MessageType, settings: StudySettings) -> str:
    """Say what an answer of a kind holds, in a reviewer's words."""
    said = dict.fromkeys(_entries(kind, settings))
    return "; ".join(said) or "a confirmation, nothing else"


def _leaving(settings: StudySettings, role: Role) -> Iterator[Clause]:
    for kind in MessageType:
        if kind in requests_of(role, settings) and (
            kind is not MessageType.INITIAL or _starts(settings)
        ):
            occasion = OCCASIONS.get(kind, f"when asked for {kind.value}")
            yield Clause(f"Leaves {occasion}", contents_of(kind, settings))


def _starts(settings: StudySettings) -> bool:
    """Tell whether the backbone's trainable part is asked for at all."""
    return bool(reply_shapes(MessageType.INITIAL, settings))


def _entries(kind: MessageType, settings: StudySettings) -> Iterator[str]:
    if reply_shapes(kind, settings):
        size = 4 * parameter_count(settings.trainable) / 1e6
        yield {
            MessageType.TRAIN: f"the trained weights ({size:.2f} MB)",
            MessageType.LOCAL: f"weights trained on this site's scans alone ({size:.2f} MB), "
            "which the evaluating sites judge too",
        }.get(kind, "the published starting weights")
    for name in (*REPLY_METRICS[kind], *REPLY_TEXTS[kind]):
        if settings.compare_local or not name.startswith("compared"):
            yield WORDS.get(name, name)
