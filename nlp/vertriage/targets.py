"""Target matching: the words of each sentence, and what the lexicons find in them.

A sentence becomes a list of spelled words in which a list of vertebrae is one word (``<level>``, ``<disc>``), a
percentage is one word (``<percent>``) and hyphens inside words are gone; the lexicon's automaton runs over that list.
A sentence without a letter of interest costs one pass over its words and nothing else.

>>> from vertriage.pipeline import parse
>>> parsed = parse("T8 and T9: wedge fractures, 30-40%, no sacral fracture.")
>>> parsed.sentences[0].words
['<level>', ':', 'wedge', 'fracture', ',', '<percent>', ',', 'no', 'sacral', 'fracture', '.']
>>> [m.label for m in parsed.sentences[0].mentions if m.label == "fracture"]
['fracture']
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vertriage.levels import LevelGroup
from vertriage.lexicon import Entry, Lexicon, shipped, word_list
from vertriage.sentences import Sentence
from vertriage.tokenizer import LEVEL, MARK, NUMBER, Tokens

_PERCENT_WORDS = frozenset(["%", "percent", "pct"])
_MORE = frozenset([">", "<", "~", "approximately"])


@dataclass(slots=True)
class Mention:
    """Words of a sentence that the lexicon knows.

    ``start``/``end`` are word positions in the sentence. ``value`` is what the words mean by themselves; assertion
    fills ``negated``, ``hedged``, ``asked`` and ``planned``; linking fills ``levels`` and how it found them.
    """

    label: str
    value: str | None
    start: int
    end: int
    entry: Entry
    negated: bool = False
    hedged: bool = False
    asked: bool = False
    planned: bool = False

    @property
    def attrs(self) -> Mapping[str, Any]:
        return self.entry.attrs


@dataclass(slots=True)
class Percent:
    """A percentage at word ``at``; ``value`` is the upper end of a range."""

    at: int
    value: float


@dataclass(slots=True)
class SentenceWords:
    """A sentence as the later stages see it."""

    sentence: Sentence
    words: list[str]
    first_token: list[int]
    last_token: list[int]
    groups: list[tuple[int, LevelGroup]] = field(default_factory=list)
    """Word position and level mention, in order."""
    percents: list[Percent] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    plural: set[int] = field(default_factory=set)
    """Words that are a fracture in the plural."""
    offsets: list[int] = field(default_factory=list)
    """Character offset of every word."""
    cues: list[Mention] = field(default_factory=list)
    """ConText cues and references, kept apart from the findings they act on."""
    clauses: list[int] | None = None
    """Where its clauses begin, once assertion has asked."""


CUES = frozenset(
    [
        "alike",
        "contrary",
        "gapping",
        "only",
        "done",
        "ellipsis",
        "question_backward",
        "negation",
        "negation_backward",
        "hedge",
        "hedge_backward",
        "question",
        "planned",
        "historical",
        "ends",
        "except",
        "none",
        "respectively",
        "speculation_strength",
    ]
)
_REFERENCE = frozenset(["reference", "unnamed"])


def sentence_words(
    tokens: Tokens, spelled: Sequence[str], groups: Sequence[LevelGroup], sentence: Sentence
) -> SentenceWords:
    """Turn the tokens of one sentence into words."""
    if sentence.cells:
        return _row_words(tokens, spelled, groups, sentence)
    lo = bisect_left(tokens.start, sentence.start)
    hi = bisect_left(tokens.start, sentence.end)
    words: list[str] = []
    first: list[int] = []
    last: list[int] = []
    result = SentenceWords(sentence, words, first, last)
    kind, start, end = tokens.kind, tokens.start, tokens.end
    in_percent = _IN_PERCENT.search(sentence.label) is not None
    number = bisect_left(groups, lo, key=lambda g: g.start)
    at = lo
    while at < hi:
        if number < len(groups) and groups[number].start <= at:
            group = groups[number]
            number += 1
            if group.end <= at:
                continue
            stop = min(group.end, hi)
            if group.end > hi:
                group = _cut(group, hi)  # the "1" behind the tab is a grade, not L1-2
            result.groups.append((len(words), group))
            words.append("<disc>" if group.part == "disc" else "<sacral>" if group.part == "sacral" else "<level>")
            first.append(at)
            last.append(stop - 1)
            at = stop
            continue
        word = spelled[at]
        token_kind = kind[at]
        if token_kind == NUMBER or word in _NUMBER_WORDS:
            stop, value = _stated_percent(tokens, spelled, words, at, hi)
            if value is None and in_percent and token_kind == NUMBER and start[at] >= sentence.label_end:
                stop, value = _bare_percent(spelled, at, hi)
            if value is not None:
                first_at = at
                while words and (words[-1] in _MORE or words[-2:] in (["less", "than"], ["more", "than"])):
                    spelled_bound = words[-1] not in _MORE
                    for _ in range(2 if spelled_bound else 1):
                        words.pop()
                        first_at = first.pop()
                        last.pop()
                    if spelled_bound and words and words[-1] in ("not", "no"):  # "not more than 15%"
                        words.pop()
                        first_at = first.pop()
                        last.pop()
                result.percents.append(Percent(len(words), value))
                # "0% height loss" denies what it measures
                denied = not value and words[-1:] not in (["of"], ["by"])
                words.append(("no" if _before_noun(spelled, stop, hi) else "none") if denied else "<percent>")
                first.append(first_at)
                last.append(stop - 1)
                at = stop
                continue
        if token_kind == NUMBER and words[-1:] == ["<level>"] and word in _GRADES and _graded(spelled, lo, at, hi):
            words += ["normal"] if word == "0" else ["genant", "grade", word]
            first += [at] * (len(words) - len(first))
            last += [at] * (len(words) - len(last))
            at += 1
            continue
        if token_kind == NUMBER:
            word = word if len(word) == 1 else "<number>"
        elif token_kind == MARK:
            if word == "-" or word == "--":
                tight_left = at > lo and end[at - 1] == start[at]
                tight_right = at + 1 < hi and start[at + 1] == end[at] and kind[at + 1] != MARK  # "edema-, cleft-"
                if word == "-" and (
                    tight_left and tight_right or words[-1:] == [":"] and at + 1 < hi and kind[at + 1] == "w"
                ):
                    at += 1
                    continue  # also "Cleft: - not seen"
                word = "-"
                gap = tokens.start[at + 1] - end[at] if at + 1 < hi else 9
                ends = at + 1 < hi and spelled[at + 1] in _VALUE_ENDS
                if words and (words[-1] in _SEQUENCES and gap >= 2 or ends and words[-1][0].isalpha()):
                    word = "<neg>"
            elif word == "+" and words and words[-1] in _SEQUENCES:
                word = "<pos>"
            elif word == "(" and spelled[at + 1 : at + 3] in (["water", ")"], ["fat", ")"], ["chance", ")"]):
                words.append(spelled[at + 1])  # "Dixon (water)"
                first.append(at)
                last.append(at + 2)
                at += 3
                continue
            elif word == "(" and at + 2 < hi and spelled[at + 1] in ("-", "+") and spelled[at + 2] == ")":
                words.append("<neg>" if spelled[at + 1] == "-" else "<pos>")
                first.append(at)
                last.append(at + 2)
                at += 3
                continue
            elif (
                word == ":"
                and words
                and (
                    words[-1] in _SEQUENCES
                    or start[at] < sentence.label_end <= end[at] + 2
                    and words[-1] not in ("<level>", "<disc>", "tissue")
                    and len(words) <= 4
                    and at + 1 < hi
                    and spelled[at + 1] not in _BARE_VALUES
                    and spelled[at + 1] != "not"
                )
            ):  # the label of a form reads on into its value: "Posterior border: bulging"
                at += 1
                continue
            elif word == "#" and words and words[-1] == "#":
                at += 1
                continue  # "transverse process ##"
            elif word == "." and words and (words[-1] in _SHORTENED or words[-1] == "<level>") and at + 1 < hi:
                at += 1
                continue
            elif word in _ARROWS:
                if words and words[-1] == _ARROWS[word]:
                    at += 1
                    continue  # "uptake ↑↑"
                word = _ARROWS[word]
            elif word == "+":
                ends = at + 1 >= hi or spelled[at + 1] in _VALUE_ENDS
                word = "<pos>" if ends and words and words[-1][0].isalpha() else "and"
            elif word in ("|", "="):
                word = ":"
            elif word == "#":
                if at + 1 < hi and kind[at + 1] == NUMBER and start[at + 1] == end[at]:
                    at += 1
                    continue
            elif word in ("*", '"', "'", "_"):
                at += 1
                continue
        elif token_kind == LEVEL:
            word = word.replace("-", "").replace(" ", "")
        elif (
            word == "of"
            and tokens.raw[at] == "OF"
            and at + 1 < hi
            and spelled[at + 1] in "12345"
            and (not words or words[-1] in _BEFORE_OF)
        ):
            word = "osf"  # osteoporotic fracture classification, not the preposition
        elif word == "w" and spelled[at + 1 : at + 2] == ["/"]:
            without = spelled[at + 2 : at + 3] == ["o"]
            words.append("without" if without else "with")
            first.append(at)
            last.append(at + (2 if without else 1))
            at += 3 if without else 2
            continue
        elif word == "know" and (not words or words[-1] not in _KNOWS):
            word = "no"  # speech recognition: "there is know retropulsion"
        elif word == "cancer" and tokens.raw[at].lower() == "ca" and _calcium(spelled, words, at, hi):
            word = "calcium"
        elif (
            word == "cancer"
            and tokens.raw[at] == "ca"
            and at + 2 < hi
            and (
                kind[at + 1] == NUMBER and len(spelled[at + 1]) < 4 or spelled[at + 1] == "." and kind[at + 2] == NUMBER
            )
        ):
            word = "approximately"  # "ca. 4 m"
        elif word == "may" and _month(kind, spelled, words, at, hi):
            word = "april"  # a month, and not the verb
        elif word == "s" and words[-1:] == ["#"] and end[at - 1] == start[at]:
            result.plural.add(len(words) - 1)  # "#s T4-6"
            at += 1
            continue
        elif tokens.raw[at] in _PROCEDURES and _NOT_CEMENT.isdisjoint(spelled[at + 1 : at + 3]):
            word = _PROCEDURES[tokens.raw[at]]
        elif word == "mm" and tokens.raw[at] == "MM" and (at == lo or kind[at - 1] != NUMBER):
            word = "myeloma"
        elif word in _COUNTED and tokens.raw[at][-1] in "sS":
            result.plural.add(len(words))
        words.append(word)
        first.append(at)
        last.append(at)
        at += 1
    result.offsets = [start[token] for token in first]
    return result


def _month(kind: Sequence[int], spelled: Sequence[str], words: Sequence[str], at: int, hi: int) -> bool:
    """ "on 4 May", "May 2023", "in May"."""
    dated = at + 1 < hi and kind[at + 1] == NUMBER
    before = words[-1:]
    return (
        dated
        or before in (["in"], ["since"], ["last"], ["early"], ["late"], ["mid"], ["until"])
        or before != []
        and (before[0] == "<number>" or before[0].isdigit())
        and words[-2:-1] in (["on"], ["of"], ["from"], ["dated"], ["the"], ["since"], ["to"], ["with"])
    )


_ARROWS = {"\u2191": "increased", "\u2193": "decreased"}
_PROCEDURES = dict.fromkeys(word_list("vertebroplasty_letters"), "vertebroplasty") | dict.fromkeys(
    word_list("kyphoplasty_letters"), "kyphoplasty"
)
_NOT_CEMENT = word_list("not_cement")


def _calcium(spelled: Sequence[str], words: Sequence[str], at: int, hi: int) -> bool:
    """ "Corrected Ca 2.91", "Ca: normal"."""
    after = [word for word in spelled[at + 1 : min(hi, at + 4)] if word not in (":", "=", "of", "is")]
    return (
        words[-1:] != []
        and words[-1] in _MEASURED_CALCIUM
        or after[:1] != []
        and ("." in after[0][1:] or after[0] in _CALCIUM_VALUES)
    )


_MEASURED_CALCIUM = word_list("measured_calcium")
_CALCIUM_VALUES = word_list("calcium_values")


def _stated_percent(
    tokens: Tokens, spelled: Sequence[str], words: Sequence[str], at: int, hi: int
) -> tuple[int, float | None]:
    """The percentage that starts at a token, in figures or in words: (token after it, value), or (at, None)."""
    if tokens.kind[at] == NUMBER:
        stop, value = _percent(tokens, spelled, at, hi)
        if value is None and (_in_percent_list(tokens, spelled, at, hi) or _announced(tokens, spelled, words, at, hi)):
            return at + 1, _number(spelled[at])
        return stop, value
    return _spoken_percent(spelled, at, hi)


def _percent(tokens: Tokens, spelled: Sequence[str], at: int, hi: int) -> tuple[int, float | None]:
    """The percentage that starts at a number: (token after it, value), or (at, None)."""
    step = at + 1
    value = _number(spelled[at])
    if (
        step < hi
        and spelled[step] in _PERCENT_WORDS
        or step < hi
        and spelled[step] == "per"
        and step + 1 < hi
        and spelled[step + 1] in ("cent", "cents")
    ):
        step += 2 if spelled[step] == "per" else 1
        # "30% to 40%", "30%-40%"
        if (
            step + 2 < hi
            and spelled[step] in ("-", "to", "--")
            and tokens.kind[step + 1] == NUMBER
            and spelled[step + 2] in _PERCENT_WORDS
        ):
            upper = _number(spelled[step + 1])
            if upper is not None and value is not None and upper > value and not _from_before(spelled, at):
                return step + 3, upper
        return step, value
    if (
        step + 2 < hi
        and spelled[step] in ("-", "to", "--", "and", "/", "or")
        and tokens.kind[step + 1] == NUMBER
        and (spelled[step + 2] in _PERCENT_WORDS or spelled[step + 2 : step + 4] == ["per", "cent"])
    ):
        upper = _number(spelled[step + 1])
        spoken = spelled[step + 2] == "per"
        if (
            upper is not None
            and value is not None
            and upper > value
            and upper <= 100
            and (spelled[step] != "and" or spelled[at - 1] == "between")
        ):
            return step + (4 if spoken else 3), upper
    return at, None


def _cut(group: LevelGroup, hi: int) -> LevelGroup:
    """A group of levels as far as the cell goes that it begins in."""
    kept = [number for number, at in enumerate(group.at) if at < hi]
    part = "body" if group.part == "disc" and len(kept) == 1 else group.part
    return replace(group, end=hi, levels=[group.levels[i] for i in kept], at=[group.at[i] for i in kept], part=part)


_IN_PERCENT = re.compile(r"(?:height|ht|loss|reduction).*%|%.*(?:height|loss)", re.IGNORECASE)


def _bare_percent(spelled: Sequence[str], at: int, hi: int) -> tuple[int, float | None]:
    """A number under a heading that counts in percent: ``Height loss (%): 40, 20``."""
    value = _number(spelled[at])
    if value is None or not 0 <= value <= 100 or at + 1 < hi and spelled[at + 1] in ("mm", "cm", "/"):
        return at, None
    if at + 2 < hi and spelled[at + 1] in ("-", "to") and (upper := _number(spelled[at + 2])) is not None:
        return at + 3, upper
    return at + 1, value


_GRADES = frozenset(["0", "1", "2", "3"])


def _graded(spelled: Sequence[str], lo: int, at: int, hi: int) -> bool:
    """ "Genant: T6 0, T7 1 (wedge), T8 2": the number behind a level is its grade."""
    following = spelled[at + 1] if at + 1 < hi else "."
    return following in (",", ";", ".", "(") and not {"genant", "sq", "semiquantitative"}.isdisjoint(spelled[lo:at])


def _before_noun(spelled: Sequence[str], at: int, hi: int) -> bool:
    return at < hi and spelled[at][:1].isalpha() and spelled[at] not in ("in", "at", "of", "and", "with")


_KNOWS = frozenset("i we you they to not us let who clinician physician please".split())
_COUNTED = frozenset(["fracture", "deformity", "collapse", "vcf", "compression"])
_BEFORE_OF = frozenset(["<level>", ":", "(", ",", "type", "classification", "-", "fracture"])
_SHORTENED = frozenset("suspicious rad rt lt bil incl approx approximately approximate c ca esp resp".split())
_VALUE_ENDS = frozenset([",", ";", ".", ")"])
_SEQUENCES = frozenset("stir tirm t1 t2 spair dwi".split())
_NUMBER_WORDS = {
    **dict(zip("one two three four five six seven eight nine ten".split(), range(1, 11), strict=True)),
    **dict(zip("twelve fifteen twenty thirty forty fifty".split(), (12, 15, 20, 30, 40, 50), strict=True)),
    **dict(zip("sixty seventy eighty ninety".split(), (60, 70, 80, 90), strict=True)),
}


def _spoken_percent(spelled: Sequence[str], at: int, hi: int) -> tuple[int, float | None]:
    """ "fifty five percent", "twenty to thirty percent": (token after it, value), or (at, None)."""
    value = 0
    best: float | None = None
    step = at
    while step < hi and step < at + 6:
        word = spelled[step]
        if word in _NUMBER_WORDS:
            number = _NUMBER_WORDS[word]
            value = value + number if value >= 20 and number < 10 else number
            best = float(value)
        elif word not in ("to", "-", "or"):
            break
        step += 1
    if (
        best is not None
        and step < hi
        and (spelled[step] in _PERCENT_WORDS or spelled[step] == "per" and spelled[step + 1 : step + 2] == ["cent"])
    ):
        return step + (2 if spelled[step] == "per" else 1), best
    return at, None


_BARE_VALUES = frozenset("no none absent nil n nad - 0 na n/a yes y present + x".split())


def _former_columns(headings: Sequence[str]) -> set[int]:
    """The columns of a table that say how it was: "Then | Now", "2021 | 2024"."""
    names = [heading.lower().strip(" :.") for heading in headings]
    former = {at for at, name in enumerate(names) if not _THEN.isdisjoint(name.split())}
    if former and any(not _NOW.isdisjoint(name.split()) for name in names):
        return former
    years = {at: int(found.group()) for at, name in enumerate(names) if (found := _YEAR.search(name))}
    if len(years) > 1 and not any("change" in names[at] for at in years):
        return {at for at, year in years.items() if year < max(years.values())}
    return set()


_OF_SEQUENCE = (["stir"], ["tirm"], ["spair"], ["signal"])
_SIGNS = {
    "+": "<pos>",
    "++": "<pos>",
    "+++": "<pos>",
    "(+)": "<pos>",
    "+/-": "equivocal",
    "-": "no",
    "(-)": "no",
    "pos": "<pos>",
}
_HEIGHT_COLUMN = re.compile(r"(?:height|ht|loss|reduction|compression)\b(?!.*\bmm\b)", re.IGNORECASE)
_THEN = frozenset("then before prior previous previously baseline earlier old initial last".split())
_NOW = frozenset("now current currently today present new this latest follow-up".split())
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def _row_words(
    tokens: Tokens, spelled: Sequence[str], groups: Sequence[LevelGroup], sentence: Sentence
) -> SentenceWords:
    """A row of a table, read as "level: heading value; heading value"."""
    row = SentenceWords(sentence, [], [], [])
    former = _former_columns([heading for heading, _, _ in sentence.cells])
    for number, (heading, lo, hi) in enumerate(sentence.cells):
        if number in former:
            continue
        label = "height loss (%)" if number and _HEIGHT_COLUMN.search(heading) else ""
        cell = sentence_words(tokens, spelled, groups, replace(sentence, start=lo, end=hi, cells=(), label=label))
        if not cell.words:
            continue
        anchor = cell.first_token[0]
        lead: list[str] = []
        if sign := _SIGNS.get("".join(tokens.raw[token] for token in range(anchor, cell.last_token[-1] + 1))):
            sign = "<neg>" if sign == "no" and heading.lower().split()[-1:] in _OF_SEQUENCE else sign
            cell.words[:], cell.first_token[:], cell.last_token[:] = [sign], [anchor], [cell.last_token[-1]]
        if number:
            lead = [
                ";",
                *map(shipped().spell, heading.lower().replace("/", " / ").replace("(%)", "").replace("-", " ").split()),
            ]
            if cell.words[0] in _BARE_VALUES:
                lead.append(":")
                if cell.words[0] in ("-", "0", "n"):
                    cell.words[0] = "no"
        for word in lead:
            row.words.append(word)
            row.first_token.append(anchor)
            row.last_token.append(anchor)
        offset = len(row.words)
        row.groups += [(at + offset, group) for at, group in cell.groups]
        row.percents += [Percent(percent.at + offset, percent.value) for percent in cell.percents]
        row.words += cell.words
        row.first_token += cell.first_token
        row.last_token += cell.last_token
        if not number:
            row.words.append(":")
            row.first_token.append(anchor)
            row.last_token.append(anchor)
    row.offsets = [tokens.start[token] for token in row.first_token]
    return row


_BETWEEN_NUMBERS = frozenset([",", "and", "&", "/", "resp", "respectively"])


def _in_percent_list(tokens: Tokens, spelled: Sequence[str], at: int, hi: int) -> bool:
    """ "20, 35 and 15%": the sign stands behind the last number only."""
    if "score" in spelled[max(0, at - 4) : at]:
        return False  # "T-score -3.1, 68% of the young normal mean"
    step = at + 1
    seen = 0
    while step + 1 < hi and seen < 8:
        if spelled[step] not in _BETWEEN_NUMBERS:
            return False
        while step < hi and (
            spelled[step] in _BETWEEN_NUMBERS
            or spelled[step] == "."
            or tokens.kind[step] == LEVEL
            and at > 0
            and tokens.kind[at - 1] == LEVEL  # "T6 20, T7 40, T9 25 %"
        ):
            step += 1
        if step >= hi or tokens.kind[step] != NUMBER:
            return False
        stop, value = _percent(tokens, spelled, step, hi)
        if value is not None and stop > step + 1:
            return True
        step += 1
        seen += 1
    return False


def _announced(tokens: Tokens, spelled: Sequence[str], words: Sequence[str], at: int, hi: int) -> bool:
    """ "the percentage losses are 20, 15 and 35": a word names the unit of the numbers that follow."""
    lead = words[-20:]
    if "percentage" not in lead:
        return False
    if "." in lead or ";" in lead or (_number(spelled[at]) or 0) < 5:
        return False
    return at + 1 >= hi or tokens.kind[at + 1] == MARK or spelled[at + 1] in _BETWEEN_NUMBERS


def _from_before(spelled: Sequence[str], at: int) -> bool:
    """ "from 20% to 50%" is a change, not a range."""
    return at > 0 and spelled[at - 1] in ("from", "progressed", "increased")


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None


def match_targets(view: SentenceWords, lexicon: Lexicon) -> None:
    """Fill ``view.mentions`` and ``view.cues`` with what the lexicon finds.

    Within a label the longest match wins; a mimic removes the findings it blocks unless one of them is longer and
    contains it.
    """
    found = lexicon.find(view.words)
    if not found:
        return
    held: dict[str, list[Mention]] = {}
    for match in found:
        entry = match.entry
        mine = held.setdefault(entry.label, [])
        if mine and match.start < mine[-1].end:
            if (
                entry.label != "mimic"
                and match.end - match.start > mine[-1].end - mine[-1].start
                and match.end > mine[-1].end
            ):
                mine.pop()
            elif entry.label == "mimic":
                pass  # every mimic counts, also one inside another
            elif match.end <= mine[-1].end or mine[-1].start == match.start or entry.label not in CUES:
                continue
        mine.append(Mention(entry.label, entry.value, match.start, match.end, entry))
    blocked: list[tuple[int, int, frozenset[str]]] = [(m.start, m.end, m.entry.blocks) for m in held.get("mimic", ())]
    for label, mentions in held.items():
        if label in CUES or label in _REFERENCE:
            view.cues.extend(mentions)
        elif label != "mimic":
            for mention in mentions:
                if any(
                    label in labels
                    and (label != "acuity" or start <= mention.start and mention.end <= stop)
                    and (label != "fracture" or not _of_a_body_too(view.words, mention.end, stop))
                    and mention.start < stop
                    and mention.end > start
                    and not (
                        mention.start <= start and mention.end >= stop and mention.end - mention.start > stop - start
                    )
                    for start, stop, labels in blocked
                ):
                    continue
                if (
                    label in _FLIPS
                    and mention.value != "absent"
                    and view.words[mention.start] not in ("cannot", "unable", "hardly", "barely")
                    and not _NO.isdisjoint(view.words[mention.start : mention.end])
                ):
                    mention.negated = True  # "the cord is not compressed": the negation stands among the words
                if label == "marrow_edema" and mention.value == "absent" and _still(view.words, mention):
                    mention.value = "present"
                if label in _FLIPS and not _DOUBT.isdisjoint(view.words[mention.start : mention.end]):
                    mention.hedged = True
                view.mentions.append(mention)
    for start, stop, _ in blocked:
        view.mentions.append(Mention("mimic", None, start, stop, _MIMIC))
    view.mentions.sort(key=_position)
    view.cues.sort(key=_position)


_MIMIC = Entry("mimic")


def _of_a_body_too(words: Sequence[str], start: int, stop: int) -> bool:
    """ "fractures of T9, L1 and the sacrum", "a fracture with extension to the pedicle": also of a vertebral body."""
    return "with" in words[start:stop] or any(
        words[at] == "<level>" and words[at + 1] in ("and", ",", "&", "plus") and words[at + 2] not in _PROCESSES
        for at in range(start, stop - 2)
    )


_PROCESSES = frozenset("transverse spinous process pedicle lamina facet pars left right bilateral".split())


def _still(words: Sequence[str], mention: Mention) -> bool:
    """ "The edema has faded but has not resolved": it is there."""
    inner = words[mention.start : mention.end]
    return "edema" in inner and inner[-1] in _GONE and any(word in ("not", "never") for word in inner)


_GONE = frozenset("resolved cleared subsided disappeared settled gone".split())
_DOUBT = frozenset(["doubtfully", "questionably", "equivocally", "possibly", "questionable", "equivocal"])
_NO = frozenset(["rather", "nothing", "no", "not", "without", "nor", "neither", "never"])
_FLIPS = frozenset(
    "neural fracture marrow_edema cleft retropulsion convex_posterior_border soft_tissue_mass "
    "osseous_destruction radicular unstable infection pain".split()
)


def _position(mention: Mention) -> tuple[int, int]:
    return (mention.start, mention.end)
