"""Any text is read, the same way every time, with evidence that can be found in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vertriage.pipeline import Reader
from vertriage.types import Evidence, ReportReading

READER = Reader()  # hypothesis runs a test many times; a fixture of a session would do the same and needs a waiver

WORDS = [
    "T8", "L1-L2", "T11/12", "D9", "Th 10", "fracture", "wedge", "edema", "no", "without", "possible", "cleft",
    "30%", "30-40%", "respectively", "the former", "both", "cord", "compressed", "retropulsion", "cement",
    "kyphoplasty", "old", "acute", "T1", "T2", "STIR", "FINDINGS:", "IMPRESSION:", "HISTORY:", "ADDENDUM:", "?",
    "(", ")", ",", ";", ".", ":", "and", "or", "except", "none of", "metastasis", "pain", "#", "[x]", "-", "|",
    "\t", "\n", "\n\n", "\r\n", "\u00e9", "\U0001f9b4", "of", "at", "is", "5", "%", "mm", "1.", "Level", "T8:",
    "remaining", "eighth thoracic", "instead of",
]  # fmt: skip
REPORTS = st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join)
FAST = settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])


def evidence(reading: ReportReading) -> Iterator[Evidence]:
    for fracture in reading.fractures:
        for spans in fracture.evidence.values():
            yield from spans
    for spans in reading.context_evidence.values():
        yield from spans
    if reading.history is not None:
        for spans in reading.history.evidence.values():
            yield from spans


def check(text: str) -> None:
    reading = READER.read(text)
    for span in evidence(reading):
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == span.text
    levels = [fracture.level for fracture in reading.fractures]
    assert len(levels) == len(set(levels))
    assert ReportReading.model_validate(reading.model_dump()).pathway == reading.pathway
    assert (reading.pathway == "no_fracture") == (not reading.fractures)
    assert (reading.pathway == "augmentation_candidate") == bool(reading.candidate_levels)
    assert READER.read(text).model_dump_json() == reading.model_dump_json()


@given(st.text())
@example("")
@example("\x00\ud7ff\ufeff\u202e T8 fracture")
@example("\u0130L1 fracture")  # a letter that becomes two when it is made small
@example("L1 \ufb01racture \u00bd 30\u066a")
@FAST
def test_any_text(text: str) -> None:
    check(text)


@given(REPORTS)
@FAST
def test_any_order_of_the_words_of_reports(text: str) -> None:
    check(text)


@given(st.data())
@FAST
def test_torn_reports(gold: list[dict[str, Any]], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(gold))["text"]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    check(text[start:end])


@pytest.mark.parametrize("text", ["", " ", "\n", "\t \r\n", ".", "-", "\x00", "\ufeff"])
def test_nothing_to_read(reader: Reader, text: str) -> None:
    reading = reader.read(text)
    assert reading.fractures == []
    assert reading.pathway == "no_fracture"


def test_lone_surrogates(reader: Reader) -> None:
    assert [f.level for f in reader.read("\ud800 L1 compression fracture \udfff").fractures] == ["L1"]


def seconds(reader: Reader, text: str) -> float:
    begin = time.perf_counter()
    reader.read(text, modality="MR")
    return time.perf_counter() - begin


def test_a_megabyte_of_reports_in_one(reader: Reader, gold: list[dict[str, Any]]) -> None:
    """An export can hold a file that is no report; it must not hold up the run."""
    text = "\n\n".join(row["text"] for row in gold)
    text = (text + "\n\n") * (1_000_000 // len(text) + 1)
    assert seconds(reader, text[:1_000_000]) < 60


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("L1 compression fracture with edema. ", id="sentences"),
        pytest.param("T8 and ", id="levels"),
        pytest.param("x", id="one-word"),
        pytest.param("\n", id="line-ends"),
        pytest.param(" ", id="blanks"),
        pytest.param("(", id="parentheses"),
        pytest.param("a: b\n", id="labels"),
        pytest.param("30-40% ", id="percentages"),
        pytest.param("FINDINGS: ", id="headings"),
        pytest.param("1. ", id="items"),
        pytest.param("no fracture or edema, ", id="negated-list"),
        pytest.param("L1 fracture with 30% loss, ", id="one-sentence", marks=pytest.mark.xfail(strict=False)),
        pytest.param(".", id="dots"),
    ],
)
def test_time_grows_with_length_only(reader: Reader, unit: str) -> None:
    """Four times the text in no more than some six times the time, on the worst text of each kind."""
    short, long = unit * (750 // len(unit)), unit * (3_000 // len(unit))
    reader.read(long, modality="MR")
    once = min(seconds(reader, short) for _ in range(3))
    assert min(seconds(reader, long) for _ in range(2)) < 7 * once + 0.05


def test_reports_do_not_touch_each_other(reader: Reader, gold: list[dict[str, Any]]) -> None:
    rows = gold[::10]
    first = [reader.read(row["text"], modality="MR").model_dump_json() for row in rows]
    again = [Reader().read(row["text"], modality="MR").model_dump_json() for row in reversed(rows)]
    assert first == again[::-1]
