"""The command line from end to end: files, messages and exit status."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from vertriage import api, cli
from vertriage.readers import open_source
from vertriage.types import CONTEXT_FIELDS, FRACTURE_FIELDS, Pathway

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "reports"
SECRET = "zebralantern"
MRI = (
    "EXAM: MRI LUMBAR SPINE\n\nINDICATION: Severe low back pain for 3 weeks.\n\nFINDINGS: There is an acute compression"
    " fracture of L1 with marrow edema and 40% loss of height.\n\nIMPRESSION: Acute L1 compression fracture."
)
NORMAL = "EXAM: MRI LUMBAR SPINE\n\nFINDINGS: Vertebral body heights are maintained. No fracture."
runner = CliRunner()


def export(folder: Path, rows: list[tuple[str, str]], name: str = "export.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["Accession", "Report Text"])
        writer.writerows(rows)
    return path


def invoke(*args: object, **options: Any) -> Any:
    return runner.invoke(cli.app, [str(a) for a in args], **options)


def program(*args: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    source = str(Path(api.__file__).resolve().parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]), "COLUMNS": "160"}
    command = [sys.executable, "-m", "vertriage", *map(str, args)]
    return subprocess.run(command, input=stdin, capture_output=True, env=env, timeout=300, check=False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# --------------------------------------------------------------------------------------------------------------------
# run


def test_run_writes_every_report_or_says_why_not(tmp_path: Path) -> None:
    path = export(tmp_path, [("A1", MRI), ("A2", ""), ("A3", NORMAL), ("A4", "12345")])
    result = invoke("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    readings = lines(tmp_path / "out" / "readings.jsonl")
    assert [r["report_id"] for r in readings] == ["A1", "A3"]
    first = readings[0]
    assert set(FRACTURE_FIELDS) <= set(first["fractures"][0])
    assert set(first["context"]) == set(CONTEXT_FIELDS)
    assert (first["fractures"][0]["level"], first["pathway"]) == ("L1", "augmentation_candidate")
    assert first["candidate_levels"] == ["L1"]
    rejects = lines(tmp_path / "out" / "rejects.jsonl")
    assert [(r["row"], r["report_id"], r["kind"]) for r in rejects] == [(3, "A2", "empty_text"), (5, "A4", "not_text")]
    for name in ("reports", "fractures", "evidence", "decisions"):
        assert pq.read_table(tmp_path / "out" / f"{name}.parquet")["report_id"].to_pylist()[0] == "A1"
    with (tmp_path / "out" / "worklist.csv").open(encoding="utf-8-sig", newline="") as handle:
        assert [row["report_id"] for row in csv.DictReader(handle)] == ["A1"]


def test_run_shows_columns_and_summary(tmp_path: Path) -> None:
    path = export(tmp_path, [("A1", MRI), ("A2", "")])
    result = invoke("run", path, "--out", tmp_path / "out", env={"COLUMNS": "160"})
    assert re.search(r"report id +Accession +guessed", result.stderr)
    assert re.search(r"text +Report Text +guessed", result.stderr)
    assert re.search(r"augmentation_candidate +1", result.stdout)
    assert re.search(r"rejected +1", result.stdout)
    quiet = invoke("run", path, "--out", tmp_path / "out", "--quiet")
    assert quiet.output == ""


@pytest.mark.parametrize(("strict", "rows", "status"), [
    (False, [("A1", "")], 0), (True, [("A1", "")], 1), (True, [("A1", NORMAL)], 0),
])  # fmt: skip
def test_strict(tmp_path: Path, strict: bool, rows: list[tuple[str, str]], status: int) -> None:
    done = program("run", export(tmp_path, rows), "--out", tmp_path / "out", *["--strict"] * strict)
    assert done.returncode == status, done.stderr
    assert (tmp_path / "out" / "readings.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "args", "message"),
    [
        (None, (), "no such file"),
        (b"", (), "the file is empty"),
        (b"PK\x03\x04", (), "Excel workbook"),
        (b"a,b\n1,2\n", (), "--text-column"),
        (b"id,report\n1,ok\n", ("--id-column", "nope"), "--id-column names 'nope'"),
        (b"id,report\n1,ok\n", ("--format", "xml"), "--format xml"),
        (b"id,report\n1,ok\n", ("--lexicons", "/nonexistent/folder"), "lexicon folder not found"),
    ],
)
def test_an_input_that_cannot_be_read_is_status_2(
    tmp_path: Path, content: bytes | None, args: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    done = program("run", path, "--out", tmp_path / "out", *args)
    assert done.returncode == 2
    assert message.encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_output_folder_that_cannot_be_made_is_status_2(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    result = invoke("run", export(tmp_path, [("A1", NORMAL)]), "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "cannot write here" in result.stderr


def test_options_reach_the_reader_and_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("key;body;kind;ward;report\n7;L1 fracture;CT;7B;other\n8;ok;CT;7B;other\n", encoding="utf-8")
    result = invoke(
        "run", path, "--out", tmp_path / "out", "--id-column", "key", "--text-column", "body", "--modality-column",
        "kind",
        "--keep-column", "ward", "--keep-text", "--limit", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (report,) = pq.read_table(tmp_path / "out" / "reports.parquet").to_pylist()
    expected = {"report_id": "7", "text": "L1 fracture", "modality": "CT", "input_ward": "7B", "row": 2}
    assert {name: report[name] for name in expected} == expected


@pytest.mark.parametrize("name", ["sample_export.csv", "sample_export.jsonl", "sample_export.parquet", "txt"])
def test_samples_in_every_format(tmp_path: Path, name: str) -> None:
    result = invoke("run", SAMPLES / name, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    readings = lines(tmp_path / "readings.jsonl")
    assert len({r["report_id"] for r in readings}) == len(readings) > 10
    assert {r["pathway"] for r in readings} <= set(Pathway.__args__)


def test_formats_agree_on_the_readings(tmp_path: Path) -> None:
    read = {}
    for name in ("sample_export.csv", "sample_export.jsonl", "sample_export.parquet", "txt"):
        invoke("run", SAMPLES / name, "--out", tmp_path / name)
        read[name] = {r["report_id"]: r["fractures"] for r in lines(tmp_path / name / "readings.jsonl")}
    base = read["sample_export.csv"]
    for name, readings in read.items():
        shared = base.keys() & readings.keys()
        assert len(shared) >= 12, name
        assert {i for i in shared if base[i] != readings[i]} == set(), name


def test_evidence_points_into_the_text(tmp_path: Path) -> None:
    invoke("run", SAMPLES / "sample_export.csv", "--out", tmp_path, "--keep-text")
    texts = {r["report_id"]: r["text"] for r in pq.read_table(tmp_path / "reports.parquet").to_pylist()}
    evidence = pq.read_table(tmp_path / "evidence.parquet").to_pylist()
    assert len(evidence) > 100
    assert [e for e in evidence if texts[e["report_id"]][e["start"] : e["end"]] != e["text"]] == []


def test_processes_give_the_same_files_as_one(tmp_path: Path) -> None:
    for workers in (1, 2):
        done = program("run", SAMPLES / "sample_export.csv", "--out", tmp_path / str(workers), "--workers", workers)
        assert done.returncode == 0, done.stderr
    one, two = tmp_path / "1", tmp_path / "2"
    assert {p.name for p in one.iterdir()} == {p.name for p in two.iterdir()}
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_report_on_which_the_reader_fails_is_a_reject(tmp_path: Path, plain_reader: Any) -> None:
    path = export(tmp_path, [("A1", MRI), ("A2", f"crash {SECRET}"), ("A3", NORMAL)])
    result = invoke("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    (reject,) = lines(tmp_path / "out" / "rejects.jsonl")
    assert (reject["report_id"], reject["row"], reject["kind"]) == ("A2", 3, "reader_failed")
    assert "RuntimeError" in reject["reason"]
    assert SECRET not in result.output + (tmp_path / "out" / "rejects.jsonl").read_text(encoding="utf-8")
    assert [r["report_id"] for r in lines(tmp_path / "out" / "readings.jsonl")] == ["A1", "A3"]


def test_an_error_in_the_program_shows_no_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise ValueError(f"bad value {SECRET}")

    monkeypatch.setattr(api, "process", broken)
    monkeypatch.setattr(
        sys, "argv", ["vertriage", "run", str(export(tmp_path, [("A1", SECRET)])), "--out", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as caught:
        cli.main()
    shown = capsys.readouterr()
    assert caught.value.code == 70
    assert "error in the program: ValueError" in shown.err
    assert SECRET not in shown.err + shown.out


# --------------------------------------------------------------------------------------------------------------------
# read


def test_read_shows_one_report(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(MRI, encoding="utf-8")
    result = invoke("read", path, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    for words in ("acute compression fracture of L1", "40%", "augmentation candidate", "L1"):
        assert words in result.stdout.replace("\n", " ")


def test_read_standard_input_as_json() -> None:
    done = program("read", "-", "--json", "--modality", "ct", stdin=MRI.encode())
    assert done.returncode == 0, done.stderr
    reading = json.loads(done.stdout)
    assert (reading["meta"]["modality"], reading["fractures"][0]["level"]) == ("CT", "L1")


@pytest.mark.parametrize(
    ("name", "content", "args", "message"),
    [
        ("r.txt", None, (), "No such file"),
        ("r.txt", b"  \n", (), "no text in it"),
        ("r.txt", b"a\0b", (), "binary"),
        ("r.csv", b"id,report\n", (), "vertriage run"),
        ("r.txt", b"ok", ("--modality", "XX"), "--modality XX"),
        ("r.txt", b"ok", ("--sex", "q"), "--sex q"),
    ],
)
def test_read_refuses(tmp_path: Path, name: str, content: bytes | None, args: tuple[str, ...], message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = invoke("read", tmp_path / name, *args)
    assert result.exit_code == 2
    assert message in result.stderr


# --------------------------------------------------------------------------------------------------------------------
# evaluate, --version


def test_evaluate_prints_scores_and_errors(tmp_path: Path) -> None:
    gold = {"fractures": [], "context": {}, "pathway": "trauma", "candidate_levels": []}
    path = tmp_path / "g.jsonl"
    path.write_text(
        json.dumps({"report_id": "A1", "text": MRI, "meta": {"modality": "MR"}, "gold": gold}), encoding="utf-8"
    )
    result = invoke("evaluate", path, "--errors", 100, env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    assert "pathway accuracy 0.000" in result.stdout
    assert re.search(r"extra +fracture +A1 L1 +over-read", result.stdout)
    assert "acute compression fracture of L1" in result.stdout.replace("\n", " ")


def test_evaluate_as_json(tmp_path: Path) -> None:
    result = invoke("evaluate", SAMPLES / "gold" / "D1.jsonl", SAMPLES / "gold" / "D2.jsonl", "--json")
    assert result.exit_code == 0, result.output
    numbers = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert numbers["summary"]["reports"] == 60
    assert numbers["features"]["fracture"]["f1"] > 0.5


def test_evaluate_without_gold_is_status_2(tmp_path: Path) -> None:
    result = invoke("evaluate", tmp_path / "none.jsonl")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr


def test_version_and_help() -> None:
    assert re.match(rb"vertriage \S+", program("--version").stdout)
    shown = program("--help")
    assert shown.returncode == 0
    for command in (b"run", b"read", b"evaluate"):
        assert command in shown.stdout


def test_progress_estimates_the_number_of_reports(tmp_path: Path) -> None:
    path = export(tmp_path, [(f"A{n}", "No fracture of the spine. " * 20) for n in range(500)])
    counter = cli._Counter(open_source(path))
    items = counter.items()
    assert counter.expected(None) is None
    for _ in range(250):
        next(items)
    assert counter.expected(None) == pytest.approx(500, rel=0.1)
    assert counter.expected(300) == 300
    assert len(list(items)) == 250
    assert counter.expected(None) == 500
