"""Readings out: tidy tables, JSON lines and the worklist.

One reading becomes rows of four tables and one line of JSON (:func:`to_rows`), and :class:`RunWriter` writes them as
they come, in input order, with bounded memory:

====================  ===================================================================
``reports.parquet``   one row a report: pathway, candidate levels, context, warnings
``fractures.parquet`` one row a fractured vertebra
``evidence.parquet``  one row a mention: which words gave which value
``decisions.parquet`` one row a report: tier, targets, reasons, cautions, next steps
``readings.jsonl``    one line a report, the annotation guidelines' field names
``rejects.jsonl``     one line a row that could not be processed, with reason and remedy
``worklist.csv``      the patients with a fracture, most urgent first, by their latest report
====================  ===================================================================

The files appear together at the end: everything is written under a temporary folder inside the output folder and
renamed when complete, so a run that is interrupted leaves earlier results as they were.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from vertriage.patients import Study, worklist
from vertriage.readers import InputError, InputRecord, Reject
from vertriage.types import CONTEXT_FIELDS, Decision, Evidence, FractureReading, Reason, ReportReading

_STRINGS = pa.list_(pa.string())
_EVIDENCE = pa.struct(
    [
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("section", pa.string()),
    ]
)
_REASONS = pa.list_(
    pa.struct(
        [
            pa.field("rule", pa.string()),
            pa.field("text", pa.string()),
            pa.field("source", pa.string()),
            pa.field("evidence", pa.list_(_EVIDENCE)),
        ]
    )
)
_RATINGS = pa.list_(pa.struct([pa.field(name, pa.string()) for name in ("option", "rating", "source", "note")]))


def _schema(**fields: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()])


REPORTS = _schema(
    report_id=pa.string(),
    source=pa.string(),
    row=pa.int64(),
    patient_id=pa.string(),
    exam_date=pa.timestamp("us"),
    exam_description=pa.string(),
    modality=pa.string(),
    age=pa.int16(),
    sex=pa.string(),
    pathway=pa.string(),
    tier=pa.string(),
    candidate_levels=_STRINGS,
    fracture_count=pa.int16(),
    fracture_levels=_STRINGS,
    **dict.fromkeys(CONTEXT_FIELDS, pa.string()),
    review_reasons=_STRINGS,
    warnings=_STRINGS,
    text=pa.string(),
)
FRACTURES = _schema(
    report_id=pa.string(),
    fracture=pa.int16(),
    level=pa.string(),
    status=pa.string(),
    acuity=pa.string(),
    marrow_edema=pa.string(),
    cleft=pa.string(),
    cleft_content=pa.string(),
    height_loss_percent=pa.float64(),
    retropulsion=pa.string(),
    malignant_features=_STRINGS,
    augmented=pa.bool_(),
    candidate=pa.bool_(),
)
EVIDENCE = _schema(
    report_id=pa.string(),
    scope=pa.string(),
    fracture=pa.int16(),
    level=pa.string(),
    field=pa.string(),
    value=pa.string(),
    start=pa.int32(),
    end=pa.int32(),
    text=pa.string(),
    section=pa.string(),
)
DECISIONS = _schema(
    report_id=pa.string(),
    pathway=pa.string(),
    tier=pa.string(),
    priority=pa.int16(),
    target_levels=_STRINGS,
    ratings=_RATINGS,
    reasons=_REASONS,
    cautions=_REASONS,
    missing=_STRINGS,
    next_steps=_STRINGS,
    follow_up=pa.string(),
    fracture_liaison=pa.bool_(),
    contradictions=_STRINGS,
    warnings=_STRINGS,
    disclaimer=pa.string(),
)
SCHEMAS: Mapping[str, pa.Schema] = {
    "reports": REPORTS,
    "fractures": FRACTURES,
    "evidence": EVIDENCE,
    "decisions": DECISIONS,
}


class Rows(NamedTuple):
    """One reading, flattened: tuples in the order of the schemas, and its line of ``readings.jsonl``."""

    reports: list[tuple[Any, ...]]
    fractures: list[tuple[Any, ...]]
    evidence: list[tuple[Any, ...]]
    decisions: list[tuple[Any, ...]]
    line: str

    @property
    def pathway(self) -> str:
        return self.reports[0][_PATHWAY]


_PATHWAY = REPORTS.get_field_index("pathway")
_WARNINGS = REPORTS.get_field_index("warnings")


def to_rows(
    record: InputRecord,
    reading: ReportReading,
    warnings: Sequence[str] = (),
    *,
    keep_text: bool = False,
    keep_columns: Sequence[str] = (),
) -> Rows:
    """Flatten one reading into the rows of all tables; ``warnings`` are added to those of the record.

    The report's own text goes into ``reports.text`` only with ``keep_text``; a report that was split over columns is
    then found there as it was put together, which is what evidence offsets count in.
    """
    rid = reading.report_id
    meta, decision = reading.meta, reading.decision
    context = reading.context
    report = (
        rid, record.source, record.row, record.patient_id, record.exam_date, record.exam_description,
        meta.modality, meta.age, meta.sex, reading.pathway, decision.tier if decision else None,
        reading.candidate_levels, len(reading.fractures), [f.level or "unspecified" for f in reading.fractures],
        *(getattr(context, name) for name in CONTEXT_FIELDS),
        reading.review_reasons, [*record.warnings, *warnings], record.text if keep_text else None,
        *(record.extra.get(column) for column in keep_columns),
    )  # fmt: skip
    candidates = set(reading.candidate_levels)
    fractures: list[tuple[Any, ...]] = []
    evidence: list[tuple[Any, ...]] = []
    for number, fx in enumerate(reading.fractures):
        fractures.append((
            rid, number, fx.level, fx.status, fx.acuity, fx.marrow_edema, fx.cleft, fx.cleft_content,
            fx.height_loss_percent, fx.retropulsion, fx.malignant_features, fx.augmented,
            (fx.level or "unspecified") in candidates,
        ))  # fmt: skip
        for field, spans in fx.evidence.items():
            value = _value(getattr(fx, field, None))
            evidence += [(rid, "fracture", number, fx.level, field, value, *_span(e)) for e in spans]
    for field, spans in reading.context_evidence.items():
        value = _value(getattr(context, field, None))
        evidence += [(rid, "context", None, None, field, value, *_span(e)) for e in spans]
    if reading.history is not None:
        for field, spans in reading.history.evidence.items():
            value = _value(getattr(reading.history, field, None))
            evidence += [(rid, "history", None, None, field, value, *_span(e)) for e in spans]
    decisions = [_decision_row(rid, decision)] if decision is not None else []
    return Rows([report], fractures, evidence, decisions, reading.model_dump_json())


def _value(value: object) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return None if value is None else str(value)


def _span(e: Evidence) -> tuple[int, int, str, str]:
    return e.start, e.end, e.text, e.section


def _decision_row(report_id: str, d: Decision) -> tuple[Any, ...]:
    def reasons(items: Iterable[Reason]) -> list[dict[str, Any]]:
        return [r.model_dump(include={"rule", "text", "source", "evidence"}) for r in items]

    return (
        report_id, d.pathway, d.tier, d.priority, d.target_levels,
        [r.model_dump() for r in d.ratings], reasons(d.reasons), reasons(d.cautions),
        d.missing, d.next_steps, d.follow_up, d.fracture_liaison, d.contradictions, d.warnings, d.disclaimer,
    )  # fmt: skip


def to_table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """A table of exactly ``schema`` from row tuples; no rows give an empty table with the same types."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    arrays = [pa.array(list(column), type=field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def safe_cell(value: object) -> object:
    """A cell that a spreadsheet shows and never runs: text that starts like a formula gets a leading apostrophe.

    Source: OWASP, "CSV injection".

    >>> safe_cell("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return "'" + text if value[:1] in ("\t", "\r", "\n") or text[:1] in ("=", "+", "-", "@", "|", "%") else text


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """A CSV that opens correctly in a spreadsheet: UTF-8 with mark, every cell made safe by :func:`safe_cell`."""
    with path.open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows([safe_cell(row.get(column)) for column in columns] for row in rows)


class _Worklist:
    """Gathers what the patient-level view needs of each report: little of a report without fracture."""

    COLUMNS = (
        "place", "patient_id", "report_id", "exam_date", "exam_description", "modality", "age", "sex", "pathway",
        "tier", "target_levels", "fractures", "reasons", "cautions", "missing", "review_reasons", "next_steps",
        "history", "reports", "fracture_counts", "fracture_liaison", "warnings",
        "source", "row",
    )  # fmt: skip

    def __init__(self, keep_columns: Sequence[str]) -> None:
        self._kept = tuple(f"input_{name}" for name in keep_columns)
        self._studies: list[Study] = []
        self._details: dict[str, dict[str, object]] = {}
        self._disclaimer = ""

    def add(self, rows: Rows) -> None:
        report = dict(zip((*REPORTS.names, *self._kept), rows.reports[0], strict=True))
        decision = dict(zip(DECISIONS.names, rows.decisions[0], strict=True)) if rows.decisions else {}
        fractures = [dict(zip(FRACTURES.names, row, strict=True)) for row in rows.fractures]
        self._studies.append(
            Study(
                report_id=report["report_id"],
                patient_id=report["patient_id"],
                date=report["exam_date"].date() if report["exam_date"] else None,
                # Copying skips the checks, which these values passed when they were read.
                fractures=[_NO_VALUES.model_copy(update={name: f[name] for name in _SHARED}) for f in fractures],
                pathway=report["pathway"],
                tier=report["tier"],
                priority=decision.get("priority", 0),
                target_levels=decision.get("target_levels", ()),
                fracture_liaison=decision.get("fracture_liaison", False),
            )
        )
        if report["pathway"] == "no_fracture":
            return
        self._disclaimer = decision.get("disclaimer", self._disclaimer)
        self._details[report["report_id"]] = {
            **{name: report[name] for name in (*_FROM_REPORT, *self._kept)},
            "fractures": "; ".join(map(_fracture_words, fractures)),
            "reasons": " ".join(reason["text"] for reason in decision.get("reasons", ())),
            "cautions": " ".join(caution["text"] for caution in decision.get("cautions", ())),
            "missing": "; ".join(decision.get("missing", ())),
            "next_steps": " ".join(decision.get("next_steps", ())),
            "review_reasons": "; ".join(report["review_reasons"]),
            "warnings": "; ".join([*report["warnings"], *decision.get("contradictions", ())]),
        }

    def _rows(self) -> Iterator[dict[str, object]]:
        fractured = (v for v in worklist(self._studies) if any(s.pathway != "no_fracture" for s in v.studies))
        for place, view in enumerate(fractured, 1):
            latest = view.latest
            yield {
                **self._details.get(latest.report_id, {}),
                "place": place,
                "patient_id": latest.patient_id,
                "report_id": latest.report_id,
                "exam_date": latest.date.isoformat() if latest.date else None,
                "pathway": latest.pathway,
                "tier": latest.tier,
                "target_levels": ", ".join(latest.target_levels),
                "history": " ".join(f"{event.date}: {event.text}" for event in view.events),
                "reports": len(view.studies),
                "fracture_counts": "; ".join(f"{day or 'undated'}: {count}" for day, count in view.fracture_counts),
                "fracture_liaison": "yes" if view.fracture_liaison else "no",
                "disclaimer": self._disclaimer,
            }

    def write(self, path: Path) -> None:
        write_csv(path, (*self.COLUMNS, *self._kept, "disclaimer"), self._rows())


_NO_VALUES = FractureReading(level=None)
_SHARED = tuple(FractureReading.model_fields.keys() & set(FRACTURES.names))
_FROM_REPORT = ("exam_description", "modality", "age", "sex", "source", "row")


def _fracture_words(fracture: Mapping[str, Any]) -> str:
    """One fracture in a cell: ``T12 acute, edema, cleft (gas), 40%``; a "?" marks what is only possible."""
    words = [(fracture["level"] or "unspecified") + ("?" if fracture["status"] == "possible" else "")]
    words[0] += f" {fracture['acuity']}"
    content = fracture["cleft_content"]
    cleft = f"cleft ({content})" if content else "cleft"
    for name, label in (("marrow_edema", "edema"), ("cleft", cleft), ("retropulsion", "retropulsion")):
        if fracture[name] in ("present", "possible"):
            words.append(label + ("?" if fracture[name] == "possible" else ""))
    if fracture["height_loss_percent"] is not None:
        words.append(f"{fracture['height_loss_percent']:g}%")
    words += [feature.replace("_", " ") for feature in fracture["malignant_features"]]
    if fracture["augmented"]:
        words.append("cemented")
    return ", ".join(words)


class RunWriter:
    """Writes one run's files; use as a context manager. See the module docstring for the files.

    Args:
        out: the output folder; made when missing.
        keep_columns: names of columns carried through from the export; they follow the fixed columns of
            ``reports.parquet`` as strings, with ``input_`` before their name.
        flush_every: rows of a table that are held in memory before they are written.

    Raises:
        InputError: the folder cannot be made or written to.
    """

    def __init__(self, out: Path, *, keep_columns: Sequence[str] = (), flush_every: int = 5000) -> None:
        self.out = out
        self.flush_every = flush_every
        self._worklist = _Worklist(keep_columns)
        self.pathways: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.warned = 0
        extra = [pa.field(f"input_{name}", pa.string()) for name in keep_columns]
        self._schemas = {**SCHEMAS, "reports": pa.schema([*REPORTS, *extra])}
        self._buffers: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}

    def __enter__(self) -> RunWriter:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=".vertriage-", dir=self.out))
        except OSError as error:
            raise InputError(f"{self.out}: cannot write here ({error.strerror}); choose another folder.") from None
        self._parquet = {
            name: pq.ParquetWriter(self._temporary / f"{name}.parquet", schema, compression="zstd")
            for name, schema in self._schemas.items()
        }
        self._readings = self._open("readings.jsonl")
        self._rejects = self._open("rejects.jsonl")
        return self

    def _open(self, name: str) -> IO[str]:
        return (self._temporary / name).open("w", encoding="utf-8", newline="\n")

    def add(self, item: Rows | Reject) -> None:
        """Write one reading or one reject; call in input order."""
        if isinstance(item, Reject):
            self.rejects[item.kind] += 1
            self._rejects.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
            return
        self.pathways[item.pathway] += 1
        self.warned += bool(item.reports[0][_WARNINGS])
        self._worklist.add(item)
        self._readings.write(item.line + "\n")
        for name, buffer in self._buffers.items():
            buffer += getattr(item, name)
            if len(buffer) >= self.flush_every:
                self._flush(name)

    def _flush(self, name: str) -> None:
        if self._buffers[name]:
            self._parquet[name].write_table(to_table(self._buffers[name], self._schemas[name]))
            self._buffers[name].clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for name in self._buffers:
                    self._flush(name)
                self._worklist.write(self._temporary / "worklist.csv")
            for writer in self._parquet.values():
                writer.close()
            self._readings.close()
            self._rejects.close()
            if kind is None:
                for path in sorted(self._temporary.iterdir()):
                    os.replace(path, self.out / path.name)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
