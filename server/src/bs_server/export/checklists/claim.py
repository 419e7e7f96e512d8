"""CLAIM, update of 2024: 44 items on reporting a study of AI in medical imaging.

Tejani et al. 2024, Radiology: Artificial Intelligence 6:e240300. The items are told in our own
short words; the numbers are those of the checklist, which the authors have beside the draft.
"""

from __future__ import annotations

from bs_server.export.checklists import facts
from bs_server.export.checklists.items import Checklist, Item

_TITLE, _INTRODUCTION, _DESIGN = "Title and abstract", "Introduction", "Study design"
_DATA, _REFERENCE, _PARTITIONS = "Data", "Reference standard", "Data partitions"
_MODEL, _TRAINING, _EVALUATION = "Model", "Training", "Evaluation"
_RESULTS, _DISCUSSION, _OTHER = "Results", "Discussion", "Other information"

CLAIM = Checklist(
    name="CLAIM-2024",
    title="CLAIM, update of 2024, draft",
    source="Tejani AS et al., CLAIM: 2024 Update, Radiol Artif Intell 2024;6(4):e240300",
    items=(
        Item(
            "1",
            _TITLE,
            "Says that it is a study of AI, and of which kind",
            add="The title: deep learning, federated between hospitals.",
        ),
        Item(
            "2",
            _TITLE,
            "Structured abstract",
            lambda s: [*facts.used(s), *facts.auc(s), *facts.rates(s, "tpr", "tnr")],
            "The abstract; its figures stand here.",
        ),
        Item(
            "3",
            _INTRODUCTION,
            "Background, intended use and role of the AI",
            add="Whether the model triages, adds to or replaces a reading, and for whom.",
        ),
        Item("4", _INTRODUCTION, "Aims and hypotheses", add="The study's question."),
        Item("5", _DESIGN, "Prospective or retrospective", add="At each hospital."),
        Item("6", _DESIGN, "Goal of the study", add="Feasibility, model building, comparison."),
        Item(
            "7",
            _DATA,
            "Sources of the data",
            lambda s: [*facts.sites(s), *facts.used(s)],
            "Hospitals behind the sites' names, and the dates of their scans.",
        ),
        Item(
            "8",
            _DATA,
            "Criteria of inclusion and exclusion",
            facts.refused,
            "Clinical criteria; technical refusals stand here.",
        ),
        Item(
            "9",
            _DATA,
            "Preprocessing",
            lambda s: [
                facts.setting(s, "preprocessing", "Counts to [0, 1]", "profile {}"),
                facts.setting(s, "view_height", "Rows of a view"),
                facts.setting(s, "view_width", "Columns of a view"),
                *facts.software(s)[:1],
            ],
        ),
        Item(
            "10",
            _DATA,
            "Choice of subsets",
            facts.splits,
            "Whether a hospital offered a part of its scans, and how it chose them.",
        ),
        Item(
            "11",
            _DATA,
            "De-identification",
            facts.nothing_left,
            "How scans were de-identified at each hospital, where they were.",
        ),
        Item(
            "12",
            _DATA,
            "Missing data",
            lambda s: [*facts.refused(s), *facts.not_judged(s)],
        ),
        Item(
            "13",
            _DATA,
            "How images were acquired",
            lambda s: facts.scans_by(s, "scanner", "counts"),
            "Tracer, activity, time after injection, speed and collimator, at each hospital.",
        ),
        Item(
            "14",
            _REFERENCE,
            "How the reference standard was obtained",
            add="How each hospital decided on metastasis or none.",
        ),
        Item("15", _REFERENCE, "Why this reference standard", add="The reason for the choice."),
        Item(
            "16",
            _REFERENCE,
            "Who set it",
            add="Number, qualification and training of those who labelled.",
        ),
        Item(
            "17",
            _REFERENCE,
            "Annotation of the test set",
            facts.masks,
            "Who drew and labelled at the evaluate site, with which tool.",
        ),
        Item(
            "18",
            _REFERENCE,
            "Agreement between and within those who labelled",
            add="If measured; bs-client reader-study gives such figures.",
        ),
        Item(
            "19",
            _PARTITIONS,
            "How scans were assigned to partitions",
            lambda s: [
                facts.setting(s, "validation_fraction", "Share kept for validation"),
                facts.setting(s, "seed", "Seed"),
                *facts.splits(s),
            ],
            "Which hospitals gave the split in their labels file, and how they made it.",
        ),
        Item("20", _PARTITIONS, "Level on which partitions are disjoint", facts.disjoint),
        Item(
            "21",
            _PARTITIONS,
            "Intended sample size",
            add="The calculation, or that there was none.",
        ),
        Item(
            "22",
            _MODEL,
            "The model in detail",
            lambda s: [
                facts.setting(
                    s,
                    "backbone",
                    "Network",
                    "VGG16 convolutions started from {}, last max pooling, global average pooling, "
                    "512 ReLU units, two classes with softmax",
                ),
                facts.setting(s, "trainable", "Trained part"),
                facts.setting(s, "view_height", "Rows of a view"),
                facts.setting(s, "view_width", "Columns of a view, two views side by side"),
                *facts.weights(s),
            ],
        ),
        Item("23", _MODEL, "Software", facts.software),
        Item(
            "24",
            _MODEL,
            "How parameters were initialised",
            lambda s: [
                facts.setting(s, "backbone", "Convolutions"),
                facts.setting(s, "seed", "Dense layers", "drawn from seed {}"),
                *facts.backbones(s),
            ],
        ),
        Item(
            "25",
            _TRAINING,
            "How it was trained",
            lambda s: [
                facts.setting(s, "rounds", "Federated averaging", "{} rounds"),
                facts.setting(s, "local_epochs", "Local epochs a round")
                if s.settings.local_steps is None
                else facts.setting(s, "local_steps", "Local steps a round"),
                facts.setting(s, "batch_size", "Batch size"),
                facts.setting(s, "learning_rate", "Learning rate", "{}, Adam, cross-entropy"),
                facts.setting(s, "seed", "Seed"),
            ],
        ),
        Item("26", _TRAINING, "How the final model was chosen", facts.choice),
        Item("27", _TRAINING, "Ensembling", facts.one_model),
        Item("28", _EVALUATION, "Measures of performance", facts.measures),
        Item("29", _EVALUATION, "Measures of uncertainty", facts.intervals),
        Item(
            "30",
            _EVALUATION,
            "Robustness",
            facts.subgroups,
            "Analyses beside these subgroups, such as other seeds or disturbed images.",
        ),
        Item("31", _EVALUATION, "Explainability", facts.agreement),
        Item("32", _EVALUATION, "Evaluation on internal data", facts.validation),
        Item(
            "33",
            _EVALUATION,
            "Test on external data",
            lambda s: [*facts.external_sites(s), *facts.auc(s)],
        ),
        Item("34", _EVALUATION, "Registration", add="Register and number, if it is a trial."),
        Item(
            "35",
            _RESULTS,
            "Numbers included and excluded",
            lambda s: [*facts.used(s), *facts.refused(s), *facts.splits(s), *facts.not_judged(s)],
        ),
        Item(
            "36",
            _RESULTS,
            "Characteristics of each partition",
            lambda s: [*facts.splits(s), *facts.scans_by(s, "sex", "age")],
            "Age, sex and primary tumour over all sites.",
        ),
        Item(
            "37",
            _RESULTS,
            "Performance with uncertainty",
            lambda s: [*facts.auc(s), *facts.rates(s)],
        ),
        Item(
            "38",
            _RESULTS,
            "Diagnostic performance and its precision",
            lambda s: [*facts.confusion(s), *facts.rates(s, "tpr", "tnr", "ppv", "npv")],
        ),
        Item(
            "39",
            _RESULTS,
            "Analysis of wrong cases",
            facts.confusion,
            "What the wrong cases have in common; the evaluate site's own page shows them.",
        ),
        Item(
            "40",
            _DISCUSSION,
            "Limitations",
            add="Bias, uncertainty, how far it holds elsewhere; the report's differences from the "
            "paper's profile and its hidden cells belong here.",
        ),
        Item("41", _DISCUSSION, "What it means for practice", add="Use and role of the model."),
        Item(
            "42",
            _OTHER,
            "Full protocol and technical details",
            lambda s: [facts.settings_digest(s)],
            "Where the protocol, and study.toml with it, can be read.",
        ),
        Item(
            "43",
            _OTHER,
            "Availability of software, model and data",
            lambda s: [*facts.software(s)[:1], *facts.weights(s)],
            "Where they can be had, and on which terms.",
        ),
        Item("44", _OTHER, "Funding and the funders' part", add="Sources and their role."),
    ),
)
