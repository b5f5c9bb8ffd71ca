"""Linking: which vertebra a finding is said of.

The sentence is asked first, then the label it stands under, then what the report was speaking of. In order:

=====================================================  ================================================
"T8 (old) and L1 (20%)", "acute T8 and subacute T9"    a parenthesis or adjective inside a list: its own level
"L1 compression fracture"                              the level right before the finding
"edema in the upper half of L1", "fracture is at T8"   the level a preposition leads to
"T12 is wedged, with 40% loss of height"               the nearest level before it in the clause
"a fracture is seen, most likely L1"                   the next level of the clause, then of the sentence
"both show edema", "neither", "the former"             a reference, resolved from the levels named before
"T8:" on a line above                                  the label
"No retropulsion."                                     the levels last spoken of; without any, all fractures
=====================================================  ================================================

Lists of percentages are dealt out over lists of levels ("T8 and L1 ... 30% and 50%"), and so are words of age before
"respectively".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vertriage.assertion import VERBS, clause_starts
from vertriage.levels import LevelGroup, level_range, neighbor
from vertriage.lexicon import Entry, word_list
from vertriage.targets import Mention, SentenceWords

NAMED, REFERENCE, HEADING, FOCUS, EVERY, REMAINING = 5, 4, 3, 2, 1, 0
"""How a finding was linked, from the surest down. ``EVERY``: all fractures of the report; ``REMAINING``: all others."""

FINDINGS = frozenset(
    "fracture marrow_edema cleft cleft_content retropulsion augmented acuity convex_posterior_border "
    "pedicle_involvement soft_tissue_mass marrow_replacement osseous_destruction percent".split()
)
_MOVES_FOCUS = FINDINGS - {"acuity", "cleft_content"}

_PREPOSITIONS = frozenset(
    "of at in within involving involve through throughout affecting on along beneath under underneath deep to "
    "near adjacent into across inside around about surrounding subjacent paralleling under for over extending".split()
)
_BLOCKS = frozenset(
    ", ; : ( ) - . but with without which that while whereas than versus compared relative like unlike similar "
    "from above below no not who where when although though however than causing resulting containing other "
    "except apart save besides".split()
)
_COPULAS = frozenset("is are was were has have been being remain remains appear seen".split())
_SIDES = word_list("sides")
_APPOSITION = frozenset(
    ", . presumed presumably approximately likely probably possibly level at about labelled labeled called "
    "designated".split()
)
_FRACTURE_NOUNS = word_list("fracture_nouns")
_DIFFUSE = word_list("diffuse")
_ONE_BODY = word_list("one_body")
_NEVER_OF_A_DISC = frozenset("percent fracture marrow_edema cleft".split())
_DETERMINERS = frozenset("and or the a an there this these that its their".split())
_FILLERS = word_list("list_fillers")
_DISC_NOUNS = word_list("disc_nouns")


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


@dataclass(slots=True)
class Link:
    """A finding and the vertebrae it is said of."""

    mention: Mention
    levels: list[str | None]
    how: int
    view: SentenceWords
    order: int
    ambiguous: bool = False
    value: float | None = None
    """For a percentage: the number dealt to ``levels``."""
    region: str = ""


@dataclass(slots=True)
class Discourse:
    """What the report has spoken of so far."""

    section: str = ""
    heading: list[str | None] = field(default_factory=list)
    heading_how: str = ""
    focus: list[str | None] = field(default_factory=list)
    lists: list[list[str]] = field(default_factory=list)
    """Lists of levels with a vertebral finding, oldest first."""
    fractured: list[str] = field(default_factory=list)
    treated: list[str] = field(default_factory=list)
    disc: list[str] = field(default_factory=list)
    """The two bodies beside the disc named last."""


def link_findings(views: Sequence[SentenceWords]) -> list[Link]:
    """Link every vertebral finding of a report.

    Args:
        views: the sentences in text order, with asserted mentions.

    Returns:
        Links in text order. A finding that belongs to no vertebra has no link.
    """
    links: list[Link] = []
    state = Discourse()
    paragraph = -1
    previous_label = ""
    for order, view in enumerate(views):
        sentence = view.sentence
        if sentence.section in ("technique", "comparison", "title", "other"):
            continue
        if sentence.section != state.section:
            state.section = sentence.section
            state.heading, state.focus = [], []
            if sentence.section in ("impression", "addendum"):
                state.lists = []
        if sentence.paragraph != paragraph or sentence.item:
            state.heading_how = "" if state.heading_how == "disc" else state.heading_how
        if sentence.paragraph != paragraph:
            if not (state.heading and state.heading_how == "line" and paragraph >= 0 and _keeps_heading(view)):
                state.heading = []
            paragraph = sentence.paragraph
        elif sentence.item:
            state.heading = [] if state.heading_how != "line" or sentence.indent == 0 else state.heading
        places = _places(view, state)
        _heading(view, places, state, previous_label)
        previous_label = sentence.label or previous_label
        new = _link_sentence(view, places, state, order)
        links.extend(new)
        _advance(view, places, new, state)
    return links


def _keeps_heading(view: SentenceWords) -> bool:
    return not view.sentence.label and not view.groups


def _heading(view: SentenceWords, places: list[Place], state: Discourse, previous: str) -> None:
    """Set or clear the label that the following sentences stand under."""
    sentence = view.sentence
    if not sentence.label:
        return
    if sentence.heads:
        named = [
            level for place in places if place.group is not None and place.part == "body" for level in place.levels
        ]
        if named and all(word in _LABEL_WORDS or word in (":", ".") for word in view.words):
            state.heading, state.heading_how = named, "line"
        elif not _attribute_label(view):
            state.heading = []
        return
    label_words = sum(1 for offset in view.offsets if offset < sentence.label_end and offset >= 0)
    while label_words and view.words[label_words - 1] in (":", "-", "."):
        label_words -= 1
    named = [
        level
        for place in places
        if place.group is not None and place.part == "body" and place.at < label_words
        for level in place.levels
    ]
    if named and not all(word in _LABEL_WORDS for word in view.words[:label_words]):
        named = []
    if named:
        state.heading, state.heading_how = named, "item"
    elif only := _level_value(view, places, label_words):
        state.heading, state.heading_how = only, "line"
    elif any(place.part in ("disc", "cord") and place.at < label_words for place in places):
        state.heading, state.heading_how = [], "disc"
        state.disc = [
            level
            for place in places
            if place.part == "disc" and place.at < label_words
            for level in place.levels
            if level
        ]
    elif not (state.heading and state.heading_how == "line" and _attribute_label(view)):
        state.heading = []


def _level_value(view: SentenceWords, places: list[Place], label_words: int) -> list[str | None]:
    """The levels of a form line such as ``Segment: L1`` that says nothing else; the lines below it describe them."""
    rest = [word for word in view.words[label_words:] if word not in (":", ".", "-", "(", ")", ",", "and")]
    if rest and all(word == "<level>" for word in rest):
        return [level for place in places if place.part == "body" and place.at >= label_words for level in place.levels]
    return []


def _attribute_label(view: SentenceWords) -> bool:
    """A label such as ``Morphology`` or ``Marrow signal`` describes the level above it; ``Cord`` does not."""
    label = view.sentence.label.lower()
    return not any(word in label for word in _TOPICS)


_NOT_VERTEBRAL = word_list("not_vertebral")
_LABEL_WORDS = word_list("label_words")
_TOPICS = word_list("topics")


def _places(view: SentenceWords, state: Discourse) -> list[Place]:
    """Every place in the sentence where vertebrae are named, referred to, or left unnamed."""
    places: list[Place] = []
    for at, group in view.groups:
        part = group.part
        if part == "disc" and group.joined and _fracture_pair(view, at):
            part = "body"
        levels: list[str | None] = [level for level in group.levels if level[0] != "S"]
        places.append(Place(at, at + 1, levels, NAMED, group, part))
    _chain(view, places)
    named_at = [place.at for place in places]
    cues = [cue for cue in view.cues if cue.label in ("reference", "unnamed")]
    cues.sort(key=lambda c: (c.start, -(c.end - c.start)))
    last_end = -1
    for cue in cues:
        if cue.start < last_end:
            continue
        if cue.label == "unnamed":
            named = next(
                (
                    p
                    for p in places
                    if cue.end <= p.at < cue.end + 5 and p.group and not _unnamed_stands(view, cue, p.at)
                ),
                None,
            )
            if named is not None and named.part == "body":  # "three contiguous levels, T11-L1"
                places.append(Place(cue.start, cue.end, list(named.levels), NAMED))
                last_end = cue.end
                continue
            if any(
                cue.start <= at < cue.end + 5 and not _unnamed_stands(view, cue, at) for at in named_at
            ) or _counted_list(view, cue):
                continue
            region = _region(view.words[cue.start : cue.end]) or _region(view.sentence.label.lower().split())
            places.append(Place(cue.start, cue.end, [None], NAMED, region=region))
            last_end = cue.end
            continue
        place = _refer(view, cue, places, state)
        if place is not None:
            places.append(place)
            last_end = cue.end
    places.sort(key=lambda p: p.at)
    return places


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
    for mention in view.mentions:
        if mention.label not in ("fracture", "augmented") or mention.value == "soft":
            continue
        if (
            mention.start >= at + 1
            and mention.start <= at + 4
            and not any(w in _BLOCKS or w in _PREPOSITIONS for w in words[at + 1 : mention.start])
        ):
            return True
        gap = words[mention.end : at]
        if (
            mention.end <= at
            and len(gap) <= 6
            and any(w in ("of", "at", "involving", "in", "affecting") for w in gap)
            and not any(w in _BLOCKS or w in ("disc", "level", "junction") for w in gap)
        ):
            return True
    return False


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
                or not _chained(view.words[place.end : following.at])
            ):
                number += 1
    return


def _chained(between: Sequence[str]) -> bool:
    depth = 0
    linked = aside = False
    for word in between:
        if word == "which" and depth == 0:
            aside = True  # "at T8, which is acute, and at L1"
        elif aside:
            aside = word != ","
        elif word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif depth == 0:
            if word not in _FILLERS:
                return False
            linked = linked or word in (",", "and", "&", "+", "or", "plus", "/", "well")
    return linked and depth == 0


def _refer(view: SentenceWords, cue: Mention, places: list[Place], state: Discourse) -> Place | None:
    """Resolve "both", "the latter", "the remaining fractures" ... from what was named before."""
    kind = cue.value
    if cue.end - cue.start == 1 and view.words[cue.start] in (
        "both",
        "each",
        "neither",
        "these",
        "they",
        "them",
        "all",
    ):
        following = view.words[cue.end] if cue.end < len(view.words) else "."
        if following not in VERBS and following not in _AFTER_REFERENCE:
            return None  # "both pedicles", "each side"
    before = [p for p in places if p.at < cue.start and p.part == "body" and p.levels and None not in p.levels]
    in_sentence: list[str] = []
    for place in before:
        in_sentence += [level for level in place.levels if level and level not in in_sentence]
    last_list = _last_list(before, state)
    levels: list[str | None] | None = None
    how = REFERENCE
    if kind == "both":
        pair = last_list if len(last_list) == 2 else in_sentence[-2:] if len(in_sentence) >= 2 else None
        if pair is None:
            recent: list[str] = []
            for listed in reversed(state.lists):
                for level in reversed(listed):
                    if level not in recent:
                        recent.append(level)
                if len(recent) >= 2:
                    break
            pair = list(reversed(recent[:2])) if len(recent) >= 2 else None
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
            else next((o for o in options if len(o) >= 2), None)
        )
        if wanted is None and not count:
            wanted = state.fractured or last_list
        levels = list(wanted) if wanted else None
    elif kind == "this":
        levels = list(before[-1].levels) if before else list(state.heading or state.focus) or None
    elif kind in ("former", "latter"):
        source = [level for place in before if place.how == NAMED for level in place.levels if level]
        if len(source) < 2:
            source = next((pair for pair in reversed(state.lists) if len(pair) == 2), [])
        if len(source) < 2:
            source = _recent_lists(state, 2)[-2:]
        if len(source) >= 2:
            levels = [source[0] if kind == "former" else source[-1]]
    elif kind == "all":
        levels, how = [], EVERY
    elif kind == "remaining":
        levels, how = [], REMAINING
    elif kind == "all_except":
        spared = next((p for p in places if cue.end <= p.at <= cue.end + 2 and p.group is not None), None)
        if spared is None or len(state.fractured) <= len(spared.levels):
            return None
        levels = [level for level in state.fractured if level not in spared.levels]
        places.remove(spared)
    elif kind == "first":
        count = _count(view.words[cue.start : cue.end])
        source = next(
            (listed for listed in [in_sentence, *reversed(state.lists), state.fractured] if len(listed) > count), None
        )
        levels = list(source[:count]) if source else None
    elif kind == "between":
        ends = state.treated[-2:] if len(state.treated) >= 2 else (state.lists[-1][-2:] if state.lists else [])
        if len(ends) == 2:
            levels = list(level_range(ends[0], ends[1])[1:-1]) or None
    elif kind == "disc_bodies":
        levels = list(state.disc) or None
    elif kind == "elsewhere":
        return Place(cue.start, cue.end, [], REFERENCE, part="elsewhere")
    elif kind in ("above", "below"):
        named = [level for place in before if place.how == NAMED for level in place.levels if level]
        anchor = named[-1:] or state.treated[-1:] or [level for level in state.focus[-1:] if level]
        target = neighbor(anchor[0], -1 if kind == "above" else 1) if anchor else None
        levels = [target] if target else None
    elif kind == "treated":
        levels = list(state.treated) or None
    elif kind == "neighbors":
        around = [neighbor(level, step) for level in state.treated[-1:] for step in (-1, 1)]
        levels = [level for level in around if level] or None
    if levels is None:
        return None
    return Place(cue.start, cue.end, levels, how)


_AFTER_REFERENCE = word_list("after_reference")


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


def _count(words: Sequence[str]) -> int:
    return next((n for word, n in (("two", 2), ("three", 3), ("four", 4), ("five", 5), ("six", 6)) if word in words), 0)


def _link_sentence(view: SentenceWords, places: list[Place], state: Discourse, order: int) -> list[Link]:
    links: list[Link] = []
    mentions = [m for m in view.mentions if m.label in FINDINGS]
    percents = [Mention("percent", None, p.at, p.at + 1, _PERCENT) for p in view.percents]
    if not mentions and not percents:
        return links
    starts = clause_starts(view.words)
    everything = sorted(mentions + percents, key=lambda m: m.start)
    history = view.sentence.section == "history"
    chosen: list[tuple[Mention, list[Place], int, bool]] = []
    for mention in everything:
        if mention.label == "augmented" and any(
            w in ("above", "below", "adjacent") for w in view.words[max(0, mention.start - 3) : mention.start]
        ):
            beside = view.words[mention.start - 1 : mention.start] + view.words[mention.end : mention.end + 1]
            if "<level>" not in beside and not any(
                place.at < mention.end and place.end > mention.start for place in places
            ):
                continue  # "above the cement construct" says where, not that this level holds cement
        found = _find(view, mention, places, starts, everything)
        if found is not None:
            if found[0].part == "elsewhere" or (found[0].part != "body"):
                continue
            if mention.label == "pedicle_involvement" and found[0].how == REMAINING:
                continue
            chosen.append((mention, found, found[0].how, False))
            continue
        if history:
            if mention.label in ("fracture", "augmented"):
                chosen.append((mention, [], NAMED, False))
            continue
        parts = {place.part for place in places}
        if "elsewhere" in parts and "body" not in parts and mention.label in ("marrow_edema", "fracture"):
            continue
        if state.heading_how == "disc" and not state.heading:
            if mention.label == "retropulsion" and state.disc:  # "T9-T10: retropulsion does not contact the cord"
                chosen.append((mention, [Place(-1, -1, list(state.disc), FOCUS)], FOCUS, False))
            if mention.label in ("retropulsion", "marrow_edema", "cleft", "percent") or mention.value == "soft":
                continue
        if mention.label in ("marrow_edema", "cleft", "percent", "acuity") and any(
            topic in view.sentence.label.lower() for topic in _NOT_VERTEBRAL
        ):
            continue
        if (
            mention.label == "marrow_replacement"
            and not _DIFFUSE.isdisjoint(view.words)
            and _ONE_BODY.isdisjoint(view.words)
        ):
            chosen.append((mention, [Place(-1, -1, [], EVERY)], EVERY, False))
            continue
        if mention.label == "acuity" and (_said_of_a_lesion(view, mention) or not _speaks_of_fracture(view)):
            continue
        if state.heading:
            chosen.append((mention, [Place(-1, -1, list(state.heading), HEADING)], HEADING, False))
        elif view.sentence.label and any(p.part == "disc" and p.at <= 2 for p in places):
            continue
        elif state.focus:
            chosen.append((mention, [Place(-1, -1, list(state.focus), FOCUS)], FOCUS, len(state.focus) > 1))
        else:
            chosen.append((mention, [Place(-1, -1, [], EVERY)], EVERY, False))
    chosen += _elliptic(view, places, mentions)
    dealt = _deal(view, chosen, state.fractured)
    values = {p.at: p.value for p in view.percents}
    for mention, found, how, ambiguous in chosen:
        levels: list[str | None] = []
        for place in found:
            levels += [level for level in place.levels if level not in levels]
        if mention.start in dealt:
            levels = dealt[mention.start]
        region = next((place.region for place in found if place.region), "")
        links.append(
            Link(
                mention,
                levels,
                how,
                view,
                order,
                ambiguous,
                values.get(mention.start) if mention.label == "percent" else None,
                region,
            )
        )
    return links


_PERCENT = Entry("percent")


def _elliptic(
    view: SentenceWords, places: Sequence[Place], mentions: Sequence[Mention]
) -> list[tuple[Mention, list[Place], int, bool]]:
    """ "edema at T8 but not at L1", "no fracture except at L1": the finding is said once and meant twice."""
    found: list[tuple[Mention, list[Place], int, bool]] = []
    for cue in view.cues:
        if cue.label not in ("ellipsis", "except"):
            continue
        labels = ("marrow_edema", "cleft", "retropulsion", *(("fracture",) if cue.label == "except" else ()))
        said = [m for m in mentions if m.label in labels and m.end <= cue.start]
        place = next(
            (p for p in places if p.part == "body" and (cue.start <= p.at < cue.end or cue.end <= p.at <= cue.end + 2)),
            None,
        )
        if (
            not said
            or place is None
            or cue.label == "except"
            and (not said[-1].negated or any(m.label == "fracture" and m.start >= cue.end for m in mentions))
        ):
            continue
        last = said[-1]
        meant = Mention(
            last.label,
            last.value,
            last.start,
            last.end,
            last.entry,
            negated=cue.label == "ellipsis",
            hedged=last.hedged,
        )
        if (last.negated or last.value == "absent") and cue.label == "ellipsis":
            continue
        found.append((meant, [place], place.how, False))
    return found


def _speaks_of_fracture(view: SentenceWords) -> bool:
    """Whether a word of age without a level can be meant for the fracture spoken of before."""
    return (
        len(view.words) <= 8
        or any(m.label in ("fracture", "augmented") for m in view.mentions)
        or view.words[0] in ("it", "this", "these", "both", "they")
    )


def _said_of_a_lesion(view: SentenceWords, mention: Mention) -> bool:
    """ "The hemangioma is unchanged": an age word whose nearest noun is something else."""
    nearest = None
    for other in view.mentions:
        if other.label in ("lesion_noun", "fracture", "augmented") and abs(other.start - mention.start) < 12:
            distance = min(abs(other.start - mention.end), abs(mention.start - other.end))
            if nearest is None or distance < nearest[0]:
                nearest = (distance, other.label)
    return nearest is not None and nearest[1] == "lesion_noun"


def _find(
    view: SentenceWords, mention: Mention, places: list[Place], starts: Sequence[int], all_mentions: Sequence[Mention]
) -> list[Place] | None:
    """The place or list of places a finding belongs to, None when the sentence names none for it."""
    if not places:
        return None
    words = view.words
    for place in places:  # "T12 compression": the level is part of the words
        if place.at < mention.end and place.end > mention.start and place.part != "elsewhere":
            return _whole(place, places, mention, view)
    before = [p for p in places if p.end <= mention.start]
    after = [p for p in places if p.at >= mention.end]
    inside = _inside_list(words, mention, before, after, all_mentions)
    if inside is not None:
        return [inside]
    if mention.label == "acuity":  # "an old fracture (T7)": the word of age goes where its fracture goes
        for other in all_mentions:
            if (
                other.label == "fracture"
                and 0 <= other.start - mention.end <= 2
                and not any(w in _BLOCKS or w in _DETERMINERS for w in words[mention.end : other.start])
            ):
                return _find(view, other, places, starts, all_mentions)
    prev = before[-1] if before else None
    nxt = after[0] if after else None
    clause = max((s for s in starts if s <= mention.start), default=0)
    clause_end = min((s for s in starts if s >= mention.end), default=len(words))
    # A label written about a lesion, not a fracture, e.g. "4 mm retropulsion": nothing to do; adjacency rules below.
    if prev is not None:
        gap = words[prev.end : mention.start]
        if (
            len(gap) <= 6
            and not any(w in _BLOCKS or w in _PREPOSITIONS or w in VERBS or w in _DETERMINERS for w in gap)
            and prev.part in ("body",)
        ):
            return _whole(prev, places, mention, view)
    if nxt is not None and nxt.at < len(words):
        gap = words[mention.end : nxt.at]
        if not gap and (
            nxt.how == NAMED
            and mention.label != "percent"
            or nxt.how == REFERENCE
            and words[nxt.at] in ("both", "each")
        ):
            return _whole(nxt, places, mention, view)
        if _leads(words, mention.end, nxt.at):
            return _whole(nxt, places, mention, view)
        if (
            gap
            and gap[0] in (",", ".")
            and all(w in _APPOSITION for w in gap)
            and nxt.how == NAMED
            and mention.label == "fracture"
            and not any(p.at >= clause for p in before)
        ):
            return _whole(nxt, places, mention, view)  # "Old compression fractures, T8 and L5"
        if (
            gap == ["("] and nxt.how == NAMED and mention.label != "percent" and prev is not nxt
        ):  # "old fractures (T7, T10)"
            return _whole(nxt, places, mention, view)
        if (
            gap
            and gap[0] in (":", "-")
            and len(gap) <= 2
            and prev is None
            and mention.label in ("fracture", "augmented", "marrow_edema", "cleft")
        ):
            return _whole(nxt, places, mention, view)
    if (
        prev is not None
        and prev.part in ("disc", "process", "root")
        and prev.at >= clause
        and mention.label in _NEVER_OF_A_DISC
        and mention.value != "hard"
    ):
        return [prev]
    usable = [p for p in before if p.part == "body" or p.part == "elsewhere"]
    same_clause = [p for p in usable if p.at >= clause]
    if same_clause:
        whole = _whole(_subject(words, same_clause, mention), places, mention, view)
        if mention.label in ("fracture", "acuity") and any(
            at in view.plural for at in range(mention.start, mention.end + 3)
        ):
            whole = _plural(words, same_clause, whole)
        return whole
    if (
        nxt is not None
        and nxt.part == "body"
        and nxt.at < clause_end
        and (mention.label != "percent" or not before)
        and not _fresh_start(words, mention.end, nxt.at)
    ):
        return _whole(nxt, places, mention, view)
    if usable:
        return _whole(usable[-1], places, mention, view)
    if (
        nxt is not None
        and nxt.part == "body"
        and mention.label in ("fracture", "acuity")
        and not _fresh_start(words, mention.end, nxt.at)
    ):
        return _whole(nxt, places, mention, view)
    if (
        nxt is not None
        and nxt.part in ("disc", "process", "root", "sacral")
        and nxt.at < clause_end
        and mention.label in ("marrow_edema",)
        and not before
    ):
        return [nxt] if _leads(words, mention.end, nxt.at) else None
    return None


def _plural(words: Sequence[str], candidates: Sequence[Place], whole: list[Place]) -> list[Place]:
    """ "Uptake at T11 and lesser uptake at L1, in keeping with fractures": a plural takes both subjects."""
    first = min(place.at for place in whole)
    earlier = [place for place in candidates if place.end <= first and place.group is not None]
    if len(whole) == 1 and len(whole[0].levels) == 1 and earlier and "and" in words[earlier[-1].end : first]:
        return [earlier[-1], *whole]
    return whole


def _fresh_start(words: Sequence[str], lo: int, hi: int) -> bool:
    """Between finding and level another finding's clause opens: "with edema, and old T8 fracture"."""
    return (
        ";" in words[lo:hi]
        or any(w in ("and", ",") for w in words[lo:hi])
        and not any(w in ("involving", "at", "of", "in") for w in words[lo:hi])
    )


def _subject(words: Sequence[str], candidates: Sequence[Place], mention: Mention) -> Place:
    """The nearest level, but not one that only locates something else ("compared with T11", "the T11-T12 disc")."""
    for place in reversed(candidates):
        lead = words[max(0, place.at - 3) : place.at]
        if (
            any(w in ("than", "compared", "unlike", "versus", "behind", "below", "above", "from") for w in lead)
            and place is not candidates[0]
        ):
            continue
        if lead and lead[-1] in ("normal", "intact", "unaffected") and place is not candidates[0]:
            continue  # "between a normal T12 and a normal L2"
        if (
            list(words[place.end : place.end + 2]) in (["more", "than"], ["less", "than"])
            and place is not candidates[0]
        ):
            continue
        return place
    return candidates[-1]


def _leads(words: Sequence[str], lo: int, hi: int) -> bool:
    """Whether the words between a finding and a level are a phrase that leads to it ("in the upper half of")."""
    if hi - lo > 14:
        return False
    preposition = False
    at = lo
    while at < hi:
        word = words[at]
        if word == "that" and at + 1 < hi and words[at + 1] in ("is", "are", "was", "were"):
            at += 1
            continue
        if word in _BLOCKS:
            return False
        if word in ("and", "or"):
            if at + 1 < hi and words[at + 1] in _SIDES or at + 1 < hi and words[at + 1] in ("of", "at", "in"):
                at += 1
                continue
            return False
        if word in VERBS and word not in _COPULAS and word not in _PREPOSITIONS:
            return False
        if word in _PREPOSITIONS:
            preposition = True
        at += 1
    return preposition


def _inside_list(
    words: Sequence[str], mention: Mention, before: Sequence[Place], after: Sequence[Place], mentions: Sequence[Mention]
) -> Place | None:
    """A finding within a list of levels, or in the parenthesis behind one, is its neighbor's alone."""
    prev = before[-1] if before else None
    nxt = after[0] if after else None
    if prev is not None and prev.group is not None and prev.end < len(words) and words[prev.end] == "(":
        close = next((i for i in range(prev.end, len(words)) if words[i] == ")"), len(words))
        if mention.end <= close and not any(p.at < mention.start and p.at > prev.end for p in before):
            return prev
    if (
        prev is not None
        and nxt is not None
        and prev.chain == nxt.chain >= 0
        and prev.group is not None
        and nxt.group is not None
    ):
        if any(word in ("which", "whose") for word in words[prev.end : mention.start]):
            return prev
        if mention.label == "percent":
            chain = [p for p in [*before, *after] if p.chain == prev.chain]
            lead = words[max(0, chain[0].at - 4) : chain[0].at]
            return nxt if "<percent>" in lead else prev
        return nxt
    if nxt is not None and nxt.group is not None and mention.label in ("acuity",):
        gap = words[mention.end : nxt.at]
        chain_mates = [p for p in after if p.chain == nxt.chain and p is not nxt]
        if (
            chain_mates
            and len(gap) <= 3
            and all(w in _FILLERS or w in _SIDES or w in _FRACTURE_NOUNS for w in gap)
            and not any(w in ("of", "at", "in") for w in gap)
        ):
            for mate in chain_mates:
                if any(m.label == mention.label and nxt.end <= m.start < mate.at for m in mentions):
                    return nxt
    return None


def _whole(place: Place, places: Sequence[Place], mention: Mention, view: SentenceWords) -> list[Place]:
    """The whole list a place belongs to."""
    if place.group is None or place.chain < 0 or place.part != "body":
        return [place]
    chain = [p for p in places if p.chain == place.chain and p.group is not None and p.part == "body"]
    if mention.label == "percent" and any(
        chain[0].at < p.at < chain[-1].at and p.at != mention.start for p in view.percents
    ):
        return [place]  # every level of the list has a percentage of its own
    return chain


def _deal(
    view: SentenceWords, chosen: Sequence[tuple[Mention, list[Place], int, bool]], fractured: Sequence[str]
) -> dict[int, list[str | None]]:
    """Deal lists of percentages (and, with "respectively", words of age) out over a list of levels, by position."""
    dealt: dict[int, list[str | None]] = {}
    words = view.words
    respectively = any(cue.label == "respectively" for cue in view.cues)
    for label in ("percent", "acuity"):
        if label == "acuity" and not respectively:
            continue
        run: list[tuple[Mention, list[Place]]] = []
        for mention, found, _, _ in [*chosen, (None, [], 0, False)]:
            if mention is not None and mention.label != label:
                continue
            if (
                run
                and mention is not None
                and _listed(words, run[-1][0].end, mention.start)
                and _levels(found) == _levels(run[0][1])
            ):
                run.append((mention, found))
                continue
            if len(run) > 1:
                levels = _levels(run[0][1])
                if len(levels) != len(run) and len(run) > 2:
                    said = [level for _, group in view.groups if group.part == "body" for level in group.levels]
                    if len(run) == len(said):
                        levels = list(said)
                    elif len(run) == len(fractured):
                        levels = list(fractured)
                if len(levels) != len(run):  # "T6 more than T5 (about 70% and 40%)"
                    apart = [p for p in run[0][1] if p.at >= 0]
                    earlier = _places_before(view, run[0][0].start, len(run)) if apart else []
                    if len(earlier) == len(run):
                        levels = list(earlier)
                if len(levels) == len(run):
                    for (item, _), level in zip(run, levels, strict=True):
                        dealt[item.start] = [level]
            run = [(mention, found)] if mention is not None else []
    return dealt


def _places_before(view: SentenceWords, at: int, count: int) -> list[str]:
    """The last ``count`` single levels named before a word, in order."""
    before = [group for word, group in view.groups if word < at and group.part == "body"][-count:]
    return [group.levels[0] for group in before] if all(len(group.levels) == 1 for group in before) else []


def _levels(places: Sequence[Place]) -> list[str | None]:
    return [level for place in places for level in place.levels]


def _listed(words: Sequence[str], lo: int, hi: int) -> bool:
    between = words[lo:hi]
    return (
        bool(between)
        and len(between) <= 5
        and any(w in (",", "and", "/", "&", "resp", "respectively") for w in between)
        and all(
            w
            in (
                ",",
                "and",
                "/",
                "&",
                "resp",
                "respectively",
                ".",
                "approximately",
                "about",
                "roughly",
                "some",
                "anterior",
                "height",
                "loss",
                "of",
                "around",
                "nearly",
                "up",
                "to",
            )
            for w in between
        )
    )


def _advance(view: SentenceWords, places: Sequence[Place], links: Sequence[Link], state: Discourse) -> None:
    """After a sentence: what the next one may refer to."""
    if view.sentence.section == "history":
        for link in links:
            if link.mention.label == "augmented":
                state.treated += [level for level in link.levels if level and level not in state.treated]
        return
    spoken: list[Place] = []
    main: list[str | None] = []
    for link in links:
        if link.how not in (NAMED, REFERENCE) or not link.levels:
            continue
        named = [level for level in link.levels if level]
        label = link.mention.label
        if label == "fracture" and not link.mention.negated:
            for level in named:
                if level not in state.fractured:
                    state.fractured.append(level)
        if (
            label == "augmented"
            and link.mention.value == "present"
            and not link.mention.planned
            and not link.mention.negated
        ):
            for level in named:
                if level not in state.treated:
                    state.treated.append(level)
                if level not in state.fractured:
                    state.fractured.append(level)
        subject = label == "acuity" and view.words[:1] == ["<level>"]
        if (label in _MOVES_FOCUS or subject) and not (label == "fracture" and link.mention.negated):
            if label in ("fracture", "augmented") or not main:
                main = list(link.levels)
            if named and label != "percent" and (not state.lists or state.lists[-1] != named):
                state.lists.append(named)
    if not main:
        for place in places:
            if (
                place.group is not None
                and place.part == "body"
                and any(m.label in ("lesion_noun", "lesion_malignant") for m in view.mentions)
            ):
                main = list(place.levels)
                spoken.append(place)
                break
    for place in places:
        if place.part == "disc" and len(place.levels) == 2:
            state.disc = [level for level in place.levels if level]
    if main:
        state.focus = main
