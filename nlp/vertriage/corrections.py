"""Corrections: what an addendum, or the impression, changes about the numbers of vertebrae.

=====================================================  ================================================
"at T8 and T11, not T7 and T10"                        T7 is T8, T10 is T11
"the body counted as L1 is T12"                        L1 is T12
"all levels were numbered one too high"                every level is one lower
"recounted: fractures of T9 and L1"                    as many as before, in the same order
L1 in the findings, L2 in the impression, one each     a slip; the impression stands
=====================================================  ================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from vertriage.claims import RANK
from vertriage.levels import ORDER, neighbor
from vertriage.lexicon import word_list
from vertriage.linking import HEADING, REFERENCE, Link
from vertriage.targets import SentenceWords

_MISNAMED = word_list("misnamed")
_RENUMBERS = word_list("renumbers")
_IN_TRUTH = frozenset(
    "read be is are was lie lies belong belongs correspond corresponds sits located consider substitute".split()
)
_LATER = ("not", "instead", "rather", "place")


def correct(views: Sequence[SentenceWords], links: Sequence[Link]) -> None:
    """An addendum that moves a finding ("at T8 and T11, not T7 and T10") renames the levels of the report."""
    renamed: dict[str, str] = {}
    everything = any(
        view.sentence.section == "addendum"
        and {"level", "one"} <= set(view.words)
        and not {"all", "report", "every", "numbering"}.isdisjoint(view.words)
        and _shift([view])
        for view in views
    )
    for view in [] if everything else views:
        if view.sentence.section != "addendum" or len(view.groups) < 2:
            continue
        for (at, right), (then, wrong) in zip(view.groups, view.groups[1:], strict=False):
            between = view.words[at + 1 : then]
            if len(right.levels) != len(wrong.levels) or len(between) > 16 or "count" in (right.part, wrong.part):
                continue
            lead = [*(word for word in view.words[max(0, at - 3) : at] if word != "therefore"), *between]
            if any(word in _LATER for word in between):
                renamed.update(zip(wrong.levels, right.levels, strict=True))
            elif not _IN_TRUTH.isdisjoint(between) and not _MISNAMED.isdisjoint(lead):
                renamed.update(zip(right.levels, wrong.levels, strict=True))
    anew = False  # whether the addendum numbers the vertebrae as they should be
    if not renamed:
        renamed = _recount(views, links, _RECOUNTED) or _shift(views) or _recount(views, links, _COUNTED)
        anew = bool(renamed)
        renamed = renamed or _slip(views, links)
    renamed = {wrong: right for wrong, right in renamed.items() if wrong != right}
    if not renamed:
        return
    for link in links:
        if link.view.sentence.section == "addendum" and link.how == REFERENCE and _points(link, renamed):
            link.levels = []  # "the lower of the two, called L2 above, is L3": says which is meant
            continue
        if link.view.sentence.section == "addendum" and anew:
            link.levels = [level for level in link.levels if level not in _former_names(link.view)]
            continue
        if link.view.sentence.section == "addendum":
            if link.mention.negated and set(link.levels) <= renamed.keys():
                continue  # "L2 is normal": of the vertebra that is rightly called so
            link.levels = [level for level in link.levels if level not in renamed] or [
                renamed.get(level or "", level) for level in link.levels
            ]
        else:
            link.levels = [renamed.get(level, level) if level else level for level in link.levels]


def _points(link: Link, renamed: dict[str, str]) -> bool:
    """Whether the reference only points at what is renamed in its sentence, in words that lead elsewhere."""
    named = {level for _, group in link.view.groups for level in group.levels}
    return bool(named & renamed.keys()) and named.isdisjoint(level or "" for level in link.levels)


def _former_names(view: SentenceWords) -> set[str]:
    """The levels of an addendum that say what was written before: "the fracture given as L1 belongs to L2"."""
    return {level for at, group in view.groups if view.words[at - 1 : at] == ["as"] for level in group.levels}


_RECOUNTED = ("recount", "renumber")
_COUNTED = ("counting", "transitional", "misnumber", "miscount", "numbering", "sacralized", "lumbarized")


def _recount(views: Sequence[SentenceWords], links: Sequence[Link], words: tuple[str, ...]) -> dict[str, str]:
    """An addendum that counts anew and names as many fractures as before: they are the same ones, in the same order."""
    if not any(w.startswith(words) for view in views if view.sentence.section == "addendum" for w in view.words):
        return {}
    before: set[str] = set()
    after: set[str] = set()
    for link in links:
        section = link.view.sentence.section
        if (
            (link.mention.label == "fracture" or section == "addendum" and link.mention.label == "acuity")
            and link.how >= HEADING
            and not (link.mention.negated or link.mention.asked)
        ):
            (after if section == "addendum" else before).update(level for level in link.levels if level)
    if len(before) != len(after):
        return {}
    order = {level: RANK.get(level, 99) for level in before | after}
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
    """One fracture at neighboring levels in findings and impression is one dictation slip.

    The impression stands, unless an addendum names the level of the findings.
    """
    named: dict[str, set[str]] = {"findings": set(), "impression": set(), "addendum": set()}
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
    if wrong in named["addendum"] and right not in named["addendum"]:
        return {right: wrong}
    spoken = any(
        right in group.levels
        for view in views
        if view.sentence.section == "findings"
        for _, group in view.groups
        if group.part == "body"
    )
    near = abs(RANK.get(wrong, 0) - RANK.get(right, 99)) == 1 or wrong[1:] == right[1:]
    return {wrong: right} if near and not spoken else {}
