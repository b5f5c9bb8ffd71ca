"""What is read of each vertebra: the tables of cases, and the words behind every value."""

from __future__ import annotations

import pytest
from case_tables import Case, load_cases, mismatches, params

from vertriage.pipeline import Reader

TABLES = [
    "fracture", "edema", "cleft", "retropulsion", "malignant_features", "augmentation", "acuity", "height_loss",
    "conflicts", "pathway", "styles", "hard", "snippets_edema", "snippets_fracture_height", "snippets_acuity",
    "snippets_cleft_retropulsion", "snippets_malignant", "snippets_context", "snippets_several_1",
    "snippets_several_2", "snippets_single", "snippets_features",
    "snippets_discourse_1", "snippets_discourse_2", "kinds",
]  # fmt: skip


@pytest.mark.parametrize("case", params(*TABLES))
def test_cases(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []


def test_vertebrae_come_from_the_top_down(reader: Reader) -> None:
    reading = reader.read("FINDINGS: Compression fractures of L3, T8, C7 and T12.", modality="MR")
    assert [fracture.level for fracture in reading.fractures] == ["C7", "T8", "T12", "L3"]


def test_one_object_per_vertebra(reader: Reader) -> None:
    text = "FINDINGS: L1 compression fracture. The L1 fracture is acute.\nIMPRESSION: Acute L1 fracture. L1 edema."
    assert [fracture.level for fracture in reader.read(text, modality="MR").fractures] == ["L1"]


@pytest.mark.parametrize("case", [case for case in load_cases(*TABLES) if not case.known_failure][::9])
def test_values_have_evidence(reader: Reader, case: Case) -> None:
    for fracture in reader.read(case.text, modality=case.modality).fractures:
        named = set(fracture.evidence)
        assert {"level", "status"} <= named
        for name in ("marrow_edema", "cleft", "retropulsion"):
            if getattr(fracture, name) != "not_stated":
                assert name in named, name
        assert ("height_loss_percent" in named) == (fracture.height_loss_percent is not None)
        assert ("malignant_features" in named) == bool(fracture.malignant_features)
        assert ("augmented" in named) == fracture.augmented


def test_evidence_says_where(reader: Reader) -> None:
    text = "HISTORY: Back pain.\nFINDINGS: L1 compression fracture, marrow oedema.\nIMPRESSION: Acute L1 fracture."
    reading = reader.read(text, modality="MR")
    (fracture,) = reading.fractures
    assert [(e.text, e.section) for e in fracture.evidence["marrow_edema"]] == [("marrow oedema", "findings")]
    assert ("Acute", "impression") in [(e.text, e.section) for e in fracture.evidence["acuity"]]
    assert [(e.text, e.section) for e in reading.context_evidence["pain"]] == [("Back pain", "history")]
