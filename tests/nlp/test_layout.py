"""Reports as systems and people deliver them: markup, forms with boxes, forwarded mail, dictations without marks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertriage.dictation import punctuated
from vertriage.layout import plain
from vertriage.pipeline import Reader
from vertriage.text import fold
from vertriage.types import ReportReading

# ------------------------------------------------------------------ a report in, a reading out

FORM = """VERTEBRAL FRACTURE TEMPLATE
Back pain:         [x] yes  [ ] no
Osteoporosis:      [x] known  [ ] not known
Mechanism:         [ ] high-energy  [x] fall from standing height
Neurology:         [x] intact  [ ] deficit
Known cancer:      [ ] yes  [x] no

Fracture:          [x] present  [ ] none
Level:             T12
Age:               [x] acute  [ ] subacute  [ ] chronic
Marrow edema:      [x] present  [ ] absent
Cleft:             [ ] fluid  [ ] gas  [x] none
Posterior wall:    [ ] intact  [x] retropulsion, 3 mm
Soft tissue mass:  [ ] yes  [x] no
Suspicion of malignancy: [ ] yes  [x] no
Cord / conus:      [x] normal  [ ] compressed
Discitis:          [ ] yes  [x] no
"""
SPOKEN = (
    "mri of the lumbar spine without contrast history is 76 year old woman with osteoporosis and back pain for five "
    "weeks no comparison technique sagittal t1 t2 and stir findings there is a compression fracture of l1 with 30 "
    "percent loss of height there is still marrow edema along the superior endplate of l1 on the stir images there is "
    "no cleft the posterior wall of l1 is intact the remaining lumbar vertebral bodies are normal in height and signal "
    "the conus is normal impression subacute compression fracture of l1 no evidence of malignancy thank you"
)
DICTATED = (
    "mri thoracic spine period history colon back pain comma osteoporosis period findings colon acute wedge fracture "
    "of t8 with stir hyperintensity comma height loss of 30 percent period no cleft period no retropulsion period "
    "new paragraph impression colon acute fracture of t8 period"
)


def signature(reading: ReportReading) -> tuple[object, ...]:
    first = reading.fractures[0] if reading.fractures else None
    return (
        [fx.level for fx in reading.fractures],
        first and (first.acuity, first.marrow_edema, first.cleft, first.retropulsion, first.height_loss_percent),
        reading.pathway,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            FORM,
            (["T12"], ("acute", "present", "absent", "present", None), "augmentation_candidate"),
            id="ticked boxes",
        ),
        pytest.param(
            FORM.replace("[ ]", "( )").replace("[x]", "(X)"),
            (["T12"], ("acute", "present", "absent", "present", None), "augmentation_candidate"),
            id="round boxes",
        ),
        pytest.param(
            FORM.replace("[ ]", "\u2610").replace("[x]", "\u2612"),
            (["T12"], ("acute", "present", "absent", "present", None), "augmentation_candidate"),
            id="ballot boxes",
        ),
        pytest.param(
            SPOKEN,
            (["L1"], ("subacute", "present", "absent", "absent", 30), "augmentation_candidate"),
            id="dictation without marks",
        ),
        pytest.param(
            DICTATED,
            (["T8"], ("acute", "present", "absent", "absent", 30), "augmentation_candidate"),
            id="marks spoken as words",
        ),
        pytest.param(
            "<p><b>FINDINGS:</b> Wedge fracture of L2.<br>Height loss&nbsp;&lt;10%.<br>No cleft.</p>",
            (["L2"], ("indeterminate", "not_stated", "absent", "not_stated", 10), "needs_review"),
            id="HTML",
        ),
        pytest.param(
            "FINDINGS: Old wedge fracture of L2.\\.br\\No marrow edema.\\.br\\No cleft.",
            (["L2"], ("chronic", "absent", "absent", "not_stated", None), "osteoporosis_management"),
            id="HL7 line breaks",
        ),
        pytest.param(
            "> MRI spine, back pain, osteoporosis.\n> Acute fracture of T11 with marrow oe-\n> dema and an "
            "intraverte-\n> bral cleft. No retropul-\n> sion.\n",
            (["T11"], ("acute", "present", "present", "absent", None), "augmentation_candidate"),
            id="forwarded mail, hyphenated",
        ),
        pytest.param(
            "Level  Shape     Height loss\nT6     normal    0%\nT8     wedge fx  22%\nT9     normal    0%\n",
            (["T8"], ("indeterminate", "not_stated", "not_stated", "not_stated", 22), "needs_review"),
            id="rows of normal vertebrae, 0%",
        ),
        pytest.param(
            "INDICATION = back pain\nFRACTURE LEVEL = T9\nFRACTURE AGE = ACUTE\nHEIGHT LOSS = 15 %\n"
            "CONCLUSION = ACUTE T9 FRACTURE",
            (["T9"], ("acute", "not_stated", "not_stated", "not_stated", 15), "needs_review"),
            id="a form whose history is not followed by a heading",
        ),
    ],
)
def test_a_report_reads_the_same_whatever_carried_it(reader: Reader, text: str, expected: tuple[object, ...]) -> None:
    reading = reader.read(text)
    assert signature(reading) == expected


def test_evidence_points_into_the_text_as_received(reader: Reader) -> None:
    text = "<b>FINDINGS:</b><br>Acute fracture of T11 with intraverte-\nbral cleft.<br>"
    [fracture] = reader.read(text).fractures
    assert "intraverte-\nbral cleft" in {text[e.start : e.end] for e in fracture.evidence["cleft"]}


# ------------------------------------------------------------------ form


@pytest.mark.parametrize(
    ("line", "plainly"),
    [
        ("Cleft: [ ] gas [x] none", "Cleft: none"),
        ("Cleft [ ] gas [x] none", "Cleft [ ] gas [x] none"),  # no label: each box speaks for itself
        ("Edema: yes [x] no [ ]", "Edema: yes"),
        ("Edema: yes [ ] no [ ]", ""),
        ("Region: [x] thoracic [x] lumbar", "Region: thoracic, lumbar"),
        ("PLC = (X) intact ( ) torn", "PLC = intact"),
        ("a gas-\nfilled cleft", "a gas filled cleft"),
        ("T12 <- new; L1 -> old, <10%", "T12 <- new; L1 -> old, <10%"),
    ],
)
def test_layout(line: str, plainly: str) -> None:
    assert " ".join(plain(line).replace(" ,", ",").split()) == plainly


@pytest.mark.parametrize(
    "text",
    [
        "No cleft. No edema over a period of weeks. Known colon cancer.",
        "T12 wedge\nL1 wedge\nno edema\nno cleft",
        "FINDINGS: There is a fracture of L1. The remaining vertebrae are normal. The conus is normal.\n" * 4,
    ],
)
def test_written_marks_are_left_alone(text: str) -> None:
    assert punctuated(text) == text


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            "T12 fracture <br> &lt; &nbsp; [x] [ ] ( ) (X) : \n \n> -\n word- Page 2 of 3 period colon findings the is "
            "there no \\.br\\ \r\n \u2612 \u2610 </b> ... %".split(" ")
        ),
        max_size=60,
    ).map(" ".join)
)
def test_every_character_keeps_its_place(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    for at, char in enumerate(text):
        if char.isdigit():
            assert folded[at] in (char, " ")


def test_placeholders_of_what_was_taken_out_are_no_values() -> None:
    text = "Seen by Dr [NAME] on [DATE] at [PLACE] with [NAME]; MRI of [**2012-3-4**]."
    assert plain(text) == text
    assert plain("edema [yes]  cleft [no]  loss [30%]  wall [2 mm]").startswith("edema: yes,  cleft: no,")
