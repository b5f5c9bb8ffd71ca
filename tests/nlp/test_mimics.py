"""What looks like a fracture, edema or a cleft in words and is none."""

from __future__ import annotations

import pytest
from case_tables import Case, mismatches, params

from vertriage.pipeline import Reader


@pytest.mark.parametrize("case", params("mimics"))
def test_cases(reader: Reader, case: Case) -> None:
    assert mismatches(reader.read(case.text, modality=case.modality), case.expect) == []
