"""Clinical facts in the text itself: who the patient is, how long and how badly it hurts, what was tried.

Before: ``79F. 6/52 severe low back pain since lifting shopping. On apixaban. No trauma. ?new #``
After: ``HistoryFacts(age=79, sex="F", pain_weeks=6.0, severe_pain="present", anticoagulated="present", ...)`` with the
words behind each.

A fact that is denied becomes ``absent``; one that is asked, planned, advised, over, or said of the family is left out.
The vocabulary is ``lexicons/history.yaml``.

>>> facts = read_history("81 y/o F, three weeks of severe back pain, not on anticoagulation. Mother on warfarin.")
>>> facts.age, facts.sex, facts.pain_weeks, facts.severe_pain, facts.anticoagulated
(81, 'F', 3.0, 'present', 'absent')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from vertriage.lexicon import LexiconError, lexicon_dir
from vertriage.types import ContextValue, Evidence, HistoryFacts, SectionName

Spans = Sequence[tuple[int, int]]


def read_history(text: str, history_spans: Spans | None = None, *, lexicons: Path | None = None) -> HistoryFacts:
    """The clinical facts in a report.

    ``history_spans`` are the (start, end) offsets of its history or indication; ``None`` searches the whole text. Facts
    about the fracture itself (canal narrowing, posterior wall, numbering) are searched in the whole text either way.
    Never raises on any text. ``lexicons`` is the folder of ``history.yaml``; default the shipped one.
    """
    return _Search(text, history_spans, _lexicon(lexicons)).facts()


# ----------------------------------------------------------------------------------------------------------------------
# Phrases
# ----------------------------------------------------------------------------------------------------------------------

# Spaces, hyphens and single line breaks; an empty line ends a paragraph and with it every phrase.
_BETWEEN = r"(?:[ \t\r\xa0\-]|\n(?![ \t\r]*\n))+"
_GAP_WORD = r"[^\s\-,;:.?!]+(?:\.\d+)?"
_SPECIAL = {"<level>": r"[ctld]-?\d{1,2}\b", "<number>": r"(?:\d+(?:\.\d+)?|[a-z]+)"}
_PART = re.compile(r"\$\w+|\{\d+\}|<\w+>|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\S+")
# What the phrase compiler needs besides the lexicon's own macros
_COMMON, _GAP = "frequent words", "a word in a gap"
_HEAD_LETTERS = 4
_HEAD = re.compile(rf"\b[a-z]{{1,{_HEAD_LETTERS}}}")
_STOPS = (". ", ".\n", "; ", "? ", "\n\n")  # no phrase goes past one of these
_SENTENCE_END = re.compile(r"[.!](?=\s|$)|[;?]|\n[ \t\r]*\n")


@dataclass(frozen=True, eq=False)
class _Phrases:
    """Phrases compiled to one expression over lower-case text; one of the ``guards`` occurs in every match."""

    expression: re.Pattern[str]
    guards: tuple[str, ...]

    def find(self, lowered: str, start: int, end: int, guards: Iterable[str]) -> Iterator[re.Match[str]]:
        """All matches between ``start`` and ``end`` in the sentences that hold one of these ``guards``."""
        spots = []
        for guard in guards:
            spot = lowered.find(guard, start, end)
            while spot >= 0:
                spots.append(spot)
                spot = lowered.find(guard, spot + 1, end)
        high = start
        for spot in sorted(spots):
            if spot >= high:
                low = max(lowered.rfind(stop, high, spot) for stop in _STOPS)
                ends = [stop_at for stop in _STOPS if (stop_at := lowered.find(stop, spot, end)) >= 0]
                low, high = max(low, high), min(ends, default=end)
                yield from self.expression.finditer(lowered, low, high)

    def search(self, lowered: str) -> re.Match[str] | None:
        return self.expression.search(lowered)

    def last(self, lowered: str) -> re.Match[str] | None:
        return max(self.expression.finditer(lowered), key=re.Match.start, default=None)


def _compile(phrases: Iterable[Any], macros: Mapping[str, Any]) -> _Phrases:
    built = [_sequence(str(phrase).lower(), macros) for phrase in phrases]
    expression = "|".join(pattern for pattern, _ in built)
    needed: list[str] = []  # "severely" is not needed beside "severe"
    for guard in sorted({guard for _, own in built for guard in own}):
        if not (needed and guard.startswith(needed[-1]) and _HEAD.match(guard)[0] == _HEAD.match(needed[-1])[0]):
            needed.append(guard)
    return _Phrases(re.compile(rf"\b(?:{expression})(?!\w)"), tuple(needed))


def _alternatives(text: str) -> list[str]:
    """``a|b (c|d)`` split at the bars that are not inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _sequence(phrase: str, macros: Mapping[str, Any]) -> tuple[str, list[str]]:
    """A phrase as an expression, and its guards: words of which one occurs in every match, the longest there are."""
    expression, best, joined = "", [""], True
    for part in _PART.findall(phrase):
        if part.startswith("{"):
            expression += rf"(?:,?{_BETWEEN}{macros[_GAP]}){{0,{part[1:-1]}}}?,?"
            continue
        optional = part.startswith("[")
        if part.startswith("<"):
            inner, guards = _SPECIAL[part], [""]
        elif part[0] in "([$":
            options = macros[part[1:]] if part[0] == "$" else _alternatives(part[1:-1])
            built = [_sequence(option, macros) for option in options]
            inner = "(?:" + "|".join(pattern for pattern, _ in built) + ")"
            guards = [guard for _, own in built for guard in own]
        else:
            stem = part.rstrip("*")
            open_end = part.endswith("*")
            inner, guards = re.escape(stem) + (r"\w*" if open_end else r"(?!\w)"), [stem]
            if open_end and len(stem) < _HEAD_LETTERS:
                guards = [""]  # its words have many heads
        if joined:  # nothing before it, or only optional words that bring their own space
            expression += rf"(?:{inner}{_BETWEEN})?" if optional else inner
            joined = optional
        else:
            expression += rf"(?:{_BETWEEN}{inner})?" if optional else rf"{_BETWEEN}{inner}"
        if not optional and _telling(guards, macros) > _telling(best, macros):
            best = guards
    return expression, best


def _telling(guards: Sequence[str], macros: Mapping[str, Any]) -> tuple[bool, bool, int, int]:
    """How well guards narrow a search down: none of them empty or frequent, all of them long, few of them."""
    shortest = min(map(len, guards))
    return shortest > 0, macros[_COMMON].isdisjoint(guards), shortest, -len(guards)


# ----------------------------------------------------------------------------------------------------------------------
# The lexicon
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fact:
    """Phrases that state a fact and phrases that deny it."""

    name: str
    present: _Phrases
    absent: _Phrases | None
    exceptions: _Phrases | None
    anywhere: bool
    current: bool


@dataclass(frozen=True)
class _Lexicon:
    facts: list[_Fact]
    mechanisms: dict[str, _Phrases]
    regions: dict[str, _Phrases]
    cues: dict[str, _Phrases]
    pain: _Phrases
    sexes: dict[str, Literal["F", "M"]]
    sex_words: _Phrases
    age: re.Pattern[str]
    age_and_letter: re.Pattern[str]
    duration: re.Pattern[str]
    weeks_in: dict[str, float]
    uk_weeks_in: dict[str, float]
    numbers: dict[str, float]
    weeks_since: dict[str, float]
    since: re.Pattern[str]
    other_events: _Phrases
    injuries: _Phrases
    worse: _Phrases

    @cached_property
    def by_head(self) -> dict[str, list[tuple[_Phrases, str]]]:
        """What to look for in a text that has a word with these first letters."""
        facts = [phrases for fact in self.facts for phrases in (fact.present, fact.absent) if phrases]
        index: dict[str, list[tuple[_Phrases, str]]] = {}
        others = [self.pain, self.sex_words, self.injuries]
        for phrases in [*facts, *self.mechanisms.values(), *self.regions.values(), *others]:
            for guard in phrases.guards:
                index.setdefault(_HEAD.findall(guard)[0], []).append((phrases, guard))
        return index


@cache
def _lexicon(folder: Path | None = None) -> _Lexicon:
    path = (folder or lexicon_dir()) / "history.yaml"
    try:
        # BaseLoader: every scalar is text, for "no" is a word here
        return _build(yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CBaseLoader", yaml.BaseLoader)))
    except (yaml.YAMLError, re.error, ValueError, AttributeError, TypeError) as error:
        raise LexiconError(f"{path}: {error}") from None
    except KeyError as error:
        raise LexiconError(f"{path}: {error} is missing, or is used without being under 'macros'") from None


def _build(table: Mapping[str, Any]) -> _Lexicon:
    negations = "|".join(re.escape(word) for word in table["cues"]["negation"])
    gap = rf"(?!(?:{negations})\b){_GAP_WORD}"  # "severe stenosis, no pain" is not severe pain
    macros = {**table["macros"], _COMMON: frozenset(table["common"]), _GAP: gap}
    lasting = table["pain_duration"]

    def compiled(phrases: Iterable[Any] | None) -> _Phrases | None:
        return _compile(phrases, macros) if phrases else None

    def words(items: Iterable[str]) -> str:
        return "|".join(re.escape(item) for item in sorted(items, key=len, reverse=True))

    numbers = {word: float(value) for word, value in lasting["numbers"].items()}
    weeks_in = {unit: float(weeks) for weeks, units in lasting["weeks_in"].items() for unit in units}
    number = rf"\d+(?:\.\d+)?|(?:{words(numbers)})(?![a-z])"
    sexes = {word: sex for sex, own in table["sex"].items() for word in own}
    return _Lexicon(
        facts=[
            _Fact(
                name,
                _compile(entry["present"], macros),
                compiled(entry.get("absent")),
                compiled(entry.get("except")),
                entry.get("anywhere") == "true",
                entry.get("current") == "true",
            )
            for name, entry in table["facts"].items()
        ],
        mechanisms={name: _compile(phrases, macros) for name, phrases in table["trauma_mechanism"].items()},
        regions={name: _compile(phrases, macros) for name, phrases in table["pain_region"].items()},
        cues={name: _compile(phrases, macros) for name, phrases in table["cues"].items()},
        pain=_compile(["$pain"], macros),
        sexes={**sexes, "f": "F", "m": "M"},
        sex_words=_compile(sexes, macros),
        age=re.compile(
            r"(?<![\w.])(?P<age>\d{1,3})[\s-]*(?:years?|yrs?|y)[\s/.-]*(?:old|o)\b\.?"
            rf"(?:[^.;]{{0,40}}?\b(?P<sex>{words(sexes)}|[fm])\b)?"
            rf"|\baged?:?\s+(?P<aged>\d{{1,3}})\b"
            rf"|\b(?P<first>{words(sexes)}),?\s+(?:aged\s+)?(?P<then>\d{{2,3}})\b",
        ),
        # Capitals only: "15 m" is a distance
        age_and_letter=re.compile(
            r"(?<![\w./-])(?:(?P<age>\d{2,3})\s?(?P<sex>[FM])|(?P<first>[FM])[,\s]\s?(?P<then>\d{2,3}))(?![\w/%-])"
        ),
        duration=re.compile(
            rf"(?<![\w./-])(?:x\s?)?(?P<number>{number})(?:\s*(?:-|–|to|or)\s*(?P<upper>{number}))?(?:\s+of)?"
            rf"[\s-]*(?P<unit>{words(weeks_in)})(?![a-z])"
            r"|(?<![\w./])(?P<count>\d{1,2})/(?P<uk>52|12|7)(?![\d/])",
        ),
        weeks_in=weeks_in,
        uk_weeks_in={unit: float(weeks) for unit, weeks in lasting["uk_weeks_in"].items()},
        numbers=numbers,
        weeks_since={word: float(weeks) for word, weeks in lasting["weeks_since"].items()},
        since=re.compile(rf"\W+(?:since|from)\s+({words(lasting['weeks_since'])})\b"),
        other_events=_compile(lasting["other_events"], macros),
        injuries=_compile(lasting["injuries"], macros),
        worse=_compile(lasting["worse"], macros),
    )


# ----------------------------------------------------------------------------------------------------------------------
# One text
# ----------------------------------------------------------------------------------------------------------------------

_SCORE = re.compile(
    r"\b(?:pain|vas|nrs)\b[^.;\n]{0,25}?(?<![\d/.])(?P<score>\d{1,2}(?:\.\d)?)(?:\s*[-–]\s*(?P<upper>\d{1,2}))?"
    r"\s*(?:/|out\s+of)\s*10\b",
)
_T_SCORE = re.compile(r"\bt[\s-]?scores?\b[^.;\n]{0,30}?(?P<score>[-−–]\s?\d(?:\.\d+)?)")
_AGO = re.compile(r"\W*(?:ago|earlier|previously)\b")
_AFTER = re.compile(r"\W*(?:after|post|following|status\s+post|s/p)\b")
_OF = re.compile(r"['’]?\s*(?:(?:history|hx|h/o)\s*)?of\b")
_STILL_NEGATED = re.compile(
    r"\s*(?:(?:currently|presently|longer|been|being|ever|yet|actively|on|taking|any|known|a|the)\s+)*$"
)
_OWN_VERB = re.compile(r"\b(?:on|taking|takes|with|has|had|is|was)\s+(?:\w+\s+)?$")
_LAST_OF_LIST = re.compile(r"\b(?:or|nor)\s+(?:\w+\s+)?$")
_WINDOW = 150  # characters around a mention that may still belong to its sentence
_REACH = 7  # words that a cue reaches over
_NEAR = 60  # characters between a pain and its duration
_ADULT, _OLDEST = 15, 120  # younger "ages" in a spine report date a scan or an operation


class _Search:
    """The search of one text."""

    def __init__(self, text: str, spans: Spans | None, lexicon: _Lexicon) -> None:
        self.text = text
        self.lowered = text.lower()
        if len(self.lowered) != len(text):  # a few letters become two; offsets have to stay those of the text
            self.lowered = "".join(low if len(low := character.lower()) == 1 else character for character in text)
        self.given = spans is not None
        self.spans: Spans = [(0, len(text))] if spans is None else [(max(0, a), min(b, len(text))) for a, b in spans]
        self.lexicon = lexicon
        self.guards = [self._guards_in(start, end) for start, end in self.spans]
        self.values: dict[str, Any] = {}
        self.evidence: dict[str, list[Evidence]] = {}

    def facts(self) -> HistoryFacts:
        self._age_and_sex()
        for fact in self.lexicon.facts:
            self._finding(fact)
        self._mechanism()
        self._pain()
        return HistoryFacts(**self.values, evidence=self.evidence)

    def _keep(self, name: str, value: Any, start: int, end: int) -> None:
        inside = self.given and any(a <= start < b for a, b in self.spans)
        section: SectionName = "history" if inside else "other"
        self.values[name] = value
        self.evidence[name] = [Evidence(start=start, end=end, text=self.text[start:end], section=section)]

    def _guards_in(self, start: int, end: int) -> dict[_Phrases, list[str]]:
        """The phrases that may occur here, judged by the first letters of the words, with the guards to look for."""
        found: dict[_Phrases, list[str]] = {}
        for head in set(_HEAD.findall(self.lowered, start, end)):
            for phrases, guard in self.lexicon.by_head.get(head, ()):
                found.setdefault(phrases, []).append(guard)
        return found

    def _matches(self, phrases: _Phrases, anywhere: bool = False) -> Iterator[re.Match[str]]:
        if anywhere and self.given:
            yield from phrases.find(self.lowered, 0, len(self.text), phrases.guards)
            return
        for (start, end), guards in zip(self.spans, self.guards, strict=True):
            if phrases in guards:
                yield from phrases.find(self.lowered, start, end, guards[phrases])

    # Findings and how they are asserted

    def _finding(self, fact: _Fact) -> None:
        denied: re.Match[str] | None = None
        for match in self._matches(fact.present, fact.anywhere):
            value = self._asserted(match, fact)
            if value == "present":
                self._keep(fact.name, "present", *match.span())
                return
            denied = denied or (match if value == "absent" else None)
        if fact.absent:
            denials = (match for match in self._matches(fact.absent, fact.anywhere) if self._asserted(match, fact))
            denied = denied or next(denials, None)
        if denied:
            self._keep(fact.name, "absent", *denied.span())

    def _asserted(self, match: re.Match[str], fact: _Fact | None = None) -> ContextValue | None:
        """``present``, ``absent`` when negated, ``None`` when it says nothing about the patient now."""
        start, end = match.span()
        before, after = self._sentence_around(start, end)
        if fact and fact.exceptions and fact.exceptions.search(self.lowered[start - len(before) : end + len(after)]):
            return None
        if after.startswith("?") and not re.match(r"\?\s*\w", after):
            return None
        asked = before.rpartition("?")[2] if "?" in before else None
        if asked is not None and "," not in asked and len(asked.split()) <= 3:
            return None
        for cue in ("question", "family"):
            between = self._after_cue(cue, before)
            if between is not None and "," not in between:
                return None
        if fact and fact.current:
            between = self._after_cue("past", before)
            if between is not None and "," not in between and len(between.split()) <= 3:
                return None
            head = " ".join(re.split(r"[,;.]", after)[0].split()[:4])
            if self.lexicon.cues["past_after"].search(head):
                return None
        between = self._after_cue("negation", before)
        if between is None or self.lexicon.cues["turn"].search(between):
            return "present"
        if "," in between:
            return "absent" if _LAST_OF_LIST.search(between) else "present"
        # "not on warfarin" denies it; "no trauma on warfarin" denies the trauma
        own = _OWN_VERB.search(between) and not _STILL_NEGATED.match(between)
        return "present" if own else "absent"

    def _sentence_around(self, start: int, end: int) -> tuple[str, str]:
        """What the sentence says before and after a mention; a "?" stays, as it may ask about the mention."""
        before = self.lowered[max(0, start - _WINDOW) : start]
        for boundary in reversed([*_SENTENCE_END.finditer(before)]):
            if boundary.group() != "?":
                before = before[boundary.end() :]
                break
        after = self.lowered[end : end + _WINDOW]
        boundary_after = _SENTENCE_END.search(after)
        if boundary_after:
            after = after[: boundary_after.end() if boundary_after.group() == "?" else boundary_after.start()]
        return before, after

    def _after_cue(self, cue: str, before: str) -> str | None:
        """The words between the last such cue and the mention, if it reaches that far."""
        last = self.lexicon.cues[cue].last(before)
        if last is None:
            return None
        between = before[last.end() :]
        return between if len(between.split()) <= _REACH else None

    # Who

    def _age_and_sex(self) -> None:
        for start, end in self.spans:
            for match in self.lexicon.age.finditer(self.lowered, start, end):
                age = int(match["age"] or match["aged"] or match["then"])
                if _ADULT <= age <= _OLDEST:
                    self._keep("age", age, *match.span())
                    self._sex(match["sex"] or match["first"], match.span())
                    break
            if "age" in self.values:
                break
            # "79F" stands at the start of a history; further on "20 F" may be a catheter
            for match in self.lexicon.age_and_letter.finditer(self.text, start, end if self.given else min(end, 600)):
                age = int(match["age"] or match["then"])
                if "age" not in self.values and _ADULT <= age <= _OLDEST:
                    self._keep("age", age, *match.span())
                    self._sex(match["sex"] or match["first"], match.span())
        if "sex" not in self.values and self.given:
            match = next(self._matches(self.lexicon.sex_words), None)
            if match:
                self._sex(match.group(), match.span())

    def _sex(self, word: str | None, span: tuple[int, int]) -> None:
        if word:
            self._keep("sex", self.lexicon.sexes[word.lower()], *span)

    # How it happened

    def _mechanism(self) -> None:
        for name, phrases in self.lexicon.mechanisms.items():
            for match in self._matches(phrases):
                if name == "none" or self._asserted(match) == "present":
                    self._keep("trauma_mechanism", name, *match.span())
                    return

    # How long, how bad, where

    def _pain(self) -> None:
        match = next(self._matches_of(_SCORE, "10"), None)
        if match:
            score = float(match["upper"] or match["score"])
            if 1 <= score <= 10:  # "0/10" is the absence of pain, which is for the reading to say
                self._keep("pain_score", score, *match.span())
        scores = [(-float(m["score"].lstrip("-−– ")), m) for m in self._matches_of(_T_SCORE, "score")]
        if scores:
            lowest, match = min(scores, key=lambda item: item[0])
            self._keep("t_score", lowest, *match.span())
        pains = list(self._matches(self.lexicon.pain))
        if not pains:
            return
        regions = {n: m for n, p in self.lexicon.regions.items() for m in self._matches(p) if self._asserted(m)}
        if regions:
            name, match = next(iter(regions.items()))
            self._keep("pain_region", name if len(regions) == 1 else "several", *match.span())
        found = list(self._durations(pains)) or list(self._since_injury())
        if found:
            weeks, span, _ = next((item for item in found if item[2]), found[0])
            self._keep("pain_weeks", weeks, *span)

    def _matches_of(self, expression: re.Pattern[str], guard: str) -> Iterator[re.Match[str]]:
        for start, end in self.spans:
            if self.lowered.find(guard, start, end) >= 0:
                yield from expression.finditer(self.lowered, start, end)

    def _durations(self, pains: Sequence[re.Match[str]]) -> Iterator[tuple[float, tuple[int, int], bool]]:
        """(weeks, span, whether it dates a worsening) of every duration that belongs to a pain, in text order."""
        seen: set[int] = set()
        for pain in pains:
            before, after = self._sentence_around(*pain.span())
            start, end = pain.start() - len(before), pain.end() + len(after)
            since = self.lexicon.since.match(self.lowered, pain.end(), end)
            if since:
                yield self.lexicon.weeks_since[" ".join(since[1].split())], since.span(1), False
            for match in self.lexicon.duration.finditer(self.lowered, start, end):
                if match.start() not in seen and self._belongs_to_pain(match, start, end):
                    seen.add(match.start())
                    words = self.lowered[start : match.start()].split()[-4:]
                    worse = self.lexicon.worse.search(" ".join(words)) is not None
                    yield self._weeks(match), match.span(), worse

    def _since_injury(self) -> Iterator[tuple[float, tuple[int, int], bool]]:
        """As :meth:`_durations`, when only the injury is dated: "Fell 5 days ago. Back pain."."""
        for match in self._matches(self.lexicon.injuries):
            _, after = self._sentence_around(*match.span())
            for duration in self.lexicon.duration.finditer(self.lowered, match.end(), match.end() + len(after)):
                between = self.lowered[match.end() : duration.start()]
                dated = _AGO.match(self.lowered[duration.end() : match.end() + len(after)])
                if dated and not self.lexicon.other_events.search(between):
                    yield self._weeks(duration), duration.span(), False

    def _belongs_to_pain(self, duration: re.Match[str], start: int, end: int) -> bool:
        before, after = self.lowered[start : duration.start()], self.lowered[duration.end() : end]
        lexicon = self.lexicon
        if re.match(r"[\s-]*old\b", after):
            return False
        if _AGO.match(after):
            injury = lexicon.injuries.last(before)
            return injury is not None and not lexicon.other_events.search(before[injury.end() :])
        if _AFTER.match(after):
            return lexicon.injuries.search(after[:40]) is not None
        behind = lexicon.pain.search(after)
        if behind and behind.start() <= _NEAR:
            gap = after[: behind.start()]
            if "," not in gap and " and " not in gap and not lexicon.other_events.search(gap):
                return True
        if _OF.match(after):
            return False
        ahead = lexicon.pain.last(before)
        if ahead is None or len(before) - ahead.end() > _NEAR:
            return False
        gap = before[ahead.end() :]
        if lexicon.other_events.search(gap):
            return False
        # "pain, 36 h progressive weakness": after a comma the duration may begin something new
        return not ("," in gap and lexicon.other_events.search(after.split(",")[0]))

    def _weeks(self, duration: re.Match[str]) -> float:
        """Weeks, one decimal; the upper end of a range."""
        if duration["uk"]:
            return round(int(duration["count"]) * self.lexicon.uk_weeks_in[duration["uk"]], 1)
        word = duration["upper"] or duration["number"]
        number = self.lexicon.numbers.get(word) or float(word)
        return round(number * self.lexicon.weeks_in[duration["unit"]], 1)
