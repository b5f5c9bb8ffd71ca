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

from vertriage.ages import acuity_of
from vertriage.claims import RANK, Claim, Level, Span
from vertriage.corrections import correct
from vertriage.height import height_of
from vertriage.lexicon import word_list
from vertriage.linking import EVERY, FOCUS, HEADING, REMAINING, Link
from vertriage.status import cemented, statuses
from vertriage.targets import Mention, SentenceWords
from vertriage.temporal import former
from vertriage.types import FractureReading

MALIGNANT = (
    "convex_posterior_border",
    "pedicle_involvement",
    "soft_tissue_mass",
    "marrow_replacement",
    "osseous_destruction",
)
_STAY = frozenset(MALIGNANT) - {"pedicle_involvement"}
"""What a fracture does not lose from one study to the next."""
_NOT_MARROW = word_list("not_marrow")


@dataclass(slots=True)
class FractureFindings:
    """What :func:`read_fractures` found: readings from the top of the spine down, the words behind every field, what
    could not be settled."""

    fractures: list[FractureReading] = field(default_factory=list)
    spans: list[dict[str, list[Span]]] = field(default_factory=list)
    review: list[str] = field(default_factory=list)


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
    correct(views, links)
    by_label: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        by_label[link.mention.label].append(link)
    cement = cemented(by_label["augmented"])
    status = statuses(views, by_label, cement)
    levels = sorted((level for level in status if level), key=lambda level: RANK.get(level, 99))
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


def _attribute_claims(by_label: dict[str, list[Link]], levels: Sequence[str]) -> dict[str, dict[Level, list[Claim]]]:
    claims: dict[str, dict[Level, list[Claim]]] = {}
    tumor = any(
        not (link.mention.negated or link.mention.asked)
        for label in ("marrow_replacement", "soft_tissue_mass", "osseous_destruction")
        for link in by_label[label]
    )
    for label in ("marrow_edema", "cleft", "retropulsion", *MALIGNANT):
        mine: dict[Level, list[Claim]] = defaultdict(list)
        every: list[Claim] = []
        remaining: list[Claim] = []
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
            if label not in _STAY and former(link.view, mention):
                continue
            if label == "marrow_edema" and value == "present" and _of_the_cord(link):
                continue
            value_of_label = link.view.words[mention.end : mention.end + 2]
            if label == "soft_tissue_mass" and value_of_label[:1] == [":"] and _YES.isdisjoint(value_of_label):
                continue  # the label of a paragraph
            if label == "osseous_destruction" and _broken_wall(link):
                continue
            if label == "convex_posterior_border" and not tumor and _measured_bulge(link):
                continue  # "the posterior wall bulges 3 mm into the canal": a displaced wall
            if (
                label == "marrow_replacement"
                and mention.hedged
                and {"marrow", "t1", "replaced"}.isdisjoint(link.view.words[mention.start : mention.end])
            ):
                continue  # "neoplastic infiltration cannot be excluded" is a suspicion, not a signal
            if label == "marrow_replacement" and _only_edema(link):
                continue
            if label == "retropulsion" and any(
                word.startswith("convex") for word in link.view.words[mention.start : mention.end]
            ):
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
            claim = Claim(value, link.how, link)
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


_YES = frozenset(["y", "yes", "present", "<pos>"])


def _broken_wall(link: Link) -> bool:
    """ "Both endplates and the posterior wall are breached" by a burst fracture, not by a tumor."""
    words, mention = link.view.words, link.mention
    inner = words[mention.start : mention.end]
    return ("wall" in inner or "cortex" in inner and "fragment" in words) and not any(
        word[:5] in ("tumor", "metas", "lesio", "lytic", "soft", "mass", "infil", "destr", "neopl", "plasm", "myelo")
        for word in words
    )


def _measured_bulge(link: Link) -> bool:
    words, mention = link.view.words, link.mention
    told = words[mention.start : mention.end + 3]
    return "mm" in told and not any(word.startswith("convex") for word in told)


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
    lead = view.words[max(0, mention.start - 30) : mention.start]
    broken = max((at for at, word in enumerate(lead) if word in _BREAKS), default=-1)
    runs = broken >= 0 and not _RUNS.isdisjoint(lead[broken + 1 :])
    if runs and _DISEASE.isdisjoint([*lead[broken:], *view.words[mention.end : mention.end + 3]]):
        return None  # "... and marrow edema, and the fracture extends through both pedicles"
    if mention.negated or best[2].negated:
        return "absent"
    return "possible" if mention.hedged or best[2].hedged else "present"


_RUNS = frozenset("extend extending run running continue continuing pass passing traverse traversing reach go".split())
_BREAKS = word_list("breaks")
_DISEASE = word_list("disease")


def _settle(claims: Sequence[Claim]) -> tuple[str, list[Span]]:
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
    claims: dict[str, dict[Level, list[Claim]]],
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
    acuity, spans["acuity"] = acuity_of(level, by_label["acuity"], by_sentence, spans["marrow_edema"], edema, augmented)
    if acuity is None:
        acuity = "indeterminate"
    height, spans["height_loss_percent"] = height_of(level, by_label["percent"], only)
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


def _content(level: Level, clefts: Sequence[Claim], contents: Sequence[Link]) -> tuple[str | None, list[Span]]:
    """What fills the cleft, from the sentences that speak of it."""
    orders = {c.link.order for c in clefts if c.value != "absent"}
    found: set[str] = set()
    spans: list[Span] = []
    for link in contents:
        if link.mention.negated or link.order not in orders or level not in link.levels:
            continue
        if former(link.view, link.mention) or _replaced(link.view.words, link.mention):
            continue
        near = any(
            c.link.order == link.order
            and -9 <= link.mention.start - c.link.mention.end <= (20 if _bracketed(link) else 12)
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


def _replaced(words: Sequence[str], mention: Mention) -> bool:
    """ "The fluid in the cleft has been replaced by gas"."""
    behind = words[mention.end : mention.end + 14]
    return any(behind[at : at + 2] in (["replaced", "by"], ["replaced", "with"]) for at in range(len(behind)))


def _bracketed(link: Link) -> bool:
    """ "Clefts at T12 (gas) and L1 (fluid)"."""
    return link.view.words[link.mention.start - 1 : link.mention.start] == ["("]


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
