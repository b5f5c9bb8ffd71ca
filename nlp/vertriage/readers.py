"""Report exports in, one stream of records out.

CSV (any of ``, ; tab |``), JSON lines, Parquet, a folder of ``.txt`` files and a single ``.txt`` file all become the
same lazy stream of :class:`InputRecord` and :class:`Reject`, in input order. A row that cannot be read becomes a
``Reject`` that names file, row, reason and remedy; no row is dropped. Neither reasons nor error messages ever quote
report text.

Before and after::

    Accession;Exam;Age;Report                 InputRecord(row=2, report_id="A1", text="L1 fracture.",
    A1;MRI LUMBAR SPINE;081Y;"L1 fracture."               modality="MR", age=81, ...)
    A2;MRI LUMBAR SPINE;77Y;""           ->   Reject(row=3, report_id="A2", kind="empty_text", ...)

Column names come from ``lexicons/columns.yaml`` and the vocabulary of exam descriptions from
``lexicons/modality.yaml``.

>>> source = open_source("export.csv")                                      # doctest: +SKIP
>>> source.columns.describe()                                               # doctest: +SKIP
[('report id', 'Accession', 'guessed'), ('text', 'Report', 'guessed'), ...]
>>> for item in source: ...                                                 # doctest: +SKIP
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, get_args

from vertriage.lexicon import lexicon_dir, load_yaml
from vertriage.types import Modality, Sex

Format = Literal["csv", "jsonl", "json", "parquet", "folder", "txt"]
RejectKind = Literal[
    "empty_text", "not_text", "ragged_row", "broken_quotes", "broken_json", "unreadable_file", "reader_failed"
]
FORMATS: tuple[str, ...] = get_args(Format)
MODALITIES: tuple[str, ...] = get_args(Modality)

# A record longer than this is taken for a quote that was never closed: the longest real reports (with addenda) are
# two orders of magnitude shorter.
MAX_RECORD_CHARS = 1_000_000
_SAMPLE_RECORDS = 200
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet", ".txt": "txt",
}  # fmt: skip


class InputError(ValueError):
    """The input as a whole cannot be read. The message names the file and the remedy and holds no report text."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """One report as it came.

    ``row`` is what a person would look up: the spreadsheet row of a CSV (the header is row 1), the line of a JSON lines
    file, the 1-based row of a Parquet file, the 1-based position of a file in a folder. ``text`` is exactly what was
    received, apart from characters that no file can hold (NUL, lone surrogates), each replaced by U+FFFD so that
    offsets stay true. ``age`` is in years. ``clinical`` maps the names of clinical facts (``pain_score``, ...) to the
    values in the export, unchecked. ``warnings`` says what was odd about the row without being a reason to reject it.
    """

    source: str
    row: int
    report_id: str
    text: str
    modality: Modality = "OT"
    age: int | None = None
    sex: Sex | None = None
    clinical: Mapping[str, Any] = field(default_factory=dict)
    patient_id: str | None = None
    exam_date: datetime | None = None
    exam_description: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that could not be processed: where it is, why, and what to do about it. Never holds report text."""

    source: str
    row: int
    report_id: str | None
    kind: RejectKind
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller knows better than the guess. Column names are matched without regard to case.

    ``text_columns``: one column with the whole report, or several that are joined with their names as headings.
    ``keep_columns``: further columns to carry through to ``InputRecord.extra``. ``day_first``: whether 03/04/2026 is
    the third of April; None means: decided from the dates themselves, month first when they do not tell.
    """

    text_columns: tuple[str, ...] = ()
    id_column: str | None = None
    modality_column: str | None = None
    description_column: str | None = None
    age_column: str | None = None
    sex_column: str | None = None
    patient_column: str | None = None
    date_column: str | None = None
    keep_columns: tuple[str, ...] = ()
    format: Format | None = None
    delimiter: str | None = None
    encoding: str | None = None
    day_first: bool | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column plays which role. ``roles`` maps a role to a column; ``parts`` are (heading, column) pairs of a
    report that is split over columns; ``given`` are the roles the caller named; ``unused`` the columns with no role."""

    roles: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[tuple[str, str], ...] = ()
    clinical: Mapping[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    keep: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def describe(self) -> list[tuple[str, str, str]]:
        """(role, column or columns, "given" or "guessed"), in reading order, for printing."""
        rows = [
            (role.replace("_", " "), column, "given" if role in self.given else "guessed")
            for role, column in self.roles.items()
        ]
        if self.parts:
            how = "given" if "text" in self.given else "guessed"
            rows.insert(1 if "report_id" in self.roles else 0, ("text", " + ".join(c for _, c in self.parts), how))
        rows += [("clinical fact " + fact, column, "guessed") for fact, column in self.clinical.items()]
        rows += [("kept", column, "given") for column in self.keep]
        return rows


def _lexicon(name: str, lexicons: Path | None) -> Any:
    # A folder of own vocabulary need not repeat the files that describe exports.
    path = lexicons / name if lexicons is not None else lexicon_dir() / name
    return load_yaml(path if path.exists() else lexicon_dir() / name)


# --------------------------------------------------------------------------------------------------------------------
# Modality


@dataclass(frozen=True)
class _ModalityRules:
    codes: Mapping[str, Modality]
    title: re.Pattern[str]
    body: re.Pattern[str]
    owner: Mapping[str, Modality]
    body_owner: Mapping[str, Modality]
    mr_context: re.Pattern[str]
    headings: re.Pattern[str]
    heading_kind: Mapping[str, str]


def _squash(term: str) -> str:
    return re.sub(r"[\s/-]+", "", term.lower())


def _term_regex(terms: Iterable[str]) -> str:
    ordered = sorted({t.lower() for t in terms}, key=len, reverse=True)
    parts = (re.sub(r"/|\\-", r"[\\s/-]?", re.escape(t)).replace(r"\ ", r"\s+") for t in ordered)
    return r"(?<![a-z0-9])(?:" + "|".join(parts) + r")(?![a-z0-9])"


@lru_cache(maxsize=4)
def _modality_rules(lexicons: Path | None = None) -> _ModalityRules:
    data = _lexicon("modality.yaml", lexicons)

    def owners(key: str) -> dict[str, Modality]:
        return {_squash(term): modality for modality, terms in data[key].items() for term in terms}

    kinds = {heading: kind for kind in ("skip", "title", "technique", "other") for heading in data[f"{kind}_headings"]}
    alternatives = "|".join(re.escape(h) for h in sorted(kinds, key=len, reverse=True))
    return _ModalityRules(
        codes={_squash(code): modality for modality, codes in data["codes"].items() for code in codes},
        title=re.compile(_term_regex(t for terms in data["title"].values() for t in terms), re.I),
        body=re.compile(_term_regex(t for terms in data["body"].values() for t in terms), re.I),
        owner=owners("title"),
        body_owner=owners("body"),
        mr_context=re.compile(
            r"(?:\W+\w+){0,2}?\W+(?:" + "|".join(re.escape(w) for w in data["mr_context"]) + ")", re.I
        ),
        headings=re.compile(rf"\W{{0,3}}({alternatives})\W{{0,2}}(?:[:\-]|$)", re.I),
        heading_kind=kinds,
    )


def _first_modality(text: str, rules: _ModalityRules, *, prose: bool = False) -> Modality | None:
    for match in rules.title.finditer(text):
        term = _squash(match.group())
        if prose and term == "mr" and not rules.mr_context.match(text, match.end()):
            continue
        return rules.owner[term]
    return None


def _paragraph_parts(text: str, rules: _ModalityRules) -> Iterator[tuple[str, str]]:
    """Lines of a report as (kind, line): kind is ``first``, ``skip``, ``title``, ``technique`` or ``other``."""
    kind, seen_text = "other", False
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped:
            # A blank line ends a history or a comparison even when nothing else does (UK reports put no heading
            # above the findings).
            kind = "other"
            continue
        heading = rules.headings.match(stripped)
        if heading:
            kind = rules.heading_kind[heading.group(1).lower()]
            seen_text = True
            yield kind, stripped[heading.end() :]
            continue
        yield ("other" if seen_text or kind != "other" else "first") if kind == "other" else kind, stripped
        seen_text = True


def guess_modality(description: str | None, text: str, lexicons: Path | None = None) -> Modality:
    """The kind of study, from the exam description or, failing that, from the report itself.

    Looked at in this order, the first that tells decides: the description, the title (an ``EXAM:`` line, the first
    line, a later line that starts with a modality), the technique, and last the words of the findings that only one
    kind of study has. History and comparison are left out: they name other studies. ``"OT"`` when nothing tells.

    >>> guess_modality("CT T SPINE", "")
    'CT'
    >>> guess_modality(None, "COMPARISON: CT 2019\\n\\nFINDINGS: T9 shows STIR hyperintensity.")
    'MR'
    """
    rules = _modality_rules(lexicons)
    if description:
        code = rules.codes.get(_squash(description))
        found = code or _first_modality(description, rules)
        if found:
            return found
    parts = list(_paragraph_parts(text, rules))
    titles = [line for kind, line in parts if kind == "title"]
    titles += [line[:120] for kind, line in parts if kind == "first"]
    for line in titles:
        found = _first_modality(line, rules, prose=True)
        if found:
            return found
    for kind, line in parts:
        # "MRI lumbar spine" may stand alone above the findings, after the clinical details.
        if kind == "other" and (match := rules.title.search(line)) and match.start() <= 8:
            found = _first_modality(line, rules, prose=True)
            if found:
                return found
    technique = " ".join(line for kind, line in parts if kind == "technique")
    found = _first_modality(technique, rules, prose=True)
    if found:
        return found
    votes: dict[Modality, int] = {}
    for kind, line in parts:
        if kind != "skip":
            for match in rules.body.finditer(line):
                owner = rules.body_owner[_squash(match.group())]
                votes[owner] = votes.get(owner, 0) + 1
    return max(votes, key=lambda m: (votes[m], -MODALITIES.index(m))) if votes else "OT"


# --------------------------------------------------------------------------------------------------------------------
# Columns


def _normal(name: str) -> str:
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


@dataclass(frozen=True)
class _ColumnRules:
    roles: Mapping[str, tuple[str, ...]]
    parts: tuple[tuple[str, tuple[str, ...]], ...]
    clinical: Mapping[str, tuple[str, ...]]
    empty: frozenset[str]
    sexes: Mapping[str, Sex]

    @property
    def known(self) -> frozenset[str]:
        names = {n for group in (*self.roles.values(), *self.clinical.values()) for n in group}
        return frozenset(names | {n for _, group in self.parts for n in group})


@lru_cache(maxsize=4)
def _column_rules(lexicons: Path | None = None) -> _ColumnRules:
    data = _lexicon("columns.yaml", lexicons)
    return _ColumnRules(
        roles={role: tuple(map(str, names)) for role, names in data["roles"].items()},
        parts=tuple((part["heading"], tuple(map(str, part["names"]))) for part in data["parts"]),
        clinical={fact: tuple(map(str, names)) for fact, names in data["clinical"].items()},
        empty=frozenset(str(value).lower() for value in data["empty"]),
        sexes={value: sex for sex, values in data["sex_values"].items() for value in values},
    )


def _shown(names: Iterable[str]) -> str:
    # A file without a header would otherwise print its first report here.
    return ", ".join(n if len(n) <= 40 and "\n" not in n else f"({len(n)} characters)" for n in names) or "none"


def map_columns(
    names: Sequence[str], options: ReadOptions = ReadOptions(), *, where: str = "input", lexicons: Path | None = None
) -> ColumnMap:
    """Decide which column plays which role; what ``options`` names is used, the rest is guessed.

    Raises :class:`InputError` when a named column does not exist or no column can be the report text.

    >>> map_columns(["Accession #", "Report"]).roles
    {'report_id': 'Accession #', 'text': 'Report'}
    """
    rules = _column_rules(lexicons)
    by_name: dict[str, str] = {}
    for name in names:
        by_name.setdefault(_normal(name), name)
    exact = {name: name for name in names}

    def named(wanted: str, option: str) -> str:
        column = exact.get(wanted) or by_name.get(_normal(wanted))
        if column is None:
            raise InputError(f"{where}: {option} names {wanted!r}, but the columns are: {_shown(names)}.")
        return column

    def guess(role: str) -> str | None:
        return next((by_name[n] for n in rules.roles[role] if n in by_name and by_name[n] not in taken), None)

    roles: dict[str, str] = {}
    given: set[str] = set()
    taken: set[str] = set()
    parts: list[tuple[str, str]] = []
    overrides = {
        "report_id": (options.id_column, "--id-column"),
        "modality": (options.modality_column, "--modality-column"),
        "exam_description": (options.description_column, "--description-column"),
        "age": (options.age_column, "--age-column"),
        "sex": (options.sex_column, "--sex-column"),
        "patient_id": (options.patient_column, "--patient-column"),
        "exam_date": (options.date_column, "--date-column"),
    }
    text_columns = [named(column, "--text-column") for column in options.text_columns]
    taken.update(text_columns)
    for role, (wanted, option) in overrides.items():
        if wanted is not None:
            roles[role] = named(wanted, option)
            given.add(role)
            taken.add(roles[role])

    if text_columns:
        given.add("text")
        if len(text_columns) == 1:
            roles["text"] = text_columns[0]
    elif column := guess("text"):
        roles["text"] = column
    taken.update(roles.values())
    for role in overrides:
        if role not in roles and (column := guess(role)):
            roles[role] = column
            taken.add(column)
    headings = {n: heading for heading, group in rules.parts for n in group}
    if len(text_columns) > 1:
        parts = [(headings.get(_normal(c), c.upper()), c) for c in text_columns]
    elif "text" not in roles:
        found = {
            heading: column
            for heading, group in rules.parts
            for column in [next((by_name[n] for n in group if n in by_name and by_name[n] not in taken), None)]
            if column
        }
        if "FINDINGS" in found or "IMPRESSION" in found:
            if "exam_description" in roles:
                found["EXAM"] = roles["exam_description"]
            parts = [(heading, found[heading]) for heading, _ in rules.parts if heading in found]
            taken.update(found.values())
        elif column := guess("weak_text"):
            roles["text"] = column
            taken.add(column)
        else:
            raise InputError(
                f"{where}: no column looks like the report text; the columns are: {_shown(names)}. "
                "Name it with --text-column (repeat the option for a report that is split over columns)."
            )
    clinical = {}
    for fact, group in rules.clinical.items():
        column = next((by_name[n] for n in group if n in by_name and by_name[n] not in taken), None)
        if column:
            clinical[fact] = column
            taken.add(column)
    keep = tuple(named(column, "--keep-column") for column in options.keep_columns)
    order = ("report_id", "text", "modality", "exam_description", "age", "sex", "patient_id", "exam_date")
    return ColumnMap(
        roles={role: roles[role] for role in order if role in roles},
        parts=tuple(parts),
        clinical=clinical,
        given=frozenset(given),
        keep=keep,
        unused=tuple(n for n in names if n not in taken and n not in keep),
    )


# --------------------------------------------------------------------------------------------------------------------
# Cells

# A row in which only these parts are filled was never reported.
_NOT_BODY = frozenset({"EXAM", "INDICATION", "TECHNIQUE", "COMPARISON"})
_STRANGE = re.compile("[\x00-\x08\x0e-\x1f\ufffd]")
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")
_AGE = re.compile(r"0*(\d{1,3})(?:\.\d+)?[\s-]*(?:y|yo|yrs?|years?|y/o|ans|jahre)?(?:[\s-]+old)?\.?", re.I)
_AGE_INFANT = re.compile(r"\d{1,3}\s*(?:m|w|d|mo|months?|weeks?|days?)", re.I)
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?E\+?\d{1,2}", re.I)
_DATE_FORMATS = (
    "%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%b %d %Y", "%B %d, %Y",
)  # fmt: skip
# Ids have a digit; single words of a report have none.
_ID = re.compile(r"(?=.*\d)[\w./:~#-]{1,64}")
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?:[ T,]+(.*))?")
_TIME_FORMATS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H%M%S", "%H%M")


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)


def _is_missing(value: object) -> bool:
    # NaN and NaT are the only values that differ from themselves; pd.NA has no truth value.
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def parse_age(value: object) -> int | None:
    """Age in whole years from a number or a string such as ``"078Y"``, ``"78 yo"``; None when there is none.

    Raises ``ValueError`` for what cannot be an age in years.
    """
    if _is_missing(value) or isinstance(value, bool):
        return None
    text = str(value).strip()
    if _AGE_INFANT.fullmatch(text):
        return 0
    match = _AGE.fullmatch(text)
    if match is None or int(match.group(1)) > 120:
        raise ValueError("not an age in years from 0 to 120")
    return int(match.group(1))


def parse_date(value: object, day_first: bool = False) -> datetime | None:
    """A date, with its time of day if it has one; None when there is none. ``day_first`` only matters for 03/04/2026.

    Raises ``ValueError`` for what is not a date.
    """
    if _is_missing(value):
        return None
    if isinstance(value, datetime):
        # pandas Timestamps are datetimes too, but carry nanoseconds that pyarrow warns about.
        stamp = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        return stamp.astimezone(timezone.utc).replace(tzinfo=None) if stamp.tzinfo else stamp
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = str(value).strip()
    if match := _SLASHED.fullmatch(text):
        first, second, year, rest = int(match[1]), int(match[2]), int(match[3]), match[4]
        day, month = (first, second) if (day_first or first > 12) and second <= 12 else (second, first)
        return _with_time(datetime(year + 2000 if year < 100 else year, month, day), rest)
    try:
        stamp = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return stamp.astimezone(timezone.utc).replace(tzinfo=None) if stamp.tzinfo else stamp
    except ValueError:
        pass
    for pattern in _DATE_FORMATS:
        for head, rest in ((text, None), *((text[: m.start()], text[m.end() :]) for m in re.finditer(r"[ T]+", text))):
            try:
                return _with_time(datetime.strptime(head, pattern), rest)
            except ValueError:
                continue
    raise ValueError("not a date")


def _with_time(day: datetime, rest: str | None) -> datetime:
    for pattern in _TIME_FORMATS if rest else ():
        try:
            clock = datetime.strptime(rest.strip(), pattern)
        except ValueError:
            continue
        return day.replace(hour=clock.hour, minute=clock.minute, second=clock.second)
    if rest:
        raise ValueError("not a time of day")
    return day


def _id_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _clean(str(value)).strip()


def _not_text(value: object) -> str | None:
    """Why a value is not a report, or None when it may be one."""
    if not isinstance(value, str):
        return f"the report is not text but {type(value).__name__}"
    head = value.lstrip()[:8]
    if head.startswith("{\\rtf"):
        return "the report is RTF code, not plain text"
    if head.startswith("%PDF"):
        return "the report is a PDF, not plain text"
    if not any(c.isalpha() for c in value):
        return "the report holds no words"
    binary = len(_STRANGE.findall(value)) * 10 > len(value)
    return "the report is binary data, not text" if binary else None


class RecordMaker:
    """Turns one row (column name -> value) into an :class:`InputRecord` or a :class:`Reject`.

    With ``unique_ids`` a report id that occurs again gets ``~2``, ``~3``, ...; rows of one maker only.
    """

    def __init__(
        self, source: str, columns: ColumnMap, day_first: bool, lexicons: Path | None, unique_ids: bool = True
    ) -> None:
        self.source = source
        self.columns = columns
        self.day_first = day_first
        self.lexicons = lexicons
        self.rules = _column_rules(lexicons)
        self.codes = _modality_rules(lexicons).codes
        self.seen: dict[str, int] | None = {} if unique_ids else None

    def _value(self, values: Mapping[str, Any], column: str | None) -> Any:
        """The cell, or None when it is missing or says so ("N/A")."""
        value = values.get(column) if column is not None else None
        if isinstance(value, bytes):
            # Some Parquet writers do not mark text as text.
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                return value
        if isinstance(value, str):
            return None if value.strip().lower() in self.rules.empty else value
        return None if _is_missing(value) else value

    def __call__(self, values: Mapping[str, Any], row: int, at: str = "") -> InputRecord | Reject:
        roles = self.columns.roles
        warnings: list[str] = []
        report_id = self._report_id(values, row, warnings)
        text: Any = self._text(values)
        where = " + ".join(c for h, c in self.columns.parts if h not in _NOT_BODY) or roles["text"]
        if text is None or (isinstance(text, str) and not text.strip()):
            return Reject(
                self.source, row, report_id, "empty_text", f"the report is empty (column {where}{at})",
                "Export the row again with its report text, or leave it out if the exam was never reported.",
            )  # fmt: skip
        if problem := _not_text(text):
            return Reject(
                self.source, row, report_id, "not_text", f"{problem} (column {where}{at})",
                "Export the report as plain text (a text column, UTF-8).",
            )  # fmt: skip
        text = _clean(text)
        description = self._value(values, roles.get("exam_description"))
        description = _clean(str(description)).strip() if description is not None else None
        age = sex = exam_date = None
        value = self._value(values, roles.get("age"))
        try:
            age = parse_age(value)
        except ValueError as error:
            warnings.append(f"age ignored: {error}")
        value = self._value(values, roles.get("sex"))
        if value is not None:
            sex = self.rules.sexes.get(str(value).strip().lower())
        value = self._value(values, roles.get("exam_date"))
        try:
            exam_date = parse_date(value, self.day_first)
        except (ValueError, OverflowError):
            warnings.append("exam date ignored: not a date that can be read (2026-01-31 can)")
        patient = self._value(values, roles.get("patient_id"))
        clinical = {
            fact: value
            for fact, column in self.columns.clinical.items()
            if (value := self._value(values, column)) is not None
        }
        return InputRecord(
            source=self.source,
            row=row,
            report_id=report_id,
            text=text,
            modality=self._modality(values, description, text),
            age=age,
            sex=sex,
            clinical=clinical,
            patient_id=_id_text(patient) if patient is not None else None,
            exam_date=exam_date,
            exam_description=description,
            extra={c: _clean(str(v)) for c in self.columns.keep if (v := self._value(values, c)) is not None},
            warnings=tuple(warnings),
        )

    def _report_id(self, values: Mapping[str, Any], row: int, warnings: list[str]) -> str:
        value = self._value(values, self.columns.roles.get("report_id"))
        report_id = _id_text(value) if value is not None else ""
        if not report_id:
            report_id = f"row-{row}"
            if "report_id" in self.columns.roles:
                warnings.append(f"no report id; written as {report_id}")
        elif _SCIENTIFIC.fullmatch(report_id):
            warnings.append("the report id looks shortened by a spreadsheet (1.2E+11); format the column as text")
        first = row if self.seen is None else self.seen.setdefault(report_id, row)
        if first == row or self.seen is None:
            return report_id
        # Two rows of one accession are often a preliminary and a final report: both are read, and the tables stay
        # joinable because every report id is unique.
        number = 2
        while f"{report_id}~{number}" in self.seen:
            number += 1
        unique = f"{report_id}~{number}"
        self.seen[unique] = row
        warnings.append(f"report id already used in row {first}; written as {unique}")
        return unique

    def _text(self, values: Mapping[str, Any]) -> Any:
        if not self.columns.parts:
            return self._value(values, self.columns.roles["text"])
        parts = []
        body = False
        for heading, column in self.columns.parts:
            value = self._value(values, column)
            if value is None:
                continue
            if not isinstance(value, str):
                value = str(value)
            body = body or heading not in _NOT_BODY
            parts.append(f"{heading}: {value.strip()}")
        return "\n\n".join(parts) if body else None

    def _modality(self, values: Mapping[str, Any], description: str | None, text: str) -> Modality:
        value = self._value(values, self.columns.roles.get("modality"))
        if value is not None:
            value = str(value)
            code = self.codes.get(_squash(value))
            if code:
                return code
            guess = guess_modality(value, "", self.lexicons)
            if guess != "OT":
                return guess
        return guess_modality(description, text, self.lexicons)


# --------------------------------------------------------------------------------------------------------------------
# Sources


class Source:
    """One opened input: what was recognized, and the stream. Iterating twice reads it twice.

    ``columns`` is None for text files. ``notes`` are remarks about the input as a whole for the person who runs it.
    ``total`` and ``position`` measure progress in ``unit`` (bytes, rows or files). ``estimate`` is roughly how many
    reports there are, from the size alone.
    """

    def __init__(self, path: Path, format: Format, options: ReadOptions, lexicons: Path | None) -> None:
        self.path = path
        self.format = format
        self.options = options
        self.lexicons = lexicons
        self.columns: ColumnMap | None = None
        self.encoding: str | None = None
        self.delimiter: str | None = None
        self.day_first = bool(options.day_first)
        self.notes: list[str] = []
        self.unit = "bytes"
        self.total = path.stat().st_size if path.is_file() else 0
        self.position = 0

    @property
    def name(self) -> str:
        """The input's file name, as it stands in messages and rejects."""
        return self.path.name

    @property
    def estimate(self) -> int:
        # A spine report with its columns takes about 1.5 kB; a compressed one, a quarter.
        per_report = 400 if self.path.suffix == ".gz" else 1500
        return self.total // per_report if self.unit == "bytes" else self.total

    def __iter__(self) -> Iterator[InputRecord | Reject]:
        self.position = 0
        items = self._items()
        return islice(items, self.options.limit) if self.options.limit is not None else items

    def _items(self) -> Iterator[InputRecord | Reject]:
        raise NotImplementedError

    def _maker(self) -> RecordMaker:
        assert self.columns is not None
        return RecordMaker(self.name, self.columns, self.day_first, self.lexicons)

    def _learn(self, names: Sequence[str], sample: Iterable[Mapping[str, Any]]) -> None:
        """Map the columns and decide from a sample of rows whether dates are day first."""
        self.columns = map_columns(names, self.options, where=self.name, lexicons=self.lexicons)
        column = self.columns.roles.get("exam_date")
        if column is None or self.options.day_first is not None:
            return
        slashed = [m for row in sample if (m := _SLASHED.fullmatch(str(row.get(column) or "").strip()))]
        self.day_first = any(int(m[1]) > 12 for m in slashed)
        if slashed and not self.day_first and not any(int(m[2]) > 12 for m in slashed):
            self.notes.append(
                f"column {column}: dates such as 03/04/2026 are read month first; use --day-first if they are not"
            )


def _open_bytes(path: Path) -> tuple[IO[bytes], IO[bytes]]:
    """(decompressed stream, raw stream whose position measures progress)."""
    raw = path.open("rb")
    return (gzip.open(raw), raw) if path.suffix == ".gz" else (raw, raw)  # type: ignore[return-value]


def _unreadable(path: Path, error: Exception) -> InputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return InputError(f"{path}: cannot be read ({reason}). Check the path, the permissions and that the file is whole.")


_CONTROL_BYTES = (*range(9), *range(14, 32))


def sniff_encoding(path: Path) -> tuple[str, str | None]:
    """(encoding, note): UTF-8 (with or without mark), UTF-16 or Windows-1252, from the whole file.

    UTF-8 is kept when most of what is not ASCII is valid UTF-8, since one broken byte must not garble every umlaut.

    Raises :class:`InputError` when the file holds binary data.
    """
    stream, raw = _open_bytes(path)
    with raw, stream:
        head = stream.read(65536)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", None
        encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
        if head.count(0) * 4 > len(head):
            half = head[: len(head) // 2 * 2]
            return ("utf-16-le" if half[1::2].count(0) >= half[::2].count(0) else "utf-16-be"), None
        if sum(map(head.count, _CONTROL_BYTES)) > max(64, len(head) // 50):
            raise InputError(f"{path}: this is binary data, not a text table. Export it as CSV, JSON lines or Parquet.")
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        valid = broken = 0
        chunk = head
        while chunk:
            if not (chunk.isascii() and not decoder.getstate()[0]):
                decoded = decoder.decode(chunk)
                bad = decoded.count("\ufffd")
                broken += bad
                valid += len(decoded) - len(decoded.encode("ascii", "ignore")) - bad
            chunk = stream.read(1 << 20)
        broken += decoder.decode(b"", final=True).count("\ufffd")
    if not broken:
        return encoding, None
    if encoding == "utf-8-sig" or valid >= broken:
        return encoding, f"{broken} bytes are not valid UTF-8; each is read as U+FFFD"
    return "cp1252", "not UTF-8; read as Windows-1252 (use --encoding if that is wrong)"


class _Lines:
    """Physical lines of a text stream that can be taken back, for getting over a broken quote."""

    def __init__(self, stream: Iterable[str], limit: int = MAX_RECORD_CHARS) -> None:
        self._next: Callable[[], str] = iter(stream).__next__
        self._back: deque[str] = deque()
        self._limit = limit
        self.taken: list[str] = []
        self.size = 0
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._next()
        if "\0" in line:
            line = line.replace("\0", "\ufffd")
        self.taken.append(line)
        self.size += len(line)
        self.number += 1
        if self.size > self._limit and len(self.taken) > 1:
            raise csv.Error("record too long")
        return line

    def start_record(self) -> None:
        self.taken = []
        self.size = 0

    def give_back(self, keep: int) -> None:
        """Return all but the first ``keep`` lines of the current record to the stream."""
        back = self.taken[keep:]
        self._back.extendleft(reversed(back))
        self.number -= len(back)
        del self.taken[keep:]


class _CsvRow(NamedTuple):
    """One parsed row: the line it starts on, and whether it ends in text without a closing quote."""

    values: list[str]
    line: int
    state: Literal["good", "sloppy", "broken"]
    open_end: bool


class _CsvSource(Source):
    def __init__(self, path: Path, options: ReadOptions, lexicons: Path | None) -> None:
        super().__init__(path, "csv", options, lexicons)
        # The csv module's limit on a field (131 kB) is for the whole process; it is only ever raised.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_CHARS * 2))
        if options.encoding:
            self.encoding, note = options.encoding, None
        else:
            self.encoding, note = sniff_encoding(path)
        if note:
            self.notes.append(note)
        known = _column_rules(lexicons).known
        with self._text() as (stream, _):
            head = list(islice(stream, 2))
        skip = bool(head) and head[0].strip().lower().startswith("sep=")
        header_line = head[1] if skip and len(head) > 1 else (head[0] if head else "")
        self.delimiter = options.delimiter or self._sniff_delimiter(header_line, known)
        self._skip = int(skip)
        with self._text() as (stream, _):
            try:
                header = next(self._rows(stream), None)
            except csv.Error:
                header = None
            if not header or not any(name.strip() for name in header):
                raise InputError(f"{path}: the file is empty or has no header line. Export it with column names.")
            self.header = self._unique([_clean(name).strip() for name in header])
            sample = [
                dict(zip(self.header, row, strict=False)) for row in islice(self._sample(stream), _SAMPLE_RECORDS)
            ]
        self._learn(self.header, sample)
        roles, parts = self.columns.roles, self.columns.parts
        self._text_is_last = self.header[-1] == (parts[-1][1] if parts else roles["text"])
        self._id_index = self.header.index(roles["report_id"]) if "report_id" in roles else None
        ids = [row.get(roles.get("report_id", ""), "").strip() for row in sample if len(row) == len(self.header)]
        self._ids_are_regular = bool(ids) and sum(bool(_ID.fullmatch(i)) for i in ids) * 2 > len(ids)

    @staticmethod
    def _sniff_delimiter(header: str, known: frozenset[str]) -> str:
        def score(delimiter: str) -> tuple[int, int]:
            try:
                names = next(csv.reader([header], delimiter=delimiter), [])
            except csv.Error:
                return (0, 0)
            return sum(_normal(n) in known for n in names), len(names)

        return max(",;\t|", key=score)

    def _unique(self, names: list[str]) -> list[str]:
        out: list[str] = []
        for i, name in enumerate(names, 1):
            name = name or f"column_{i}"
            if name in out:
                fresh = next(f"{name}.{n}" for n in range(2, len(names) + 2) if f"{name}.{n}" not in names + out)
                self.notes.append(f"column {name} occurs more than once; the later one is called {fresh}")
                name = fresh
            out.append(name)
        return out

    def _text(self) -> _TextFile:
        return _TextFile(self.path, self.encoding or "utf-8")

    def _reader(self, lines: Iterable[str], strict: bool = True) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self.delimiter or ",", strict=strict)

    def _rows(self, stream: Iterator[str]) -> Iterator[list[str]]:
        for _ in range(self._skip):
            next(stream, None)
        return self._reader(stream, strict=False)

    def _sample(self, stream: Iterator[str]) -> Iterator[list[str]]:
        try:
            yield from self._reader(stream, strict=False)
        except csv.Error:
            return

    def _items(self) -> Iterator[InputRecord | Reject]:
        with self._text() as (stream, raw):
            try:
                yield from self._records(stream, raw, self._maker(), len(self.header))
            except (OSError, EOFError, UnicodeError) as error:
                # A truncated .gz or a file share that went away: what was read stays, the rest is one reject.
                yield Reject(
                    self.name, -1, None, "unreadable_file",
                    f"the file could not be read to its end ({type(error).__name__})",
                    "Export or copy the file again; the rows after this point were not read.",
                )  # fmt: skip

    def _records(
        self, stream: Iterator[str], raw: IO[bytes], maker: RecordMaker, width: int
    ) -> Iterator[InputRecord | Reject]:
        """Whole rows become records. What cannot be a row of its own (see ``_goes_on``) belongs to the row before it,
        which is then a reject: a report that lost its end must not be read as if it were whole."""
        row = 1
        waiting: tuple[InputRecord | Reject, _CsvRow] | None = None  # a row that may turn out to be cut short
        held: tuple[Reject, int] | None = None  # a broken row, and the line it starts on
        last_line = 0
        for cells in self._parse(stream, width):
            self.position = raw.tell()
            whole = len(cells.values) == width and cells.state != "broken"
            if held and self._goes_on(cells.values, whole):
                last_line = cells.line
                continue
            if held:
                yield self._closed(*held, cells.line - 1)
                held = None
            if waiting:
                item, before = waiting
                waiting = None
                if before.open_end and self._goes_on(cells.values, whole):
                    held = self._ragged(item.row, item.report_id, "the report goes on in further lines"), before.line
                    continue
                yield item
            row += 1
            if whole:
                item = maker(dict(zip(self.header, cells.values, strict=True)), row, f", line {cells.line}")
                if cells.state == "sloppy" and isinstance(item, InputRecord):
                    item = replace(item, warnings=(*item.warnings, "quotes inside the row are not doubled"))
                waiting = item, cells
                continue
            report_id = self._id(cells.values) if len(cells.values) > 1 else None
            if cells.state == "broken":
                reject = Reject(
                    self.name, row, report_id, "broken_quotes", "a quote is opened and not closed, or not doubled",
                    "Write quotes inside a field twice and put quotes around fields that hold line breaks.",
                )  # fmt: skip
            else:
                reject = self._ragged(row, report_id, f"{len(cells.values)} columns where the header has {width}")
            held = reject, cells.line
            last_line = cells.line
        if waiting:
            yield waiting[0]
        if held:
            yield self._closed(*held, last_line)

    def _parse(self, stream: Iterator[str], width: int) -> Iterator[_CsvRow]:
        """Rows below the header. A quote that is never closed costs its own line: reading goes on with the next."""
        lines = _Lines(stream)
        for _ in range(self._skip):
            next(lines, None)
        next(self._reader(lines, strict=False), None)
        reader = self._reader(lines)
        while True:
            lines.start_record()
            line = lines.number + 1
            state: Literal["good", "sloppy", "broken"] = "good"
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cut_off = "end of data" in str(error) and len(lines.taken) == 1
                reader = self._reader(lines)
                lines.give_back(1)
                values = self._lenient(lines.taken)
                # "he said "no"" on one line: the stray quotes are harmless when the columns still add up.
                sound = len(values) == width and values[-1][-1:] not in ("\n", "\r") and not cut_off
                state = "sloppy" if sound else "broken"
            if not values:
                continue
            if len(values) > width and not any(value.strip() for value in values[width:]):
                del values[width:]
            open_end = self._text_is_last and not lines.taken[-1].rstrip().endswith('"')
            yield _CsvRow(values, line, state, open_end)

    def _goes_on(self, values: Sequence[str], whole: bool) -> bool:
        """Whether this row is rather the inside of the report before it."""
        id_like = self._id(values) is not None
        if self._ids_are_regular and values[self._id_index : self._id_index + 1] not in ([], [""]):
            return not id_like
        return not whole and not id_like and len(values) * 2 <= len(self.header)

    def _id(self, values: Sequence[str]) -> str | None:
        """The report id of a row, if what stands in its place looks like one."""
        if self._id_index is None or self._id_index >= len(values):
            return None
        value = values[self._id_index].strip()
        return value if _ID.fullmatch(value) else None

    def _ragged(self, row: int, report_id: str | None, reason: str) -> Reject:
        return Reject(
            self.name, row, report_id, "ragged_row", reason,
            "Put quotes around fields that hold the delimiter or line breaks, and export again.",
        )  # fmt: skip

    def _lenient(self, lines: Sequence[str]) -> list[str]:
        try:
            return next(self._reader(lines, strict=False), [])
        except csv.Error:
            return ["", "\n"]

    @staticmethod
    def _closed(reject: Reject, first: int, last: int) -> Reject:
        lines = f"line {first}" if first >= last else f"lines {first} to {last}"
        return replace(reject, reason=f"{reject.reason} ({lines})")


class _TextFile:
    """Context manager: (decoded text stream with line ends untouched, raw stream for progress)."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path = path
        self.encoding = encoding

    def __enter__(self) -> tuple[Iterator[str], IO[bytes]]:
        stream, self.raw = _open_bytes(self.path)
        self.text = io.TextIOWrapper(stream, encoding=self.encoding, errors="replace", newline="")
        return iter(self.text), self.raw

    def __exit__(self, *_: object) -> None:
        self.text.close()
        self.raw.close()


def _flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON record with the members of its ``meta`` and ``clinical`` objects beside its own (its own win)."""
    flat: dict[str, Any] = {}
    for key in ("clinical", "meta"):
        if isinstance(record.get(key), Mapping):
            flat.update(record[key])
    flat.update((key, value) for key, value in record.items() if key not in ("clinical", "meta", "gold"))
    return flat


class _JsonlSource(Source):
    def __init__(self, path: Path, options: ReadOptions, lexicons: Path | None, *, array: bool) -> None:
        super().__init__(path, "json" if array else "jsonl", options, lexicons)
        self.encoding, note = (options.encoding, None) if options.encoding else sniff_encoding(path)
        if note:
            self.notes.append(note)
        self._array = array
        sample = list(islice(self._good(), _SAMPLE_RECORDS))
        names = list(dict.fromkeys(key for record in sample for key in record))
        if not names:
            raise InputError(f"{path}: no line holds a JSON object. Write one object a line with report_id and text.")
        self._learn(names, sample)

    def _objects(self) -> Iterator[tuple[int, Any, str]]:
        """(row, value, problem) of every line; ``problem`` is empty when the line is a JSON value."""
        with _TextFile(self.path, self.encoding or "utf-8") as (stream, raw):
            if self._array:
                try:
                    values = json.load(stream)  # type: ignore[arg-type]
                except ValueError as error:
                    raise InputError(f"{self.path}: broken JSON ({_json_problem(error)}). Write JSON lines.") from None
                for row, value in enumerate(values, 1):
                    self.position = raw.tell()
                    yield row, value, ""
                return
            for row, line in enumerate(stream, 1):
                self.position = raw.tell()
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield row, None, _json_problem(error)
                else:
                    yield row, value, ""

    def _good(self) -> Iterator[dict[str, Any]]:
        return (_flatten(value) for _, value, _ in self._objects() if isinstance(value, Mapping))

    def _items(self) -> Iterator[InputRecord | Reject]:
        maker = self._maker()
        for row, value, problem in self._objects():
            if not problem and not isinstance(value, Mapping):
                problem = f"a JSON {type(value).__name__} where an object should be"
            if problem:
                yield Reject(
                    self.name, row, None, "broken_json", f"the line is not a JSON object ({problem})",
                    'Write one object a line: {"report_id": "...", "text": "..."}.',
                )  # fmt: skip
            else:
                yield maker(_flatten(value), row)


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return type(error).__name__


class _ParquetSource(Source):
    def __init__(self, path: Path, options: ReadOptions, lexicons: Path | None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(path, "parquet", options, lexicons)
        self.unit = "rows"
        try:
            with pq.ParquetFile(path) as file:
                self.total = file.metadata.num_rows
                names = file.schema_arrow.names
                column = map_columns(names, options, where=self.name, lexicons=lexicons).roles.get("exam_date")
                batches = file.iter_batches(batch_size=_SAMPLE_RECORDS, columns=[column] if column else [])
                sample = next(batches).to_pylist() if column and self.total else []
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from None
        self._learn(names, sample)

    def _items(self) -> Iterator[InputRecord | Reject]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        maker = self._maker()
        columns = self.columns
        wanted = {*columns.roles.values(), *(c for _, c in columns.parts), *columns.clinical.values(), *columns.keep}
        row = 0
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(batch_size=512, columns=sorted(wanted)):
                    for values in batch.to_pylist():
                        row += 1
                        self.position = row
                        yield maker(values, row)
        except (pa.ArrowException, OSError) as error:
            yield Reject(
                self.name, row + 1, None, "unreadable_file",
                f"the file could not be read to its end ({type(error).__name__})",
                "Export or copy the file again; the rows from this one on were not read.",
            )  # fmt: skip


class _TextSource(Source):
    """A folder of .txt files, or one such file: one report each, the file's name without suffix as report id."""

    def __init__(self, path: Path, options: ReadOptions, lexicons: Path | None) -> None:
        super().__init__(path, "folder" if path.is_dir() else "txt", options, lexicons)
        self.unit = "files"
        self.root = path if path.is_dir() else path.parent
        if path.is_dir():
            found = [p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "~"))]
            self.files = sorted(p for p in found if p.suffix.lower() == ".txt")
            if not self.files:
                raise InputError(f"{path}: no .txt files in this folder. Put one report in each .txt file.")
            if len(found) > len(self.files):
                self.notes.append(f"{len(found) - len(self.files)} files that are not .txt are left out")
        else:
            self.files = [path]
        self.total = len(self.files)

    @property
    def estimate(self) -> int:
        return self.total

    def _items(self) -> Iterator[InputRecord | Reject]:
        columns = ColumnMap(roles={"report_id": "report_id", "text": "text"})
        maker = RecordMaker(self.name, columns, False, self.lexicons)
        for row, path in enumerate(self.files, 1):
            self.position = row
            relative = path.relative_to(self.root)
            maker.source = relative.as_posix()
            report_id = relative.with_suffix("").as_posix()
            try:
                data = path.read_bytes()
            except OSError as error:
                yield Reject(
                    maker.source, row, report_id, "unreadable_file",
                    f"the file cannot be read ({error.strerror or type(error).__name__})",
                    "Check that the file exists and that you may read it.",
                )  # fmt: skip
                continue
            yield maker({"report_id": report_id, "text": decode(data, self.options.encoding)}, row)


def decode(data: bytes, encoding: str | None = None) -> str:
    """Text of one report file: UTF-8 or UTF-16 by its mark, else UTF-8, else Windows-1252. Line ends stay as they are.

    >>> decode("80 % Höhe".encode("cp1252"))
    '80 % Höhe'
    """
    if encoding is None:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        else:
            try:
                return data.decode("utf-8-sig")
            except UnicodeDecodeError:
                encoding = "cp1252"
    return data.decode(encoding, "replace")


def open_source(
    path: str | os.PathLike[str], options: ReadOptions = ReadOptions(), lexicons: Path | None = None
) -> Source:
    """Recognize an input and return its :class:`Source`.

    Raises :class:`InputError` when it does not exist, cannot be read, is of an unknown kind, or lacks a text column.
    """
    path = Path(path)
    if options.encoding is not None:
        try:
            # With or without mark, what is asked for is UTF-8.
            name = codecs.lookup(options.encoding).name
            options = replace(options, encoding="utf-8-sig" if name == "utf-8" else name)
        except LookupError:
            raise InputError(f"--encoding {options.encoding}: no such encoding; try utf-8 or cp1252.") from None
    if options.delimiter is not None and len(options.delimiter) != 1:
        raise InputError("--delimiter must be one character, for instance ';'.")
    if not path.exists():
        raise InputError(f"{path}: no such file or folder.")
    try:
        kind = options.format or _recognize(path, lexicons)
        if kind == "csv":
            return _CsvSource(path, options, lexicons)
        if kind in ("jsonl", "json"):
            return _JsonlSource(path, options, lexicons, array=_starts_with_bracket(path))
        if kind == "parquet":
            return _ParquetSource(path, options, lexicons)
        return _TextSource(path, options, lexicons)
    except (OSError, EOFError, csv.Error) as error:
        raise _unreadable(path, error) from None


def _head(path: Path, size: int) -> bytes:
    stream, raw = _open_bytes(path)
    with raw, stream:
        return stream.read(size)


def _starts_with_bracket(path: Path) -> bool:
    return decode(_head(path, 4096)).lstrip("\ufeff \t\r\n")[:1] == "["


def _recognize(path: Path, lexicons: Path | None) -> Format:
    if path.is_dir():
        return "folder"
    head = _head(path, 8192)
    if not head:
        raise InputError(f"{path}: the file is empty.")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise InputError(f"{path}: this is an Excel workbook or an archive. Save the sheet as 'CSV UTF-8'.")
    if head.startswith(b"%PDF"):
        raise InputError(f"{path}: this is a PDF. Export the reports as text.")
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    kind = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind == "txt" or kind is None:
        # RIS exports are often tab- or pipe-delimited tables called .txt.
        first = decode(head).lstrip("\ufeff").splitlines()[:1]
        names = [_normal(n) for n in re.split(r"[,;\t|]", first[0])] if first else []
        if len(names) > 1 and sum(n in _column_rules(lexicons).known for n in names) >= 2:
            return "csv"
        if head.lstrip()[:1] == b"{":
            return "jsonl"
    if kind is None:
        raise InputError(f"{path}: not a kind of file that is known. Use .csv, .jsonl, .parquet, .txt or --format.")
    return kind
