from pathlib import Path

import pytest

from bs_client.data.labels import Sex, Split, parse_labels, read_labels
from bs_common.errors import DataError

HERE = Path()


def faults_of(text: str) -> list[str]:
    with pytest.raises(DataError) as caught:
        parse_labels(text, folder=HERE)
    assert caught.value.remedy
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("metastasis", True),
        ("no_metastasis", False),
        ("1", True),
        ("0", False),
        ("Positive", True),
        ("NEGATIVE", False),
        ("yes", True),
        ("No", False),
    ],
)
def test_every_label_word_is_understood_in_any_case(word: str, label: bool) -> None:
    table = parse_labels(f"study_uid,label\n1.2,{word}\n", folder=HERE)

    assert [row.label for row in table.rows] == [label]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_spreadsheet_dialects_give_the_same_table(
    tmp_path: Path, mark: bytes, delimiter: str
) -> None:
    lines = [["Study_UID", "LABEL", "Primary"], ["1.2", "1", "Mamma (möglich)"], ["1.3", "0", ""]]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    path = tmp_path / "labels.csv"
    path.write_bytes(mark + text.encode())

    rows = read_labels(path).rows

    assert [(row.study_uid, row.label, row.primary) for row in rows] == [
        ("1.2", True, "Mamma (möglich)"),
        ("1.3", False, None),
    ]


def test_all_columns_become_typed_values(tmp_path: Path) -> None:
    (tmp_path / "spots.npz").touch()
    text = (
        "study_uid,patient_id,label,split,mask,age,sex,primary,reference_standard\n"
        "1.2,P1,1,val,spots.npz,63.5,female,breast,biopsy\n"
    )

    (row,) = parse_labels(text, folder=tmp_path).rows

    assert row.line == 2
    assert (row.study_uid, row.patient_id, row.label) == ("1.2", "P1", True)
    assert (row.split, row.mask, row.age) == (Split.VALIDATION, tmp_path / "spots.npz", 63.5)
    assert (row.sex, row.primary, row.reference_standard) == (Sex.FEMALE, "breast", "biopsy")


def test_the_study_decides_where_both_keys_are_given() -> None:
    both = parse_labels("patient_id,study_uid,label\nP1,1.2,1\nP1,1.3,0\n", folder=HERE)
    patients = parse_labels("patient_id,label\nP1,1\n", folder=HERE)

    assert both.keyed_by == "study_uid"
    assert len(both.rows) == 2
    assert patients.keyed_by == "patient_id"


def test_test_means_external() -> None:
    table = parse_labels("study_uid,label,split\n1,1,test\n2,0,External\n", folder=HERE)

    assert {row.split for row in table.rows} == {Split.EXTERNAL}


def test_unknown_columns_are_listed_as_written() -> None:
    table = parse_labels("study_uid,label,Ward,ward 2\n1.2,1,a,b\n", folder=HERE)

    assert table.ignored_columns == ("Ward", "ward 2")


def test_a_decimal_comma_is_an_age() -> None:
    (row,) = parse_labels("study_uid;label;age\n1;1;63,5\n", folder=HERE).rows

    assert row.age == 63.5


def test_lines_without_content_and_missing_last_cells_are_no_faults() -> None:
    table = parse_labels("study_uid,label,split\n1,1\n,,\n\n2,0,train\n", folder=HERE)

    assert [(row.line, row.split) for row in table.rows] == [(2, None), (5, Split.TRAIN)]


def test_every_fault_is_named_at_once() -> None:
    faults = faults_of(
        "study_uid,label,split,age,sex,mask\n"
        "1,perhaps,,,,\n"  # line 2
        "2,,,,,\n"
        ",1,,,,\n"
        "3,1,holdout,,,\n"
        "4,1,,old,,\n"
        "5,1,,121,,\n"
        "6,1,,,x,\n"
        "7,1,,,,nowhere.npz\n"
        "1,0,,,,\n"
        "8,1,,,,,,surplus\n"
    )

    places = {fault.split(":")[0] for fault in faults}
    assert places == {
        "line 2, label",
        "line 3, label",
        "line 4, study_uid",
        "line 5, split",
        "line 6, age",
        "line 7, age",
        "line 8, sex",
        "line 9, mask",
        "line 10, study_uid",
        "line 11, whole line",
    }
    assert len(faults) == len(places)
    assert any("the same as in line 2" in fault for fault in faults)


def test_a_patient_given_twice_is_a_fault_where_patients_are_the_key() -> None:
    (fault,) = faults_of("patient_id,label\nP1,1\nP2,0\nP1,1\n")

    assert fault == "line 4, patient_id: the same as in line 2, expected once"


def test_a_known_word_in_the_wrong_column_is_quoted() -> None:
    (fault,) = faults_of("study_uid,label\n1,train\n")

    assert fault.startswith("line 2, label: 'train', expected metastasis or no_metastasis")


def test_no_fault_repeats_what_may_be_a_patient() -> None:
    # The unquoted comma in the second cell shifts a name into the label column.
    faults = faults_of("study_uid,label,split,age\nS-77,Doe,Jane,1955-02-03,1,P-4711\nS-77,0\n")

    for secret in ("doe", "jane", "1955", "4711", "s-77"):
        assert secret not in "\n".join(faults).casefold()


def test_missing_and_repeated_columns_are_faults_of_the_header() -> None:
    faults = faults_of("label,diagnosis,label\n1,x,0\n")

    assert faults == [
        "header: no column study_uid or patient_id; expected at least one of them",
        "header, label: given 2 times, expected once",
    ]


def test_an_empty_file_lacks_its_columns() -> None:
    assert faults_of("")[-1] == "header: no column label"


def test_a_forgotten_quotation_mark_is_refused_and_not_swallowed() -> None:
    with pytest.raises(DataError, match="line 3"):
        parse_labels('study_uid,label\n1,1\n"2,0\n3,1\n', folder=HERE)


def test_a_line_is_counted_as_an_editor_does_after_a_cell_of_two_lines() -> None:
    (fault,) = faults_of('study_uid,label,primary\n1,1,"breast,\nleft"\n2,?,\n')

    assert fault.startswith("line 4, label")


def test_a_mask_cell_longer_than_any_file_name_is_a_fault() -> None:
    (fault,) = faults_of(f"study_uid,label,mask\n1,1,{'x' * 5000}\n")

    assert fault.startswith("line 2, mask")


def test_another_encoding_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("study_uid;label;primary\n1;1;möglich".encode("cp1252"))

    with pytest.raises(DataError, match="not UTF-8") as caught:
        read_labels(path)
    assert "CSV UTF-8" in caught.value.remedy


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "absent.csv")
