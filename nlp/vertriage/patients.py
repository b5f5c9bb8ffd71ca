"""The reports of one patient in order: what is new, what healed, and who comes first.

Before: readings (or the tables written from them) with a patient id and an exam date beside each.
After: one :class:`PatientView` a patient: the latest report, what changed since the earlier ones, fractures over time;
and the worklist, most urgent first.

A report without a patient id or without a date cannot be put in order, so it stands alone and is never hidden behind
another one.

>>> from datetime import date
>>> from vertriage.types import FractureReading
>>> before = Study("a", patient_id="p", date=date(2026, 1, 5), fractures=[FractureReading(level="L1", augmented=True)])
>>> after = Study("b", patient_id="p", date=date(2026, 3, 9), fractures=[FractureReading(level="L2", acuity="acute")])
>>> [event.kind for event in patient_views([after, before])[0].events]
['new_level', 'next_to_cement']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from vertriage.conditions import LEVELS
from vertriage.decision import decide
from vertriage.policy import Policy, load_policy
from vertriage.types import FractureReading, Pathway, ReportReading, Tier

if TYPE_CHECKING:
    import pandas as pd

EventKind = Literal["new_level", "next_to_cement", "edema_resolved", "edema_persisting", "cleft_new"]

# A few spines have a T13 or an L6; without one its neighbors touch each other.
_RARE = {"T13", "L6"}
_COMMON = [level for level in LEVELS if level not in _RARE]


@dataclass(frozen=True)
class Study:
    """One report of a patient, as far as the patient's history needs it; ``priority`` 1 is the most urgent."""

    report_id: str
    patient_id: str | None = None
    date: date | None = None
    fractures: Sequence[FractureReading] = ()
    pathway: Pathway = "no_fracture"
    tier: Tier | None = None
    priority: int = 0
    target_levels: Sequence[str] = ()
    fracture_liaison: bool = False

    @classmethod
    def of(cls, reading: ReportReading, patient_id: str | None = None, date: date | datetime | None = None) -> Study:
        """The study a reading is, with its decision (made here when the reading has none)."""
        decision = reading.decision or decide(reading)
        return cls(
            report_id=reading.report_id,
            patient_id=patient_id,
            date=_day(date),
            fractures=reading.fractures,
            pathway=decision.pathway,
            tier=decision.tier,
            priority=decision.priority,
            target_levels=decision.target_levels,
            fracture_liaison=decision.fracture_liaison,
        )

    @property
    def fracture_count(self) -> int:
        """Fractures the report asserts (a hedged one does not count)."""
        return sum(fracture.status == "present" for fracture in self.fractures)


@dataclass(frozen=True)
class Event:
    """A change between reports of a patient; ``text`` says it in words."""

    kind: EventKind
    level: str
    date: date
    report_id: str
    text: str


@dataclass(frozen=True)
class PatientView:
    """A patient, by the latest report. ``studies`` run from the earliest to the latest; events likewise."""

    patient_id: str | None
    studies: list[Study]
    events: list[Event] = field(default_factory=list)

    @property
    def latest(self) -> Study:
        """The latest report; of several on that day the most urgent one."""
        return self.studies[-1]

    @property
    def priority(self) -> int:
        return self.latest.priority

    @property
    def fracture_counts(self) -> list[tuple[date | None, int]]:
        """(date, number of asserted fractures) of every report."""
        return [(study.date, study.fracture_count) for study in self.studies]

    @property
    def fracture_liaison(self) -> bool:
        """Whether a fracture was ever asserted and no report with one documents osteoporosis treatment."""
        fractured = [study for study in self.studies if study.fracture_count]
        return bool(fractured) and all(study.fracture_liaison for study in fractured)


def patient_views(studies: Iterable[Study], policy: Policy | None = None) -> list[PatientView]:
    """One view a patient, in the order in which the patients first appear."""
    policy = policy or load_policy()
    grouped: dict[Any, list[Study]] = {}
    for position, study in enumerate(studies):
        alone = study.patient_id is None or study.date is None
        grouped.setdefault((position,) if alone else study.patient_id, []).append(study)
    views = []
    for own in grouped.values():
        own.sort(key=lambda study: (study.date or date.min, -study.priority))
        views.append(PatientView(own[0].patient_id, own, _events(own, policy)))
    return views


def worklist(studies: Iterable[Study], policy: Policy | None = None) -> list[PatientView]:
    """The patients, most urgent first; equally urgent ones keep their order. The order is the table's ``worklist``."""
    return sorted(patient_views(studies, policy), key=lambda view: view.priority)


def liaison_referrals(views: Iterable[PatientView]) -> list[PatientView]:
    """The fracture-liaison list: every patient with a vertebral fracture and no documented osteoporosis treatment."""
    return [view for view in views if view.fracture_liaison]


# ----------------------------------------------------------------------------------------------------------------------
# Changes over time
# ----------------------------------------------------------------------------------------------------------------------


@dataclass
class _Level:
    """What the earlier days say of one level."""

    edema: str = "not_stated"
    edema_since: date | None = None
    cleft: bool = False

    def remember(self, fracture: FractureReading, day: date) -> None:
        if fracture.marrow_edema in ("present", "absent"):
            if fracture.marrow_edema != self.edema:
                self.edema_since = day
            self.edema = fracture.marrow_edema
        self.cleft = self.cleft or fracture.cleft == "present"


def _events(studies: Sequence[Study], policy: Policy) -> list[Event]:
    """What each day's reports changed against all earlier days; reports of one day are not held against each other."""
    known: dict[str, _Level] = {}
    cemented: set[str] = set()
    beside_cement: set[str] = set()
    events: dict[tuple[EventKind, str, date], Event] = {}
    for day, group in groupby(studies, key=lambda study: study.date):
        if day is None:
            continue
        found = [(fracture.level, fracture, study) for study in group for fracture in study.fractures if fracture.level]
        cemented.update(level for level, fracture, _ in found if fracture.augmented)
        for level, fracture, study in found:
            if fracture.status != "present":
                continue
            before = known.get(level) if known else _Level()  # the first day has nothing to be new against
            neighbors = _neighbors(level) & cemented if level not in beside_cement else set()
            for kind, text in _changes(fracture, before, day, neighbors, first=not known, policy=policy):
                if kind == "next_to_cement":
                    beside_cement.add(level)
                event = Event(kind, level, day, study.report_id, f"{level}: {text}")
                events.setdefault((kind, level, day), event)
        for level, fracture, _ in found:
            known.setdefault(level, _Level()).remember(fracture, day)
    return list(events.values())


def _changes(
    fracture: FractureReading, before: _Level | None, day: date, cemented: set[str], *, first: bool, policy: Policy
) -> Iterator[tuple[EventKind, str]]:
    """What one fracture says that is new; ``before`` is None for a level that no earlier report lists."""
    chronic = fracture.acuity == "chronic"
    if before is None:
        outside = "but called chronic: it may have been outside their field of view."
        yield "new_level", f"not in the earlier reports{', ' + outside if chronic else '.'}"
    recent = fracture.acuity in ("acute", "subacute") or (before is None and not chronic)
    if recent and cemented and not fracture.augmented:
        yield "next_to_cement", f"new fracture next to cement at {', '.join(sorted(cemented, key=LEVELS.index))}."
    before = before or _Level()
    if before.edema == "present" and fracture.marrow_edema == "absent":
        yield "edema_resolved", "marrow edema is gone."
    if before.edema == fracture.marrow_edema == "present" and before.edema_since:
        weeks = (day - before.edema_since).days / 7
        if weeks > policy.edema_persisting_weeks:
            yield "edema_persisting", f"marrow edema for {weeks:.0f} weeks."
    if fracture.cleft == "present" and not before.cleft and not first:
        yield "cleft_new", "intravertebral cleft, not seen before."


def _neighbors(level: str) -> set[str]:
    """The levels next to one, in a usual spine and in one with the rare vertebrae.

    >>> sorted(_neighbors("L1"))
    ['L2', 'T12', 'T13']
    """
    found = set()
    for spine in (LEVELS, _COMMON):
        if level in spine:
            at = spine.index(level)
            found |= {*spine[max(0, at - 1) : at], *spine[at + 1 : at + 2]}
    return found


def _day(value: Any) -> date | None:
    return value.date() if isinstance(value, datetime) else value


# ----------------------------------------------------------------------------------------------------------------------
# Tables
# ----------------------------------------------------------------------------------------------------------------------


def studies_from_frames(
    reports: pd.DataFrame,
    fractures: pd.DataFrame,
    decisions: pd.DataFrame | None = None,
    *,
    patient_id: str = "patient_id",
    date: str = "exam_date",
) -> list[Study]:
    """The studies in the tables ``reports``, ``fractures`` and ``decisions`` (see ``docs/decision.md``).

    ``reports`` needs ``report_id`` and ``pathway``; ``tier`` and the columns named by ``patient_id`` and ``date`` are
    used when they are there. Without ``decisions`` the priority follows from pathway and tier, and every report that
    asserts a fracture counts as one without documented osteoporosis treatment.

    Raises ``ValueError`` naming the column when ``report_id`` or ``pathway`` is missing.
    """
    import pandas as pd

    for table, frame, column in (
        ("reports", reports, "report_id"),
        ("reports", reports, "pathway"),
        ("fractures", fractures, "report_id"),
    ):
        if column not in frame.columns:
            raise ValueError(f"the table {table!r} has no column {column!r}; pass the table as vertriage wrote it")
    names = [name for name in FractureReading.model_fields if name in fractures.columns]
    by_report: dict[str, list[FractureReading]] = {}
    for row in fractures[["report_id", *names]].to_dict("records"):
        fields = {name: row[name] for name in names if not _missing(row[name])}
        fields.setdefault("level", None)
        if "malignant_features" in fields:
            fields["malignant_features"] = list(fields["malignant_features"])
        by_report.setdefault(str(row["report_id"]), []).append(FractureReading(**fields))
    made = {} if decisions is None else {str(row["report_id"]): row for row in decisions.to_dict("records")}
    plans = load_policy().plans
    days = pd.to_datetime(reports[date], errors="coerce") if date in reports.columns else [pd.NaT] * len(reports)
    studies = []
    for row, day in zip(reports.to_dict("records"), days, strict=True):
        key = str(row["report_id"])
        tier = None if _missing(row.get("tier")) else row["tier"]
        decision = made.get(key, {})
        own = by_report.get(key, [])
        studies.append(
            Study(
                report_id=key,
                patient_id=None if _missing(row.get(patient_id)) else str(row[patient_id]),
                date=None if pd.isna(day) else day.date(),
                fractures=own,
                pathway=row["pathway"],
                tier=tier,
                priority=int(decision.get("priority", plans[row["pathway"], tier].priority)),
                target_levels=list(decision.get("target_levels", ())),
                fracture_liaison=bool(decision.get("fracture_liaison", any(f.status == "present" for f in own))),
            )
        )
    return studies


def worklist_frame(views: Iterable[PatientView]) -> pd.DataFrame:
    """The views as a table, one row a patient, in the order given.

    Columns: ``patient_id``, ``report_id``, ``exam_date``, ``priority``, ``pathway``, ``tier``, ``target_levels`` (list)
    of the latest report, then ``reports`` (how many), ``fracture_counts`` ("2026-01-05: 1, ..."), ``history`` (what
    changed, list of sentences) and ``fracture_liaison``.
    """
    import pandas as pd

    rows = [
        {
            "patient_id": view.patient_id,
            "report_id": view.latest.report_id,
            "exam_date": view.latest.date,
            "priority": view.priority,
            "pathway": view.latest.pathway,
            "tier": view.latest.tier,
            "target_levels": list(view.latest.target_levels),
            "reports": len(view.studies),
            "fracture_counts": ", ".join(f"{day or 'undated'}: {count}" for day, count in view.fracture_counts),
            "history": [f"{event.date} {event.text}" for event in view.events],
            "fracture_liaison": view.fracture_liaison,
        }
        for view in views
    ]
    return pd.DataFrame(rows, columns=_WORKLIST_COLUMNS)


_WORKLIST_COLUMNS = [
    *("patient_id", "report_id", "exam_date", "priority", "pathway", "tier", "target_levels"),
    *("reports", "fracture_counts", "history", "fracture_liaison"),
]


def _missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN, NaT or NA (a list is a value)."""
    import pandas as pd

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))
