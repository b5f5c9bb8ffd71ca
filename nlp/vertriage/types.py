"""Typed results: what one report says, and where it says it.

Field names and values are those of the annotation guidelines (``docs/annotation_guidelines.md``, kept beside the
gold reports); ``ReportReading.model_dump_json()`` is one line of ``readings.jsonl``. Every value carries
:class:`Evidence`, offsets into the text exactly as it was received.

>>> from vertriage.types import Evidence
>>> Evidence(start=0, end=11, text="L1 fracture", section="findings").text
'L1 fracture'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

Modality = Literal["MR", "CT", "XR", "NM", "OT"]
Sex = Literal["F", "M"]
Status = Literal["present", "possible"]
Acuity = Literal["acute", "subacute", "chronic", "indeterminate"]
Finding = Literal["present", "absent", "possible", "not_stated"]
CleftContent = Literal["fluid", "gas", "mixed"]
MalignantFeature = Literal[
    "convex_posterior_border", "pedicle_involvement", "soft_tissue_mass", "marrow_replacement", "osseous_destruction"
]
ContextValue = Literal["present", "absent", "not_stated"]
Pathway = Literal[
    "no_fracture",
    "surgical_emergency",
    "trauma",
    "malignancy_workup",
    "infection_workup",
    "augmentation_candidate",
    "osteoporosis_management",
    "needs_review",
]
SectionName = Literal[
    "title", "history", "technique", "comparison", "findings", "impression", "recommendation", "addendum", "other"
]

CONTEXT_FIELDS: tuple[str, ...] = (
    "pain",
    "osteoporosis",
    "known_malignancy",
    "suspected_malignancy",
    "high_energy_trauma",
    "neurologic_deficit",
    "neural_compression",
    "radiculopathy",
    "unstable_injury",
    "infection_suspected",
)
FRACTURE_FIELDS: tuple[str, ...] = (
    "level",
    "status",
    "acuity",
    "marrow_edema",
    "cleft",
    "cleft_content",
    "height_loss_percent",
    "retropulsion",
    "malignant_features",
    "augmented",
)


class Evidence(BaseModel):
    """The words a value was read from.

    ``start`` and ``end`` are character offsets into the report text as received (``text == report[start:end]``);
    ``section`` is the radiology section the words stand in.
    """

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    text: str
    section: SectionName


class ReportMeta(BaseModel):
    """What the export says about a report besides its text. ``age`` in years; ``modality`` as in DICOM (MR, CT ...)."""

    modality: Modality = "OT"
    age: int | None = None
    sex: Sex | None = None


class FractureReading(BaseModel):
    """One fractured vertebra (or one unnamed group of them, ``level`` None).

    ``height_loss_percent`` is in percent of the expected height. ``evidence`` maps a field name to the words behind
    its value; a value inferred from other fields (an acuity that follows from edema) points at those words.
    """

    level: str | None
    status: Status = "present"
    acuity: Acuity = "indeterminate"
    marrow_edema: Finding = "not_stated"
    cleft: Finding = "not_stated"
    cleft_content: CleftContent | None = None
    height_loss_percent: float | None = None
    retropulsion: Finding = "not_stated"
    malignant_features: list[MalignantFeature] = Field(default_factory=list)
    augmented: bool = False
    evidence: dict[str, list[Evidence]] = Field(default_factory=dict)


class ContextReading(BaseModel):
    """Report-level findings; each is ``present``, ``absent`` or ``not_stated``."""

    pain: ContextValue = "not_stated"
    osteoporosis: ContextValue = "not_stated"
    known_malignancy: ContextValue = "not_stated"
    suspected_malignancy: ContextValue = "not_stated"
    high_energy_trauma: ContextValue = "not_stated"
    neurologic_deficit: ContextValue = "not_stated"
    neural_compression: ContextValue = "not_stated"
    radiculopathy: ContextValue = "not_stated"
    unstable_injury: ContextValue = "not_stated"
    infection_suspected: ContextValue = "not_stated"


TraumaMechanism = Literal["high_energy", "low_energy", "none"]
PainRegion = Literal["cervical", "thoracic", "lumbar", "several"]
Tier = Literal["strong", "standard", "conditional"]


class ClinicalFacts(BaseModel):
    """What the referrer or the export states about the patient, next to the report. ``None`` means not stated.

    Units: ``age`` in years (0-120), ``pain_score`` on the 0-10 scale, ``pain_weeks`` in weeks (0-5200), ``t_score`` in
    standard deviations (-10 to 10). A value that cannot be right is set to ``None`` and explained in ``warnings``, so
    one broken cell never costs a patient the reading. Only an unknown field name raises (a slip in the code).

    >>> facts = ClinicalFacts(pain="present", pain_score=14, known_malignancy="no")
    >>> facts.known_malignancy, facts.pain_score, facts.warnings
    (False, None, ['pain_score: 14 is outside 0 to 10; the value was ignored'])
    """

    model_config = ConfigDict(extra="forbid")

    age: int | None = None
    sex: Sex | None = None
    pain: Literal["present", "absent"] | None = None
    pain_score: float | None = None
    pain_weeks: float | None = None
    failed_medical_management: bool | None = None
    known_malignancy: bool | None = None
    high_energy_trauma: bool | None = None
    neurologic_deficit: bool | None = None
    osteoporosis: bool | None = None
    t_score: float | None = None
    anticoagulated: bool | None = None
    warnings: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _read_leniently(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = dict(data)
        warnings = list(given.pop("warnings", ()))
        for name in _FACT_READERS.keys() & given.keys():
            try:
                given[name] = _FACT_READERS[name](given[name])
            except ValueError as error:
                given[name] = None
                warnings.append(f"{name}: {error}; the value was ignored")
        return {**given, "warnings": sorted(warnings)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> tuple[ClinicalFacts, list[str]]:
        """The facts of one export row and the warnings about cells that were ignored; never raises.

        Columns with other names are left alone; an empty cell, NaN, "unknown" and the like mean not stated.

        >>> ClinicalFacts.from_row({"age": "81", "pain": "yes", "anticoagulated": "0", "ward": "7B"})[0].pain
        'present'
        """
        facts = cls(**{name: row[name] for name in _FACT_READERS if name in row})
        return facts, facts.warnings


_NOT_STATED = frozenset(
    {"", "nan", "none", "null", "na", "n/a", "<na>", "nat", "?", "-", ".", "u", "unk", "unknown", "unspecified"}
    | {"not_stated", "not stated", "not_known", "not known", "not recorded", "not documented"}
)
_YES = frozenset({"yes", "y", "true", "t", "present", "positive", "pos", "1", "1.0"})
_NO = frozenset({"no", "n", "false", "f", "absent", "negative", "neg", "0", "0.0"})


def _cell(value: Any) -> str:
    """A cell as bare lower-case text; empty when it states nothing."""
    text = str(value).strip().lower()
    return "" if value is None or text in _NOT_STATED else text


def _yes_no(value: Any) -> bool | None:
    text = _cell(value)
    if not text:
        return None
    if text in _YES or text in _NO:
        return text in _YES
    raise ValueError("not a yes or no")  # the cell is not quoted: a shifted column may hold report text


def _stated(value: Any) -> str | None:
    answer = _yes_no(value)
    return None if answer is None else ("present" if answer else "absent")


def _sex(value: Any) -> str | None:
    text = _cell(value)
    if not text or text in {"o", "other", "x", "i"}:
        return None
    if text in {"f", "female", "woman", "w"} or text in {"m", "male", "man"}:
        return "F" if text in {"f", "female", "woman", "w"} else "M"
    raise ValueError("not F or M")


def _number_within(low: float, high: float, whole: bool = False) -> Callable[[Any], float | None]:
    def read(value: Any) -> float | None:
        if isinstance(value, bool):
            raise ValueError("not a number")
        text = _cell(value)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            raise ValueError("not a number") from None
        if not low <= number <= high:
            raise ValueError(f"{number:g} is outside {low:g} to {high:g}")
        return int(number) if whole else number

    return read


_FACT_READERS: dict[str, Callable[[Any], Any]] = {
    "age": _number_within(0, 120, whole=True),
    "sex": _sex,
    "pain": _stated,
    "pain_score": _number_within(0, 10),
    "pain_weeks": _number_within(0, 5200),
    "failed_medical_management": _yes_no,
    "known_malignancy": _yes_no,
    "high_energy_trauma": _yes_no,
    "neurologic_deficit": _yes_no,
    "osteoporosis": _yes_no,
    "t_score": _number_within(-10, 10),
    "anticoagulated": _yes_no,
}


class HistoryFacts(BaseModel):
    """Clinical facts read from the report text itself; see :mod:`vertriage.history`. ``not_stated``/``None``: no word.

    ``pain_weeks`` is in weeks, ``pain_score`` on the 0-10 scale, ``t_score`` in standard deviations. ``evidence`` maps
    a field name to the words behind its value.
    """

    age: int | None = None
    sex: Sex | None = None
    pain_score: float | None = None
    pain_weeks: float | None = None
    t_score: float | None = None
    pain_region: PainRegion | None = None
    trauma_mechanism: TraumaMechanism | None = None
    severe_pain: ContextValue = "not_stated"
    failed_medical_management: ContextValue = "not_stated"
    anticoagulated: ContextValue = "not_stated"
    steroid_use: ContextValue = "not_stated"
    osteoporosis_treatment: ContextValue = "not_stated"
    contraindication: ContextValue = "not_stated"
    other_pain_source: ContextValue = "not_stated"
    canal_compromise: ContextValue = "not_stated"
    posterior_wall_involved: ContextValue = "not_stated"
    level_caveat: ContextValue = "not_stated"
    evidence: dict[str, list[Evidence]] = Field(default_factory=dict)


class Reason(BaseModel):
    """Why a decision says what it says: the rule of the policy table that fired and the words that fired it.

    ``facts`` are the stated facts the rule was tried on ("pain", "L1.marrow_edema", ...; what is not listed was not
    stated), enough to run the policy again without the reading: see :func:`vertriage.decision.rederive`. ``stated``
    names those that came from a column beside the report; they have no evidence in the text.
    """

    rule: str
    text: str
    source: str = ""
    facts: dict[str, str | bool | float | list[str]] = Field(default_factory=dict)
    stated: list[str] = Field(default_factory=list)
    evidence: list[Evidence] = Field(default_factory=list)


class Rating(BaseModel):
    """One option and its ACR Appropriateness Criteria rating (only for the variant the ratings belong to)."""

    option: str
    rating: str
    source: str
    note: str = ""


class WhatIf(BaseModel):
    """One new fact that would move the report to another pathway, and the rule that would put it there."""

    fact: str
    levels: list[str] = Field(default_factory=list)
    pathway: Pathway
    rule: str
    text: str


class Decision(BaseModel):
    """What to do about one reading; see :mod:`vertriage.decision`. It supports and never replaces clinical judgment.

    ``priority`` is the place in the worklist, 1 first. ``fracture_liaison`` marks a patient with a vertebral fracture
    and no documented osteoporosis treatment. ``docs/decision.md`` explains every field.
    """

    pathway: Pathway
    tier: Tier | None = None
    priority: int = 0
    target_levels: list[str] = Field(default_factory=list)
    ratings: list[Rating] = Field(default_factory=list)
    reasons: list[Reason] = Field(default_factory=list)
    cautions: list[Reason] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    next_steps: list[str] = Field(default_factory=list)
    follow_up: str | None = None
    fracture_liaison: bool = False
    contradictions: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    disclaimer: str = ""
    _policy: Any = PrivateAttr(default=None)

    def what_if(self) -> list[WhatIf]:
        """The single facts that would move this report to another pathway, computed from the policy table.

        Works on a decision read back from JSON too: everything needed is in ``reasons``.
        """
        from vertriage.decision import what_if  # the result models know no stage; only this call needs one

        return what_if(self.reasons, self._policy)


class ReportReading(BaseModel):
    """The structured reading of one report: one line of ``readings.jsonl``.

    ``candidate_levels`` are the levels that qualify for augmentation when ``pathway`` is ``augmentation_candidate``
    (an unnamed level is the string ``"unspecified"``), else empty. ``review_reasons`` says what the program could not
    settle from the text, for instance a finding that may belong to more than one vertebra. ``clinical`` holds the facts
    stated in columns beside the text, ``history`` those read from its history section.
    """

    report_id: str = ""
    meta: ReportMeta = Field(default_factory=ReportMeta)
    fractures: list[FractureReading] = Field(default_factory=list)
    context: ContextReading = Field(default_factory=ContextReading)
    context_evidence: dict[str, list[Evidence]] = Field(default_factory=dict)
    pathway: Pathway = "no_fracture"
    candidate_levels: list[str] = Field(default_factory=list)
    review_reasons: list[str] = Field(default_factory=list)
    clinical: ClinicalFacts | None = None
    history: HistoryFacts | None = None
    decision: Decision | None = None

    def _repr_html_(self) -> str:
        """The reading as a notebook shows it, every word of the report escaped."""
        from vertriage.render import reading_html

        return reading_html(self)
