"""Facts read from the referrer's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertriage.history import read_history
from vertriage.lexicon import LexiconError, lexicon_dir


def facts(text):
    found = read_history(text, [(0, len(text))]).model_dump(exclude={"evidence"}, exclude_none=True)
    return {name: value for name, value in found.items() if value != "not_stated"}


WHO = [
    ("78-year-old woman with back pain", 78, "F"),
    ("61 year old lady", 61, "F"),
    ("81 y/o F, DXA", 81, "F"),
    ("71yo M", 71, "M"),
    ("74 y.o. male", 74, "M"),
    ("82-yr-old gentleman", 82, "M"),
    ("79F. Fall.", 79, "F"),
    ("F 74. PMR", 74, "F"),
    ("Pre-vertebroplasty. Male, 77.", 77, "M"),
    ("41M restrained driver", 41, "M"),
    ("MALE 66 YRS", 66, "M"),
    ("aged 82, female", 82, "F"),
    ("34-year-old male rower", 34, "M"),
    ("Recurrent low back pain in a 76-year-old\nwoman", 76, "F"),
    ("90-year-old inpatient", 90, None),
    ("elderly woman after a fall", None, "F"),
    ("fell 15 m", None, None),
    ("a 4 year old CT", None, None),
    ("230 year old man", None, "M"),
    ("T12 fracture", None, None),
]


@pytest.mark.parametrize(("text", "age", "sex"), WHO)
def test_age_and_sex(text, age, sex):
    found = facts(text)
    assert (found.get("age"), found.get("sex")) == (age, sex)


WEEKS = [
    ("back pain for three weeks", 3),
    ("three weeks of severe midline back pain", 3),
    ("BACK PAIN X 10 DAYS", 1.4),
    ("back pain x2d", 0.3),
    ("6/52 severe low back pain since lifting shopping", 6),
    ("New thoracic pain 10/7, no trauma", 1.4),
    ("Severe LBP 5/12 since L2 #", 21.7),
    ("Low back pain at night 2/12, wt loss 6 kg", 8.7),
    ("R sciatica and LBP > 6/12", 26.1),
    ("Worsening back pain over 3/52", 3),
    ("four-week history of back pain", 4),
    ("with one month of midthoracic pain", 4.3),
    ("mid back pain for about a year", 52.2),
    ("back pain for 2-3\nweeks", 3),
    ("recurrent severe\nthoracolumbar pain of six days' duration", 0.9),
    ("back pain over the last couple of months", 8.7),
    ("low back pain since a mechanical fall at home 12 days ago", 1.7),
    ("tripped over his dog one week ago with increased low back pain", 1),
    ("worsening back pain four months after a ground-level fall", 17.4),
    ("Back pain persisting 10 weeks after sliding out of a chair", 10),
    ("Fell from standing on ice 5 days ago. Back pain.", 0.7),
    ("back pain since yesterday", 0.14),
    ("chronic back pain for 5 years, acutely worse over the last 2 weeks", 2),
    # durations of something else
    ("seven weeks status post L1 kyphoplasty, now with back pain", None),
    ("Kyphoplasty T12 4/12 ago, mild residual back pain", None),
    ("mid back pain, 4 days of progressive bilateral leg weakness", None),
    ("thoracic pain, 36 h progressive paraparesis", None),
    ("Fever and thoracolumbar pain 3 weeks after hospitalization for urosepsis", None),
    ("back pain, and two ground-level falls in the past two months", None),
    ("low back pain, CT 11 days ago", None),
    ("78-year-old woman with back pain", None),
    ("back pain for several weeks", None),
    ("3/7 progressive leg weakness", None),
    ("Pain 8/10", None),
    ("back pain 5/12/2024", None),
    ("no history given", None),
]


@pytest.mark.parametrize(("text", "weeks"), WEEKS)
def test_pain_duration_in_weeks(text, weeks):
    assert facts(text).get("pain_weeks") == weeks


FINDINGS = [
    # severe, refractory, disabling pain
    ("severe low back pain", "severe_pain", "present"),
    ("SEVERE MIDLINE\nBACK PAIN", "severe_pain", "present"),
    ("bedbound by intractable back pain", "severe_pain", "present"),
    ("cannot mobilise because of pain at T/L junction", "severe_pain", "present"),
    ("back pain, excruciating", "severe_pain", "present"),
    ("mild residual back pain", "severe_pain", "absent"),
    ("no severe back pain", "severe_pain", "absent"),
    ("? severe pain", "severe_pain", None),
    ("severe canal stenosis, no pain", "severe_pain", None),
    ("severe COPD. Back pain.", "severe_pain", None),
    # failed medical management
    ("D12 # 4/12, failed conservative treatment", "failed_medical_management", "present"),
    ("Failed a 6 week trial of conservative management", "failed_medical_management", "present"),
    ("conservative management has failed", "failed_medical_management", "present"),
    ("pain not settling with physio", "failed_medical_management", "present"),
    ("back pain despite bracing and opioids", "failed_medical_management", "present"),
    ("back pain refractory to NSAIDs", "failed_medical_management", "present"),
    ("has not failed conservative treatment", "failed_medical_management", "absent"),
    ("pain improved with physiotherapy", "failed_medical_management", "absent"),
    ("consider augmentation if conservative management fails", "failed_medical_management", None),
    ("If pain is not controlled with optimal analgesia", "failed_medical_management", None),
    ("Osteoporotic # T12 5/52 ago, managed in brace", "failed_medical_management", None),
    # anticoagulation
    ("On warfarin for AF", "anticoagulated", "present"),
    ("No trauma, on apixaban", "anticoagulated", "present"),
    ("No trauma on apixaban", "anticoagulated", "present"),
    ("No fall but anticoagulated", "anticoagulated", "present"),
    ("INR 2.3", "anticoagulated", "present"),
    ("INR 1.1", "anticoagulated", None),
    ("no anticoagulation", "anticoagulated", "absent"),
    ("not currently on any anticoagulants", "anticoagulated", "absent"),
    ("Denies trauma, weakness or anticoagulation", "anticoagulated", "absent"),
    ("? on warfarin", "anticoagulated", None),
    ("Query anticoagulated", "anticoagulated", None),
    ("mother on warfarin", "anticoagulated", None),
    ("warfarin stopped last year", "anticoagulated", None),
    ("to start apixaban", "anticoagulated", None),
    # steroids
    ("frequent courses of pred", "steroid_use", "present"),
    ("PMR, long term prednisolone", "steroid_use", "present"),
    ("steroid-dependent COPD", "steroid_use", "present"),
    ("epidural steroid injection last week", "steroid_use", None),
    ("no steroid use", "steroid_use", "absent"),
    # osteoporosis treatment
    ("Osteoporosis, on alendronic acid", "osteoporosis_treatment", "present"),
    ("started on denosumab in 2022", "osteoporosis_treatment", "present"),
    ("consider starting denosumab", "osteoporosis_treatment", None),
    ("previously on teriparatide", "osteoporosis_treatment", None),
    ("DEXA and bone protection recommended if not already in place", "osteoporosis_treatment", "present"),
    ("untreated osteoporosis", "osteoporosis_treatment", "absent"),
    ("not on a bisphosphonate", "osteoporosis_treatment", "absent"),
    # what speaks against a procedure, or for another pain
    ("allergic to PMMA", "contraindication", "present"),
    ("NKDA", "contraindication", "absent"),
    ("neurogenic claudication", "other_pain_source", "present"),
]


@pytest.mark.parametrize(("text", "fact", "value"), FINDINGS)
def test_findings(text, fact, value):
    assert facts(text).get(fact) == value


MECHANISMS = [
    ("head-on MVC at highway speed", "high_energy"),
    ("Fell 12 feet from a roof yesterday", "high_energy"),
    ("Fall from horse yesterday", "high_energy"),
    ("fell down a flight of stairs", "high_energy"),
    ("Cyclist vs car", "high_energy"),
    ("No MVC. Tripped over kerb", "low_energy"),
    ("ground-level fall at her nursing facility", "low_energy"),
    ("back pain after a coughing fit", "low_energy"),
    ("when she bent to lift a laundry basket", "low_energy"),
    ("new pain, no antecedent trauma", "none"),
    ("no injury recalled", "none"),
    ("Productive cough", None),
    ("?fall", None),
]


@pytest.mark.parametrize(("text", "mechanism"), MECHANISMS)
def test_trauma_mechanism(text, mechanism):
    assert facts(text).get("trauma_mechanism") == mechanism


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Pain 8/10 in the back", "pain_score", 8),
        ("VAS 8-9/10", "pain_score", 9),
        ("pain 0/10", "pain_score", None),
        ("pain 14/10", "pain_score", None),
        ("strength 4/5, back pain", "pain_score", None),
        ("DXA T-score -2.7 at the hip", "t_score", -2.7),
        ("T score -3.4", "t_score", -3.4),
        ("T-scores: spine -1.9, hip. T-score −2.8", "t_score", -2.8),
        ("low back pain", "pain_region", "lumbar"),
        ("interscapular pain", "pain_region", "thoracic"),
        ("thoracic and low back pain", "pain_region", "several"),
        ("no back pain", "pain_region", None),
    ],
)
def test_scores_and_region(text, name, value):
    assert facts(text).get(name) == value


@pytest.mark.parametrize(
    ("text", "fact", "value"),
    [
        ("The retropulsed fragment reduces the AP diameter of the canal.", "canal_compromise", "present"),
        ("Retropulsed fragment without narrowing of the canal.", "canal_compromise", None),
        ("Broad-based bulge with moderate canal stenosis.", "canal_compromise", None),
        ("The fracture involves the posterior wall.", "posterior_wall_involved", "present"),
        ("Fractured and depressed, posterior wall intact.", "posterior_wall_involved", None),
        ("Presumed L1: acute fracture.", "level_caveat", "present"),
        ("Fracture of approximately T7.", "level_caveat", "present"),
        ("Fracture of T7.", "level_caveat", None),
    ],
)
def test_facts_about_the_fracture_are_read_outside_the_history_too(text, fact, value):
    report = f"HISTORY: back pain.\n\nFINDINGS: {text}"
    found = getattr(read_history(report, [(0, 20)]), fact)
    assert found == value or (value is None and found in ("not_stated", "absent"))


def test_only_the_history_is_searched_for_the_patients_facts():
    report = "HISTORY: back pain.\n\nIMPRESSION: Severe stenosis. Start denosumab; on warfarin. 85-year-old."
    inside = read_history(report, [(0, 20)])
    assert (inside.age, inside.anticoagulated, inside.osteoporosis_treatment) == (None, "not_stated", "not_stated")
    assert read_history(report).anticoagulated == "present"


def test_evidence_gives_the_words_and_where_they_stand():
    report = "MRI\n\nHISTORY: 79F, 6/52 severe low back pain.\n\nFINDINGS: burst fracture"
    found = read_history(report, [(5, 45)])
    assert set(found.evidence) == {"age", "sex", "pain_weeks", "severe_pain", "pain_region", "posterior_wall_involved"}
    for name, (span,) in found.evidence.items():
        assert span.text == report[span.start : span.end]
        assert span.section == ("other" if name == "posterior_wall_involved" else "history")
    assert found.evidence["pain_weeks"][0].text == "6/52"


def test_letters_that_grow_in_lower_case_do_not_shift_the_evidence():
    found = read_history("İİİ 79F, severe back pain")
    assert found.evidence["severe_pain"][0].text == "severe back pain"


@pytest.mark.parametrize(
    ("old", "new"),
    [("$bone_drug\n", "$bone_drugs\n"), ("sex:\n", "gender:\n"), ("macros:\n", "macros: [\n")],
)
def test_a_broken_lexicon_is_named(tmp_path, old, new):
    text = (lexicon_dir() / "history.yaml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "history.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LexiconError, match=r"history\.yaml: "):
        read_history("back pain", lexicons=tmp_path)


WORDS = [
    "no",
    "?",
    "back pain",
    "severe",
    "on",
    "warfarin",
    "6/52",
    "for",
    "3 weeks",
    "fell",
    ",",
    ".",
    "\n\n",
    "79F",
    "ago",
]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_accepted(text):
    for spans in (None, [], [(0, 10**6)], [(3, 9), (12, 30)]):
        for span in (span for spans_of in read_history(text, spans).evidence.values() for span in spans_of):
            assert span.text == text[span.start : span.end] != ""
