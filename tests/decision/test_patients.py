"""Several reports of one patient: what is new, who comes first, who needs osteoporosis care."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertriage.patients import (
    Study,
    liaison_referrals,
    patient_views,
    studies_from_frames,
    worklist,
    worklist_frame,
)
from vertriage.types import ContextReading, FractureReading, HistoryFacts, ReportMeta, ReportReading

START = date(2026, 1, 5)


def study(report_id="r", patient="p", day=0, *fractures, **fields):
    when = None if day is None else START + timedelta(days=day)
    return Study(report_id, patient_id=patient, date=when, fractures=fractures, **fields)


def vcf(level, **fields):
    return FractureReading(level=level, **fields)


def acute(level, **fields):
    return vcf(level, acuity="acute", **fields)


HISTORIES = {
    "new level": ([acute("L1")], 30, [vcf("L1"), acute("T12")], ["new_level T12"]),
    "new level called chronic": ([vcf("L1")], 30, [vcf("L1"), vcf("T6", acuity="chronic")], ["new_level T6"]),
    "hedged before is not new": ([vcf("L1", status="possible")], 30, [vcf("L1")], []),
    "hedged now is not new": ([vcf("L1")], 30, [vcf("L1"), vcf("T9", status="possible")], []),
    "unnamed levels cannot be compared": ([vcf("L1")], 30, [vcf("L1"), acute(None)], []),
    "edema gone": (
        [acute("L1", marrow_edema="present")],
        60,
        [vcf("L1", marrow_edema="absent")],
        ["edema_resolved L1"],
    ),
    "edema persists": (
        [acute("L1", marrow_edema="present")],
        43,
        [vcf("L1", marrow_edema="present")],
        ["edema_persisting L1"],
    ),
    "edema for six weeks exactly": ([acute("L1", marrow_edema="present")], 42, [vcf("L1", marrow_edema="present")], []),
    "edema not mentioned again": ([acute("L1", marrow_edema="present")], 60, [vcf("L1")], []),
    "cleft": ([acute("L1")], 40, [vcf("L1", cleft="present")], ["cleft_new L1"]),
    "cleft known": ([acute("L1", cleft="present")], 40, [vcf("L1", cleft="present")], []),
    "next to cement": (
        [vcf("L1", augmented=True, acuity="chronic")],
        40,
        [vcf("L1", augmented=True, acuity="chronic"), acute("T12")],
        ["new_level T12", "next_to_cement T12"],
    ),
    "not next to cement": (
        [vcf("L1", augmented=True, acuity="chronic")],
        40,
        [acute("T10")],
        ["new_level T10"],
    ),
    "cement at the region border": (
        [vcf("T1", augmented=True)],
        9,
        [acute("C7")],
        ["new_level C7", "next_to_cement C7"],
    ),
    "nothing changed": ([acute("L1")], 10, [acute("L1")], []),
}


@pytest.mark.parametrize(("before", "days", "after", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
def test_what_changed(before, days, after, expected):
    reports = [study("later", "p", days, *after), study("earlier", "p", 0, *before)]
    (view,) = patient_views(reports)
    assert [f"{event.kind} {event.level}" for event in view.events] == expected
    assert {event.report_id for event in view.events} <= {"later"}
    assert view.latest.report_id == "later"


def test_a_first_report_can_already_show_a_fracture_next_to_cement():
    (view,) = patient_views([study("a", "p", 0, vcf("L1", augmented=True), acute("L2"))])
    assert [event.kind for event in view.events] == ["next_to_cement"]


def test_persisting_edema_counts_from_the_first_report_with_it():
    reports = [study(str(day), "p", day, vcf("L1", marrow_edema="present")) for day in (0, 30, 60)]
    (view,) = patient_views(reports)
    assert [event.text for event in view.events] == ["L1: marrow edema for 9 weeks."]


def test_reports_of_one_day_are_not_held_against_each_other():
    (view,) = patient_views([study("mr", "p", 0, acute("L1"), acute("T8")), study("ct", "p", 0, acute("L1"))])
    assert view.events == []


def test_fracture_count_over_time():
    (view,) = patient_views(
        [study("b", "p", 9, vcf("L1"), vcf("L2"), vcf("L3", status="possible")), study("a", "p", 0, vcf("L1"))]
    )
    assert view.fracture_counts == [(START, 1), (START + timedelta(days=9), 2)]


def test_of_one_day_the_most_urgent_report_stands_for_the_patient():
    (view,) = patient_views([study("mr", "p", 0, priority=1), study("xr", "p", 0, priority=7)])
    assert view.latest.report_id == "mr"


@pytest.mark.parametrize(("patient", "day"), [(None, 0), ("p", None)], ids=["no patient id", "no date"])
def test_a_report_that_cannot_be_ordered_stands_alone(patient, day):
    views = patient_views([study("a", "p", 0), study("b", patient, day, acute("L1")), study("c", patient, day)])
    assert [[s.report_id for s in view.studies] for view in views] == [["a"], ["b"], ["c"]]


ORDER = [
    ("emergency", "surgical_emergency", None),
    ("malignancy", "malignancy_workup", None),
    ("infection", "infection_workup", None),
    ("trauma", "trauma", None),
    ("strong", "augmentation_candidate", "strong"),
    ("standard", "augmentation_candidate", "standard"),
    ("conditional", "augmentation_candidate", "conditional"),
    ("review", "needs_review", None),
    ("osteoporosis", "osteoporosis_management", None),
    ("none", "no_fracture", None),
]


@given(st.permutations(ORDER))
def test_worklist_order(shuffled):
    reports = pd.DataFrame(shuffled, columns=["report_id", "pathway", "tier"])
    fractures = pd.DataFrame(columns=["report_id", "level"])
    names = [view.latest.report_id for view in worklist(studies_from_frames(reports, fractures))]
    urgent = [name for name, *_ in shuffled if name in ("malignancy", "infection", "trauma")]  # equals keep their order
    assert names == ["emergency", *urgent, *(name for name, *_ in ORDER[4:])]


def test_the_worklist_shows_a_patient_once_by_the_latest_report():
    reports = [
        study("new", "p", 20, acute("L1"), priority=3),
        study("old", "p", 0, priority=1),
        study("other", "q", 0, priority=2),
    ]
    frame = worklist_frame(worklist(reports))
    assert frame[["patient_id", "report_id", "reports"]].values.tolist() == [["q", "other", 1], ["p", "new", 2]]
    assert frame.loc[1, "fracture_counts"] == "2026-01-05: 0, 2026-01-25: 1"
    assert worklist_frame([]).columns.tolist() == frame.columns.tolist()


def reading(treated, *fractures):
    history = HistoryFacts(osteoporosis_treatment="present" if treated else "not_stated")
    return ReportReading(
        report_id="r",
        meta=ReportMeta(modality="MR"),
        fractures=list(fractures),
        context=ContextReading(pain="absent"),
        history=history,
    )


@pytest.mark.parametrize(
    ("readings", "referred"),
    [
        ([reading(False, vcf("L1"))], True),
        ([reading(True, vcf("L1"))], False),
        ([reading(False)], False),
        ([reading(False, vcf("L1", status="possible"))], False),
        ([reading(False, vcf("L1")), reading(True, vcf("L1"))], False),
        ([reading(False), reading(False, vcf("L1"))], True),
    ],
)
def test_fracture_liaison_list(readings, referred):
    studies = [Study.of(item, "p", START + timedelta(days=i)) for i, item in enumerate(readings)]
    assert bool(liaison_referrals(patient_views(studies))) is referred


def test_tables_and_readings_give_the_same_view():
    first, second = (
        reading(False, acute("L1", marrow_edema="present")),
        reading(False, vcf("L1", marrow_edema="absent")),
    )
    first.report_id, second.report_id = "1", "2"
    by_reading = patient_views([Study.of(first, "p", START), Study.of(second, "p", START + timedelta(days=70))])
    reports = pd.DataFrame(
        {
            "report_id": ["1", "2"],
            "patient_id": ["p", "p"],
            "exam_date": ["2026-01-05", "2026-03-16"],
            "pathway": ["osteoporosis_management"] * 2,
            "tier": [None, None],
        }
    )
    rows = [
        {"report_id": r.report_id, **f.model_dump(exclude={"evidence"})} for r in (first, second) for f in r.fractures
    ]
    by_table = patient_views(studies_from_frames(reports, pd.DataFrame(rows)))
    assert by_table[0].events == by_reading[0].events
    assert by_table[0].priority == by_reading[0].priority


def test_unreadable_cells_do_not_hide_a_report():
    reports = pd.DataFrame(
        {
            "report_id": ["1", "2", "3"],
            "patient_id": ["p", None, float("nan")],
            "exam_date": ["not a date", None, pd.NaT],
            "pathway": ["needs_review"] * 3,
            "tier": [pd.NA, None, float("nan")],
        }
    )
    views = worklist(studies_from_frames(reports, pd.DataFrame(columns=["report_id", "level"])))
    assert [view.latest.report_id for view in views] == ["1", "2", "3"]


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="no column 'pathway'"):
        studies_from_frames(pd.DataFrame({"report_id": []}), pd.DataFrame({"report_id": []}))
