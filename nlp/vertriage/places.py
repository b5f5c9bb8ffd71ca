"""Places: where a sentence names vertebrae, refers to them, or leaves them unnamed.

=====================================================  ================================================
"T8 (old), L1 and L3"                                  three places of one list
"L4-5"                                                 a disc, unless a fracture is said of the pair
"both", "the latter", "the upper two", "this body"     resolved from the vertebrae named before
"several mid thoracic bodies"                          unnamed
"elsewhere", "the other levels"                        none of those described
=====================================================  ================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vertriage.assertion import VERBS
from vertriage.levels import ORDER, LevelGroup, level_range, neighbor
from vertriage.lexicon import word_list
from vertriage.targets import Mention, SentenceWords

NAMED, REFERENCE, HEADING, FOCUS, EVERY, REMAINING = 5, 4, 3, 2, 1, 0
"""How a finding was linked, from the surest down. ``EVERY``: all fractures of the report; ``REMAINING``: all others."""

PREPOSITIONS = frozenset(
    "of at in within involving involve through throughout affecting on along beneath under underneath deep to "
    "near adjacent into across inside around about surrounding subjacent paralleling under for over extending".split()
)
BLOCKS = frozenset(
    ", ; : ( ) - . but with without which that while whereas than versus compared relative like unlike similar "
    "from above below no not who where when although though however than causing resulting containing other "
    "except apart save besides following after since until".split()
)
FILLERS = word_list("list_fillers")
_PROCESS_WORDS = word_list("process_words")
_DISC_NOUNS = word_list("disc_nouns")
_AFTER_REFERENCE = word_list("after_reference")
_OWN_NOUN = word_list("own_noun")
_SIDES = word_list("sides")
_MEASURE = frozenset(["mm", "cm", "<number>"])
_ANATOMY = word_list("anatomy")
_BODY_WORDS = frozenset(["body", "vertebra", "vertebral", "vertebral_body"])
_ALL = frozenset(["all", "each", "every"])
_SPARED = frozenset("fracture marrow_edema cleft retropulsion acuity".split())
_SPANS = frozenset(["from", "between", "of", ",", ":", "("])
_RANK = {level: float(rank) for rank, level in enumerate(ORDER)} | {"T13": 18.5, "L6": 23.5}


@dataclass(slots=True)
class Place:
    """Where vertebrae are named in a sentence: word position, levels (None: unnamed), and how they were found."""

    at: int
    end: int
    levels: list[str | None]
    how: int
    group: LevelGroup | None = None
    part: str = "body"
    chain: int = -1
    region: str = ""
    spared: list[str | None] = field(default_factory=list)
    """In "all but T8": T8."""
    listed: bool = False
    """Whether what is spared belongs to the list: "except at T8, the wedged bodies (T7, T8, T9) ..."."""


@dataclass(slots=True)
class Discourse:
    """What the report has spoken of so far."""

    section: str = ""
    heading: list[str | None] = field(default_factory=list)
    heading_how: str = ""
    focus: list[str | None] = field(default_factory=list)
    pointed: int = -9
    """The sentence that pointed at the focus and said no more: "The culprit is L1."."""
    lists: list[list[str]] = field(default_factory=list)
    """Lists of levels with a vertebral finding, oldest first."""
    fractured: list[str] = field(default_factory=list)
    known: list[str | None] = field(default_factory=list)
    """The vertebra whose fracture the history tells of."""
    announced: list[Mention] = field(default_factory=list)
    """What a heading such as "Acute fractures:" says of the list below it."""
    age: Mention | None = None
    """The age that a heading gives the findings below it: "Acute findings:"."""
    entered: list[Mention] = field(default_factory=list)
    """The fracture of a form's field ("Fracture: yes") until a later field names its level."""
    unnamed: bool = False
    """Whether fractures were spoken of without their levels."""
    treated: list[str] = field(default_factory=list)
    described: list[Mention] = field(default_factory=list)
    """What was found, fracture and edema, in the vertebra described last."""
    spoken: list[Mention] = field(default_factory=list)
    """The edema, cleft or retropulsion that the sentence before spoke of, wherever it was."""
    spoken_at: int = -9
    ages: dict[str, str] = field(default_factory=dict)
    """How old each fracture was called, by level."""
    disc: list[str] = field(default_factory=list)
    """The two bodies beside the disc named last."""


def find_places(view: SentenceWords, state: Discourse) -> list[Place]:
    """Every place in the sentence where vertebrae are named, referred to, or left unnamed."""
    places: list[Place] = []
    label = view.sentence.label.lower().replace("processes", "process").split()
    for at, group in view.groups:
        part = group.part
        if view.words[at - 1 : at] and view.words[at - 1] in _LENT and "volume" in view.words[max(0, at - 3) : at]:
            continue  # "partial volume from T7"
        if part == "body" and view.words[at - 1 : at] == ["process"] or _of_a_process(view.words, at):
            part = "process"  # "fractured left transverse processes L1 to L3"
        if part == "disc" and group.joined and _fracture_pair(view, at):
            part = "body"
        elif part == "process" and "into" in view.words and "body" in view.words[view.words.index("into") :]:
            part = "body"  # "runs from the L2 spinous process through both pedicles into the body"
        elif part == "body" and not _PROCESS_WORDS.isdisjoint(label):
            part = "process"  # "Transverse processes: left L1 and L2 fractures"
        levels: list[str | None] = [level for level in _extended(view.words, at, group.levels) if level[0] != "S"]
        places.append(Place(at, at + 1, levels, NAMED, group, part))
    _chain(view, places)
    named_at = [place.at for place in places]
    cues = [cue for cue in view.cues if cue.label in ("reference", "unnamed")]
    cues.sort(key=lambda c: (c.start, -(c.end - c.start)))
    cues = [cue for cue in cues if not _no_place(view, cue)]
    last_end = -1
    for cue in cues:
        if cue.start < last_end:
            continue
        if cue.label == "unnamed":
            named = next(
                (
                    p
                    for p in places
                    if (cue.end <= p.at < cue.end + 5 or _bracketed(view, cue, p.at))
                    and p.group
                    and not _unnamed_stands(view, cue, p.at)
                ),
                None,
            )
            if named is not None and named.part == "body":  # "three contiguous levels, T11-L1"
                announced = [level for p in places if p.chain == named.chain and p.group for level in p.levels]
                places.append(Place(cue.start, cue.end, announced, NAMED))
                last_end = cue.end
                continue
            if _undergone(view, cue, places):
                continue
            if (
                _goes_on(view, cue, places)
                or _one_more(view, cue)
                or _there(view, cue)
                or _labelled(view, cue)
                or _from_there(view, cue)
            ):
                continue
            if apposed := _apposed(view, cue, places):
                places.append(Place(cue.start, cue.end, apposed, NAMED))
                last_end = cue.end
                continue
            if any(
                cue.start <= at < cue.end + 5 and not _unnamed_stands(view, cue, at) for at in named_at
            ) or _counted_list(view, cue):
                continue
            region = _region(view.words[cue.start : cue.end]) or _region(view.sentence.label.lower().split())
            if not region and view.words[cue.end : cue.end + 1] == ["of"]:
                region = _region(view.words[cue.end : cue.end + 6])
            places.append(Place(cue.start, cue.end, [None], NAMED, region=region))
            last_end = cue.end
            continue
        place = _refer(view, cue, places, state)
        if place is not None:
            places.append(place)
            last_end = cue.end
    places.sort(key=lambda p: p.at)
    return places


_LENT = frozenset(["from", "with", "of"])
_OF_PROCESS = _PROCESS_WORDS - {"rib", "facet"}


def _of_a_process(words: Sequence[str], at: int) -> bool:
    return at > 1 and words[at - 2] in _OF_PROCESS and words[at - 1] in ("of", "at", "from")


def _bracketed(view: SentenceWords, cue: Mention, at: int) -> bool:
    """ "Multiple fractures across the thoracolumbar junction (T11, T12 and L2)"."""
    return (
        cue.end < at <= cue.end + 9
        and view.words[at - 1] in ("(", ":")
        and (view.words[at - 1] == ":" or VERBS.isdisjoint(view.words[cue.end : at]))
        and {",", ";", "and"}.isdisjoint(view.words[cue.end : at])
    )


def _apposed(view: SentenceWords, cue: Mention, places: Sequence[Place]) -> list[str | None]:
    """ "STIR signal fills T11, T12 and L1, three compression fractures": as many as were just named."""
    count = _count(view.words[cue.start : cue.end])
    last = next((p for p in reversed(places) if p.group is not None and p.end <= cue.start), None)
    if not count or last is None or view.words[last.end : cue.start] not in _APPOSED:
        return []
    levels = [level for p in places if p.chain == last.chain and p.group is not None for level in p.levels]
    return levels if len(levels) == count else []


_APPOSED = ([","], ["-"], ["("], [":"], [",", "all"], ["are"], ["represent"], [",", "the"])


def _there(view: SentenceWords, cue: Mention) -> bool:
    """ "At T10 and L1 there are further deformities" names them."""
    return view.words[cue.start - 3 : cue.start] in (["<level>", "there", "is"], ["<level>", "there", "are"])


def _from_there(view: SentenceWords, cue: Mention) -> bool:
    """ "T5, two levels above": counted from another."""
    return view.words[cue.start - 2 : cue.start] == ["<level>", ","] and view.words[cue.end : cue.end + 1] in (
        ["above"],
        ["below"],
        ["higher"],
        ["lower"],
    )


def _undergone(view: SentenceWords, cue: Mention, places: Sequence[Place]) -> bool:
    """ "The T12 body has undergone further collapse": its own."""
    return view.words[cue.start - 1 : cue.start] in (["undergone"], ["sustained"], ["suffered"], ["show"]) and any(
        place.group is not None and place.part == "body" and place.end <= cue.start for place in places
    )


def _goes_on(view: SentenceWords, cue: Mention, places: Sequence[Place]) -> bool:
    """ "L1 shows gas and further collapse since May": its own collapse."""
    return (
        view.words[cue.start] == "further"
        and view.words[cue.end - 1] in ("collapse", "compression", "wedging", "flattening")
        and cue.end - cue.start <= 3
        and any(place.group is not None and place.part == "body" and place.end <= cue.start for place in places)
    )


def _labelled(view: SentenceWords, cue: Mention) -> bool:
    """ "L1: further fracture" is at L1."""
    return (
        len(view.groups) == 1
        and view.offsets[view.groups[0][0]] < view.sentence.label_end
        and not any(at in view.plural for at in range(cue.start, cue.end))
        and _count(view.words[cue.start : cue.end]) < 2
    )


def _one_more(view: SentenceWords, cue: Mention) -> bool:
    """ "This may represent a further fracture" is one, of the vertebra spoken of."""
    return (
        not {"a", "an"}.isdisjoint(view.words[max(0, cue.start - 3) : cue.start])
        and view.words[cue.start] in ("further", "additional", "other")
        and cue.end - cue.start <= 4
        and not any(at in view.plural for at in range(cue.start, cue.end))
    )


def _no_place(view: SentenceWords, cue: Mention) -> bool:
    """ "Remaining height 60%", "until proven otherwise", "isointense to the other bodies" name no other vertebra."""
    return (
        "<percent>" in view.words[cue.end : cue.end + 4]
        and view.words[cue.end - 1] == "height"
        or view.words[cue.start - 1 : cue.start] == ["proven"]
        or cue.value in ("above", "below")
        and view.words[cue.end : cue.end + 1] in (["its"], ["the"])
        and "endplate" in " ".join(view.words[cue.end : cue.end + 5]).replace("end plate", "endplate")
        or view.words[cue.start] == "otherwise"
        and view.words[cue.start - 1 : cue.start] in (["is"], ["are"], ["was"])
        or cue.value == "elsewhere"
        and any(m.label == "marrow_edema" and m.start <= cue.start < m.end for m in view.mentions)
    )


def _unnamed_stands(view: SentenceWords, cue: Mention, at: int) -> bool:
    """Whether a level right after "several thoracic fractures" leaves them unnamed ("... and L1")."""
    between = view.words[cue.end : at]
    return "and" in between and not any(word in between for word in ("of", "at", "in"))


def _counted_list(view: SentenceWords, cue: Mention) -> bool:
    """ "three compression fractures: ..." announces levels that follow."""
    rest = view.words[cue.end : cue.end + 6]
    return any(word in (":", "follow", "following", "below") for word in rest)


def _region(words: Iterable[str]) -> str:
    return (
        " ".join(
            word
            for word in words
            if word in ("upper", "mid", "middle", "lower", "thoracic", "dorsal", "lumbar", "cervical")
        )
        .replace("dorsal", "thoracic")
        .replace("middle", "mid")
    )


def _fracture_pair(view: SentenceWords, at: int) -> bool:
    """Whether "T12/L1" or "L1-L2" means two bodies: a fracture noun stands right beside it and no disc."""
    words = view.words
    after = words[at + 1 : at + 5]
    if after and after[0] in _DISC_NOUNS:
        return False
    slashed = view.words[at + 1 : at + 3] in (
        ["old", "wedge"],
        ["wedge", "deformity"],
        ["wedging", ","],
        ["wedge", ","],
    )
    for mention in view.mentions:
        if mention.label not in ("fracture", "augmented", "injury") or mention.value == "soft" and not slashed:
            continue
        if mention.label == "augmented" and not {"intradiscal", "disc", "leak"}.isdisjoint(words[max(0, at - 6) : at]):
            continue
        if words[mention.end : mention.end + 1] == ["dislocation"]:
            continue  # of the segment, not of both bodies
        if (
            mention.start >= at + 1
            and mention.start <= at + 4
            and not any(w in BLOCKS or w in PREPOSITIONS for w in words[at + 1 : mention.start])
        ):
            return True
        gap = words[mention.end : at]
        if (
            mention.end <= at
            and len(gap) <= 6
            and (
                any(w in ("of", "at", "involving", "in", "affecting") for w in gap)
                or not gap
                and (mention.label == "injury" or mention.end - 1 in view.plural)
            )
            and not any(w in BLOCKS or w in ("disc", "level", "junction") for w in gap)
        ):
            return True
    return False


def _extended(words: Sequence[str], at: int, levels: list[str]) -> list[str]:
    """ "Every body from T8 downwards": T8 to L5."""
    if len(levels) != 1 or "<percent>" in words:
        return levels  # "from T6 downwards 20%, 30% and 40%" names an order
    if words[at - 1 : at] == ["below"] and not _EVERY_BODY.isdisjoint(words[max(0, at - 6) : at]):
        return level_range(levels[0], "L5")[1:] or levels
    if words[at - 1 : at] == ["above"] and not _EVERY_BODY.isdisjoint(words[max(0, at - 6) : at]):
        return level_range("T1", levels[0])[:-1] or levels
    if words[at - 1 : at] != ["from"]:
        return levels
    after = words[at + 1 : at + 3]
    if words[at + 1 : at + 4] in (["to", "the", "sacrum"], ["through", "the", "sacrum"]) or after == ["to", "sacrum"]:
        return level_range(levels[0], "L5")
    if after[:1] and after[0] in _DOWN or after in (["and", "below"], ["on", "down"]):
        return level_range(levels[0], "L5")
    if after[:1] and after[0] in _UP or after in (["and", "above"], ["on", "up"]):
        return level_range("T1", levels[0])
    return levels


_EVERY_BODY = frozenset(["every", "all", "each"])
_DOWN = frozenset("down downward downwards caudally caudad inferiorly".split())
_UP = frozenset("up upward upwards cranially cephalad superiorly".split())


def _chain(view: SentenceWords, places: list[Place]) -> None:
    """Join lists that adjectives or parentheses interrupt: "T9 (new), L2 and old T6"."""
    number = 0
    for index, place in enumerate(places):
        place.chain = number
        if index + 1 < len(places):
            following = places[index + 1]
            repeated = any(level in place.levels for level in following.levels)
            if (
                repeated
                or place.part != following.part
                or place.part != "body"
                or view.words[following.end : following.end + 1]
                and view.words[following.end] in _OWN_NOUN
                or view.words[place.at - 1 : place.at] == ["unlike"]
                or not (_chained(view.words[place.end : following.at]) or resumed(view.words, place, following))
                or _next_clause(view.words, place, following)
            ):
                number += 1
    return


def resumed(words: Sequence[str], place: Place, following: Place) -> bool:
    """ "of T12, the loss of height being under 25%, and of L1": the preposition takes up the list again."""
    lead, between = words[place.at - 1 : place.at], words[place.end : following.at]
    if lead not in (["at"], ["of"], ["in"]) or between[-1:] != lead or len(between) > 24 or ";" in between:
        return False
    if "and" not in between or between[0] not in (",", "with", "of"):
        return False
    tail = between[len(between) - between[::-1].index("and") : -1]
    after = words[following.end : following.end + 1]
    aside = not tail or tail[0] == tail[-1] == "," and len(tail) > 2
    return aside and len(between) > 3 and after in _CLOSED


_CLOSED = ([","], ["."], [";"], ["where"], ["which"], ["by"], ["with"], ["without"])


def _next_clause(words: Sequence[str], place: Place, following: Place) -> bool:
    """ "The fractured vertebra is L2, L1 is intact", "fracture of L2, L4 at risk": two clauses, not a list."""
    if words[place.end : following.at] == [","] and words[following.end : following.end + 2] == ["at", "risk"]:
        return True
    return (
        words[place.end : following.at] == [","]
        and words[place.at - 1 : place.at] in (["is"], ["was"], ["of"], ["at"], ["in"])
        and words[following.end : following.end + 1] in (["is"], ["was"], ["has"], ["show"], ["remain"], ["appear"])
    )


def _two_discs(places: Sequence[Place], cue: Mention) -> list[Place]:
    """ "The L4/5 and L5/S1 discs are degenerate, the latter ..." speaks of a disc."""
    discs = [place for place in places if place.at < cue.start and place.part == "disc"]
    bodies = [place for place in places if place.at < cue.start and place.part == "body"]
    return discs if len(discs) > 1 and not bodies else []


_BY_FRACTION = (["half"], ["a"], ["one"], ["two"], ["three"])
_FRACTIONS = frozenset("half third quarter fifth".split())
_ADVERBS = frozenset("currently now presently still clearly again together".split())
_SUPERLATIVE = frozenset(
    "most least worst largest smallest oldest newest freshest youngest severest only latest".split()
)


def _told_before(place: Place, before: Sequence[Place]) -> bool:
    """ "D7 to D10 are wedged, D9 the most": a level of a list, named once more."""
    return place.group is not None and any(
        other.at < place.at and other.group is not None and set(place.levels) < set(other.levels) for other in before
    )


def _chained(between: Sequence[str]) -> bool:
    if between[:1] == [")"] and between[-1:] == ["("]:
        between = between[1:-1]  # "acute (T12, L1) and chronic (T6) fractures"
    if between[-1:] and between[-1] in ("at", "in", "for") and between[-2:-1] and between[-2] in _FRACTIONS:
        return False  # "20% at T12 and about half at L2"
    if any(word == "by" and between[at + 1 : at + 2] in _BY_FRACTION for at, word in enumerate(between)):
        return False  # "T12 by half, and L4 by 30%"
    depth = 0
    linked = aside = False
    for at, word in enumerate(between):
        if word == "which" and depth == 0:
            aside = True  # "at T8, which is acute, and at L1"
        elif word in ("now", "already", "previously", "first") and between[at - 1 : at] == [","]:
            aside = True  # "of T9, now confirmed by comparison with a film of 2020, and of L3"
        elif word == "with" and between[at - 1 : at] == [","] and between[-1] in ("at", "of", "in"):
            aside = True  # "fractures at T8, with edema, and at L1, with none"
        elif aside:
            aside = word != ","
        elif word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif word in ("above", "below") and between[at + 1 : at + 2] in (["and"], [","]):
            continue  # "L2 below and T12 above"
        elif depth == 0:
            if word not in FILLERS and word not in _MEASURE and not word.isdigit():
                return False
            linked = (
                linked
                or word == ","
                and between[at + 1 : at + 2] not in (["which"], ["with"])
                or word in ("and", "&", "+", "or", "nor", "plus", "/", "well")
            )
    return linked and depth == 0 and not aside


def _refer(view: SentenceWords, cue: Mention, places: list[Place], state: Discourse) -> Place | None:
    """Resolve "both", "the latter", "the remaining fractures" ... from what was named before."""
    kind = cue.value
    before = [p for p in places if p.at < cue.start and p.part == "body" and p.levels and None not in p.levels]
    before.sort(key=lambda place: place.at)
    if cue.end - cue.start == 1 and view.words[cue.start] in (
        "both",
        "each",
        "neither",
        "these",
        "they",
        "them",
        "all",
    ):
        following = next((w for w in view.words[cue.end : cue.end + 2] if w not in _ADVERBS), ".")
        governed = view.words[cue.start - 1 : cue.start] in (["in"], ["of"], ["at"], ["within"])
        if governed and following in ("on", "upon"):
            pass  # "persists in each on the STIR series"
        elif following not in VERBS and following not in _AFTER_REFERENCE and not _both_do(view, cue, following):
            return None  # "both pedicles", "each side"
    if view.words[cue.start - 1 : cue.start + 1] == ["<percent>", "each"] and any(
        0 < cue.start - other.end <= 5 for other in view.cues if other.label == "reference"
    ):
        return None  # "the first two by 20% each"
    if view.words[cue.end - 1] in ("first", "second", "last"):
        following = (view.words[cue.end : cue.end + 1] or ["."])[0]
        measured = "<percent>" in view.words[cue.end : cue.end + 3]  # "the last by about 35%"
        if not measured and following not in VERBS | _AFTER_REFERENCE:
            return None  # "the first image", "the last study"
    if view.words[cue.start] == "none" and any(p.spared for p in places):
        return None  # "apart from L1 none shows edema": of those already meant
    if view.words[cue.start] == "all" and view.words[cue.start - 2 : cue.start] in (["most", "of"], ["least", "of"]):
        return None  # "the middle one most of all"
    if view.words[cue.start] == "neither" and view.words[cue.end + 1 : cue.end + 2] in (["the"], ["that"], ["<level>"]):
        return None  # "T11 shows no edema, and neither does the L1 fracture"
    if view.words[cue.start - 1 : cue.end] == ["at", "all"]:
        return None  # "no signal change at all"
    if view.words[cue.end - 1] == "each" and view.words[cue.end : cue.end + 2] == ["of", "<level>"]:
        return None  # "20% at each of L1 and L4"
    told_of = view.words[cue.start - 1 : cue.end] in ([",", "each"], ["and", "each"])
    if told_of and not before and any(p.group for p in places):
        return None  # "Endplate fractures, each with 10% height loss, are present at T10 and L1"
    if kind == "this" and view.words[cue.end : cue.end + 1] == ["("] and any(p.at == cue.end + 1 for p in places):
        return None  # "the compressed bodies (T10, T12, L2)"
    if kind in ("both", "these") and _compared(view.words, cue.start):
        return None  # "the flatter of the two"
    if view.words[cue.start - 1 : cue.start] == ["of"] and not _SUPERLATIVE.isdisjoint(
        view.words[max(0, cue.start - 4) : cue.start - 1]
    ):
        return None  # "T12 is the most recent of them"
    if view.words[cue.start - 1 : cue.start] == ["between"] and cue.start:
        return None  # "T8, between them"
    in_sentence: list[str] = []
    for place in before:
        in_sentence += [level for level in place.levels if level and level not in in_sentence]
    named_here = [level for place in before if place.group is not None for level in place.levels if level]
    last_list = _last_list([place for place in before if place.group is not None], state)
    levels: list[str | None] | None = None
    how = REFERENCE
    across = next((p for p in reversed(places) if p.part == "disc" and p.at < cue.start and len(p.levels) == 2), None)
    if kind == "both" and across is not None and not before and "body" in view.words[cue.start : cue.end + 1]:
        levels = list(across.levels)  # "discitis of D9-D10 with collapse of both bodies"
    elif (
        kind == "both" and state.heading_how == "disc" and state.disc and "body" in view.words[cue.start : cue.end + 1]
    ):
        levels = list(state.disc)  # "L2-L3: edema of both bodies"
    elif kind == "both":
        pair = last_list if len(last_list) == 2 else in_sentence[-2:] if len(in_sentence) >= 2 else None
        if pair is None and len(last_list) > 2:
            pair = next((listed for listed in reversed(state.lists) if len(listed) == 2), None)
        if pair is None:
            recent: list[str] = []
            for listed in reversed(state.lists):
                for level in reversed(listed):
                    if level not in recent:
                        recent.append(level)
                if len(recent) >= 2:
                    break
            pair = list(reversed(recent[:2])) if len(recent) >= 2 else None
        if pair is None and not _BODY_WORDS.isdisjoint(view.words[cue.start : cue.end + 1]):
            pair = state.disc  # "centered on the T9/T10 disc. Collapse of both bodies"
        levels = list(pair) if pair else None
    elif kind == "these":
        count = _count(view.words[cue.start : cue.end])
        options = [
            in_sentence,
            last_list,
            _recent_lists(state, 2),
            _recent_lists(state, 4),
            state.fractured,
            state.treated,
        ]
        wanted = (
            next((o for o in options if len(o) == count), None)
            if count
            else next((o for o in (in_sentence, last_list, state.fractured) if len(o) >= 2), None)
        )
        if wanted is None and not count and not state.fractured:
            told = len(view.percents) if len(view.percents) > 1 else 0
            wider = [_recent_lists(state, last) for last in (2, 3, 4)]
            wanted = next((o for o in wider if len(o) == told or not told and 2 <= len(o) <= 5), None)
        if wanted is None and not count or view.words[cue.start] == "every" and len(state.fractured) > 2:
            wanted = state.fractured or last_list
        levels = list(wanted) if wanted else None
    elif kind == "this":
        levels = list(before[-1].levels) if before else list(state.heading or state.focus or state.known) or None
    elif kind in ("former", "latter") and (discs := _two_discs(places, cue)):
        return Place(cue.start, cue.end, list(discs[0 if kind == "former" else -1].levels), NAMED, part="disc")
    elif kind in ("former", "latter"):
        source = [level for place in before if place.how == NAMED for level in place.levels if level]
        if len(last_list) == 2 and any(place.group is not None for place in before):
            source = last_list  # "L1 ..., whereas in D12 and in L3 ..., of 20% the first and of 30% the second"
        counted = not {"first", "second", "last"}.isdisjoint(view.words[cue.start : cue.end])
        if len(source) < 2 and counted and len(last_list) > 1:
            source = last_list
            if not before and len(state.lists) > 1 and set(last_list) < set(state.lists[-2]):
                source = state.lists[-2]  # "The first two measure 20%. The last ..."
        if len(source) < 2:
            source = next((pair for pair in reversed(state.lists) if len(pair) == 2), [])
        if len(source) < 2:
            source = _recent_lists(state, 2)[-2:]
        if len(source) >= 2:
            second = "second" in view.words[cue.start : cue.end]  # of three: "the second of which"
            levels = [source[0] if kind == "former" else source[1] if second else source[-1]]
    elif kind == "all":
        if any(p.group is not None and p.at == cue.end + 1 for p in places) and view.words[cue.end] in _SPANS:
            return None  # "at every level from T10 to L2"
        if any(p.group is not None and cue.end < p.at <= cue.end + 3 and view.words[p.at - 1] == "(" for p in places):
            return None  # "all the fractures described (T8, T10, T12)"
        levels, how = [], EVERY
    elif kind == "remaining":
        if any(p.group is not None and cue.end < p.at <= cue.end + 2 for p in places):
            return None  # "the remaining deformities at T10, T12 and L1"
        picked = [
            level
            for p in places
            if p.at < cue.start and (p.group is None and p.how == REFERENCE or _told_before(p, before))
            for level in p.levels
        ]
        whole = in_sentence if any(p.group is not None for p in before) else last_list
        rest = [level for level in whole if level not in picked]
        if picked and 0 < len(rest) < len(whole) and _count(view.words[cue.start : cue.end]) in (0, len(rest)):
            # "T6, T7 and T8: the middle one ..., the other two ..."
            return Place(cue.start, cue.end, [*rest], REFERENCE)
        wider = next((o for o in [*reversed(state.lists), state.fractured] if len(o) > len(named_here)), [])
        rest = [level for level in wider if level not in named_here]
        counted = len(rest) == _count(view.words[cue.start : cue.end]) > 1
        if counted and named_here and "<percent>" in view.words[max(0, cue.start - 3) : cue.start]:
            return Place(cue.start, cue.end, [*rest], REFERENCE)  # "40% at L1 and 25% at the remaining two"
        if "<percent>" in view.words[cue.end : cue.end + 5]:  # "60% at T8, the others 20-25%"
            return Place(cue.start, cue.end, [*rest], REFERENCE) if rest and named_here else None
        levels, how = [], REMAINING
    elif kind == "all_except":
        if view.words[cue.start] not in _ALL and any(m.end <= cue.start for m in view.mentions if m.label in _SPARED):
            return None  # "all edematous apart from L1": taken out of what was said, see ellipsis
        spared = next((p for p in places if cue.end <= p.at <= cue.end + 2 and p.group is not None), None)
        whole = [p for p in before if spared is not None and p.group is not None and set(spared.levels) < set(p.levels)]
        if spared is not None and whole and view.words[cue.start] not in _ALL:
            if not any(m.end <= cue.start for m in view.mentions if m.label in _SPARED):
                # "all of T4 to T9 with the exception of T6 are fractured"; when the finding stands before, see ellipsis
                whole[-1].levels = [level for level in whole[-1].levels if level not in spared.levels]
                places.remove(spared)
            return None
        told = spared is not None and view.words[spared.end : spared.end + 2] == [",", "which"]
        if spared is not None and cue.start == 0 and not told and (later := _stated_whole(view, spared, places)):
            later[-1].listed = any(set(spared.levels) <= set(place.levels) for place in later)
            for place in later:
                place.levels = [level for level in place.levels if level not in spared.levels]
            later[-1].spared = list(spared.levels)
            places.remove(spared)
            return None
        known = state.fractured if spared is None or len(in_sentence) <= len(spared.levels) else in_sentence
        if spared is not None and not known and view.words[cue.start] in _ALL:
            places.remove(spared)
            return Place(cue.start, cue.end, [], EVERY, spared=list(spared.levels))
        if spared is None or len(known) <= len(spared.levels):
            return None
        levels = [level for level in known if level not in spared.levels]
        if view.words[spared.end : spared.end + 2] not in ([",", "where"], [",", "which"]):
            places.remove(spared)
        return Place(cue.start, cue.end, levels, how, spared=list(spared.levels))
    elif kind == "first":
        count = _count(view.words[cue.start : cue.end])
        source = next(
            (listed for listed in [in_sentence, *reversed(state.lists), state.fractured] if len(listed) > count), None
        )
        levels = list(source[:count]) if source else None
    elif kind == "regional":
        letter = "L" if "lumbar" in view.words[cue.start : cue.end] else "T"
        here = [level for place in before if place.group is not None for level in place.levels if level]
        listed = next((o for o in [here, last_list, state.fractured] if len(o) > 1), [])
        levels = [level for level in listed if level[0] == letter]
        count = _count(view.words[cue.start : cue.end])
        if count and len(levels) != count:
            levels = [level for level in state.fractured if level[0] == letter]
        if not levels or any(p.group is not None for p in places) and len(levels) == len(listed):
            return None
    elif kind in ("recent_ones", "old_ones"):
        levels = _of_that_age(view, cue, places, state, recent=kind == "recent_ones")
        if levels is None:
            return None
    elif kind in ("but_last", "but_first"):
        source = next((o for o in [in_sentence, *reversed(state.lists), state.fractured] if len(o) > 2), None)
        if source is None:
            return None
        spared = source[-1:] if kind == "but_last" else source[:1]
        levels = [level for level in source if level not in spared]
        return Place(cue.start, cue.end, levels, how, spared=list(spared))
    elif kind == "ends":
        source = next((o for o in [in_sentence, *reversed(state.lists)] if len(o) >= 3), None)
        levels = [source[0], source[-1]] if source else None
    elif kind == "final":
        count = _count(view.words[cue.start : cue.end])
        source = next((o for o in [in_sentence, *reversed(state.lists), state.fractured] if len(o) > count), None)
        levels = list(source[-count:]) if source else None
    elif kind == "third":
        source = next((o for o in [in_sentence, *reversed(state.lists)] if len(o) >= 3), None)
        levels = [source[1 if "third" not in view.words[cue.start : cue.end] else 2]] if source else None
    elif kind in ("upper", "lower"):
        said = view.words[cue.start : cue.end]
        count = (0 if "of" in said else _count(said)) or 1  # "the lower of the two"
        here = [level for place in before if place.group is not None for level in place.levels if level]
        listed = next((o for o in [here, last_list, state.fractured] if len(o) > count), None)
        named = next((p.at for p in places if p.group is not None and cue.end <= p.at <= cue.end + 6), cue.end)
        if "at" in view.words[cue.end : named] and "and" not in view.words[cue.end : named]:
            return None  # "the lowest of the fractures is at T10"
        following = (view.words[cue.end : cue.end + 1] or ["."])[0]
        stands = view.words[cue.end - 1] in ("one", "two", "three", "pair") or following in VERBS | _AFTER_REFERENCE
        lead = view.words[cue.start - 1 : cue.start]
        stands = stands or lead in (["in"], ["at"], ["within"]) and following in ("a", "an", "no", "there")
        if listed is None or following in _ANATOMY or not stands:
            return None
        ranked = sorted(listed, key=lambda level: _RANK.get(level, 99.0))
        levels = list(ranked[:count] if kind == "upper" else ranked[-count:])
    elif kind == "between":
        ends = state.treated[-2:] if len(state.treated) >= 2 else (state.lists[-1][-2:] if state.lists else [])
        if len(ends) == 2:
            levels = list(level_range(ends[0], ends[1])[1:-1]) or None
    elif kind == "disc_bodies":
        levels = list(state.disc) or None
    elif kind == "elsewhere":
        return Place(cue.start, cue.end, [], REFERENCE, part="elsewhere")
    elif kind in ("above", "below"):
        if view.words[cue.start - 1 : cue.start] == ["<level>"]:
            return None  # "the L1 body below its cement"
        if view.words[cue.start - 3 : cue.start - 1] == ["<level>", ","]:
            return None  # "L2, two levels below": L2 is meant
        named = [level for place in before if place.how == NAMED for level in place.levels if level]
        anchor = named[-1:] or state.treated[-1:] or [level for level in state.focus[-1:] if level]
        target = neighbor(anchor[0], -1 if kind == "above" else 1) if anchor else None
        levels = [target] if target else None
    elif kind == "treated":
        if view.words[cue.end : cue.end + 2] == ["is", "<level>"]:
            return None  # "the cemented vertebra is L2"
        pointed = {*view.words[cue.start : cue.start + 1], *view.words[cue.start - 1 : cue.start]}
        if pointed.isdisjoint(_POINTERS) and any(p.group is not None and p.end <= cue.start for p in places):
            return None  # "L2: cemented fracture"
        levels = list(state.treated) or None
    elif kind == "around":
        anchor = [level for place in before[-1:] for level in place.levels if level][-1:]
        anchor = anchor or [level for level in state.focus if level and len(state.focus) == 1]
        levels = [level for step in (-1, 1) for level in [neighbor(anchor[0], step)] if level] if anchor else None
    elif kind == "neighbors":
        around = [neighbor(level, step) for level in state.treated[-1:] for step in (-1, 1)]
        levels = list(state.disc) or [level for level in around if level] or None
    if levels is None:
        return None
    return Place(cue.start, cue.end, levels, how)


def _stated_whole(view: SentenceWords, spared: Place, places: Sequence[Place]) -> list[Place]:
    """ "With the exception of T12, the fractures (T10, T12, L2) ...", "apart from L3, all, namely L1 and L2, ..."."""
    later = [p for p in places if p.group is not None and p.part == "body" and p.at > spared.at]
    named = [level for place in later for level in place.levels]
    if len(named) > 1 and (set(spared.levels) < set(named) or not _ALL.isdisjoint(view.words[: later[0].at])):
        return [place for place in later if set(place.levels) - set(spared.levels)]
    return []


def _of_that_age(
    view: SentenceWords, cue: Mention, places: Sequence[Place], state: Discourse, *, recent: bool
) -> list[str | None] | None:
    """ "T8 (old), L1 (new) and L2 (new). The new ones are edematous": those called so before, where not all are."""
    if state.heading or any(place.group is not None and place.at >= cue.start for place in places):
        return None  # "the acute fracture with the cleft is at L1"
    if view.words[cue.start - 1 : cue.start] == ["of"]:
        return None  # "both of the new fractures"
    known = [level for level in state.fractured if level in state.ages]
    meant: list[str | None] = [level for level in known if (state.ages[level] != "chronic") is recent]
    several = any(at in view.plural for at in range(cue.start, cue.end)) or view.words[cue.end : cue.end + 1] in (
        ["are"],
        ["were"],
        ["have"],
    )
    if not meant or len(meant) == len(state.fractured) or not several and len(meant) > 1:
        return None
    count = _count(view.words[cue.start : cue.end])
    return meant if count in (0, len(meant)) else None


def _both_do(view: SentenceWords, cue: Mention, following: str) -> bool:
    """ "Both light up on STIR": a verb not known, for no noun with a verb of its own follows ("both pedicles are")."""
    return (
        cue.start == 0
        and view.words[0] == "both"
        and following.isalpha()
        and VERBS.isdisjoint(view.words[cue.end + 1 : cue.end + 3])
        and not any(m.start == cue.end and m.label in _NOUNS for m in view.mentions)
        and following not in _ANATOMY
        and following not in _SIDES
        and following not in PREPOSITIONS
    )


_POINTERS = frozenset("the this that these those both either each at of in".split())
_NOUNS = frozenset("pedicle_involvement neural mimic injury".split())


def _compared(words: Sequence[str], at: int) -> bool:
    at = at if words[at] == "of" else at - 1
    if at > 2 and words[at] == "of" and words[at - 3 : at - 1] in (["the", "more"], ["the", "most"], ["the", "less"]):
        return True  # "the more recent of the two"
    if at < 2 or words[at] != "of" or words[at - 2] != "the":
        return False
    return words[at - 1][-2:] in ("er", "st") or words[at - 1] == "worse"


def _last_list(before: Sequence[Place], state: Discourse) -> list[str]:
    if before:
        chain = before[-1].chain
        return [level for place in before if place.chain == chain for level in place.levels if level]
    return state.lists[-1] if state.lists else []


def _recent_lists(state: Discourse, count: int) -> list[str]:
    levels: list[str] = []
    for listed in state.lists[-count:]:
        levels += [level for level in listed if level not in levels]
    return levels


_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}


def _count(words: Sequence[str]) -> int:
    return next((n for word, n in _COUNTS.items() if word in words), 0)
