"""Vertebral levels: which words name which vertebrae.

==============================================  ======================================
in the report                                   read as
==============================================  ======================================
``D8``, ``Th8``, ``T-8``, ``T08``, ``DV8``      body T8
``eighth thoracic``, ``12th dorsal``            body T8, body T12
``L1, L2 and 4``, ``T11 & 12``                  bodies L1 L2 L4, bodies T11 T12
``T6-T8``, ``T11 through L1``                   bodies, every one of the range
``L4-5``, ``T12/L1``, ``D11/12 disc``           disc, unless a fracture is said of it
``L5 root``, ``T8 sensory level``, ``9th rib``  neither body nor disc
``T1``/``T2`` weighted, ``low T1``, ``T2 FS``   no level: MRI sequences
==============================================  ======================================

>>> from vertriage.lexicon import shipped
>>> from vertriage.tokenizer import tokenize
>>> tokens = tokenize("Low T1 signal in D11-L1; L4-5 disc.")
>>> [(g.levels, g.part) for g in find_levels(tokens, spell(tokens, shipped().spell))]
[(['T11', 'T12', 'L1'], 'body'), (['L4', 'L5'], 'disc')]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from vertriage.lexicon import word_list
from vertriage.tokenizer import LEVEL, MARK, NUMBER, WORD, Tokens

ORDER: tuple[str, ...] = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
)
"""The vertebrae from the neck down; T13 and L6 occur and stand outside the count."""

_RANK = {level: rank for rank, level in enumerate(ORDER)} | {"T13": 18.5, "L6": 23.5, "S1": 24}
_LIMIT = {"C": 7, "T": 13, "L": 6, "S": 5}
_ATOM = re.compile(r"([A-Za-z])[A-Za-z]?[\W_]*0?(\d{1,2})$")
_ABROAD = re.compile(r"(BWK?|LWK?|HWK|VT|VD|VL|TH|[TDL])[ .-]{0,2}(?:0?(\d{1,2})|([IVX]{1,4}))$", re.IGNORECASE)
"""German (``BWK 7``), French (``VL1``) and Roman (``Th XII``) names."""
_REGION_ABROAD = {"BW": "T", "BWK": "T", "LW": "L", "LWK": "L", "HWK": "C", "VT": "T", "VD": "T", "VL": "L"}
_ROMAN = {numeral: number for number, numeral in enumerate("I II III IV V VI VII VIII IX X XI XII".split(), start=1)}
_ORDINALS = {
    word: number
    for number, words in enumerate(
        ["first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th",
         "ninth 9th", "tenth 10th", "eleventh 11th", "twelfth 12th"],
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_CARDINALS = {
    word: number
    for number, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), start=1)
}
_SAID_OF = frozenset(", . ; : ( ) is are was were has have show shows demonstrate remain with and but".split())
_REGION = {"thoracic": "T", "dorsal": "T", "lumbar": "L", "cervical": "C"}
_NOT_A_LEVEL_NAME = word_list("not_a_level_name")

# MRI sequences: what stands beside T1 or T2 when it is not a vertebra.
_SEQUENCE_AFTER = word_list("sequence_after")
_SEQUENCE_BEFORE = word_list("sequence_before")
_VERTEBRA_AFTER = word_list("vertebra_after")
_SEQUENCE_PEER = word_list("sequence_peer")
_ROOT_WORDS = word_list("root_words")
_DISC_WORDS = word_list("disc_words")
_PROCESS_WORDS = word_list("process_words")
_OWN_NOUN = word_list("own_noun")
_LANDMARKS = word_list("landmarks")
_BETWEEN = frozenset(
    "left right bilateral exiting traversing descending and the both spinal / superior inferior".split()
)
_LIST = frozenset([",", "and", "&", "+", "or", "plus", "et"])
_FRONTED = frozenset("adjacent above below beneath beside besides unlike like next compared".split())
_ENDS = frozenset([".", ";", ":"])


def _fronted(words: list[str], at: int) -> bool:
    """Whether the words before are a phrase that a sentence opens with: "Adjacent to the augmented L3, ..."."""
    lo = at
    while lo > 0 and at - lo < 7 and words[lo - 1] not in _ENDS:
        lo -= 1
    return words[lo] in _FRONTED


_SINGULAR = (["is"], ["was"], ["has"], ["shows"], ["remains"], ["appears"])
_GOVERNS = frozenset("is was of at in not".split())
_RANGE = frozenset(["-", "to", "through", "thru", "till", "until", "--", "thro"])
_UNITS = frozenset(
    "mm cm ml % week day month year hour degree x other more additional further weeks small new large others "
    "old percent view views cc sites site separate discrete lesion lesions".split()
)


@dataclass(slots=True)
class LevelGroup:
    """One mention of vertebrae.

    ``start`` and ``end`` are token indices, ``levels`` canonical names from the top down as written, ``at`` the token
    of each level. ``part`` is ``body``, ``disc``, ``root`` (nerve root or dermatome), ``process`` (posterior element,
    rib), ``pedicle``, ``sacral`` or ``cord`` (where conus or cord end).
    """

    start: int
    end: int
    levels: list[str]
    at: list[int]
    part: str = "body"
    joined: bool = False
    """True for two neighbours joined by a hyphen or slash: a disc, or two bodies when a fracture is said of them."""


def spell(tokens: Tokens, speller: Callable[[str], str]) -> list[str]:
    """The spelled word of every token; numbers and levels stay as written, in lower case."""
    return [
        speller(raw) if kind == WORD else raw if kind == MARK else raw.lower()
        for raw, kind in zip(tokens.raw, tokens.kind, strict=True)
    ]


def level_range(first: str, last: str) -> list[str]:
    """All vertebrae from one level to another.

    >>> level_range("T11", "L1")
    ['T11', 'T12', 'L1']
    """
    a, b = _RANK[first], _RANK[last]
    if a > b:
        a, b, first, last = b, a, last, first
    inner = [level for level in ORDER if a <= _RANK[level] <= b]
    if first not in inner:
        inner.insert(0, first)
    if last not in inner:
        inner.append(last)
    return inner


def neighbor(level: str, step: int) -> str | None:
    """The vertebra ``step`` places below (above when negative), None past the ends.

    >>> neighbor("T12", 1), neighbor("L1", -1)
    ('L1', 'T12')
    """
    if level not in ORDER:
        return None
    at = ORDER.index(level) + step
    return ORDER[at] if 0 <= at < len(ORDER) else None


def find_levels(tokens: Tokens, words: list[str]) -> list[LevelGroup]:
    """Every mention of vertebrae in the tokens of a report, in order.

    Args:
        tokens: the report's tokens.
        words: their spelled words, from :func:`spell`.
    """
    groups: list[LevelGroup] = []
    kinds = tokens.kind
    size = len(words)
    at = 0
    told: dict[int, str] = {}
    while at < size:
        kind = kinds[at]
        if kind == LEVEL:
            first = _atom(tokens, words, at)
            if first is None:
                at += 1
                continue
            group = _list(tokens, words, at, first)
        elif (
            kind == WORD
            and (words[at] in _ORDINALS or words[at] in _REGION or tokens.raw[at] in ("T", "L", "D", "C"))
            or kind == NUMBER
            and words[at].isdigit()
            and _ordinal_ahead(words, at)
        ):
            spelled_out = _spelled_out(tokens, words, at)
            if spelled_out is not None and words[at] in _ORDINALS:
                told.update({int(level[1:]): level for level in spelled_out.levels})
            elif spelled_out is None and told:
                spelled_out = _told_again(words, at, told)
            if spelled_out is None:
                at += 1
                continue
            group = spelled_out
        else:
            at += 1
            continue
        group.part = _part(words, group) if group.part == "body" else group.part
        groups.append(group)
        at = max(group.end, at + 1)
    return groups


def _told_again(words: list[str], at: int, told: dict[int, str]) -> LevelGroup | None:
    """ "the fifth, sixth and seventh thoracic ... The sixth and seventh are edematous": told by their numbers alone."""
    if at == 0 or words[at - 1] != "the":
        return None
    levels: list[str] = []
    marks: list[int] = []
    step = at
    while step < len(words) and (number := _ORDINALS.get(words[step])) in told and number is not None:
        levels.append(told[number])
        marks.append(step)
        step += 1
        links = step
        while links < len(words) and words[links] in (",", "and", "the"):
            links += 1
        if links == step or links >= len(words) or words[links] not in _ORDINALS:
            break
        step = links
    following = words[step] if step < len(words) else "."
    return LevelGroup(at, step, levels, marks) if levels and following in _SAID_OF else None


def _parse(raw: str) -> str | None:
    match = _ATOM.match(raw)
    if match is not None and match.group(1) not in "VvBbHh" and raw[1:2] not in ("W", "w"):
        letter = match.group(1).upper()
        number = int(match.group(2))
    else:
        match = _ABROAD.match(raw)
        if match is None:
            return None
        name = match.group(1).upper()
        letter = _REGION_ABROAD.get(name, name[0])
        number = int(match.group(2)) if match.group(2) else _ROMAN.get(match.group(3), 0)
    letter = "T" if letter == "D" else letter
    return f"{letter}{number}" if letter in _LIMIT and 1 <= number <= _LIMIT[letter] else None


def _atom(tokens: Tokens, words: list[str], at: int) -> str | None:
    """The level at a token, None when it is an MRI sequence, a tumor stage or a vitamin."""
    raw = tokens.raw[at]
    level = _parse(raw)
    if level is None:
        return None
    before = words[at - 1] if at else ""
    after = words[at + 1] if at + 1 < len(words) else ""
    if (
        before == "free"
        and level in ("T3", "T4")
        or before in ("vitamin", "vit", "stage", "pt", "day", "grade")
        or re.fullmatch(r"n[0-3x][a-c]?|m[01x]", after)
    ):
        return None
    if level in ("T1", "T2") and raw[0] in "tT" and _is_sequence(tokens, words, at):
        return None
    return level


def _is_sequence(tokens: Tokens, words: list[str], at: int) -> bool:
    def word(index: int) -> str:
        return words[index] if 0 <= index < len(words) else ""

    after, after2 = word(at + 1), word(at + 2)
    if (
        word(at - 1) in ("and", ",", "&")
        and at >= 2
        and tokens.kind[at - 2] == LEVEL
        and _parse(tokens.raw[at - 2]) in ("T1", "T2")
        and after not in _SEQUENCE_AFTER
    ):
        return _is_sequence(tokens, words, at - 2)  # a pair is of one kind
    if after in ("and", ",", "&") and _parse(word(at + 2)) in ("T1", "T2"):
        if word(at + 3) in _VERTEBRA_AFTER:
            return False
        if (
            word(at - 1) in ("of", "at", "in", "involving")
            and word(at + 3) not in _SEQUENCE_AFTER
            and any(
                word(at - step) in ("fracture", "wedging", "collapse", "deformity", "compression", "body", "vertebra")
                for step in (2, 3, 4)
            )
        ):
            return False
    if after in ("-", "/") and tokens.end[at] == tokens.start[at + 1]:
        if tokens.kind[at + 2] == LEVEL if at + 2 < len(words) else False:
            other = _parse(tokens.raw[at + 2])
            return other in (None, "T1", "T2") and not (other == "T2" and word(at + 3) in _VERTEBRA_AFTER)
        if after2.isdigit():
            return False
        return after2 not in ("level", "disc")
    if after in ("replaced", "replacement") and word(at - 1) in ("body", "marrow", "vertebra", "signal", "diffuse"):
        return True  # "body T1 replaced"
    if after in _SEQUENCE_AFTER or word(at - 1) in (
        "low",
        "high",
        "decreased",
        "increased",
        "reduced",
        "dark",
        "bright",
        "intermediate",
    ):
        return True
    if after in _VERTEBRA_AFTER:
        return False
    before = word(at - 1)
    if before in ("-", "--", "/", "to", "through") and at >= 2 and tokens.kind[at - 2] == LEVEL:
        return _parse(tokens.raw[at - 2]) in ("T1", "T2", None)
    # A list: what its other members are decides.
    for step in (1, -1):
        index = at + step
        while word(index) in (",", "and", "&", "or", "/", "-", "both", "to", "through"):
            index += step
        if index != at + step and 0 <= index < len(words):
            if (
                words[index] in _SEQUENCE_PEER
                or words[index] in _SEQUENCE_AFTER
                and step == 1
                and words[index] not in ("low", "high", "post", "pre")
            ):
                return True
            if tokens.kind[index] == LEVEL:
                other = _parse(tokens.raw[index])
                if other not in (None, "T1", "T2"):
                    return False
    if before in ("not", "than", "of", "or") and any(
        tokens.kind[at - step] == LEVEL and _parse(tokens.raw[at - step]) not in (None, "T1", "T2")
        for step in (2, 3, 4)
        if at >= step
    ):
        return after in _SEQUENCE_AFTER  # "at T12 not T2"
    if before in _SEQUENCE_BEFORE:
        return True
    if before in ("in", "on") and (word(at - 2) in _SEQUENCE_BEFORE or word(at - 2) in _SEQUENCE_AFTER):
        return True
    if after == ":" and after2 in _SEQUENCE_AFTER and after2 not in _VERTEBRA_AFTER:
        return True  # "T1: hypointense band"
    if after in (":", "--") or after == "-" and tokens.start[at + 1] > tokens.end[at]:
        return False
    # "at T2", "of T1", "in T2 and T3" name a vertebra; a bare "T1" in a list of two is a pair of sequences.
    if before in (
        "at",
        "of",
        "in",
        "involving",
        "mid",
        "upper",
        "lower",
        "presumed",
        "from",
        "to",
        "through",
        "above",
        "below",
        "level",
    ):
        other = [word(index) for index in (at + 1, at + 2)]
        return other[0] in ("and", ",", "/") and other[1] in ("t1", "t2") and word(at + 3) not in _VERTEBRA_AFTER
    return not (
        tokens.raw[at][0] == "T" and at > 0 and before in ("vertebra", "vertebral_body", "body", "#", "fracture")
    )


def _list(tokens: Tokens, words: list[str], at: int, first: str) -> LevelGroup:
    """Grow a mention from its first level over ranges and lists."""
    levels, marks = [first], [at]
    letter = first[0]
    end = at + 1
    joined = False
    listed = False
    size = len(words)
    while end < size:
        word = words[end]
        tight = tokens.start[end] == tokens.end[end - 1]
        if tokens.kind[end] == LEVEL and tight and not listed and not joined:  # "L4L5"
            nxt = _parse(tokens.raw[end])
            if nxt is None:
                break
            levels.append(nxt)
            marks.append(end)
            joined = True
            end += 1
            continue
        if tokens.kind[end] == LEVEL and tokens.start[end] == tokens.end[end - 1] + 1 and not joined:  # "T11 L1 and L2"
            nxt = _atom(tokens, words, end)
            if nxt is None or nxt in levels:
                break
            levels.append(nxt)
            marks.append(end)
            listed = True
            letter = nxt[0]
            end += 1
            continue
        if (
            tokens.kind[end] == NUMBER
            and not joined
            and not listed
            and word.isdigit()
            and int(word) == int(levels[-1][1:]) + 1
            and tokens.start[end] == tokens.end[end - 1] + 1
            and (
                end + 1 >= size or words[end + 1] not in _UNITS and words[end + 1] not in (".", "%", "-", "x", "/", ",")
            )
            and len(levels) == 1
        ):  # a dictated "L4 5 disc"
            levels.append(letter + word)
            marks.append(end)
            joined = True
            end += 1
            break
        if word in ("inclusive",) and listed:
            end += 1
            break
        step = end + 1
        if word in ("down", "up") and step < size and words[step] in ("to", "through"):
            word, step = "to", step + 1
        ranged = word in _RANGE
        if word == "and" and at and words[at - 1] == "between" and end + 2 < size and words[end + 2] == "inclusive":
            ranged = True
        if (
            word == "-"
            and not tight
            and step < size
            and tokens.start[step] == tokens.end[step - 1] + 1
            and tokens.kind[step] != LEVEL
        ):
            break
        if not ranged and word not in _LIST and word != "/":
            break
        if word == ",":
            if step < size and words[step] in ("and", "&", "or"):
                step += 1
        elif word == "and" and step < size and words[step] in ("also", "of", "at", "in"):
            step += 1
        if step >= size:
            break
        kind = tokens.kind[step]
        if kind == LEVEL:
            nxt = _atom(tokens, words, step)
        elif kind == NUMBER and words[step].isdigit() and _plain_number(tokens, words, step, word):
            nxt = _parse(letter + words[step])
        else:
            nxt = None
        if nxt is None or nxt in levels:
            break
        if word in ("and", ",") and words[step + 1 : step + 2] and words[step + 1] in _OWN_NOUN:
            break  # "compression of T12, and L5 spondylolysis"
        if word == "," and not listed and words[step + 1 : step + 2] in _SINGULAR and at and words[at - 1] in _GOVERNS:
            break  # "the fractured vertebra is L2, L1 is intact"
        if word == "," and not listed and words[step + 1 : step + 2] in _SINGULAR and _fronted(words, at):
            break  # "Adjacent to the augmented L3, L2 has a fracture"
        if word == "," and words[step + 1 : step + 3] == ["at", "risk"]:
            break
        if ranged:
            backward = nxt[0] == "S" and levels[-1] != "L5" or _RANK.get(nxt, 99) <= _RANK.get(levels[-1], -1)
            if backward and not (word == "-" and nxt[0] == "S"):
                break
            span = level_range(levels[-1], nxt) if nxt in _RANK else [levels[-1], nxt]
            if word in ("-", "--") and len(span) == 2:
                if listed:
                    break  # "L2 and L3-4": the pair is a mention of its own
                joined = True
            if listed and len(levels) > 1 and word == "-" and len(span) == 2:
                break
            for extra in span[1:]:
                levels.append(extra)
                marks.append(step if extra == nxt else at)
            listed = listed or len(span) > 2
        elif word == "/":
            if joined or listed:
                break
            levels.append(nxt)
            marks.append(step)
            joined = _RANK.get(nxt, 0) - _RANK.get(levels[-2], 0) == 1 and nxt[0] != "C" or nxt[0] in "CS"
            third = words[step + 1 : step + 2] == ["/"] and step + 2 < size and tokens.kind[step + 2] == LEVEL
            joined = joined and not third  # "cement in T12/L1/L3"
            listed = not joined
        else:
            if joined:
                break
            # "T12 and L1-2": the pair that follows is a mention of its own.
            if step + 2 < size and words[step + 1] in ("-", "/") and tokens.end[step] == tokens.start[step + 1]:
                far = words[step + 2]
                pair = _parse(nxt[0] + far) if far.isdigit() else _parse(tokens.raw[step + 2])
                if pair is not None and pair in _RANK and _RANK[pair] - _RANK.get(nxt, -9) == 1:
                    break
            levels.append(nxt)
            marks.append(step)
            listed = True
        letter = nxt[0]
        end = step + 1
    part = "body"
    if any(level[0] == "S" for level in levels):
        part = (
            "disc"
            if joined or (len(levels) > 1 and levels[-2] == "L5" and not listed)
            else "sacral"
            if levels[0][0] == "S"
            else "body"
        )
        keep = [i for i, level in enumerate(levels) if level[0] != "S"]
        if part == "body":
            levels, marks = [levels[i] for i in keep], [marks[i] for i in keep]
    elif joined:
        part = "disc"
    return LevelGroup(at, end, levels, marks, part, joined)


def _plain_number(tokens: Tokens, words: list[str], at: int, link: str) -> bool:
    """Whether the number in "L1 and 2" is a level, not a measure or a count."""
    if int(words[at]) > 13:
        return False
    after = words[at + 1] if at + 1 < len(words) else ""
    if after in ("-", "to") and words[at + 3 : at + 4] == ["%"]:
        return False  # "T6 through T9, 10-20% at each"
    if after in _UNITS or after in ("/", ".", "%") and at + 2 < len(words) and words[at + 2].isdigit() and link != "/":
        return False
    if link in ("-", "/"):
        return tokens.start[at] - tokens.end[at - 1] <= 1 and after != "%"
    if link in (",",) and tokens.start[at] > tokens.end[at - 1] + 3:
        return False
    if link == "to":
        return after not in _UNITS and after != "-"
    return (
        after
        in (
            "",
            ".",
            ",",
            ";",
            ":",
            ")",
            "and",
            "&",
            "is",
            "are",
            "show",
            "with",
            "have",
            "has",
            "-",
            "(",
            "was",
            "were",
            "demonstrate",
            "both",
            "level",
        )
        or after in _VERTEBRA_AFTER
    )


def _ordinal_ahead(words: list[str], at: int) -> bool:
    return words[at] + "th" in _ORDINALS and at + 1 < len(words) and words[at + 1] in ("th", "st", "nd", "rd")


def _spelled_out(tokens: Tokens, words: list[str], at: int) -> LevelGroup | None:
    """ "eighth thoracic", "first and third lumbar", "thoracic 8", "T twelve"."""
    size = len(words)
    word = words[at]
    if word in _REGION or tokens.raw[at] in ("T", "L", "D", "C"):
        letter = _REGION.get(word) or ("T" if tokens.raw[at] in "TD" else tokens.raw[at])
        step = at + 1
        if word in _REGION:
            while step < size and words[step] in (
                "vertebra",
                "vertebral",
                "body",
                "vertebral_body",
                "no",
                "number",
                "#",
                "level",
            ):
                step += 1
        if step >= size:
            return None
        value = words[step]
        number = int(value) if value.isdigit() and tokens.kind[step] == NUMBER else _CARDINALS.get(value)
        after = words[step + 1] if step + 1 < size else ""
        if (
            number is None
            and value in ("to", "too")
            and word not in _REGION
            and tokens.raw[at] in "TL"
            and after in ("", ".", ",", ";", ")")
        ):
            number = 2  # speech recognition: "this is L to."
        if number is None or after in _UNITS or after in ("-", "weighted", "/", "of", ".") and word not in _REGION:
            return None
        if (
            word in _REGION
            and step == at + 1
            and (number > 12 or after in ("fracture", "level") and value in _CARDINALS)
        ):
            return None
        if word in _REGION and value in _CARDINALS and step == at + 1:
            governed = at > 0 and words[at - 1] in ("of", "at") and after not in ("or", "of", "and", "vertebra")
            if not governed:
                return None
        if word in _REGION and step > at + 1 and value in _CARDINALS:
            return None
        level = _parse(f"{letter}{number}")
        if level is None:
            return None
        if word in _REGION and step > at + 1 and value.isdigit():  # "dorsal vertebrae 8 and 9"
            return replace(_list(tokens, words, step, level), start=at)
        return LevelGroup(at, step + 1, [level], [step])
    numbers: list[int] = []
    marks: list[int] = []
    step = at
    ranged: list[int] = []
    while step < size:
        number = _ORDINALS.get(words[step])
        width = 1
        if number is None and words[step].isdigit() and _ordinal_ahead(words, step):
            number, width = int(words[step]), 2
        if number is None:
            break
        numbers.append(number)
        marks.append(step)
        step += width
        links = step
        while links < size and words[links] in (",", "and", "&", "to", "through", "-", "or", "the"):
            links += 1
        if links < size and (words[links] in _ORDINALS or words[links].isdigit() and _ordinal_ahead(words, links)):
            if any(words[i] in ("to", "through", "-") for i in range(step, links)):
                ranged.append(len(numbers))
            step = links
        else:
            break
    if not numbers or step >= size:
        return None
    if words[step] in _REGION:
        letter = _REGION[words[step]]
    elif words[step] in ("body", "vertebra", "vertebral_body", "vertebral") and max(numbers) >= 6:
        letter = "T"  # "the seventh and eighth bodies"
        step -= 1
    else:
        return None
    end = step + 1
    if end < size and words[end] in _NOT_A_LEVEL_NAME or end < size and words[end] in ("nerve", "root"):
        return None
    names = [_parse(f"{letter}{number}") for number in numbers]
    if None in names:
        return None
    levels: list[str] = []
    at_marks: list[int] = []
    for index, name in enumerate(names):
        if index in ranged:
            for extra in level_range(levels[-1], name)[1:]:  # type: ignore[arg-type]
                levels.append(extra)
                at_marks.append(marks[index])
        else:
            levels.append(name)  # type: ignore[arg-type]
            at_marks.append(marks[index])
    return LevelGroup(at, end, levels, at_marks)


def _part(words: list[str], group: LevelGroup) -> str:
    """What of the level is meant, from the words beside it."""
    size = len(words)
    at = group.end
    while at < size and at < group.end + 3 and words[at] in _BETWEEN:
        at += 1
    after = words[at] if at < size else ""
    if at > group.end and "and" in words[group.end : at]:
        after = words[group.end] if group.end < size else ""
    if after in _ROOT_WORDS or after == "sensory":
        return "root"
    if after in _PROCESS_WORDS or after in ("foramen", "foramina", "foraminal", "neuroforaminal", "neuroforamen"):
        return "process" if after in _PROCESS_WORDS else "disc"
    if after in _DISC_WORDS:
        return "disc"
    before = words[max(0, group.start - 3) : group.start]
    if before and before[-1] in ("exiting", "traversing", "descending"):
        return "root"
    if (
        len(before) > 1
        and before[-1] in ("left", "right", "bilateral")
        and before[-2] in ("exiting", "traversing", "descending")
    ):
        return "root"
    if (
        before[-2:]
        in (["sensory", "level"], ["level", "at"], ["level", "of"], ["at", "about"], ["at", "approximately"])
        and "sensory" in words[max(0, group.start - 5) : group.start]
    ):
        return "root"
    if (
        before
        and before[-1] == "from"
        and any(word[:5] in ("count", "recou", "numbe") for word in words[max(0, group.start - 4) : group.start])
    ):
        return "count"
    if len(before) > 1 and before[-2] in _LANDMARKS and before[-1] in ("at", "on", "to", "is", "being", "from"):
        return "count"
    window = words[max(0, group.start - 7) : group.start]
    for index in range(len(window) - 1, -1, -1):
        if window[index] in (".", ";", "fracture", "compression", "edema", "by", "compressed", "behind"):
            break
        if window[index] in ("conus", "medullaris"):
            return "cord"
    return "body"
