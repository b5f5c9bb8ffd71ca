"""The language of the policy table: conditions in named features.

Before: the text ``pain is not absent and any vertebra (marrow_edema is present)``.
After: a :class:`Condition`, which tells whether it holds for the facts of a report and which facts made it hold.

>>> condition = parse("pain_score >= 7 or any vertebra (cleft is present)")
>>> condition.holds({"pain_score": None}, [{"cleft": "present"}], None)
True

The features are the fields of the result models (:class:`~vertriage.types.FractureReading`,
:class:`~vertriage.types.ContextReading`, :class:`~vertriage.types.ClinicalFacts`,
:class:`~vertriage.types.HistoryFacts`), so a new field is a new feature without a change here. ``docs/decision.md``
explains the syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product
from types import MappingProxyType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from vertriage.types import (
    ClinicalFacts,
    ContextReading,
    ContextValue,
    FractureReading,
    HistoryFacts,
    Modality,
    Pathway,
    Tier,
)

Facts = Mapping[str, Any]
"""Features by name, of a report (``{"pain": "present", "modality": "MR", ...}``) or of one vertebra."""

Test = Callable[[Facts, Sequence[Facts], Facts | None], bool]
"""A compiled condition over (report, vertebrae, the vertebra inside ``vertebra (...)`` or ``None``)."""

Ground = tuple[int | None, str]
"""A fact that took part: (index of the vertebra, or ``None`` for the report; name of the feature)."""

LEVELS: tuple[str, ...] = tuple(
    f"{region}{number}" for region, last in (("C", 7), ("T", 13), ("L", 6)) for number in range(1, last + 1)
)
"""The vertebrae from the top down."""


# ----------------------------------------------------------------------------------------------------------------------
# Features
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """Something a condition may name. ``values`` are the words it takes; ``default`` is its value when not stated."""

    name: str
    kind: Literal["choice", "yes_no", "number", "other"]
    values: tuple[str, ...] = ()
    default: Any = None
    of_vertebra: bool = False

    def value(self, word: str) -> Any:
        """The value a word of the table stands for; ``ValueError`` when the feature has no such value."""
        if word not in self.values:
            raise ValueError(f"{self.name!r} has no value {word!r}; it takes {', '.join(self.values) or 'numbers'}")
        return word == "yes" if self.kind == "yes_no" else word


def _feature(name: str, annotation: Any, default: Any, of_vertebra: bool) -> Feature:
    """The feature that a field of a result model is."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kind = next(option for option in options if option is not type(None))
    if get_origin(kind) is Literal:
        return Feature(name, "choice", get_args(kind), default, of_vertebra)
    if kind is bool and of_vertebra:
        return Feature(name, "yes_no", ("yes", "no"), default, of_vertebra)
    if kind is bool:  # a yes/no about the patient may be missing, which a finding can say
        return Feature(name, "choice", get_args(ContextValue), "not_stated")
    return Feature(name, "number" if kind in (int, float) else "other", (), None, of_vertebra)


def _features() -> dict[str, Feature]:
    features = {
        "modality": Feature("modality", "choice", get_args(Modality), "OT"),
        "review_reasons": Feature("review_reasons", "other"),
    }
    for model in (ContextReading, HistoryFacts, ClinicalFacts, FractureReading):
        of_vertebra = model is FractureReading
        for name, info in model.model_fields.items():
            default = None if info.default_factory else info.get_default()
            features.setdefault(name, _feature(name, info.annotation, default, of_vertebra))
    features["level"] = Feature("level", "choice", LEVELS, None, True)
    del features["evidence"], features["warnings"]
    return features


FEATURES: Mapping[str, Feature] = MappingProxyType(_features())
CONCLUSIONS: Mapping[str, Feature] = MappingProxyType(
    {
        "pathway": Feature("pathway", "choice", get_args(Pathway)),
        "tier": Feature("tier", "choice", get_args(Tier)),
    }
)
"""What the table concludes first and later sections may name."""

REPORT_DEFAULTS: Facts = MappingProxyType({f.name: f.default for f in FEATURES.values() if not f.of_vertebra})
VERTEBRA_DEFAULTS: Facts = MappingProxyType({f.name: f.default for f in FEATURES.values() if f.of_vertebra})


# ----------------------------------------------------------------------------------------------------------------------
# Conditions
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """A parsed condition, a tree: comparisons (``feature`` is set) joined by and/or/not and vertebra quantifiers."""

    holds: Test
    parts: tuple[Condition, ...] = ()
    kind: Literal["always", "comparison", "and", "or", "not", "vertebrae"] = "always"
    feature: Feature | None = None
    limit: float | None = None

    def walk(self) -> Iterator[Condition]:
        """This condition and everything inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def features(self) -> frozenset[str]:
        """Names of the features it looks at."""
        return frozenset(node.feature.name for node in self.walk() if node.feature)

    def possible_given(self, known: Facts) -> bool:
        """Whether it can hold when these report features have these values, whatever the others are."""
        if self.feature:
            return self.feature.name not in known or self.holds(known, (), None)
        if self.kind == "and":
            return all(part.possible_given(known) for part in self.parts)
        if self.kind == "or":
            return any(part.possible_given(known) for part in self.parts)
        return True

    def grounds(
        self, report: Facts, vertebrae: Sequence[Facts], index: int | None = None, result: bool = True
    ) -> list[Ground]:
        """What made the condition come out as ``result``."""
        if self.feature:
            return [(index if self.feature.of_vertebra else None, self.feature.name)]
        found: list[Ground] = []
        if self.kind == "vertebrae":
            inner = self.parts[0]
            for position, vertebra in enumerate(vertebrae):
                if inner.holds(report, vertebrae, vertebra):
                    found += inner.grounds(report, vertebrae, position)
            return found
        this = None if index is None else vertebrae[index]
        wanted = result is not (self.kind == "not")
        for part in self.parts:
            if part.holds(report, vertebrae, this) is wanted:
                found += part.grounds(report, vertebrae, index, wanted)
        return found


ALWAYS = Condition(lambda report, vertebrae, this: True)


def joined(joiner: Literal["and", "or"], parts: Sequence[Condition]) -> Condition:
    """All (``and``) or any (``or``) of the conditions."""
    if len(parts) == 1:
        return parts[0]
    tests = (part.holds for part in parts)
    return Condition(reduce(_both if joiner == "and" else _either, tests), tuple(parts), joiner)


# Two at a time: such closures take half the time of all() and any() over a tuple, and a report runs through hundreds.
def _both(first: Test, second: Test) -> Test:
    return lambda report, vertebrae, this: first(report, vertebrae, this) and second(report, vertebrae, this)


def _either(first: Test, second: Test) -> Test:
    return lambda report, vertebrae, this: first(report, vertebrae, this) or second(report, vertebrae, this)


def of_vertebrae(quantifier: str, inner: Condition, least: int = 1) -> Condition:
    """``any``, ``every``, ``no`` or ``at`` (least N) vertebra fulfills ``inner``."""
    test = inner.holds

    def fulfilling(report: Facts, vertebrae: Sequence[Facts], this: Facts | None) -> int:
        return len([None for vertebra in vertebrae if test(report, vertebrae, vertebra)])

    tests: dict[str, Test] = {
        "any": lambda report, vertebrae, this: fulfilling(report, vertebrae, this) > 0,
        "every": lambda report, vertebrae, this: fulfilling(report, vertebrae, this) == len(vertebrae),
        "no": lambda report, vertebrae, this: fulfilling(report, vertebrae, this) == 0,
        "at": lambda report, vertebrae, this: fulfilling(report, vertebrae, this) >= least,
    }
    return Condition(tests[quantifier], (inner,), "vertebrae")


def _comparison(feature: Feature, passes: Callable[[Any], bool], limit: float | None = None) -> Condition:
    """``passes`` applied to the value of a feature."""
    name = feature.name
    if feature.of_vertebra:
        return Condition(lambda report, vertebrae, this: passes(this[name]), (), "comparison", feature, limit)  # type: ignore[index]
    return Condition(lambda report, vertebrae, this: passes(report[name]), (), "comparison", feature, limit)


def _equal(feature: Feature, value: Any, wanted: bool) -> Condition:
    """``is`` and ``is not``: what conditions mostly consist of, hence without a further call."""
    name = feature.name
    tests: dict[tuple[bool, bool], Test] = {
        (False, True): lambda report, vertebrae, this: report[name] == value,
        (False, False): lambda report, vertebrae, this: report[name] != value,
        (True, True): lambda report, vertebrae, this: this[name] == value,  # type: ignore[index]
        (True, False): lambda report, vertebrae, this: this[name] != value,  # type: ignore[index]
    }
    return Condition(tests[feature.of_vertebra, wanted], (), "comparison", feature)


_SIGNS: dict[str, Callable[[float], Callable[[Any], bool]]] = {  # a number that is not stated fails all of them
    ">=": lambda limit: lambda value: value is not None and value >= limit,
    "<=": lambda limit: lambda value: value is not None and value <= limit,
    ">": lambda limit: lambda value: value is not None and value > limit,
    "<": lambda limit: lambda value: value is not None and value < limit,
}
_TOKEN = re.compile(r"\s*(-?\d+(?:\.\d+)?|[A-Za-z][\w-]*|>=|<=|>|<|[(),])")
_NOTHING = (None, "not_stated", [])


def parse(
    text: str,
    features: Mapping[str, Feature] = FEATURES,
    terms: Mapping[str, Condition] = MappingProxyType({}),
    of_vertebra: bool = False,
) -> Condition:
    """Parse a condition; ``terms`` are named conditions on a vertebra, ``of_vertebra`` starts inside one.

    Raises ``ValueError`` that says what is wrong and what to write instead.
    """
    return _Parser(text, features, terms, of_vertebra).parse()


class _Parser:
    """Recursive descent over the words of one condition."""

    def __init__(
        self, text: str, features: Mapping[str, Feature], terms: Mapping[str, Condition], of_vertebra: bool
    ) -> None:
        self.words: list[str] = []
        position, text = 0, text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise ValueError(f"cannot read {text[position:].split()[0]!r} in a condition")
            self.words.append(match[1])
            position = match.end()
        self.words.reverse()
        self.features, self.terms, self.inside = features, terms, of_vertebra

    def parse(self) -> Condition:
        condition = self._joined()
        if self.words:
            raise ValueError(f"unexpected {self.words[-1]!r}; join conditions with 'and' or 'or'")
        return condition

    def _next(self, *expected: str) -> str:
        word = self.words.pop() if self.words else ""
        if expected and word not in expected:
            raise ValueError(f"expected {' or '.join(map(repr, expected))}, found {word or 'the end'!r}")
        return word

    def _take(self, word: str) -> bool:
        """Whether ``word`` comes next; if so it is consumed."""
        if self.words and self.words[-1] == word:
            self.words.pop()
            return True
        return False

    def _joined(self) -> Condition:
        parts = [self._single()]
        joiner: Literal["and", "or"] = "or" if self.words and self.words[-1] == "or" else "and"
        while self._take(joiner):
            parts.append(self._single())
        if self.words and self.words[-1] in ("and", "or"):
            raise ValueError("'and' and 'or' are mixed; add parentheses to say which belongs together")
        return joined(joiner, parts)

    def _single(self) -> Condition:
        word = self._next()
        if word == "not":
            part = self._single()
            return Condition(lambda report, vertebrae, this: not part.holds(report, vertebrae, this), (part,), "not")
        if word == "(":
            condition = self._joined()
            self._next(")")
            return condition
        if word == "otherwise":
            return ALWAYS
        if word in ("any", "every", "no", "at"):
            return self._vertebrae(word)
        if word in self.terms or word == "listed":
            if not self.inside:
                raise ValueError(f"{word!r} is said of a vertebra; write 'any vertebra ({word})'")
            return self.terms.get(word, ALWAYS)
        return self._compared(word)

    def _vertebrae(self, quantifier: str) -> Condition:
        if self.inside:
            raise ValueError("'vertebra (...)' cannot stand inside another 'vertebra (...)'")
        least = 1
        if quantifier == "at":
            self._next("least")
            least = int(self._number())
        self._next("vertebra", "vertebrae")
        self._next("(")
        self.inside = True
        inner = self._joined()
        self.inside = False
        self._next(")")
        return of_vertebrae(quantifier, inner, least)

    def _number(self) -> float:
        word = self._next()
        try:
            return float(word)
        except ValueError:
            raise ValueError(f"expected a number, found {word or 'the end'!r}") from None

    def _compared(self, name: str) -> Condition:
        feature = self.features.get(name)
        if feature is None:
            known = name in FEATURES or name in CONCLUSIONS
            remedy = "it is not known at this stage" if known else "docs/decision.md lists the features"
            raise ValueError(f"unknown feature {name!r}; {remedy}")
        if feature.of_vertebra and not self.inside:
            raise ValueError(f"{name!r} belongs to a vertebra; write 'any vertebra ({name} ...)'")
        sign = self._next("is", "in", *_SIGNS)
        if sign in _SIGNS:
            if feature.kind != "number":
                raise ValueError(f"{name!r} is not a number and cannot be compared with {sign}")
            limit = self._number()
            return _comparison(feature, _SIGNS[sign](limit), limit)
        if sign == "in":
            self._next("(")
            values = {feature.value(self._next())}
            while self._next(",", ")") == ",":
                values.add(feature.value(self._next()))
            return _comparison(feature, values.__contains__)
        wanted = not self._take("not")
        if self._take("stated"):
            return _comparison(feature, lambda value: (value not in _NOTHING) is wanted)
        return _equal(feature, feature.value(self._next()), wanted)


# ----------------------------------------------------------------------------------------------------------------------
# Every case that conditions can tell apart
# ----------------------------------------------------------------------------------------------------------------------


def cases(conditions: Iterable[Condition]) -> Iterator[tuple[dict[str, Any], Sequence[Facts]]]:
    """All (report, vertebrae) that these conditions can tell apart, fewest departures from "not stated" first.

    Values that no condition distinguishes are tried once. Vertebrae come as every set of the kinds that the
    ``vertebra (...)`` parts distinguish, alone and repeated (for ``at least N``).
    """
    nodes = [node for condition in conditions for node in condition.walk()]
    comparisons = [node for node in nodes if node.feature]
    of_report = _classes([node for node in comparisons if not node.feature.of_vertebra])  # type: ignore[union-attr]
    of_one = _classes([node for node in comparisons if node.feature.of_vertebra])  # type: ignore[union-attr]
    inner = [node.parts[0] for node in nodes if node.kind == "vertebrae"]
    inside = {name for condition in inner for name in condition.features()}
    reports = [
        {**REPORT_DEFAULTS, **values} for values in _products({n: v for n, v in of_report.items() if n in inside})
    ]
    kinds: dict[tuple[bool, ...], Facts] = {}
    for values in _products(of_one):
        vertebra = {**VERTEBRA_DEFAULTS, **values}
        kinds.setdefault(tuple(c.holds(report, (), vertebra) for c in inner for report in reports), vertebra)
    groups: list[Sequence[Facts]] = [()]
    if inner:
        for size in range(1, len(kinds) + 1):
            for chosen in combinations(kinds.values(), size):
                groups += [chosen, chosen * 3]
    for values in _products({**of_report, "": groups}):
        vertebrae = values.pop("")
        yield {**REPORT_DEFAULTS, **dict.fromkeys(CONCLUSIONS), **values}, vertebrae


def _classes(comparisons: Sequence[Condition]) -> dict[str, list[Any]]:
    """For each feature one value of every class that the comparisons tell apart, that of the default first."""
    classes: dict[str, list[Any]] = {}
    for feature in {node.feature.name: node.feature for node in comparisons if node.feature}.values():
        own = [node for node in comparisons if node.feature == feature]
        if feature.values:
            values = [feature.default, *(feature.value(word) for word in feature.values)]
        else:
            limits = [node.limit for node in own if node.limit is not None]
            values = [None, 1.0, *(limit + step for limit in limits for step in (-0.01, 0.0, 0.01))]
        distinct: dict[tuple[bool, ...], Any] = {}
        for value in values:
            facts = {feature.name: value}
            distinct.setdefault(tuple(node.holds(facts, (), facts) for node in own), value)
        classes[feature.name] = list(distinct.values())
    return classes


def _products(classes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All combinations of values, fewest departures from the first value of each feature first."""
    first = {name: values[0] for name, values in classes.items()}
    for departures in range(len(classes) + 1):
        for names in combinations(classes, departures):
            for values in product(*(classes[name][1:] for name in names)):
                yield {**first, **dict(zip(names, values, strict=True))}
