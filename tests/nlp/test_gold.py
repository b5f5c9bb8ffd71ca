"""Agreement with the annotated reports of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from vertriage.evaluate import Evaluation, evaluate, load_gold
from vertriage.pipeline import Reader

GOLD = Path(__file__).resolve().parents[2] / "reports" / "gold"

FLOORS = {
    "fracture": 0.985,
    "acuity_recent": 0.97,
    "marrow_edema": 0.96,
    "cleft": 0.98,
    "retropulsion": 0.95,
    "augmented": 0.97,
    "height_loss": 0.97,
    "malignant:convex_posterior_border": 0.95,
    "malignant:pedicle_involvement": 0.95,
    "malignant:soft_tissue_mass": 0.95,
    "malignant:marrow_replacement": 0.90,
    "malignant:osseous_destruction": 0.95,
    "context:pain": 0.98,
    "context:osteoporosis": 0.98,
    "context:known_malignancy": 0.98,
    "context:suspected_malignancy": 0.95,
    "context:high_energy_trauma": 0.95,
    "context:neurologic_deficit": 0.95,
    "context:neural_compression": 0.95,
    "context:radiculopathy": 0.95,
    "context:unstable_injury": 0.95,
    "context:infection_suspected": 0.95,
    "candidate": 0.97,
    "candidate_level": 0.97,
    "escalation": 0.98,
}
"""F1 of each feature, a little under what was measured."""


def evaluated(folder: Path, reader: Reader) -> Evaluation:
    files = sorted(folder.glob("*.jsonl"))
    assert files, f"no annotated reports in {folder}"
    return evaluate(load_gold(files), reader.read)


@pytest.fixture(scope="module")
def result(reader: Reader) -> Evaluation:
    return evaluated(GOLD, reader)


@pytest.mark.parametrize("feature", FLOORS)
def test_f1(result: Evaluation, feature: str) -> None:
    assert result.features[feature].f1 >= FLOORS[feature]


def test_every_feature_has_a_floor(result: Evaluation) -> None:
    assert {name for name in result.features if not name.startswith("pathway:")} == set(FLOORS)


def test_pathway(result: Evaluation) -> None:
    assert result.pathway_accuracy >= 0.97
    assert result.features["escalation"].recall >= 0.98
    assert result.features["candidate_level"].precision >= 0.96
    assert result.features["candidate_level"].recall >= 0.97


# ------------------------------------------------------------------ the further reports, of other authors

FURTHER = {
    "fracture": 0.99,
    "acuity_recent": 0.98,
    "marrow_edema": 0.98,
    "cleft": 0.96,
    "retropulsion": 0.97,
    "height_loss": 0.98,
}


@pytest.fixture(scope="module")
def further(reader: Reader) -> Evaluation:
    return evaluated(GOLD / "fresh", reader)


@pytest.mark.parametrize("feature", FURTHER)
def test_f1_of_the_further_reports(further: Evaluation, feature: str) -> None:
    assert further.features[feature].f1 >= FURTHER[feature]


def test_pathway_of_the_further_reports(further: Evaluation) -> None:
    assert further.pathway_accuracy >= 0.985
    assert further.features["escalation"].recall >= 0.99
    assert further.features["candidate_level"].precision >= 0.98
