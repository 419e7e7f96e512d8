"""CLAIM, update of 2024: 44 items on reporting a study of AI in medical imaging.

Tejani et al. 2024, Radiology: Artificial Intelligence 6:e240300. The items are told in our own
short words; the numbers are those of the checklist, which the authors have beside the draft.
"""

from __future__ import annotations

from bs_server.export.checklists import result_facts as results
from bs_server.export.checklists import study_facts as study
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
            lambda s: [*study.used(s), *results.auc(s), *results.rates(s, "tpr", "tnr")],
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
            lambda s: [*study.sites(s), *study.used(s)],
            "Hospitals behind the sites' names, and the dates of their scans.",
        ),
        Item(
            "8",
            _DATA,
            "Criteria of inclusion and exclusion",
            study.refused,
            "Clinical criteria; technical refusals stand here.",
        ),
        Item(
            "9",
            _DATA,
            "Preprocessing",
            lambda s: [
                study.setting(s, "preprocessing", "Counts to [0, 1]", "profile {}"),
                study.setting(s, "view_height", "Rows of a view"),
                study.setting(s, "view_width", "Columns of a view"),
                *study.software(s)[:1],
            ],
        ),
        Item(
            "10",
            _DATA,
            "Choice of subsets",
            study.splits,
            "Whether a hospital offered a part of its scans, and how it chose them.",
        ),
        Item(
            "11",
            _DATA,
            "De-identification",
            study.nothing_left,
            "How scans were de-identified at each hospital, where they were.",
        ),
        Item(
            "12",
            _DATA,
            "Missing data",
            lambda s: [*study.refused(s), *results.not_judged(s)],
        ),
        Item(
            "13",
            _DATA,
            "How images were acquired",
            lambda s: results.scans_by(s, "scanner", "counts"),
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
            results.masks,
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
                study.setting(s, "validation_fraction", "Share kept for validation"),
                study.setting(s, "seed", "Seed"),
                *study.splits(s),
            ],
            "Which hospitals gave the split in their labels file, and how they made it.",
        ),
        Item("20", _PARTITIONS, "Level on which partitions are disjoint", study.disjoint),
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
                study.setting(
                    s,
                    "backbone",
                    "Network",
                    "VGG16 convolutions started from {}, last max pooling, global average pooling, "
                    "512 ReLU units, two classes with softmax",
                ),
                study.setting(s, "trainable", "Trained part"),
                study.setting(s, "view_height", "Rows of a view"),
                study.setting(s, "view_width", "Columns of a view, two views side by side"),
                *study.weights(s),
            ],
        ),
        Item("23", _MODEL, "Software", study.software),
        Item(
            "24",
            _MODEL,
            "How parameters were initialised",
            lambda s: [
                study.setting(s, "backbone", "Convolutions"),
                study.setting(s, "seed", "Dense layers", "drawn from seed {}"),
                *study.backbones(s),
            ],
        ),
        Item(
            "25",
            _TRAINING,
            "How it was trained",
            lambda s: [
                study.setting(s, "rounds", "Federated averaging", "{} rounds"),
                study.setting(s, "local_epochs", "Local epochs a round")
                if s.settings.local_steps is None
                else study.setting(s, "local_steps", "Local steps a round"),
                study.setting(s, "batch_size", "Batch size"),
                study.setting(s, "learning_rate", "Learning rate", "{}, Adam, cross-entropy"),
                study.setting(s, "seed", "Seed"),
            ],
        ),
        Item("26", _TRAINING, "How the final model was chosen", study.choice),
        Item("27", _TRAINING, "Ensembling", study.one_model),
        Item("28", _EVALUATION, "Measures of performance", results.measures),
        Item("29", _EVALUATION, "Measures of uncertainty", study.intervals),
        Item(
            "30",
            _EVALUATION,
            "Robustness",
            results.subgroups,
            "Analyses beside these subgroups, such as other seeds or disturbed images.",
        ),
        Item("31", _EVALUATION, "Explainability", results.agreement),
        Item("32", _EVALUATION, "Evaluation on internal data", study.validation),
        Item(
            "33",
            _EVALUATION,
            "Test on external data",
            lambda s: [*results.external_sites(s), *results.auc(s)],
        ),
        Item("34", _EVALUATION, "Registration", add="Register and number, if it is a trial."),
        Item(
            "35",
            _RESULTS,
            "Numbers included and excluded",
            lambda s: [*study.used(s), *study.refused(s), *study.splits(s), *results.not_judged(s)],
        ),
        Item(
            "36",
            _RESULTS,
            "Characteristics of each partition",
            lambda s: [*study.splits(s), *results.scans_by(s, "sex", "age")],
            "Age, sex and primary tumour over all sites.",
        ),
        Item(
            "37",
            _RESULTS,
            "Performance with uncertainty",
            lambda s: [*results.auc(s), *results.rates(s)],
        ),
        Item(
            "38",
            _RESULTS,
            "Diagnostic performance and its precision",
            lambda s: [*results.confusion(s), *results.rates(s, "tpr", "tnr", "ppv", "npv")],
        ),
        Item(
            "39",
            _RESULTS,
            "Analysis of wrong cases",
            results.confusion,
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
            lambda s: [study.settings_digest(s)],
            "Where the protocol, and study.toml with it, can be read.",
        ),
        Item(
            "43",
            _OTHER,
            "Availability of software, model and data",
            lambda s: [*study.software(s)[:1], *study.weights(s)],
            "Where they can be had, and on which terms.",
        ),
        Item("44", _OTHER, "Funding and the funders' part", add="Sources and their role."),
    ),
)
