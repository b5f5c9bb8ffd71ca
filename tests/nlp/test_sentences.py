"""Sentences: prose, lists, labels, tables, hard-wrapped lines, missing full stops."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vertriage.sections import find_sections
from vertriage.sentences import Sentence, find_sentences


def sentences(text: str) -> list[Sentence]:
    return find_sentences(text, find_sections(text))


def plain(text: str) -> list[str]:
    return [" ".join(text[s.start : s.end].split()) for s in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("L1 fracture. No edema.", ["L1 fracture.", "No edema."], id="prose"),
        pytest.param("L1 fracture.No edema.", ["L1 fracture.", "No edema."], id="no-blank-after-the-stop"),
        pytest.param("L1 fracture, 2.5 mm retropulsion.", ["L1 fracture, 2.5 mm retropulsion."], id="decimal"),
        pytest.param("Seen by Dr. Who today. No edema.", ["Seen by Dr. Who today.", "No edema."], id="title"),
        pytest.param("Disc bulges, e.g. at L4-5. Ok.", ["Disc bulges, e.g. at L4-5.", "Ok."], id="abbreviation"),
        pytest.param("Fx of L1 vs. artifact.", ["Fx of L1 vs. artifact."], id="versus"),
        pytest.param("Is there a fracture? No.", ["Is there a fracture?", "No."], id="question"),
        pytest.param("Back pain, ? fracture", ["Back pain, ? fracture"], id="leading-question-mark"),
        pytest.param("1. L1 fracture.\n2. No edema.", ["L1 fracture.", "No edema."], id="numbered"),
        pytest.param("1) L1 fracture\n2) No edema", ["L1 fracture", "No edema"], id="numbered-parenthesis"),
        pytest.param("- L1 fracture\n- No edema", ["L1 fracture", "No edema"], id="dashes"),
        pytest.param("\u2022 L1 fracture\n\u2022 No edema", ["L1 fracture", "No edema"], id="bullets"),
        pytest.param("* L1 fracture\n* No edema", ["L1 fracture", "No edema"], id="stars"),
        pytest.param("a) L1 fracture\nb) No edema", ["L1 fracture", "No edema"], id="letters"),
        pytest.param("1. L1 fracture. 2. No edema.", ["L1 fracture.", "No edema."], id="numbered-inline"),
        pytest.param("L1 fracture\nNo edema\nConus normal", ["L1 fracture", "No edema", "Conus normal"], id="lines"),
        pytest.param("L1 fracture with\nedema. Ok.", ["L1 fracture with edema.", "Ok."], id="wrapped"),
        pytest.param("L1 fracture.\n\nNo edema", ["L1 fracture.", "No edema"], id="paragraphs"),
        pytest.param("T8: fracture.\nT9: normal.", ["T8: fracture.", "T9: normal."], id="level-labels"),
        pytest.param("[x] Fracture [ ] Edema", ["Fracture"], id="check-boxes"),
        pytest.param("L1 fracture\r\nNo edema\r\n", ["L1 fracture", "No edema"], id="crlf"),
    ],
)
def test_boundaries(text: str, expected: list[str]) -> None:
    assert plain(text) == expected


def test_hard_wrapped_paragraph() -> None:
    text = (
        "FINDINGS: There is an acute compression fracture of the L1 vertebral body\n"
        "with approximately 40% loss of height anteriorly. There is marrow edema\n"
        "throughout the body. The posterior wall is intact. There is an old wedge\n"
        "deformity of T8 without marrow edema. The conus is normal and ends at\n"
        "L1. The remaining vertebral body heights are maintained.\n"
    )
    assert plain(text) == [
        "There is an acute compression fracture of the L1 vertebral body with approximately 40% loss of height "
        "anteriorly.",
        "There is marrow edema throughout the body.",
        "The posterior wall is intact.",
        "There is an old wedge deformity of T8 without marrow edema.",
        "The conus is normal and ends at L1.",
        "The remaining vertebral body heights are maintained.",
    ]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Conus: normal.\nMarrow: edema of L1.", ["Conus", "Marrow"]),
        ("T8: fracture.\nT9 - normal.", ["T8", "T9"]),
        ("T8\nWedge fracture.", ["T8", ""]),
        ("T11-L1: fractures.", ["T11-L1"]),
        ("At 10:30 the patient was seen.", [""]),
    ],
)
def test_labels(text: str, labels: list[str]) -> None:
    assert [sentence.label for sentence in sentences(text)] == labels


def test_a_label_alone_heads_what_follows() -> None:
    first, second = sentences("T8\nWedge fracture.")
    assert first.heads
    assert not second.heads


def test_table_rows_know_their_headings() -> None:
    rows = sentences("FINDINGS:\nLevel | Fracture | Edema\nT8 | Wedge | Yes\nL1 | Crush | No")
    assert [[heading for heading, _, _ in row.cells] for row in rows] == [["Level", "Fracture", "Edema"]] * 2


def test_sections_are_kept() -> None:
    text = "INDICATION: Pain.\nFINDINGS: L1 fracture.\nIMPRESSION: As above."
    assert [sentence.section for sentence in sentences(text)] == ["history", "findings", "impression"]


def test_no_sentence_crosses_a_section() -> None:
    text = "INDICATION: Back pain\nFINDINGS: L1 fracture with\nIMPRESSION: edema"
    assert plain(text) == ["Back pain", "L1 fracture with", "edema"]


@given(st.text(alphabet=st.sampled_from("aL1T8 .:;-\n\r\t|?%()[]x*2"), max_size=200))
@settings(deadline=None, max_examples=300)
def test_sentences_are_in_order_and_do_not_overlap(text: str) -> None:
    last = 0
    for sentence in sentences(text):
        assert last <= sentence.start < sentence.end <= len(text)
        assert text[sentence.start : sentence.end].strip() == text[sentence.start : sentence.end]
        last = sentence.end


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fracture", "edema", "of L1", "T8", "30%", "no cleft"]),
            st.sampled_from([" ", ". ", ", ", "\n", "\n\n", ": ", " - ", "\n- ", "\n1. ", "; ", "? ", "\t"]),
        ),
        max_size=15,
    )
)
@example([("fracture", "\t"), ("fracture", "\n"), ("T8", "\t"), ("fracture", " ")])
@settings(deadline=None, max_examples=300)
def test_no_word_is_lost(pieces: list[tuple[str, str]]) -> None:
    text = "FINDINGS: " + "".join(word + mark for word, mark in pieces)
    found = sentences(text)
    read = " ".join(text[sentence.start : sentence.end] for sentence in found)
    headings = " ".join(heading for sentence in found for heading, _, _ in sentence.cells)
    for word in ("fracture", "edema", "cleft", "L1", "30%"):
        # the heading row of a table is no sentence: its words stand with the cells of the rows under it
        assert read.count(word) == text.count(word) or word in headings
