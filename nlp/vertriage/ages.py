"""Ages: acute, subacute, chronic or indeterminate, from the words of age and what the marrow shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from vertriage.claims import PRIOR_STUDY, SECTION_ORDER, Level, Span
from vertriage.lexicon import word_list
from vertriage.linking import EVERY, FOCUS, HEADING, REMAINING, Link
from vertriage.targets import Mention, SentenceWords
from vertriage.temporal import former

_AS_WAS = 5
"""The rank of an age that is a judgment of before; what the marrow shows now beats it."""
_ACUITY_RANK = {"acute": 0, "subacute": 1, "chronic": 2, "indeterminate": 3}


def acuity_of(
    level: Level,
    links: Sequence[Link],
    fractures: Mapping[int, Sequence[Link]],
    edema_spans: list[Span],
    edema: str,
    augmented: bool,
) -> tuple[str | None, list[Span]]:
    """The age of one fracture; ``fractures`` by sentence, since a word of age counts more beside its fracture."""
    stated: dict[int, list[tuple[int, int, int, str, Link]]] = defaultdict(list)
    for link in links:
        mention = link.mention
        value = mention.value or ""
        unnamed = level is None and link.how == EVERY and not link.levels  # nothing is named in the whole report
        if value == "progressed" or not unnamed and (level not in link.levels or link.how < FOCUS) or mention.asked:
            continue
        if link.view.sentence.section == "addendum" and _of_the_report(link.view.words, mention):
            continue
        if mention.negated and not mention.attrs.get("weak"):
            if value != "acute" or not _denied_age(link, fractures):
                continue
            value = "chronic"
        section = SECTION_ORDER.get(link.view.sentence.section, 1)
        near = _near_fracture(link, fractures)
        if mention.hedged and not _hedged_fracture(link, fractures):
            continue
        if near > 8 and _other_subject(link):
            continue
        strength = (
            _AS_WAS
            if _as_was(link.view, mention) or value != "chronic" and former(link.view, mention)
            else 0
            if mention.attrs.get("overrides")
            else 4
            if mention.attrs.get("weak")
            else 1
            if near <= 4 and link.how >= HEADING
            else 2
            if link.how >= HEADING
            else 3
        )
        stated[section].append((strength, 1 if mention.attrs.get("weak") else 0, _ACUITY_RANK[value], value, link))
    if not any(stated.values()):
        for link in links:  # "the remaining fractures are chronic"
            value = link.mention.value or ""
            if link.how == REMAINING and value in _ACUITY_RANK and not link.mention.negated and edema != "present":
                stated[SECTION_ORDER.get(link.view.sentence.section, 1)].append(
                    (3, 0, _ACUITY_RANK[value], value, link)
                )
    for section in (3, 2, 1):
        if stated[section]:
            best = min(stated[section], key=lambda item: item[:3])
            if best[0] == _AS_WAS and edema in ("present", "absent"):
                continue
            value = best[3]
            words = [
                (item[4].view, item[4].mention.start, item[4].mention.end)
                for item in stated[section]
                if item[3] == value
            ]
            return value, words
    if edema == "present":
        return "acute", edema_spans
    if stated[0]:
        best = min(stated[0], key=lambda item: item[:3])
        return best[3], [(best[4].view, best[4].mention.start, best[4].mention.end)]
    if edema == "absent":
        return "chronic", edema_spans
    if augmented:
        return "chronic", []
    return None, []


def _of_the_report(words: Sequence[str], mention: Mention) -> bool:
    """ "No change for L1 or T6", "in retrospect a dark line" of an addendum: said of the report."""
    said = words[mention.start : mention.end]
    return (
        said[:2] == ["in", "retrospect"]
        or said[:2] == ["no", "change"]
        and words[mention.end : mention.end + 1]
        in (
            ["for"],
            ["to"],
            ["at"],
        )
    )


def _denied_age(link: Link, fractures: Mapping[int, Sequence[Link]]) -> bool:
    """ "I do not think the fracture is recent": the age is denied of a fracture that is there."""
    view, mention = link.view, link.mention
    return view.words[mention.start - 1] in ("is", "are", "be", "being") and any(
        other.mention.end < mention.start and not (other.mention.negated or other.mention.asked)
        for other in fractures.get(link.order, ())
    )


def _as_was(view: SentenceWords, mention: Mention) -> bool:
    """ "called acute on the CT", "what was an acute fracture": a judgment of before, which one of now beats."""
    words = view.words
    before, after = words[max(0, mention.start - 4) : mention.start], words[mention.end : mention.end + 8]
    if "had" in words[max(0, mention.start - 12) : mention.start] and not _ELSEWHERE.isdisjoint(words):
        return True
    if not _JUDGED.isdisjoint(before):
        return not _ELSEWHERE.isdisjoint(words)
    if before[-1:] == ["was"] or before[-2:-1] == ["was"]:
        return before[:1] == ["what"] or not _ELSEWHERE.isdisjoint(after)
    if after[:1] == ["on"] and any(word in PRIOR_STUDY for word in after[1:4]):
        return mention.value == "acute"
    return after[:3] in (["at", "the", "time"], ["at", "that", "time"]) or after[:2] in (
        ["at", "presentation"],
        ["at", "diagnosis"],
        ["back", "then"],
    )


_JUDGED = word_list("judged")
_ELSEWHERE = word_list("judged_elsewhere")


def _near_fracture(link: Link, fractures: Mapping[int, Sequence[Link]]) -> int:
    return min(
        (
            min(abs(other.mention.start - link.mention.end), abs(link.mention.start - other.mention.end))
            for other in fractures.get(link.order, ())
        ),
        default=99,
    )


def _hedged_fracture(link: Link, fractures: Mapping[int, Sequence[Link]]) -> bool:
    return any(other.mention.hedged for other in fractures.get(link.order, ()))


def _other_subject(link: Link) -> bool:
    """ "unchanged" said of cement, a node or the alignment says nothing of the age of the fracture."""
    view, mention = link.view, link.mention
    for other in reversed(view.mentions):
        if other.label == "lesion_noun" and other.end <= mention.start and mention.start - other.end <= 4:
            return view.words[other.start] != "cement"
    return any(
        other.label == "lesion_noun"
        and 0 <= other.start - mention.end <= 4
        and not any(m.label == "fracture" and mention.end <= m.start < other.start for m in view.mentions)
        for other in view.mentions
    )
