"""STARD 2015: 30 items on reporting a study of diagnostic accuracy, four of them in two parts.

Bossuyt et al. 2015, BMJ 351:h5527. The items are told in our own short words; the numbers are
those of the checklist, which the authors have beside the draft.
"""

from __future__ import annotations

from bs_server.export.checklists import result_facts as results
from bs_server.export.checklists import study_facts as study
from bs_server.export.checklists.items import Checklist, Item

_TITLE, _INTRODUCTION, _METHODS = "Title and abstract", "Introduction", "Methods"
_RESULTS, _DISCUSSION, _OTHER = "Results", "Discussion", "Other information"

STARD = Checklist(
    name="STARD-2015",
    title="STARD 2015, draft",
    source="Bossuyt PM et al., STARD 2015, BMJ 2015;351:h5527; stard-statement.org",
    items=(
        Item(
            "1",
            _TITLE,
            "Says that it studies diagnostic accuracy and names a measure of it",
            results.auc,
            "The title; the measure stands here.",
        ),
        Item(
            "2",
            _TITLE,
            "Structured abstract",
            lambda s: [*study.used(s), *results.auc(s), *results.rates(s, "tpr", "tnr")],
            "The abstract (STARD for Abstracts); its figures stand here.",
        ),
        Item(
            "3",
            _INTRODUCTION,
            "Background, intended use and clinical role of the index test",
            add="Whether the model triages, adds to or replaces a reading, and for whom.",
        ),
        Item("4", _INTRODUCTION, "Objectives and hypotheses", add="The study's question."),
        Item(
            "5",
            _METHODS,
            "Data collected before or after both tests were done",
            add="Prospective or retrospective, at each hospital.",
        ),
        Item(
            "6",
            _METHODS,
            "Eligibility criteria",
            study.refused,
            "Clinical criteria of inclusion and exclusion; technical refusals stand here.",
        ),
        Item(
            "7",
            _METHODS,
            "How eligible patients were found",
            add="Symptoms, earlier tests or a register, at each hospital.",
        ),
        Item(
            "8",
            _METHODS,
            "Where and when",
            study.sites,
            "Setting, place and dates of the scans of each site.",
        ),
        Item(
            "9",
            _METHODS,
            "Consecutive, random or convenience series",
            add="How each hospital chose its scans.",
        ),
        Item(
            "10a",
            _METHODS,
            "Index test, so that it can be repeated",
            lambda s: [
                study.setting(s, "backbone", "Network", "VGG16 started from {}"),
                study.setting(s, "trainable", "Trained part"),
                study.setting(s, "preprocessing", "Preprocessing"),
                study.setting(s, "view_height", "Rows of a view"),
                study.setting(s, "view_width", "Columns of a view"),
                *study.weights(s),
                *study.software(s),
            ],
            "How the scans were acquired: tracer, activity, time after injection, camera.",
        ),
        Item(
            "10b",
            _METHODS,
            "Reference standard, so that it can be repeated",
            add="How each hospital decided on metastasis or none.",
        ),
        Item("11", _METHODS, "Why this reference standard", add="The reason for the choice."),
        Item(
            "12a",
            _METHODS,
            "Cut-off of the index test, fixed before or explored",
            study.threshold,
            "Why this rule suits the intended use.",
        ),
        Item(
            "12b",
            _METHODS,
            "Categories of the reference standard",
            add="What counted as metastasis; benign disease counts as none here.",
        ),
        Item(
            "13a",
            _METHODS,
            "What was known to those who did the index test",
            add="The model gets two count images and nothing else; say so, and what readers knew.",
        ),
        Item(
            "13b",
            _METHODS,
            "What was known to those who set the reference standard",
            add="Whether they knew the scans' reports or a model's result.",
        ),
        Item("14", _METHODS, "Methods for estimating accuracy", study.intervals),
        Item(
            "15",
            _METHODS,
            "How unclear results were handled",
            study.threshold,
            "How unclear reference results were handled; the model itself calls every scan.",
        ),
        Item(
            "16",
            _METHODS,
            "How missing data were handled",
            lambda s: [*study.refused(s), *results.not_judged(s)],
        ),
        Item(
            "17",
            _METHODS,
            "Analyses of variability, planned or explored",
            results.subgroups,
            "Analyses beside these; the subgroups here were fixed before the study began.",
        ),
        Item(
            "18", _METHODS, "Intended sample size and why", add="The calculation, or that none was."
        ),
        Item(
            "19",
            _RESULTS,
            "Flow of participants, with a diagram",
            lambda s: [*study.flow(s), *study.refused(s), *study.splits(s), *results.not_judged(s)],
        ),
        Item(
            "20",
            _RESULTS,
            "Demographic and clinical characteristics",
            lambda s: [*study.splits(s), *results.scans_by(s, "sex", "age")],
            "Age, sex and primary tumour over all sites.",
        ),
        Item(
            "21a",
            _RESULTS,
            "Severity among those with the disease",
            lambda s: results.scans_by(s, "lesions"),
            "Extent of disease beyond the number of lesions, and of the training sites.",
        ),
        Item(
            "21b",
            _RESULTS,
            "Other diagnoses among those without it",
            add="Benign disease among the scans without metastasis.",
        ),
        Item(
            "22",
            _RESULTS,
            "Time and treatment between both tests",
            add="The interval between scan and reference standard.",
        ),
        Item("23", _RESULTS, "Index test against reference standard", results.confusion),
        Item(
            "24",
            _RESULTS,
            "Accuracy with its precision",
            lambda s: [*results.auc(s), *results.rates(s)],
        ),
        Item("25", _RESULTS, "Adverse events", add="Of the scan or the reference standard."),
        Item(
            "26",
            _DISCUSSION,
            "Limitations",
            add="Bias, uncertainty, how far it holds elsewhere; the report's differences from the "
            "paper's profile and its hidden cells belong here.",
        ),
        Item("27", _DISCUSSION, "What it means for practice", add="Use and role of the model."),
        Item("28", _OTHER, "Registration", add="Register and number."),
        Item(
            "29",
            _OTHER,
            "Where the full protocol is",
            lambda s: [study.settings_digest(s)],
            "Where the protocol, and study.toml with it, can be read.",
        ),
        Item("30", _OTHER, "Funding and the funders' part", add="Sources and their role."),
    ),
)
