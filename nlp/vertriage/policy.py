"""The policy table: read it, check it, run it.

``lexicons/decision_policy.yaml`` holds every clinical rule as a condition in named features, an outcome and a wording.
This module knows how to evaluate such a table and nothing about what it says.

Before: ``when: pain is not absent and any vertebra (qualifies)``, a list of fractures and the report-level facts.
After: the pathway, the levels that made the rule hold, and the id of the rule.

>>> from vertriage.types import ContextReading, FractureReading
>>> l1 = FractureReading(level="L1", marrow_edema="present", acuity="acute")
>>> assign_pathway([l1], ContextReading(pain="present"), "MR")
PathwayResult(pathway='augmentation_candidate', candidate_levels=['L1'], rule='P6-candidate')

:mod:`vertriage.conditions` is the language the conditions are written in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import yaml

from vertriage.conditions import (
    ALWAYS,
    CONCLUSIONS,
    FEATURES,
    REPORT_DEFAULTS,
    Condition,
    Facts,
    Feature,
    cases,
    joined,
    of_vertebrae,
    parse,
)
from vertriage.lexicon import lexicon_dir
from vertriage.types import ClinicalFacts, ContextReading, FractureReading, HistoryFacts, Pathway, Rating, Tier

UNNAMED = "unspecified"
"""What a vertebra without a level is called in ``candidate_levels`` (annotation guidelines, section 3)."""


_NO_FACTS: Facts = MappingProxyType({})


class PolicyError(ValueError):
    """A policy table that cannot be used. The message names the file, the line and the remedy."""


class PathwayResult(NamedTuple):
    """``candidate_levels`` in the order of the fractures; empty unless the pathway is ``augmentation_candidate``."""

    pathway: Pathway
    candidate_levels: list[str]
    rule: str


# ----------------------------------------------------------------------------------------------------------------------
# The table
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """One line of the table. ``outcome`` is what it concludes: a pathway, a tier, wording alone is ``None``."""

    id: str
    when: Condition
    line: int
    outcome: Any = None
    say: tuple[str, ...] = ()
    source: str = ""

    @cached_property
    def has_placeholder(self) -> bool:
        return any("{" in text for text in self.say)


@dataclass(frozen=True)
class WhatIfFact:
    """One new fact to try: set ``values`` on the report or, for a fact about a vertebra, on each that ``applies``."""

    fact: str
    values: dict[str, Any]
    of_vertebra: bool
    applies: Condition
    say: str


@dataclass(frozen=True)
class Plan:
    """What may be said once pathway and tier are known: the rules of these sections that can still hold."""

    priority: int
    cautions: list[Rule]
    missing: list[Rule]
    next_steps: list[Rule]
    follow_up: list[Rule]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A checked policy table; build one with :func:`load_policy`. The sections are those of the YAML file."""

    path: Path
    disclaimer: str
    qualifies: Condition
    qualifying: list[Rule]
    target_order: list[Callable[[Facts, Facts], float]]
    deciding: tuple[str, ...]
    """The features that pathway, tier, target levels and counterfactuals depend on."""
    infer: list[Rule]
    pathways: list[Rule]
    review: list[Rule]
    tiers: list[Rule]
    ratings_when: Condition
    ratings: list[Rating]
    plans: dict[tuple[Pathway, Tier | None], Plan]
    fracture_liaison: Condition
    what_if: list[WhatIfFact]
    contradiction_tolerance: dict[str, float]
    edema_persisting_weeks: float
    rules: dict[str, Rule]
    """Every rule by id."""

    def report_facts(
        self, context: ContextReading, modality: str, columns: Facts = _NO_FACTS, history: HistoryFacts | None = None
    ) -> dict[str, Any]:
        """The report-level facts to run the rules on; ``columns`` (see :meth:`column_facts`) beat the text.

        What follows from other facts (``infer`` in the table) fills only gaps, and columns are completed from columns,
        the text from the text, before the former are laid over the latter.
        """
        facts = dict(REPORT_DEFAULTS)
        if history is not None:
            facts.update(history.__dict__)
            del facts["evidence"]
        facts.update(context.__dict__)
        facts["modality"] = modality
        if history is not None:
            self._infer(facts)
        facts.update(columns)
        return facts

    def column_facts(self, clinical: ClinicalFacts | None) -> dict[str, Any]:
        """What the columns state, and what follows from it, in the words of the table."""
        stated = {} if clinical is None else {k: v for k, v in clinical.__dict__.items() if v is not None}
        stated.pop("warnings", None)
        if not stated:
            return stated
        columns = dict(REPORT_DEFAULTS)
        for name, value in stated.items():
            columns[name] = ("present" if value else "absent") if isinstance(value, bool) else value
        self._infer(columns)
        return {name: value for name, value in columns.items() if value != REPORT_DEFAULTS[name]}

    def _infer(self, facts: dict[str, Any]) -> None:
        for rule in self.infer:
            name, value = rule.outcome
            if facts[name] == REPORT_DEFAULTS[name] and rule.when.holds(facts, (), None):
                facts[name] = value

    def assign(self, report: Facts, vertebrae: Sequence[Facts]) -> PathwayResult:
        """The first pathway rule that holds for these facts."""
        rule = next(rule for rule in self.pathways if rule.when.holds(report, vertebrae, None))
        levels: list[str] = []
        if rule.outcome == "augmentation_candidate":
            levels = list(dict.fromkeys(vertebrae[i]["level"] or UNNAMED for i in self.candidates(report, vertebrae)))
        return PathwayResult(rule.outcome, levels, rule.id)

    def candidates(self, report: Facts, vertebrae: Sequence[Facts]) -> list[int]:
        """Indices of the vertebrae that qualify."""
        return [i for i, vertebra in enumerate(vertebrae) if self.qualifies.holds(report, vertebrae, vertebra)]

    def rank(self, report: Facts, vertebrae: Sequence[Facts], indices: Iterable[int]) -> list[int]:
        """Indices of qualifying vertebrae, best target first; equals keep the order of the report."""
        return sorted(indices, key=lambda i: [-score(report, vertebrae[i]) for score in self.target_order])

    def tier(self, report: Facts, vertebrae: Sequence[Facts]) -> Tier:
        """The tier of an augmentation candidate."""
        return next(rule.outcome for rule in self.tiers if rule.when.holds(report, vertebrae, None))


def assign_pathway(
    fractures: Sequence[FractureReading],
    context: ContextReading,
    modality: str,
    clinical: ClinicalFacts | None = None,
    *,
    policy: Policy | None = None,
) -> PathwayResult:
    """The pathway of one report, its candidate levels and the rule that gave it (annotation guidelines, section 3).

    ``clinical`` holds facts stated in columns; they beat the text. ``policy`` defaults to the shipped table.
    """
    policy = policy or load_policy()
    report = policy.report_facts(context, modality, policy.column_facts(clinical))
    return policy.assign(report, [f.__dict__ for f in fractures])


# ----------------------------------------------------------------------------------------------------------------------
# Loading: YAML with line numbers, then checks that name the line
# ----------------------------------------------------------------------------------------------------------------------


class _Text(str):
    """A text that knows the line it came from."""

    line: int = 0


class _Map(dict[str, Any]):
    """A mapping that knows the lines of itself and of its keys."""

    line: int = 0
    lines: dict[str, int]


class _List(list[Any]):
    line: int = 0


class _MarkedLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which every text, list and mapping remembers its line, and a repeated key is an error."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            mapping = _Map()
            mapping.line, mapping.lines = line, {}
            for key_node, value_node in node.value:
                key = key_node.value
                if key in mapping:
                    raise yaml.MarkedYAMLError(problem=f"{key!r} is given twice", problem_mark=key_node.start_mark)
                mapping.lines[key] = key_node.start_mark.line + 1
                mapping[key] = self.construct_object(value_node)
            return mapping
        if isinstance(node, yaml.SequenceNode):
            items = _List(self.construct_object(item) for item in node.value)
            items.line = line
            return items
        if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            return float(yaml.SafeLoader.construct_yaml_float(self, node))
        text = _Text(node.value)  # yes/no stay the words they are
        text.line = line
        return text


@cache
def load_policy(path: Path | None = None) -> Policy:
    """Read and check a policy table; ``path`` defaults to the shipped ``decision_policy.yaml``.

    Raises :class:`PolicyError` naming file and line for an unknown feature or value, a rule that can never be reached,
    a missing or unknown outcome, an id used twice, or a field that is missing or unknown.
    """
    path = path or lexicon_dir() / "decision_policy.yaml"
    try:
        table = yaml.load(path.read_text(encoding="utf-8"), Loader=_MarkedLoader)
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror}); give the path of a policy table") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PolicyError(f"{path}:{line}: {error.problem}") from None
    if not isinstance(table, _Map):
        raise PolicyError(f"{path}:1: the policy table has to be a mapping of sections")
    return _Builder(path, table).build()


_MOST_CASES = 500_000  # beyond these a rule is taken for reachable; the shipped table needs a few hundred
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


class _Builder:
    """Turns the marked YAML of one table into a :class:`Policy`, one section after the other."""

    def __init__(self, path: Path, table: _Map) -> None:
        self.path, self.table = path, table
        self.rules: dict[str, Rule] = {}
        self.terms: dict[str, Condition] = {}
        self.sources: _Map = self.section("sources", _Map)

    def fail(self, line: int, message: str) -> PolicyError:
        return PolicyError(f"{self.path}:{line}: {message}")

    def section(self, name: str, kind: type) -> Any:
        if not isinstance(self.table.get(name), kind):
            shape = "list" if kind is _List else "mapping" if kind is _Map else "text"
            raise self.fail(self.table.lines.get(name, 1), f"section {name!r} is missing or is not a {shape}")
        return self.table[name]

    def entry(self, item: Any, required: str, optional: str = "") -> _Map:
        """``item`` when it is a mapping with these fields and no others."""
        if not isinstance(item, _Map):
            raise self.fail(getattr(item, "line", 1), f"expected a mapping with {required}, found {item!r}")
        for name in required.split():
            if name not in item or item[name] == "":
                raise self.fail(item.line, f"{item.get('id', 'this entry')}: {name!r} is missing")
        for name in item:
            if name not in required.split() + optional.split():
                raise self.fail(item.lines[name], f"unknown field {name!r}; expected {required} {optional}".rstrip())
        return item

    def condition(
        self, owner: _Map, key: str, features: Mapping[str, Feature] = FEATURES, vertebra: bool = False
    ) -> Condition:
        return self.parse(owner[key], owner.lines[key], features, vertebra)

    def parse(self, text: Any, line: int, features: Mapping[str, Feature], vertebra: bool = False) -> Condition:
        if not isinstance(text, _Text):
            raise self.fail(line, f"expected a condition in words, found {text!r}")
        try:
            return parse(text, features, self.terms, vertebra)
        except ValueError as error:
            raise self.fail(line, str(error)) from None

    def assignment(self, text: Any, line: int) -> tuple[Feature, Any]:
        """``pain is present`` read as a fact to set."""
        name, _, word = str(text).partition(" is ")
        if name not in FEATURES or not FEATURES[name].values:
            raise self.fail(line, f"unknown feature in {text!r}; write 'feature is value'")
        try:
            return FEATURES[name], FEATURES[name].value(word)
        except ValueError as error:
            raise self.fail(line, str(error)) from None

    def wording(self, owner: _Map) -> tuple[str, ...]:
        say = owner["say"] if isinstance(owner["say"], _List) else [owner["say"]]
        for text in say:
            if not isinstance(text, _Text):
                raise self.fail(owner.lines["say"], "the wording has to be text; put it in quotes")
            for name in _PLACEHOLDER.findall(text):
                if name != "levels" and name not in FEATURES:
                    raise self.fail(text.line, f"unknown placeholder {{{name}}} in the wording")
        return tuple(str(text) for text in say)

    def rule_list(
        self,
        name: str,
        fields: str = "say source",
        *,
        features: Mapping[str, Feature] = FEATURES,
        outcome: str | None = None,
        ordered: bool = False,
        total: bool = False,
        vertebra: bool = False,
        items: _List | None = None,
    ) -> list[Rule]:
        """The rules of one section.

        ``ordered``: the first that holds wins, so each has to be reachable. ``total``: one always has to hold.
        ``vertebra``: the conditions speak of one vertebra.
        """
        rules: list[Rule] = []
        for item in self.section(name, _List) if items is None else items:
            self.entry(item, f"id when {fields}")
            identifier, line = str(item["id"]), item.lines["id"]
            if identifier in self.rules:
                raise self.fail(line, f"id {identifier!r} is already used in line {self.rules[identifier].line}")
            result: Any = None
            if outcome is not None:
                result = str(item[outcome])
                if result not in CONCLUSIONS[outcome].values:
                    known = ", ".join(CONCLUSIONS[outcome].values)
                    raise self.fail(item.lines[outcome], f"{outcome} {result!r} does not exist; it is one of {known}")
            if "set" in item:
                feature, value = self.assignment(item["set"], item.lines["set"])
                result = (feature.name, value)
            self.rules[identifier] = Rule(
                identifier,
                self.condition(item, "when", features, vertebra),
                line,
                result,
                self.wording(item) if "say" in item else (),
                self.source(item) if "source" in item else "",
            )
            rules.append(self.rules[identifier])
        if total and (not rules or rules[-1].when is not ALWAYS):
            line = rules[-1].line if rules else self.table.lines[name]
            raise self.fail(line, f"section {name!r} leaves cases open; end it with a rule 'when: otherwise'")
        self.check_reachable(rules, ordered, vertebra)
        return rules

    def source(self, item: _Map) -> str:
        if str(item["source"]) not in self.sources:
            raise self.fail(item.lines["source"], f"unknown source {item['source']!r}; add it to the section 'sources'")
        return str(self.sources[str(item["source"])])

    def check_reachable(self, rules: list[Rule], ordered: bool, vertebra: bool) -> None:
        """Each rule of an ordered list has to fire before the others in some case; any other rule in some case."""
        whens = {rule.id: of_vertebrae("any", rule.when) if vertebra else rule.when for rule in rules}
        for group in [rules] if ordered else [[rule] for rule in rules]:
            unseen = {rule.id for rule in group}
            for number, (report, vertebrae) in enumerate(cases([whens[rule.id] for rule in group])):
                unseen.discard(next((r.id for r in group if whens[r.id].holds(report, vertebrae, None)), ""))
                if not unseen or number > _MOST_CASES:
                    break
            else:
                rule = next(rule for rule in group if rule.id in unseen)
                why = "an earlier rule always comes first, or its" if ordered else "its"
                raise self.fail(rule.line, f"rule {rule.id!r} can never fire: {why} condition contradicts itself")

    def build(self) -> Policy:
        terms = self.section("vertebra_terms", _Map)
        for name in terms:
            if name in FEATURES:
                raise self.fail(terms.lines[name], f"the term {name!r} is already the name of a feature")
            self.terms[name] = self.condition(terms, name, vertebra=True)
        section = self.entry(self.section("qualifies", _Map), "requires by")
        requires = self.condition(section, "requires", vertebra=True)
        reasons = self.rule_list("qualifies", vertebra=True, items=section["by"])
        qualifies = joined("and", [requires, joined("or", [rule.when for rule in reasons])])
        self.terms["qualifies"] = qualifies
        order = [self.target_key(text) for text in self.section("target_order", _List)]
        later = {**FEATURES, **CONCLUSIONS}
        ratings = self.entry(self.section("ratings", _Map), "when source options")
        liaison = self.entry(self.section("fracture_liaison", _Map), "when")
        patients = self.entry(self.section("patients", _Map), "edema_persisting_weeks")
        known = (
            "disclaimer sources vertebra_terms qualifies target_order infer pathways review tiers cautions missing "
            "ratings next_steps follow_up fracture_liaison what_if contradiction_tolerance worklist patients"
        )
        self.entry(self.table, known)
        pathways = self.rule_list("pathways", "pathway say source", outcome="pathway", ordered=True, total=True)
        tiers = self.rule_list("tiers", "tier say source", outcome="tier", ordered=True, total=True)
        what_if = self.what_if(pathways)
        conditions = [qualifies, *(rule.when for rule in pathways + tiers), *(fact.applies for fact in what_if)]
        deciding = frozenset({"status"}).union(*(c.features() for c in conditions), *(names for _, names in order))
        return Policy(
            path=self.path,
            disclaimer=str(self.section("disclaimer", _Text)),
            qualifies=qualifies,
            qualifying=reasons,
            target_order=[key for key, _ in order],
            deciding=tuple(name for name in FEATURES if name in deciding),
            infer=self.rule_list("infer", "set"),
            pathways=pathways,
            review=self.rule_list("review"),
            tiers=tiers,
            ratings_when=self.condition(ratings, "when", later),
            ratings=[self.rating(item, self.source(ratings)) for item in ratings["options"]],
            plans=self.plans(),
            fracture_liaison=self.condition(liaison, "when", later),
            what_if=what_if,
            contradiction_tolerance=self.numbers("contradiction_tolerance"),
            edema_persisting_weeks=self.number(patients, "edema_persisting_weeks"),
            rules=self.rules,
        )

    def plans(self) -> dict[tuple[Pathway, Tier | None], Plan]:
        later = {**FEATURES, **CONCLUSIONS}
        sections = {
            "cautions": self.rule_list("cautions", features=later),
            "missing": self.rule_list("missing", "say", features=later),
            "next_steps": self.rule_list("next_steps", "say", features=later),
            "follow_up": self.rule_list("follow_up", "say", features=later, ordered=True),
        }
        worklist = self.rule_list("worklist", "say", features=CONCLUSIONS, ordered=True, total=True)
        plans = {}
        for pathway in get_args(Pathway):
            for tier in get_args(Tier) if pathway == "augmentation_candidate" else (None,):
                known = {"pathway": pathway, "tier": tier}
                place = next(i for i, rule in enumerate(worklist, 1) if rule.when.holds(known, (), None))
                plans[pathway, tier] = Plan(
                    place,
                    **{n: [r for r in rules if r.when.possible_given(known)] for n, rules in sections.items()},
                )
        return plans

    def target_key(self, text: Any) -> tuple[Callable[[Facts, Facts], float], frozenset[str]]:
        """A score that puts better targets first, and the features it reads."""
        line = getattr(text, "line", self.table.lines["target_order"])
        head, _, name = str(text).partition(" ")
        if head == "greater":
            if name not in FEATURES or FEATURES[name].kind != "number" or not FEATURES[name].of_vertebra:
                raise self.fail(line, f"{name!r} is not a number of a vertebra")
            return (lambda report, vertebra: vertebra[name] or 0.0), frozenset({name})
        condition = self.parse(text, line, FEATURES, vertebra=True)
        return (lambda report, vertebra: float(condition.holds(report, (), vertebra))), condition.features()

    def rating(self, item: Any, source: str) -> Rating:
        self.entry(item, "option rating", "note")
        return Rating(
            option=str(item["option"]), rating=str(item["rating"]), note=str(item.get("note", "")), source=source
        )

    def number(self, owner: _Map, name: str) -> float:
        if not isinstance(owner[name], float):
            raise self.fail(owner.lines[name], f"{name!r} has to be a number")
        return owner[name]

    def numbers(self, name: str) -> dict[str, float]:
        section = self.section(name, _Map)
        for key in section:
            if key not in FEATURES or FEATURES[key].kind != "number":
                raise self.fail(section.lines[key], f"{key!r} is not a feature with numbers")
        return {key: self.number(section, key) for key in section}

    def what_if(self, pathways: list[Rule]) -> list[WhatIfFact]:
        """The facts to try; every feature that a pathway depends on has to have one (the kind of study has none)."""
        facts = []
        for item in self.section("what_if", _List):
            self.entry(item, "fact say", "if also")
            feature, value = self.assignment(item["fact"], item.lines["fact"])
            values = {feature.name: value}
            if "also" in item:
                other, other_value = self.assignment(item["also"], item.lines["also"])
                if other.of_vertebra is not feature.of_vertebra:
                    raise self.fail(item.lines["also"], "'fact' and 'also' have to speak of the same thing")
                values[other.name] = other_value
            applies = self.condition(item, "if", vertebra=feature.of_vertebra) if "if" in item else ALWAYS
            facts.append(WhatIfFact(str(item["fact"]), values, feature.of_vertebra, applies, self.wording(item)[0]))
        tried = {name for fact in facts for name in fact.values} | {"modality"}
        for rule in pathways:
            for name in rule.when.features() - tried:
                if FEATURES[name].values:
                    raise self.fail(rule.line, f"{rule.id} uses {name!r}, but no fact in 'what_if' changes it")
        return facts
