"""The policy table: every combination of feature values against section 3 of the guidelines, and its error messages."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertriage import types
from vertriage.conditions import CONCLUSIONS, FEATURES
from vertriage.lexicon import lexicon_dir
from vertriage.policy import PolicyError, assign_pathway, load_policy
from vertriage.types import ClinicalFacts, ContextReading, Decision, FractureReading, Reason

TABLE = (lexicon_dir() / "decision_policy.yaml").read_text(encoding="utf-8")
VERTEBRA = {
    "status": get_args(types.Status),
    "acuity": get_args(types.Acuity),
    "marrow_edema": get_args(types.Finding),
    "cleft": get_args(types.Finding),
    "augmented": (True, False),
}
CONTEXT = (
    "neurologic_deficit",
    "neural_compression",
    "high_energy_trauma",
    "unstable_injury",
    "suspected_malignancy",
    "known_malignancy",
    "infection_suspected",
    "pain",
)
MODALITIES = get_args(types.Modality)


def combinations(values):
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


# Section 3 of the annotation guidelines once more, in plain Python and without the policy table.


def qualifies(f, modality):
    if f["status"] != "present" or f["augmented"]:
        return False
    edema = f["marrow_edema"] == "present" and f["acuity"] != "chronic"
    recent_on_mri = modality == "MR" and f["acuity"] in ("acute", "subacute") and f["marrow_edema"] != "absent"
    return edema or f["cleft"] == "present" or recent_on_mri


def by_the_guidelines(fractures, context, modality):
    if not fractures:
        return "no_fracture"
    non_chronic = any(f["acuity"] != "chronic" for f in fractures)
    if context["neurologic_deficit"] == "present" or context["neural_compression"] == "present":
        return "surgical_emergency"
    if (context["high_energy_trauma"] == "present" and non_chronic) or context["unstable_injury"] == "present":
        return "trauma"
    if context["suspected_malignancy"] == "present" or (context["known_malignancy"] == "present" and non_chronic):
        return "malignancy_workup"
    if context["infection_suspected"] == "present":
        return "infection_workup"
    if any(qualifies(f, modality) for f in fractures) and context["pain"] != "absent":
        return "augmentation_candidate"
    if context["pain"] == "absent" or all(f["acuity"] == "chronic" and f["cleft"] != "present" for f in fractures):
        return "osteoporosis_management"
    return "needs_review"


VERTEBRAE = combinations(VERTEBRA)
NEUTRAL = dict.fromkeys(CONTEXT, "not_stated")


def test_every_vertebra_with_every_modality_and_pain():
    for values, modality, pain in itertools.product(VERTEBRAE, MODALITIES, get_args(types.ContextValue)):
        fracture, context = FractureReading(level="L1", **values), ContextReading(pain=pain)
        pathway, levels, _ = assign_pathway([fracture], context, modality)
        assert pathway == by_the_guidelines([values], {**NEUTRAL, "pain": pain}, modality), (values, modality, pain)
        assert levels == (["L1"] if pathway == "augmentation_candidate" else [])


def test_every_context_with_every_mixture_of_vertebrae():
    """All 6561 report-level combinations, each with every set of vertebrae that section 3 can tell apart."""
    policy = load_policy()
    seen = set()
    for modality in ("MR", "CT"):
        kinds = {}
        for values in VERTEBRAE:
            chronic = values["acuity"] == "chronic"
            kind = (chronic, qualifies(values, modality), chronic and values["cleft"] != "present")
            kinds.setdefault(kind, values)
        groups = [
            group for size in range(len(kinds) + 1) for group in itertools.combinations(list(kinds.values()), size)
        ]
        assert len(kinds) == 5
        facts = policy.report_facts(ContextReading(), modality)
        for stated in combinations(dict.fromkeys(CONTEXT, get_args(types.ContextValue))):
            report = {**facts, **stated}
            for group in groups:
                pathway = policy.assign(report, [{"level": "L1", **values} for values in group]).pathway
                assert pathway == by_the_guidelines(group, stated, modality), (group, stated, modality)
                seen.add(pathway)
    assert seen == set(get_args(types.Pathway))


LEVEL = st.sampled_from(["T7", "T12", "L1", "L4", None])
FRACTURES = st.lists(st.builds(dict, level=LEVEL, **{n: st.sampled_from(v) for n, v in VERTEBRA.items()}), max_size=4)
CONTEXTS = st.fixed_dictionaries({name: st.sampled_from(get_args(types.ContextValue)) for name in CONTEXT})


@given(FRACTURES, CONTEXTS, st.sampled_from(MODALITIES))
def test_any_list_of_fractures(fractures, context, modality):
    result = assign_pathway([FractureReading(**f) for f in fractures], ContextReading(**context), modality)
    assert result.pathway == by_the_guidelines(fractures, context, modality)
    candidates = [f["level"] or "unspecified" for f in fractures if qualifies(f, modality)]
    expected = list(dict.fromkeys(candidates)) if result.pathway == "augmentation_candidate" else []
    assert result.candidate_levels == expected


@pytest.mark.parametrize(
    ("column", "pathway"),
    [
        ({"neurologic_deficit": True}, "surgical_emergency"),
        ({"high_energy_trauma": True}, "trauma"),
        ({"known_malignancy": True}, "malignancy_workup"),
        ({"pain": "absent"}, "osteoporosis_management"),
        ({"pain_score": 0}, "osteoporosis_management"),
        ({"pain": "present", "pain_score": 0}, "augmentation_candidate"),
        ({"age": 80}, "augmentation_candidate"),
    ],
)
def test_a_stated_column_beats_the_text(column, pathway):
    fracture = FractureReading(level="L1", acuity="acute", marrow_edema="present")
    context = ContextReading(pain="present", neurologic_deficit="absent", known_malignancy="absent")
    assert assign_pathway([fracture], context, "MR", ClinicalFacts(**column)).pathway == pathway


# ----------------------------------------------------------------------------------------------------------------------
# Editing the table
# ----------------------------------------------------------------------------------------------------------------------


def edited(tmp_path, old, new):
    """The shipped table with one edit, and the line of the edit."""
    assert TABLE.count(old) == 1, "the text to edit has to be unique in the table"
    path = tmp_path / "policy.yaml"
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    return path, TABLE[: TABLE.index(old)].count("\n") + 1


def test_a_threshold_changes_without_python(tmp_path):
    path, _ = edited(tmp_path, "severe_pain is present or pain_score >= 7", "severe_pain is present or pain_score >= 5")
    for policy, tier in ((load_policy(), "standard"), (load_policy(path), "strong")):
        report = policy.report_facts(ContextReading(pain="present"), "MR", {"pain_score": 6.0})
        assert policy.tier(report, []) == tier


BROKEN = [
    ("when: infection_suspected is present", "when: infection_suspectd is present", 0, "unknown feature"),
    ("when: infection_suspected is present", "when: infection_suspected is probable", 0, "has no value 'probable'"),
    ("when: infection_suspected is present", "when: tier is strong", 0, "not known at this stage"),
    ("when: infection_suspected is present", "when: infection_suspected >= 3", 0, "not a number"),
    ("when: infection_suspected is present", "when: acuity is acute", 0, "belongs to a vertebra"),
    ("when: infection_suspected is present", "when: recent", 0, "said of a vertebra"),
    ("when: infection_suspected is present", "when: pain is present and pain is absent", -1, "can never fire"),
    ("when: infection_suspected is present", "when: suspected_malignancy is present", -1, "can never fire"),
    ("when: infection_suspected is present", "when: otherwise", 5, "can never fire"),
    ("when: infection_suspected is present", "when: infection_suspected is present pain", 0, "join conditions"),
    ("when: infection_suspected is present", "when: any vertebra (any vertebra (recent))", 0, "inside another"),
    ("when: infection_suspected is present", "when: infection_suspected $ present", 0, "cannot read"),
    (
        "when: infection_suspected is present",
        "when: pain is present and age > 50 or age < 20",
        0,
        "mixed; add parentheses",
    ),
    ("    pathway: infection_workup\n", "", -2, "'pathway' is missing"),
    ("    pathway: infection_workup\n", "    pathway: infection\n", 0, "pathway 'infection' does not exist"),
    ("    tier: standard\n", "", -2, "'tier' is missing"),
    ("id: P5-infection", "id: P4-malignancy", 0, "already used in line"),
    ("say: Spinal infection is raised.", "sya: Spinal infection is raised.", -3, "'say' is missing"),
    ("say: Spinal infection is raised.", "say: Infection at {level_s}.", 0, "unknown placeholder"),
    ("say: Spinal infection is raised.", "say: Infection.\n    note: x", 1, "unknown field 'note'"),
    ("source: safety\n\n  - id: P6", "source: nobody\n\n  - id: P6", 0, "unknown source"),
    ("recent: acuity is not chronic", "recent: acuity is not old", 0, "has no value 'old'"),
    ("edema_persisting_weeks: 6", "edema_persisting_weeks: six", 0, "has to be a number"),
    ("- greater height_loss_percent", "- greater height", 0, "not a number of a vertebra"),
    ("  - {fact: infection_suspected is present", "  - {fact: infection is present", 0, "unknown feature"),
    ("disclaimer: >-", "disclaimer_: >-", 0, "missing"),
    ("  age: 1  ", "  age: 1\n  age: 2  ", 1, "given twice"),
]


@pytest.mark.parametrize(("old", "new", "offset", "message"), BROKEN)
def test_a_slip_in_the_table_is_reported_with_its_line(tmp_path, old, new, offset, message):
    path, line = edited(tmp_path, old, new)
    with pytest.raises(PolicyError, match=re.escape(message)) as caught:
        load_policy(path)
    found = re.match(rf"{re.escape(str(path))}:(\d+): ", str(caught.value))
    assert found, caught.value
    if old.startswith("disclaimer"):
        return  # a section that is not there has no line
    assert int(found[1]) == line + offset


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, TABLE.count("\n")), st.sampled_from(["", "  x: [1, a]", "  - id:", "    when: pain (", "    say: 5"])
)
def test_any_slip_gives_a_policy_error_with_a_line_or_a_valid_table(tmp_path_factory, number, line):
    lines = TABLE.split("\n")
    path = tmp_path_factory.mktemp("slip") / "policy.yaml"
    path.write_text("\n".join([*lines[:number], line, *lines[number + 1 :]]), encoding="utf-8")
    try:
        load_policy(path)
    except PolicyError as error:
        assert re.match(rf"{re.escape(str(path))}:\d+: ", str(error))  # noqa: PT017


def test_every_fact_that_decides_has_a_counterfactual(tmp_path):
    path, _ = edited(tmp_path, "when: infection_suspected is present", "when: radiculopathy is present")
    with pytest.raises(PolicyError, match="no fact in 'what_if' changes it"):
        load_policy(path)


def test_an_ordered_list_has_to_cover_every_case(tmp_path):
    path, _ = edited(tmp_path, "  - id: P8-review\n    when: otherwise", "  - id: P8-review\n    when: age > 50")
    with pytest.raises(PolicyError, match="leaves cases open"):
        load_policy(path)


def test_a_table_that_cannot_be_read(tmp_path):
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "missing.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("pathways: [\n", encoding="utf-8")
    with pytest.raises(PolicyError, match=r"broken.yaml:\d+: "):
        load_policy(broken)


def test_the_documentation_names_every_feature_and_every_field():
    documents = [parent / "docs" / "decision.md" for parent in Path(__file__).parents]
    text = next(path for path in documents if path.is_file()).read_text(encoding="utf-8")
    fields = [*Decision.model_fields, *Reason.model_fields, *ClinicalFacts.model_fields]
    documented = set(re.findall(r"`(\w+)`", text))
    assert documented >= {*FEATURES, *CONCLUSIONS, *fields} - {"warnings"}
