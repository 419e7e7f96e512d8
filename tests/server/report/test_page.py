from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bs_server.report import render_report
from bs_server.report.privacy import message_rows
from bs_server.results.summary import Refusal, Summary
from support.page_text import PageText

Changed = Callable[..., Summary]
BANNER = "Synthetic scans: no clinical claim"


@pytest.fixture(scope="module")
def text(page: str) -> str:
    """What a reader of that report reads."""
    return PageText(page).text


def _row(page: str, *start: str) -> list[str]:
    return PageText(page).row(*start)


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    for reference in ("http:", "https:", "src=", "//", "@import", "<link", "<script", "<img"):
        assert reference not in page
    assert set(re.findall(r"url\(.", page)) <= {"url(#"}
    assert set(re.findall(r'href="(.)', page)) <= {"#"}


def test_the_page_forbids_itself_to_load_or_run_anything(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy.group(1)
    assert "script" not in policy.group(1)


def test_every_element_that_opens_is_closed_in_order(page: str) -> None:
    assert PageText(page).open == []


def test_the_same_summary_gives_the_same_page(summary: Summary, page: str) -> None:
    assert render_report(summary) == page


def test_no_two_elements_of_the_page_share_an_id(page: str) -> None:
    # A figure whose clip path carries another's id would be cut by the wrong frame.
    named = re.findall(r' id="([^"]*)"', page)

    assert len(named) > 100
    assert len(named) == len(set(named))


def test_every_reference_within_a_figure_finds_its_target(page: str) -> None:
    named = set(re.findall(r' id="([^"]*)"', page))

    used = set(re.findall(r'(?:href="#|url\(#)([^")]*)', page))

    assert used
    assert used <= named


@pytest.mark.parametrize(
    "number",
    [
        *("235", "668", "903", "57", "94", "206", "329", "874", "1203", "411", "587", "998"),
        *("0.5021 ± 0.0082", "0.7713 ± 0.0082", "0.8329 ± 0.0082", "0.9817", "0.6125", "0.4471"),
        *("162", "83.3", "471", "0.3141", "87.65 %"),
        *("0.896", "0.877-0.916", "82.24 %", "17.76 %", "80.41 %", "19.59 %", "74.61 %"),
        *("86.61 %", "81.16 %", "0.782", "78.25-85.63 %", "77.00-83.42 %", "78.62-83.47 %"),
        *("0.000-0.250", "499", "51", "10.22 %", "498", "360", "72.29 %"),
        *("E_VIEW", "17", "1021", "90210", "1.41.0", "0.1.7", "3.15.0", "GPU of aalborg"),
        *("2026-03-01 08:00 UTC", "2026-03-01 09:31 UTC", "min_cell = 1", "DeLong"),
        *("0" * 64, "1" * 64, "2" * 64, "a" * 64, "b" * 64),
    ],
)
def test_every_figure_of_the_summary_stands_in_the_text(text: str, number: str) -> None:
    assert re.search(rf"(?<![\w.]){re.escape(number)}(?![\w])", text)


def test_the_confusion_matrix_is_spoken_with_its_counts(page: str) -> None:
    spoken = page.replace("\N{NO-BREAK SPACE}", " ")

    for cell in ("TP 338, TPR 82.24 %", "FN 73, FNR 17.76 %", "FP 115", "TN 472, TNR 80.41 %"):
        assert cell in spoken


def test_every_figure_says_in_words_what_it_shows(page: str) -> None:
    # Two of the flow, the rounds, ROC, confusion and reliability.
    assert page.count("<svg") == 6
    assert len(re.findall(r'<svg role="img" aria-label="[^"]{20,}"', page)) == 6


def test_the_chosen_round_is_named_in_its_row(page: str) -> None:
    assert _row(page, "2 (chosen)")[1] == "0.8329 ± 0.0082"
    assert page.count('<tr class="best">') == 1


def test_a_refused_update_is_shown_with_its_reason(page: str) -> None:
    row = _row(page, "1")

    assert "1 accepted" in row[5]
    assert "refused: aalborg: not_finite" in row[5]


def test_who_was_missing_and_what_was_mended_is_shown(changed: Changed, summary: Summary) -> None:
    entry = summary.rounds[1]
    sites = [entry.sites[0], entry.sites[1].model_copy(update={"verdict": "away"})]
    refusal = Refusal(name="aachen", message="train", attempt=1, reason="internal")
    round_ = entry.model_copy(
        update={"sites": sites, "refusals": [refusal], "not_validated": {"aalborg": "deadline"}}
    )

    row = _row(render_report(changed(rounds=[summary.rounds[0], round_, *summary.rounds[2:]])), "1")

    assert "1 accepted" in row[5]
    assert "missing: aalborg: away" in row[5]
    assert "refused: aachen: internal (attempt 1, then accepted)" in row[5]
    assert "validated without aalborg: deadline" in row[5]


def test_what_happened_on_the_way_is_told(changed: Changed) -> None:
    page = render_report(
        changed(
            notes=["2026-03-01T08:00:00+00:00: round 2 was damaged & computed again"],
            absent=["bonn"],
            outcome="waiting_for_external",
            external=None,
        )
    )

    assert "round 2 was damaged &amp; computed again" in page
    assert "never connected: bonn" in page
    assert "external evaluation has not come yet" in page


def test_the_published_values_stand_beside_real_ones_as_other_data(page: str) -> None:
    assert _row(page, "Figure")[3] == "Published, other data"
    assert _row(page, "True negative rate (specificity)")[3] == "80.45 %"


def test_no_published_value_stands_in_a_synthetic_report(changed: Changed) -> None:
    text = PageText(render_report(changed(synthetic=True))).text

    assert "Published" not in text
    assert "80.45 %" not in text


def test_a_synthetic_report_says_so_at_its_head_and_at_every_figure(changed: Changed) -> None:
    page = render_report(changed(synthetic=True))

    assert BANNER in PageText(page).text
    assert page.count("Synthetic scans.</figcaption>") == page.count("<figcaption>")
    # The banner is a header group, which browsers print again on every page.
    assert re.search(r"\.banner \{ display: table-header-group; break-inside: avoid", page)


def test_a_report_of_real_scans_does_not_say_synthetic(text: str) -> None:
    assert "synthetic" not in text.lower()


def test_a_backbone_drawn_at_random_is_said_with_the_result(changed: Changed) -> None:
    drawn = changed().settings.model_copy(update={"backbone": "random:7"})

    text = PageText(render_report(changed(settings=drawn.model_dump()))).text

    assert "started from random numbers, not from ImageNet" in text


def test_markup_in_what_a_site_says_is_shown_as_text(summary: Summary) -> None:
    evil = "<script>alert('$1')</script>"
    fields = summary.model_dump()
    fields["sites"][1] |= {"name": evil, "device": evil, "versions": {evil: evil}}
    fields["sites"][1]["refused"] = {evil: 9}
    fields["differences"] = [evil]
    for entry in fields["rounds"][1:]:
        entry["sites"][1] |= {"name": evil, "verdict": evil, "loss": 0.5}
    fields["external"] |= {"site": evil, "auc_method": evil}
    fields["audit"]["traffic"][0] |= {"site": evil, "kind": evil}
    fields["audit"]["refused_requests"] = {evil: 1}

    page = render_report(Summary.model_validate(fields))

    assert "<script" not in page
    assert "script" not in PageText(page).tags
    assert evil in PageText(page).text


def test_a_small_count_is_hidden_and_its_sums_with_it(summary: Summary) -> None:
    fields = summary.model_dump()
    fields["sites"][1]["cohort"][1] |= {"metastasis": None, "no_metastasis": None}
    fields["sites"][1]["hidden"] = {
        "validation.metastasis": "small_cell",
        "validation.no_metastasis": "complementary",
        "refused.E_FRAMES": "small_cell",
    }

    page = render_report(Summary.model_validate(fields))

    hidden = ["hidden (fewer than 5)", "hidden (complementary)", "not shown"]
    assert _row(page, "aalborg", "validation")[2:] == hidden
    assert _row(page, "All sites", "validation")[2:] == ["not shown"] * 3
    assert _row(page, "aalborg", "train", "not shown")[3] == "E_FRAMES: hidden (fewer than 5)"
    assert "Hidden cells are not zero" in page


@pytest.mark.parametrize(
    ("refused", "hidden", "said"),
    [
        ({"E_VANISHED": 7}, {}, "Described before and not judged: 7 (E_VANISHED)."),
        (
            {},
            {"refused.E_VANISHED": "small_cell"},
            "Described before and not judged: hidden (fewer than 5) (E_VANISHED).",
        ),
    ],
)
def test_scans_that_could_not_be_judged_are_told(
    summary: Summary, refused: dict[str, int], hidden: dict[str, str], said: str
) -> None:
    fields = summary.model_dump()
    fields["external"] |= {"refused": refused, "hidden": hidden}

    assert said in PageText(render_report(Summary.model_validate(fields))).text


def test_a_hidden_external_cell_is_never_a_zero(summary: Summary) -> None:
    fields = summary.model_dump()
    fields["external"] |= {"auc": None, "auc_ci": None, "tp": None, "fn": None, "roc": None}
    fields["external"]["rates"]["tpr"] = {"value": None, "low": None, "high": None}
    del fields["external"]["rates"]["fnr"]
    names = ("auc", "auc_ci", "tp", "fn", "roc", "rates.tpr", "rates.fnr")
    fields["external"]["hidden"] = dict.fromkeys(names, "small_cell")

    page = render_report(Summary.model_validate(fields)).replace("\N{NO-BREAK SPACE}", " ")

    assert "TP hidden (fewer than 5), TPR hidden (small count); FN hidden (fewer than 5)" in page
    assert _row(page, "True positive rate (sensitivity)")[1:3] == ["hidden (small count)", "-"]
    assert _row(page, "False negative rate")[1] == "hidden (small count)"
    assert "is not shown: hidden (small_cell); AUC hidden (small count)." in page
    assert "the AUC of round 2 is not shown" in page
    assert page.count("<svg") == 5  # no ROC curve


def test_rounds_without_pooled_auc_show_the_loss_alone(summary: Summary) -> None:
    fields = summary.model_dump()
    for entry in fields["rounds"]:
        entry |= {"pooled_auc": None, "pooled_auc_bound": None}
        entry["hidden"] = {"pooled_auc": "small_cell"}

    page = render_report(Summary.model_validate(fields | {"chosen_by": "validation_loss"}))

    assert _row(page, "2 (chosen)")[1:3] == ["hidden (small count)", "0.4471"]
    assert "the lowest pooled validation loss" in PageText(page).text


def test_a_study_without_an_external_answer_claims_no_result(changed: Changed) -> None:
    page = render_report(changed(external=None))

    text = PageText(page).text
    assert "No external result: no evaluate site has answered" in text
    assert "round 2 was best (pooled AUC 0.8329 ± 0.0082, loss 0.4471)" in text
    assert "asked once" not in text
    assert page.count("<svg") == 3  # flow and rounds


def test_a_study_that_never_trained_still_has_a_report(changed: Changed) -> None:
    empty = changed(rounds=[], best_round=None, weights_sha256=None, external=None, audit=None)

    text = PageText(render_report(empty)).text

    assert "the study has no result" in text
    assert "there is no figure" in text
    assert "No site has replied" in text


def test_what_left_is_told_in_the_words_of_the_terms_for_every_kind_of_message(
    summary: Summary,
) -> None:
    rows = {row.kind: row.content for row in message_rows(summary)}

    assert set(rows) >= {"describe", "train", "evaluate", "external", "progress", "finish"}
    assert "the four counts of right and wrong calls" in rows["external"]
    assert rows["finish"] == "a confirmation, nothing else"
