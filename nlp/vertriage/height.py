"""Height: the loss of height that a percentage states, and when it measures something else."""

from __future__ import annotations

from collections.abc import Sequence

from vertriage.claims import PRIOR, PRIOR_STUDY, Level, Span
from vertriage.lexicon import word_list
from vertriage.linking import EVERY, FOCUS, HEADING, NAMED, Link
from vertriage.targets import Mention, SentenceWords
from vertriage.temporal import former

_RETAINED = word_list("retained")
_THEN = frozenset("presentation diagnosis baseline onset outset time discharge admission injury first".split())


def height_of(level: Level, links: Sequence[Link], only: bool) -> tuple[float | None, list[Span]]:
    found: list[tuple[int, int, int, float, Link]] = []
    for link in links:
        summary = link.view.sentence.section in ("addendum", "impression")
        alone = only and link.how == EVERY and (summary or level is None)
        if not alone and (level not in link.levels or link.how < FOCUS) or link.value is None:
            continue
        section = link.view.sentence.section
        if former(link.view, link.mention) and not _as_it_was(link.view.words[link.mention.end :]):
            continue
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
    while before and before[-1] in _ROUGHLY:
        before = before[:-1]
    if _former(words, before, after, at):
        return None
    if _share_of_the_body(before, after):
        return None
    if before[-1:] == ["("] and not _CANAL.isdisjoint(before) and "mm" in before[-3:] and "height" not in before:
        return None  # "the canal diameter from 16 mm to 8 mm (50%)"
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
            and words[mention.start] == "retropulsion"
            and "mm" in words[mention.end : mention.end + 4]  # which is its measure
            or mention.label == "not_height"
            and words[mention.end : mention.end + 1] == ["height"]
        ):
            continue
        distance = at - mention.end if mention.end <= at else mention.start - at - 1
        gap = words[mention.end : at] if mention.end <= at else words[at + 1 : mention.start]
        if ";" in gap or distance > 12:
            continue
        distance += 5 * sum(word in (",", "(", ")", "and") for word in gap) + (1 if mention.end <= at else 0)
        if mention.label == "height_loss" and not _of_something_else(view, mention):
            height = min(height, distance)
        else:
            other = min(other, distance)
    if other < height and other <= 6:
        return None
    if height == 99 and not named:
        return None
    if (
        "height" in before
        and after[:1] == ["of"]
        and not _WHOLE.isdisjoint(after[1:6])
        and not _STANDS.isdisjoint(before[-2:])
        and {"loss", "lost", "reduction", "reduced", "decrease", "decreased"}.isdisjoint(before)
    ):
        return 100 - value  # "the height of L2 is 70% of that expected"
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
        not {"loss", "lost", "reduction", "reduced", "decrease"}.intersection(before[-6:])
        and not _MEASURES.isdisjoint(before[-2:])
        and after[:1] == ["of"]
        and not _WHOLE.isdisjoint(after[1:4])
    ):
        return 100 - value  # "measures 70% of its neighbors"
    if (
        any(word in _RETAINED for word in before[-4:])
        and ("height" in after[:6] or "height" in before[-6:])
        and {"loss", "lost", "reduction", "decrease", "deficit"}.isdisjoint(before[-6:] + after[:4])
    ):
        return 100 - value
    earlier = next((p for p in reversed(view.percents) if p.at < at), None)
    if earlier is not None and after[:1] in (["."], [","], [";"], ["and"], []):
        gap = words[earlier.at + 1 : at]
        bare = not _RETAINED.isdisjoint(words[max(0, earlier.at - 4) : earlier.at]) and "height" in gap[:6]
        if bare and {"loss", "lost", "reduction", "reduced", "decrease"}.isdisjoint(gap) and "<level>" in gap:
            return 100 - value  # "L4 keeps 80% of its height, the L2 fracture 60%"
    tail_end = next((i for i, word in enumerate(after[:8]) if word in (",", ";", ".", "<percent>", "and")), 8)
    if (
        "height" in after[:tail_end]
        and any(word in _RETAINED or word in ("left", "remain", "remains", "survives") for word in after[:tail_end])
        and not {"loss", "lost", "reduction", "reduced"}.intersection(before[-6:] + after[:tail_end])
    ):
        return 100 - value  # "70% of the body height remaining"
    return value


_ROUGHLY = frozenset("about approximately around some roughly nearly almost circa just an estimated".split())
_CANAL = word_list("canal_words")
_STANDS = frozenset(["is", "are", "was", "be", "at"])


def _share_of_the_body(before: Sequence[str], after: Sequence[str]) -> bool:
    """ "L4 is replaced by about 90%", "80% of the L3 body is replaced": how much is diseased, not how much is lost."""
    if before[-2:-1] != [] and before[-2] in _DISEASED and before[-1] in ("by", "to", "in"):
        return True
    body = after[:7]
    return (
        body[:1] == ["of"]
        and "height" not in body
        and any(
            word in _DISEASED and body[at - 1] in ("is", "are", "been", "body", "vertebra")
            for at, word in enumerate(body)
        )
    )


_DISEASED = word_list("share_of_body")
_MEASURES = frozenset(["measure", "measures", "stand", "stands", "at"])
_WHOLE = frozenset(["expected", "normal", "original", "neighbor", "neighboring", "adjacent"])


def _of_something_else(view: SentenceWords, verb: Mention) -> bool:
    """ "The canal is reduced by 40%": the verb of height, said of the canal."""
    subject = verb.start - 2 if view.words[verb.start - 1] in ("is", "are", "was") else verb.start - 1
    return view.words[verb.start] in ("reduced", "reduction", "compromise", "lost") and any(
        m.label == "not_height" and m.start <= subject < m.end for m in view.mentions
    )


def _as_it_was(after: Sequence[str]) -> bool:
    """ "... was wedged by 30% on the earlier study and has not altered"."""
    return not _SAME.isdisjoint(after) or any(
        after[i] == "not" and after[i + 1] in _ALTERED for i in range(len(after) - 1)
    )


_SAME = frozenset(["unchanged", "unaltered", "same", "stable", "static"])
_ALTERED = frozenset("altered changed progressed increased worsened lost".split())


def _former(words: Sequence[str], before: Sequence[str], after: Sequence[str], at: int) -> bool:
    """Whether the percentage is what the height loss used to be."""
    if "<percent>" not in words[at + 1 :] and _as_it_was(words[at + 1 :]):
        return False
    last = before[-4:]
    if "which" in words[:at] and words[words.index("which") : words.index("which") + 2] == ["which", "time"]:
        return True  # "the CT of 2021, at which time it was lowered by 30%"
    if before[-1:] == ["from"]:
        return "to" in after[:5] and "<level>" not in after[:3] or after[:1] == ["then"]
    if (
        before[-1:] == ["not"]
        or before[-2:] == ["not", "the"]
        or before[-2:] in (["instead", "of"], ["rather", "than"])
    ):
        return True
    if any(word in PRIOR for word in before[-2:]) and before[-1] != ",":
        return True
    if "previous" in before[-4:] and before[-1] in ("height", "loss", ":", "value", "measurement", "compression"):
        return True  # "Previous height loss 20%."
    if words[:3] == ["at", "that", "time"] or words[0] in PRIOR and "was" in words[:at]:
        return True
    if (
        any(word in PRIOR for word in last)
        and not any(word in ("now", "currently", ",", ")") for word in last)
        and not any(word in ("today", "now", "currently") for word in after[:3])
    ):
        return True
    if after[:1] and after[0] in PRIOR:
        return True
    restored = any(w in ("restored", "regained", "reexpanded", "restoration") for w in before[-4:])
    if restored and not {"residual", "remaining"} & {*before[-3:], *after[:2]}:
        return True
    for index, word in enumerate(after[:7]):  # "30% height loss on the earlier study and 75% today"
        if word in ("<percent>", ",", ";", "."):
            break
        if word in ("on", "in", "at") and any(w in PRIOR_STUDY for w in after[index + 1 : index + 4]):
            return "<percent>" in words[at + 1 :] or any(w in ("measured", "was", "were") for w in before[-6:])
    opened = next((i for i in range(at - 1, max(-1, at - 10), -1) if words[i] in ("(", ")")), None)
    if opened is not None and words[opened] == "(":
        inner = words[opened + 1 : at]
        rest = words[at + 1 : at + 9]
        for mark in (")", ",", "<percent>"):
            rest = rest[: rest.index(mark)] if mark in rest else rest
        inner = inner[max((i + 1 for i, w in enumerate(inner) if w == ","), default=0) :]
        if any(
            w in ("was", "from", "formerly", "compared", "vs", "versus", "cf", "before", "ago") or w in PRIOR
            for w in inner
        ) or any(w in ("ago", "before", "previously", "initially") or w in PRIOR for w in rest):
            return True
        if "at" in rest and any(w in _THEN for w in rest[rest.index("at") + 1 : rest.index("at") + 4]):
            return True
        if "in" in rest and "<number>" in rest or "on" in rest:
            return True
    if "," in before[-6:]:
        before = before[len(before) - before[::-1].index(",") :]
    compared = before[-6:] if before[-1:] != ["("] else []
    level_behind = after[:1] in (["for"], ["at"], ["in"]) and "<level>" in after[1:3]  # "compared to 20% for L2"
    if (
        any(word in ("compared", "versus", "vs", "unlike") for word in compared)
        and "height" not in after[:4]
        and not level_behind
    ):
        return True
    return len(before) >= 1 and before[-1] == "was" and any(word in ("now", "currently") for word in before)
