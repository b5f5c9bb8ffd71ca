"""Assertion: negated, hedged, asked, planned, and how far a cue reaches."""

from __future__ import annotations

import pytest
from case_tables import Case, mismatches, params

from vertriage.assertion import clause_starts
from vertriage.pipeline import Reader, parse


@pytest.mark.parametrize("case", params("assertion"))
def test_cases(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []


def state(text: str, label: str) -> list[str]:
    """How each mention of a label in a text is asserted."""
    out = []
    for view in parse(text).views:
        for mention in view.mentions:
            if mention.label == label:
                flags = ("negated", "hedged", "asked", "planned")
                out.append(next((flag for flag in flags if getattr(mention, flag)), "asserted"))
    return out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("There is a cleft.", ["asserted"]),
        ("No cleft.", ["negated"]),
        ("No retropulsion, cleft or mass.", ["negated"]),
        ("No retropulsion; there is a cleft.", ["asserted"]),
        ("No retropulsion but a cleft is seen.", ["asserted"]),
        ("A cleft is not seen.", ["negated"]),
        ("A cleft is seen, retropulsion is not.", ["asserted"]),
        ("Cleft: none.", ["negated"]),
        ("Possible cleft.", ["hedged"]),
        ("A cleft cannot be excluded.", ["hedged"]),
        ("A cleft is not excluded.", ["hedged"]),
        ("A cleft has been excluded.", ["negated"]),
        ("Cleft rather than a fracture line.", ["asserted"]),
        ("Fracture line rather than a cleft.", ["negated"]),
        ("No change in the cleft.", ["asserted"]),
        ("Not only a cleft.", ["asserted"]),
        ("No doubt about the cleft.", ["asserted"]),
        ("INDICATION: ? cleft.\nFINDINGS: Cleft.", ["asked", "asserted"]),
        ("INDICATION: Evaluate for cleft.\nFINDINGS: No cleft.", ["asked", "negated"]),
    ],
)
def test_state_of_a_cleft(text: str, expected: list[str]) -> None:
    prefix = "" if text.startswith("INDICATION") else "FINDINGS: "
    assert state(prefix + text, "cleft") in (expected, [{"asked": "hedged"}.get(e, e) for e in expected])


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("no cleft , the posterior wall is intact", [3]),
        ("no cleft , retropulsion or mass is seen", []),
        ("<level> is wedged but <level> is normal", [4]),
        ("edema is present ; no cleft", [4]),
        ("<level> and <level> are fractured", []),
        ("<level> is old while <level> is new", [4]),
        ("", []),
    ],
)
def test_clauses(text: str, starts: list[int]) -> None:
    assert clause_starts(text.split()) == starts
