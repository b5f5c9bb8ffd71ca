"""Reading: what the whole report says of each vertebra.

Findings, impression, history and addendum each speak of the same vertebrae; this stage lets them speak together by the
annotation guidelines (sections 1 and 4): an addendum overrides all, the impression overrides the findings for status
and age, the findings override the impression for numbers; what is named beats what is implied, present beats possible
beats absent.

>>> from vertriage.pipeline import parse
>>> parsed = parse("FINDINGS: L1 fracture, 30-40%, with edema. No retropulsion. IMPRESSION: Acute L1 fracture.")
>>> found = read_fractures(parsed.views, parsed.links)
>>> [(f.level, f.acuity, f.marrow_edema, f.height_loss_percent) for f in found.fractures]
[('L1', 'acute', 'present', 40.0)]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vertriage.levels import ORDER, neighbor
from vertriage.lexicon import word_list
from vertriage.linking import EVERY, FOCUS, HEADING, NAMED, REFERENCE, REMAINING, Link
from vertriage.targets import Mention, SentenceWords
from vertriage.types import FractureReading

Level = str | None
Span = tuple[SentenceWords, int, int]
"""Evidence before it becomes offsets: a sentence and a range of its words."""

MALIGNANT = (
    "convex_posterior_border",
    "pedicle_involvement",
    "soft_tissue_mass",
    "marrow_replacement",
    "osseous_destruction",
)
_RANK = {level: rank for rank, level in enumerate(ORDER)} | {"T13": 18.5, "L6": 23.5}
_SECTION_ORDER = {"addendum": 3, "impression": 2, "recommendation": 2, "findings": 1, "history": 0}
_QUALIFIED = word_list("qualified")
_EXPLAINS = word_list("explains")
_MISNAMED = word_list("misnamed")
_RENUMBERS = word_list("renumbers")
_LATER = ("not", "instead", "rather")
_NOT_MARROW = word_list("not_marrow")
_REGIONAL = word_list("regional")


@dataclass(slots=True)
class FractureFindings:
    """What :func:`read_fractures` found: readings from the top of the spine down, the words behind every field, what
    could not be settled."""

    fractures: list[FractureReading] = field(default_factory=list)
    spans: list[dict[str, list[Span]]] = field(default_factory=list)
    review: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Claim:
    """One statement about one level."""

    value: str
    how: int
    link: Link

    @property
    def section(self) -> int:
        return _SECTION_ORDER.get(self.link.view.sentence.section, 1)

    @property
    def span(self) -> Span:
        return (self.link.view, self.link.mention.start, self.link.mention.end)


def read_fractures(
    views: Sequence[SentenceWords], links: Sequence[Link], *, infection: bool = False
) -> FractureFindings:
    """Merge the links of a report into one reading per vertebra.

    Args:
        views: the sentences of the report.
        links: findings with their levels, from :func:`vertriage.linking.link_findings`.
        infection: whether the report raises spinal infection and no malignancy; destruction and soft tissue are then
            the infection's.
    """
    result = FractureFindings()
    _correct(views, links)
    by_label: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_label[link.mention.label].append(link)
    cement = _cement(by_label["augmented"])
    status = _statuses(views, by_label, cement)
    levels = sorted((level for level in status if level), key=lambda level: _RANK.get(level, 99))
    claims = _attribute_claims(by_label, levels)
    by_sentence: dict[int, list[Link]] = defaultdict(list)
    for link in by_label["fracture"]:
        by_sentence[link.order].append(link)
    readings: list[tuple[Level, FractureReading, dict[str, list[Span]]]] = []
    unnamed = status.get(None)
    for level in [*levels, *([None] if unnamed else [])]:
        value, spans = status[level]
        readings.append(
            (
                level,
                *_read_level(level, value, spans, claims, cement, by_label, by_sentence, infection, len(status) == 1),
            )
        )
    for _, reading, spans in readings:
        result.fractures.append(reading)
        result.spans.append(spans)
    _review(by_label, levels, result.review)
    return result


# --- corrections -----------------------------------------------------------------------------------------------------


def _correct(views: Sequence[SentenceWords], links: Sequence[Link]) -> None:
    """An addendum that moves a finding ("at T8 and T11, not T7 and T10") renames the levels of the report."""
    renamed: dict[str, str] = {}
    for view in views:
        if view.sentence.section != "addendum" or len(view.groups) < 2:
            continue
        for (at, right), (then, wrong) in zip(view.groups, view.groups[1:], strict=False):
            between = view.words[at + 1 : then]
            if len(right.levels) != len(wrong.levels) or len(between) > 16:
                continue
            lead = [*view.words[max(0, at - 3) : at], *between]
            if any(word in _LATER for word in between):
                renamed.update(zip(wrong.levels, right.levels, strict=True))
            elif not {"read", "be", "is", "are", "was"}.isdisjoint(between) and not _MISNAMED.isdisjoint(lead):
                renamed.update(zip(right.levels, wrong.levels, strict=True))
    shifted = {} if renamed else _shift(views)
    if not renamed:
        renamed = _recount(views, links) or shifted or _slip(views, links)
    renamed = {wrong: right for wrong, right in renamed.items() if wrong != right}
    if not renamed:
        return
    for link in links:
        if link.view.sentence.section == "addendum" and shifted:
            link.levels = [level for level in link.levels if level not in _former_names(link.view)]
            continue  # numbered as it should be
        if link.view.sentence.section == "addendum":
            link.levels = [level for level in link.levels if level not in renamed] or [
                renamed.get(level or "", level) for level in link.levels
            ]
        else:
            link.levels = [renamed.get(level, level) if level else level for level in link.levels]


def _former_names(view: SentenceWords) -> set[str]:
    """The levels of an addendum that say what was written before: "the fracture given as L1 belongs to L2"."""
    return {level for at, group in view.groups if view.words[at - 1 : at] == ["as"] for level in group.levels}


def _recount(views: Sequence[SentenceWords], links: Sequence[Link]) -> dict[str, str]:
    """An addendum that counts anew and names as many fractures as before: they are the same ones, in the same order."""
    if not any(
        w.startswith(("recount", "renumber"))
        for view in views
        if view.sentence.section == "addendum"
        for w in view.words
    ):
        return {}
    before: set[str] = set()
    after: set[str] = set()
    for link in links:
        section = link.view.sentence.section
        if (
            link.mention.label == "fracture"
            and link.how >= HEADING
            and not (link.mention.negated or link.mention.asked)
        ):
            (after if section == "addendum" else before).update(level for level in link.levels if level)
    if len(before) != len(after):
        return {}
    order = {level: _RANK.get(level, 99) for level in before | after}
    return dict(zip(sorted(before, key=order.__getitem__), sorted(after, key=order.__getitem__), strict=True))


def _shift(views: Sequence[SentenceWords]) -> dict[str, str]:
    """An addendum that moves every level by one ("should be read one level higher")."""
    for view in views:
        if view.sentence.section != "addendum" or "one" not in view.words:
            continue
        at = view.words.index("one")
        rest = view.words[max(0, at - 2) : at + 3]
        after = view.words[at + 1 : at + 5]
        step = (
            (1 if "high" in after else -1)
            if "too" in after  # "numbered one segment too high" is to be read one lower
            else -1
            if any(w in ("higher", "up", "cranial", "above") for w in rest)
            else 1
            if any(w in ("lower", "down", "caudal", "below") for w in rest)
            else 0
        )
        if step and any(w in _RENUMBERS for w in view.words):
            moved = {level: neighbor(level, step) for level in ORDER}
            return {level: to for level, to in moved.items() if to}
    return {}


def _slip(views: Sequence[SentenceWords], links: Sequence[Link]) -> dict[str, str]:
    """One fracture at neighboring levels in findings and impression is one dictation slip; the impression stands."""
    named: dict[str, set[str]] = {"findings": set(), "impression": set()}
    for link in links:
        section, mention = link.view.sentence.section, link.mention
        if (
            mention.label == "fracture"
            and section in named
            and link.how >= HEADING
            and not (mention.negated or mention.asked)
        ):
            named[section].update(level for level in link.levels if level)
    below, above = named["findings"] - named["impression"], named["impression"] - named["findings"]
    if len(below) != 1 or len(above) != 1 or len(named["impression"]) != len(named["findings"]):
        return {}
    wrong, right = below.pop(), above.pop()
    spoken = any(
        right in group.levels
        for view in views
        if view.sentence.section == "findings"
        for _, group in view.groups
        if group.part == "body"
    )
    near = abs(_RANK.get(wrong, 0) - _RANK.get(right, 99)) == 1 or wrong[1:] == right[1:]
    return {wrong: right} if near and not spoken else {}


# --- which vertebrae -------------------------------------------------------------------------------------------------


def _cement(links: Sequence[Link]) -> dict[Level, list[Link]]:
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


def _statuses(
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
    claims: dict[Level, list[_Claim]] = defaultdict(list)
    loose: list[_Claim] = []
    none_at_all = none_in_impression = False
    demoted: dict[Level, list[_Claim]] = defaultdict(list)
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
            continue
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
        claim = _Claim(value + (" soft" if soft else ""), link.how, link)
        if link.how in (NAMED, REFERENCE, HEADING) and link.levels:
            for level in link.levels:
                claims[level].append(claim)
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
                    claims[level].append(_Claim("present soft", link.how, link))
        for link in by_label["acuity"]:
            if _age_alone(link):
                for level in link.levels:
                    claims[level].append(_Claim("present soft", link.how, link))
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
        if not any(status) and link.how == NAMED and _value(link) == "present" and not none_at_all and not links:
            for level in link.levels:
                status[level] = ("present", [_Claim("present", link.how, link).span])
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
    if None in status and _summary_only(claims[None], named):
        del status[None]
    if not status and not none_at_all and loose:
        body = [c for c in loose if c.section >= 1]
        if body:
            top = [c for c in body if c.value == "present"]
            status[None] = ("present" if top else "possible", [c.span for c in top or body])
    return status


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


def _status(
    level: Level,
    claims: Sequence[_Claim],
    implied: Sequence[_Claim],
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


def _summary_only(claims: Sequence[_Claim], named: Sequence[str]) -> bool:
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


_COUNTS = {word: number for number, word in enumerate("one two three four five six seven eight".split(), start=1)}


def _counted(link: Link) -> int:
    """How many fractures a sentence without levels counts."""
    words = link.view.words[max(0, link.mention.start - 6) : link.mention.start]
    return next((_COUNTS[word] for word in words if word in _COUNTS), 0)


# --- what is said of each --------------------------------------------------------------------------------------------


def _attribute_claims(by_label: dict[str, list[Link]], levels: Sequence[str]) -> dict[str, dict[Level, list[_Claim]]]:
    claims: dict[str, dict[Level, list[_Claim]]] = {}
    for label in ("marrow_edema", "cleft", "retropulsion", *MALIGNANT):
        mine: dict[Level, list[_Claim]] = defaultdict(list)
        every: list[_Claim] = []
        remaining: list[_Claim] = []
        hedged = [link for link in by_label[label] if link.mention.hedged]
        for link in by_label[label]:
            mention = link.mention
            if mention.asked or link.view.sentence.section in ("history", "comparison"):
                continue
            value = _value(link)
            if value is None or mention.attrs.get("only") == "negated" and value != "absent":
                continue
            if (
                label == "marrow_edema"
                and mention.value == "absent"
                and any(word in _NOT_MARROW for word in _clause_before(link.view.words, mention.start, mention.end))
            ):
                continue  # "the conus is normal in signal"
            if label in ("marrow_edema", "cleft", "retropulsion") and (
                _of_a_prior_study(link.view) or link.view.words[mention.start - 1 : mention.start] == ["previously"]
            ):
                continue
            if label == "marrow_edema" and value == "present" and _of_the_cord(link):
                continue
            if label == "soft_tissue_mass" and link.view.words[mention.end : mention.end + 1] == [":"]:
                continue  # the label of a paragraph
            if label == "osseous_destruction" and _broken_wall(link):
                continue
            if (
                label == "marrow_replacement"
                and mention.hedged
                and {"marrow", "t1", "replaced"}.isdisjoint(link.view.words[mention.start : mention.end])
            ):
                continue  # "neoplastic infiltration cannot be excluded" is a suspicion, not a signal
            if label == "marrow_replacement" and _only_edema(link):
                continue
            if label == "retropulsion" and "convex" in link.view.words[mention.start : mention.end]:
                continue  # a bulging border, not a displaced fragment
            if (
                label in ("cleft", "marrow_edema")
                and value == "present"
                and any(
                    other.order == link.order and other.levels == link.levels and other.mention.start > mention.end
                    for other in hedged
                )
            ):
                value = "possible"  # "a fluid signal focus could represent a cleft"
            claim = _Claim(value, link.how, link)
            if link.how == EVERY:
                every.append(claim)
            elif link.how == REMAINING:
                remaining.append(claim)
            else:
                for level in link.levels:
                    mine[level].append(claim)
        for claim in remaining:
            for level in [*levels, None]:
                if not any(
                    c.how > EVERY and c.value in ("present", "possible") and c.link.order <= claim.link.order
                    for c in mine[level]
                ):
                    mine[level].append(claim)
        if label == "marrow_replacement":
            for claim in every:
                if claim.value != "absent":  # a diffuse process: linked to every body when no level is named
                    for level in [*levels, None]:
                        mine[level].append(claim)
        near = [link.order for link in by_label["fracture"] if link.how > EVERY or not levels]
        for claim in every:
            if (
                claim.value == "absent"
                or len(levels) <= 1
                and any(abs(order - claim.link.order) <= 4 for order in near)
            ):
                for level in [*levels, None]:
                    mine[level].append(claim)
        claims[label] = mine
    return claims


def _of_a_prior_study(view: SentenceWords) -> bool:
    """ "On the earlier study T12 and L1 were edematous" says how it was."""
    words = view.words
    if words[:1] not in (["on"], ["at"], ["in"]) or not any(word in _PRIOR_STUDY for word in words[1:5]):
        return False
    return any(word in ("was", "were", "had") for word in words) and not any(
        word in ("now", "today", "currently", "is", "are", "has", "have") for word in words
    )


def _broken_wall(link: Link) -> bool:
    """ "Both endplates and the posterior wall are breached" by a burst fracture, not by a tumor."""
    words, mention = link.view.words, link.mention
    return "wall" in words[mention.start : mention.end] and not any(
        word[:5] in ("tumor", "metas", "lesio", "lytic", "soft", "mass", "infil", "destr", "neopl", "plasm", "myelo")
        for word in words
    )


def _clause_before(words: Sequence[str], start: int, end: int) -> Sequence[str]:
    """The eight words before a finding, as far as its clause goes, and its own."""
    lo = max(0, start - 8)
    return words[next((at + 1 for at in range(start - 1, lo - 1, -1) if words[at] == ";"), lo) : end]


def _of_the_cord(link: Link) -> bool:
    """ "The cord is flattened, with T2 hyperintensity from T7 to T9" is no edema of a body."""
    mention = link.mention
    return (
        any(
            m.label == "neural"
            and m.start <= mention.start
            and mention.start - m.end <= 8
            and not {";", "body", "vertebra", "marrow"}.intersection(link.view.words[m.end : mention.start])
            for m in link.view.mentions
        )
        and "stir" not in link.view.words[mention.start : mention.end]
    )


def _only_edema(link: Link) -> bool:
    """ "diffuse low T1 and high STIR signal" is edema; replacement says so."""
    words, mention = link.view.words, link.mention
    inner = words[mention.start : mention.end]
    return (
        "t1" in inner
        and "stir" in words[mention.end : mention.end + 5]
        and not any(w[:6] in ("replac", "infilt") for w in words)
    )


def _value(link: Link) -> str | None:
    """What a finding says once assertion is applied; None when it says nothing."""
    mention = link.mention
    value = mention.value or "present"
    if mention.label == "pedicle_involvement":
        return _pedicle(link)
    if value == "absent":
        return None if mention.negated else "absent"
    if mention.negated:
        return "absent"
    return "possible" if mention.hedged else "present"


def _pedicle(link: Link) -> str | None:
    """A pedicle is involved when the nearest word about it says so."""
    view, mention = link.view, link.mention
    best: tuple[int, str, Mention] | None = None
    for other in view.mentions:
        if other.label != "pedicle_word" or other.start >= mention.start and other.end <= mention.end:
            continue
        between = (
            view.words[mention.end : other.start]
            if other.start >= mention.end
            else view.words[other.end : mention.start]
        )
        if len(between) > 9 or ";" in between:
            continue
        distance = len(between) + (4 if "," in between else 0)
        if best is None or distance < best[0] or (distance == best[0] and other.value == "absent"):
            best = (distance, other.value or "", other)
    if best is None:
        return None
    if best[1] == "absent":
        return "absent"
    end = view.words.index(";", mention.end) if ";" in view.words[mention.end :] else len(view.words)
    if any(w in _BREAKS for w in view.words[:end]) and not any(w in _DISEASE for w in view.words[:end]):
        return None  # a fracture that runs on into the arch
    if mention.negated or best[2].negated:
        return "absent"
    return "possible" if mention.hedged or best[2].hedged else "present"


_BREAKS = word_list("breaks")
_DISEASE = word_list("disease")


def _settle(claims: Sequence[_Claim]) -> tuple[str, list[Span]]:
    """The value that stands, and the words it stands on."""
    if not claims:
        return "not_stated", []
    pool = [c for c in claims if c.section == 3 and c.how >= HEADING] or list(claims)
    strongest = 3 if any(c.how >= HEADING for c in pool) else 2 if any(c.how == FOCUS for c in pool) else 1
    pool = [
        c
        for c in pool
        if (3 if c.how >= HEADING else 2 if c.how == FOCUS else 1) == strongest
        or c.value == "present"
        and c.how == FOCUS
        and not c.link.ambiguous
    ]
    for value in ("present", "possible", "absent"):
        mine = [c for c in pool if c.value == value]
        if mine:
            return value, [c.span for c in mine]
    return "not_stated", []


def _read_level(
    level: Level,
    status: str,
    status_spans: list[Span],
    claims: dict[str, dict[Level, list[_Claim]]],
    cement: dict[Level, list[Link]],
    by_label: dict[str, list[Link]],
    by_sentence: Mapping[int, Sequence[Link]],
    infection: bool,
    only: bool,
) -> tuple[FractureReading, dict[str, list[Span]]]:
    spans: dict[str, list[Span]] = {"level": status_spans, "status": status_spans}
    edema, spans["marrow_edema"] = _settle(claims["marrow_edema"][level])
    cleft, spans["cleft"] = _settle(claims["cleft"][level])
    retropulsion, spans["retropulsion"] = _settle(claims["retropulsion"][level])
    content: str | None = None
    if cleft in ("present", "possible"):
        content, spans["cleft_content"] = _content(level, claims["cleft"][level], by_label["cleft_content"])
    features = []
    for feature in MALIGNANT:
        if infection and feature in (
            "soft_tissue_mass",
            "osseous_destruction",
            "marrow_replacement",
            "pedicle_involvement",
        ):
            continue
        value, words = _settle(claims[feature][level])
        if value in ("present", "possible"):
            features.append(feature)
            spans.setdefault("malignant_features", []).extend(words)
    augmented = bool(cement.get(level))
    if augmented:
        spans["augmented"] = [(link.view, link.mention.start, link.mention.end) for link in cement[level]]
    acuity, spans["acuity"] = _acuity(level, by_label["acuity"], by_sentence, spans["marrow_edema"], edema, augmented)
    if acuity is None:
        acuity = "indeterminate"
    height, spans["height_loss_percent"] = _height(level, by_label["percent"], only)
    reading = FractureReading.model_construct(
        level=level,
        status=status,
        acuity=acuity,
        marrow_edema=edema,
        cleft=cleft,
        cleft_content=content,
        height_loss_percent=height,
        retropulsion=retropulsion,
        malignant_features=features,
        augmented=augmented,
        evidence={},
    )
    return reading, spans


def _content(level: Level, clefts: Sequence[_Claim], contents: Sequence[Link]) -> tuple[str | None, list[Span]]:
    """What fills the cleft, from the sentences that speak of it."""
    orders = {c.link.order for c in clefts if c.value != "absent"}
    found: set[str] = set()
    spans: list[Span] = []
    for link in contents:
        if link.mention.negated or link.order not in orders or level not in link.levels:
            continue
        near = any(
            c.link.order == link.order
            and -9 <= link.mention.start - c.link.mention.end <= 12
            or c.link.mention.start <= link.mention.start < c.link.mention.end
            for c in clefts
            if c.link.order == link.order
        )
        if near:
            found.add(link.mention.value or "")
            spans.append((link.view, link.mention.start, link.mention.end))
    if not found:
        return None, []
    return ("mixed" if "mixed" in found or len(found) > 1 else found.pop()), spans


_AS_WAS = 5
"""The rank of an age that is a judgment of before; what the marrow shows now beats it."""
_ACUITY_RANK = {"acute": 0, "subacute": 1, "chronic": 2, "indeterminate": 3}


def _acuity(
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
        if mention.negated and not mention.attrs.get("weak"):
            if value != "acute" or not _denied_age(link, fractures):
                continue
            value = "chronic"
        section = _SECTION_ORDER.get(link.view.sentence.section, 1)
        near = _near_fracture(link, fractures)
        if mention.hedged and not _hedged_fracture(link, fractures):
            continue
        if near > 8 and _other_subject(link):
            continue
        strength = (
            _AS_WAS
            if _as_was(link.view, mention)
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
                stated[_SECTION_ORDER.get(link.view.sentence.section, 1)].append(
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
    if after[:1] == ["on"] and any(word in _PRIOR_STUDY for word in after[1:4]):
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
    return any(other.label == "lesion_noun" and 0 <= other.start - mention.end <= 2 for other in view.mentions)


_RETAINED = word_list("retained")
_PRIOR = word_list("prior")
_THEN = frozenset("presentation diagnosis baseline onset outset time discharge admission injury first".split())
_PRIOR_STUDY = _PRIOR | {"previous", "last", "initial", "original", "comparison", "outside"}


def _height(level: Level, links: Sequence[Link], only: bool) -> tuple[float | None, list[Span]]:
    found: list[tuple[int, int, int, float, Link]] = []
    for link in links:
        alone = only and link.how == EVERY and link.view.sentence.section in ("addendum", "impression")
        if not alone and (level not in link.levels or link.how < FOCUS) or link.value is None:
            continue
        section = link.view.sentence.section
        if section == "history" and link.how < NAMED:
            continue
        value = height_loss(
            link.view,
            link.mention.start,
            link.value,
            named=link.how >= HEADING or any(m.label == "fracture" for m in link.view.mentions),
        )
        if value is None:
            continue
        order = {"addendum": 0, "findings": 1, "impression": 2, "recommendation": 2}.get(section, 3)
        found.append((order, 0 if link.how >= HEADING else 1, link.order, value, link))
    if not found:
        return None, []
    best = min(found, key=lambda item: (item[0], item[1], item[2]))
    same = [item for item in found if item[:3] == best[:3]]
    value = max(item[3] for item in same)
    return value, [(item[4].view, item[4].mention.start, item[4].mention.end) for item in same if item[3] == value]


def height_loss(view: SentenceWords, at: int, value: float, *, named: bool) -> float | None:
    """The loss of height that the percentage at word ``at`` states, None when it measures something else or is a
    former value.

    Args:
        view: the sentence.
        at: word position of the percentage.
        value: the percentage.
        named: whether a level is named with it; a bare percentage then counts ("T7: biconcave, 25%").
    """
    words = view.words
    lo, hi = max(0, at - 12), min(len(words), at + 12)
    before, after = words[lo:at], words[at + 1 : hi]
    for index in range(len(before) - 1, -1, -1):
        if before[index] == ";":
            before = before[index + 1 :]
            break
    if ";" in after:
        after = after[: after.index(";")]
    if _former(words, before, after, at):
        return None
    height = other = 99
    for mention in view.mentions:
        if mention.label not in ("height_loss", "not_height", "mimic"):
            continue
        if mention.start <= at < mention.end:
            if mention.label == "mimic" and "height_loss" in mention.entry.blocks:
                return None
            if mention.label == "height_loss":
                height = 0
            elif mention.label == "not_height" and words[mention.end : mention.end + 1] != ["height"]:
                other = 0
            continue
        if (
            mention.label == "mimic"
            or mention.label == "not_height"
            and words[mention.end : mention.end + 1] == ["height"]
        ):
            continue
        distance = at - mention.end if mention.end <= at else mention.start - at - 1
        gap = words[mention.end : at] if mention.end <= at else words[at + 1 : mention.start]
        if ";" in gap or distance > 12:
            continue
        distance += 5 * sum(word in (",", "(", ")", "and") for word in gap) + (1 if mention.end <= at else 0)
        if mention.label == "height_loss":
            height = min(height, distance)
        else:
            other = min(other, distance)
    if other < height and other <= 6:
        return None
    if height == 99 and not named:
        return None
    tail = " ".join(after[:4])
    shrunk = any(
        w in ("reduced", "compressed", "down", "decreased", "lowered", "collapsed", "diminished", "height", "shortened")
        for w in before[-5:]
    )
    if (
        before[-1:] == ["to"]
        and shrunk
        and "loss" not in before[-6:]
        and any(
            tail.startswith(phrase)
            for phrase in (
                "of its",
                "of normal",
                "of the normal",
                "of expected",
                "of the expected",
                "of original",
                "of the original",
                "of adjacent",
                "of the height",
            )
        )
    ):
        return 100 - value
    if (
        any(word in _RETAINED for word in before[-4:])
        and ("height" in after[:6] or "height" in before[-6:])
        and "loss" not in before[-6:] + after[:4]
    ):
        return 100 - value
    tail_end = next((i for i, word in enumerate(after[:8]) if word in (",", ";", ".", "<percent>", "and")), 8)
    if (
        "height" in after[:tail_end]
        and any(word in _RETAINED or word == "left" for word in after[:tail_end])
        and not {"loss", "lost", "reduction", "reduced"}.intersection(before[-6:] + after[:tail_end])
    ):
        return 100 - value  # "70% of the body height remaining"
    return value


def _former(words: Sequence[str], before: Sequence[str], after: Sequence[str], at: int) -> bool:
    """Whether the percentage is what the height loss used to be."""
    last = before[-4:]
    if before[-1:] == ["from"]:
        return "to" in after[:5] and "<level>" not in after[:3] or after[:1] == ["then"]
    if (
        before[-1:] == ["not"]
        or before[-2:] == ["not", "the"]
        or before[-2:] in (["instead", "of"], ["rather", "than"])
    ):
        return True
    if any(word in _PRIOR for word in before[-2:]) and before[-1] != ",":
        return True
    if words[:3] == ["at", "that", "time"] or words[0] in _PRIOR and "was" in words[:at]:
        return True
    if (
        any(word in _PRIOR for word in last)
        and not any(word in ("now", "currently", ",", ")") for word in last)
        and not any(word in ("today", "now", "currently") for word in after[:3])
    ):
        return True
    if after[:1] and after[0] in _PRIOR:
        return True
    if any(w in ("restored", "regained", "reexpanded", "restoration") for w in before[-4:]):
        return True
    for index, word in enumerate(after[:7]):  # "30% height loss on the earlier study and 75% today"
        if word in ("<percent>", ",", ";", "."):
            break
        if word in ("on", "in", "at") and any(w in _PRIOR_STUDY for w in after[index + 1 : index + 4]):
            return "<percent>" in words[at + 1 :] or any(w in ("measured", "was", "were") for w in before[-6:])
    opened = next((i for i in range(at - 1, max(-1, at - 10), -1) if words[i] in ("(", ")")), None)
    if opened is not None and words[opened] == "(":
        inner = words[opened + 1 : at]
        rest = words[at + 1 : at + 9]
        for mark in (")", ",", "<percent>"):
            rest = rest[: rest.index(mark)] if mark in rest else rest
        inner = inner[max((i + 1 for i, w in enumerate(inner) if w == ","), default=0) :]
        if any(
            w in ("was", "from", "formerly", "compared", "vs", "versus", "cf", "before", "ago") or w in _PRIOR
            for w in inner
        ) or any(w in ("ago", "before", "previously", "initially") or w in _PRIOR for w in rest):
            return True
        if "at" in rest and any(w in _THEN for w in rest[rest.index("at") + 1 : rest.index("at") + 4]):
            return True
        if "in" in rest and "<number>" in rest or "on" in rest:
            return True
    if "," in before[-6:]:
        before = before[len(before) - before[::-1].index(",") :]
    compared = before[-6:] if before[-1:] != ["("] else []
    if any(word in ("compared", "versus", "vs", "unlike") for word in compared) and "height" not in after[:4]:
        return True
    return len(before) >= 1 and before[-1] == "was" and any(word in ("now", "currently") for word in before)


# --- what stays open -------------------------------------------------------------------------------------------------


def _review(by_label: dict[str, list[Link]], levels: Sequence[str], review: list[str]) -> None:
    """Say where a finding could belong to more than one vertebra and no rule decides."""
    if len(levels) < 2:
        return
    names = {"marrow_edema": "marrow edema", "cleft": "an intravertebral cleft", "retropulsion": "retropulsion"}
    for label, name in names.items():
        for link in by_label[label]:
            if _value(link) not in ("present", "possible") or link.view.sentence.section == "history":
                continue
            if link.how == EVERY:
                review.append(f"The report states {name} without naming the level, and describes several fractures.")
                break
            if link.how == FOCUS and link.ambiguous:
                levels_meant = ", ".join(str(level) for level in link.levels)
                review.append(f"It is not certain that {name} is meant for each of {levels_meant}.")
                break


def iter_spans(spans: Iterable[Span]) -> Iterable[tuple[int, int, SentenceWords]]:
    """Token ranges of word ranges, without repetition."""
    seen: set[tuple[int, int]] = set()
    for view, start, end in spans:
        if not view.words or start >= len(view.words):
            continue
        key = (view.first_token[start], view.last_token[max(start, end - 1)])
        if key not in seen:
            seen.add(key)
            yield key[0], key[1], view
