"""Settings files that people edit: what is written is read back, and faults are named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from bs_common.errors import ConfigError
from bs_common.toml import read_toml, write_toml


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    text: str
    number: float = 1.5
    count: int | None = None
    truth: bool = False
    names: tuple[str, ...] = ()


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    first: Section
    second: Section = Section(text="")


ANY_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


@given(text=ANY_TEXT, names=st.lists(ANY_TEXT, max_size=3), number=st.floats(allow_nan=False))
def test_any_text_number_and_list_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, names: list[str], number: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    finite = number if abs(number) < float("inf") else 0.0
    section = Section(text=text, number=finite, count=3, truth=True, names=tuple(names))

    write_toml(path, Settings(first=section))

    assert read_toml(path, Settings) == Settings(first=section)


@pytest.mark.parametrize(
    "text",
    [
        '"quoted"',
        "back\\slash\\n",
        "line\nbreak\ttab",
        "\u00e4\u03a9\U0001f9b4",
        "\x7f\x00\x1b",
        "'''",
        "# no",
    ],
)
def test_odd_texts_survive_the_file(tmp_path: Path, text: str) -> None:
    settings = Settings(first=Section(text=text))

    write_toml(tmp_path / "s.toml", settings)

    assert read_toml(tmp_path / "s.toml", Settings).first.text == text


def test_every_setting_is_shown_when_written_and_an_absent_one_is_left_out(tmp_path: Path) -> None:
    write_toml(tmp_path / "s.toml", Settings(first=Section(text="a")))

    shown = tomllib.loads((tmp_path / "s.toml").read_text())
    assert shown == {
        "first": {"text": "a", "number": 1.5, "truth": False, "names": []},
        "second": {"text": "", "number": 1.5, "truth": False, "names": []},
    }


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[first]\ntext = 3\nnumber = "x"\ntypo = 1\n[third]\n')

    with pytest.raises(ConfigError) as refused:
        read_toml(path, Settings)
    told = str(refused.value)
    assert told.startswith("s.toml: ")
    assert all(name in told for name in ("first.text:", "first.number:", "first.typo:", "third:"))
    assert str(path) in refused.value.remedy


@pytest.mark.parametrize("text", ["[first\n[", "first = \n", "[first]\ntext = 'a'\ntext = 'b'\n"])
def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)

    with pytest.raises(ConfigError, match=r"s\.toml: not valid TOML: .*line \d"):
        read_toml(tmp_path / "s.toml", Settings)


@pytest.mark.parametrize("value", ["1", "true", "[]"])
def test_a_value_of_another_type_is_not_turned_into_a_text(tmp_path: Path, value: str) -> None:
    (tmp_path / "s.toml").write_text(f"[first]\ntext = {value}\n")

    with pytest.raises(ConfigError, match=r"first\.text"):
        read_toml(tmp_path / "s.toml", Settings)
