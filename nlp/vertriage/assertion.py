"""Assertion: is a finding said to be there, not to be there, or perhaps there?

ConText (Harkema et al., J Biomed Inform 2009;42:839-51) with rules of our own in ``lexicons/assertion.yaml``: a cue
reaches forward or backward to the end of its clause, to a word that ends its reach, or so many words far.

>>> from vertriage.pipeline import parse
>>> def reading(text):
...     return [(m.label, m.negated, m.hedged) for m in parse(text).sentences[0].mentions if m.label == "cleft"]
>>> reading("No retropulsion, cleft or mass."), reading("Cleft is not excluded.")
([('cleft', True, False)], [('cleft', False, True)])

medspaCy's ``ConText`` reads the same kind of rules. It is not used here because a rule broken over two lines does not
match, and because its reach ends only at words listed in the rules, not where the clause ends ("no cleft, T10 shows a
new fracture"). Speed is the lesser reason: 4.8 ms a report with its own rules, 0.4 with ours, 0.2 here (``python -m
benchmarks.components``).
"""

from __future__ import annotations

from collections.abc import Sequence

from vertriage.lexicon import word_list
from vertriage.targets import Mention, SentenceWords

VERBS = word_list("finite_verbs")

_PERCEIVED = word_list("perceived")
_JUDGES = frozenset(
    "regard consider think believe favor suspect would feel interpret take judge call called read see find".split()
)
_HARD_STOPS = frozenset([";", "."])
_QUANTIFIED_NOUNS = 8


def clause_starts(words: Sequence[str]) -> list[int]:
    """Word positions where a new clause with its own subject and verb begins.

    >>> clause_starts("no cleft , the posterior wall is intact".split())
    [3]
    >>> clause_starts("no cleft , retropulsion or mass is seen".split())
    []
    """
    starts: list[int] = []
    size = len(words)
    for at, word in enumerate(words):
        if word in (";",):
            starts.append(at + 1)
            continue
        if word in ("i", "we") and at and words[at + 1 : at + 2] and words[at + 1] in _JUDGES:
            starts.append(at)  # "with no marrow disease to be seen I regard these as insufficiency fractures"
            continue
        if word == "-" and words[at + 1 : at + 2] in (["or"], ["and"]):
            continue  # "pre- or paravertebral"
        if word == "-" and at + 1 < size:
            starts.append(at + 1)
            continue
        if word not in (",", "and", "while", "whereas", "but", "although", "though", "however"):
            continue
        if word == "however" and words[at - 1 : at] == words[at + 1 : at + 2] == [","]:
            continue  # "edema is, however, present"
        if word in ("while", "whereas", "but", "although", "though", "however"):
            starts.append(at + 1)
            continue
        if word == "and" and not any(
            w in VERBS or w in ("with", "without", "no") for w in words[starts[-1] if starts else 0 : at]
        ):
            continue  # two nouns share the verb that follows
        step = at + 1
        if word == "," and step < size and words[step] in ("and", "but", "while", "whereas", "although"):
            step += 1
        first = step
        while step < size and step < first + 10:
            here = words[step]
            if here in (",", ";", ":", "(", ")", "-"):
                break
            joins = here in ("and", "but", "while") and word == "," and step + 1 < size
            if joins and "<level>" not in (words[step - 1], words[step + 1]):
                break  # but "..., T9 and T10 are ..." is one subject
            if here in VERBS and words[step - 1] != "to":
                if step == first:
                    break
                perceived = any(w in _PERCEIVED for w in words[step + 1 : step + 4]) and here in (
                    "is",
                    "are",
                    "was",
                    "were",
                )
                listed = "or" in words[first:step]
                if perceived and listed:
                    break
                if perceived and word == "and" and "no" in words[:at] and not any(w in VERBS for w in words[:at]):
                    break
                starts.append(first)
                break
            step += 1
        else:
            continue
    return sorted(set(starts))


def assert_mentions(view: SentenceWords, *, history: bool = False) -> None:
    """Fill ``negated``, ``hedged``, ``asked`` and ``planned`` of every mention of a sentence.

    Args:
        view: a sentence with its mentions and cues.
        history: whether the sentence stands in the indication, where a question is the point of the exam.
    """
    cues = view.cues
    if not cues or not view.mentions:
        return
    words = view.words
    false_friends = [(c.start, c.end) for c in cues if c.label == "none"]
    # "not present on the prior study" is a word of age, not a negation of the fracture before it.
    false_friends += [(m.start, m.end) for m in view.mentions if m.label == "acuity" and m.end - m.start > 1]
    starts = view.clauses = clause_starts(words)
    held_by = _held_by(view)
    ends = [c.start for c in cues if c.label == "ends"]
    excepts = [(c.start, c.end) for c in cues if c.label == "except"]
    for cue in cues:
        label = cue.label
        if cue.label == "negation_backward" and any(
            m.value == "absent" and m.start < cue.start and cue.end <= m.end for m in view.mentions
        ):
            continue  # "L1 fracture: edema at presentation has since resolved"
        if cue.label == "negation_backward" and words[cue.end - 1 : cue.end + 1] == ["no", "longer"]:
            continue  # "a fracture which is no longer painful"
        if cue.label == "negation_backward" and words[cue.start - 1 : cue.start] == ["there"]:
            continue  # "... and there is no": what follows is denied
        if words[cue.start : cue.start + 3] == [":", "none", "of"]:
            continue  # "prior T11 fracture, prior L1 fracture: none of them shows edema"
        if label.endswith("_backward"):
            label = label[:-9]
        elif label not in ("negation", "hedge", "question", "planned"):
            continue
        if (
            cue.label == "question"
            and not history
            and words[cue.start] not in _ALWAYS_ASKS
            and words[cue.start : cue.start + 2] != ["to", "exclude"]
        ):
            continue
        if cue.label not in ("question_backward", "planned") and any(
            s < cue.end <= e or s <= cue.start < e for s, e in false_friends
        ):
            continue
        if label != "planned" and _inside_longer(cue, cues):
            continue
        if words[cue.start] in ("versus", "vs") and (words[cue.end : cue.end + 1] or ["."])[0] in _FIGURES:
            continue  # "30% versus 10% before"
        if (
            label in ("hedge", "question")
            and words[cue.start] in _PRESUMED
            and _confirmed(words[cue.end : cue.end + 9])
        ):
            continue
        if words[cue.start] == "<neg>" and (cue.start == 0 or words[cue.start - 1] in (",", ";", ".", "and", ":")):
            for mention in view.mentions:  # "(-) trauma, (-) motor weakness": the sign stands before
                if cue.end <= mention.start < cue.end + 4 and not {",", ";"} & set(words[cue.end : mention.start]):
                    mention.negated = True
            continue
        if label == "planned" and words[cue.start - 1 : cue.end] == ["as", "before"]:
            continue  # "cement as before"
        if label == "planned":
            lo, hi = _clause(len(words), starts, cue)
            for mention in view.mentions:
                if words[mention.start - 1] in _DONE_BEFORE or words[cue.start - 1] == "<percent>":
                    continue  # "restored following kyphoplasty: 15% versus 45% before the procedure"
                if mention.label == "augmented" and lo <= mention.start < hi:
                    mention.planned = True
            continue
        bare = words[cue.start : cue.end] == ["no"] and (words[cue.end : cue.end + 1] or ["."])[0] in (",", ";", ".")
        if bare and not cue.label.endswith("_backward"):
            continue  # "edema no, cleft yes": the value of what stands before
        if not cue.label.endswith("_backward"):
            start = _quantifier_start(words, cue) if cue.attrs.get("quantifier") else cue.end
            stop = _forward_stop(words, cue, start, starts, ends, excepts)
            for mention in view.mentions:
                # "none of the walls is displaced": the finding itself begins before the verb
                if start <= mention.start < stop or cue.end <= mention.start < start < mention.end:
                    held = held_by.get(id(mention))
                    if (
                        held is not None
                        and label != "question"
                        and _presupposed(words, cue.end, held, quantifier=bool(cue.attrs.get("quantifier")))
                    ):
                        continue
                    if history and mention.label == "pain" and label == "negation" and _pain_of_its_own(words, mention):
                        continue
                    if label == "negation" and mention.value == "absent" and "," in words[start : mention.start]:
                        continue  # "no canal compromise, posterior cortex intact"
                    if label == "negation" and words[mention.start - 1] == "," and _measured(words, mention):
                        continue  # "no edema, retropulsion of 4 mm"
                    _mark(mention, label, history)
        else:
            if (
                cue.label == "hedge_backward"
                and cue.end - cue.start == 1
                and words[cue.start] not in ("versus", "vs")
                and cue.end < len(words)
                and words[cue.end] not in _AFTER_VALUE
            ):
                continue  # "possible" behind a finding counts when the clause ends there
            if words[cue.start : cue.end + 1] == ["unlikely", "to"]:
                continue  # which denies what follows
            if (
                words[cue.start : cue.end] in _ATTRIBUTIVE
                and words[cue.end : cue.end + 1]
                and words[cue.end][0].isalpha()
                and (words[cue.end] not in _AFTER_ABSENT or words[cue.start : cue.end + 1] == ["negative", "for"])
            ):
                continue  # "paraplegia with absent sensation", "a fracture with unremarkable marrow"
            if (
                cue.label == "negation_backward"
                and words[cue.start] == "not"
                and words[cue.start - 1] == ","
                and words[cue.end : cue.end + 1] in (["at"], ["in"])
                and "<level>" in words[cue.end : cue.end + 6]
            ):
                continue  # "a component at T7, not seen at T8"
            if (
                words[cue.start] in (":", ".")
                and words[cue.end - 1] in ("no", "n")
                and cue.end < len(words)
                and words[cue.end] not in _AFTER_VALUE
            ):
                continue  # "Epidural space: no abscess" is no value of the label
            lo = _backward_start(words, cue, starts, ends)
            if words[cue.start] in ("versus", "vs") and ":" in words[lo : cue.start]:
                lo = cue.start - words[lo : cue.start][::-1].index(":")  # "edema of L1: stress versus fracture"
            reach = int(cue.attrs.get("reach") or len(words))
            for mention in view.mentions:
                near = mention.start >= cue.start - reach or mention.end == cue.start
                if (
                    words[cue.start : cue.end - 1] == ["no"]
                    and words[cue.end - 1] in ".;,"
                    and mention.end != cue.start
                    and not (mention.end == cue.start - 1 and words[mention.end] in ("-", ":"))
                ):
                    continue  # the bare value belongs to the word right before it
                if (
                    words[cue.end - 1] in _ABSENT
                    and words[cue.end : cue.end + 1] in (["at"], ["in"])
                    and not _POINTS.isdisjoint(words[mention.end : cue.start])
                ):
                    continue  # "edema is florid in T10 and absent in T9"
                within = cue.start < mention.start and mention.end < cue.end  # "looked for a cleft and found none"
                if mention.value == "absent" and words[mention.end : mention.end + 1] == ["and"]:
                    continue  # "the cleft has closed and is not visible today"
                if within or near and lo <= mention.start and mention.end <= cue.start:
                    held = held_by.get(id(mention))
                    if held is not None and _presupposed(words, lo, held):
                        continue
                    _mark(mention, label, history)
    _deny_label(view)


def _deny_label(view: SentenceWords) -> None:
    """ "Metastases: no evidence of metastases": the label is denied with its value."""
    if view.sentence.cells and any(view.words[at : at + 2] == ["no", "fracture"] for at in range(len(view.words))):
        for mention in view.mentions:
            mention.negated = mention.negated or mention.label == "fracture"
    if not view.sentence.label or ":" not in view.words:
        return
    colon = view.words.index(":")
    denied = view.words[colon + 1 : colon + 2] == ["no"] and view.words[colon + 3 : colon + 5] == ["of", "it"]
    for mention in view.mentions:
        if mention.end <= colon and not mention.negated:
            mention.negated = denied or any(
                other.label == mention.label
                and other.start > colon
                and other.negated
                and set(view.words[other.start : other.end]) & set(view.words[mention.start : mention.end])
                for other in view.mentions
            )


def _confirmed(after: Sequence[str]) -> bool:
    """ "The suspected L1 fracture is confirmed", but not "possible cleft, which could be confirmed with CT"."""
    return "confirmed" in after and _UNREAL.isdisjoint(after[: after.index("confirmed")])


_DONE_BEFORE = frozenset(["following", "after", "since", "post"])
_POINTS = frozenset(["<level>", "former", "first", "upper", "other"])
_UNREAL = frozenset("not could can may might should would if unless until to be".split())
_PUNCTUATION = frozenset([".", ",", ";"])
_ABSENT = frozenset(["absent", "none", "negative"])
_ATTRIBUTIVE = (["absent"], ["unremarkable"], ["negative"], ["resolved"], ["spared"])
_AFTER_ABSENT = frozenset("at in on and or but throughout here elsewhere from with as for while whereas".split())
_FIGURES = frozenset([*"123456789", "<percent>", "<number>", "prior", "previous", "earlier", "last"])
_PRESUMED_NEXT = frozenset("possible probable suspected questionable presumed probably possibly likely".split())
_PRESUMED = frozenset(["suspected", "possible", "questioned", "presumed", "?", "query"])


def _pain_of_its_own(words: Sequence[str], mention: Mention) -> bool:
    """ "no cancer history, lumbar pain after a fall": behind a comma, and told more of."""
    return (
        words[mention.start - 1] == ","
        and words[mention.end : mention.end + 1] != []
        and (words[mention.end] in _TELLS_MORE)
    )


_TELLS_MORE = frozenset("after since for x following radiating worse over in with on when from".split())


def _held_by(view: SentenceWords) -> dict[int, Mention]:
    """By the identity of a mention, the fracture (or cement) that presupposing it presupposes: itself, or the one that
    a word of age stands before ("the acutely fractured body")."""
    held: dict[int, Mention] = {}
    age: Mention | None = None
    for mention in view.mentions:
        if mention.label in ("fracture", "augmented"):
            held[id(mention)] = mention
            if age is not None and mention.label == "fracture" and 0 <= mention.start - age.end <= 3:
                held.setdefault(id(age), mention)
        elif mention.label == "acuity":
            age = mention
    return held


def _presupposed(words: Sequence[str], lo: int, mention: Mention, *, quantifier: bool = False) -> bool:
    """ "No edema in the collapsed T6 vertebra", "neither of the fractures shows edema": the fracture itself is a fact.

    It is when a definite noun phrase holds it, behind a preposition and something else that is denied or hedged.
    """
    before = words[lo : mention.start]
    if _of_neither(words, lo - 1) and not _DEFINITE.isdisjoint(before[:1]):
        return True  # "edema is seen in neither the T12 nor the L2 fracture"
    spoken = not VERBS.isdisjoint(before) and {"that", "which"}.isdisjoint(before)
    if quantifier and not spoken and _subject_of_verb(words, mention.end):
        # not so "none of these has lost height and the outlines are kept": the finding is the verb
        return VERBS.isdisjoint(words[mention.start : mention.end])
    at = mention.start - 1
    named = words[mention.end : mention.end + 1] == ["<level>"]
    while (
        at >= lo
        and at > mention.start - 8
        and (words[at] in _NOUN_PHRASE or words[at][-2:] in ("ed", "ly") or words[at] in _MORE_OR_LESS)
    ):
        named = named or words[at] == "<level>"
        at -= 1
    if mention.start == lo and mention.label == "fracture":
        verb, *rest = words[mention.end : mention.end + 2] or ["."]
        if verb in _ATTRIBUTED and rest != ["been"]:
            return True  # "no fracture shows retropulsion"
    if at < lo:
        return False
    if words[at] in _DEFINITE:
        return (
            at - 1 >= lo
            and (words[at - 1] in _RELATES or words[at - 2 : at] == ["associated", "with"])
            or _of_either(words, at)
            or at > lo
            and words[at - 1] == "that"
            or _subject_of_verb(words, mention.end)
        )
    return named and at > lo and words[at] in _RELATES


def _of_neither(words: Sequence[str], at: int) -> bool:
    if words[at : at + 1] == ["nor"] and "neither" in words[:at]:
        at = words.index("neither")
    return at > 1 and words[at] == "neither" and words[at - 1] in _RELATES


def _of_either(words: Sequence[str], at: int) -> bool:
    """ "No retropulsion at either the T12 or the L2 fracture"."""
    lead = words[max(0, at - 6) : at + 1]
    if lead[-2:] != ["or", "the"] or "either" not in lead:
        return False
    either = len(lead) - 1 - lead[::-1].index("either")
    return either > 0 and lead[either - 1] in _RELATES and lead[either + 1] == "the"


def _subject_of_verb(words: Sequence[str], at: int) -> bool:
    """Whether the words before ``at`` are the subject of a verb that says more than that they are seen."""
    for index in range(at, min(len(words), at + 12)):
        if words[index] in (";", ".", "nor"):
            return False
        if words[index] in VERBS:
            seen = any(word in _PERCEIVED or word in _VERIFIED for word in words[index + 1 : index + 4])
            return not (seen and words[index] in ("is", "are", "was", "were"))
    return False


_VERIFIED = frozenset("confirmed substantiated verified corroborated excluded reproduced real".split())
_ATTRIBUTED = frozenset("show has have demonstrate exhibit contain harbor display".split())
_MORE_OR_LESS = frozenset("milder smaller lesser slighter larger older fresher newer worse".split())
_NOUN_PHRASE = word_list("noun_phrase")
_DEFINITE = frozenset("the this that these those its both either each any their his her".split())
_RELATES = word_list("relates")
_ALWAYS_ASKS = word_list("always_asks")
_AFTER_VALUE = frozenset(". ; , ) (".split())


def _mark(mention: Mention, label: str, history: bool) -> None:
    if label == "negation":
        mention.negated = True
    elif label == "hedge":
        mention.hedged = True
        mention.asked = mention.asked or history
    else:
        mention.asked = True


def _inside_longer(cue: Mention, cues: Sequence[Mention]) -> bool:
    """A hedge inside a longer negation ("cannot exclude" holds "exclude") is not a cue of its own."""
    return any(
        other is not cue
        and other.start <= cue.start
        and cue.end <= other.end
        and other.end - other.start > cue.end - cue.start
        and (
            other.label == "none" or other.label[:5] != cue.label[:5] and other.label.startswith(("hedge", "negation"))
        )
        for other in cues
    )


def _measured(words: Sequence[str], mention: Mention) -> bool:
    behind = words[mention.end : mention.end + 3]
    if behind[:2] == ["as", "before"] or behind[:1] == ["unchanged"]:
        return True
    return "mm" in words[mention.start + 1 : mention.end] or behind[:1] in (["of"], ["by"]) and behind[-1] == "mm"


def _quantifier_start(words: Sequence[str], cue: Mention) -> int:
    """ "None of the remaining deformities shows edema": the negation starts at the verb."""
    if "nor" in words[cue.end : cue.end + _QUANTIFIED_NOUNS]:
        return cue.end  # "neither edema nor a cleft is seen"
    aside = 0
    for at in range(cue.end, len(words)):
        if words[at] == "(" and ")" in words[at : at + 12]:
            aside = at + words[at:].index(")") + 1
        if at < aside:
            continue
        if at - (aside or cue.end) >= _QUANTIFIED_NOUNS:
            break
        if (
            words[at] == ";"
            or words[at] == ","
            and words[at + 1 : at + 2] != ["<level>"]
            and words[at - 1] != "<level>"
        ):
            break
        if words[at] in VERBS or words[at] == "with":
            return at + 1
    return cue.end


def _clause(size: int, starts: Sequence[int], cue: Mention) -> tuple[int, int]:
    lo, hi = 0, size
    for start in starts:
        if start <= cue.start:
            lo = start
        elif start < hi:
            hi = start
            break
    return lo, hi


def _forward_stop(
    words: Sequence[str],
    cue: Mention,
    start: int,
    starts: Sequence[int],
    ends: Sequence[int],
    excepts: Sequence[tuple[int, int]],
) -> int:
    stop = len(words)
    for at in starts:
        if at > start:
            stop = min(stop, at)
            break
    for at in ends:
        if at >= start:
            stop = min(stop, at)
            break
    if words[cue.end : cue.end + 1] == [","] and words[cue.end + 1 : cue.end + 2] in (
        ["being"],
        ["having"],
        ["showing"],
    ):
        return cue.end  # "the middle one does not, being hyperintense on STIR"
    if words[cue.start] in ("absence", "lack", "absent"):  # "Absence of edema in T9 argues for an old fracture"
        stop = next((at for at in range(start, stop) if words[at] in _CONCLUDES), stop)
    for at in range(start, stop - 1):
        if words[at] == "," and words[at + 1] in _PRESUMED_NEXT:
            stop = at  # "without deformity, possible incipient fracture"
            break
    for at, _ in excepts:
        if at >= start:
            stop = min(stop, at)
            break
    if cue.start == 0 and words[0] in ("rather", "instead", "in", "without"):
        # "Rather than a metastasis this is a fracture"
        stop = next((at for at in range(start, stop - 1) if words[at] in _TURNS and words[at + 1] in VERBS), stop)
    relative = words[cue.start - 2 : cue.start] if cue.start > 1 else []
    if relative[-1:] and (relative[0] in ("which", "that") or relative[-1] in ("which", "that")):
        close = next((at for at in range(start, stop) if words[at] == ","), stop)
        if words[close + 1 : close + 2] and words[close + 1] in VERBS:
            stop = close  # "T12, which is free of deposit, has a healed fracture"
    if words[cue.start - 1 : cue.start] == [","] and cue.start > 1:
        close = next((at for at in range(start, stop) if words[at] == ","), stop)
        if words[close + 1 : close + 2] and words[close + 1] in VERBS:
            stop = close  # "the L2 fracture, not edematous in June, is edematous today"
    for at in range(start, stop):
        word = words[at]
        if word in (";", "which", "(") or (word == ":" and (at > start or words[cue.start] == "not")):
            return at
        if word == "with" and at > start and cue.label == "negation" and words[at - 1] != "associated":
            return at
        if word == "," and words[at + 1 : at + 2] == ["no"]:
            return at  # which speaks for itself
        if word == "," and words[at + 1 : at + 2] == ["and"] and words[cue.start : cue.end] == ["not"]:
            return at  # "normal marrow not being left, and high signal on STIR"
        if word == "," and words[at + 1 : at + 2] == words[start : start + 1]:
            return at  # "no edema in June, edema today"
        if word in ("and", ",") and at + 1 < stop and (words[at + 1] in _FRESH or words[at + 2 : at + 3] == ["mm"]):
            return at
        if word == "and" and at + 1 < stop and cue.label == "negation" and words[at + 1] in VERBS:
            return at  # "has no such features and shows a cleft"
        if word == "." and at + 1 < len(words):
            return at
        if cue.label == "hedge" and word in (",", "and") and at > start:
            return at
        if word == "," and at + 1 < stop and cue.label == "negation" and _positive_list(words, at, stop):
            return at
        if word in (",", "and") and at + 1 < stop and words[at + 1] in _PREDICATES and words[start] not in _PREDICATES:
            return at  # "without residual fat, hyperintense on STIR"
    reach = cue.attrs.get("reach")
    return min(stop, start + int(reach)) if reach else stop


_TURNS = frozenset(["this", "it", "there", "these"])
_FRESH = word_list("fresh_phrase")


_PREDICATES = word_list("predicates")
_CONCLUDES = word_list("concludes")
_NEGATIVES = frozenset(["no", "or", "nor"])
_FRACTURES = word_list("fracture_nouns")


def _positive_list(words: Sequence[str], at: int, stop: int) -> bool:
    """After "no X, ..." a comma goes on listing when "or" or "nor" follows; a bare noun phrase is a statement of its
    own only when it starts with a level or a percentage."""
    rest = words[at + 1 : stop]
    if _NEGATIVES.isdisjoint(rest) and words[:at].count("no") > 1:
        return True  # "no retropulsion, no cleft, marrow edema throughout"
    if "or" in rest or "nor" in rest:
        return False
    denied = max((i for i in range(at) if words[i] in ("no", "without")), default=-1)
    if rest and denied >= 0 and "or" in words[denied:at]:
        return True  # "no fall or injury, leg pain": "or" has closed the list
    if not rest or rest[0] in ("<level>", "<percent>", "<disc>", "<number>"):
        return bool(rest)
    # "no malignancy, compression fracture of L1": a fracture with its level
    at_level = next((at for at in range(1, min(len(rest), 7)) if rest[at] == "<level>"), 0)
    return at_level > 1 and rest[at_level - 1] in ("of", "at", "in") and not _FRACTURES.isdisjoint(rest[: at_level - 1])


_TOLD = word_list("told")


def _aside(words: Sequence[str], end: int) -> int:
    """Where the aside begins that closes right before ``end``: "edema, which was florid in May, is no longer seen"."""
    if words[end - 1 : end] != [","]:
        return end
    opened = next((at for at in range(end - 2, 0, -1) if words[at] in (",", ";", ".")), -1)
    inner = words[opened + 1 : end - 1]
    aside = inner[:1] == ["which"] or inner[:1] != [] and inner[0] in _TOLD and VERBS.isdisjoint(inner)
    return opened if opened > 0 and words[opened] == "," and aside else end


def _backward_start(words: Sequence[str], cue: Mention, starts: Sequence[int], ends: Sequence[int]) -> int:
    lo = 0
    first = words[cue.start]
    value = first in _ABSENT and (words[cue.end : cue.end + 1] or ["."])[0] in _PUNCTUATION
    value = value or first == "no" and words[cue.end - 1] in _PUNCTUATION
    copula = words[cue.start - 1 : cue.start] in (["is"], ["are"], ["was"], ["were"])
    closed = _aside(words, cue.start - copula)
    for at in starts:
        if at == cue.start and value and words[at - 1] == "-" or closed <= at < cue.start:
            continue  # "Metastases - none seen"
        if at < cue.start or at == cue.start and first != "which":
            lo = at
    for at in ends:
        if lo < at < cue.start:
            lo = at + 1
    last = closed - 1 if closed < cue.start - copula else cue.start - 1
    if first == ":" and words[last] == ")" and "(" in words[:last]:
        last = last - words[:last][::-1].index("(") - 2  # "Neurological deficit (from request): none"
    for at in range(last, lo - 1, -1):
        if words[at] in (";", "(") or (words[at] == "." and at < cue.start - 1):
            return at + 1
        if words[at] == ")" and at < cue.start - 1:
            return at + 1
        if first in (":", "-") and words[at] == ",":
            return at + 1
        if words[at] == ":" and first not in (":", "-") and cue.start - at > (3 if first in ("has", "have") else 4):
            return at + 1  # "Old L2 fracture: the former edema has disappeared"
        if (
            words[at] in ("with", "which")
            and at < cue.start - 1
            and first in ("is", "are", "was", "were", "has", "have")
        ):
            return lo if words[at] == "with" else at + 1
        if words[at] == "," and first not in (
            "is",
            "are",
            "was",
            "were",
            "cannot",
            "can",
            "could",
            "has",
            "have",
            "not",
            "(is",
            "remain",
            "remains",
            "which",
        ):
            return at + 1
    return lo
