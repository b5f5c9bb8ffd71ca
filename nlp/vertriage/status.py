"""Status: which vertebrae are fractured, surely or perhaps, and which hold cement.

An addendum overrides the impression, the impression the findings; "no fracture" denies a shape that only may be one; an
age, a loss of height or a retropulsed corner says that there is a fracture where others are spoken of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vertriage.claims import Claim, Level, Span
from vertriage.height import height_loss
from vertriage.lexicon import word_list
from vertriage.linking import EVERY, FOCUS, HEADING, NAMED, REFERENCE, Link
from vertriage.targets import Mention, SentenceWords

_QUALIFIED = word_list("qualified")
_EXPLAINS = word_list("explains")
_REGIONAL = word_list("regional")


def cemented(links: Sequence[Link]) -> dict[Level, list[Link]]:
    """Levels that hold cement."""
    held: dict[Level, list[Link]] = defaultdict(list)
    sure = [
        link
        for link in links
        if not (link.mention.negated or link.mention.planned or link.mention.asked or link.mention.hedged)
        and link.mention.value == "present"
        and link.how >= FOCUS
        and (not link.mention.attrs.get("procedure") or _carried_out(link))
    ]
    for link in sure:
        for level in link.levels:
            if link.how != FOCUS or link.view.sentence.section != "recommendation":
                held[level].append(link)
    if any(link.how > FOCUS for link in sure):
        held = defaultdict(
            list,
            {level: mine for level, found in held.items() if (mine := [link for link in found if link.how > FOCUS])},
        )
    if held:
        for link in links:
            if (
                link.mention.value == "maybe"
                and not (link.mention.negated or link.mention.planned)
                and link.how == NAMED
            ):
                for level in link.levels:
                    held[level].append(link)
    return held


def _carried_out(link: Link) -> bool:
    """A procedure named in the findings, or with a word that it was done; a bare "kyphoplasty" may be a proposal."""
    if any(cue.label == "done" for cue in link.view.cues):
        return True
    heads = link.mention.start <= 3 and link.how == NAMED and len(link.view.words) <= 16
    return (
        heads and link.view.sentence.section == "findings" and not any(cue.label == "planned" for cue in link.view.cues)
    )


def statuses(
    views: Sequence[SentenceWords], by_label: dict[str, list[Link]], cement: dict[Level, list[Link]]
) -> dict[Level, tuple[str, list[Span]]]:
    links = by_label["fracture"]
    described = {
        level
        for label in ("acuity", "percent")
        for link in by_label[label]
        if link.how >= HEADING
        for level in link.levels
    }
    claims: dict[Level, list[Claim]] = defaultdict(list)
    loose: list[Claim] = []
    none_at_all = none_in_impression = False
    demoted: dict[Level, list[Claim]] = defaultdict(list)
    for link in links:
        mention = link.mention
        history = link.view.sentence.section == "history"
        if mention.asked:
            continue
        value = "absent" if mention.negated else "possible" if mention.hedged else "present"
        if history and value != "present":
            continue
        soft = mention.value == "soft"
        if soft and value == "present" and _explained(link.view, mention):
            if not _weighed(link.view, mention):
                continue
            value, soft = "possible", False
        if value == "possible" and "suspected_malignancy" in mention.attrs.get("context", ()) and link.levels:
            value, soft = (
                "present",
                True,
            )  # what is hedged is that it is malignant, where the fracture is told otherwise
            if not any(
                other is not link
                and set(other.levels) & set(link.levels)
                and not (other.mention.hedged or other.mention.negated)
                for other in links
            ):
                value, soft = "possible", False
        claim = Claim(value + (" soft" if soft else ""), link.how, link)
        if link.how in (NAMED, REFERENCE, HEADING) and link.levels:
            for level in link.levels:
                claims[level].append(claim)
        elif link.how == FOCUS and value == "present" and not soft and len(link.levels) == 1 and _introduced(link):
            claims[link.levels[0]].append(claim)
        elif link.how == FOCUS and value in ("possible", "present") and _spinal(link.view, views):
            for level in link.levels:
                demoted[level].append(claim)
        elif value == "absent" and not history:
            if (
                not soft
                and not _is_qualified(link)
                and not any(w in _REGIONAL for w in [*link.view.words, *link.view.sentence.label.lower().split()])
            ):
                none_at_all = True
                none_in_impression = none_in_impression or link.view.sentence.section == "impression"
        elif not soft and link.how in (NAMED, EVERY) and value != "absent" and _spinal(link.view, views):
            loose.append(claim)
    if links:
        for link in by_label["percent"]:
            if link.how in (NAMED, REFERENCE) and link.value is not None and _height_alone(link):
                for level in link.levels:
                    claims[level].append(Claim("present soft", link.how, link))
        for link in by_label["acuity"]:
            if _age_alone(link):
                for level in link.levels:
                    claims[level].append(Claim("present soft", link.how, link))
    scheuermann = any(
        word == "scheuermann"
        for view in views
        for word in view.words
        if view.sentence.section in ("findings", "impression")
    )
    status: dict[Level, tuple[str, list[Span]]] = {}
    for level, mine in claims.items():
        value = _status(level, mine, demoted.get(level, []), none_at_all, scheuermann, described, none_in_impression)
        if value is not None:
            status[level] = (value, [c.span for c in mine if c.value.startswith(value)] or [c.span for c in mine])
    for link in by_label["retropulsion"]:  # a retropulsed corner is a fracture, also where no word says so
        if not any(status) and link.how == NAMED and _affirmed(link) and not none_at_all and not links:
            for level in link.levels:
                status[level] = ("present", [Claim("present", link.how, link).span])
    for level, implied in demoted.items():
        told = [c for c in implied if c.value == "present"]
        if told and level is not None and not any(status) and not none_at_all and len(told[0].link.levels) == 1:
            status[level] = (
                "present",
                [c.span for c in told],
            )  # "The edema at L1 has gone. A wedge deformity is left."
    for level, held in cement.items():
        if level is not None and (level not in status or status[level][0] == "possible"):
            status[level] = ("present", [(link.view, link.mention.start, link.mention.end) for link in held])
    named = [level for level in status if level]
    if None in status:
        for level in _described_instead(claims[None], named, by_label):
            status[level] = status[None]
            named.append(level)
    if None in status and _summary_only(claims[None], named):
        del status[None]
    if not status and not none_at_all and loose:
        body = [c for c in loose if c.section >= 1]
        if body:
            top = [c for c in body if c.value == "present"]
            status[None] = ("present" if top else "possible", [c.span for c in top or body])
    return status


def _introduced(link: Link) -> bool:
    """ "This vertebra, T9, was queried. There is a plain wedge fracture": with "a", it is one not told before."""
    lead = link.view.words[max(0, link.mention.start - 4) : link.mention.start]
    return not {"a", "an"}.isdisjoint(lead) and link.view.sentence.section in ("findings", "impression")


def _affirmed(link: Link) -> bool:
    """Whether the words state the finding outright: no hedge, no negation, not a word of absence."""
    mention = link.mention
    return not (mention.negated or mention.hedged or mention.value == "absent")


def _height_alone(link: Link) -> bool:
    """ "T12 is reduced in height by 30% and L2 by 15%": L2 has lost height, too."""
    view, at = link.view, link.mention.start
    others = [m for m in view.mentions if m.label == "fracture" and m.end <= at]
    return (
        view.sentence.section in ("findings", "impression")
        and bool(others)
        and not any(m.negated or m.hedged or m.asked for m in others)
        and "<percent>" in view.words[others[-1].end : at]
        and view.words[at - 1]
        in ("than", "by", "nearly", "around", "about", "approximately", "some", "<level>", "(", "and")
        and height_loss(view, at, link.value or 0.0, named=True) is not None
        and not _explained(view, others[-1])
    )


def _age_alone(link: Link) -> bool:
    """ "T12 and L1 are remote", "L4: healed", "Old L4.": an age, which among fractures only a fracture has."""
    view, mention = link.view, link.mention
    words = view.words
    if (
        link.how != NAMED
        or mention.negated
        or mention.hedged
        or mention.asked
        or words[mention.start] not in _AGES
        and not (words[mention.start] == "new" and any(m.label == "marrow_edema" for m in view.mentions))
        or view.sentence.section not in ("findings", "impression", "addendum")
        or any(m.label in ("lesion_noun", "lesion_malignant", "mimic", "augmented") for m in view.mentions)
        or any(m.label == "fracture" and abs(m.start - mention.start) <= 6 for m in view.mentions)
    ):
        return False
    group = next(
        (at for at, group in view.groups if group.part == "body" and set(group.levels) & set(link.levels)), None
    )
    if group is None:
        return False
    if group == mention.end and mention.start == 0:
        return len(words) <= group + 2 or words[group + 1] in (".", ",", ";", "(", "and")
    between = words[group + 1 : mention.start]
    after = words[mention.end] if mention.end < len(words) else "."
    return (
        (group <= 1 or words[group - 1] in (";", ":"))
        and mention.start > group
        and all(word in _PREDICATE for word in between)
        and (after in (",", ".", ";", ")", "-", "and", "but", "with", "without") or after in ("in", "by"))
    )


_AGES = word_list("ages")
_PREDICATE = word_list("predicate")
_SPINE_WORDS = word_list("spine_words")
_OF_THE_SPINE = _SPINE_WORDS - {"pathologic", "insufficiency", "osteoporotic", "fragility"}
_OTHER_BONES = word_list("other_bones")


def _spinal(view: SentenceWords, views: Sequence[SentenceWords]) -> bool:
    """Whether a sentence without a level speaks of the spine: a chest report has other bones and collapsing lungs."""
    words = {*view.words, *view.sentence.label.lower().split()}
    if _OF_THE_SPINE.isdisjoint(view.words) and not _OTHER_BONES.isdisjoint(
        words.union(*(other.words for other in views if other.sentence.paragraph == view.sentence.paragraph))
    ):
        return False
    return not _SPINE_WORDS.isdisjoint(words)


def _is_qualified(link: Link) -> bool:
    """ "No new fracture" leaves room for old ones, "no fracture" does not."""
    words = link.view.words
    lead = words[max(0, link.mention.start - 5) : link.mention.end]
    if "acute" in lead and not {"remote", "old", "chronic"}.isdisjoint(lead):
        return False  # "no acute or remote fracture"
    return any(word in _QUALIFIED for word in words[max(0, link.mention.start - 5) : link.mention.end]) or any(
        word in ("line", "elsewhere", "otherwise") for word in words
    )


def _explained(view: SentenceWords, mention: Mention) -> bool:
    """A shape that the same sentence explains as no fracture."""
    words = view.words
    for at in range(max(0, mention.start - 6), min(len(words), mention.end + 30)):
        if words[at] in _EXPLAINS and (at < mention.end + 14 or words[at] == "scheuermann"):
            between = words[mention.end : at] if at >= mention.end else words[at + 1 : mention.start]
            if (
                "and" in between
                and at > mention.end
                and words[at] == "schmorl"
                or ";" in between
                or "no" in between
                or "not" in between
                or "without" in between
            ):
                continue
            if (
                words[at] == "schmorl"
                and at > mention.end
                and any(level_word in between for level_word in ("<level>",))
            ):
                continue
            return True
    return False


def _weighed(view: SentenceWords, mention: Mention) -> bool:
    """ "Biconcavity of L4, ? mild compression vs projectional": explained perhaps, or a fracture."""
    rest = view.words[mention.end :]
    return not {"vs", "versus", "or"}.isdisjoint(rest) and not _FRACTURE_NOUNS.isdisjoint(rest)


def _status(
    level: Level,
    claims: Sequence[Claim],
    implied: Sequence[Claim],
    none_at_all: bool,
    scheuermann: bool,
    described: set[Level],
    none_in_impression: bool,
) -> str | None:
    for section in (3, 2, 1):
        # "no edema to suggest a recent fracture" does not deny an old one
        here = [c for c in claims if c.section == section and not (c.value == "absent" and _is_qualified(c.link))]
        values = {c.value for c in here}
        if not values:
            continue
        if "present" in values:
            # A hedged fracture beside a plain one in the same sentence is the same fracture, explained.
            return "present"
        if "possible" in values:
            return None if none_in_impression and section == 1 else "possible"
        if values & {"present soft", "possible soft"}:
            if any(c.value == "possible" for c in implied if c.section == section) and not any(
                c.value == "present" for c in claims
            ):
                return "possible"
            lower = {c.value for c in claims if 0 < c.section < section}
            if "possible" in lower and "present" not in lower:
                return "possible"
            if "absent" in values and section == 1:
                return None
            if section == 1 and (none_at_all and level not in described or scheuermann):
                return None
            return "present" if "present soft" in values or "present" in lower else "possible"
        if "absent" in values and section >= 2:
            if any(c.value == "absent" and not _is_qualified(c.link) for c in here):
                return None
            continue
        if "absent" in values:
            hard = [c for c in claims if c.section == 0 and c.value == "present"]
            if not hard or any(not _is_qualified(c.link) for c in here):
                return None
    history = [c for c in claims if c.section == 0]
    if any(c.value.startswith("present") and c.how == NAMED for c in history) and not none_at_all:
        return "present"
    return None


def _described_instead(claims: Sequence[Claim], named: Sequence[str], by_label: dict[str, list[Link]]) -> list[str]:
    """ "Two lumbar compression fractures. In L2 there is no edema, in L3 it is equivocal": the two are L2 and L3."""
    count = max((_counted(claim.link) for claim in claims if claim.section > 0), default=0)
    others: list[str] = []
    for label in ("marrow_edema", "percent", "cleft", "retropulsion", "acuity"):
        for link in by_label[label]:
            if link.how in (NAMED, HEADING) and link.view.sentence.section in ("findings", "impression"):
                others += [level for level in link.levels if level and level not in named and level not in others]
    return others if count > 1 and len(named) + len(others) == count else []


def _summary_only(claims: Sequence[Claim], named: Sequence[str]) -> bool:
    """ "Multiple compression fractures as above" sums up named ones and is no further group."""
    if not named:
        return False
    for claim in claims:
        words = claim.link.view.words
        if claim.section == 0:
            continue
        region = claim.link.region
        count = _counted(claim.link)
        if count and count == sum(1 for level in named if not region or level[0] in _letters(region)):
            continue  # "Two lumbar compression fractures. The first, at L1, ..."
        if not region and len(named) > 1 and not any(word in ("other", "additional", "further") for word in words):
            continue
        if claim.section == 1 and not any(group.part == "body" for _, group in claim.link.view.groups):
            return False
        if (
            any(
                word in ("other", "additional", "further", "several", "some", "mid", "lower", "upper") for word in words
            )
            and claim.section == 1
        ):
            return False
        if region and not any(level[0] in _letters(region) for level in named):
            return False
    return True


def _letters(region: str) -> str:
    return ("T" if "thoracic" in region else "") + ("L" if "lumbar" in region else "")


_FRACTURE_NOUNS = frozenset(["compression", "fracture", "collapse", "vcf", "#"])
_COUNTS = {word: number for number, word in enumerate("one two three four five six seven eight".split(), start=1)}


def _counted(link: Link) -> int:
    """How many fractures a sentence without levels counts."""
    words = link.view.words[max(0, link.mention.start - 6) : link.mention.start]
    return next((_COUNTS[word] for word in words if word in _COUNTS), 0)
