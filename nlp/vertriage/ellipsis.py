"""Ellipsis: what a sentence says of a vertebra without repeating the finding.

=====================================================  ================================================
"edema at T8 but not at L1"                            edema at L1 is denied
"fractures of T10 to L2, all edematous except L1"      L1 is taken out, and denied
"a similar picture at L2", "L2 likewise"               the finding is said of L2, too
=====================================================  ================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from vertriage.assertion import VERBS
from vertriage.lexicon import Entry, word_list
from vertriage.places import NAMED, REFERENCE, REMAINING, Discourse, Place
from vertriage.targets import Mention, SentenceWords

Chosen = tuple[Mention, list[Place], int, bool]
"""A finding, where it is said to be, how that was found, and whether it is ambiguous."""


def alike(
    view: SentenceWords,
    places: Sequence[Place],
    mentions: Sequence[Mention],
    chosen: Sequence[Chosen],
    state: Discourse,
) -> list[Chosen]:
    """ "Recent L1 fracture; the same at L2", "At L2 there is a similar picture": said of the other vertebra, too."""
    found: list[Chosen] = []
    for cue in view.cues:
        if cue.label != "alike" or view.words[cue.end - 1 : cue.end + 1] == ["same", "as"]:
            continue  # "L1: same as before" is an age
        if view.words[cue.end : cue.end + 1] in (["as"], ["on"]) and "<level>" not in view.words[cue.end : cue.end + 5]:
            continue  # "the same configuration on the CT of last year"
        place = next(
            (p for p in places if p.group is not None and p.part == "body" and cue.start <= p.at < cue.end), None
        )
        behind = (p for p in places if p.group is not None and p.part == "body" and cue.end <= p.at <= cue.end + 2)
        place = place or (next(behind, None) if view.words[cue.end : cue.end + 1] != ["as"] else None)
        place = place or next((p for p in places if p.part == "body" and p.group is not None), None)
        if place is None:
            continue
        before = [
            item[0]
            for item in chosen
            if item[0].label in _COPIED and item[0].end <= min(cue.start, place.at) and place not in item[1] and item[1]
        ]
        said = {
            m.label
            for m in mentions
            if place.at <= m.start <= cue.end + 6
            and m.attrs.get("only") != "negated"
            and not (cue.start < m.start and m.end <= cue.end)  # "a similar signal change"
        }
        opening = cue.start <= 2 or "<level>" not in view.words[cue.start : cue.end]
        unbroken = any(m.negated and m.label in ("fracture", "mimic") and m.start > place.at for m in view.mentions)
        told = bool(said) and "<level>" in view.words[cue.start : cue.end]  # "L1 too contains a cleft": that, no more
        signal = not _SIGNAL.isdisjoint(view.words[cue.start : cue.end])
        for mention in before or (state.described if opening else ()):
            if signal and mention.label not in _SIGNALS:
                continue  # "small lesions of the same signal" have not collapsed
            if mention.label != "fracture" and (mention.label in said or told and not before):
                continue
            told_all = not _DITTO.isdisjoint(view.words[cue.start : cue.end]) or view.words[cue.end - 1] == "same"
            if not before and mention.label not in (_DITTO_TOO if told_all else _DESCRIBED):
                continue
            if unbroken and mention.label in ("fracture", "acuity"):
                continue  # "L3 likewise has some signal but no fracture line"
            if mention.label == "percent" and not _UNEQUAL.isdisjoint(view.words[cue.start : cue.end]):
                continue  # "25% at T12 and, to a lesser degree, L1"
            if mention.label == "percent" and any(m.label == "percent" and place in where for m, where, _, _ in chosen):
                continue  # it has a percentage of its own
            # A percentage keeps its position, by which its value is known.
            at = (mention.start, mention.end) if mention.label == "percent" else (cue.start, cue.end)
            copy = Mention(mention.label, mention.value, *at, mention.entry, mention.negated, mention.hedged)
            found.append((copy, [place], place.how, False))
    return found


_DITTO = frozenset(["ditto", "idem"])
_SIGNAL = word_list("signal_words")
_SIGNALS = frozenset(["marrow_edema", "acuity", "marrow_replacement"])
_UNEQUAL = frozenset("lesser smaller milder greater less more slighter lower though but although".split())
_NOTHING_MORE = (["."], [";"], [","], [], ["either"], ["so"], ["now"], ["today"])
_NEGATIVE = frozenset(
    "not none without no free devoid clear cleared resolved gone disappeared subsided vanished absent absence lack "
    "lacks lacking missing".split()
)
_UNHARMED = frozenset("normal intact unremarkable spared none no not preserved maintained".split())
_LEVEL_FIELD = frozenset("level location site vertebra segment where which".split())
_LABEL_WORDS = word_list("label_words")
_COPIED = frozenset(
    "fracture marrow_edema acuity percent cleft cleft_content retropulsion marrow_replacement osseous_destruction "
    "soft_tissue_mass convex_posterior_border".split()
)
_DESCRIBED = frozenset("fracture marrow_edema acuity augmented marrow_replacement osseous_destruction".split())
_DITTO_TOO = _DESCRIBED | {"cleft", "cleft_content", "retropulsion"}
_ALONE = frozenset(["only", "alone", "exclusively", "solely"])
_ATTRIBUTES = frozenset(["marrow_edema", "cleft", "retropulsion"])


def only(view: SentenceWords, places: Sequence[Place], chosen: Sequence[Chosen]) -> list[Chosen]:
    """ "Edema at T12 only": denied of all other fractures."""
    found: list[Chosen] = []
    for cue in view.cues:
        if cue.label != "only":
            continue
        place = next((p for p in places if p.part == "body" and cue.start <= p.at < cue.end), None)
        ends = view.words[cue.end - 1] in _ALONE or view.words[cue.start : cue.start + 2] == ["the", "only"]
        if place is None and ends:  # "the L1 fracture is the only one with edema"
            place = next((p for p in reversed(places) if p.part == "body" and p.end <= cue.start), None)
        for mention, where, _, _ in chosen:
            if (
                place in where
                and mention.label in _ATTRIBUTES
                and mention.value != "absent"
                and not (mention.negated or mention.hedged)
            ):
                copy = Mention(mention.label, mention.value, mention.start, mention.end, mention.entry, negated=True)
                found.append((copy, [Place(-1, -1, [], REMAINING)], REMAINING, False))
    return found


def all_but(chosen: Sequence[Chosen]) -> list[Chosen]:
    """ "all but T8 contain a cleft", "apart from L1 none shows edema": the contrary is said of the one left out."""
    found: list[Chosen] = []
    for mention, where, _, _ in chosen:
        for place in where:
            if place.listed and mention.label == "fracture":
                found.append((mention, [Place(-1, -1, list(place.spared), NAMED)], NAMED, False))
            if place.spared and mention.label in (*_ATTRIBUTES, "marrow_replacement") and mention.value != "absent":
                copy = Mention(
                    mention.label, mention.value, mention.start, mention.end, mention.entry, not mention.negated
                )
                found.append((copy, [Place(-1, -1, list(place.spared), NAMED)], NAMED, False))
    return found


def announced(view: SentenceWords, places: Sequence[Place], chosen: Sequence[Chosen], state: Discourse) -> list[Chosen]:
    """ "Acute fractures:" above or before a list of levels says it of each of them."""
    bodies = [place for place in places if place.group is not None and place.part == "body"]
    if not bodies:
        return []
    said = list(state.announced) if bodies[0].at <= 2 or names_level(view) else []
    colon = view.words.index(":") if ":" in view.words[:12] else -1
    if not names_level(view) and (bodies[0].at > colon > 0 or view.sentence.label and not said):
        limit = colon if colon > 0 else bodies[0].at
        said = [
            mention
            for mention in view.mentions
            if mention.label in ("fracture", "acuity")
            and mention.end <= limit
            and not (mention.negated or mention.asked)
            and not any(place.at < mention.end for place in places)
        ]
        if not any(at in view.plural for mention in said for at in range(mention.start, mention.end)):
            return []
    found: list[Chosen] = []
    for mention in said:
        for place in bodies:
            if place.at < mention.end and mention in view.mentions:
                continue
            lead = view.words[place.at - 2 : place.at]
            beside = [*view.words[place.end : place.end + 3], *(lead if lead[-1:] not in ([";"], [","]) else [])]
            denied = any(m.label in _ATTRIBUTES and m.negated for m in view.mentions if m.start <= place.end + 3)
            if not _UNHARMED.isdisjoint(beside) and not denied:  # "L4: no edema" is a fracture, too
                continue
            if not any(item[0].label == mention.label and place in item[1] for item in chosen):
                copy = Mention(mention.label, mention.value, place.at, place.end, mention.entry, False, mention.hedged)
                found.append((copy, [place], NAMED, False))
    return found


def sound(view: SentenceWords, places: Sequence[Place]) -> list[Chosen]:
    """ "L1 is intact" of an addendum: the fracture that was reported there is denied."""
    return [
        (Mention("fracture", "hard", place.at, place.end, Entry("fracture"), negated=True), [place], NAMED, False)
        for place in places
        if place.part == "body"
        and place.group is not None
        and view.words[place.end : place.end + 1] in (["is"], ["are"])
        and view.words[place.end + 1 : place.end + 2] in (["intact"], ["normal"], ["unremarkable"], ["uninjured"])
        and view.words[place.end + 2 : place.end + 3] in (["."], [","], [";"], ["and"], [])
    ]


def named_again(
    view: SentenceWords, places: Sequence[Place], mentions: Sequence[Mention], state: Discourse
) -> list[Chosen]:
    """ "Four fractures; the lower two, at T12 and L1, are recent": fractures, for fractures were spoken of."""
    found: list[Chosen] = []
    for cue in view.cues:
        if cue.label != "reference" or cue.value not in _SUBSETS:
            continue
        lead = view.words[cue.end : cue.end + 2]
        at = cue.end + (2 if lead[:1] in ([","], ["("]) and lead[1:] in (["at"], ["of"], ["in"], ["namely"]) else 1)
        place = next((p for p in places if p.at == at and p.group is not None and p.part == "body"), None)
        told = any(m.label == "fracture" and m.end <= cue.start and not m.negated for m in mentions)
        if place is None or lead[:1] not in ([","], ["("], ["at"], ["of"], [":"]) or not (told or state.fractured):
            continue
        whole = [p for p in places if p.group is not None and (p is place or p.chain == place.chain >= 0)]
        copy = Mention("fracture", "soft", cue.start, cue.end, Entry("fracture"))
        found.append((copy, whole, NAMED, False))
    return found


_SUBSETS = frozenset("upper lower first final remaining regional recent_ones old_ones third".split())


def names_level(view: SentenceWords) -> bool:
    """ "Level: T12", "Affected vertebra: L1 and L2": a field of a form."""
    if not view.sentence.label or not view.groups:
        return False
    before, after = view.words[: view.groups[0][0]], view.words[view.groups[0][0] :]
    return (
        not _LEVEL_FIELD.isdisjoint(before)
        and len(before) <= 4
        and not any(m.negated or m.label in _COPIED for m in view.mentions)
        and all(word in _LABEL_WORDS for word in after)
    )


def spare(view: SentenceWords, places: Sequence[Place], chosen: list[Chosen]) -> dict[int, set[str | None]]:
    """ "Fractures of T10 to L2 except T12": by the start of a finding, the levels that are taken out of its list.

    Edema, a cleft or retropulsion is denied of them, too; the denial is added to ``chosen``.
    """
    spared: dict[int, set[str | None]] = {}
    for cue in view.cues:
        if cue.label != "except":
            continue
        place = next(
            (p for p in places if p.part == "body" and p.group is not None and cue.end <= p.at <= cue.end + 2), None
        )
        if place is None:
            continue
        last = max((item[0].start for item in chosen if item[0].end <= cue.start), default=-1)
        for mention, where, _, _ in list(chosen):
            others = {level for item in where for level in item.levels}
            if (
                mention.start + 3 >= last
                and mention.end <= cue.start
                and not (
                    mention.label in ("fracture", "acuity")
                    and not VERBS.isdisjoint(view.words[mention.end : cue.start])
                )
                and not mention.negated
                and len(others) > len(place.levels)
                and others.issuperset(place.levels)
            ):
                spared.setdefault(mention.start, set()).update(place.levels)
                if mention.label in _ATTRIBUTES and mention.value != "absent":
                    copy = Mention(mention.label, mention.value, cue.start, cue.end, mention.entry, negated=True)
                    chosen.append((copy, [place], NAMED, False))
    return spared


def own_age(chosen: list[Chosen]) -> None:
    """In "acute fractures of T6, T7 and T9, old L2 fracture" a level with an age of its own leaves the list's."""
    ages = [
        (mention, found)
        for mention, found, how, _ in chosen
        if mention.label in ("acuity", "marrow_edema") and how == NAMED
    ]
    for mention, found in ages:
        for other, fewer in ages:
            if (
                other is not mention
                and other.label == mention.label
                and len(fewer) < len(found)
                and all(place in found for place in fewer)
            ):
                found[:] = [place for place in found if place not in fewer]


def contrary(places: Sequence[Place], mentions: Sequence[Mention], view: SentenceWords) -> list[Chosen]:
    """ "Edema is absent at T8 and present at L1"."""
    found: list[Chosen] = []
    for cue in view.cues:
        place = next((p for p in places if p.part == "body" and cue.start <= p.at < cue.end), None)
        said = [m for m in mentions if m.label in _ATTRIBUTES and m.end <= cue.start]
        if cue.label == "contrary" and place is not None and said and (said[-1].negated or said[-1].value == "absent"):
            copy = Mention(said[-1].label, "present", cue.start, cue.end, said[-1].entry)
            found.append((copy, [place], place.how, False))
    return found


_UNSURE = frozenset("may might possibly perhaps maybe questionable equivocal doubtful uncertain probably".split())


def gapped(view: SentenceWords, places: Sequence[Place], mentions: Sequence[Mention], state: Discourse) -> list[Chosen]:
    """ "Edema is marked at L1 and faint at T12", "It is also present at L2": named once, meant of both."""
    found: list[Chosen] = []
    for cue in view.cues:
        if cue.label != "gapping":
            continue
        place = next((p for p in places if p.part == "body" and cue.start <= p.at <= cue.end + 2), None)
        place = place or next((p for p in reversed(places) if p.part == "body" and p.end <= cue.start), None)
        if place is None and len(state.focus) == 1:
            place = Place(-1, -1, list(state.focus), REFERENCE)  # "No edema was present in May; it is now florid"
        before = [m for m in mentions if m.end <= cue.start and m.label != "acuity"]
        # A level of its own with its own fracture before the cue is what the elided words are said of.
        said = next((m for m in reversed(before) if m.label in _ATTRIBUTES), None)
        if said is None:
            said = next((m for m in reversed([*state.spoken, *state.described]) if m.label in _ATTRIBUTES), None)
        if said is None or place is None or any(m.label in _OTHER and m.start > said.start for m in before):
            continue
        if any(
            m.label == said.label and m.attrs.get("only") != "negated" and cue.start <= m.start < cue.end
            for m in mentions
        ):
            continue
        pointed = view.words[cue.start : cue.end]
        value = "present" if said.value == "absent" else said.value
        hedged = not _UNSURE.isdisjoint(pointed)
        copy = Mention(said.label, value, cue.start, cue.end, said.entry, hedged=hedged)
        found.append((copy, [place], place.how, False))
    return found


_OTHER = frozenset(["retropulsion", "augmented", "soft_tissue_mass", "percent"])
_YES = frozenset("yes positive present + <pos> y marked florid extensive mild severe".split())
_NO = frozenset("no none negative absent nil - <neg> n".split())


def values_by_level(view: SentenceWords, places: Sequence[Place], mentions: Sequence[Mention]) -> list[Chosen]:
    """ "Edema: T10 no, T12 yes, L3 yes": one attribute, and a value for each level."""
    bodies = [place for place in places if place.group is not None and place.part == "body"]
    said = next((m for m in mentions if m.label in (*_ATTRIBUTES, "augmented") and m.start <= 4), None)
    if said is None or len(bodies) < 2 or said.end > bodies[0].at:
        return []
    found: list[Chosen] = []
    for place in bodies:
        value = view.words[place.end : place.end + 1]
        if not value or value[0] not in _YES | _NO:
            return []
        if value[0] == "-" and view.words[place.end + 1 : place.end + 2] not in ([","], [";"], ["."], []):
            return []  # "hyperintensity at T12 - but not at L1 -"
        copy = Mention(said.label, said.value, place.at, place.end, said.entry, negated=value[0] in _NO)
        found.append((copy, [place], NAMED, False))
    return found


def elliptic(
    view: SentenceWords, places: Sequence[Place], mentions: Sequence[Mention], state: Discourse
) -> list[Chosen]:
    """ "edema at T8 but not at L1", "no fracture except at L1": the finding is said once and meant twice."""
    found: list[Chosen] = []
    for cue in view.cues:
        if cue.label not in ("ellipsis", "except"):
            continue
        labels = ("marrow_edema", "cleft", "retropulsion", *(("fracture",) if cue.label == "except" else ()))
        said = [m for m in mentions if m.label in labels and m.end <= cue.start]
        pointed = view.words[cue.start : cue.end]
        if (
            not said and cue.label == "except" and cue.start == 0 and {"that", "this", "those"}.intersection(pointed)
        ):  # "Apart from that in T12, no edema"
            said = [m for m in mentions if m.label in labels[:3] and m.negated]
        if (
            not said
            and cue.label == "ellipsis"
            and len(view.words) <= 16
            and not _NEGATIVE.isdisjoint(pointed)
            and (pointed[-1] not in ("not", "without") or view.words[cue.end : cue.end + 1] in _NOTHING_MORE)
        ):  # "L3 fracture edematous. L4 fracture not."
            said = [
                Mention(m.label, "present", cue.start, cue.end, m.entry, hedged=m.hedged)
                for m in [*state.spoken, *state.described]
                if m.label in labels
            ]
        place = next(
            (p for p in places if p.part == "body" and (cue.start <= p.at < cue.end or cue.end <= p.at <= cue.end + 2)),
            None,
        )
        if (
            not said
            and place is not None
            and view.words[cue.start - 1] in ("but", ",")
            and place.end == cue.end
            and view.words[cue.end : cue.end + 1] == [","]
        ):  # "L1, but not L3, is bright on STIR"
            said = [m for m in mentions if m.label in labels and m.start >= cue.end][:1]
        if place is None and cue.label == "ellipsis":
            place = next((p for p in reversed(places) if p.part == "body" and p.end <= cue.start), None)
        alone = cue.start == 0 or not any(p.part == "body" for p in places)
        if place is None and alone and cue.label == "ellipsis" and len(state.focus) == 1:
            place = Place(-1, -1, list(state.focus), REFERENCE)  # "It was edematous. That has now cleared."
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
            cue.start,
            cue.end,
            last.entry,
            negated=cue.label == "ellipsis",
            hedged=last.hedged,
        )
        if (last.negated or last.value == "absent") and cue.label == "ellipsis" and "none" not in pointed:
            continue
        mates = [p for p in places if p.chain == place.chain >= 0 and p.at > place.at and p.group is not None]
        found.append((meant, [place, *mates], place.how, False))
    return found
