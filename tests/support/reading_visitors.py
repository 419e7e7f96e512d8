"""Readers who talk to the application without a browser, and the clock that their study runs by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from bs_client.reader.access import LEAD, make_link
from bs_client.reader.app import make_app
from bs_client.reader.open_study import OpenStudy

ADDRESS = "http://localhost"
DAY_MS = 24 * 60 * 60 * 1000


@dataclass
class Clock:
    """A clock that a test moves."""

    now_ms: int = 1_767_323_045_000  # 2 January 2026

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, seconds: float) -> None:
        self.now_ms += round(1000 * seconds)


@dataclass
class Reader:
    """One reader's page: what its program asks and says."""

    study: OpenStudy
    name: str
    client: TestClient
    mark: str = ""
    recorded: list[bytes] = field(default_factory=list)

    def get(self, path: str) -> Any:
        response = self.client.get(path, follow_redirects=False)
        self.recorded.append(response.content)
        return response

    def post(self, what: str, body: object, *, mark: str | None = None) -> Any:
        headers = {"x-form-mark": self.mark if mark is None else mark}
        response = self.client.post(f"/api/{what}", json=body, headers=headers)
        self.recorded.append(response.content)
        return response

    def enter(self) -> Reader:
        link = make_link(self.study.store, self.name, address=ADDRESS, at_ms=self.study.clock())
        self.client.post(link.removeprefix(ADDRESS))
        page = self.get("/read" if self.name != LEAD else "/progress").text
        self.mark = page.partition('name="form-mark" content="')[2].partition('"')[0]
        return self

    def begin(self) -> Reader:
        screen = {"width": 1366, "height": 768, "pixel_ratio": 1.0, "colour_bits": 24}
        assert self.post("begin", screen).status_code == 200
        return self

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/api/state").json()
        return found

    def turn(self) -> dict[str, Any]:
        case = self.state()["case"]
        return {name: case[name] for name in ("reading", "stage", "revision")}

    def see(self) -> dict[str, Any]:
        """Fetch the image of the due case and report that it was painted."""
        turn = self.turn()
        assert self.get(f"/api/image/{turn['reading']}").status_code == 200
        self.post("shown", turn)
        if turn["stage"] == "aided":
            self.post("model-shown", turn)
        return turn

    def answer(self, score: int = 70, *, call: bool = True, comment: str = "") -> Any:
        turn = self.see()
        return self.post("answer", {**turn, "score": score, "call": call, "comment": comment})

    def read_all(self, opinion: Callable[[str], tuple[int, bool, str]]) -> None:
        """Read to the end of the session, saying what `opinion` gives for a case code."""
        while (state := self.state())["phase"] == "reading":
            score, call, comment = opinion(state["case"]["code"])
            assert self.answer(score, call=call, comment=comment).status_code == 200


@dataclass
class Study:
    """A study with its clock; every reader has a client of their own."""

    opened: OpenStudy
    clock: Clock

    def visitor(self, name: str) -> Reader:
        app = make_app(self.opened, hosts=("localhost",))
        return Reader(self.opened, name, TestClient(app, base_url=ADDRESS))

    def reader(self, name: str = "R1") -> Reader:
        return self.visitor(name).enter().begin()


MakeStudy = Callable[..., Study]


def counts_of(folder: Path, code: str) -> NDArray[np.uint16]:
    """Give the stored numbers of a case, both views one after the other."""
    return np.fromfile(folder / "cases" / f"{code}.u16", "<u2")
