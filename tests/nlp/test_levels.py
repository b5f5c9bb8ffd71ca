"""Vertebral levels: every notation, and what only looks like one."""

from __future__ import annotations

import pytest
from case_tables import Case, mismatches, params
from hypothesis import given
from hypothesis import strategies as st

from vertriage.levels import ORDER, LevelGroup, find_levels, level_range, neighbor, spell
from vertriage.lexicon import shipped
from vertriage.pipeline import Reader
from vertriage.tokenizer import tokenize


def found(text: str) -> list[LevelGroup]:
    tokens = tokenize(text)
    return find_levels(tokens, spell(tokens, shipped().spell))


def bodies(text: str) -> list[str]:
    return [level for group in found(text) if group.part == "body" for level in group.levels]


ONE_BODY = {
    "T8": ["T8", "T-8", "T 8", "T.8", "T08", "T-08", "Th8", "Th-8", "TH8", "th8", "D8", "D-8", "D 8", "D08", "d8"]
    + ["DV8", "TV8", "dorsal 8", "eighth thoracic", "8th thoracic", "eighth dorsal", "8th dorsal", "T#8"]
    + ["thoracic vertebra 8", "the 8th thoracic vertebral body", "T8-"],
    "T12": ["T12", "T-12", "Th12", "D12", "twelfth dorsal", "12th thoracic", "twelfth thoracic vertebra", "dorsal 12"],
    "T1": ["T1 vertebral body", "first thoracic vertebra", "D1", "Th1", "T1 fracture", "T1 superior endplate"],
    "T2": ["T2 vertebral body", "second thoracic vertebra", "D2", "Th2", "the T2 level", "T2 compression"],
    "L2": ["L2", "L-2", "L 2", "LV2", "L02", "l2", "second lumbar", "2nd lumbar vertebra", "lumbar 2"],
    "C7": ["C7", "C-7", "seventh cervical", "7th cervical vertebra"],
    "L6": ["L6", "L-6"],
    "T13": ["T13"],
}


@pytest.mark.parametrize(("text", "level"), [(text, level) for level, texts in ONE_BODY.items() for text in texts])
def test_one_body(text: str, level: str) -> None:
    assert bodies(f"Fracture of {text}.") == [level]


@pytest.mark.xfail(strict=True)  # a full stop after the number word
@pytest.mark.parametrize(("text", "level"), [("T eight", "T8"), ("L two", "L2"), ("T twelve", "T12")])
def test_dictated_numbers(text: str, level: str) -> None:
    assert bodies(f"Fracture of {text}.") == [level]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("L1 and 2", ["L1", "L2"]),
        ("L1 & L2", ["L1", "L2"]),
        ("L1, L2 and L4", ["L1", "L2", "L4"]),
        ("L1, 2 and 4", ["L1", "L2", "L4"]),
        ("T11, T12, L1", ["T11", "T12", "L1"]),
        ("T11 and 12", ["T11", "T12"]),
        ("first and third lumbar vertebrae", ["L1", "L3"]),
        ("8th and 9th thoracic vertebrae", ["T8", "T9"]),
        ("T6-T8", ["T6", "T7", "T8"]),
        ("T6-8", ["T6", "T7", "T8"]),
        ("T6 to T8", ["T6", "T7", "T8"]),
        ("T6 through T8", ["T6", "T7", "T8"]),
        ("T6 thru 8", ["T6", "T7", "T8"]),
        ("T6\u2013T8", ["T6", "T7", "T8"]),
        ("T11-L1", ["T11", "T12", "L1"]),
        ("D11-L1", ["T11", "T12", "L1"]),
        ("Th11-L1", ["T11", "T12", "L1"]),
        ("T11 through L2", ["T11", "T12", "L1", "L2"]),
        ("C6 to T1", ["C6", "C7", "T1"]),
        ("sixth to eighth thoracic", ["T6", "T7", "T8"]),
        ("T6-T8 and L1", ["T6", "T7", "T8", "L1"]),
        ("T6, T8-T10", ["T6", "T8", "T9", "T10"]),
        ("L1+L2", ["L1", "L2"]),
        ("T11 L1 and L2", ["T11", "L1", "L2"]),
    ],
)
def test_lists_and_ranges(text: str, levels: list[str]) -> None:
    assert bodies(f"Fractures of {text} are seen.") == levels


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("T12/L1 disc", ["T12", "L1"]),
        ("L4-5 disc", ["L4", "L5"]),
        ("L4-L5 disc", ["L4", "L5"]),
        ("L4/5", ["L4", "L5"]),
        ("L4-5", ["L4", "L5"]),
        ("D11/12 disc", ["T11", "T12"]),
        ("L4L5 disc", ["L4", "L5"]),
        ("L5-S1", ["L5", "S1"]),
        ("L5/S1 disc", ["L5", "S1"]),
        ("the L3 disc", ["L3"]),
        ("Th12-L1", ["T12", "L1"]),
    ],
)
def test_discs(text: str, levels: list[str]) -> None:
    groups = found(f"At {text} there is a bulge.")
    assert [(group.part, group.levels) for group in groups] == [("disc", levels)]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("The L5 nerve root is contacted.", "root"),
        ("The exiting left L3 root.", "root"),
        ("L5 radiculopathy.", "root"),
        ("A T10 sensory level.", "root"),
        ("Numbness in the L4 dermatome.", "root"),
        ("L3 transverse process fracture.", "process"),
        ("T1 spinous process fracture.", "process"),
        ("L5 pars defects.", "process"),
        ("The left T9 rib.", "process"),
        ("L4-5 foraminal stenosis.", "disc"),
        ("The conus ends at L1.", "cord"),
        ("Conus medullaris terminates at the L2 level.", "cord"),
        ("An S1 fracture.", "sacral"),
    ],
)
def test_parts_that_are_no_bodies(text: str, part: str) -> None:
    assert [group.part for group in found(text)] == [part]


@pytest.mark.parametrize(
    "text",
    [
        "Sagittal T1 and T2 weighted images.",
        "Sagittal T1, T2 and STIR.",
        "Low T1 and high T2 signal.",
        "Low T1, high T2 FS.",
        "T1-weighted and T2-weighted images",
        "T1W, T2W and STIR",
        "T1/T2 signal",
        "hypointense on T1 and hyperintense on T2",
        "T1 hypointensity with T2 hyperintensity",
        "dark on T1",
        "Sag T1 TSE",
        "T2 Dixon",
        "T1 FS postcontrast",
        "signal on T1 and T2",
        "pT3 N1 M0",
        "vitamin D3",
        "9th rib",
        "the second day",
        "12 mm x 8 mm",
        "3 T magnet",
        "A1c 7",
        "T score -2.5",
        "L 12 mm",
        "series 8 image 12",
        "C-arm",
        "third lumbar puncture",
        "first lumbar spine MRI",
    ],
)
def test_no_level(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("text", ["T14", "L7", "C8", "T0", "D15", "L99", "T123"])
def test_numbers_no_spine_has(text: str) -> None:
    assert bodies(f"Fracture of {text}.") == []


@pytest.mark.parametrize("case", params("levels"))
def test_levels_of_reports(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []


def test_range_and_neighbors() -> None:
    assert level_range("L2", "T12") == ["T12", "L1", "L2"]
    assert level_range("C7", "T1") == ["C7", "T1"]
    assert neighbor("C1", -1) is None
    assert neighbor("L5", 1) is None
    assert neighbor("L6", 1) is None
    assert neighbor("T1", -1) == "C7"


@given(st.sampled_from(ORDER), st.sampled_from(ORDER))
def test_ranges_run_down_the_spine(first: str, last: str) -> None:
    levels = level_range(first, last)
    assert levels == level_range(last, first)
    assert levels == sorted(levels, key=ORDER.index)
    assert len(levels) == abs(ORDER.index(first) - ORDER.index(last)) + 1


@given(st.sampled_from([level for level in ORDER if level[0] != "C" and level not in ("T1", "T2")]))
def test_every_thoracic_and_lumbar_level_in_every_letter(level: str) -> None:
    letters = ("T", "Th", "D", "T-", "D-", "DV") if level[0] == "T" else ("L", "L-", "LV")
    for letter in letters:
        assert bodies(f"Fracture of {letter}{level[1:]}.") == [level]
