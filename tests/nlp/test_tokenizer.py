"""Tokens: levels, numbers and words come apart where a reader would part them; offsets point into the report."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from vertriage.lexicon import shipped
from vertriage.text import Speller, fold
from vertriage.tokenizer import LEVEL, MARK, NUMBER, WORD, ReportTokenizer, tokenize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T8", [("T8", LEVEL)]),
        ("Th8", [("Th8", LEVEL)]),
        ("T-8", [("T-8", LEVEL)]),
        ("D08", [("D08", LEVEL)]),
        ("DV8", [("DV8", LEVEL)]),
        ("L 2 vertebra", [("L 2", LEVEL), ("vertebra", WORD)]),
        ("L 2 mm", [("L", WORD), ("2", NUMBER), ("mm", WORD)]),
        ("T11-L1", [("T11", LEVEL), ("-", MARK), ("L1", LEVEL)]),
        ("T12/L1", [("T12", LEVEL), ("/", MARK), ("L1", LEVEL)]),
        ("L4L5", [("L4", LEVEL), ("L5", LEVEL)]),
        ("30-40%", [("30", NUMBER), ("-", MARK), ("40", NUMBER), ("%", MARK)]),
        ("2.5 mm", [("2.5", NUMBER), ("mm", WORD)]),
        ("1,5 cm", [("1,5", NUMBER), ("cm", WORD)]),
        ("T1WI", [("T1WI", WORD)]),
        ("T8.5", [("T8", WORD), (".", MARK), ("5", NUMBER)]),
        ("#L2", [("#", MARK), ("L2", LEVEL)]),
        ("end-plate", [("end", WORD), ("-", MARK), ("plate", WORD)]),
        ("Schmorl's", [("Schmorl's", WORD)]),
        ("loss,edema.", [("loss", WORD), (",", MARK), ("edema", WORD), (".", MARK)]),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    tokens = tokenize(text)
    assert list(zip(tokens.raw, tokens.kind, strict=True)) == expected


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_offsets_point_into_the_report(text: str) -> None:
    tokens = tokenize(text)
    assert len(tokens.text) == len(text)
    last = 0
    for raw, start, end in zip(tokens.raw, tokens.start, tokens.end, strict=True):
        assert last <= start < end <= len(text)
        assert fold(text)[start:end] == raw
        last = end


TOKENIZER = ReportTokenizer(spacy.blank("en").vocab)


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_spacy_docs_keep_the_text(text: str) -> None:
    assert TOKENIZER(text).text == text


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("T11\u2013L1", "T11-L1"),
        ("T11\u2212L1", "T11-L1"),
        ("K\u00fcmmell", "Kummell"),
        ("30\u00a0%", "30 %"),
        ("patient\u2019s", "patient's"),
        ("\u2265 50%", "> 50%"),
        ("\u2022 L1", "* L1"),
        ("Height loss ..... 60%", "Height loss:      60%"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert len(fold(text)) == len(text)


@given(st.text())
@settings(deadline=None, max_examples=200)
def test_fold_keeps_the_length(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("oedema", "edema"),
        ("Oedema", "edema"),
        ("OEDEMA", "edema"),
        ("oedematous", "edematous"),
        ("haemangioma", "hemangioma"),
        ("tumours", "tumor"),
        ("fractures", "fracture"),
        ("vertebrae", "vertebra"),
        ("metastases", "metastasis"),
        ("pathological", "pathologic"),
        ("retropulion", "retropulsion"),
        ("vertebrel", "vertebral"),
        ("comprssion", "compression"),
        ("osteoporotc", "osteoporotic"),
        ("fracutre", "fracture"),
        ("kyphoplsty", "kyphoplasty"),
        ("demineralised", "demineralized"),
    ],
)
def test_spelling(written: str, spelled: str) -> None:
    assert shipped().spell(written) == spelled


@pytest.mark.parametrize(
    "word", ["protrusion", "extrusion", "fractured", "compressed", "decompression", "depression", "intervertebral"]
)
def test_near_words_are_not_mended_into_others(word: str) -> None:
    assert shipped().spell(word) == word


def test_only_one_slip_is_mended() -> None:
    speller = Speller(fuzzy=["retropulsion"], protect=["retropulsian"])
    assert [speller(word) for word in ("retropulson", "retropullsion", "retropuslion", "retropulsiom")] == [
        "retropulsion"
    ] * 4
    assert speller("retroplson") == "retroplson"
    assert speller("retropulsian") == "retropulsian"
    assert speller("propulsion") == "propulsion"
