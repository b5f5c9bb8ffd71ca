"""From a reading to a decision: tiers, targets, ratings, reasons, contradictions, counterfactuals."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertriage import types
from vertriage.decision import decide, rederive
from vertriage.policy import assign_pathway, load_policy
from vertriage.types import (
    CONTEXT_FIELDS,
    ClinicalFacts,
    ContextReading,
    Decision,
    Evidence,
    FractureReading,
    HistoryFacts,
    ReportMeta,
    ReportReading,
)

POLICY = load_policy()


def words(text, start=0):
    return [Evidence(start=start, end=start + len(text), text=text, section="findings")]


def reading(*fractures, modality="MR", history=None, evidence=None, **context):
    context = ContextReading(**context)
    result = assign_pathway(fractures, context, modality)
    return ReportReading(
        meta=ReportMeta(modality=modality),
        fractures=list(fractures),
        context=context,
        context_evidence=evidence or {},
        pathway=result.pathway,
        candidate_levels=result.candidate_levels,
        history=history,
    )


def edema(level="L1", **fields):
    return FractureReading(level=level, **{"acuity": "acute", "marrow_edema": "present", **fields})


def rules(reasons):
    return [reason.rule for reason in reasons]


# ----------------------------------------------------------------------------------------------------------------------
# Tier, targets, ratings
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "clinical", "tier", "because"),
    [
        (reading(edema(), pain="present"), None, "standard", ["T2-pain"]),
        (reading(edema()), None, "conditional", ["T3-unconfirmed"]),
        (reading(edema(cleft="present"), pain="present"), None, "strong", ["T1-cleft"]),
        (reading(edema(cleft="present")), None, "conditional", ["T3-unconfirmed"]),
        # the cleft has to be in a vertebra that qualifies
        (
            reading(edema(), FractureReading(level="T8", cleft="present", augmented=True), pain="present"),
            None,
            "standard",
            ["T2-pain"],
        ),
        (reading(edema()), ClinicalFacts(failed_medical_management=True), "strong", ["T1-failed-trial"]),
        (reading(edema()), ClinicalFacts(pain_score=7), "strong", ["T1-severe-pain"]),
        (reading(edema()), ClinicalFacts(pain_score=6.5), "standard", ["T2-pain"]),
        (reading(edema(), history=HistoryFacts(severe_pain="present")), None, "strong", ["T1-severe-pain"]),
        (
            reading(edema(), pain="present", history=HistoryFacts(failed_medical_management="present")),
            ClinicalFacts(failed_medical_management=False),
            "standard",
            ["T2-pain"],
        ),
        (
            reading(edema(cleft="present"), pain="present", history=HistoryFacts(severe_pain="present")),
            None,
            "strong",
            ["T1-cleft", "T1-severe-pain"],
        ),
    ],
)
def test_tier(report, clinical, tier, because):
    decision = decide(report, clinical)
    assert decision.pathway == "augmentation_candidate"
    assert decision.tier == tier
    assert [rule for rule in rules(decision.reasons) if rule.startswith("T")] == because


def test_targets_cleft_first_then_edema_by_height_loss():
    report = reading(
        FractureReading(level="T7", acuity="subacute", height_loss_percent=80),  # called subacute, edema not stated
        edema("T12", height_loss_percent=20),
        edema("L1", height_loss_percent=55),
        edema("L2"),
        FractureReading(level="L4", acuity="chronic", cleft="present", height_loss_percent=10),
        FractureReading(level="L5", acuity="chronic"),
        pain="present",
    )
    decision = decide(report)
    assert decision.target_levels == ["L4", "L1", "T12", "L2", "T7"]
    assert sorted(decision.target_levels) == sorted(report.candidate_levels)
    assert "C5-several-levels" in rules(decision.cautions)


def test_ratings_belong_to_the_variant_only():
    decision = decide(reading(edema(), pain="present"))
    assert [(rating.option, rating.rating) for rating in decision.ratings] == [
        ("medical management only", "Usually appropriate"),
        ("percutaneous vertebral augmentation", "Usually appropriate"),
        ("surgical consultation", "May be appropriate"),
        ("percutaneous ablation, spine", "Usually not appropriate"),
    ]
    assert all("ACR Appropriateness Criteria" in rating.source for rating in decision.ratings)
    assert decide(reading(edema(), pain="present"), ClinicalFacts(osteoporosis=False)).ratings == []


@pytest.mark.parametrize(
    ("report", "pathway", "step"),
    [
        (reading(), "no_fracture", None),
        (reading(edema(), neurologic_deficit="present"), "surgical_emergency", "Immediate spine-surgery"),
        (reading(edema(), high_energy_trauma="present"), "trauma", "spine-surgery consultation"),
        (reading(edema(), known_malignancy="present"), "malignancy_workup", "pathologic fracture"),
        (reading(edema(), infection_suspected="present"), "infection_workup", "Blood cultures"),
        (reading(edema(), pain="absent"), "osteoporosis_management", "No acute intervention"),
        (reading(FractureReading(level="L1"), modality="CT"), "needs_review", "MRI of the spine without contrast"),
    ],
)
def test_other_pathways_get_their_next_step_and_no_ratings(report, pathway, step):
    decision = decide(report)
    assert (decision.pathway, decision.tier, decision.target_levels, decision.ratings) == (pathway, None, [], [])
    assert step is None or any(step in text for text in decision.next_steps)
    assert "does not replace clinical judgment" in decision.disclaimer


def test_follow_up_says_what_a_failed_trial_means():
    assert "2 to 4 weeks" in decide(reading(edema(), pain="present")).follow_up
    failed = decide(reading(edema(), pain="present"), ClinicalFacts(failed_medical_management=True))
    assert failed.follow_up.startswith("The trial of medical management has failed")
    assert decide(reading()).follow_up is None


def test_no_mri_step_when_there_is_an_mri():
    possible = FractureReading(level="L1", status="possible")
    assert any("MRI" in step for step in decide(reading(possible, modality="XR")).next_steps)
    assert not any("MRI" in step for step in decide(reading(possible, modality="MR")).next_steps)


# ----------------------------------------------------------------------------------------------------------------------
# Cautions and what is missing
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "caution"),
    [
        (reading(edema(retropulsion="present")), "C1-retropulsion"),
        (reading(edema(), history=HistoryFacts(canal_compromise="present")), "C2-canal"),
        (reading(edema(), radiculopathy="present"), "C3-radiculopathy"),
        (reading(edema(), history=HistoryFacts(posterior_wall_involved="present")), "C4-posterior-wall"),
        (reading(edema("L1"), edema("L2")), "C5-several-levels"),
        (reading(edema(), history=HistoryFacts(anticoagulated="present")), "C6-anticoagulation"),
        (reading(edema(), history=HistoryFacts(contraindication="present")), "C7-contraindication"),
        (reading(edema("T6"), history=HistoryFacts(pain_region="lumbar")), "C8-lumbar-pain-high-level"),
        (reading(edema("L4"), history=HistoryFacts(pain_region="thoracic")), "C9-thoracic-pain-low-level"),
        (reading(edema(), history=HistoryFacts(other_pain_source="present")), "C10-other-pain-source"),
        (reading(edema(), history=HistoryFacts(level_caveat="present")), "C11-level-caveat"),
    ],
)
def test_cautions_are_listed_and_never_change_the_pathway(report, caution):
    decision = decide(report)
    assert caution in rules(decision.cautions)
    assert decision.pathway == report.pathway == "augmentation_candidate"


@pytest.mark.parametrize("level", ["T12", "L1", None])
def test_low_back_pain_fits_the_thoracolumbar_junction(level):
    decision = decide(reading(edema(level), history=HistoryFacts(pain_region="lumbar")))
    assert "C8-lumbar-pain-high-level" not in rules(decision.cautions)


def test_what_the_reading_could_not_settle_is_a_caution():
    report = reading(edema(), pain="present")
    report.review_reasons = ["edema may belong to L1 or L2"]
    assert decide(report).cautions[-1].text == "Not settled from the text: edema may belong to L1 or L2"


@pytest.mark.parametrize("topic", ["Pain", "Symptom duration", "Medical management", "Anticoagulation", "neurologic"])
def test_what_is_missing_to_act_is_listed(topic):
    assert any(topic in text for text in decide(reading(edema())).missing)


def test_no_mri_is_missing_where_edema_is_not_known():
    cleft = FractureReading(level="L1", cleft="present")
    assert "No MRI: marrow edema at L1 is not confirmed." in decide(reading(cleft, modality="CT")).missing
    assert not any("MRI" in text for text in decide(reading(edema(), modality="CT")).missing)
    assert not any("MRI" in text for text in decide(reading(cleft)).missing)


def test_nothing_is_missing_when_all_is_stated():
    known = ClinicalFacts(
        pain=True,
        pain_weeks=3,
        failed_medical_management=False,
        anticoagulated=False,
        neurologic_deficit=False,
        osteoporosis=True,
        high_energy_trauma=False,
    )
    assert decide(reading(edema()), known).missing == []


# ----------------------------------------------------------------------------------------------------------------------
# Reasons
# ----------------------------------------------------------------------------------------------------------------------


def test_reasons_carry_the_rule_its_source_and_the_words_that_fired_it():
    fracture = edema("L1", evidence={"level": words("L1", 10), "marrow_edema": words("marrow edema", 20)})
    report = reading(fracture, pain="present", evidence={"pain": words("back pain", 90), "osteoporosis": words("x", 5)})
    decision = decide(report)
    first = decision.reasons[0]
    assert first.rule == "P6-candidate"
    assert first.text == "Fracture that qualifies for vertebral augmentation at L1."
    assert first.source.startswith("ACR")
    # the level's own words stand in for fields without words (status, acuity)
    assert [span.text for span in first.evidence] == ["L1", "marrow edema", "back pain"]
    assert "osteoporosis" not in first.facts
    for reason in decision.reasons + decision.cautions:
        assert reason.rule in POLICY.rules
        assert reason.source


def test_a_fact_from_a_column_is_marked_and_has_no_words():
    report = reading(edema(), neurologic_deficit="absent", evidence={"neurologic_deficit": words("intact")})
    reason = decide(report, ClinicalFacts(neurologic_deficit=True)).reasons[0]
    assert (reason.rule, reason.stated, reason.evidence) == ("P2-emergency", ["neurologic_deficit"], [])


def test_an_inferred_fact_points_at_the_words_it_was_inferred_from():
    history = HistoryFacts(severe_pain="present", evidence={"severe_pain": words("severe back pain")})
    reasons = {reason.rule: reason for reason in decide(reading(edema(), history=history)).reasons}
    assert [span.text for span in reasons["P6-candidate"].evidence] == ["severe back pain"]


@pytest.mark.parametrize(
    ("fractures", "modality", "rule"),
    [
        ([FractureReading(level="L1", status="possible")], "MR", "R1-possible"),
        ([FractureReading(level="L1")], "MR", "R2-indeterminate"),
        ([FractureReading(level="L1", marrow_edema="possible")], "MR", "R3-edema-possible"),
        ([FractureReading(level="L1", acuity="acute")], "CT", "R4-no-mri"),
        ([edema(augmented=True)], "MR", "R5-cemented"),
        ([FractureReading(level="L1", acuity="subacute", marrow_edema="absent")], "MR", "R6-edema-absent"),
        (
            [FractureReading(level="L1", status="possible", acuity="chronic", cleft="present")],
            "MR",
            "R7-cleft-possible",
        ),
    ],
)
def test_review_says_why(fractures, modality, rule):
    decision = decide(reading(*fractures, modality=modality))
    assert decision.pathway == "needs_review"
    assert rule in rules(decision.reasons)


# ----------------------------------------------------------------------------------------------------------------------
# For any reading at all
# ----------------------------------------------------------------------------------------------------------------------


def choices(annotation):
    return st.sampled_from(get_args(annotation))


FRACTURES = st.builds(
    FractureReading,
    level=st.sampled_from(["T6", "T12", "L1", None]),
    status=choices(types.Status),
    acuity=choices(types.Acuity),
    marrow_edema=choices(types.Finding),
    cleft=choices(types.Finding),
    retropulsion=choices(types.Finding),
    height_loss_percent=st.sampled_from([None, 20.0, 50.0]),
    malignant_features=st.lists(choices(types.MalignantFeature), max_size=1),
    augmented=st.booleans(),
)
CONTEXTS = st.builds(
    ContextReading,
    # mostly not stated, or nearly every report is an emergency
    **{name: st.sampled_from(["not_stated"] * 4 + ["absent", "present"]) for name in CONTEXT_FIELDS},
)
HISTORIES = st.none() | st.builds(
    HistoryFacts,
    severe_pain=choices(types.ContextValue),
    failed_medical_management=choices(types.ContextValue),
    pain_weeks=st.sampled_from([None, 3.0]),
    pain_score=st.sampled_from([None, 8.0]),
    t_score=st.sampled_from([None, -3.1]),
)
CLINICAL = st.none() | st.builds(
    ClinicalFacts,
    pain=st.sampled_from([None, "present", "absent"]),
    pain_score=st.sampled_from([None, 0, 5, 9]),
    failed_medical_management=st.sampled_from([None, True, False]),
    known_malignancy=st.sampled_from([None, True, False]),
    neurologic_deficit=st.sampled_from([None, None, True, False]),
    age=st.sampled_from([None, 70]),
)
READINGS = st.builds(
    lambda fractures, context, modality, history: ReportReading(
        meta=ReportMeta(modality=modality), fractures=fractures, context=context, history=history
    ),
    st.lists(FRACTURES, max_size=4),
    CONTEXTS,
    choices(types.Modality),
    HISTORIES,
)


@given(READINGS, CLINICAL)
def test_a_decision_can_be_derived_again_from_its_reasons_alone(report, clinical):
    decision = decide(report, clinical)
    reasons = Decision.model_validate_json(decision.model_dump_json()).reasons
    again = rederive(reasons)
    assert (again.pathway, again.rule) == (decision.pathway, reasons[0].rule)
    assert (again.tier, again.target_levels) == (decision.tier, decision.target_levels)


@given(READINGS)
def test_without_columns_the_pathway_is_that_of_the_reading(report):
    result = assign_pathway(report.fractures, report.context, report.meta.modality)
    decision = decide(report)
    assert (decision.pathway, sorted(decision.target_levels)) == (result.pathway, sorted(result.candidate_levels))
    assert decision.contradictions == []


@given(READINGS, CLINICAL)
def test_every_decision_is_complete(report, clinical):
    decision = decide(report, clinical)
    assert decision.disclaimer == POLICY.disclaimer
    assert (decision.tier is not None) == (decision.pathway == "augmentation_candidate") == bool(decision.target_levels)
    assert 1 <= decision.priority <= 8
    written = [*decision.missing, *decision.next_steps, decision.follow_up or ""]
    written += [reason.text for reason in decision.reasons + decision.cautions]
    assert not any("{" in text or "None" in text or "not stated" in text for text in written)


# ----------------------------------------------------------------------------------------------------------------------
# What would change it
# ----------------------------------------------------------------------------------------------------------------------


def changed(report, what_if):
    """The report with the new fact made true by hand."""
    new = report.model_copy(deep=True)
    name, _, value = what_if.fact.partition(" is ")
    if name in CONTEXT_FIELDS:
        setattr(new.context, name, value)
        return new
    number = int(what_if.levels[0].split()[1]) - 1 if " " in what_if.levels[0] else 0
    level = None if what_if.levels[0].startswith("unspecified") else what_if.levels[0].split()[0]
    fracture = [f for f in new.fractures if f.level == level][number]
    if what_if.fact == "marrow_edema is absent" and fracture.acuity == "indeterminate":
        fracture.acuity = "chronic"  # guidelines, section 1
    setattr(fracture, name, True if value == "yes" else value)
    if what_if.fact == "marrow_edema is present":
        fracture.acuity = "acute"
    return new


@given(READINGS)
def test_counterfactuals_come_true(report):
    decision = decide(report)
    for what_if in decision.what_if():
        assert what_if.pathway != decision.pathway
        assert decide(changed(report, what_if)).pathway == what_if.pathway, what_if


@given(READINGS)
def test_no_counterfactual_about_the_report_is_left_out(report):
    decision = decide(report)
    listed = {what_if.fact for what_if in decision.what_if()}
    for name in set(CONTEXT_FIELDS) - {"osteoporosis", "radiculopathy"}:
        for value in ("present", "absent"):
            new = report.model_copy(deep=True)
            setattr(new.context, name, value)
            if decide(new).pathway != decision.pathway:
                assert f"{name} is {value}" in listed


def test_counterfactuals_of_a_radiograph():
    fractures = [FractureReading(level="L1"), FractureReading(level="L3")]
    decision = decide(reading(*fractures, modality="XR", pain="present"))
    texts = [what_if.text for what_if in decision.what_if()]
    assert "if a history of cancer were confirmed → malignancy_workup" in texts
    assert "if MRI showed edema at L1 or L3 → augmentation_candidate" in texts
    assert "if the patient had no pain → osteoporosis_management" in texts
    # one alone does not settle it: the other fracture stays of unknown age
    assert not any("showed no edema" in text for text in texts)
    one = decide(reading(FractureReading(level="L1"), modality="XR", pain="present"))
    assert "if MRI showed no edema at L1 → osteoporosis_management" in [w.text for w in one.what_if()]


def test_counterfactuals_survive_json():
    decision = decide(reading(edema(), edema(None), edema(None), pain="present"))
    again = Decision.model_validate_json(decision.model_dump_json())
    assert again.what_if() == decision.what_if()
    assert again == decision


# ----------------------------------------------------------------------------------------------------------------------
# Columns beside the text
# ----------------------------------------------------------------------------------------------------------------------


def test_a_contradiction_is_reported_with_its_consequence():
    report = reading(edema(), pain="present", neurologic_deficit="present", history=HistoryFacts(age=70, pain_weeks=3))
    decision = decide(report, ClinicalFacts(neurologic_deficit=False, age=78, pain_weeks=4))
    assert decision.pathway == "augmentation_candidate"
    assert sorted(decision.contradictions, key=str.lower) == [
        "age: stated as 78 beside the report, read as 70 in the text; the stated value was used.",
        "neurologic_deficit: stated as absent beside the report, read as present in the text; "
        "the stated value was used.",
        "The text alone gives surgical_emergency, with the stated values it is augmentation_candidate.",
    ]


@pytest.mark.parametrize("clinical", [ClinicalFacts(age=71), ClinicalFacts(pain=True), ClinicalFacts()])
def test_agreement_is_not_a_contradiction(clinical):
    assert decide(reading(edema(), pain="present", history=HistoryFacts(age=70)), clinical).contradictions == []


def test_columns_that_contradict_each_other():
    decision = decide(reading(edema()), ClinicalFacts(pain=False, pain_score=8))
    assert "pain: stated as absent, but pain_score 8 is stated too; the first was used." in decision.contradictions


def test_age_and_sex_of_the_report_count_as_columns():
    report = reading(edema(), history=HistoryFacts(age=60, sex="F"))
    report.meta = ReportMeta(modality="MR", age=81, sex="F")
    assert decide(report).contradictions == [
        "age: stated as 81 beside the report, read as 60 in the text; the stated value was used."
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"pain": "yes"}, {"pain": "present"}),
        ({"pain": "Absent "}, {"pain": "absent"}),
        ({"pain": 1, "osteoporosis": 0}, {"pain": "present", "osteoporosis": False}),
        ({"pain": True, "anticoagulated": False}, {"pain": "present", "anticoagulated": False}),
        (
            {"known_malignancy": "No", "neurologic_deficit": "TRUE"},
            {"known_malignancy": False, "neurologic_deficit": True},
        ),
        ({"high_energy_trauma": 1.0, "anticoagulated": "n"}, {"high_energy_trauma": True, "anticoagulated": False}),
        ({"age": "81", "pain_score": "7.5", "t_score": "-3.1"}, {"age": 81, "pain_score": 7.5, "t_score": -3.1}),
        ({"age": 81.0, "sex": "female"}, {"age": 81, "sex": "F"}),
        ({"sex": "M"}, {"sex": "M"}),
        ({"age": float("nan"), "sex": "unknown", "pain": None, "t_score": "", "pain_score": "n/a"}, {}),
        ({"ward": "7B", "AGE": 12}, {}),
    ],
)
def test_facts_from_a_row(row, expected):
    facts, warnings = ClinicalFacts.from_row(row)
    assert facts.model_dump(exclude_none=True, exclude={"warnings"}) == expected
    assert warnings == []


@pytest.mark.parametrize(
    ("row", "warning"),
    [
        ({"pain_score": 14}, "pain_score: 14 is outside 0 to 10; the value was ignored"),
        ({"age": "230"}, "age: 230 is outside 0 to 120; the value was ignored"),
        ({"age": -3}, "age: -3 is outside 0 to 120; the value was ignored"),
        ({"t_score": "-31"}, "t_score: -31 is outside -10 to 10; the value was ignored"),
        ({"pain_weeks": math.inf}, "pain_weeks: inf is outside 0 to 5200; the value was ignored"),
        ({"age": "eighty"}, "age: not a number; the value was ignored"),
        ({"age": True}, "age: not a number; the value was ignored"),
        ({"pain": "quite a bit"}, "pain: not a yes or no; the value was ignored"),
        ({"pain": ["yes"]}, "pain: not a yes or no; the value was ignored"),
        ({"sex": "B"}, "sex: not F or M; the value was ignored"),
    ],
)
def test_impossible_values_cost_a_warning_and_nothing_else(row, warning):
    facts, warnings = ClinicalFacts.from_row({**row, "known_malignancy": "yes"})
    assert warnings == [warning]
    assert facts.known_malignancy is True
    assert decide(reading(edema()), facts).warnings == [warning]


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "yes", "14", "1e999", "é", [""]])
)


@given(st.dictionaries(st.sampled_from([*ClinicalFacts.model_fields, "other"]), ANYTHING))
def test_no_row_ever_raises(row):
    facts, warnings = ClinicalFacts.from_row(row)
    assert facts.warnings == warnings
    decide(reading(edema()), facts)


def test_a_shifted_column_never_shows_report_text_in_a_warning():
    _, warnings = ClinicalFacts.from_row({"age": "MRN 123456 severe back pain", "pain": "MRN 123456"})
    assert len(warnings) == 2
    assert not any("123456" in warning for warning in warnings)


def test_a_misspelled_fact_is_an_error():
    with pytest.raises(ValueError, match="pian"):
        ClinicalFacts(pian="present")
