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

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vertriage.assertion import VERBS, clause_starts
from vertriage.ellipsis import (
    Chosen,
    alike,
    all_but,
    announced,
    contrary,
    elliptic,
    gapped,
    named_again,
    names_level,
    only,
    own_age,
    sound,
    spare,
    values_by_level,
)
from vertriage.lexicon import Entry, word_list
from vertriage.places import (
    BLOCKS,
    EVERY,
    FILLERS,
    FOCUS,
    HEADING,
    NAMED,
    PREPOSITIONS,
    REFERENCE,
    REMAINING,
    Discourse,
    Place,
    find_places,
    resumed,
)
from vertriage.targets import Mention, SentenceWords

FINDINGS = frozenset(
    "fracture marrow_edema cleft cleft_content retropulsion augmented acuity convex_posterior_border "
    "pedicle_involvement soft_tissue_mass marrow_replacement osseous_destruction percent".split()
)
_MOVES_FOCUS = FINDINGS - {"acuity", "cleft_content"}
_COVERAGE = word_list("coverage")
_ANNOUNCES = frozenset(["follow", "follows", "following", "below", "under"])
_FINDINGS = frozenset(["finding", "injury", "abnormality", "trauma", "pathology", "change"])
_ATTRIBUTE_OF_LIST = frozenset(["marrow_edema", "cleft", "retropulsion", "augmented", "acuity"])
_POINTED_AT = frozenset(["marrow_edema", "cleft", "retropulsion"])

_COPULAS = frozenset("is are was were has have been being remain remains appear seen".split())
_SIDES = word_list("sides")
_APPOSITION = frozenset(
    ", . presumed presumably approximately likely probably possibly level at about labelled labeled called "
    "designated that is i e namely viz as follow following vertebra body vertebral segment vertebral_body".split()
)
_BODIES = frozenset(["vertebra", "body", "vertebral", "level", "segment", "vertebral_body"])
_FRACTURE_NOUNS = word_list("fracture_nouns")
_DIFFUSE = word_list("diffuse")
_DISC_TISSUE = word_list("disc_tissue")
_ONE_BODY = word_list("one_body")
_NEVER_OF_A_DISC = frozenset("percent fracture marrow_edema cleft".split())
_CEMENTED = frozenset(["treated", "augmented", "filled", "containing", "bearing", "stabilized"])
_EXCEPTS = frozenset(["except", "apart", "save", "excluding", "barring"])
_ELLIPTIC = frozenset(["ellipsis", "except", "contrary", "alike", "gapping"])
_OF_THE_BODY = frozenset(["fracture", "augmented", "acuity"])
_TOWARD = frozenset("lateral anterior posterior dorsal ventral next close superficial medial".split())
_NEIGHBORING = frozenset(
    "bracketing flanking straddling beside around facing opposing toward towards "
    "above below adjacent cranial caudal cephalad proximal next neighboring bordering abutting overlying "
    "underlying".split()
)
_BESIDE = frozenset("beneath underneath under near adjacent surrounding subjacent below above".split())
_CIRCUMSTANCE = frozenset("given view light considering because context presence history despite".split())
_DETERMINERS = frozenset("and or the a an there this these that its their".split())


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
    row = False
    for order, view in enumerate(views):
        sentence = view.sentence
        if sentence.section in ("technique", "comparison", "title", "other"):
            continue
        if sentence.section != state.section:
            state.section = sentence.section
            state.heading, state.focus = [], []
            state.age = None
            if sentence.section in ("impression", "addendum"):
                state.lists = []
        if sentence.paragraph != paragraph or sentence.item:
            state.heading_how = "" if state.heading_how == "disc" else state.heading_how
        if sentence.paragraph != paragraph:
            if not (state.heading and state.heading_how == "line" and paragraph >= 0 and _keeps_heading(view)):
                state.heading = []
            paragraph = sentence.paragraph
        elif row and not sentence.cells or state.heading_how == "item" and view.words[:1] == ["("]:
            state.heading = []  # a note below a table or a list
        elif sentence.item:
            state.heading = [] if state.heading_how != "line" or sentence.indent == 0 else state.heading
        row = bool(sentence.cells)
        places = find_places(view, state)
        _announce(view, state)
        _heading(view, places, state, previous_label)
        previous_label = sentence.label or previous_label
        heading = sentence.heads and not view.groups and (len(sentence.label.split()) > 1 or view.words[-1:] == [":"])
        new = [] if heading else _link_sentence(view, places, state, order)
        if state.age is not None:
            new += _aged(new, state.age)
        links.extend(new)
        _advance(view, places, new, state, order)
    return links


def _announce(view: SentenceWords, state: Discourse) -> None:
    """Remember a heading such as "Acute fractures:" for the lines below it, and forget it after them."""
    sentence = view.sentence
    if names_level(view):
        state.announced, state.entered = state.entered, []
        return
    if sentence.label and not view.groups and len(view.words) <= 8 and sentence.section != "history":
        if fractures := [m for m in view.mentions if m.label == "fracture" and m.value == "hard"]:
            told = not (state.heading or sentence.heads)
            state.entered = [m for m in fractures if told and not (m.negated or m.asked or m.hedged)][:1]
    elif view.groups or sentence.section == "impression":
        state.entered = []
    heads = sentence.heads or not _ANNOUNCES.isdisjoint(view.words[-3:])
    spoken = not _FINDINGS.isdisjoint(view.words) or any(m.label == "fracture" for m in view.mentions)
    if heads and not view.groups and spoken:
        state.age = next((m for m in view.mentions if m.label == "acuity" and not (m.negated or m.asked)), None)
    if heads and not view.groups:
        state.announced = [
            mention
            for mention in view.mentions
            if mention.label in ("fracture", "acuity") and not (mention.negated or mention.asked)
        ]
        if not any(mention.label == "fracture" for mention in state.announced):
            state.announced = []
    elif state.announced and not any(at <= 1 for at, _ in view.groups):
        state.announced = []


def _aged(links: Sequence[Link], age: Mention) -> list[Link]:
    """The age of the heading, for the fractures of a sentence that gives them none."""
    told = {level for link in links if link.mention.label == "acuity" for level in link.levels}
    return [
        replace(link, mention=replace(link.mention, label="acuity", value=age.value, entry=age.entry))
        for link in links
        if link.mention.label == "fracture"
        and link.how in (NAMED, HEADING)
        and not (link.mention.negated or link.mention.hedged or link.mention.asked)
        and told.isdisjoint(link.levels)
    ]


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
    if not _COVERAGE.isdisjoint(view.words[:label_words]) or any(
        m.label in _ATTRIBUTE_OF_LIST and m.start < label_words for m in view.mentions
    ):
        return []  # "Levels assessable: T4 to L4"
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


def _link_sentence(view: SentenceWords, places: list[Place], state: Discourse, order: int) -> list[Link]:
    links: list[Link] = []
    of_discs = view.sentence.label.lower().startswith(("disc", "disk", "intervertebral disc"))
    mentions = [
        _antecedent(view, m)
        for m in view.mentions
        if m.label in FINDINGS and not _anaphoric(view, m, places, state) and not _bulging_disc(view, m, places, state)
        if not (of_discs and m.label == "fracture" and "fracture" not in view.words[m.start : m.end])
    ]
    percents = [Mention("percent", None, p.at, p.at + 1, _PERCENT) for p in view.percents]
    if (
        not mentions
        and not percents
        and not state.announced
        and not any(cue.label in ("alike", "ellipsis", "gapping") for cue in view.cues)
    ):
        return links
    starts = clause_starts(view.words) if view.clauses is None else view.clauses
    everything = sorted(mentions + percents, key=lambda m: m.start)
    history = view.sentence.section == "history"
    chosen: list[Chosen] = []
    for mention in everything:
        if mention.attrs.get("anaphor") and not _fractures_spoken_of(view, mention, state):
            continue
        if mention.label == "augmented" and any(
            w in _NEIGHBORING
            or w == "between"
            and (at >= mention.start - 2 or view.words[at + 1 : at + 3] == ["the", "two"])
            for at, w in enumerate(view.words[: mention.start])
            if at >= mention.start - 4
        ):
            beside = view.words[mention.start - 1 : mention.start] + view.words[mention.end : mention.end + 1]
            if view.words[mention.end : mention.end + 1] in (["in"], ["of"], ["within"]):
                beside += view.words[mention.end + 1 : mention.end + 5]
            if "<level>" not in beside and not any(
                place.at < mention.end and place.end > mention.start for place in places
            ):
                continue  # "above the cement construct" says where, not that this level holds cement
        if mention.label == "augmented" and _since_the_procedure(view, mention, state):
            continue
        found = _find(view, mention, places, starts, everything)
        if found is not None:
            if found[0].part == "elsewhere" and _contrast(mention, mentions):
                chosen.append((mention, [Place(-1, -1, [], REMAINING)], REMAINING, False))
            if found[0].part != "body":
                continue
            if mention.label == "pedicle_involvement" and found[0].how == REMAINING:
                continue
            chosen.append((mention, found, found[0].how, False))
            continue
        if mention.label == "acuity" and any(_flanked(view.words, p) for p in places):
            continue  # "the vertebrae on either side of it, normal in January, ..."
        if history:
            if mention.label in ("fracture", "augmented"):
                chosen.append((mention, [], NAMED, False))
            continue
        if mention.label in ("fracture", "marrow_edema") and _of_another_bone(view.words, mention):
            continue
        parts = {
            place.part
            for place in places
            if place.part != "elsewhere" or "," not in view.words[mention.end : max(mention.end, place.at)]
        }
        if "elsewhere" in parts and "body" not in parts and mention.label in ("marrow_edema", "fracture"):
            continue
        if state.heading_how == "disc" and not state.heading:
            if mention.label == "retropulsion" and state.disc:  # "T9-T10: retropulsion does not contact the cord"
                chosen.append((mention, [Place(-1, -1, list(state.disc), FOCUS)], FOCUS, False))
            beside = len(state.focus) == 1 and set(state.focus) <= set(
                state.disc
            )  # "T12-L1: The L1 body is wedged ..."
            if not beside and (
                mention.label in ("retropulsion", "marrow_edema", "cleft", "percent") or mention.value == "soft"
            ):
                continue
        if mention.label in ("marrow_edema", "cleft", "percent", "acuity") and any(
            topic in view.sentence.label.lower() for topic in _NOT_VERTEBRAL
        ):
            continue
        if (
            mention.label == "marrow_replacement"
            and not _DIFFUSE.isdisjoint(view.words)
            and _ONE_BODY.isdisjoint(view.words)
            and {"its", "it"}.isdisjoint([*view.words[:1], *view.words[max(0, mention.start - 2) : mention.end + 3]])
        ):
            stretch = next((p for p in places if p.part == "body" and p.group is not None and len(p.levels) > 3), None)
            if stretch is not None:  # "diffusely abnormal from T2 to T10"
                chosen.append((mention, [stretch], NAMED, False))
                continue
            chosen.append((mention, [Place(-1, -1, [], EVERY)], EVERY, False))
            continue
        if mention.label == "acuity" and (_said_of_a_lesion(view, mention) or not _speaks_of_fracture(view)):
            continue
        spoken_of = state.heading if state.heading_how == "item" or not state.heading else []
        if (
            mention.label == "acuity"
            and len(state.fractured) > 1
            and view.words[:2] in (["appearance", "are"], ["finding", "are"])
            and not state.heading
        ):  # "Appearances are unchanged from 2021"
            chosen.append((mention, [Place(-1, -1, list(state.fractured), FOCUS)], FOCUS, False))
        elif (
            _the_fractures(view, mention)
            and len(state.fractured) > 1
            and set(spoken_of or state.focus).isdisjoint(state.fractured)
            and (spoken_of or not state.heading)
        ):
            chosen.append((mention, [Place(-1, -1, list(state.fractured), FOCUS)], FOCUS, False))
        elif state.heading:
            chosen.append((mention, [Place(-1, -1, list(state.heading), HEADING)], HEADING, False))
        elif mention.negated and view.sentence.label and len(view.words) <= 4 and len(state.fractured) > 1:
            chosen.append((mention, [Place(-1, -1, [], EVERY)], EVERY, False))  # "Cleft: none." of a form
        elif view.sentence.label and any(p.part == "disc" and p.at <= 2 for p in places):
            continue
        elif not state.focus and state.known and view.words[0] in ("this", "it"):
            chosen.append((mention, [Place(-1, -1, list(state.known), FOCUS)], FOCUS, len(state.known) > 1))
        elif state.focus and len(state.focus) == 1 and order - state.pointed <= 2:
            chosen.append((mention, [Place(-1, -1, list(state.focus), REFERENCE)], REFERENCE, False))
        elif state.focus:
            chosen.append((mention, [Place(-1, -1, list(state.focus), FOCUS)], FOCUS, len(state.focus) > 1))
        else:
            chosen.append((mention, [Place(-1, -1, [], EVERY)], EVERY, False))
    cued = {cue.label for cue in view.cues}
    if not _ELLIPTIC.isdisjoint(cued):
        chosen += elliptic(view, places, mentions, state)
        chosen += contrary(places, mentions, view)
        chosen += gapped(view, places, mentions, state)
        chosen += alike(view, places, mentions, chosen, state)
    if len(places) > 1 and (listed := values_by_level(view, places, mentions)):
        chosen = [item for item in chosen if item[0].label != listed[0][0].label] + listed
    if state.announced or len(places) > 1:
        chosen += announced(view, places, chosen, state)
        own_age(chosen)
    if "reference" in cued and len(view.groups) > 0:
        chosen += named_again(view, places, mentions, state)
    if "only" in cued:
        chosen += only(view, places, chosen)
    if view.sentence.section == "addendum":
        chosen += sound(view, places)
    if any(place.spared for place in places):
        chosen += all_but(chosen)
    spared = spare(view, places, chosen) if "except" in cued else {}
    dealt = _deal(view, chosen, state.fractured)
    values = {p.at: p.value for p in view.percents}
    for mention, found, how, ambiguous in chosen:
        levels: list[str | None] = []
        for place in found:
            levels += [level for level in place.levels if level not in levels]
        if mention.start in dealt and how != REMAINING:
            levels = dealt[mention.start]
        if mention.start in spared and how != REMAINING:
            levels = [level for level in levels if level not in spared[mention.start]] or levels
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


def _contrast(mention: Mention, mentions: Sequence[Mention]) -> bool:
    """ "A cleft is present at L1; the remaining levels show no cleft": of the fractures, for one has it."""
    return (
        mention.negated
        and mention.label in _POINTED_AT
        and any(m.label == mention.label and m.end <= mention.start and not m.negated for m in mentions)
    )


def _since_the_procedure(view: SentenceWords, mention: Mention, state: Discourse) -> bool:
    """ "New fractures at T12 and L3 since kyphoplasty": cement is elsewhere."""
    lead = [word for word in view.words[max(0, mention.start - 3) : mention.start] if word not in _THE_PRIOR]
    said = {level for _, group in view.groups for level in group.levels}
    return (
        bool(state.treated)
        and said.isdisjoint(state.treated)
        and lead[-1:] in (["since"], ["after"], ["following"], ["post"])
        and not _NEWLY.isdisjoint(view.words[: mention.start])
    )


_THE_PRIOR = frozenset(["the", "prior", "previous", "last", "her", "his"])
_NEWLY = frozenset("new newly adjacent developed subsequent interval further additional fresh".split())


def _of_another_bone(words: Sequence[str], mention: Mention) -> bool:
    """ "Both sacral wings show high STIR signal", "calcaneus: note the fracture on the radiographs"."""
    lead = words[max(0, mention.start - 9) : mention.start]
    return not _OTHER_BONES.isdisjoint(lead) and _BODIES.isdisjoint(lead) and "<level>" not in lead


_OTHER_BONES = word_list("other_bones")


def _attributive(words: Sequence[str], age: Mention, stop: int) -> bool:
    """ "acute, unstable three-column fracture", "old, cemented L1 fracture": adjectives up to their noun."""
    gap = words[age.end : stop]
    return (
        gap[:1] == [","]
        and words[age.start - 1] not in VERBS
        and 1 < len(gap) <= 6
        and gap.count(",") == 1
        and not any(w in PREPOSITIONS or w in VERBS or w in _DETERMINERS or w in (";", ":", "(", "no") for w in gap)
    )


def _the_fractures(view: SentenceWords, mention: Mention) -> bool:
    """ "The age of the fractures cannot be determined": all that were named, not the lesion spoken of last."""
    return mention.label in ("fracture", "acuity") and any(
        view.words[at] in _FRACTURE_NOUNS and view.words[at - 1] in ("the", "these", "those")
        for at in range(mention.start, mention.end)
        if at in view.plural
    )


def _spelled_out(words: Sequence[str], at: int) -> bool:
    """ "fractures above and below the cement, i.e. T12 and L2": the apposition says which."""
    lead = [word for word in words[max(0, at - 4) : at] if word not in (".", ",", ":")]
    return lead[-1:] in (["namely"], ["viz"]) or lead[-2:] in (["i", "e"], ["that", "is"])


def _anaphoric(view: SentenceWords, mention: Mention, places: Sequence[Place], state: Discourse) -> bool:
    """ "T12 edema is reactive to the fracture": the one described before, not one of T12."""
    words = view.words
    if mention.label != "fracture" or not state.fractured or words[mention.start - 1] not in ("the", "this", "that"):
        return False
    if mention.start < 2 or words[mention.start - 2] not in ("to", "from", "with", "by", "around", "for"):
        return False
    return not any(p.at <= mention.end + 3 and p.at >= mention.end for p in places)


def _bulging_disc(view: SentenceWords, mention: Mention, places: Sequence[Place], state: Discourse) -> bool:
    """ "L1/2: posterior bulge" is the disc's, "T12: posterior bulge" the vertebra's."""
    if not mention.attrs.get("or_disc"):
        return False
    before = [place for place in places if place.group is not None and place.at < mention.start]
    if before:
        return before[-1].part == "disc"
    return state.heading_how == "disc" or not _DISC_TISSUE.isdisjoint(view.words)


def _antecedent(view: SentenceWords, mention: Mention) -> Mention:
    """ "The edema at L4 is faint, that at L1 florid": "that" is the finding which the sentence began with."""
    if not mention.attrs.get("anaphor") or view.words[mention.start] not in ("that", "those"):
        return mention
    first = next((m for m in view.mentions if m.label in FINDINGS and m.end <= mention.start), None)
    if first is None or first.label not in _POINTED_AT or first.start > 3 or first.negated:
        return mention
    if view.words[first.end : first.end + 1] not in (["of"], ["at"], ["in"], ["within"]):
        return mention
    return replace(mention, label=first.label, value=first.value, entry=first.entry)


def _fractures_spoken_of(view: SentenceWords, mention: Mention, state: Discourse) -> bool:
    """Whether "the one at L2" can stand for a fracture: one was named before, and nothing else since."""
    before = [m.label for m in view.mentions if m.end <= mention.start]
    if "lesion_noun" in before or "lesion_malignant" in before or "mimic" in before:
        return "fracture" in before
    return "fracture" in before or bool(state.fractured or state.unnamed)


def _speaks_of_fracture(view: SentenceWords) -> bool:
    """Whether a word of age without a level can be meant for the fracture spoken of before."""
    return (
        len(view.words) <= 10
        and not any(m.label in ("mimic", "lesion_noun") for m in view.mentions)
        or any(m.label in ("fracture", "augmented", "injury", "unstable") for m in view.mentions)
        or view.words[0] in ("it", "this", "these", "both", "they", "appearance")
        or "it" in view.words[:4]
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
    for place in sorted(places, key=lambda p: p.group is None):  # "T12 compression": the level is part of the words
        if place.at < mention.end and place.end > mention.start and place.part != "elsewhere":
            return _whole(place, places, mention, view)
    if mention.label != "augmented":
        places = [p for p in places if not _flanked(words, p)]
    if mention.label in _IN_THE_CANAL:
        places = [p for p in places if not _extent(words, p)]
    if len(places) > 1:
        places = [p for p in places if not _put_aside(words, p)] or places
    places = [
        p
        for p in places
        if words[max(0, p.at - 2) : p.at] not in _LIKE
        and not _by_comparison(words, p)
        or words[p.end : mention.start] == ["("]
        and words[p.at - 1] != "of"  # "greater at T12 (45%) than at T11 (20%)"
    ]
    before = [p for p in places if p.end <= mention.start and not _lesion_aside(view, p, mention)]
    after = [p for p in places if p.at >= mention.end]
    inside = _inside_list(words, mention, before, after, all_mentions)
    if inside is not None:
        return [inside]
    if mention.label == "fracture" and after and words[mention.end : mention.end + 1] in ([","], ["of"], ["("]):
        following = words[mention.end + 1 : mention.end + 3]
        if "which" in following and following[0] != "between" or following[:1] in (["including"], ["namely"], ["viz"]):
            spread = [p for p in after if p.group is not None and p.part == "body"]
            plural = any(at in view.plural for at in range(mention.start, mention.end))
            if spread and (plural or "which" not in following):
                return spread  # "five fractures, of which T12 and L1 are acute and T6 chronic"
    if words[0] == "of" and mention.label == "fracture" and mention.start <= 7 and after and mention.value != "soft":
        spread = [p for p in after if p.group is not None and p.part == "body"]
        if spread and words[1] in ("the", "these", "those") and "," in words[mention.end : mention.end + 3]:
            return spread  # "Of the untreated fractures, T11 is edematous and T6 is not"
    if mention.label == "acuity":  # "an old fracture (T7)": the word of age goes where its fracture goes
        for other in all_mentions:
            if other.label == "fracture" and (
                0 <= other.start - mention.end <= 2
                and not any(
                    w in BLOCKS or w in _DETERMINERS or w == "<level>" for w in words[mention.end : other.start]
                )
                or _attributive(words, mention, other.start)
            ):
                return _find(view, other, places, starts, all_mentions)
    prev = before[-1] if before else None
    nxt = after[0] if after else None
    if mention.label in ("fracture", "acuity"):
        said = next((p for p in after if p.part == "body" and _spelled_out(words, p.at)), None)
        if said is not None and VERBS.isdisjoint(words[mention.end : said.at]):
            return _whole(said, places, mention, view)
    between = words[mention.end : nxt.at] if nxt is not None else []
    if not _EXCEPTS.isdisjoint(between) or between[:2] == ["other", "than"]:
        nxt = None  # "no edema except at L1": denied of what was spoken of, not of L1
    if prev is not None and "which" in words[mention.start : mention.end]:
        return _whole(prev, places, mention, view)  # "T8 and T9, the age of which cannot be told"
    if mention.label == "cleft" and (meant := _stands_for(words, mention, all_mentions)):
        return _find(view, meant, places, starts, all_mentions)
    if prev is not None and _fronted(words, prev, mention):
        return _whole(prev, places, mention, view)
    if (
        mention.label == "pedicle_involvement"
        and prev is not None
        and prev.part == "body"
        and words[mention.start - 1] == "its"
        and ";" not in words[prev.end : mention.start]
    ):
        return _whole(prev, places, mention, view)  # "collapse of T9, given that its pedicles ..., unlike T12"
    if (
        nxt is not None
        and nxt.part == "body"
        and mention.start > 1
        and words[mention.start - 1] in _ANOTHER
        and words[mention.start - 2] in ("a", "and")
        and VERBS.isdisjoint(words[mention.end : nxt.at])
    ):
        return _whole(nxt, places, mention, view)  # "a fracture of L1 and a separate lytic lesion with ... at L4"
    clause = max((s for s in starts if s <= mention.start), default=0)
    clause_end = min((s for s in starts if s >= mention.end), default=len(words))
    # A label written about a lesion, not a fracture, e.g. "4 mm retropulsion": nothing to do; adjacency rules below.
    if prev is not None:
        gap = words[prev.end : mention.start]
        if (
            len(gap) <= 6
            and not any(w in BLOCKS or w in PREPOSITIONS or w in VERBS or w in _DETERMINERS for w in gap)
            and prev.part in ("body",)
        ):
            return _whole(prev, places, mention, view)
        if "which" in gap[:4] and len(gap) <= 6 and "," not in gap[gap.index("which") :]:
            return _whole(prev, places, mention, view)  # "the L1 body, which is fractured, measures ..."
    if nxt is not None and nxt.at < len(words):
        gap = words[mention.end : nxt.at]
        if (
            mention.label == "percent"
            and prev is not None
            and gap[:1] == ["and"]
            and "<percent>" in words[nxt.end : nxt.end + 3]
            and words[mention.start - 1] in ("is", "was", "by", "about", "approximately", "at")
        ):
            return _whole(prev, places, mention, view)  # "compression of L1 is 40% and of L2 20%"
        if (
            mention.label == "fracture"
            and prev is None
            and mention.start in view.plural
            and {":", "are"} <= set(gap)
            and gap[-1] in ("affecting", "involving", "at", "in", "of")
        ):
            return _whole(nxt, places, mention, view)  # "many fractures: there are five, affecting T8, T11 and L1"
        if not gap and (
            nxt.how == NAMED
            and mention.label != "percent"
            or nxt.how == REFERENCE
            and (
                words[nxt.at] in ("both", "each")
                or mention.label == "percent"
                and words[nxt.at] == "the"
                and words[nxt.at + 1] in ("first", "second", "third", "last", "former", "latter")
            )
        ):
            return _whole(nxt, places, mention, view)
        if gap and mention.label == "augmented" and all(word in _CEMENTED for word in gap):
            return [nxt]  # "L1 and cement-treated L3"
        if (
            mention.label == "percent"
            and words[mention.end : mention.end + 1] == [")"]
            and _leads(words, mention.end + 1, nxt.at)
            and (prev is None or any(word in ("and", ",", ";") for word in words[prev.end : mention.start]))
        ):
            return [nxt]  # "a moderate (40%) fracture of T9 and a mild (20%) fracture of T10"
        if prev is not None and _in_turn(words, prev, nxt):
            return _whole(prev, places, mention, view)
        if prev is not None and _with_its_own(words, prev, mention, nxt):
            return [prev]
        beside = prev is not None and mention.label in _OF_THE_BODY and not _BESIDE.isdisjoint(gap)
        if not beside and (_leads(words, mention.end, nxt.at) or _lies(words, mention.end, nxt.at)):
            mate = _mate(words, after)
            return [nxt, mate] if mate is not None else _whole(nxt, places, mention, view)
        # "Second fracture, acute: T11"
        alone = (words[nxt.end : nxt.end + 1] or ["."])[0] in BLOCKS
        aged = [w for m in all_mentions if alone and m.label == "acuity" for w in words[m.start : m.end]]
        if (
            gap
            and (gap[0] in (",", ".") or gap[0] in _BODIES and gap[1:2] == [","])
            and all(w in _APPOSITION or w in _SIDES or w in aged for w in gap)
            and nxt.how == NAMED
            and (mention.label == "fracture" or prev is None and mention.label in _MOVES_FOCUS and mention.start <= 3)
            and mention.label != "percent"
            and not any(p.at >= clause for p in before)
        ):
            return _whole(nxt, places, mention, view)  # "Old compression fractures, T8 and L5"
        if (
            gap[-1:] == ["("]
            and len(gap) <= 3
            and VERBS.isdisjoint(gap)
            and nxt.how == NAMED
            and mention.label != "percent"
            and prev is not nxt
        ):  # "old fractures (T7, T10)"
            return _whole(nxt, places, mention, view)
        if (
            gap
            and (gap[0] in (":", "-") or gap[0] in _BODIES | {"site", "location"} and gap[-1] == ":")
            and len(gap) <= 2
            and (prev is None or ";" in words[prev.end : mention.start])
            and mention.label in ("fracture", "augmented", "marrow_edema", "cleft", "acuity")
        ):
            return _whole(nxt, places, mention, view)
    if (
        prev is not None
        and prev.part in ("disc", "process", "root")
        and prev.at >= clause
        and mention.label in _NEVER_OF_A_DISC
        and mention.value != "hard"
        and not (mention.negated and "," in words[prev.end : mention.start])
    ):
        return [prev]
    usable = [p for p in before if p.part == "body" or p.part == "elsewhere"]
    usable = [p for p in usable if not _contrasted(words, p)] or usable
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
    subordinate = words[0] in ("despite", "with", "although", "though", "given", "in")
    if (
        nxt is not None
        and nxt.part == "body"
        and (
            mention.label in ("fracture", "acuity")
            and not _fresh_start(words, mention.end, nxt.at)
            or mention.label == "percent"
            and subordinate
        )
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


_ANOTHER = frozenset(["separate", "second", "another"])
_LIKE = (["as", "at"], ["as", "in"], ["than", "at"], ["than", "in"], ["as", "for"])
"""Before a level that something else is compared with ("STIR signal as at T6")."""


def _lesion_aside(view: SentenceWords, place: Place, mention: Mention) -> bool:
    """ "In view of the T10 nodule, a pathologic fracture cannot be excluded": not one of T10."""
    return (
        mention.label == "fracture"
        and place.group is not None
        and any(m.label == "lesion_noun" and m.start == place.end for m in view.mentions)
        and "," in view.words[place.end + 1 : mention.start]
        and not _CIRCUMSTANCE.isdisjoint(view.words[max(0, place.at - 12) : place.at])
    )


def _stands_for(words: Sequence[str], mention: Mention, mentions: Sequence[Mention]) -> Mention | None:
    """ "a crescent of fluid, representing a true cleft": where the crescent is."""
    earlier = next((m for m in reversed(mentions) if m.label == mention.label and m.end <= mention.start), None)
    if earlier is None or _REPRESENTS.isdisjoint(words[earlier.end : mention.start]):
        return None
    return earlier if "<level>" not in words[earlier.end : mention.start] else None


_REPRESENTS = frozenset("representing indicating denoting signifying meaning".split())


def _fronted(words: Sequence[str], place: Place, mention: Mention) -> bool:
    """ "..., and in the upper of the pair a cleft lies ...": what a clause begins with leads what follows."""
    gap = words[place.end : mention.start]
    return (
        place.at >= 2
        and place.part == "body"
        and words[place.at - 1] in ("in", "at", "within")
        and words[place.at - 2] in ("and", "but", ";", "while", "whereas")
        and len(gap) <= 3
        and all(w in _DETERMINERS or w.isalpha() and w not in PREPOSITIONS and w not in VERBS for w in gap)
    )


def _with_its_own(words: Sequence[str], first: Place, mention: Mention, second: Place) -> bool:
    """ "Collapse of D7 with an epidural component and of L2": the component is D7's."""
    lead = words[first.at - 1 : first.at]
    return (
        lead in (["of"], ["at"], ["in"])
        and words[mention.end : second.at] == ["and", *lead]
        and "with" in words[first.end : mention.start]
    )


def _mate(words: Sequence[str], after: Sequence[Place]) -> Place | None:
    """ "edema of the whole of the former and the superior half of the latter": both."""
    if len(after) < 2 or after[0].how != REFERENCE or after[1].how != REFERENCE:
        return None
    between = words[after[0].end : after[1].at]
    joined = between[:1] == ["and"] and between[-1:] == ["of"] and len(between) <= 6
    return after[1] if joined and VERBS.isdisjoint(between) and "<percent>" not in between else None


def _in_turn(words: Sequence[str], first: Place, second: Place) -> bool:
    """ "At T10 it surrounds a cleft and at T11 is limited to the endplate": each place leads what follows it."""
    return (
        words[first.at - 1 : first.at] in (["at"], ["in"])
        and words[second.at - 2 : second.at] in (["and", "at"], ["and", "in"], ["while", "at"], ["whereas", "at"])
        and words[second.end : second.end + 1] != []
        and (words[second.end] in VERBS or words[first.end] == words[second.end] == "with")
    )


def _flanked(words: Sequence[str], place: Place) -> bool:
    """ "on either side of the cemented L1" is not at L1."""
    lead = words[max(0, place.at - 6) : place.at]
    if place.group is None and (lead[-1:] == ["between"] or lead[-2:] in (["between", "the"], ["between", "two"])):
        return True  # "sandwiched between two treated levels"
    if lead[-2:] and lead[-1] == "to" and lead[-2:-1] and lead[-2] in _BESIDE | _TOWARD:
        return True  # "a focus lateral to T12 is a cyst"
    if "neighbor" in lead and "of" in lead:
        return True  # "both neighbors of the cemented L1"
    aside = "of" in lead and "," in lead[lead.index("of") :]  # "on either side of this, at T11 and L1"
    return "side" in lead and ("either" in lead or "both" in lead) and "of" in lead and not aside


def _extent(words: Sequence[str], place: Place) -> bool:
    """ "an epidural component fills the canal from mid L2 to the L3/4 disc": how far it goes, not whose it is."""
    return "from" in words[max(0, place.at - 2) : place.at] and words[place.end : place.end + 1] in (
        ["to"],
        ["through"],
        ["down"],
    )


_IN_THE_CANAL = frozenset(["soft_tissue_mass", "convex_posterior_border", "retropulsion"])


_COMPARED_BY = frozenset(["at", "of", "than", "to", "with", "from"])
_AGAINST = frozenset(["against", "versus", "vs", "than", "compared"])
_CONTIGUOUS = (["contiguous", "from"], ["contiguous", "with"], ["continuous", "from"], ["continuous", "with"])


def _by_comparison(words: Sequence[str], place: Place) -> bool:
    """ "L1, in contrast to T11, is wedged", "20% lower than L2 and L4": the other is what it is measured by."""
    if place.at == 0 or words[place.at - 1] not in _COMPARED_BY:
        return False
    lead = words[max(0, place.at - 3) : place.at]
    if lead[-1:] == ["at"] and not _AGAINST.isdisjoint(words[max(0, place.at - 5) : place.at - 1]):
        return "mm" in lead  # "16 mm as against 27 mm at L2"
    if lead[-2:] == ["that", "of"] and words[place.at - 3 : place.at - 2] in (["half"], ["third"], ["quarter"]):
        return True  # "measures half that of T11"
    if lead in (["unlike", "that", "of"], ["unlike", "those", "of"]) or lead[-2:] in _CONTIGUOUS:
        return True
    if lead[-1:] == ["than"]:
        return len(lead) > 1 and lead[-2].endswith("er") and lead[-2] not in ("other", "rather")
    aside = lead[:2] in (["in", "distinction"], ["in", "contrast"], ["as", "opposed"], ["in", "contradistinction"])
    return aside and words[place.end : place.end + 1] == [","] and lead[-1] in ("to", "with", "from")


def _put_aside(words: Sequence[str], place: Place) -> bool:
    """ "L1, but not L3, is bright", "L2 is fractured but, unlike T12, not edematous": the other is only set against."""
    if place.end >= len(words) or words[place.end] != "," or not place.at:
        return False
    lead = words[max(0, place.at - 3) : place.at]
    return words[place.at - 1] in ("not", "unlike") and (
        lead == [",", "but", "not"] or lead[-2:] in ([",", "unlike"], [",", "not"])
    )


def _contrasted(words: Sequence[str], place: Place) -> bool:
    """ "unlike T12, it is bulging" speaks of another; "unlike L1, a fresh fracture" of L1."""
    return words[place.at - 1 : place.at] == ["unlike"] and words[place.end + 1 : place.end + 2] in (
        ["it"],
        ["this"],
        ["the"],
        ["there"],
        ["that"],
    )


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
        not {";", "whereas", "while"}.isdisjoint(words[lo:hi])
        or any(w in ("and", ",") for w in words[lo:hi])
        and not any(w in ("involving", "at", "of", "in") for w in words[lo:hi])
    )


def _subject(words: Sequence[str], candidates: Sequence[Place], mention: Mention) -> Place:
    """The nearest level, but not one that only locates something else ("compared with T11", "the T11-T12 disc")."""
    for place in reversed(candidates):
        lead = words[max(0, place.at - 3) : place.at]
        if (
            any(w in ("than", "compared", "as", "unlike", "versus", "behind", "below", "above", "from") for w in lead)
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
        if word == "from" and at + 1 == hi and at > lo:
            return preposition  # "at every level from T10 to L2"
        if word in BLOCKS:
            return False
        if word in ("and", "or"):
            each = at + 3 == hi and words[hi] in ("each", "both", "either")
            if words[at + 2 : at + 3] and (each or words[at + 1] == "enhancement") and words[at + 2] in PREPOSITIONS:
                at += 2  # "edema and enhancement in each", "edema and enhancement of T9"
                continue
            if at + 1 < hi and words[at + 1] in _SIDES or at + 1 < hi and words[at + 1] in ("of", "at", "in"):
                at += 1
                continue
            return False
        if word in VERBS and word not in _COPULAS and word not in PREPOSITIONS:
            return False
        if word in PREPOSITIONS:
            preposition = True
        at += 1
    return preposition


def _lies(words: Sequence[str], lo: int, hi: int) -> bool:
    """ "a slit of fluid, 3 mm deep, lies under the T12 endplate": past an aside and a verb of place."""
    if words[lo : lo + 1] == [","]:
        close = next((at for at in range(lo + 1, min(hi, lo + 8)) if words[at] == ","), -1)
        if close < 0 or not VERBS.isdisjoint(words[lo + 1 : close]):
            return False
        lo = close + 1
    if words[lo : lo + 1] == ["and"] and words[lo + 1 : lo + 2] in (["enhancement"], ["swelling"], ["hyperemia"]):
        lo += 2  # "edema and enhancement occupy both bodies"
    if words[lo : lo + 1] in (["occupy"], ["fill"], ["pervade"], ["involve"], ["affect"]) and lo + 1 == hi:
        return True
    return words[lo : lo + 1] != [] and words[lo] in _PLACED and _leads(words, lo + 1, hi)


_PLACED = word_list("placed")


def _inside_list(
    words: Sequence[str], mention: Mention, before: Sequence[Place], after: Sequence[Place], mentions: Sequence[Mention]
) -> Place | None:
    """A finding within a list of levels, or in the parenthesis behind one, is its neighbor's alone."""
    prev = before[-1] if before else None
    nxt = after[0] if after else None
    if (
        prev is not None
        and nxt is not None
        and mention.label == "acuity"
        and words[prev.end : mention.start] != []
        and all(word in _FRACTURE_NOUNS or word == "#" for word in words[prev.end : mention.start])
        and words[mention.end] in (",", ";")
    ):
        return prev  # "T11 fracture acute, L1 fracture old"
    if nxt is not None and words[mention.end : nxt.at] in (["at"], ["in"]) and words[mention.start - 1] == "(":
        return nxt  # "fractures of T10 and T12 (cleft at T12)"
    if prev is not None and prev.group is not None and prev.end < len(words) and words[prev.end] == "(":
        close = next((i for i in range(prev.end, len(words)) if words[i] == ")"), len(words))
        if mention.end <= close and not any(p.at < mention.start and p.at > prev.end for p in before):
            if mention.label == "augmented" and len(prev.levels) > 1:
                return replace(prev, levels=prev.levels[-1:])  # "old fractures of T11, L1 (cemented) and L4"
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
        if words[prev.end : prev.end + 2] == [",", "with"] or resumed(words, prev, nxt):
            return prev  # "at T8, with cortical breakthrough, and at L1"
        if mention.label == "acuity" and mention.start == prev.end and words[mention.end] in (",", ";", "and", "."):
            return prev  # "L1 acute, T11 subacute"
        if mention.label == "percent":
            chain = [p for p in [*before, *after] if p.chain == prev.chain]
            lead = words[max(0, chain[0].at - 7) : chain[0].at]
            if (
                words[mention.end : nxt.at] in (["at"], ["in"], ["of"], ["for"])
                and words[mention.start - 1] != "<level>"
            ):
                return nxt  # "by a third at T7, by 20% at T8 and by 45% at T11"
            behind = lead[lead.index("<percent>") :] if "<percent>" in lead else []
            led = bool(behind) and (
                len(behind) == 1
                or "," not in behind
                and any(word in ("at", "in", "of", "for", "on", "(") for word in behind)
            )
            return nxt if led else prev  # "35% at T6 and 50% at T7", but "T6 by 35%, T7 by 50% and T9 by 20%"
        return nxt
    if nxt is not None and nxt.group is not None and mention.label in ("acuity",):
        gap = words[mention.end : nxt.at]
        chain_mates = [p for p in after if p.chain == nxt.chain and p is not nxt]
        if (
            chain_mates
            and len(gap) <= 3
            and all(w in FILLERS or w in _SIDES or w in _FRACTURE_NOUNS for w in gap)
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
    if mention.label == "augmented" and mention.end <= chain[0].at:  # "cemented L2 and L3 and chronic T11 compression"
        aged = {m.start for m in view.mentions if m.label == "acuity" and m.start > mention.end}
        first = next((at for at in sorted(aged) if chain[0].at < at < chain[-1].at), None)
        return [p for p in chain if first is None or p.at < first]
    if chain[0] is not place and place is chain[-1] and "which" in view.words[chain[0].end : place.at]:
        behind = view.words[place.end : mention.start]
        if behind[:1] == [","] and len(behind) <= 4:
            return [place]  # "T9, which has lost a quarter, and T11, wedged by 20%"
    if (
        chain[0] is not place
        and place is chain[-1]
        and "with" in view.words[chain[0].end : place.at]
        and "with" in view.words[place.end : mention.start]
    ):
        return [place]  # each of the list has its own "with ..."
    if mention.label in ("retropulsion", "cleft") and place is chain[-1] and chain[0] is not place:
        own = view.words[place.end : place.end + 1]
        singular = own in (["burst"], ["#"], ["fracture"], ["collapse"]) and place.end not in view.plural
        if singular and view.words[mention.start - 1] in ("with", "a", "and") and "with" in view.words[place.end :]:
            return [place]  # "T4-6 wedges and L1 burst with retropulsion"
    if mention.label == "percent" and any(
        chain[0].at < p.at < chain[-1].at and p.at != mention.start for p in view.percents
    ):
        return [place]  # every level of the list has a percentage of its own
    return chain


def _deal(view: SentenceWords, chosen: Sequence[Chosen], fractured: Sequence[str]) -> dict[int, list[str | None]]:
    """Deal lists of percentages (and, with "respectively", words of age) out over a list of levels, by position."""
    dealt: dict[int, list[str | None]] = {}
    words = view.words
    respectively = any(cue.label == "respectively" for cue in view.cues)
    for label in ("percent", "acuity", "cleft_content", "marrow_edema"):
        if label != "percent" and not respectively:
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
            if len(run) > 1 and (label == "percent" or _told_in_turn(view, run[-1][0].end)):
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


def _told_in_turn(view: SentenceWords, end: int) -> bool:
    """Whether "respectively" is said of the list that ends there, and not of percentages behind it."""
    return any(
        cue.label == "respectively" and sum(end <= percent.at < cue.start for percent in view.percents) < 2
        for cue in view.cues
    )


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


def _centers(view: SentenceWords) -> bool:
    """ "The dominant abnormality is centered on T9": what follows is said of it."""
    return len(view.groups) == 1 and view.groups[0][1].part == "body" and not _CENTER.isdisjoint(view.words)


_UPTAKE = frozenset(["uptake", "tracer", "radiotracer", "activity"])
_CENTER = word_list("center")
_SOUND = frozenset("normal unremarkable preserved intact maintained no not".split())


def _opens(view: SentenceWords) -> bool:
    """Whether a vertebra is what the sentence begins with, its label and "This vertebra," apart."""
    at = next((at for at, group in view.groups if group.part == "body"), -1)
    if at == 3 and view.words[0] in ("this", "the") and view.words[2] == ",":
        return True
    return at == 0 or 0 < at <= 4 and view.offsets[at - 1] < view.sentence.label_end


_TOLD = frozenset(
    "fracture marrow_edema augmented acuity cleft cleft_content retropulsion marrow_replacement "
    "osseous_destruction".split()
)


def _advance(view: SentenceWords, places: Sequence[Place], links: Sequence[Link], state: Discourse, order: int) -> None:
    """After a sentence: what the next one may refer to."""
    if view.sentence.section == "history":
        bodies = [place for place in places if place.group is not None and place.part == "body"]
        if len(bodies) == 1 and len(bodies[0].levels) == 1 and not state.known:
            state.known = list(bodies[0].levels)  # "You asked whether her L1 is malignant"
        for link in links:
            if link.mention.label == "fracture" and link.levels and not (link.mention.negated or link.mention.asked):
                state.known = list(link.levels)
            if link.mention.label == "augmented":
                state.treated += [level for level in link.levels if level and level not in state.treated]
        return
    spoken: list[Place] = []
    main: list[str | None] = []
    pointed = False
    for link in links:
        if link.how not in (NAMED, REFERENCE) or not link.levels:
            continue
        named = [level for level in link.levels if level]
        label = link.mention.label
        if label == "acuity" and not (link.mention.negated or link.mention.hedged or link.mention.asked):
            state.ages.update(dict.fromkeys(named, link.mention.value or ""))
        if label == "fracture" and not link.mention.negated:
            state.unnamed = state.unnamed or not named
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
        subject = label == "acuity" and _opens(view)
        if (label in _MOVES_FOCUS or subject) and not (label == "fracture" and link.mention.negated):
            if label == "fracture" or label == "augmented" and link.mention.value == "present" or not main:
                main = list(link.levels)
            told = label != "percent" or _opens(view)
            if named and told and (not state.lists or state.lists[-1] != named):
                state.lists.append(named)
    if not main:
        for place in places:
            if (
                place.group is not None
                and place.part == "body"
                and any(
                    m.label in ("lesion_noun", "lesion_malignant") and view.words[m.start] not in ("cord", "conus")
                    for m in view.mentions
                )
            ):
                main = list(place.levels)
                spoken.append(place)
                break
        taken_up = [p for p in places if p.part == "body" and p.group is not None]
        if (len(taken_up) > 1 or taken_up and not main) and not _UPTAKE.isdisjoint(view.words):
            main = [level for p in taken_up for level in p.levels]
            if len(taken_up) > 1:
                state.lists.append([level for level in main if level])
    for place in places:
        if place.part == "disc" and len(place.levels) == 2:
            state.disc = [level for level in place.levels if level]
    if not main and not links and (_opens(view) or view.words[1:2] == ["<level>"] or _centers(view)):
        place = next((p for p in places if p.group is not None and p.part == "body"), None)
        main = list(place.levels) if place is not None else []  # a sentence about this level, in words not known
        pointed = _centers(view) and len(view.words) <= 9
        listed = [level for level in main if level]
        if len(listed) > 1 and _SOUND.isdisjoint(view.words) and (not state.lists or state.lists[-1] != listed):
            state.lists.append(listed)
    if (
        not main
        and not links
        and view.words[-2:-1] == ["<level>"]
        and view.groups[-1][1].part == "body"
        and view.words[-4:-3] in (["a"], ["the"])
    ):
        main = list(view.groups[-1][1].levels)[-1:]  # "... as the coronals showed a short T12. This has lost ..."
    if not main and not links and view.sentence.label and len(view.groups) == 1 and view.groups[0][1].part == "body":
        listed = [level for level in view.groups[0][1].levels if level[0] != "S"]
        if 1 < len(listed) <= 4 and view.words[-2:-1] == ["<level>"] and _COVERAGE.isdisjoint(view.words):
            state.lists.append(listed)  # "Vertebrae involved: T8 and T9. STIR high in both bodies."
    measured = [level for link in links if link.mention.label == "percent" for level in link.levels if level]
    if len(set(measured)) > 1 and (not state.lists or set(state.lists[-1]) != set(measured)):
        state.lists.append(list(dict.fromkeys(measured)))
    if spoken_of := [m for m in view.mentions if m.label in _POINTED_AT and not m.asked]:
        state.spoken, state.spoken_at = spoken_of, order
    elif order > state.spoken_at + 1:
        state.spoken = []
    if main and main != state.focus:
        state.described = []
    if main or any(link.how in (HEADING, FOCUS) for link in links):
        state.described += [
            link.mention
            for link in links
            if link.mention.label in _TOLD
            and link.how in (NAMED, REFERENCE, HEADING, FOCUS)
            and not link.mention.asked
            and not (link.mention.label in ("fracture", "acuity", "augmented") and link.mention.negated)
        ]
    if main:
        state.focus, state.pointed = main, order if pointed else -9
