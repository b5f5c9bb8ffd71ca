"""Report-level findings."""

from __future__ import annotations

import pytest
from case_tables import Case, load_cases, mismatches, params

from vertriage.pipeline import Reader
from vertriage.types import CONTEXT_FIELDS


@pytest.mark.parametrize("case", params("context"))
def test_cases(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []


def test_every_field_is_tested_in_every_state() -> None:
    tested = {(name, value) for case in load_cases("context") for name, value in case.expect.items()}
    for name in CONTEXT_FIELDS:
        for value in ("present", "absent", "not_stated"):
            assert (name, value) in tested, f"{name}: {value}"


@pytest.mark.parametrize("case", [case for case in load_cases("context") if not case.known_failure][::5])
def test_stated_findings_have_evidence(reader: Reader, case: Case) -> None:
    reading = reader.read(case.text, modality=case.modality)
    for name in CONTEXT_FIELDS:
        # A suspicion that only follows from features of a fracture has its evidence there.
        follows = name == "suspected_malignancy" and any(f.malignant_features for f in reading.fractures)
        if getattr(reading.context, name) != "not_stated" and not follows:
            assert reading.context_evidence.get(name), name


def test_nothing_is_stated_in_an_empty_report(reader: Reader) -> None:
    assert set(reader.read("").context.model_dump().values()) == {"not_stated"}
