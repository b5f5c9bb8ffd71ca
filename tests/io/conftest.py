"""A reader that is quick and predictable, for tests of what happens around the reading."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vertriage import api
from vertriage.types import (
    ClinicalFacts,
    ContextReading,
    Decision,
    Evidence,
    FractureReading,
    Reason,
    ReportMeta,
    ReportReading,
)


class PlainReader:
    """Every ``LEVEL fracture`` is a present fracture; ``crash`` in a report raises with the report in the message."""

    def __init__(self, lexicons: Path | None = None) -> None:
        self.lexicons = lexicons

    def read(
        self,
        text: str,
        *,
        report_id: str = "",
        modality: Any = None,
        age: int | None = None,
        sex: Any = None,
        clinical: ClinicalFacts | None = None,
    ) -> ReportReading:
        if "crash" in text:
            raise RuntimeError(f"cannot read: {text}")
        fractures, evidence = [], []
        for match in re.finditer(r"\b([TL]\d+) fracture", text):
            span = Evidence(start=match.start(), end=match.end(), text=match.group(), section="findings")
            evidence.append(span)
            fractures.append(
                FractureReading(
                    level=match[1],
                    marrow_edema="present",
                    acuity="acute",
                    height_loss_percent=40,
                    malignant_features=["soft_tissue_mass"],
                    evidence={"level": [span], "marrow_edema": [span]},
                )  # fmt: skip
            )
        pathway = "augmentation_candidate" if fractures else "no_fracture"
        pain = re.search("back pain", text)
        pains = [Evidence(start=pain.start(), end=pain.end(), text=pain.group(), section="history")] if pain else []
        return ReportReading(
            report_id=report_id,
            meta=ReportMeta(modality=modality or "OT", age=age, sex=sex),
            fractures=fractures,
            context=ContextReading(pain="present" if pain else "not_stated"),
            context_evidence={"pain": pains} if pains else {},
            pathway=pathway,
            candidate_levels=[f.level for f in fractures],
            clinical=clinical,
            decision=Decision(
                pathway=pathway,
                tier="standard" if fractures else None,
                priority=3 if fractures else 9,
                target_levels=[f.level for f in fractures],
                reasons=[Reason(rule="Q1", text="edema", evidence=evidence)],
                disclaimer="Supports clinical judgment.",
            ),
        )


@pytest.fixture
def plain_reader(monkeypatch: pytest.MonkeyPatch) -> type[PlainReader]:
    """Replace the pipeline by :class:`PlainReader` in this process."""
    monkeypatch.setattr(api, "_reader", lambda lexicons=None: PlainReader(lexicons))
    return PlainReader
