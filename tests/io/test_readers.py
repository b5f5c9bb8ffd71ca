"""Exports as they arrive: what is read, what is rejected and why, and that nothing is lost on the way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vertriage.readers import (
    ColumnMap,
    InputError,
    InputRecord,
    ReadOptions,
    RecordMaker,
    Reject,
    decode,
    guess_modality,
    map_columns,
    open_source,
    parse_age,
    parse_date,
)

SECRET = "zebralantern"  # stands for what must never leave a report


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read_all(path: Path, **options: Any) -> tuple[list[InputRecord], list[Reject]]:
    items = list(open_source(path, ReadOptions(**options)))
    return [i for i in items if isinstance(i, InputRecord)], [i for i in items if isinstance(i, Reject)]


# --------------------------------------------------------------------------------------------------------------------
# CSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_csv_dialects_give_the_same_records(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = 'Höhe 40 %, "crush"; T12|L1\tfracture.\nSecond line.'
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(["Accession #", "Exam Desc", "Age", "Gender", "Report Text"])
    writer.writerow(["A-1", "MRI LUMBAR SPINE", "081Y", "Female", text])
    records, rejects = read_all(write(tmp_path / "x.csv", out.getvalue(), encoding))
    assert rejects == []
    (record,) = records
    assert (record.report_id, record.text, record.modality, record.age, record.sex, record.row) == (
        "A-1", text, "MR", 81, "F", 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "ids", "rejects"),
    [
        pytest.param("A1,L1 fracture\nA2,\nA3,ok\n", ["A1", "A3"], [(3, "A2", "empty_text")], id="empty"),
        pytest.param("A1,  \nA2,N/A\nA3,nan\n", [], [(n, f"A{n - 1}", "empty_text") for n in (2, 3, 4)], id="blank"),
        pytest.param("A1,12345\nA2,ok\n", ["A2"], [(2, "A1", "not_text")], id="number"),
        pytest.param("A1,{\\rtf1\\ansi L1}\nA2,ok\n", ["A2"], [(2, "A1", "not_text")], id="rtf"),
        pytest.param("A1,a\x01\x02\x03\x04b\nA2,ok\n", ["A2"], [(2, "A1", "not_text")], id="binary"),
        pytest.param("A1,one, two\nA2,ok\n", ["A2"], [(2, "A1", "ragged_row")], id="too many columns"),
        pytest.param("A1\nA2,ok\n", ["A2"], [(2, None, "ragged_row")], id="too few columns"),
        pytest.param("A1,ok,,\nA2,ok\n", ["A1", "A2"], [], id="empty columns at the end"),
        pytest.param("\nA1,ok\n\n\nA2,ok\n\n", ["A1", "A2"], [], id="blank lines"),
        pytest.param('A1,"one\nA2,two\nA3,three\n', ["A2", "A3"], [(2, "A1", "broken_quotes")], id="quote not closed"),
        pytest.param('A1,"1\nA2,"two"\nA3,"three"\n', ["A2", "A3"], [(2, "A1", "broken_quotes")], id="next is quoted"),
        pytest.param('A1,ok\nA2,"last', ["A1"], [(3, "A2", "broken_quotes")], id="not closed at the end"),
        pytest.param('A1,"a "small" one"\nA2,ok\n', ["A1", "A2"], [], id="stray quotes on one line"),
        pytest.param('A1,"FINDINGS:\nIs "bad".\nMore\n"\nA2,ok\n', ["A2"], [(2, "A1", "broken_quotes")], id="report"),
        # A report that lost its end is not read as if it were whole.
        pytest.param("A1,one\ntwo three\nfour\nA2,ok\n", ["A2"], [(2, "A1", "ragged_row")], id="bare newline"),
        pytest.param("A1,one\nAt T12, not new\nA2,ok\nA3,ok\n", ["A2", "A3"], [(2, "A1", "ragged_row")], id="comma"),
        pytest.param('A1,"one"\ntwo three\nA2,ok\n', ["A1", "A2"], [(3, None, "ragged_row")], id="a line of its own"),
        pytest.param("A1,ok\n,ok\n", ["A1", "row-3"], [], id="no id"),
        pytest.param("A1,ok\nA1,ok\nA1,ok\n", ["A1", "A1~2", "A1~3"], [], id="same id"),
    ],
)  # fmt: skip
def test_csv_broken_rows(tmp_path: Path, body: str, ids: list[str], rejects: list[tuple[int, str | None, str]]) -> None:
    records, found = read_all(write(tmp_path / "x.csv", "accession,report\n" + body))
    assert [r.report_id for r in records] == ids
    assert [(r.row, r.report_id, r.kind) for r in found] == rejects
    assert all(r.source == "x.csv" and r.reason and r.remedy.endswith(".") for r in found)


def test_csv_rejects_name_the_lines_to_look_at(tmp_path: Path) -> None:
    _, (reject,) = read_all(write(tmp_path / "x.csv", 'id,a,report\n1,x,"one\nmore\n\neven more\n2,x,ok\n'))
    assert reject.reason.endswith("(lines 2 to 5)")


def test_csv_a_quote_that_swallows_the_file_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"A{n},report {n} {'x' * 2000}\n" for n in range(2, 1500))
    records, rejects = read_all(write(tmp_path / "x.csv", 'id,report\nA1,"never closed\n' + rows))
    assert [r.report_id for r in rejects] == ["A1"]
    assert [r.report_id for r in records] == [f"A{n}" for n in range(2, 1500)]


def test_csv_long_reports_are_read(tmp_path: Path) -> None:
    long = "L1 fracture. " * 30_000
    records, rejects = read_all(write(tmp_path / "x.csv", f'id,report\nA1,"{long}"\n'))
    assert (rejects, len(records[0].text)) == ([], len(long))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).map(lambda t: "L1 " + t),
        min_size=1,
    ),
    delimiter=st.sampled_from(",;\t|"),
)
def test_csv_any_text_comes_back_unchanged(tmp_path: Path, texts: list[str], delimiter: str) -> None:
    path = tmp_path / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(["report_id", "report"])
        writer.writerows([f"A{i}", text] for i, text in enumerate(texts))
    items = list(open_source(path))
    assert [i.row for i in items] == list(range(2, len(texts) + 2))
    read = {i.row: i.text for i in items if isinstance(i, InputRecord)}
    # Binary junk is the one thing that is turned down.
    assert all(read[row] == texts[row - 2] for row in read)
    assert {i.kind for i in items if isinstance(i, Reject)} <= {"not_text"}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.text('ab ",\n', max_size=30).filter(lambda t: t.strip()))
def test_csv_a_damaged_row_never_takes_good_rows_with_it(tmp_path: Path, damage: str) -> None:
    good = 'G1,x,"line one\nline ""two"""\n'
    body = f"id,exam,report\n{good}{damage}\nG2,x,ok\nG3,x,fine\nG4,x,good\n"
    items = list(open_source(write(tmp_path / "x.csv", body)))
    read = {i.report_id: i.text for i in items if isinstance(i, InputRecord)}
    assert read["G1"] == 'line one\nline "two"'
    # The quote that damage leaves open may reach as far as the row after it, never further.
    assert {"G3", "G4"} <= set(read)


def test_csv_header_oddities(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'sep=;\n"Accession";Report;Report;\n1;one;two;\n')
    source = open_source(path)
    (record,) = source
    assert (record.report_id, record.text) == ("1", "one")
    assert any("more than once" in note for note in source.notes)


def test_one_broken_byte_does_not_garble_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv",
        "id,report\n1,Höhe größer Überblick\n2,L1 \xff fracture\n".encode().replace(b"\xc3\xbf", b"\xff"),
    )
    source = open_source(path)
    first, second = source
    assert (first.text, second.text) == ("Höhe größer Überblick", "L1 \ufffd fracture")
    assert any("1 bytes" in note for note in source.notes)


def test_characters_that_no_file_can_hold_keep_their_place(tmp_path: Path) -> None:
    line = '{"report_id": "1", "text": "L1 \\ud800 \\u0000 fracture, some more words"}'
    (record,), _ = read_all(write(tmp_path / "x.jsonl", line))
    assert record.text == "L1 \ufffd \ufffd fracture, some more words"


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"id,report\n1,L1 fracture\n"))
    records, _ = read_all(path)
    assert records[0].text == "L1 fracture"


def test_truncated_gzip_keeps_what_was_read(tmp_path: Path) -> None:
    rows = "".join(f"{i},L{i} fracture number {i * 7919 % 10007}\n" for i in range(20_000))
    data = gzip.compress(("id,report\n" + rows).encode())
    path = write(tmp_path / "x.csv.gz", data)
    source = open_source(path)
    path.write_bytes(data[: len(data) // 2])
    items = list(source)
    assert items[-1].kind == "unreadable_file"
    assert len(items) > 1000


# --------------------------------------------------------------------------------------------------------------------
# Columns


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["Accession Number", "Report Text"], {"report_id": "Accession Number", "text": "Report Text"}),
        (["note_id", "subject_id", "charttime", "text"],
         {"report_id": "note_id", "text": "text", "patient_id": "subject_id", "exam_date": "charttime"}),
        (["MRN", "Exam Date", "Exam", "NARRATIVE"],
         {"patient_id": "MRN", "exam_date": "Exam Date", "exam_description": "Exam", "text": "NARRATIVE"}),
        (["id", "accession", "note_text"], {"report_id": "accession", "text": "note_text"}),
        (["study_uid", "result", "Age (years)", "Sex"],
         {"report_id": "study_uid", "text": "result", "age": "Age (years)", "sex": "Sex"}),
        # A whole report wins over its parts; parts win over a column that may be anything.
        (["id", "report", "impression"], {"report_id": "id", "text": "report"}),
    ],
)  # fmt: skip
def test_columns_are_guessed(names: list[str], roles: dict[str, str]) -> None:
    assert dict(map_columns(names).roles) == roles


def test_a_report_in_parts_is_joined_with_headings(tmp_path: Path) -> None:
    content = (
        "uid,image,indication,comparison,findings,impression\n7,XR spine,pain,,T9 wedge.,Old fracture.\n8,XR,x,y,,\n"
    )
    path = write(tmp_path / "x.csv", content)
    source = open_source(path)
    assert ("text", "image + indication + comparison + findings + impression", "guessed") in source.columns.describe()
    record, reject = source
    assert record.text == "EXAM: XR spine\n\nINDICATION: pain\n\nFINDINGS: T9 wedge.\n\nIMPRESSION: Old fracture."
    assert record.modality == "XR"
    assert (reject.report_id, reject.kind) == ("8", "empty_text")


def test_named_columns_win(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "report,report_id,other,body\nno,1,A,L1 fracture\n")
    source = open_source(path, ReadOptions(text_columns=("BODY",), id_column="other"))
    (record,) = source
    assert (record.report_id, record.text) == ("A", "L1 fracture")
    assert ("report id", "other", "given") in source.columns.describe()


def test_kept_columns_are_carried_through(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,report,Ward,x\n1,ok,7B,y\n")
    (record,), _ = read_all(path, keep_columns=("ward",))
    assert record.extra == {"Ward": "7B"}


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("a,b", {}, r"no column looks like the report text; the columns are: a, b\. Name it with --text-column"),
        ("id,report", {"text_columns": ("txt",)}, r"--text-column names 'txt', but the columns are: id, report"),
        ("id,report", {"keep_columns": ("ward",)}, r"--keep-column names 'ward'"),
    ],
)
def test_missing_columns_are_named(tmp_path: Path, header: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_source(write(tmp_path / "x.csv", header + "\n1,ok\n"), ReadOptions(**options))


def test_a_file_without_header_does_not_print_its_first_report(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f'1,"{SECRET} has a fracture of L1 and so on and so on."\n')
    with pytest.raises(InputError, match=r"\(\d+ characters\)") as caught:
        open_source(path)
    assert SECRET not in str(caught.value)


def test_clinical_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,report,Pain Score,T-score,anticoagulated\n1,ok,14,-3.1,\n")
    (record,), _ = read_all(path)
    assert record.clinical == {"pain_score": "14", "t_score": "-3.1"}


# --------------------------------------------------------------------------------------------------------------------
# Cells


@pytest.mark.parametrize(
    ("value", "age"),
    [("81", 81), ("081Y", 81), ("81 yo", 81), ("81 years", 81), ("81-year-old", 81), (81.0, 81), ("81.5", 81),
     (None, None), (float("nan"), None), (pd.NA, None), ("6M", 0), (0, 0)],
)  # fmt: skip
def test_ages(value: object, age: int | None) -> None:
    assert parse_age(value) == age


@pytest.mark.parametrize("value", ["230", "-4", "old", "19440101", "1944-01-01"])
def test_an_impossible_age_is_ignored_with_a_warning(tmp_path: Path, value: str) -> None:
    (record,), rejects = read_all(write(tmp_path / "x.csv", f"id,report,age\n1,ok,{value}\n"))
    assert (record.age, rejects) == (None, [])
    assert any(w.startswith("age ignored") for w in record.warnings)
    assert value not in " ".join(record.warnings)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31", datetime(2026, 1, 31)), ("2026-01-31T22:15:03", datetime(2026, 1, 31, 22, 15, 3)),
        ("20260131", datetime(2026, 1, 31)), ("31.01.2026", datetime(2026, 1, 31)),
        ("01/31/2026", datetime(2026, 1, 31)),
        ("1/31/26 10:05 PM", datetime(2026, 1, 31, 22, 5)), ("31/01/2026", datetime(2026, 1, 31)),
        ("31-Jan-2026", datetime(2026, 1, 31)), ("Jan 31, 2026", datetime(2026, 1, 31)),
        ("31 January 2026 08:00", datetime(2026, 1, 31, 8)), ("2026-01-31T23:30:00-02:00", datetime(2026, 2, 1, 1, 30)),
        (date(2026, 1, 31), datetime(2026, 1, 31)), (pd.Timestamp("2026-01-31"), datetime(2026, 1, 31)),
        (pd.NaT, None), (None, None),
    ],
)  # fmt: skip
def test_dates(value: object, expected: datetime | None) -> None:
    assert parse_date(value) == expected


@pytest.mark.parametrize("value", ["yesterday", "2026-13-45", "99/99/2026", "31.01.2026 morning"])
def test_what_is_no_date_is_ignored_with_a_warning(tmp_path: Path, value: str) -> None:
    (record,), _ = read_all(write(tmp_path / "x.csv", f"id,report,exam_date\n1,ok,{value}\n"))
    assert record.exam_date is None
    assert any("exam date ignored" in w for w in record.warnings)


@pytest.mark.parametrize(
    ("dates", "option", "first", "noted"),
    [
        (["03/04/2026", "25/04/2026"], None, datetime(2026, 4, 3), False),
        (["03/04/2026", "04/25/2026"], None, datetime(2026, 3, 4), False),
        (["03/04/2026", "05/06/2026"], None, datetime(2026, 3, 4), True),
        (["03/04/2026", "05/06/2026"], True, datetime(2026, 4, 3), False),
    ],
)
def test_day_or_month_first_is_decided_from_the_file(
    tmp_path: Path, dates: list[str], option: bool | None, first: datetime, noted: bool
) -> None:
    rows = "".join(f"{i},ok,{d}\n" for i, d in enumerate(dates))
    source = open_source(write(tmp_path / "x.csv", "id,report,exam_date\n" + rows), ReadOptions(day_first=option))
    assert next(iter(source)).exam_date == first
    assert any("--day-first" in n for n in source.notes) == noted


@pytest.mark.parametrize(
    ("description", "text", "modality"),
    [
        ("MRI LUMBAR SPINE", "", "MR"), ("MR T SPINE W/WO", "", "MR"), ("CT T SPINE", "", "CT"),
        ("XR SPINE 2V", "", "XR"), ("CR", "", "XR"),
        ("X-RAY L-SPINE", "", "XR"), ("NM BONE SCAN WHOLE BODY", "", "NM"), ("PET/CT skull to thigh", "", "NM"),
        ("CT myelogram", "", "CT"), ("CHEST 2V FRONTAL/LATERAL", "", "XR"), ("DXA hip and spine", "", "XR"),
        ("Bone scan", "", "NM"), ("Consult letter", "", "OT"), ("ACT study", "", "OT"), ("MRI after CT", "", "MR"),
        (None, "EXAM: CT LUMBAR SPINE\n\nCOMPARISON: MRI 2019", "CT"),
        (None, "URGENT MRI WHOLE SPINE (on call)\n\nL1 fracture.", "MR"),
        (None, "Clinical details: 72F. CT last week.\n\nMRI lumbar spine\nL1 fracture.", "MR"),
        (None, "COMPARISON: CT 2019\n\nFINDINGS: STIR hyperintensity at T9.", "MR"),
        (None, "TECHNIQUE: axial CT images with MPR\n\nFINDINGS: L1 fracture.", "CT"),
        (None, "INDICATION: MRI showed edema.\nFINDINGS: AP and lateral views. L1 wedge.", "XR"),
        (None, "Mr X was seen today with pain.", "OT"),
        (None, "T1 and T2 vertebral bodies are normal.", "OT"),
        (None, "L1 fracture.", "OT"), (None, "", "OT"),
    ],
)  # fmt: skip
def test_modality(description: str | None, text: str, modality: str) -> None:
    assert guess_modality(description, text) == modality


def test_modality_column_wins_over_description(tmp_path: Path) -> None:
    rows = "1,CT,MRI spine,ok\n2,,MRI spine,ok\n3,Magnetic resonance,CT,ok\n"
    records, _ = read_all(write(tmp_path / "x.csv", "id,modality,exam,report\n" + rows))
    assert [r.modality for r in records] == ["CT", "MR", "MR"]


# --------------------------------------------------------------------------------------------------------------------
# Other formats


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"report_id": "B", "text": "ok"', "broken_json"),
        ("not json", "broken_json"),
        ('["B", "ok"]', "broken_json"),
        ("null", "broken_json"),
        ("[" * 100_000, "broken_json"),
        ('{"report_id": "B"}', "empty_text"),
        ('{"report_id": "B", "text": null}', "empty_text"),
        ('{"report_id": "B", "text": ""}', "empty_text"),
        ('{"report_id": "B", "text": 5}', "not_text"),
        ('{"report_id": "B", "text": ["L1 fracture"]}', "not_text"),
        ('{"report_id": "B", "text": {"findings": "L1"}}', "not_text"),
    ],
)
def test_jsonl_broken_lines(tmp_path: Path, line: str, kind: str) -> None:
    path = write(
        tmp_path / "x.jsonl", f'{{"report_id": "A", "text": "ok"}}\n\n{line}\n{{"report_id": "C", "text": "ok"}}\n'
    )
    records, rejects = read_all(path)
    assert [(r.report_id, r.row) for r in records] == [("A", 1), ("C", 4)]
    assert [(r.row, r.kind, r.source) for r in rejects] == [(3, kind, "x.jsonl")]


def test_jsonl_meta_and_flat_fields(tmp_path: Path) -> None:
    lines = [
        {
            "report_id": 1,
            "text": "ok",
            "meta": {"modality": "MR", "age": 70, "sex": "F"},
            "gold": {"pathway": "trauma"},
        },
        {
            "report_id": 2,
            "text": "ok",
            "modality": "CT",
            "age": 71,
            "sex": "M",
            "patient_id": 5,
            "exam_date": "20260102",
        },
        {"report_id": 3, "text": "ok", "meta": {"age": 1}, "age": 72, "clinical": {"pain_score": 8, "pain": True}},
    ]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, lines)))
    records, rejects = read_all(path)
    assert rejects == []
    assert [(r.report_id, r.modality, r.age, r.sex) for r in records] == [
        ("1", "MR", 70, "F"), ("2", "CT", 71, "M"), ("3", "OT", 72, None),
    ]  # fmt: skip
    assert (records[1].patient_id, records[1].exam_date) == ("5", datetime(2026, 1, 2))
    assert records[2].clinical == {"pain_score": 8, "pain": True}


def test_json_array(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", ' [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}]')
    records, _ = read_all(path)
    assert [r.text for r in records] == ["one", "two"]


def test_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "accession": pa.array([1, 2, None], pa.int64()),
            "report": pa.array(["L1 fracture", None, "ok"], pa.large_string()),
            "age": pa.array([80.0, None, 230.0]),
            "exam_date": pa.array([datetime(2026, 1, 1), None, None], pa.timestamp("ns")),
            "anticoagulated": pa.array([True, None, False]),
            "image_bytes": pa.array([b"x", b"y", b"z"]),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    records, rejects = read_all(tmp_path / "x.parquet")
    assert [(r.row, r.report_id, r.kind) for r in rejects] == [(2, "2", "empty_text")]
    first, last = records
    assert (first.report_id, first.age, first.exam_date) == ("1", 80, datetime(2026, 1, 1))
    assert first.clinical == {"anticoagulated": True}
    assert (last.report_id, last.age, last.clinical) == ("row-3", None, {"anticoagulated": False})


def test_parquet_text_stored_as_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [b"A", b"B"], "text": ["Höhe".encode(), b"\xff\xfe\x00"]}), tmp_path / "x.parquet")
    records, rejects = read_all(tmp_path / "x.parquet")
    assert [(r.report_id, r.text) for r in records] == [("A", "Höhe")]
    assert [r.kind for r in rejects] == ["not_text"]


def test_folder_of_text_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "b.txt", "Höhe L1\r\nfracture", "cp1252")
    write(tmp_path / "a.txt", "\ufeffT12 fracture")
    write(tmp_path / "sub" / "a.txt", "ok")
    write(tmp_path / "empty.txt", "")
    write(tmp_path / "note.doc", "x")
    source = open_source(tmp_path)
    items = list(source)
    assert [(i.report_id, i.source, i.row) for i in items] == [
        ("a", "a.txt", 1), ("b", "b.txt", 2), ("empty", "empty.txt", 3), ("sub/a", "sub/a.txt", 4),
    ]  # fmt: skip
    assert items[0].text == "T12 fracture"
    assert items[1].text == "Höhe L1\r\nfracture"
    assert isinstance(items[2], Reject)
    assert source.notes == ["1 files that are not .txt are left out"]


def test_a_file_that_vanishes_from_a_folder_is_one_reject(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "ok")
    gone = write(tmp_path / "b.txt", "ok")
    source = open_source(tmp_path)
    gone.unlink()
    first, second = source
    assert (first.report_id, second.kind, second.source) == ("a", "unreadable_file", "b.txt")


def test_a_text_file_is_one_report_unless_it_is_a_table(tmp_path: Path) -> None:
    (record,), _ = read_all(write(tmp_path / "r.txt", "EXAM: MRI, lumbar spine\nL1 fracture"))
    assert (record.report_id, record.modality) == ("r", "MR")
    (record,), _ = read_all(write(tmp_path / "x.txt", "Accession|Report Text\n1|L1 fracture\n"))
    assert (record.report_id, record.text) == ("1", "L1 fracture")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "the file is empty"),
        ("x.csv", b"\n\n", "no header line"),
        ("x.xlsx", b"PK\x03\x04abc", "Excel workbook"),
        ("x.csv", b"PK\x03\x04abc", "Excel workbook"),
        ("x.pdf", b"%PDF-1.7", "PDF"),
        ("x.csv", bytes(range(256)) * 20, "binary data"),
        ("x.bin", b"hello there", "not a kind of file that is known"),
        ("x.jsonl", b"broken\nbroken\n", "no line holds a JSON object"),
        ("x.json", b"[{]", "broken JSON"),
        ("x.parquet", b"PAR1 and then nothing", "cannot be read"),
        ("x.csv.gz", b"not gzip", "cannot be read"),
    ],
)
def test_unreadable_inputs(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as caught:
        list(open_source(path))
    assert name in str(caught.value)


def test_missing_input_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"no \.txt files"):
        open_source(tmp_path)


def test_bad_options(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,report\n1,ok\n")
    with pytest.raises(InputError, match="--encoding klingon"):
        open_source(path, ReadOptions(encoding="klingon"))
    with pytest.raises(InputError, match="--delimiter"):
        open_source(path, ReadOptions(delimiter="::"))


# --------------------------------------------------------------------------------------------------------------------
# The stream as a whole


def test_reading_is_lazy_and_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with path.open("w", encoding="utf-8") as handle:
        handle.write("id,modality,report\n")
        for i in range(1000):
            handle.write(f'A{i},MR,"{"No fracture is seen. " * 500}\n{i}"\n')
    assert path.stat().st_size > 10_000_000
    tracemalloc.start()
    assert sum(isinstance(item, InputRecord) for item in open_source(path)) == 1000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_limit_and_reading_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,report\n" + "".join(f"{i},ok\n" for i in range(50)))
    source = open_source(path, ReadOptions(limit=7))
    assert [r.report_id for r in source] == [r.report_id for r in source] == [str(i) for i in range(7)]


def test_progress_reaches_the_total(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,report\n" + "".join(f"{i},ok\n" for i in range(5000)))
    source = open_source(path)
    positions = [source.position for _ in source]
    assert positions == sorted(positions)
    assert positions[-1] == source.total == path.stat().st_size
    assert positions[0] < source.total


@pytest.mark.parametrize(
    "row",
    [
        f"{SECRET} L1,x\n{SECRET} fell, was seen by, someone, else\n",
        f'A1,"{SECRET} fell\nA2,ok\n',
        f'A1,"{SECRET}" fell,"and"\n',
        f"A1,one\n{SECRET}\nA2,two\n",
        f"A1,one\nmore {SECRET}, and, this\nA2,two\n",
        f"A1,{{\\rtf1 {SECRET}}}\n",
    ],
)
def test_rejects_never_quote_a_report(tmp_path: Path, row: str) -> None:
    _, rejects = read_all(write(tmp_path / "x.csv", "id,report\n" + row))
    assert rejects
    assert not [r for r in rejects if SECRET in r.reason + r.remedy]
    assert not [r for r in rejects if r.report_id and " " in r.report_id]


def test_an_id_that_a_spreadsheet_shortened_is_pointed_out(tmp_path: Path) -> None:
    (record,), _ = read_all(write(tmp_path / "x.csv", "id,report\n1.23457E+11,ok\n"))
    assert any("spreadsheet" in w for w in record.warnings)


def test_made_up_ids_do_not_collide(tmp_path: Path) -> None:
    records, _ = read_all(write(tmp_path / "x.csv", "id,report\nA,ok\nA~2,ok\nA,ok\nA~2,ok\n"))
    ids = [r.report_id for r in records]
    assert ids == ["A", "A~2", "A~3", "A~2~2"]
    assert "already used in row 2" in records[2].warnings[0]


def test_record_maker_leaves_repeated_ids_when_asked() -> None:
    columns = ColumnMap(roles={"report_id": "id", "text": "t"})
    maker = RecordMaker("frame", columns, False, None, unique_ids=False)
    assert [maker({"id": "A", "t": "ok"}, n).report_id for n in (1, 2)] == ["A", "A"]


@pytest.mark.parametrize(
    ("data", "text"),
    [("Höhe".encode(), "Höhe"), ("Höhe".encode("cp1252"), "Höhe"), ("Höhe".encode("utf-16"), "Höhe"),
     (b"\xef\xbb\xbfH", "H"), (b"a\r\nb\x81", "a\r\nb\ufffd")],
)  # fmt: skip
def test_decode(data: bytes, text: str) -> None:
    assert decode(data) == text
