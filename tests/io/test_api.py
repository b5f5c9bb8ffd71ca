"""Readings as data frames: nothing dropped, the same types whatever the data, safe to show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from vertriage import api
from vertriage.api import LEVELS, Tables, map_in_pandas, process, read, read_frame, spark_schema
from vertriage.readers import InputError, InputRecord, Reject
from vertriage.types import ClinicalFacts
from vertriage.writers import Rows

pytestmark = pytest.mark.usefixtures("plain_reader")
SECRET = "zebralantern"


def frame(**columns: Any) -> pd.DataFrame:
    data = {"report_id": ["A", "B", "C"], "text": ["L1 fracture and T12 fracture", None, "Normal, back pain"]}
    return pd.DataFrame({**data, **columns})


def test_one_row_a_report_a_vertebra_a_mention() -> None:
    tables = read_frame(frame(modality=["MR", "CT", "XR"], age=[80, 81, None]))
    assert tables.reports["report_id"].tolist() == ["A", "B", "C"]
    assert tables.reports["fracture_count"].tolist() == [2, pd.NA, 0]
    assert tables.reports["modality"].astype("string").fillna("").tolist() == ["MR", "", "XR"]
    assert tables.reports["candidate_levels"][0] == ["L1", "T12"]
    assert tables.fractures[["report_id", "level"]].to_numpy().tolist() == [["A", "L1"], ["A", "T12"]]
    mentions = tables.evidence.merge(frame(), on="report_id", suffixes=("", "_report"))
    assert len(mentions) == len(tables.evidence) == 5
    assert [t[s:e] for t, s, e in zip(mentions.text_report, mentions.start, mentions.end, strict=True)] == list(
        mentions.text
    )


def test_what_cannot_be_read_stays_in_with_its_problem() -> None:
    df = pd.DataFrame(
        {"report_id": list("ABCDEF"), "text": ["ok", None, "", float("nan"), 12.5, f"crash {SECRET}"]},
        index=range(10, 16),
    )
    reports = read_frame(df).reports
    assert reports.index.tolist() == list(range(10, 16))
    assert reports["problem"].isna().tolist() == [True] + [False] * 5
    assert [p.split(":")[0] for p in reports["problem"].dropna()] == [
        "empty_text", "empty_text", "empty_text", "not_text", "reader_failed",
    ]  # fmt: skip
    assert "RuntimeError" in reports["problem"].iloc[-1]
    assert SECRET not in reports.to_csv()


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 5, 7]),
        pd.Index(["x", "y", "z"], name="key"),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["site", "n"]),
        pd.date_range("2026-01-01", periods=3),
    ],
)
def test_the_index_is_kept(index: pd.Index) -> None:
    df = frame().set_axis(index)
    reports = read_frame(df).reports
    pd.testing.assert_index_equal(reports.index, index)
    if index.is_unique:
        assert df.join(reports[["pathway"]])["pathway"].tolist()[0] == "augmentation_candidate"


def test_without_an_id_column_the_index_is_the_id() -> None:
    df = frame().drop(columns="report_id").set_axis(["x", "y", "z"])
    tables = read_frame(df)
    assert tables.reports["report_id"].tolist() == ["x", "y", "z"]
    assert tables.fractures["report_id"].tolist() == ["x", "x"]


def test_integer_ids_can_be_merged_on() -> None:
    df = frame(report_id=[11, 12, 13])
    tables = read_frame(df)
    assert all(
        t["report_id"].dtype == df["report_id"].dtype for t in (tables.reports, tables.fractures, tables.evidence)
    )
    assert len(df.merge(tables.fractures, on="report_id")) == 2


def test_repeated_ids_are_told_apart() -> None:
    reports = read_frame(frame(report_id=["A", "A", "A"], text=["L1 fracture"] * 3)).reports
    assert reports["report_id"].tolist() == ["A", "A~2", "A~3"]
    assert "already used" in reports["warnings"][1][0]


def types(tables: Tables) -> dict[str, dict[str, str]]:
    return {name: getattr(tables, name).dtypes.astype(str).to_dict() for name in ("reports", "fractures", "evidence")}


def test_types_do_not_depend_on_the_data() -> None:
    usual = types(read_frame(frame()))
    empty = frame().iloc[:0]
    assert types(read_frame(empty)) == usual
    assert types(read_frame(frame(text=[None] * 3))) == usual
    assert types(read_frame(frame(text=["Normal"] * 3))) == usual
    assert "float64" not in str(usual)
    assert usual["fractures"]["height_loss_percent"] == "Float64"
    assert usual["evidence"]["start"] == "Int64"
    assert usual["fractures"]["augmented"] == "boolean"


def test_levels_and_findings_sort_the_way_they_should() -> None:
    fractures = read_frame(frame(text=["L1 fracture, T12 fracture, T2 fracture"] * 3)).fractures
    assert fractures["level"].sort_values().unique().tolist() == ["T2", "T12", "L1"]
    assert list(fractures["level"].cat.categories) == list(LEVELS)
    assert (fractures["marrow_edema"] > "absent").all()


def test_columns_by_name_or_guess() -> None:
    df = frame().rename(columns={"report_id": "Accession #", "text": "Report Text"})
    assert read_frame(df).reports["report_id"].tolist() == ["A", "B", "C"]
    df = df.rename(columns={"Report Text": "body", "Accession #": "key"})
    assert read_frame(df, text="body", id="key").reports["report_id"].tolist() == ["A", "B", "C"]
    with pytest.raises(InputError, match="'nope'"):
        read_frame(df, text="nope")


def test_a_report_in_several_columns() -> None:
    df = pd.DataFrame({"id": ["A"], "findings": ["T12 fracture."], "impression": ["L1 fracture."]})
    assert read_frame(df).fractures["level"].tolist() == ["T12", "L1"]
    assert read_frame(df, text=["impression"], id="id").fractures["level"].tolist() == ["L1"]


def test_the_frame_is_not_changed() -> None:
    df = frame()
    before = df.copy(deep=True)
    read_frame(df)
    pd.testing.assert_frame_equal(df, before)


def test_clinical_columns_reach_the_reader() -> None:
    reports = read_frame(frame(pain_score=[8, 14, 99], text=["ok"] * 3)).reports
    assert reports["warnings"].map(len).tolist() == [0, 1, 1]
    assert "pain_score" in reports["warnings"][1][0]


def test_two_columns_of_one_name() -> None:
    df = frame()
    df.columns = ["text", "text"]
    with pytest.raises(InputError, match="same name"):
        read_frame(df)


def test_tables_show_as_html_and_escape_it() -> None:
    page = read_frame(frame(report_id=["<script>alert(1)</script>", "B", "C"]))._repr_html_()
    assert "<script" not in page
    assert "3 reports" in page
    assert "1 not read" in page
    assert "augmentation_candidate 1" in page


# --------------------------------------------------------------------------------------------------------------------
# One report


def test_read_guesses_the_modality_unless_given() -> None:
    assert read("MRI LUMBAR SPINE\n\nL1 fracture").meta.modality == "MR"
    assert read("MRI LUMBAR SPINE\n\nL1 fracture", modality="CT").meta.modality == "CT"


def test_read_takes_clinical_facts() -> None:
    assert read("ok", pain_score=8).clinical == ClinicalFacts(pain_score=8)
    both = read("ok", clinical=ClinicalFacts(pain_weeks=3), pain_score=8).clinical
    assert (both.pain_weeks, both.pain_score) == (3, 8)


@pytest.mark.parametrize(("args", "meta"), [((None,), {}), ((5,), {}), (("ok",), {"modalty": "MR"})])
def test_read_refuses_what_it_does_not_know(args: tuple[Any, ...], meta: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        read(*args, **meta)


# --------------------------------------------------------------------------------------------------------------------
# Streams and Spark


def record(n: int, text: str = "L1 fracture") -> InputRecord:
    return InputRecord("x", n, f"R{n}", text)


def test_a_failing_report_does_not_stop_the_others() -> None:
    items = [record(1), record(2, f"crash {SECRET}"), Reject("x", 3, None, "broken_json", "r", "m"), record(4)]
    results = list(process(items))
    assert [type(r) for r in results] == [Rows, Reject, Reject, Rows]
    assert (results[1].kind, results[1].row, results[1].report_id) == ("reader_failed", 2, "R2")
    assert SECRET not in str(results[1])


def test_process_is_lazy() -> None:
    taken = []

    def items() -> Any:
        for n in range(1000):
            taken.append(n)
            yield record(n)

    next(iter(process(items())))
    assert len(taken) == 1


@pytest.mark.parametrize("table", ["reports", "fractures", "evidence"])
def test_map_in_pandas_gives_what_its_schema_says(table: Any) -> None:
    batches = [frame(), frame().iloc[:0], frame(report_id=["A", "A", "A"], text=["Normal"] * 3)]
    out = list(map_in_pandas(iter(batches), table=table))
    fields = [part.split(" ") for part in spark_schema(table).replace(", ", "\n").split("\n")]
    kinds = {
        "string": pa.string(), "bigint": pa.int64(), "double": pa.float64(), "boolean": pa.bool_(),
        "array<string>": pa.list_(pa.string()), "timestamp_ntz": pa.timestamp("us"),
    }  # fmt: skip
    schema = pa.schema([(name.strip("`"), kinds[kind]) for name, kind in fields])
    # The conversion that Spark does on every batch.
    arrow = pa.concat_tables([pa.Table.from_pandas(df, schema=schema, preserve_index=False) for df in out])
    assert len(out) == 3
    if table == "reports":
        assert arrow["report_id"].to_pylist() == ["A", "B", "C", "A", "A", "A"]
        assert arrow["problem"].null_count == 5
    if table == "fractures":
        assert arrow["level"].to_pylist() == ["L1", "T12"]


def test_map_in_pandas_takes_column_names() -> None:
    df = frame().rename(columns={"report_id": "key", "text": "body"})
    (out,) = map_in_pandas(iter([df]), text="body", id="key", table="fractures")
    assert out["report_id"].tolist() == ["A", "A"]


SCRIPT = """
import multiprocessing, os, sys
import vertriage.pipeline as pipeline
from vertriage.api import process
from vertriage.readers import InputRecord

class Reader:  # stands in for the pipeline, also in the worker processes, which import this module again
    def __init__(self, lexicons=None): self.inner = Inner(lexicons)
    def read(self, text, **meta):
        if "die" in text: os._exit(3)
        if "raise" in text: raise ValueError(text)
        return self.inner.read(text, **meta)
Inner, pipeline.Reader = pipeline.Reader, Reader

if __name__ == "__main__":
    texts = ["Acute L1 compression fracture."] * 150
    texts[40], texts[77], texts[120] = "please die", "please raise", "die here"
    items = [InputRecord("x", n, f"R{n}", t, "CT") for n, t in enumerate(texts)]
    for result in process(iter(items), workers=2, chunk_size=8):
        if hasattr(result, "kind"): print("reject", result.report_id, result.reason)
        else: print("read", result.reports[0][0], len(result.fractures))
"""


def run_script(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(script, encoding="utf-8")
    source = str(Path(api.__file__).resolve().parents[1])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=env, timeout=300, check=False
    )


def test_processes_keep_the_order_and_survive_a_death(tmp_path: Path) -> None:
    done = run_script(tmp_path, SCRIPT)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert [line[1] for line in lines] == [f"R{n}" for n in range(150)]
    rejects = {line[1]: line[2] for line in lines if line[0] == "reject"}
    assert set(rejects) == {"R40", "R77", "R120"}
    assert "process died" in rejects["R40"]
    assert "ValueError" in rejects["R77"]
    assert all(line[2] == "1" for line in lines if line[0] == "read")


def test_a_script_without_main_guard_still_gets_its_readings(tmp_path: Path) -> None:
    script = (
        "import pandas as pd\nfrom vertriage.api import read_frame\n"
        "df = pd.DataFrame({'text': ['Acute L1 compression fracture.'] * 5})\n"
        "print(len(read_frame(df, n_process=2).fractures))\n"
    )
    done = run_script(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["5"]
    assert "__main__" in done.stderr
