"""Sections: headings in every form in use, and reports without any."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertriage.lexicon import LexiconError
from vertriage.sections import SectionRules, find_sections, section_at, section_rules


def named(text: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for section in find_sections(text):
        out[section.name] = f"{out.get(section.name, '')} {text[section.start : section.end].strip()}".strip()
    return out


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("INDICATION", "history"),
        ("CLINICAL INDICATION", "history"),
        ("HISTORY", "history"),
        ("CLINICAL HISTORY", "history"),
        ("Clinical details", "history"),
        ("Clinical information", "history"),
        ("Reason for exam", "history"),
        ("Reason for referral", "history"),
        ("Presenting complaint", "history"),
        ("TECHNIQUE", "technique"),
        ("Protocol", "technique"),
        ("Sequences", "technique"),
        ("COMPARISON", "comparison"),
        ("FINDINGS", "findings"),
        ("Report", "findings"),
        ("IMPRESSION", "impression"),
        ("Conclusion", "impression"),
        ("Opinion", "impression"),
        ("Summary", "impression"),
        ("RECOMMENDATION", "recommendation"),
        ("RECOMMENDATIONS", "recommendation"),
        ("ADDENDUM", "addendum"),
    ],
)
@pytest.mark.parametrize("form", ["{}: body words here.", "{}:\nbody words here.", "{}\nbody words here."])
def test_headings(heading: str, name: str, form: str) -> None:
    text = "EXAM: MRI.\n\n" + form.format(heading)
    assert named(text)[name].endswith("body words here.")


@pytest.mark.parametrize("write", [str, str.upper, str.lower, str.title])
def test_headings_in_any_case(write: type[str]) -> None:
    text = write("Indication: pain.\nFindings: fracture.\nImpression: old fracture.")
    assert {name: body.lower() for name, body in named(text).items()} == {
        "history": "pain.",
        "findings": "fracture.",
        "impression": "old fracture.",
    }


def test_all_on_one_line() -> None:
    text = "EXAM: MRI. HISTORY: Back pain. TECHNIQUE: Sag T1. COMPARISON: None. FINDINGS: L1 fracture. IMPRESSION: L1."
    assert named(text) == {
        "title": "MRI.",
        "history": "Back pain.",
        "technique": "Sag T1.",
        "comparison": "None.",
        "findings": "L1 fracture.",
        "impression": "L1.",
    }


def test_no_headings_is_findings() -> None:
    text = "Acute L1 fracture with edema. Conus normal."
    assert named(text) == {"findings": text}


def test_title_and_referral_without_headings() -> None:
    text = "MRI lumbar spine\n\n79F, fall, back pain ?fracture\n\nAcute wedge fracture of L1 with edema."
    assert named(text) == {
        "title": "MRI lumbar spine",
        "history": "79F, fall, back pain ?fracture",
        "findings": "Acute wedge fracture of L1 with edema.",
    }


def test_history_ends_at_a_blank_line_when_no_findings_heading_follows() -> None:
    text = "Clinical details: Back pain.\n\nAcute wedge fracture of L1.\n\nConclusion: L1 fracture."
    assert named(text)["history"] == "Back pain."
    assert named(text)["findings"] == "Acute wedge fracture of L1."


@pytest.mark.parametrize(
    "text",
    [
        "The findings are in keeping with an old fracture.",
        "The impression of the fracture on the cord is mild.",
        "No comparison is available.",
        "There is a history of cancer.",
        "The technique was limited by motion.",
    ],
)
def test_words_in_prose_are_no_headings(text: str) -> None:
    assert set(named("FINDINGS: " + text)) == {"findings"}


def test_addendum_after_impression() -> None:
    text = "FINDINGS: L1.\nIMPRESSION: L1.\n\nADDENDUM (12/03/2024): The level is L2."
    assert named(text)["addendum"] == "The level is L2."


def test_addendum_before_the_report() -> None:
    text = "ADDENDUM: The level is L2.\n\nFINDINGS: L1.\nIMPRESSION: L1."
    assert named(text) == {"addendum": "The level is L2.", "findings": "L1.", "impression": "L1."}


def test_line_ends_of_windows() -> None:
    text = "INDICATION: Pain.\nFINDINGS:\nL1 fracture.\n\nIMPRESSION:\nL1."
    assert named(text.replace("\n", "\r\n")) == named(text)


def test_line_ends_of_windows_without_findings_heading() -> None:
    text = "Clinical details: Back pain.\n\nAcute wedge fracture of L1.\n\nConclusion: L1 fracture."
    assert named(text.replace("\n", "\r\n")) == named(text)


def test_section_at() -> None:
    text = "INDICATION: Pain.\nFINDINGS: Fracture."
    sections = find_sections(text)
    assert section_at(sections, text.index("Pain")) == "history"
    assert section_at(sections, text.index("Fracture")) == "findings"
    assert section_at([], 3) == "findings"


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_sections_are_in_order_and_do_not_overlap(text: str) -> None:
    last = 0
    for section in find_sections(text):
        assert last <= section.start <= section.end <= len(text)
        last = section.end


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match=r"sections\.yaml"):
        SectionRules(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "MRI. L3 pathologic fracture.",
        "MRI shows L3 compression fracture.",
        "MRI L3 compression fracture with edema.\nNo retropulsion.",
        "X-ray of the lumbar spine shows wedging of L3.",
        "MRI lumbar spine. L3 fracture.",
        "CT LUMBAR SPINE. L3 FRACTURE, NO RETROPULSION.",
    ],
)
def test_a_first_line_that_says_what_was_found_is_no_title(text: str) -> None:
    assert section_at(find_sections(text), text.index("3")) == "findings"


@pytest.mark.parametrize(
    "title",
    [
        "MRI LUMBAR SPINE WITHOUT CONTRAST",
        "MRI of the lumbar spine for L3 fracture.",
        "CT L-SPINE - L3 FRACTURE FOLLOW-UP",
        "MRI L.S. SPINE",
    ],
)
def test_a_first_line_that_names_the_examination_is_the_title(title: str) -> None:
    assert named(f"{title}\nNo fracture.") == {"title": title, "findings": "No fracture."}


@pytest.mark.parametrize(
    "text",
    [
        "EXAM: MRI thoracic spine. T3 acute fracture.",
        "Study: MRI L-spine\nL3 fracture.",
        "EXAM: CT L3 FRACTURE WITH CLEFT",
    ],
)
def test_findings_under_the_heading_of_the_examination_are_not_lost(text: str) -> None:
    assert section_at(find_sections(text), text.index("3")) == "findings"


def test_a_vertebral_body_in_capitals_is_no_heading() -> None:
    assert "VERTEBRAL BODY: COLLAPSE" in named("FINDINGS:\n- L3 VERTEBRAL BODY: COLLAPSE.\n")["findings"]


_BEFORE_FINDINGS = {
    "title": "MRI lumbar spine",
    "history": "Back pain",
    "technique": "Sagittal T1, T2 and STIR",
    "comparison": "None",
    "recommendation": "Clinic review",
    "other": "1234",
}


@pytest.mark.parametrize(
    "form",
    [
        "{h}: {v}.\n{body}",
        "{h}:\n{v}\n\n{body}",
        "{h}: {v}. {body}",
        "{h}: {v}\n{body}",
        "{h}: {v}\n\n{body}\n\nIMPRESSION: VCF.",
    ],
    ids=["line", "paragraph", "one line", "no full stop", "before an impression"],
)
@pytest.mark.parametrize("name", _BEFORE_FINDINGS)
def test_no_heading_swallows_the_report_below_it(name: str, form: str) -> None:
    """Whatever the only heading above it, a description without a heading of its own is findings."""
    body = "There is an acute L1 compression fracture with marrow edema. No retropulsion."
    for heading in (heading for heading, section in section_rules().name_of.items() if section == name):
        text = form.format(h=heading.title(), v=_BEFORE_FINDINGS[name], body=body)
        found = {section_at(find_sections(text), text.index(word)) for word in ("L1", "edema")}
        assert found <= {"findings", "recommendation"}, (heading, found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Accession: 1234 MRI LUMBAR SPINE. Wedging of L1.", "findings"),
        ("Critical result: discussed with the ward.\n\nIMPRESSION: L1 fracture.", "impression"),
        ("FINDINGS: L2 wedged.\nSigned: Dr Blank\n\nThe L1 body is edematous.", "findings"),
        ("FINDINGS: L2 wedged.\nCritical result: the L1 fracture was discussed.", "other"),
        ("Indication: fall, rule out\nL1 fracture", "history"),
        ("Comparison: prior study showed wedging. The L1 fracture was known. No change.", "comparison"),
    ],
)
def test_where_an_administrative_line_ends(text: str, found: str) -> None:
    assert section_at(find_sections(text), text.index("L1") if "L1" in text else 0) == found
