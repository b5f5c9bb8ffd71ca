"""Temporality: is a finding of today's study, or one that an earlier study showed?

ConText calls it "historical" (Harkema et al., J Biomed Inform 2009;42:839-51). Here it is asked of the attributes of a
fracture, whose words are the same on both studies:

=====================================================  ================================================
"was edematous on the previous study, now normal"      the edema is of the earlier study
"edematous in June, of normal signal today"            the edema is of the earlier study
"the former cleft", "previously edematous"             of the earlier study
"the edema noted in June persists", "edema, new        of today
since June", "edema not present in June"
=====================================================  ================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from vertriage.assertion import VERBS
from vertriage.claims import PRIOR, PRIOR_STUDY
from vertriage.lexicon import word_list
from vertriage.targets import Mention, SentenceWords

_NOW = frozenset(["now", "today", "currently", "presently", "but"])
_ANEW = frozenset("now is are has have today".split())
_PRESENT = _NOW - {"but"}
_WAS = frozenset("was were had showed demonstrated showing".split())
_IS = frozenset("is are has have".split())
_EVENTS = word_list("events")
_MONTHS = word_list("months")
_SEASONS = frozenset("spring summer autumn winter fall".split())
_STUDY = word_list("study")
_UNITS = frozenset("day week month year".split())
_LASTING = word_list("lasting")
_COMPARES = frozenset("since than from to with as unlike until after versus vs over like new".split())
_TOLD = word_list("told")
_NOT = frozenset("not no never without".split())
_TURNS = frozenset("now today currently presently is are has have but absent gone normal resolved none no".split())
_SUBORDINATE = frozenset("but while whereas although though however ; : ( )".split())


def former(view: SentenceWords, mention: Mention) -> bool:
    """Whether a finding is said of an earlier study and not of this one.

    Args:
        view: the sentence, with its words and mentions.
        mention: one finding of it, with assertion applied.
    """
    words = view.words
    if _TELLTALE.isdisjoint(words):
        return False
    label = view.sentence.label_end if view.sentence.label else -1
    colon = next((at for at, offset in enumerate(view.offsets) if offset >= label >= 0), -1)
    if _opens_in_the_past(words, mention.start) or _of_another_report(words, mention.start, colon):
        return True
    if mention.value != "absent" and not mention.negated and _called_former(words, mention):
        return True  # but "the former edema has vanished" tells of today
    return _dated(words, mention)


_TELLTALE = (
    PRIOR_STUDY
    | _EVENTS
    | _MONTHS
    | _SEASONS
    | _PRESENT
    | frozenset("ago then former formerly beforehand time when old external referring first <number>".split())
)
"""Without one of these words no sentence speaks of an earlier study."""


def _opens_in_the_past(words: Sequence[str], at: int) -> bool:
    """ "On the earlier study T12 and L1 were edematous, now they are not" says first how it was."""
    end = next((i for i, word in enumerate(words) if word in _NOW or word == ";"), len(words))
    then = words[:end]
    opens = words[0] in ("on", "at", "in", "when") and any(
        word in PRIOR_STUDY or word in _EVENTS for word in words[1:7]
    )
    opens = opens or words[:4] == ["at", "the", "time", "of"]
    ago = "ago" in then and end < len(words)
    if not opens and not ago and words[:3] != ["at", "that", "time"] and words[0] not in (*PRIOR, "then"):
        return False
    return at < end and not _WAS.isdisjoint(then) and _IS.isdisjoint(then[:-1])


def _of_another_report(words: Sequence[str], at: int, label: int) -> bool:
    """ "Prior MRI of 12 March: edema at T12", "the old report mentions edema at L1"."""
    lead = words[1:] if words[0] in ("the", "her", "his", "an", "in") else words
    if len(lead) < 3 or lead[0] not in _OTHERS or lead[1] not in _STUDY | {"report"}:
        return False
    lo = at - len(words) + len(lead)
    colon = lead.index(":") if ":" in lead[:9] else label - 1 if 1 < label < 9 else -1
    told = next((i for i in range(2, min(6, len(lead))) if lead[i] in _TELLS), -1)
    start = colon if colon > 0 else told
    return 0 < start < lo and _NOW.isdisjoint(lead[start:lo]) and ";" not in lead[start:lo]


def _called_former(words: Sequence[str], mention: Mention) -> bool:
    """ "Previously edematous", "the former cleft", "edema then, none now", "was edematous on the scan of May"."""
    if words[mention.start - 1 : mention.start] in (["was"], ["were"]):
        behind = words[mention.end : mention.end + 9]
        if behind[:2] in (["on", "the"], ["at", "the"], ["in", "the"]) and (
            "ago" in behind or PRIOR_STUDY & set(behind)
        ):
            return True
    before = words[mention.start - 1 : mention.start]
    then = words[mention.end : mention.end + 3]
    if then[:1] == ["then"] and then[1:2] in _THEN_ENDS and then[1:] != ["and", "now"]:
        return True
    relative = words[max(0, mention.start - 2) : mention.start]
    if relative[:1] != [] and relative[0] in PRIOR and relative[-1] in _HELD:
        return True  # "previously containing gas, now fluid"
    return before == ["former"] or before != [] and before[0] in PRIOR


def _dated(words: Sequence[str], mention: Mention) -> bool:
    """A time that has passed stands beside the finding, in the past tense, in an aside, or against a "now"."""
    lo, hi = _segment(words, mention)
    if words[lo : lo + 1] == ["when"] and not _WAS.isdisjoint(words[lo:hi]) and lo:
        return True  # "compared with March, when T12 was edematous"
    time = next(((at, sure) for at in range(lo, hi) if (sure := _past_time(words, at, hi))), None)
    if time is None:
        return not _WAS.isdisjoint(words[lo:hi]) and _is_now_normal(words, hi)
    at, sure = time
    if at == mention.end and mention.end - mention.start <= 2 and not _EVENTS.isdisjoint(words[at + 1 : at + 3]):
        return True  # "T12 and L1 fractures, edematous at presentation"
    if words[at - 1 : at] and words[at - 1] in _COMPARES:
        return False
    if not _LASTING.isdisjoint(words[lo:hi] if "only" in words[hi:] else words[lo:]):
        return False
    if at >= mention.end and not _NOT.isdisjoint(words[mention.end : at]):
        return False  # "edema not present in June" is new
    segment = words[lo:hi]
    if not _PRESENT.isdisjoint(segment):
        return False
    if "mm" in words[hi : hi + 6]:
        return False  # "was 5 mm in March, now 2 mm"
    if not _IS.isdisjoint(segment):
        return False
    rest = [*words[:lo], *words[hi:]]
    turned = not _NOW.isdisjoint(rest) or words[hi : hi + 1] != [] and not _TURNS.isdisjoint(words[hi : hi + 3])
    if not _WAS.isdisjoint(segment):
        return sure == "sure" or turned
    between = words[mention.end : at] if at >= mention.end else []
    told = 0 < len(between) <= 3 and between[-1] in _TOLD
    aside = lo > 0 and words[lo - 1] == "," and words[hi : hi + 1] == [","] and len(segment) <= 8
    return turned and (told or aside or len(segment) <= 10) or told and aside


def _is_now_normal(words: Sequence[str], at: int) -> bool:
    """ "was bright on STIR and is now normal", "was bright, now normal"."""
    turn = [word for word in words[at + 1 : at + 5] if word not in ("is", "are", "has", "have", "it", "again")]
    return (
        words[at : at + 1] in ([","], ["and"], ["but"], [";"])
        and turn[:1] != []
        and turn[0] in _PRESENT
        and (not _SETTLED.isdisjoint(turn[1:2]))
    )


_SETTLED = word_list("settled")


def _segment(words: Sequence[str], mention: Mention) -> tuple[int, int]:
    """The words around a finding up to where the sentence turns to something else."""
    lo = 0
    for at in range(mention.start - 1, -1, -1):
        led = words[at] == "," and at <= 7 and words[0] in _OPENERS  # "In June, L1 was edematous"
        if words[at] in _SUBORDINATE or words[at] == "," and not led or _new_verb(words, at):
            lo = at + 1
            break
    hi = len(words)
    for at in range(mention.end, len(words)):
        turns = words[at] == "and" and not _TURNS.isdisjoint(words[at + 1 : at + 2])
        anew = words[at] in ("it", "this", "they") and not _ANEW.isdisjoint(words[at + 1 : at + 2])
        if words[at] in _SUBORDINATE or words[at] == "," or turns or anew or _new_verb(words, at):
            hi = at
            break
    return lo, hi


def _new_verb(words: Sequence[str], at: int) -> bool:
    """ "was fractured in 2014 and shows no edema": the second half has a tense of its own."""
    following = words[at + 1 : at + 2]
    return (
        words[at] == "and"
        and following != []
        and (following[0] in VERBS or following[0] in _NOT or _NOT.intersection(words[at + 2 : at + 3]) != set())
    )


_THEN_ENDS = ([","], ["but"], ["and"], ["."], [";"])
_HELD = frozenset("containing showing filled with contained showed harboring holding".split())
_OTHERS = PRIOR_STUDY | {"old", "external", "referring", "first"}
_TELLS = frozenset(
    "show showed shown demonstrate demonstrated mention mentioned describe described note noted ".split()
) | {
    "report",
    "reported",
    "state",
    "stated",
    "reveal",
    "revealed",
}
_OPENERS = frozenset(["in", "on", "at", "then", "previously", "initially", "originally", "last"])


def _shown_then(following: Sequence[str]) -> bool:
    date = next((at for at, word in enumerate(following) if word not in ("<number>", "/") and not word.isdigit()), 0)
    return date > 0 and following[date] in _WAS


def _past_time(words: Sequence[str], at: int, end: int) -> str:
    """Whether a past time begins here: "sure" when it can be no date of this study, "maybe" for a bare date."""
    word = words[at]
    following = words[at + 1 : min(end, at + 8)]
    if word in ("formerly", "previously", "initially", "originally", "ago", "beforehand"):
        return "sure"
    if word == "earlier" and words[at - 1 : at] and words[at - 1] in _UNITS:
        return "sure"
    if word == "last" and following[:1] and (following[0] in _UNITS or following[0] in _MONTHS | _SEASONS):
        return "sure"
    if word in ("at", "on", "in") and not _EVENTS.isdisjoint(following[:2]):
        return "sure"
    if word == "at" and following[:2] in (["that", "time"], ["the", "time"]):
        return "sure"
    if word in ("on", "in", "at") and following[:1] and (PRIOR_STUDY & set(following[:2])):
        return "sure"
    if word == "on" and words[at - 1 : at] in ([":"], []) and _shown_then(following):
        return "sure"  # "T10: on 08/05/2024 showed edema"
    if word in ("on", "in") and _MONTHS & set(following[:2]) and _STUDY & set(following[1:4]):
        return "sure"  # "on the January study"
    if (
        word == "in"
        and following[:1]
        and (following[0] in _MONTHS or following[:1] == ["the"] and _SEASONS & set(following[1:2]))
    ):
        return "sure"
    if word in ("in", "on") and following[:1] and (following[0] == "<number>" or _MONTHS & set(following[:3])):
        return "" if following[1:2] == ["mm"] else "maybe"
    if (
        word == "on"
        and following[:1] == ["the"]
        and _STUDY & set(following[1:3])
        and following[2:4]
        and ({"of", "from"} & set(following[1:4]))
    ):
        return "maybe"  # "on the scan of May"
    return ""
