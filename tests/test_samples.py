"""The sample exports are what ``reports/README.md`` says, and the gold reports keep the annotation guidelines."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pyarrow.parquet as pq
import pytest

from vertriage import types
from vertriage.readers import Reject, open_source

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "reports"
GOLD_FILES = sorted((REPORTS / "gold").glob("*.jsonl"))
SCHEMA = json.loads((ROOT / "docs" / "gold.schema.json").read_text(encoding="utf-8"))
COLUMNS = [
    "accession", "patient_id", "exam_date", "exam_description", "age", "sex", "pain_score", "anticoagulated",
    "report_text",
]  # fmt: skip
# Spreadsheet rows (header = 1) and lines (first = 1), as listed in reports/README.md.
BROKEN_ROWS = {7, 20, 33, 42, 52, 65}
BROKEN_LINES = {13, 35, 53}


def csv_rows() -> list[list[str]]:
    with (REPORTS / "sample_export.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


def good_rows() -> dict[str, dict[str, str]]:
    rows = csv_rows()[1:]
    good = (dict(zip(COLUMNS, row, strict=True)) for n, row in enumerate(rows, 2) if n not in BROKEN_ROWS)
    return {row["accession"]: row for row in good}


def json_lines() -> list[str]:
    return (REPORTS / "sample_export.jsonl").read_text(encoding="utf-8").splitlines()


def good_records() -> dict[str, dict[str, Any]]:
    records = (json.loads(line) for n, line in enumerate(json_lines(), 1) if n not in BROKEN_LINES)
    return {record["report_id"]: record for record in records}


def parquet_rows() -> dict[str, dict[str, Any]]:
    return {row["accession"]: row for row in pq.read_table(REPORTS / "sample_export.parquet").to_pylist()}


# --------------------------------------------------------------------------------------------------------------------
# CSV


def test_csv_columns_and_counts() -> None:
    rows = csv_rows()
    assert rows[0] == COLUMNS
    assert len(rows) == 1 + 66 + len(BROKEN_ROWS)
    assert len(good_rows()) == 66, "accessions repeat"


def test_csv_good_rows_are_well_formed() -> None:
    for row in good_rows().values():
        assert re.fullmatch(r"ACC-\d{6}", row["accession"])
        assert re.fullmatch(r"PT-\d{4}", row["patient_id"])
        assert date.fromisoformat(row["exam_date"]).year in (2024, 2025)
        assert 18 <= int(row["age"]) <= 100
        assert row["sex"] in ("F", "M")
        assert row["anticoagulated"] in ("yes", "no", "")
        assert len(row["report_text"].split()) >= 20
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd]", row["report_text"])


@pytest.mark.parametrize(
    ("row", "accession", "fields"),
    [(7, "ACC-000900", 9), (20, "", 9), (33, "ACC-000902", 11), (42, "ACC-000903", 4), (52, "ACC-000904", 9),
     (65, "ACC-000905", 9)],
)  # fmt: skip
def test_csv_broken_rows_are_where_the_readme_says(row: int, accession: str, fields: int) -> None:
    values = csv_rows()[row - 1]
    assert (values[0], len(values)) == (accession, fields)


def test_csv_broken_texts() -> None:
    rows = csv_rows()
    assert rows[6][-1] == ""
    assert rows[51][-1] == "12345"
    assert len(re.findall(r"[\x00-\x08\x0e-\x1f]", rows[64][-1])) > 10


def test_csv_clinical_columns_are_sparse_with_one_impossible_value() -> None:
    scores = {k: int(row["pain_score"]) for k, row in good_rows().items() if row["pain_score"]}
    assert {k: score for k, score in scores.items() if not 0 <= score <= 10} == {"ACC-000187": 14}
    assert 0 < len(scores) < 66
    assert 0 < sum(bool(row["anticoagulated"]) for row in good_rows().values()) < 66


def test_some_patients_have_several_reports_over_time() -> None:
    by_patient = defaultdict(list)
    for row in good_rows().values():
        by_patient[row["patient_id"]].append(row)
    assert len(by_patient) == 56
    several = {patient: rows for patient, rows in by_patient.items() if len(rows) > 1}
    assert sorted(several) == [f"PT-{n:04d}" for n in (3, 7, 11, 15, 19, 24, 31, 36)]
    for rows in several.values():
        assert len({row["exam_date"] for row in rows}) == len(rows)
        assert len({row["sex"] for row in rows}) == 1
        rows = sorted(rows, key=lambda row: row["exam_date"])
        assert 0 <= int(rows[-1]["age"]) - int(rows[0]["age"]) <= 1


# --------------------------------------------------------------------------------------------------------------------
# The other formats


def test_jsonl_lines() -> None:
    lines = json_lines()
    assert len(lines) == 66 + len(BROKEN_LINES)
    for number in (13, 35):
        with pytest.raises(json.JSONDecodeError):
            json.loads(lines[number - 1])
    assert "text" not in json.loads(lines[52])


def test_jsonl_holds_the_csv_reports_in_the_same_order() -> None:
    rows, records = good_rows(), good_records()
    assert list(rows) == list(records)
    for report_id, record in records.items():
        row = rows[report_id]
        assert record["text"] == row["report_text"]
        assert record["meta"]["age"] == int(row["age"])
        assert (record["meta"]["sex"], record["patient_id"], record["exam_date"]) == (
            row["sex"], row["patient_id"], row["exam_date"],
        )  # fmt: skip


def test_jsonl_modality_is_that_of_the_exam_description() -> None:
    prefixes = {"MR": "MR", "MRI": "MR", "CT": "CT", "XR": "XR", "DXA": "XR", "NM": "NM"}
    for report_id, record in good_records().items():
        first_word = good_rows()[report_id]["exam_description"].split()[0]
        assert record["meta"]["modality"] == prefixes[first_word], report_id


def test_parquet_holds_the_csv_reports_with_types() -> None:
    rows, typed = good_rows(), parquet_rows()
    assert list(rows) == list(typed)
    flags = {"yes": True, "no": False, "": None}
    for report_id, row in rows.items():
        assert typed[report_id] == {
            **row,
            "exam_date": date.fromisoformat(row["exam_date"]),
            "age": int(row["age"]),
            "pain_score": int(row["pain_score"]) if row["pain_score"] else None,
            "anticoagulated": flags[row["anticoagulated"]],
        }


def test_text_folder_holds_twelve_of_the_csv_reports_and_one_empty_file() -> None:
    texts = {path.stem: path.read_bytes().decode("utf-8") for path in (REPORTS / "txt").glob("*.txt")}
    assert texts.pop("ACC-000920") == ""
    rows = good_rows()
    assert texts == {report_id: rows[report_id]["report_text"] for report_id in texts}
    assert len(texts) == 12
    assert "\r\n" in texts["ACC-000218"]


@pytest.mark.parametrize(
    ("name", "read", "rejected"),
    [
        ("sample_export.csv", 67, {7, 33, 42, 52, 65}),
        ("sample_export.jsonl", 66, {13, 35, 53}),
        ("sample_export.parquet", 66, set()),
        ("txt", 12, {13}),
    ],
)
def test_reader_accounts_for_every_row(name: str, read: int, rejected: set[int]) -> None:
    items = list(open_source(REPORTS / name))
    assert {item.row for item in items if isinstance(item, Reject)} == rejected
    assert sum(not isinstance(item, Reject) for item in items) == read


# --------------------------------------------------------------------------------------------------------------------
# Gold


def gold_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        yield from (json.loads(line) for line in stream if line.strip())


def qualifies(fracture: dict[str, Any], modality: str) -> bool:
    """Guidelines, section 3: may this vertebra be a target of augmentation?"""
    if fracture["status"] == "possible" or fracture["augmented"]:
        return False
    recent_by_edema = fracture["marrow_edema"] == "present" and fracture["acuity"] != "chronic"
    recent_by_words = (
        modality == "MR" and fracture["acuity"] in {"acute", "subacute"} and fracture["marrow_edema"] != "absent"
    )
    return recent_by_edema or recent_by_words or fracture["cleft"] == "present"


def derived(gold: dict[str, Any], modality: str) -> tuple[str, set[str]]:
    """Guidelines, section 3, written again without the package: the pathway and the candidate levels."""
    fractures = gold["fractures"]
    present = {name for name, value in gold["context"].items() if value == "present"}
    painless = gold["context"]["pain"] == "absent"
    non_chronic = any(f["acuity"] != "chronic" for f in fractures)
    levels = {f["level"] or "unspecified" for f in fractures if qualifies(f, modality)}
    # The first condition that holds names the pathway.
    ladder = [
        ("no_fracture", not fractures),
        ("surgical_emergency", present & {"neurologic_deficit", "neural_compression"}),
        ("trauma", "unstable_injury" in present or ("high_energy_trauma" in present and non_chronic)),
        ("malignancy_workup", "suspected_malignancy" in present or ("known_malignancy" in present and non_chronic)),
        ("infection_workup", "infection_suspected" in present),
        ("augmentation_candidate", levels and not painless),
        ("osteoporosis_management", painless or not (non_chronic or any(f["cleft"] == "present" for f in fractures))),
        ("needs_review", True),
    ]
    pathway = next(name for name, holds in ladder if holds)
    return pathway, levels if pathway == "augmentation_candidate" else set()


def test_gold_is_complete() -> None:
    counts = {path.stem: sum(1 for _ in gold_lines(path)) for path in GOLD_FILES}
    assert counts == {"D1": 30, "D2": 30, "D3": 30, "D4": 30, "D5": 36}
    ids = Counter(record["report_id"] for path in GOLD_FILES for record in gold_lines(path))
    assert max(ids.values()) == 1


@pytest.mark.parametrize("path", GOLD_FILES, ids=lambda path: path.stem)
def test_gold_satisfies_the_schema(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    problems = {
        record["report_id"]: [error.json_path for error in validator.iter_errors(record)] for record in gold_lines(path)
    }
    assert {report_id: paths for report_id, paths in problems.items() if paths} == {}


@pytest.mark.parametrize("path", GOLD_FILES, ids=lambda path: path.stem)
def test_gold_pathways_follow_from_the_annotated_features(path: Path) -> None:
    wrong = {}
    for record in gold_lines(path):
        gold = record["gold"]
        expected = derived(gold, record["meta"]["modality"])
        if expected != (gold["pathway"], set(gold["candidate_levels"])):
            wrong[record["report_id"]] = expected
    assert wrong == {}


def test_schema_and_result_types_name_the_same_fields_and_values() -> None:
    gold = SCHEMA["properties"]["gold"]["properties"]
    fracture = gold["fractures"]["items"]["properties"]
    assert tuple(fracture) == types.FRACTURE_FIELDS
    assert set(gold["context"]["required"]) == set(types.CONTEXT_FIELDS)
    assert set(gold["pathway"]["enum"]) == set(get_args(types.Pathway))
    for field, values in {
        "status": types.Status, "acuity": types.Acuity, "marrow_edema": types.Finding, "cleft": types.Finding,
        "retropulsion": types.Finding,
    }.items():  # fmt: skip
        assert set(fracture[field]["enum"]) == set(get_args(values)), field
    assert set(fracture["malignant_features"]["items"]["enum"]) == set(get_args(types.MalignantFeature))
    assert set(fracture["cleft_content"]["enum"]) - {None} == set(get_args(types.CleftContent))
