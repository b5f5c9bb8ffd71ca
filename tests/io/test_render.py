"""What is shown: all of it, and never as markup, escape codes or HTML."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from vertriage.evaluate import Error, Fact
from vertriage.readers import ColumnMap
from vertriage.render import (
    COLORS,
    columns_view,
    errors_view,
    highlighted,
    marks,
    printable,
    reading_html,
    report_view,
    summary_view,
)
from vertriage.types import FRACTURE_FIELDS, ContextReading, Decision, Evidence, FractureReading, Reason, ReportReading

HOSTILE = (
    "[bold red]x[/] [link=http://a.b]y[/link] \x1b[2J\x1b]0;t\x07 \x9b31m <script>alert(1)</script> & \u202edesrever"
)


def reading(text: str, words: str = "T12 fracture", **fields: Any) -> ReportReading:
    start = text.index(words)
    span = Evidence(start=start, end=start + len(words), text=words, section="findings")
    fracture = FractureReading(
        level="T12",
        acuity="acute",
        marrow_edema="present",
        height_loss_percent=40,
        evidence={"level": [span]},
        **fields,
    )
    return ReportReading(
        report_id="A1",
        fractures=[fracture],
        context=ContextReading(pain="present"),
        pathway="augmentation_candidate",
        candidate_levels=["T12"],
        review_reasons=["edema may belong to L1"],
        decision=Decision(
            pathway="augmentation_candidate", tier="strong", target_levels=["T12"],
            reasons=[Reason(rule="Q1-edema", text="Edema at T12.", evidence=[span])],
            cautions=[Reason(rule="C1", text="Several levels.")], missing=["pain score"], next_steps=["Refer."],
            follow_up="2 to 4 weeks", disclaimer="Supports clinical judgment only.",
        ),
    )  # fmt: skip


def shown(view: RenderableType, color: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=color, color_system="truecolor" if color else None).print(view)
    return out.getvalue()


def test_a_report_with_everything_a_clinician_needs() -> None:
    text = "T12 fracture with edema."
    out = shown(report_view(reading(text), text))
    for words in (
        "T12 fracture with edema.", "40%", "acute", "pain present", "augmentation candidate (strong): T12",
        "Edema at T12.",
        "[Q1-edema]", "“T12 fracture”", "Several levels.", "pain score", "Refer.", "2 to 4 weeks",
        "edema may belong to L1",
        "Supports clinical judgment only.",
    ):  # fmt: skip
        assert words in out, words
    assert "retropulsion" not in out, "a column that states nothing is left out"


def test_the_disclaimer_is_there_without_a_decision() -> None:
    bare = ReportReading(report_id="A1")
    assert "never replaces clinical judgment" in shown(report_view(bare, "No fracture."))
    assert "never replaces clinical judgment" in reading_html(bare)


def test_evidence_is_highlighted_where_it_stands() -> None:
    text = "Old rib. T12 fracture. Normal cord."
    out = highlighted(reading(text), text)
    assert out.plain == text
    assert [(s.start, s.end, str(s.style)) for s in out.spans] == [(9, 21, COLORS["level"][0])]


def test_every_field_has_a_color() -> None:
    assert set(FRACTURE_FIELDS) <= set(COLORS)


def test_short_marks_stay_visible_on_long_ones() -> None:
    text = "T12 fracture with edema"
    base = reading(text)
    long = Evidence(start=0, end=len(text), text=text, section="findings")
    base.fractures[0].evidence["marrow_edema"] = [long]
    assert [m[2] for m in marks(base)] == ["marrow_edema", "level"]


def test_report_text_is_never_terminal_markup_or_control() -> None:
    text = HOSTILE + " T12 fracture"
    plain = shown(report_view(reading(text), text))
    assert "[bold red]x[/]" in plain
    assert "[link=http://a.b]y[/link]" in plain
    colored = shown(report_view(reading(text), text), color=True)
    # What is left of escape codes are colors (SGR); nothing moves the cursor, sets a title or makes a link.
    assert set(re.findall(r"\x1b[^a-zA-Z]*([a-zA-Z])", colored)) == {"m"}
    assert not re.search(r"[\x07\x9b\u202e]|\x1b\]", colored)


def test_hostile_words_in_every_field_are_escaped() -> None:
    span = Evidence(start=0, end=5, text=HOSTILE, section="findings")
    hostile = ReportReading(
        report_id=HOSTILE,
        fractures=[FractureReading(level=HOSTILE, evidence={"level": [span]})],
        review_reasons=[HOSTILE],
        candidate_levels=[HOSTILE],
        decision=Decision(
            pathway="trauma", reasons=[Reason(rule=HOSTILE, text=HOSTILE, evidence=[span])], missing=[HOSTILE],
            disclaimer=HOSTILE,
        ),
    )  # fmt: skip
    page = reading_html(hostile, HOSTILE)
    assert "<script" not in page
    assert set(re.findall(r"</?(\w+)", page)) <= {
        "div", "p", "b", "i", "pre", "mark", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
    }  # fmt: skip
    out = shown(report_view(hostile, HOSTILE), color=True)
    assert set(re.findall(r"\x1b[^a-zA-Z]*([a-zA-Z])", out)) == {"m"}


def test_html_marks_the_evidence_and_keeps_the_text() -> None:
    text = "Spine & <cord>: T12 fracture."
    page = reading_html(reading(text), text)
    assert f'<mark style="background:{COLORS["level"][1]}">T12 fracture</mark>' in page
    body = re.search(r"<pre[^>]*>(.*?)</pre>", page, re.S)[1]
    assert html.unescape(re.sub(r"</?mark[^>]*>", "", body)) == text


@pytest.mark.parametrize("text", ["a\tb\nc", "Höhe 40 %", "\x00\x1b[31m", "a\r\nb", "\u2066x"])
def test_printable_keeps_the_length(text: str) -> None:
    assert len(printable(text)) == len(text)
    assert not re.search(r"[\x00\x1b\r\u2066]", printable(text))


def test_summary_counts() -> None:
    view = summary_view(
        {"trauma": 1, "no_fracture": 3}, {"empty_text": 2}, 3, 2.0, Path("out"), ("trauma", "no_fracture")
    )
    out = shown(view)
    assert re.search(r"no_fracture +3 +75\.0", out)
    assert re.search(r"read +4", out)
    assert re.search(r"rejected +2", out)
    assert re.search(r"empty text +2", out)
    assert re.search(r"with a warning +3", out)
    assert "2 reports/s" in out


def test_summary_of_nothing() -> None:
    assert re.search(r"read +0", shown(summary_view({}, {}, 0, 0.0, Path("out"), ("trauma",))))


def test_columns() -> None:
    columns = ColumnMap(
        {"report_id": "Acc [no]"}, parts=(("FINDINGS", "f"), ("IMPRESSION", "i")), given=frozenset({"text"})
    )
    out = shown(columns_view(columns))
    assert re.search(r"report id +Acc \[no\] +guessed", out)
    assert re.search(r"text +f \+ i +given", out)


def test_errors_are_escaped_and_complete() -> None:
    error = Error("missed", Fact("height_loss", "A1", "T12", 40), "value-wrong", "30", HOSTILE)
    out = shown(errors_view([error]))
    for words in ("missed", "height_loss", "A1 T12 40%", "value-wrong", "instead: 30", "[bold red]x[/]"):
        assert words in out
