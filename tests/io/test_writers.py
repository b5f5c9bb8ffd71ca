"""What a run leaves behind: files whose types never depend on the data, complete or not there at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vertriage.readers import InputError, InputRecord, Reject
from vertriage.types import (
    ContextReading,
    Decision,
    Evidence,
    FractureReading,
    Rating,
    Reason,
    ReportMeta,
    ReportReading,
)
from vertriage.writers import SCHEMAS, Rows, RunWriter, safe_cell, to_rows, to_table

TEXT = "Back pain. Acute T12 fracture with edema."
SPAN = Evidence(start=17, end=29, text="T12 fracture", section="findings")
REASON = Reason(rule="Q1", text="edema at T12", source="guidelines", facts={"pain": "present"}, evidence=[SPAN])
READING = ReportReading(
    report_id="A1",
    meta=ReportMeta(modality="MR", age=80, sex="F"),
    fractures=[
        FractureReading(
            level="T12", acuity="acute", marrow_edema="present", height_loss_percent=40,
            malignant_features=["soft_tissue_mass"], evidence={"level": [SPAN], "height_loss_percent": [SPAN]},
        ),
        FractureReading(level=None, status="possible"),
    ],
    context=ContextReading(pain="present"),
    context_evidence={"pain": [Evidence(start=0, end=9, text="Back pain", section="history")]},
    pathway="augmentation_candidate",
    candidate_levels=["T12"],
    decision=Decision(
        pathway="augmentation_candidate", tier="standard", priority=5, target_levels=["T12"],
        ratings=[Rating(option="augmentation", rating="Usually appropriate", source="ACR")], reasons=[REASON],
        cautions=[REASON], missing=["pain score"], next_steps=["refer"], follow_up="2 weeks", disclaimer="Supports.",
    ),
)  # fmt: skip
RECORD = InputRecord(
    "x.csv", 2, "A1", TEXT, patient_id="P1", exam_date=datetime(2026, 1, 31), exam_description="MRI", warnings=("odd",)
)
REJECT = Reject("x.csv", 3, "A2", "empty_text", "the report is empty", "Export it again.")
FILES = {
    "reports.parquet", "fractures.parquet", "evidence.parquet", "decisions.parquet", "readings.jsonl", "rejects.jsonl",
    "worklist.csv",
}  # fmt: skip


def rows(**changes: Any) -> Rows:
    return to_rows(RECORD, READING.model_copy(update=changes))


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def test_one_reading_in_all_files(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.add(rows())
        writer.add(REJECT)
    assert {p.name for p in tmp_path.iterdir()} == FILES
    (report,) = table(tmp_path, "reports")
    expected = {
        "report_id": "A1", "source": "x.csv", "row": 2, "patient_id": "P1", "exam_date": datetime(2026, 1, 31),
        "age": 80,
        "pathway": "augmentation_candidate", "candidate_levels": ["T12"], "fracture_count": 2, "pain": "present",
        "fracture_levels": ["T12", "unspecified"], "osteoporosis": "not_stated", "warnings": ["odd"], "text": None,
    }  # fmt: skip
    assert {name: report[name] for name in expected} == expected
    first, second = table(tmp_path, "fractures")
    assert (first["level"], first["height_loss_percent"], first["candidate"]) == ("T12", 40.0, True)
    assert (second["level"], second["height_loss_percent"], second["candidate"]) == (None, None, False)
    evidence = table(tmp_path, "evidence")
    assert [(e["scope"], e["fracture"], e["field"], e["value"]) for e in evidence] == [
        ("fracture", 0, "level", "T12"), ("fracture", 0, "height_loss_percent", "40"),
        ("context", None, "pain", "present"),
    ]  # fmt: skip
    assert all(TEXT[e["start"] : e["end"]] == e["text"] for e in evidence)
    (decision,) = table(tmp_path, "decisions")
    assert decision["tier"] == "standard"
    assert decision["reasons"][0] == {
        "rule": "Q1", "text": "edema at T12", "source": "guidelines", "evidence": [SPAN.model_dump()],
    }  # fmt: skip
    line = json.loads((tmp_path / "readings.jsonl").read_text(encoding="utf-8"))
    assert ReportReading.model_validate(line) == READING
    reject = json.loads((tmp_path / "rejects.jsonl").read_text(encoding="utf-8"))
    assert (reject["source"], reject["row"], reject["report_id"]) == ("x.csv", 3, "A2")
    assert reject["reason"]
    assert reject["remedy"]


def test_types_do_not_depend_on_the_data(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "empty"):
        pass
    bare = ReportReading(report_id="B")
    with RunWriter(tmp_path / "bare") as writer:
        writer.add(to_rows(InputRecord("x", 1, "B", "No fracture."), bare))
    with RunWriter(tmp_path / "full") as writer:
        writer.add(rows())
    for name, schema in SCHEMAS.items():
        for folder in ("empty", "bare", "full"):
            assert pq.read_schema(tmp_path / folder / f"{name}.parquet").equals(schema), (folder, name)
    assert {p.name for p in (tmp_path / "empty").iterdir()} == FILES


def test_input_order_is_kept_across_batches(tmp_path: Path) -> None:
    ids = [f"R{(n * 37) % 101}" for n in range(101)]
    with RunWriter(tmp_path, flush_every=10) as writer:
        for report_id in ids:
            writer.add(rows(report_id=report_id))
    assert [r["report_id"] for r in table(tmp_path, "reports")] == ids
    lines = (tmp_path / "readings.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["report_id"] for line in lines] == ids
    assert len(table(tmp_path, "fractures")) == 202


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    with RunWriter(tmp_path, flush_every=10) as writer:
        for _ in range(95):
            writer.add(rows())
        assert max(map(len, writer._buffers.values())) <= 12


def test_an_interrupted_run_leaves_earlier_results_alone(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        writer.add(rows())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def interrupted() -> Iterator[Rows]:
        yield rows(report_id="other")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunWriter(tmp_path) as writer:
        list(map(writer.add, interrupted()))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_later_run_replaces_all_files(tmp_path: Path) -> None:
    for report_id in ("old", "new"):
        with RunWriter(tmp_path) as writer:
            writer.add(rows(report_id=report_id))
    assert {p.name for p in tmp_path.iterdir()} == FILES
    assert [r["report_id"] for r in table(tmp_path, "reports")] == ["new"]
    assert "old" not in (tmp_path / "readings.jsonl").read_text(encoding="utf-8")


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match="cannot write here"), RunWriter(tmp_path / "out"):
        pass


def test_text_and_further_columns_on_request(tmp_path: Path) -> None:
    record = InputRecord("x", 1, "A1", TEXT, extra={"Ward": "7B"})
    with RunWriter(tmp_path, keep_columns=("Ward", "Phone")) as writer:
        writer.add(to_rows(record, READING, keep_text=True, keep_columns=("Ward", "Phone")))
    (report,) = table(tmp_path, "reports")
    assert (report["text"], report["input_Ward"], report["input_Phone"]) == (TEXT, "7B", None)


def test_an_empty_table_has_the_schema() -> None:
    assert to_table([], SCHEMAS["evidence"]).schema.equals(SCHEMAS["evidence"])


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1+cmd|'/C calc'!A0", "'-1+cmd|'/C calc'!A0"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1+1", "'=1+1"), ("\r\n=1", "'=1"), ("  =1", "'=1"), ("|x", "'|x"), ("%x", "'%x"), ("T12", "T12"), ("", ""),
        (None, ""), (-3, -3), (2.5, 2.5), ("a\nb", "a b"),
    ],
)  # fmt: skip
def test_cells_never_run_in_a_spreadsheet(value: object, cell: object) -> None:
    assert safe_cell(value) == cell


# --------------------------------------------------------------------------------------------------------------------
# Worklist


def visit(report_id: str, patient: str | None, day: int, priority: int, pathway: str, **fields: Any) -> Rows:
    decision = READING.decision.model_copy(update={"pathway": pathway, "priority": priority, "fracture_liaison": True})
    fractures = fields.pop("fractures", READING.fractures[:1] if pathway != "no_fracture" else [])
    record = InputRecord("x.csv", day, report_id, TEXT, patient_id=patient, exam_date=datetime(2026, 1, day), **fields)
    update = {"report_id": report_id, "pathway": pathway, "decision": decision, "fractures": fractures}
    return to_rows(record, READING.model_copy(update=update))


def listed(folder: Path, *visits: Rows) -> list[dict[str, str]]:
    with RunWriter(folder) as writer:
        for rows_ in visits:
            writer.add(rows_)
    with (folder / "worklist.csv").open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_worklist_most_urgent_first_and_stable(tmp_path: Path) -> None:
    out = listed(
        tmp_path,
        visit("R1", "P1", 1, 6, "needs_review"), visit("R2", "P2", 2, 1, "surgical_emergency"),
        visit("R3", "P3", 3, 6, "needs_review"), visit("R4", "P4", 4, 8, "no_fracture"),
        visit("R5", None, 5, 2, "trauma"), visit("R6", None, 6, 2, "trauma"),
    )  # fmt: skip
    assert [row["report_id"] for row in out] == ["R2", "R5", "R6", "R1", "R3"]
    assert [row["place"] for row in out] == ["1", "2", "3", "4", "5"]


def test_worklist_shows_a_patient_once_by_the_latest_report(tmp_path: Path) -> None:
    second = FractureReading(level="L1", acuity="acute", marrow_edema="present", height_loss_percent=25)
    (row,) = listed(
        tmp_path,
        visit("R2", "P1", 20, 4, "augmentation_candidate", fractures=[*READING.fractures[:1], second]),
        visit("R1", "P1", 1, 6, "needs_review"),
    )
    expected = {
        "patient_id": "P1", "report_id": "R2", "reports": "2", "exam_date": "2026-01-20",
        "fractures": "T12 acute, edema, 40%, soft tissue mass; L1 acute, edema, 25%", "reasons": "edema at T12",
        "fracture_counts": "2026-01-01: 1; 2026-01-20: 2", "fracture_liaison": "yes", "disclaimer": "Supports.",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert "L1: not in the earlier reports." in row["history"]


def test_worklist_keeps_a_patient_whose_latest_report_shows_no_fracture(tmp_path: Path) -> None:
    out = listed(tmp_path, visit("R1", "P1", 1, 6, "needs_review"), visit("R2", "P1", 9, 8, "no_fracture"))
    assert [(row["report_id"], row["pathway"], row["reports"]) for row in out] == [("R2", "no_fracture", "2")]


def test_worklist_cells_are_safe(tmp_path: Path) -> None:
    (row,) = listed(tmp_path, visit("=1+1", "@P", 1, 6, "needs_review", exam_description='=HYPERLINK("http://a.b")'))
    assert (row["report_id"], row["patient_id"]) == ("'=1+1", "'@P")
    assert row["exam_description"].startswith("'=")


def test_worklist_carries_kept_columns(tmp_path: Path) -> None:
    record = InputRecord("x", 1, "A1", TEXT, extra={"Phone": "+1 555"})
    with RunWriter(tmp_path, keep_columns=("Phone",)) as writer:
        writer.add(to_rows(record, READING, keep_columns=("Phone",)))
    with (tmp_path / "worklist.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert [row["input_Phone"] for row in csv.DictReader(handle)] == ["'+1 555"]
