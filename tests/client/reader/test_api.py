"""What the reading page may ask and say, and where that leaves its reader."""

from __future__ import annotations

import pytest

from bs_client.reader.open_study import open_study
from support.reading_visitors import DAY_MS, MakeStudy, Reader, Study, counts_of


def test_a_reader_sees_instructions_then_practice_then_cases_then_the_end(study: Study) -> None:
    reader = study.visitor("R1").enter()
    phases = [reader.state()["phase"]]
    reader.begin()
    practice = []
    while (state := reader.state())["phase"] == "reading":
        practice.append(state["case"]["practice"])
        reader.answer()

    assert phases == ["welcome"]
    assert practice == [True, False, False, False, False]
    assert reader.state()["phase"] == "finished"


def test_the_image_is_the_counts_as_little_endian_16_bit_numbers(study: Study) -> None:
    reader = study.reader()
    case = reader.state()["case"]

    response = reader.get(f"/api/image/{case['reading']}")

    assert response.headers["content-type"] == "application/octet-stream"
    assert response.content == counts_of(study.opened.folder.path, case["code"]).tobytes()
    assert len(response.content) == 2 * sum(rows * columns for rows, columns in case["views"])


def test_the_same_answer_sent_twice_is_confirmed_and_kept_once(study: Study) -> None:
    reader = study.reader()
    answer = {**reader.see(), "score": 80, "call": True, "comment": "rib"}

    first, again = reader.post("answer", answer), reader.post("answer", answer)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert len(study.opened.store.answers("R1")) == 1


def test_another_answer_to_an_answered_case_is_refused(study: Study) -> None:
    reader = study.reader()
    answer = {**reader.see(), "score": 80, "call": True, "comment": ""}
    reader.post("answer", answer)

    refused = reader.post("answer", {**answer, "score": 10})

    assert refused.status_code == 409
    assert [one.opinion.score for one in study.opened.store.answers("R1")] == [80]


def test_a_forgotten_tab_changes_nothing(study: Study) -> None:
    reader = study.reader()
    old = reader.see()
    reader.answer()

    said = [reader.post(what, old) for what in ("shown", "pause", "limit-reached")]
    said.append(reader.post("draft", {**old, "score": 1, "call": None, "comment": ""}))
    said.append(reader.post("beat", {**old, "active": True, "window": {}}))

    assert [one.status_code for one in said] == [409] * 5


def test_a_case_that_was_not_shown_cannot_be_answered(study: Study) -> None:
    reader = study.reader()

    response = reader.post(
        "answer", {**reader.turn(), "score": 80, "call": True, "comment": "unseen"}
    )

    assert response.status_code == 409
    assert response.json() == {"error": "The case has not been shown yet."}


@pytest.mark.parametrize("entry", [{"score": None}, {"call": None}, {"score": 101}, {"score": -1}])
def test_an_answer_needs_a_call_and_a_score_on_the_scale(
    study: Study, entry: dict[str, object]
) -> None:
    reader = study.reader()

    response = reader.post(
        "answer", {**reader.see(), "score": 50, "call": True, "comment": "", **entry}
    )

    assert response.status_code == 400
    assert study.opened.store.answers("R1") == ()


@pytest.mark.parametrize(
    "body", [{}, {"reading": "1"}, [], {"reading": 1, "stage": "unaided", "revision": 1, "x": 1}]
)
def test_a_message_of_another_form_is_refused(study: Study, body: object) -> None:
    assert study.reader().post("shown", body).status_code == 400


def test_a_comment_has_an_end(study: Study) -> None:
    reader = study.reader()
    turn = reader.see()

    def send(length: int) -> int:
        entry = {**turn, "score": 50, "call": True, "comment": "x" * length}
        return int(reader.post("draft", entry).status_code)

    assert [send(4000), send(4001), send(30_000)] == [200, 400, 413]


def test_what_is_entered_is_there_again_after_a_reload_and_a_new_server(study: Study) -> None:
    reader = study.reader()
    turn = reader.see()
    reader.post("draft", {**turn, "score": 12, "call": None, "comment": "first"})
    reader.post("draft", {**turn, "score": 34, "call": False, "comment": "second"})
    study.opened.store.close()
    again = Study(open_study(study.opened.folder, study.clock), study.clock)
    restarted = Reader(again.opened, "R1", again.visitor("R1").client, reader.mark)
    restarted.client.cookies = reader.client.cookies

    assert restarted.state()["case"]["opinion"] == {
        "score": 34,
        "call": False,
        "comment": "second",
    }


def test_there_is_no_way_back_unless_the_protocol_has_one(make_study: MakeStudy) -> None:
    reader = make_study().reader()
    reader.answer()

    assert reader.state()["can_go_back"] is False
    assert reader.post("back", reader.turn()).status_code == 403


def test_going_back_is_recorded_and_both_answers_are_kept(make_study: MakeStudy) -> None:
    study = make_study(allow_back=True)
    reader = study.reader()
    reader.answer(80)
    first = reader.state()["case"]["reading"] - 1

    reopened = reader.post("back", reader.turn()).json()
    reader.answer(20, call=False)

    assert (reopened["case"]["reading"], reopened["case"]["revision"]) == (first, 2)
    assert reopened["case"]["opinion"]["score"] == 80
    assert [(a.reading, a.revision, a.opinion.score) for a in study.opened.store.answers("R1")] == [
        (first, 1, 80),
        (first, 2, 20),
    ]
    assert reader.state()["case"]["reading"] == first + 1


def test_after_the_time_limit_the_image_is_not_given_again(make_study: MakeStudy) -> None:
    study = make_study(time_limit_s=30)
    reader = study.reader()
    turn = reader.see()
    study.clock.forward(20)
    within = reader.get(f"/api/image/{turn['reading']}")
    elapsed = reader.state()["case"]["elapsed_ms"]
    study.clock.forward(14)

    assert within.status_code == 200
    assert elapsed == 20_000
    assert reader.get(f"/api/image/{turn['reading']}").status_code == 403
    assert reader.post("answer", {**turn, "score": 1, "call": False, "comment": ""}).is_success


def test_the_model_is_shown_after_the_unaided_answer_and_that_answer_stays(
    make_study: MakeStudy,
) -> None:
    study = make_study(with_ai=True, practice=0)
    reader = study.reader()
    before = reader.state()["case"]
    map_before = reader.get(f"/api/map/{before['reading']}").status_code
    after = reader.answer(40, call=False).json()["case"]
    map_after = reader.get(f"/api/map/{after['reading']}").status_code
    last = reader.answer(90)

    assert (before["result"], map_before) == (None, 403)
    assert (after["stage"], after["reading"]) == ("aided", before["reading"])
    assert 0 < after["result"]["probability"] < 1
    assert after["opinion"]["score"] == 40
    assert map_after == 200
    assert last.json()["case"]["reading"] != before["reading"]
    assert [(a.stage, a.opinion.score) for a in study.opened.store.answers("R1")] == [
        ("unaided", 40),
        ("aided", 90),
    ]


def test_the_second_session_opens_after_the_washout_in_another_order(
    make_study: MakeStudy,
) -> None:
    study = make_study(sessions=2)
    reader = study.reader()
    reader.read_all(lambda code: (50, True, ""))
    waiting = reader.state()
    study.clock.forward(27.9 * DAY_MS / 1000)
    still = reader.state()["phase"]
    study.clock.forward(0.2 * DAY_MS / 1000)
    opened = reader.state()

    assert (waiting["phase"], still, opened["phase"]) == ("washout", "washout", "welcome")
    assert waiting["opens_ms"] == study.clock.now_ms - round(0.1 * DAY_MS)
    assert (opened["session"], opened["total"]) == (2, 4)
    assert reader.get(f"/api/image/{opened['case']['reading']}").status_code == 200


def test_a_pause_survives_a_reload(study: Study) -> None:
    reader = study.reader()
    turn = reader.see()
    reader.post("pause", turn)
    paused = reader.state()["case"]["paused"]
    reader.post("resume", turn)

    assert (paused, reader.state()["case"]["paused"]) == (True, False)
