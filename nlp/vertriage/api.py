"""Vertriage from Python: one report, a data frame, or any stream of records.

>>> import vertriage                                                          # doctest: +SKIP
>>> vertriage.read("Acute L1 compression fracture.", modality="CT").pathway   # doctest: +SKIP
'needs_review'
>>> tables = vertriage.read_frame(df, text="report", id="accession")          # doctest: +SKIP
>>> tables.fractures.query("marrow_edema == 'present'")                       # doctest: +SKIP

On Spark, :func:`map_in_pandas` is what ``DataFrame.mapInPandas`` wants::

    schema = spark_schema("fractures")
    df.mapInPandas(partial(map_in_pandas, table="fractures", text="report", id="accession"), schema=schema)
"""

from __future__ import annotations

import html
import multiprocessing
import os
import signal
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pyarrow as pa

from vertriage.readers import InputError, InputRecord, ReadOptions, RecordMaker, Reject, guess_modality, map_columns
from vertriage.types import CONTEXT_FIELDS, ClinicalFacts, Pathway, ReportReading
from vertriage.writers import SCHEMAS, Rows, to_rows

if TYPE_CHECKING:
    import pandas as pd

    from vertriage.pipeline import Reader

TableName = Literal["reports", "fractures", "evidence"]
CHUNK = 32

LEVELS: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)), *(f"T{n}" for n in range(1, 14)), *(f"L{n}" for n in range(1, 7)),
)  # fmt: skip
_FINDING = ("not_stated", "absent", "possible", "present")
_ORDERED: dict[str, tuple[str, ...]] = {
    "level": LEVELS,
    "status": ("possible", "present"),
    "marrow_edema": _FINDING,
    "cleft": _FINDING,
    "retropulsion": _FINDING,
    "tier": ("conditional", "standard", "strong"),
    **dict.fromkeys(CONTEXT_FIELDS, ("not_stated", "absent", "present")),
}
_UNORDERED: dict[str, tuple[str, ...]] = {
    "acuity": ("acute", "subacute", "chronic", "indeterminate"),
    "pathway": get_args(Pathway),
    "cleft_content": ("fluid", "gas", "mixed"),
    "modality": ("MR", "CT", "XR", "NM", "OT"),
    "sex": ("F", "M"),
    "scope": ("fracture", "context", "history"),
}
# What a frame leaves out of the file tables: where a row came from is the frame's own index.
_NOT_IN_FRAMES = ("source", "row", "text")


@cache
def _reader(lexicons: Path | None = None) -> Reader:
    from vertriage.pipeline import Reader

    return Reader(lexicons)


def read(text: str, *, lexicons: Path | None = None, **meta: Any) -> ReportReading:
    """Read one report.

    Args:
        text: the report, as it is.
        lexicons: a folder of own vocabulary; default the shipped one.
        **meta: what is known beside the text: ``report_id``, ``modality`` (MR, CT, XR, NM, OT; guessed from the text
            when left out), ``age`` in years, ``sex`` (F, M), and any field of :class:`~vertriage.types.ClinicalFacts`
            (``pain_score=8``), or ``clinical`` with all of them.

    Raises:
        TypeError: ``text`` is not a string, or ``meta`` names something unknown.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, not {type(text).__name__}")
    facts = {name: meta.pop(name) for name in _fact_names() & meta.keys()}
    unknown = meta.keys() - {"report_id", "modality", "age", "sex", "clinical"}
    if unknown:
        raise TypeError(
            f"unknown: {', '.join(sorted(unknown))}; allowed: report_id, modality, age, sex, a clinical fact"
        )
    clinical = meta.pop("clinical", None)
    if facts:
        stated = clinical.model_dump(exclude_none=True) if clinical is not None else {}
        clinical = ClinicalFacts(**{**stated, **facts})
    modality = meta.pop("modality", None) or guess_modality(None, text, lexicons)
    return _reader(lexicons).read(text, modality=modality, clinical=clinical, **meta)


def _fact_names() -> set[str]:
    return set(ClinicalFacts.model_fields) - {"age", "sex", "warnings"}


# --------------------------------------------------------------------------------------------------------------------
# Streams


@dataclass(frozen=True)
class _Work:
    """What a worker needs to know besides the records."""

    lexicons: Path | None = None
    keep_text: bool = False
    keep_columns: tuple[str, ...] = ()


def _read_one(item: InputRecord | Reject, work: _Work) -> Rows | Reject:
    if isinstance(item, Reject):
        return item
    try:
        facts, odd = ClinicalFacts.from_row(item.clinical) if item.clinical else (None, [])
        reading = _reader(work.lexicons).read(
            item.text, report_id=item.report_id, modality=item.modality, age=item.age, sex=item.sex, clinical=facts
        )
        return to_rows(item, reading, odd, keep_text=work.keep_text, keep_columns=work.keep_columns)
    except Exception as error:
        # One report must not stop the others. The message may quote the report, so only its type goes on.
        return _failed(item, type(error).__name__)


def _failed(item: InputRecord, why: str) -> Reject:
    return Reject(
        item.source, item.row, item.report_id, "reader_failed", f"the program could not read this report ({why})",
        "Read this report by hand, and tell the maintainers the kind of error.",
    )  # fmt: skip


def _read_chunk(chunk: Sequence[InputRecord | Reject], work: _Work) -> list[Rows | Reject]:
    return [_read_one(item, work) for item in chunk]


def _start_worker(lexicons: Path | None) -> None:
    # Ctrl-C is the main process's business; it then stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reader(lexicons)


def available_cores() -> int:
    """How many cores this process may use (a container or a batch system may allow fewer than the machine has)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def process(
    items: Iterable[InputRecord | Reject],
    *,
    workers: int = 1,
    lexicons: Path | None = None,
    keep_text: bool = False,
    keep_columns: Sequence[str] = (),
    chunk_size: int = CHUNK,
) -> Iterator[Rows | Reject]:
    """Read a stream of records; results come in input order, one for each item.

    With ``workers`` above 1 the records are read in that many processes (spawned, so a script needs the usual
    ``if __name__ == "__main__":``). Only a few chunks are in flight at a time, so memory stays bounded. A report on
    which the reader fails, or with which a process dies, becomes a :class:`~vertriage.readers.Reject`.
    """
    work = _Work(lexicons, keep_text, tuple(keep_columns))
    if workers <= 1:
        _reader(lexicons)  # a lexicon that cannot be loaded is an error of the run, not of every report
        return (_read_one(item, work) for item in items)
    return _process_parallel(iter(items), work, workers, chunk_size)


def _process_parallel(
    items: Iterator[InputRecord | Reject], work: _Work, workers: int, chunk_size: int
) -> Iterator[Rows | Reject]:
    def new_pool() -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(work.lexicons,))

    def submit(chunk: list[InputRecord | Reject]) -> Future[list[Rows | Reject]]:
        try:
            return pool.submit(_read_chunk, chunk, work)
        except BrokenProcessPool as error:  # already known to be broken: the same as finding out when waiting
            failed: Future[list[Rows | Reject]] = Future()
            failed.set_exception(error)
            return failed

    pool = new_pool()
    pending: deque[tuple[list[InputRecord | Reject], Future[list[Rows | Reject]]]] = deque()
    try:
        try:
            pool.submit(available_cores).result()
        except BrokenProcessPool:
            warnings.warn(
                "worker processes do not start (a script needs `if __name__ == '__main__':`); reading in this one",
                RuntimeWarning,
                stacklevel=3,
            )
            _reader(work.lexicons)
            yield from (_read_one(item, work) for item in items)
            return
        while True:
            while len(pending) < workers * 3 and (chunk := list(islice(items, chunk_size))):
                pending.append((chunk, submit(chunk)))
            if not pending:
                return
            chunk, future = pending.popleft()
            try:
                yield from future.result()
            except BrokenProcessPool:
                # A process died and took every future with it. Which report did it shows when they go one at a time.
                again = [*chunk, *(item for waiting, _ in pending for item in waiting)]
                pending.clear()
                pool = new_pool()
                for item in again:
                    try:
                        yield from submit([item]).result()
                    except BrokenProcessPool:
                        pool = new_pool()
                        yield _failed(item, "its process died") if isinstance(item, InputRecord) else item
    finally:
        pool.shutdown(cancel_futures=True)


# --------------------------------------------------------------------------------------------------------------------
# Frames


@dataclass(frozen=True)
class Tables:
    """The readings of a data frame, tidy.

    ``reports``: one row for each row of the input, same order and same index, so ``df.join(tables.reports)`` works;
    a row that could not be read is kept, with the reason in ``problem``. ``fractures``: one row a vertebra.
    ``evidence``: one row a mention, with offsets into the text. The last two are joined by ``report_id``.
    """

    reports: pd.DataFrame
    fractures: pd.DataFrame
    evidence: pd.DataFrame

    def _repr_html_(self) -> str:
        counts = self.reports["pathway"].value_counts()
        unread = int(self.reports["problem"].notna().sum())
        tally = ", ".join(f"{html.escape(str(name))} {n}" for name, n in counts.items() if n)
        blocks = [f"<p><b>{len(self.reports)} reports</b> ({unread} not read): {tally}</p>"]
        for name in ("reports", "fractures", "evidence"):
            frame = getattr(self, name)
            blocks.append(f"<p><b>{name}</b>, {len(frame)} rows</p>{frame.head().to_html(escape=True, max_cols=14)}")
        return "".join(blocks)


def _frame_schema(table: str) -> pa.Schema:
    schema = SCHEMAS[table]
    fields = [f for f in schema if not (table == "reports" and f.name in _NOT_IN_FRAMES)]
    return pa.schema([*fields, pa.field("problem", pa.string())] if table == "reports" else fields)


def _frame(
    table: str, rows: Sequence[Sequence[Any]], index: pd.Index | None = None, plain: bool = False
) -> pd.DataFrame:
    """Rows (in the order of ``_frame_schema``) as a frame whose dtypes do not depend on the rows.

    ``plain``: strings as objects instead of categoricals and ``string``, which is what Spark converts from.
    """
    import pandas as pd

    schema = _frame_schema(table)
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    data: dict[str, Any] = {}
    for field, column in zip(schema, columns, strict=True):
        name, values = field.name, list(column)
        if pa.types.is_list(field.type):
            data[name] = pd.Series(values, dtype=object, index=index)
        elif pa.types.is_integer(field.type):
            data[name] = pd.array(values, dtype="Int64")
        elif pa.types.is_floating(field.type):
            data[name] = pd.array(values, dtype="Float64")
        elif pa.types.is_boolean(field.type):
            data[name] = pd.array(values, dtype="boolean")
        elif pa.types.is_timestamp(field.type):
            data[name] = pd.Series(pd.to_datetime(values), index=index).astype("datetime64[us]")
        elif plain:
            data[name] = pd.Series(values, dtype=object, index=index)
        elif name in _ORDERED:
            data[name] = pd.Categorical(values, categories=_ORDERED[name], ordered=True)
        elif name in _UNORDERED:
            data[name] = pd.Categorical(values, categories=_UNORDERED[name])
        else:
            data[name] = pd.array(values, dtype="string")
    return pd.DataFrame(data, index=index, columns=schema.names)


def _frame_records(
    df: pd.DataFrame, text: str | Sequence[str], id: str | None, named: Mapping[str, str | None], lexicons: Path | None,
    unique_ids: bool,
) -> tuple[Iterator[InputRecord | Reject], str | None]:  # fmt: skip
    """(records, name of the id column or None when the index serves)."""
    names = [str(name) for name in df.columns]
    if len(set(names)) < len(names):
        raise InputError("data frame: two columns have the same name; rename one of them.")
    # The defaults "text" and "report_id" are only wishes: without such a column the usual guess decides.
    texts = (text,) if isinstance(text, str) else tuple(text)
    texts = () if texts == ("text",) and "text" not in names else texts
    given_id = None if id == "report_id" and "report_id" not in names else id
    columns = map_columns(
        names, ReadOptions(text_columns=texts, id_column=given_id, **named), where="data frame", lexicons=lexicons
    )
    id_column = columns.roles.get("report_id")
    wanted = [*columns.roles.values(), *(c for _, c in columns.parts), *columns.clinical.values()]
    wanted = list(dict.fromkeys(wanted))
    by_name = dict(zip(names, df.columns, strict=True))
    cells = [df[by_name[name]].tolist() for name in wanted]
    if id_column is None:
        id_column_in_rows = "\0index"
        columns = replace(columns, roles={"report_id": id_column_in_rows, **columns.roles})
        wanted.append(id_column_in_rows)
        cells.append(["/".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in df.index])
    maker = RecordMaker("data frame", columns, False, lexicons, unique_ids)
    rows = zip(*cells, strict=True) if len(df) else ()
    return (maker(dict(zip(wanted, row, strict=True)), i) for i, row in enumerate(rows, 1)), id_column


def _collect(results: Iterable[Rows | Reject], tables: Sequence[str]) -> dict[str, list[Sequence[Any]]]:
    """Rows for ``_frame``; a reject becomes a row of ``reports`` with only id and problem."""
    names = SCHEMAS["reports"].names
    kept = [i for i, name in enumerate(names) if name not in _NOT_IN_FRAMES]
    out: dict[str, list[Sequence[Any]]] = {name: [] for name in tables}
    for result in results:
        if isinstance(result, Reject):
            if "reports" in out:
                empty = [None] * (len(kept) - 1)
                out["reports"].append([result.report_id, *empty, f"{result.kind}: {result.reason}"])
            continue
        for name in tables:
            rows = getattr(result, name)
            out[name] += [[*(row[i] for i in kept), None] for row in rows] if name == "reports" else rows
    return out


def read_frame(
    df: pd.DataFrame,
    text: str | Sequence[str] = "text",
    id: str | None = "report_id",
    *,
    modality: str | None = None,
    description: str | None = None,
    age: str | None = None,
    sex: str | None = None,
    patient: str | None = None,
    date: str | None = None,
    n_process: int = 1,
    lexicons: Path | None = None,
) -> Tables:
    """Read every row of a frame.

    Args:
        df: one row a report.
        text: the column with the report, or several columns (findings, impression, ...) that are joined.
        id: the column with the report id; without one the index is the id. An id that occurs again gets ``~2``.
        modality, description, age, sex, patient, date: column names; those left out are guessed from
            ``lexicons/columns.yaml``, as are the clinical facts (``pain_score``, ``t_score``, ...).
        n_process: processes to read with; 0 for all cores.
        lexicons: a folder of own vocabulary.

    Returns:
        :class:`Tables`. Integer ids stay integers when all of them are unique and present; any other id is a string.

    Raises:
        InputError: a named column does not exist, or no column looks like the report text.
    """
    import pandas as pd

    named = {
        "modality_column": modality, "description_column": description, "age_column": age, "sex_column": sex,
        "patient_column": patient, "date_column": date,
    }  # fmt: skip
    records, id_column = _frame_records(df, text, id, named, lexicons, unique_ids=True)
    workers = available_cores() if n_process == 0 else n_process
    rows = _collect(process(records, workers=workers, lexicons=lexicons), get_args(TableName))
    frames = {name: _frame(name, rows[name], df.index if name == "reports" else None) for name in rows}
    ids = df.index.to_series() if id_column is None else df[id_column]
    if pd.api.types.is_integer_dtype(ids.dtype) and ids.is_unique and not ids.isna().any():
        frames = {name: frame.astype({"report_id": ids.dtype}) for name, frame in frames.items()}
    return Tables(**frames)


def map_in_pandas(
    batches: Iterable[pd.DataFrame],
    *,
    table: TableName = "reports",
    text: str | Sequence[str] = "text",
    id: str | None = "report_id",
    lexicons: Path | None = None,
    **columns: str | None,
) -> Iterator[pd.DataFrame]:
    """One table of the readings, batch by batch: what Spark's ``mapInPandas`` calls (bind arguments with ``partial``).

    Takes the column arguments of :func:`read_frame`. Ids stay as they are, also when they repeat: a partition does not
    know the others. A batch yields one frame with the columns of ``spark_schema(table)``, also when it has no rows.
    """
    named = {f"{role}_column": name for role, name in columns.items()}
    for df in batches:
        records, _ = _frame_records(df, text, id, named, lexicons, unique_ids=False)
        yield _frame(table, _collect(process(records, lexicons=lexicons), [table])[table], plain=True)


_SPARK = {"string": "string", "double": "double", "bool": "boolean", "timestamp[us]": "timestamp_ntz"}


def spark_schema(table: TableName) -> str:
    """The schema of :func:`map_in_pandas`'s output as Spark DDL.

    >>> spark_schema("fractures")[:41]
    'report_id string, fracture bigint, level '
    """

    def kind(type_: pa.DataType) -> str:
        if pa.types.is_list(type_):
            return f"array<{kind(type_.value_type)}>"
        return "bigint" if pa.types.is_integer(type_) else _SPARK[str(type_)]

    return ", ".join(f"{'`end`' if f.name == 'end' else f.name} {kind(f.type)}" for f in _frame_schema(table))
