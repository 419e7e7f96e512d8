"""Who is kept out of what: no session, another's link, a foreign page, labels before the end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bs_client.reader.access import LEAD, make_link
from bs_client.reader.case_key import read_key, write_key
from support.reading_visitors import ADDRESS, MakeStudy, Study

PAGES = ("/", "/read", "/progress")
ASKED = ("/api/state", "/api/image/1", "/api/image/2", "/api/map/1")


@pytest.mark.parametrize("path", [*PAGES, *ASKED])
def test_nothing_is_shown_without_a_session(study: Study, path: str) -> None:
    response = study.visitor("nobody").get(path)

    assert response.status_code == 403
    assert len(response.content) < 2000


@pytest.mark.parametrize("what", ["begin", "shown", "draft", "answer", "beat", "back", "pause"])
def test_nothing_is_kept_without_a_session(study: Study, what: str) -> None:
    assert study.visitor("nobody").post(what, {}).status_code == 403


@pytest.mark.parametrize("cookie", ["", "x", "a" * 43])
def test_an_invented_cookie_opens_nothing(study: Study, cookie: str) -> None:
    visitor = study.visitor("nobody")
    visitor.client.cookies.set("visit", cookie)

    assert visitor.get("/api/state").status_code == 403


def test_a_link_works_once(study: Study) -> None:
    link = make_link(study.opened.store, "R1", address="", at_ms=0)
    first, second = study.visitor("R1"), study.visitor("thief")

    looked = first.get(link)  # mail programs look at links
    entered = first.client.post(link, follow_redirects=False)
    again = second.client.post(link, follow_redirects=False)

    assert (looked.status_code, entered.status_code, again.status_code) == (200, 303, 403)
    assert second.get("/read").status_code == 403
    assert second.get(link).status_code == 403


def test_a_new_link_ends_the_old_one_and_the_open_visit(study: Study) -> None:
    reader = study.reader("R1")
    old = make_link(study.opened.store, "R1", address="", at_ms=0)
    make_link(study.opened.store, "R1", address="", at_ms=0)

    assert reader.get("/api/state").status_code == 403
    assert study.visitor("R1").get(old).status_code == 403


def test_a_readers_browser_does_not_take_another_readers_link(study: Study) -> None:
    reader = study.reader("R1")
    other = make_link(study.opened.store, "R2", address="", at_ms=0)

    responses = [reader.get(other), reader.client.post(other, follow_redirects=False)]

    assert [response.status_code for response in responses] == [403, 403]
    assert "in use by R1" in responses[0].text
    assert study.visitor("R2").get(other).status_code == 200  # and it is not used up


def test_a_reader_sees_no_case_of_another_reader(study: Study) -> None:
    reader = study.reader("R1")
    others = [one.id for one in study.opened.store.readings("R2")]

    assert {reader.get(f"/api/image/{number}").status_code for number in others} == {404}
    assert reader.get("/api/image/999999").status_code == 404


def test_a_reader_sees_only_the_due_case_and_the_next(study: Study) -> None:
    reader = study.reader("R1")
    reader.answer()
    numbers = [one.id for one in study.opened.store.readings("R1")]

    codes = [reader.get(f"/api/image/{number}").status_code for number in numbers]

    assert codes == [403, 200, 200, 403, 403]


def test_a_reader_has_no_progress_page_and_the_lead_no_images(study: Study) -> None:
    reader, lead = study.reader("R1"), study.visitor(LEAD).enter()

    assert reader.get("/progress").status_code == 403
    assert [lead.get(path).status_code for path in ASKED] == [403] * 4
    assert lead.get("/progress").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../store.py",
        "/static/%2e%2e/store.py",
        "/static/..%2fstore.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/api/image/..%2f..%2fkey.csv",
        "/api/image/1%2f..%2f..%2fkey.csv",
        "/api/map/../../key.csv",
        "/cases/C001.u16",
        "/key.csv",
        "/study.sqlite",
        "/protocol.json",
    ],
)
def test_no_path_leads_to_a_file_of_the_study(study: Study, path: str) -> None:
    reader = study.reader("R1")

    response = reader.get(path)

    assert response.status_code in (400, 403, 404, 405)
    assert b"study_uid" not in response.content
    assert b"root:" not in response.content


@pytest.mark.parametrize("mark", ["", "0" * 64, "é"])
def test_a_request_without_the_pages_own_mark_is_refused(study: Study, mark: str) -> None:
    reader = study.reader("R1")
    turn = reader.turn()

    response = reader.client.post(
        "/api/shown", json=turn, headers={"x-form-mark": mark.encode("utf-8")}
    )

    assert response.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_request_from_another_sites_page_is_refused_even_with_the_mark(
    study: Study, headers: dict[str, str]
) -> None:
    reader = study.reader("R1")
    reader.client.headers.update(headers)

    assert (
        reader.post("shown", {"reading": 1, "stage": "unaided", "revision": 1}).status_code == 403
    )
    left = reader.client.post("/leave", data={"mark": reader.mark})
    assert left.status_code == 403


def test_a_foreign_name_for_this_machine_is_refused(study: Study) -> None:
    reader = study.reader("R1")
    reader.client.headers["host"] = "evil.example"

    assert reader.get("/api/state").status_code == 400


def test_leaving_ends_the_visit(study: Study) -> None:
    reader = study.reader("R1")
    cookie = reader.client.cookies["visit"]

    reader.client.post("/leave", data={"mark": reader.mark})

    again = study.visitor("R1")
    again.client.cookies.set("visit", cookie)
    assert again.get("/api/state").status_code == 403


def test_every_answer_forbids_foreign_content_and_keeping(study: Study) -> None:
    reader = study.reader("R1")

    for path in ("/read", "/api/state", "/api/image/1", "/static/reading.js", "/nowhere"):
        headers = reader.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_hold_nothing_inline_and_nothing_from_elsewhere(study: Study) -> None:
    page = study.reader("R1").get("/read").text

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/')
    assert "http://" not in page
    assert "https://" not in page


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(study: Study) -> None:
    link = make_link(study.opened.store, "R1", address="", at_ms=0)

    cookie = study.visitor("R1").client.post(link, follow_redirects=False).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_neither_link_nor_cookie_can_be_read_from_the_database(study: Study) -> None:
    link = make_link(study.opened.store, "R2", address=ADDRESS, at_ms=0)
    reader = study.reader("R1")
    folder = study.opened.folder
    study.opened.store.close()

    stored = b"".join(path.read_bytes() for path in folder.path.glob("study.sqlite*"))

    assert link.rpartition("/")[2].encode() not in stored
    assert reader.client.cookies["visit"].encode() not in stored


def test_a_script_in_a_comment_stays_text(study: Study) -> None:
    reader, lead = study.reader("R1"), study.visitor(LEAD).enter()
    script = "<script>alert(1)</script>"
    reader.post("draft", {**reader.see(), "score": 1, "call": None, "comment": script})

    assert reader.state()["case"]["opinion"]["comment"] == script  # JSON; shown as a field's value
    assert reader.get("/api/state").headers["content-type"] == "application/json"
    assert script not in reader.get("/read").text
    assert script not in lead.get("/progress").text


def traffic(study: Study) -> list[bytes]:
    """Everything two readers and the lead are sent, until one answer before the end."""
    recorded: list[bytes] = []
    for name in ("R1", "R2"):
        reader = study.reader(name)
        lead = study.visitor(LEAD).enter()
        answers = 2 * len(study.opened.store.readings(name)) - 1
        for number in range(answers):
            reader.answer(number, call=bool(number % 2), comment="seen")
        reader.state()
        lead.get("/progress")
        recorded += reader.recorded + lead.recorded
    return recorded


def without_secrets(bodies: list[bytes]) -> list[bytes]:
    """Leave the pages out whose marks differ with every visit."""
    return [body for body in bodies if b"form-mark" not in body and b'name="mark"' not in body]


def test_no_answer_before_the_end_depends_on_a_label(make_study: MakeStudy) -> None:
    """The same study with every label turned round sends the very same bytes."""
    told, lied = make_study(with_ai=True), make_study(with_ai=True)
    key = lied.opened.folder.key
    rows = read_key(key).values()
    write_key(key, [replace(row, label=not row.label) for row in rows])

    first, second = traffic(told), traffic(lied)

    assert len(first) > 40
    assert without_secrets(first) == without_secrets(second)


def test_no_answer_before_the_end_names_a_study_or_a_result_not_yet_due(
    make_study: MakeStudy,
) -> None:
    study = make_study(with_ai=True)
    key = read_key(study.opened.folder.key)
    probabilities = {row.model_probability: code for code, row in key.items()}

    bodies = traffic(study)

    for body in bodies:
        assert not any(row.study_uid.encode() in body for row in key.values())
        assert b"no_metastasis" not in body
    states = [json.loads(body) for body in bodies if body.startswith(b'{"phase"')]
    shown = [s["case"] for s in states if s["case"] and s["case"]["result"]]
    assert shown
    assert all(case["stage"] == "aided" for case in shown)
    assert all(probabilities[c["result"]["probability"]] == c["code"] for c in shown)


def test_the_page_works_without_the_key(study: Study) -> None:
    study.opened.folder.key.unlink()

    assert study.reader("R1").answer().status_code == 200


def test_all_files_of_a_study_are_its_owners_alone(study: Study) -> None:
    folder = study.opened.folder
    private = [folder.database, folder.key, *folder.images.iterdir()]

    assert {path.stat().st_mode & 0o077 for path in private} == {0}
