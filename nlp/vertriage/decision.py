"""Why this patient, what now, and what would change it: a reading becomes a decision.

Before: a :class:`~vertriage.types.ReportReading` (fractures, report-level findings, where each was read) and, when the
export has them, clinical facts in columns.
After: a :class:`~vertriage.types.Decision`: pathway, tier, ranked target levels, ratings, reasons with the rule and the
words behind each, cautions, what is missing, next steps and follow-up. Every conclusion and every wording comes from
the policy table (``lexicons/decision_policy.yaml``); this module only runs it.

>>> from vertriage.types import ClinicalFacts, ContextReading, FractureReading, ReportMeta, ReportReading
>>> t12 = FractureReading(level="T12", acuity="acute", marrow_edema="present")
>>> reading = ReportReading(meta=ReportMeta(modality="MR"), fractures=[t12], context=ContextReading(pain="present"))
>>> decision = decide(reading, ClinicalFacts(failed_medical_management=True))
>>> decision.pathway, decision.tier, decision.target_levels, [reason.rule for reason in decision.reasons]
('augmentation_candidate', 'strong', ['T12'], ['P6-candidate', 'Q1-edema', 'Q3-stated-recent', 'T1-failed-trial'])
>>> decision.what_if()[0].text
'if a neurologic deficit were found → surgical_emergency'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from vertriage.conditions import FEATURES, REPORT_DEFAULTS, VERTEBRA_DEFAULTS, Condition, Facts, Ground
from vertriage.policy import UNNAMED, Policy, Rule, load_policy
from vertriage.types import (
    ClinicalFacts,
    Decision,
    Evidence,
    FractureReading,
    Pathway,
    Reason,
    ReportReading,
    Tier,
    WhatIf,
)

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def decide(reading: ReportReading, clinical: ClinicalFacts | None = None, *, policy: Policy | None = None) -> Decision:
    """What to do about one reading.

    ``clinical`` (default: ``reading.clinical``) holds facts stated beside the report; they beat the text, and a
    contradiction is reported in the decision. ``policy`` defaults to the shipped table.
    """
    own, policy = policy, policy or load_policy()
    clinical = clinical or reading.clinical
    case = _Case(reading, clinical, policy)
    report, vertebrae = case.report, case.vertebrae
    assigned = policy.assign(report, vertebrae)
    report["pathway"] = assigned.pathway
    reasons = [case.reason(policy.rules[assigned.rule], complete=True)]
    tier: Tier | None = None
    targets: list[int] = []
    if assigned.pathway == "augmentation_candidate":
        targets = policy.rank(report, vertebrae, policy.candidates(report, vertebrae))
        reasons += [case.reason(rule, i) for i in targets for rule in policy.qualifying if case.holds(rule.when, i)]
        tier = policy.tier(report, vertebrae)
        supporting = [rule for rule in case.fired(policy.tiers) if rule.outcome == tier]
        reasons += [case.reason(rule) for rule in supporting]
    elif assigned.pathway == "needs_review":
        reasons += [case.reason(rule) for rule in case.fired(policy.review)]
    report["tier"] = tier
    plan = policy.plans[assigned.pathway, tier]
    decision = Decision(
        pathway=assigned.pathway,
        tier=tier,
        priority=plan.priority,
        target_levels=list(dict.fromkeys(vertebrae[i]["level"] or UNNAMED for i in targets)),
        ratings=list(policy.ratings) if case.holds(policy.ratings_when) else [],
        reasons=reasons,
        cautions=[case.reason(rule) for rule in case.fired(plan.cautions)],
        missing=[text for rule in case.fired(plan.missing) for text in case.wording(rule)],
        next_steps=[text for rule in case.fired(plan.next_steps) for text in case.wording(rule)],
        follow_up=next((case.wording(rule)[0] for rule in case.fired(plan.follow_up)), None),
        fracture_liaison=case.holds(policy.fracture_liaison),
        contradictions=case.contradictions(assigned.pathway),
        warnings=list(clinical.warnings) if clinical else [],
        disclaimer=policy.disclaimer,
    )
    decision._policy = own  # only a table of one's own: equal decisions stay equal, also after a trip through JSON
    return decision


class Derivation(NamedTuple):
    """What follows from the facts in a decision's reasons."""

    pathway: Pathway
    rule: str
    tier: Tier | None
    target_levels: list[str]


def rederive(reasons: Sequence[Reason], policy: Policy | None = None) -> Derivation:
    """Run the policy again on nothing but the facts that the reasons record.

    A decision is sound when this gives its pathway, tier and target levels.
    """
    policy = policy or load_policy()
    report, vertebrae = _recorded(reasons)
    assigned = policy.assign(report, vertebrae)
    if assigned.pathway != "augmentation_candidate":
        return Derivation(assigned.pathway, assigned.rule, None, [])
    targets = policy.rank(report, vertebrae, policy.candidates(report, vertebrae))
    levels = list(dict.fromkeys(vertebrae[i]["level"] or UNNAMED for i in targets))
    return Derivation(assigned.pathway, assigned.rule, policy.tier(report, vertebrae), levels)


def what_if(reasons: Sequence[Reason], policy: Policy | None = None) -> list[WhatIf]:
    """The single new facts that would move the report to another pathway, most urgent pathway first.

    Every fact of the table's ``what_if`` section is tried on the recorded facts, one at a time, and the pathway is
    computed anew; vertebrae on which a fact has the same effect share one entry.
    """
    policy = policy or load_policy()
    report, vertebrae = _recorded(reasons)
    now = policy.assign(report, vertebrae).pathway
    names = list(_labels(v["level"] for v in vertebrae))
    found: dict[tuple[str, str], WhatIf] = {}
    for new in policy.what_if:
        for index in range(len(vertebrae)) if new.of_vertebra else (None,):
            base = report if index is None else vertebrae[index]
            if not new.applies.holds(report, vertebrae, base) or new.values.items() <= base.items():
                continue
            changed = {**base, **new.values}
            if index is None:
                then = policy.assign(changed, vertebrae)
            else:
                then = policy.assign(report, [*vertebrae[:index], changed, *vertebrae[index + 1 :]])
            if then.pathway != now:
                effect = WhatIf(fact=new.fact, pathway=then.pathway, rule=then.rule, text=new.say)
                entry = found.setdefault((new.say, then.rule), effect)
                entry.levels += [] if index is None else [names[index]]
    for entry in found.values():
        entry.text = f"if {entry.text.format(levels=' or '.join(entry.levels))} → {entry.pathway}"
    order = [rule.outcome for rule in policy.pathways]
    return sorted(found.values(), key=lambda entry: order.index(entry.pathway))


# ----------------------------------------------------------------------------------------------------------------------
# The facts of one report
# ----------------------------------------------------------------------------------------------------------------------


class _Case:
    """The facts of one report as the policy sees them, and the words behind them."""

    def __init__(self, reading: ReportReading, clinical: ClinicalFacts | None, policy: Policy) -> None:
        self.reading, self.policy = reading, policy
        self.columns = policy.column_facts(clinical)
        for name in ("age", "sex"):  # these two may also be columns of the report itself
            if (value := getattr(reading.meta, name)) is not None:
                self.columns.setdefault(name, value)
        self.report = policy.report_facts(reading.context, reading.meta.modality, self.columns, reading.history)
        self.report["review_reasons"] = reading.review_reasons
        self.vertebrae: list[Facts] = [fracture.__dict__ for fracture in reading.fractures]
        self.names = list(_labels(fracture.level for fracture in reading.fractures))

    def holds(self, condition: Condition, index: int | None = None) -> bool:
        return condition.holds(self.report, self.vertebrae, None if index is None else self.vertebrae[index])

    def fired(self, rules: Iterable[Rule]) -> list[Rule]:
        report, vertebrae = self.report, self.vertebrae
        return [rule for rule in rules if rule.when.holds(report, vertebrae, None)]

    def reason(self, rule: Rule, index: int | None = None, *, complete: bool = False) -> Reason:
        """The reason a rule gives, with the facts that made it hold; ``complete`` records all that decides the case."""
        grounds = list(dict.fromkeys(rule.when.grounds(self.report, self.vertebrae, index)))
        recorded = dict.fromkeys([*self._deciding(), *grounds]) if complete else grounds
        facts = {}
        for i, name in recorded:
            if i is None:
                if (value := self.report[name]) != REPORT_DEFAULTS.get(name):
                    facts[name] = value
            # What is not recorded was not stated, but the status has to say that the vertebra is there.
            elif (value := self.vertebrae[i][name]) != VERTEBRA_DEFAULTS[name] or name == "status":
                facts[f"{self.names[i]}.{name}"] = value
        return Reason(
            rule=rule.id,
            text=" ".join(self.wording(rule, grounds)),
            source=rule.source,
            facts=facts,
            stated=[name for name in self.columns if (None, name) in grounds],
            evidence=self._evidence(grounds),
        )

    def _deciding(self) -> Iterator[Ground]:
        for i in range(len(self.vertebrae)):
            yield from ((i, name) for name in self.policy.deciding if FEATURES[name].of_vertebra)
        yield from ((None, name) for name in self.policy.deciding if not FEATURES[name].of_vertebra)

    def wording(self, rule: Rule, grounds: Sequence[Ground] | None = None) -> Sequence[str]:
        """The rule's wording with its placeholders filled in."""
        if not rule.has_placeholder:
            return rule.say
        if grounds is None:
            grounds = rule.when.grounds(self.report, self.vertebrae)
        indices = list(dict.fromkeys(i for i, _ in grounds if i is not None))

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name == "levels":
                return ", ".join(self.names[i] for i in indices)
            facts = [self.vertebrae[i] for i in indices] if FEATURES[name].of_vertebra else [self.report]
            return "/".join(dict.fromkeys(_words(fact[name]) for fact in facts))

        return [_PLACEHOLDER.sub(fill, text) for text in rule.say]

    def contradictions(self, pathway: Pathway) -> list[str]:
        """Where the columns disagree with the text or with each other; the text is never quoted."""
        columns = self.columns
        if not columns:
            return []
        text = self.policy.report_facts(self.reading.context, self.reading.meta.modality, history=self.reading.history)
        found = []
        for name, value in columns.items():
            read = text[name]
            if read not in (None, "not_stated", value) and self._apart(name, value, read):
                found.append(
                    f"{name}: stated as {_words(value)} beside the report, read as {_words(read)} in the text; "
                    "the stated value was used."
                )
        for rule in self.policy.infer:
            name, value = rule.outcome
            if columns.get(name, value) != value and rule.when.holds({**REPORT_DEFAULTS, **columns}, (), None):
                basis = ", ".join(f"{n} {_words(columns[n])}" for n in sorted(rule.when.features() & columns.keys()))
                found.append(f"{name}: stated as {columns[name]}, but {basis} is stated too; the first was used.")
        by_text = self.policy.assign(text, self.vertebrae).pathway
        if found and by_text != pathway:
            found.append(f"The text alone gives {by_text}, with the stated values it is {pathway}.")
        return found

    def _apart(self, name: str, value: Any, read: Any) -> bool:
        """Whether two values differ by more than the table tolerates."""
        if FEATURES[name].kind != "number":
            return True
        return abs(value - read) > self.policy.contradiction_tolerance.get(name, 0.0)

    def _evidence(self, grounds: Iterable[Ground]) -> list[Evidence]:
        """The words behind these facts, in the order of the text; for a column that beat the text there are none."""
        spans: dict[tuple[int, int], Evidence] = {}
        for index, name in grounds:
            words = self._of_report(name) if index is None else _of_fracture(self.reading.fractures[index], name)
            spans.update(((span.start, span.end), span) for span in words)
        return [spans[key] for key in sorted(spans)]

    def _of_report(self, name: str) -> list[Evidence]:
        reading, history = self.reading, self.reading.history
        value = self.report[name]
        if reading.context.__dict__.get(name) == value:
            return reading.context_evidence.get(name, [])
        if history is None:
            return []
        if history.__dict__.get(name) == value:
            return history.evidence.get(name, [])
        implied = [rule for rule in self.policy.infer if rule.outcome == (name, value) and self.holds(rule.when)]
        return [span for rule in implied for other in rule.when.features() for span in history.evidence.get(other, [])]


def _labels(levels: Iterable[str | None]) -> Iterator[str]:
    """A name for every vertebra, different even where the level is not: unspecified, unspecified 2."""
    seen: dict[str, int] = {}
    for level in levels:
        name = level or UNNAMED
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} {seen[name]}"


def _of_fracture(fracture: FractureReading, name: str) -> list[Evidence]:
    """The words behind a field, or those that name the vertebra when the field has none of its own."""
    return fracture.evidence.get(name) or fracture.evidence.get("level") or fracture.evidence.get("status") or []


def _words(value: Any) -> str:
    """A value as a reader expects it."""
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _recorded(reasons: Iterable[Reason]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The facts in the reasons as (report, vertebrae); what is not recorded was not stated."""
    report = dict(REPORT_DEFAULTS)
    vertebrae: dict[str, dict[str, Any]] = {}
    for reason in reasons:
        for key, value in reason.facts.items():
            name, _, feature = key.rpartition(".")
            if name:
                level = None if name.startswith(UNNAMED) else name.split()[0]
                vertebrae.setdefault(name, {**VERTEBRA_DEFAULTS, "level": level})[feature] = value
            else:
                report[feature] = value
    return report, list(vertebrae.values())
