"""A report means the same however it is set: the reading must not change.

The transformations are in ``transforms.py``. Each is applied to every annotated report; fractures, report-level
findings, pathway and candidate levels are compared with those of the untouched report.
"""

from __future__ import annotations

from typing import Any

import pytest
from transforms import NEUTRAL, TRANSFORMS, rewrap, thoracic_letters, unwrap, upper

from vertriage.pipeline import Reader
from vertriage.types import FRACTURE_FIELDS, ReportReading

FLOOR = 0.99
FLOORS: dict[str, float] = {"upper-case": 0.985}
"""Floors of the transformations that do not reach ``FLOOR`` yet."""


def facts(reading: ReportReading) -> dict[str, Any]:
    """Everything a reading says, evidence and decision aside."""
    told: dict[str, Any] = {
        f"{fracture.level or 'unspecified'}.{name}": getattr(fracture, name)
        for fracture in reading.fractures
        for name in FRACTURE_FIELDS
    }
    return {**told, **reading.context.model_dump(), "pathway": reading.pathway, "candidates": reading.candidate_levels}


@pytest.fixture(scope="module")
def originals(reader: Reader, gold: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [facts(reader.read(row["text"], modality=row["meta"]["modality"])) for row in gold]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_reading_stays(
    name: str, reader: Reader, gold: list[dict[str, Any]], originals: list[dict[str, Any]], record_property: Any
) -> None:
    transform = TRANSFORMS[name]
    touched = 0
    changed: dict[str, dict[str, Any]] = {}
    for row, before in zip(gold, originals, strict=True):
        text = transform(row["text"])
        touched += text != row["text"]
        after = facts(reader.read(text, modality=row["meta"]["modality"]))
        if after != before:
            changed[row["report_id"]] = {
                key: (before.get(key), after.get(key))
                for key in before.keys() | after.keys()
                if before.get(key) != after.get(key)
            }
    rate = 1 - len(changed) / len(gold)
    record_property("rate", rate)
    assert touched >= 20, f"{name} changed only {touched} of {len(gold)} texts; it tests nothing"
    report = "\n".join(f"  {report_id}: {difference}" for report_id, difference in changed.items())
    assert rate >= FLOORS.get(name, FLOOR), f"{name}: {rate:.3f} of reports read the same\n{report}"


@pytest.mark.parametrize("sentence", NEUTRAL)
def test_neutral_sentences_are_neutral(reader: Reader, sentence: str) -> None:
    reading = reader.read(f"FINDINGS: {sentence}", modality="MR")
    assert reading.fractures == []
    assert set(reading.context.model_dump().values()) == {"not_stated"}


def test_transformations_do_what_they_say() -> None:
    wrapped = "FINDINGS: There is a compression fracture of the T8 vertebral body with\nmarrow edema."
    assert unwrap(wrapped) == wrapped.replace("\n", " ")
    assert max(map(len, rewrap(40)(wrapped).split("\n"))) <= 40
    assert thoracic_letters("D")("T8, T1-weighted, T-10 and T2") == "D8, T1-weighted, D10 and T2"
    assert upper("Kümmell, straße") == "KÜMMELL, STRAßE"
    assert TRANSFORMS["british"]("Edema, tumors, them") == "Oedema, tumours, them"
    assert TRANSFORMS["american"]("OEDEMA; haemangioma, neurologically, pathological") == (
        "EDEMA; hemangioma, neurologically, pathologic"
    )
    assert TRANSFORMS["no-heading-colons"]("FINDINGS:\nL1: x\nIMPRESSION: y") == "FINDINGS\nL1: x\nIMPRESSION: y"
    assert NEUTRAL[0] in TRANSFORMS["degenerative-sentences"](
        "FINDINGS:\n" + "The vertebral bodies are normal in height and alignment throughout the imaged spine. " * 2
    )
