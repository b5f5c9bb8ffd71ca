"""How well do the readings agree with annotated reports?

The unit of counting is the *fact*: one feature of one item, for instance (``marrow_edema``, report D1-001, T12). A fact
in both readings is a true positive; one that only the annotation has is ``missed``; one that only the program has is
``extra``.

=====================  ===============================================================================================
``fracture``           (report, level); an unnamed level is ``unspecified``
``acuity_recent``      acute or subacute, over (report, level)
``marrow_edema`` ...   also ``cleft``, ``retropulsion``, ``augmented``: value present/true, over (report, level)
``height_loss``        (report, level, percent rounded)
``malignant:*``        each feature, over (report, level)
``context:*``          value present, over reports
``pathway:*``          each pathway over reports; besides accuracy, and macro-F1 over the pathways that occur in gold
``candidate``          pathway is ``augmentation_candidate``, over reports
``candidate_level``    (report, level)
``escalation``         pathway is an emergency, trauma, malignancy or infection, over reports
=====================  ===============================================================================================

On your own annotations (the format is described in ``docs/annotation_guidelines.md``):

>>> gold = load_gold(["annotated.jsonl"])                                    # doctest: +SKIP
>>> result = evaluate(gold)                                                  # doctest: +SKIP
>>> result.features["marrow_edema"].f1                                       # doctest: +SKIP
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vertriage.readers import InputError
from vertriage.types import Evidence, ReportReading

ESCALATIONS = frozenset({"surgical_emergency", "trauma", "malignancy_workup", "infection_workup"})
UNSPECIFIED = "unspecified"
# Normal quantile of a 95% interval.
_Z = 1.96

Gold = Mapping[str, Mapping[str, Any]]


class Fact(NamedTuple):
    """One countable statement of a reading. ``level`` is empty for a fact about the whole report; ``value`` holds the
    percent of a height loss."""

    feature: str
    report_id: str
    level: str = ""
    value: int | None = None


def facts(report_id: str, body: Mapping[str, Any]) -> set[Fact]:
    """The facts that one reading (in the guidelines' field names) asserts.

    >>> sorted(facts("A", {"fractures": [{"level": "L1", "acuity": "acute"}], "pathway": "trauma"}))[0]
    Fact(feature='acuity_recent', report_id='A', level='L1', value=None)
    """
    out: set[Fact] = set()
    for fracture in body.get("fractures") or ():
        level = fracture.get("level") or UNSPECIFIED
        out.add(Fact("fracture", report_id, level))
        if fracture.get("acuity") in ("acute", "subacute"):
            out.add(Fact("acuity_recent", report_id, level))
        out.update(
            Fact(name, report_id, level)
            for name in ("marrow_edema", "cleft", "retropulsion")
            if fracture.get(name) == "present"
        )
        if fracture.get("augmented") is True:
            out.add(Fact("augmented", report_id, level))
        if (percent := fracture.get("height_loss_percent")) is not None:
            out.add(Fact("height_loss", report_id, level, round(percent)))
        out.update(Fact(f"malignant:{name}", report_id, level) for name in fracture.get("malignant_features") or ())
    context = body.get("context") or {}
    out.update(Fact(f"context:{name}", report_id) for name, value in context.items() if value == "present")
    pathway = body.get("pathway") or "no_fracture"
    out.add(Fact(f"pathway:{pathway}", report_id))
    if pathway == "augmentation_candidate":
        out.add(Fact("candidate", report_id))
    if pathway in ESCALATIONS:
        out.add(Fact("escalation", report_id))
    out.update(Fact("candidate_level", report_id, level) for level in body.get("candidate_levels") or ())
    return out


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a proportion; NaN for an empty sample.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    >>> [round(x, 3) for x in wilson(9, 10)]
    [0.596, 0.982]
    """
    if total == 0:
        return math.nan, math.nan
    p = hits / total
    shrink = 1 + _Z * _Z / total
    center = (p + _Z * _Z / (2 * total)) / shrink
    half = _Z * math.sqrt(p * (1 - p) / total + _Z * _Z / (4 * total * total)) / shrink
    return center - half, center + half


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


@dataclass(frozen=True)
class FeatureScore:
    """Counts of one feature: ``tp`` in both readings, ``fp`` extra, ``fn`` missed."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision_interval(self) -> tuple[float, float]:
        return wilson(self.tp, self.tp + self.fp)

    @property
    def recall_interval(self) -> tuple[float, float]:
        return wilson(self.tp, self.tp + self.fn)


@dataclass(frozen=True)
class Error:
    """One wrong fact: what was read, what was annotated, and the words to look at.

    ``cause`` is one of

    ===================  =========================================================================================
    ``level-wrong``      the same feature is missed at one level and extra at another
    ``value-wrong``      the right item with another value (edema ``absent``, 30 instead of 40 percent)
    ``fracture-missed``  an attribute of a fracture that was not read
    ``fracture-extra``   an attribute of a fracture that is not annotated
    ``not-found``        nothing was read
    ``over-read``        something was read that is not annotated
    ``section:NAME``     over-read, from a section that seldom counts (history, comparison, technique, ...)
    ``follows``          a pathway that follows from other differences in the same report
    ``rule``             the pathway differs although everything it rests on agrees
    ===================  =========================================================================================

    ``where`` quotes the report; it is as confidential as the report itself.
    """

    kind: Literal["missed", "extra"]
    fact: Fact
    cause: str
    said: str
    where: str

    @property
    def category(self) -> tuple[str, str, str]:
        return self.fact.feature, self.kind, self.cause


@dataclass(frozen=True)
class Evaluation:
    """Scores of a set of reports. ``features`` maps a feature to its counts, in alphabetical order."""

    reports: int
    pathway_hits: int
    missing_predictions: int
    features: Mapping[str, FeatureScore]
    errors: Sequence[Error] = field(default_factory=tuple)

    @cached_property
    def pathway_accuracy(self) -> float:
        return _ratio(self.pathway_hits, self.reports)

    @cached_property
    def pathway_macro_f1(self) -> float:
        classes = [s.f1 for name, s in self.features.items() if name.startswith("pathway:") and s.tp + s.fn]
        return _ratio(sum(classes), len(classes))

    def categories(self, top: int = 10) -> list[tuple[tuple[str, str, str], int]]:
        """The most frequent kinds of error: ((feature, missed or extra, cause), how often)."""
        counts = Counter(error.category for error in self.errors)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]

    def as_dict(self) -> dict[str, Any]:
        """Numbers only, for JSON; the same names as the table columns."""
        return {
            "summary": {
                "reports": self.reports,
                "missing_predictions": self.missing_predictions,
                "pathway_accuracy": self.pathway_accuracy,
                "pathway_macro_f1": self.pathway_macro_f1,
            },
            "features": {
                name: {
                    "tp": s.tp, "fp": s.fp, "fn": s.fn, "precision": s.precision, "recall": s.recall, "f1": s.f1,
                    "precision_ci": s.precision_interval, "recall_ci": s.recall_interval,
                }
                for name, s in self.features.items()
            },
            "error_categories": [
                {"feature": feature, "kind": kind, "cause": cause, "count": n}
                for (feature, kind, cause), n in self.categories()
            ],
        }  # fmt: skip


_PATHWAY_FEATURES = ("pathway:", "candidate", "escalation")
_ODD_SECTIONS = frozenset({"history", "comparison", "technique", "recommendation", "title"})
_SENTENCE_END = re.compile(r"(?<=[.;?!])(?<!\n\d\.)\s+|\n\s*\n|\n(?=\s*(?:\d+[.)]|[-*•]|[A-Z][A-Za-z /]+:))")
_WHERE_CHARS = 240


class _Explainer:
    """Names the cause of each wrong fact of one report and finds the words to look at."""

    def __init__(
        self, want: set[Fact], got: set[Fact], gold: Mapping[str, Any], read: Mapping[str, Any], text: str
    ) -> None:
        self.missed, self.extra = want - got, got - want
        self.gold, self.read, self.text = gold, read, text
        self.gold_fractures = _by_level(gold)
        self.read_fractures = _by_level(read)

    def errors(self) -> list[Error]:
        wrong: list[tuple[Literal["missed", "extra"], Fact]] = [
            *(("missed", fact) for fact in self.missed),
            *(("extra", fact) for fact in self.extra),
        ]
        wrong.sort(key=lambda item: (item[1].feature, item[1].level, item[0], item[1].value or 0))
        return [
            Error(kind, fact, self._cause(kind, fact), self._instead(kind, fact), self._where(fact))
            for kind, fact in wrong
        ]

    def _cause(self, kind: str, fact: Fact) -> str:
        if fact.feature.startswith(_PATHWAY_FEATURES):
            return "follows" if self._readings_differ() else "rule"
        other = self.extra if kind == "missed" else self.missed
        if fact.level:
            mine, theirs = self._sides(kind)
            if fact.feature != "fracture" and fact.level not in theirs:
                return "fracture-missed" if kind == "missed" else "fracture-extra"
            if any(o.feature == fact.feature and o.level != fact.level for o in other):
                return "level-wrong"
        if self._instead(kind, fact) not in ("", "not_stated", "none"):
            return "value-wrong"
        if kind == "missed":
            return "not-found"
        sections = {e.section for e in self._evidence(fact)}
        odd = sections & _ODD_SECTIONS
        return f"section:{min(odd)}" if odd and odd == sections else "over-read"

    def _sides(self, kind: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        pair = self.gold_fractures, self.read_fractures
        return pair if kind == "missed" else (pair[1], pair[0])

    def _readings_differ(self) -> bool:
        def essence(body: Mapping[str, Any], levels: Mapping[str, Any]) -> Any:
            context = body.get("context") or {}
            stated = {name: value for name, value in context.items() if value != "not_stated"}
            fields = ("status", "acuity", "marrow_edema", "cleft", "augmented")
            return stated, {level: [fx.get(name) for name in fields] for level, fx in levels.items()}

        return essence(self.gold, self.gold_fractures) != essence(self.read, self.read_fractures)

    def _instead(self, kind: str, fact: Fact) -> str:
        """What the other side says about the same item; empty when it knows no such item."""
        body = self.read if kind == "missed" else self.gold
        if fact.feature.startswith(_PATHWAY_FEATURES):
            return str(body.get("pathway") or "no_fracture")
        group, _, name = fact.feature.partition(":")
        if group == "context":
            return str((body.get("context") or {}).get(name, "not_stated"))
        fracture = self._sides(kind)[1].get(fact.level)
        if fact.feature == "fracture" or fracture is None:
            return ""
        if group == "malignant":
            return "none"
        name = {"acuity_recent": "acuity", "height_loss": "height_loss_percent"}.get(fact.feature, fact.feature)
        value = fracture.get(name)
        return "not_stated" if value is None or value is False else str(value)

    def _evidence(self, fact: Fact) -> list[Evidence]:
        """The spans the program gave for the item of ``fact``."""
        group, _, name = fact.feature.partition(":")
        if group == "context":
            spans = (self.read.get("context_evidence") or {}).get(name) or ()
        else:
            held = (self.read_fractures.get(fact.level) or {}).get("evidence") or {}
            names = {"acuity_recent": "acuity", "height_loss": "height_loss_percent", "fracture": "level"}
            field_name = "malignant_features" if group == "malignant" else names.get(fact.feature, fact.feature)
            spans = held.get(field_name) or (next(iter(held.values()), ()) if fact.feature == "fracture" else ())
        return [e if isinstance(e, Evidence) else Evidence(**e) for e in spans]

    def _where(self, fact: Fact) -> str:
        starts = [e.start for e in self._evidence(fact)]
        if not starts and fact.level not in ("", UNSPECIFIED):
            pattern = rf"\b{fact.level[0]}[dh]?[-. ]?0?{fact.level[1:]}\b"
            if fact.level[0] == "T":
                pattern = rf"\b(?:T|Th|D|DV)[-. ]?0?{fact.level[1:]}\b"
            starts = [m.start() for m in re.finditer(pattern, self.text, re.I)]
        sentences = dict.fromkeys(sentence_at(self.text, start) for start in starts)
        found = " | ".join(sentences)
        return found if len(found) <= _WHERE_CHARS else found[: _WHERE_CHARS - 1] + "…"


def _by_level(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {fracture.get("level") or UNSPECIFIED: fracture for fracture in body.get("fractures") or ()}


def sentence_at(text: str, offset: int) -> str:
    """The sentence around an offset, on one line.

    >>> sentence_at("Normal cord. Old L1\\nfracture. No edema.", 17)
    'Old L1 fracture.'
    """
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match.start() >= offset:
            return " ".join(text[start : match.start()].split())
        start = match.end()
    return " ".join(text[start:].split())


def load_gold(paths: Iterable[Path | str]) -> dict[str, dict[str, Any]]:
    """Annotated reports by id, from one or more JSON lines files.

    Raises:
        InputError: a file cannot be read, or a line is not an annotated report; the message names file and line.
    """
    records: dict[str, dict[str, Any]] = {}
    for path in map(Path, paths):
        try:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise InputError(f"{path}: cannot be read ({reason}).") from None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                report_id = str(record["report_id"])
                if not isinstance(record["text"], str) or "pathway" not in record["gold"]:
                    raise KeyError("gold.pathway")
            except json.JSONDecodeError as error:
                raise InputError(f"{path}, line {number}: broken JSON ({error.msg}).") from None
            except (KeyError, TypeError):
                raise InputError(
                    f"{path}, line {number}: an annotated report needs report_id, text and gold (with pathway)."
                ) from None
            records[report_id] = record
    if not records:
        raise InputError("no annotated reports in the given files.")
    return records


def score(gold: Gold, predicted: Mapping[str, Mapping[str, Any]]) -> Evaluation:
    """Compare readings with annotations.

    Args:
        gold: annotated records by report id, each with its annotation under ``gold``.
        predicted: readings by report id, in the guidelines' field names at top level or under ``gold``. A report
            without one counts as read empty (``no_fracture``).
    """
    counts: dict[str, Counter[str]] = {}
    errors: list[Error] = []
    hits = 0
    for report_id, record in gold.items():
        want_body = record["gold"]
        got_body: Mapping[str, Any] = predicted.get(report_id, {})
        got_body = got_body.get("gold", got_body)
        want, got = facts(report_id, want_body), facts(report_id, got_body)
        hits += (got_body.get("pathway") or "no_fracture") == want_body["pathway"]
        for group, found in (("tp", want & got), ("fn", want - got), ("fp", got - want)):
            for fact in found:
                counts.setdefault(fact.feature, Counter())[group] += 1
        if want != got:
            errors += _Explainer(want, got, want_body, got_body, record.get("text") or "").errors()
    return Evaluation(
        reports=len(gold),
        pathway_hits=hits,
        missing_predictions=sum(report_id not in predicted for report_id in gold),
        features={name: FeatureScore(c["tp"], c["fp"], c["fn"]) for name, c in sorted(counts.items())},
        errors=tuple(errors),
    )


def evaluate(gold: Gold, read: Callable[..., ReportReading] | None = None) -> Evaluation:
    """Read every annotated report with the pipeline and compare.

    Args:
        gold: see :func:`score`; ``text`` and ``meta`` (modality, age, sex) of each record are what is read.
        read: called as ``read(text, report_id=..., modality=..., age=..., sex=...)``; default the pipeline.
    """
    if read is None:
        from vertriage.pipeline import Reader

        read = Reader().read
    predicted = {}
    for report_id, record in gold.items():
        meta = record.get("meta") or {}
        given = {name: meta.get(name) for name in ("modality", "age", "sex")}
        predicted[report_id] = read(record["text"], report_id=report_id, **given).model_dump()
    return score(gold, predicted)
