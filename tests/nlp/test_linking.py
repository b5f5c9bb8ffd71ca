"""Linking: which vertebra a finding is said of, and saying so when that is open."""

from __future__ import annotations

import pytest
from case_tables import Case, mismatches, params

from vertriage.linking import EVERY, FOCUS, HEADING, NAMED, REFERENCE, REMAINING
from vertriage.pipeline import Reader, parse


@pytest.mark.parametrize("case", params("linking"))
def test_cases(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []


@pytest.mark.parametrize(
    ("text", "levels", "how"),
    [
        ("T8 shows marrow edema.", ["T8"], NAMED),
        ("Marrow edema at T8.", ["T8"], NAMED),
        ("Compression fractures of T8 and L1. Both show marrow edema.", ["T8", "L1"], REFERENCE),
        ("T8:\nWedge fracture.\nMarrow edema.", ["T8"], HEADING),
        ("Compression fracture of T8. There is marrow edema.", ["T8"], FOCUS),
        ("Compression fracture of T8. No remaining fracture shows marrow edema.", [], REMAINING),
        ("Marrow edema is present.", [], EVERY),
    ],
)
def test_how_edema_is_linked(text: str, levels: list[str], how: int) -> None:
    (link,) = [link for link in parse("FINDINGS: " + text).links if link.mention.label == "marrow_edema"]
    assert (link.levels, link.how) == (levels, how)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("FINDINGS: Compression fractures of T8 and L1. There is a cleft.", "cleft"),
        ("FINDINGS: Compression fractures of T8 and L1. There is retropulsion.", "retropulsion"),
    ],
)
def test_open_linking_is_said(reader: Reader, text: str, word: str) -> None:
    assert any(word in reason for reason in reader.read(text, modality="MR").review_reasons)


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS: Compression fracture of T8. There is a cleft.",
        "FINDINGS: Compression fractures of T8 and L1. T8 contains a cleft.",
        "FINDINGS: Compression fractures of T8 and L1. Both contain a cleft.",
        "FINDINGS: Compression fractures of T8 and L1. No cleft.",
        "",
    ],
)
def test_no_review_when_linking_is_certain(reader: Reader, text: str) -> None:
    assert reader.read(text, modality="MR").review_reasons == []


def test_technique_and_comparison_say_nothing_of_a_vertebra() -> None:
    text = "TECHNIQUE: STIR for edema at T8.\nCOMPARISON: CT with T8 fracture.\nFINDINGS: Normal."
    assert parse(text).links == []
