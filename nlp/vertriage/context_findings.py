"""Report-level findings: pain, osteoporosis, malignancy, trauma, deficit, compression, stability, infection.

Each field of the guidelines' section 2 has its own few lines here, because each weighs its evidence in its own way: a
question in the indication never makes a fact, a cancer counts wherever it is stated, a suspicion also when hedged.

>>> from vertriage.pipeline import parse
>>> text = "Clinical details: 79F. Back pain, ?mets. Conclusion: Osteoporotic fracture L1. No cord compression."
>>> parsed = parse(text)
>>> values, _ = read_context(parsed.views, [])
>>> values["pain"], values["osteoporosis"], values["known_malignancy"], values["neural_compression"]
('present', 'present', 'not_stated', 'absent')
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from vertriage.lexicon import Entry, word_list
from vertriage.reading import Span
from vertriage.targets import Mention, SentenceWords
from vertriage.types import CONTEXT_FIELDS, FractureReading

_Found = tuple[Mention, SentenceWords]
_T_SCORE = Entry("t_score")
_FAMILY = word_list("family")
_UNSURE = word_list("unsure")
_WORRY = word_list("worry")
_KNOWN_BY = word_list("known_by")
_NEW_SUSPICION = word_list("new_suspicion")
_NOT_KNOWN = word_list("not_known")
_CANCER_ORGANS = word_list("cancer_organs")
_VISIBLE = word_list("visible")
_CLINICAL = word_list("clinical")
_DEGENERATIVE_CAUSES = word_list("degenerative_causes")
_FRACTURE_CAUSES = word_list("fracture_causes")


def read_context(
    views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[dict[str, str], dict[str, list[Span]]]:
    """The ten report-level values and the words behind them.

    Args:
        views: sentences with asserted mentions.
        fractures: the vertebrae read from them; a malignant feature of one raises the suspicion.
    """
    found = _by_label(views)
    values = dict.fromkeys(CONTEXT_FIELDS, "not_stated")
    spans: dict[str, list[Span]] = {}

    def put(name: str, value: str, evidence: Sequence[_Found]) -> None:
        values[name] = value
        spans[name] = [(view, mention.start, mention.end) for mention, view in evidence]

    for name, rule in _RULES.items():
        value, evidence = rule(found, views, fractures)
        if value != "not_stated":
            put(name, value, evidence)
    return values, spans


def _by_label(views: Sequence[SentenceWords]) -> dict[str, list[_Found]]:
    found: dict[str, list[_Found]] = defaultdict(list)
    for view in views:
        if view.sentence.section != "technique":
            for mention in view.mentions:
                found[mention.label].append((mention, view))
    return found


def infection_alone(views: Sequence[SentenceWords]) -> bool:
    """Whether the words raise spinal infection and no malignancy: destruction is then the infection's."""
    found = _by_label(views)
    if not found["infection"]:
        return False
    raised, _ = _infection_suspected(found, views, [])
    return raised == "present" and _suspected_malignancy(found, views, [])[0] != "present"


_Rule = Callable[
    [dict[str, list[_Found]], Sequence[SentenceWords], Sequence[FractureReading]], tuple[str, list[_Found]]
]


def _split(found: Sequence[_Found]) -> tuple[list[_Found], list[_Found], list[_Found]]:
    """Mentions by what they assert: present, absent, hedged. Questions and words of another meaning fall away."""
    present: list[_Found] = []
    absent: list[_Found] = []
    hedged: list[_Found] = []
    for mention, view in found:
        if mention.value == "other":
            continue
        if _shadowed(mention, view):
            continue
        if mention.value == "absent" or mention.negated:
            absent.append((mention, view))
        elif mention.asked:
            continue
        elif mention.hedged:
            hedged.append((mention, view))
        else:
            present.append((mention, view))
    return present, absent, hedged


def _shadowed(mention: Mention, view: SentenceWords) -> bool:
    """Words inside a longer expression of another meaning ("chest pain", "family history of cancer")."""
    return any(
        other.label == mention.label
        and other is not mention
        and other.value == "other"
        and other.start < mention.end
        and mention.start < other.end
        for other in view.mentions
    )


def _pain(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, hedged = _split(found["pain"])
    if not present:
        # "R/O cause of back pain", "? source of pain": the pain itself is a fact.
        present = [
            (m, v)
            for m, v in found["pain"]
            if m.value == "present" and not m.negated and v.sentence.section == "history" and (m.asked or m.hedged)
        ]
    present = [(m, v) for m, v in present if v.sentence.section not in ("recommendation",) and not _conditional(v, m)]
    present += hedged
    denied = [
        (m, v)
        for m, v in absent
        if m.value == "absent" and "incidental" not in v.words and "incidentally" not in v.words or m.negated
    ]
    incidental = [
        (m, v) for m, v in absent if m.value == "absent" and ("incidental" in v.words or "incidentally" in v.words)
    ]
    history = [(m, v) for m, v in present if v.sentence.section == "history"]
    if history:
        return "present", history
    if denied:
        return "absent", denied
    if present:
        return "present", present
    incidental = [(m, v) for m, v in incidental if any(other.label == "fracture" for other in v.mentions)]
    if incidental and fractures:
        return "absent", incidental
    return "not_stated", []


def _conditional(view: SentenceWords, mention: Mention) -> bool:
    """ "if pain does not improve" states no pain."""
    if "if" in view.words[max(0, mention.start - 4) : mention.start]:
        return True
    return view.sentence.section != "history" and view.words[mention.start - 1 : mention.start] == ["when"]


def _osteoporosis(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, hedged = _split(found["osteoporosis"])
    carried = [
        (m, v)
        for m, v in found["fracture"]
        if "osteoporosis" in m.attrs.get("context", ()) and not m.negated and not m.asked
    ]
    scores = _t_scores(views)
    asked_only = [(m, v) for m, v in present if not (v.sentence.section == "history" and m.asked)]
    if asked_only or carried or scores:
        return "present", [*asked_only, *carried, *scores]
    if hedged:
        body = [(m, v) for m, v in hedged if v.sentence.section != "history"]
        if body:
            return "present", body
    if absent:
        return "absent", absent
    return "not_stated", []


def _t_scores(views: Sequence[SentenceWords]) -> list[_Found]:
    """T-scores of -1.0 or less (WHO: osteopenia from -1.0, osteoporosis from -2.5)."""
    found: list[_Found] = []
    for view in views:
        words = view.words
        if _SCORED.isdisjoint(words):
            continue
        for at, word in enumerate(words):
            if (
                word in _DENSITOMETRY
                and words[at + 1 : at + 2] == ["-"]
                or word == "t"
                and (words[at + 1 : at + 2] == ["score"] or not _DENSITOMETRY.isdisjoint(words[:at]))
                or word == "tscore"
            ):
                for step in range(at + 1, min(len(words), at + 9)):
                    if (
                        words[step] == "-"
                        and step + 1 < len(words)
                        and (words[step + 1].isdigit() or words[step + 1] == "<number>")
                    ):
                        found.append((Mention("t_score", "present", at, step + 2, _T_SCORE), view))
                        break
                    if words[step] == "minus":
                        found.append((Mention("t_score", "present", at, step + 2, _T_SCORE), view))
                        break
                else:
                    continue
                break
    return found


def _known_malignancy(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present: list[_Found] = []
    absent: list[_Found] = []
    for mention, view in found["cancer"]:
        if mention.value == "other" or _shadowed(mention, view):
            continue
        words = view.words
        if any(word in _FAMILY for word in words[max(0, mention.start - 8) : mention.end]) and not any(
            w in ("personal",) for w in words
        ):
            continue
        section = view.sentence.section
        if mention.negated:
            if (section == "history" or "history" in words or "known" in words) and any(
                w in ("history", "cancer", "malignancy", "known", "hx", "pmh", "prior") for w in words
            ):
                absent.append((mention, view))
            continue
        if mention.asked or mention.hedged:
            beside = words[max(0, mention.start - 5) : mention.start]
            if (
                not mention.asked
                and ("treated" in beside or "patient" in beside and "with" in beside or _owned(words, mention))
                or (
                    section == "history"
                    and any(
                        w in ("known", "history", "post", "treated", "diagnosis")
                        for w in words[max(0, mention.start - 4) : mention.start]
                    )
                    and not mention.asked
                )
            ):
                present.append((mention, view))
            continue
        if section == "history":
            if not _tentative(words, mention):
                present.append((mention, view))
        elif section in ("comparison", "title"):
            compared = section == "comparison" and any(w in ("known", "metastasis", "myeloma") for w in words)
            titled = section == "title" and not _TITLE_FACT.isdisjoint(words) and _stated_as_fact(words, mention)
            if compared or titled:
                present.append((mention, view))
        elif _stated_as_fact(words, mention):
            present.append((mention, view))
        elif any(w in _KNOWN_BY for w in words) and words[mention.start] not in (
            "tumor",
            "neoplasm",
            "primary",
            "malignancy",
        ):
            beside = words[max(0, mention.start - 4) : mention.start]
            if (
                not any(w in _NEW_SUSPICION for w in words)
                or "known" in words
                or "history" in words
                or "treated" in beside
                or "patient" in beside
            ):
                present.append((mention, view))
        elif (
            words[mention.start] in ("metastasis", "metastatic")
            and not any(w in _UNSURE for w in words)
            or words[mention.start] in ("mastectomy", "prostatectomy", "lumpectomy")
            or words[mention.start] in ("myeloma", "lymphoma", "leukemia")
            and not any(w in _WORRY or w in _NOT_KNOWN for w in words)
            and words[mention.start - 2 : mention.start - 1] != ["/"]
            and words[mention.start - 1 : mention.start] != ["/"]
        ):
            present.append((mention, view))
    if present:
        return "present", present
    if absent:
        return "absent", absent
    return "not_stated", []


_DENSITOMETRY = frozenset(["dexa", "dxa", "bmd", "densitometry"])
_SCORED = _DENSITOMETRY | {"t", "tscore"}
_TITLE_FACT = frozenset(["staging", "restaging", "known", "follow"])


def _owned(words: Sequence[str], mention: Mention) -> bool:
    """ "In view of this lady's lung carcinoma a metastasis is not excluded": the carcinoma is hers."""
    owner = words[max(0, mention.start - 3) : mention.start]
    return words[mention.start] not in _ANY_TUMOR and not _OWNERS.isdisjoint(owner) and "with" not in owner


_ANY_TUMOR = word_list("any_tumor")
_OWNERS = word_list("owners")


def _stated_as_fact(words: Sequence[str], mention: Mention) -> bool:
    """ "Prostate carcinoma is on record", "Primary: lung cancer": of a named organ, and not thought of now."""
    named = words[mention.start - 1] in _CANCER_ORGANS if mention.start else False
    named = named or words[mention.start : mention.end] == ["melanoma"]
    doubts = (_NEW_SUSPICION | _WORRY | _NOT_KNOWN | _UNSURE | _VISIBLE) - {"primary"}
    return named and not any(word in doubts for word in words)


def _tentative(words: Sequence[str], mention: Mention) -> bool:
    """ "Staging for suspected", "? primary": cancer only as the question."""
    before = words[max(0, mention.start - 3) : mention.start]
    return any(
        word in ("?", "suspected", "possible", "rule", "evaluate", "exclude", "screening", "query", "concern")
        for word in before
    )


def _suspected_malignancy(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    raised: list[_Found] = []
    excluded: list[_Found] = []
    for mention, view in found["lesion_malignant"]:
        if mention.value == "other" or _shadowed(mention, view):
            continue
        section = view.sentence.section
        if section in ("history", "comparison", "title"):
            if (
                section == "history"
                and not (mention.asked or mention.hedged or mention.negated)
                and view.words[mention.start] in _SPINAL_METS
                and _spine_words(view)
            ):
                raised.append((mention, view))
            continue
        if mention.value == "absent":
            if not mention.negated:
                excluded.append((mention, view))
            continue
        if mention.negated:
            excluded.append((mention, view))
            continue
        if (
            view.words[mention.start] in ("marrow", "focal", "bone", "osseous")
            and mention.end - mention.start <= 2
            and "lesion" in view.words[mention.start : mention.end]
        ):
            continue  # "a marrow lesion" alone is not yet malignant
        if mention.asked and not mention.hedged and not _to_exclude(view, mention):
            continue
        if "protocol" in view.words[mention.end : mention.end + 2]:
            continue
        raised.append((mention, view))
    for mention, view in found["fracture"]:
        if "suspected_malignancy" in mention.attrs.get("context", ()) and view.sentence.section not in (
            "history",
            "title",
            "comparison",
        ):
            if mention.negated:
                excluded.append((mention, view))
            elif not mention.asked:
                raised.append((mention, view))
    for label in ("marrow_replacement", "osseous_destruction", "soft_tissue_mass"):
        for mention, view in found[label]:
            if (
                mention.negated
                and label == "marrow_replacement"
                and view.sentence.section in ("findings", "impression")
            ):
                excluded.append((mention, view))
            if (
                mention.negated
                and label == "osseous_destruction"
                and view.sentence.section in ("findings", "impression")
            ):
                excluded.append((mention, view))
    raised = [item for item in raised if not _outweighed(item)]
    if raised:
        return "present", raised
    if any(fracture.malignant_features for fracture in fractures):
        return "present", []
    if excluded:
        return "absent", excluded
    return "not_stated", []


def _to_exclude(view: SentenceWords, mention: Mention) -> bool:
    """ "Suggest contrast MRI to exclude metastasis": the radiologist's own question raises it."""
    return any(
        word in ("exclude", "rule") for word in view.words[max(0, mention.start - 6) : mention.start]
    ) and view.sentence.section in ("findings", "impression", "recommendation", "addendum")


_SPINAL_METS = word_list("spinal_mets")


def _spine_words(view: SentenceWords) -> bool:
    return any(
        word in ("bone", "osseous", "spinal", "spine", "vertebral", "skeletal", "bony", "<level>")
        for word in view.words
    )


def _outweighed(item: _Found) -> bool:
    """ "osteoporotic rather than pathologic", "less likely": still raised when hedged, not when ruled out."""
    mention, view = item
    words = view.words
    after = words[mention.end : mention.end + 8]
    return (
        after[:2] == ["is", "excluded"]
        or any(w == "excluded" for w in after)
        and not any(w in ("not", "cannot", "should", "must", "needs", "need", "to", "until", "unless") for w in after)
    )


def _high_energy_trauma(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    high = [
        (m, v)
        for m, v in found["high_trauma"]
        if not m.negated
        and m.value != "other"
        and v.sentence.section in ("history", "findings", "impression", "title", "other", "addendum")
    ]
    if high:
        return "present", high
    low = [(m, v) for m, v in found["low_trauma"]]
    if low:
        return "absent", low
    return "not_stated", []


def _neurologic_deficit(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, _ = _split(found["deficit"])
    present = [
        (m, v)
        for m, v in present
        if (v.sentence.section in ("history", "title", "findings", "impression"))
        and not (v.sentence.section != "history" and not _clinical(v))
        and not any(w in ("if", "develop", "develops", "should") for w in v.words[: m.start])
    ]
    if present:
        return "present", present
    if absent:
        absent = [
            (m, v) for m, v in absent if v.sentence.section in ("history", "findings", "impression", "title", "other")
        ]
        clinical = [(m, v) for m, v in absent if v.sentence.section == "history" or _clinical(v) or m.value == "absent"]
        if clinical:
            return "absent", clinical
    return "not_stated", []


def _clinical(view: SentenceWords) -> bool:
    """A sentence outside the history that speaks of the patient, not of the images."""
    return any(w in _CLINICAL for w in view.words)


def _neural_compression(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, hedged = _split(found["neural"])
    levels = {fracture.level for fracture in fractures}
    body = [
        (m, v) for m, v in present if v.sentence.section not in ("history", "comparison", "title", "recommendation")
    ]
    under = _disc_labels(views)
    body = [
        (m, v)
        for m, v in body
        if not _elsewhere(v, m, levels)
        and not (id(v) in under and under[id(v)].isdisjoint(levels) and not any(g.part == "body" for _, g in v.groups))
    ]
    absent = [(m, v) for m, v in absent if v.sentence.section not in ("history", "comparison", "title")]
    if body and not (
        all(_indents(m, v) for m, v in body)
        and any({"compression", "compressed"}.intersection(v.words[m.start : m.end]) for m, v in absent)
    ):
        return "present", body
    if absent:
        return "absent", absent
    return "not_stated", []


def _indents(mention: Mention, view: SentenceWords) -> bool:
    """ "indents the cord" is compression, unless the report denies that."""
    return any(word[:6] == "indent" for word in view.words[mention.start : mention.end])


def _disc_labels(views: Sequence[SentenceWords]) -> dict[int, set[str | None]]:
    """Sentences under the label of a disc level ("L4-5: ..."), with the bodies beside it."""
    found: dict[int, set[str | None]] = {}
    current: set[str | None] | None = None
    paragraph = -1
    for view in views:
        sentence = view.sentence
        if sentence.label:
            discs = [g for at, g in view.groups if g.part == "disc" and at == 0]
            current = {level for g in discs for level in g.levels} if discs else None
        elif sentence.paragraph != paragraph or sentence.item:
            current = None
        paragraph = sentence.paragraph
        if current:
            found[id(view)] = current
    return found


def _elsewhere(view: SentenceWords, mention: Mention, levels: set[str | None]) -> bool:
    """Compression by a disc or at a level that is not fractured belongs to the degenerative findings."""
    words = view.words
    if any(group.part == "body" and any(level in levels for level in group.levels) for _, group in view.groups):
        return False
    discs = [group for _, group in view.groups if group.part == "disc"]
    if discs and not any(level in levels for group in discs for level in group.levels):
        return True
    return not _DEGENERATIVE_CAUSES.isdisjoint(words) and _FRACTURE_CAUSES.isdisjoint(words)


def _radiculopathy(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    levels = {fracture.level for fracture in fractures}
    present: list[_Found] = []
    absent: list[_Found] = []
    for mention, view in found["radicular"]:
        if mention.value == "other" or _shadowed(mention, view):
            continue
        if mention.value == "absent" or mention.negated:
            if view.sentence.section == "history" or mention.value == "absent" or not _root(view, mention):
                absent.append((mention, view))
            continue
        if mention.asked or _root(view, mention) and "cauda" in view.words:
            continue
        if view.sentence.section in ("history", "title"):
            present.append((mention, view))
        elif not mention.hedged and not _root(view, mention):
            if _clinical(view) or any(
                w in ("radiculopathy", "sciatica", "radicular", "symptom", "symptoms", "pain") for w in view.words
            ):
                present.append((mention, view))
        elif not mention.hedged and _at_fracture(view, levels):
            present.append((mention, view))
    if present:
        return "present", present
    return ("absent", absent) if absent else ("not_stated", [])


def _root(view: SentenceWords, mention: Mention) -> bool:
    return any(word in ("root", "nerve") for word in view.words[mention.start : mention.end])


_DISC_CAUSES = word_list("disc_causes")


def _at_fracture(view: SentenceWords, levels: set[str | None]) -> bool:
    if any(w in _DISC_CAUSES for w in view.words) and not any(
        w in ("fragment", "retropulsion", "retropulsed", "tumor", "corner", "collapse", "fracture", "mass")
        for w in view.words
    ):
        return False
    return any(
        (group.part in ("body", "disc")) and any(level in levels for level in group.levels) for _, group in view.groups
    ) or any(w in ("fragment", "retropulsion", "retropulsed", "tumor", "corner") for w in view.words)


def _unstable_injury(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, _ = _split(found["unstable"])
    present = [(m, v) for m, v in present if v.sentence.section in ("findings", "impression", "addendum", "title")]
    if present:
        return "present", present
    absent = [(m, v) for m, v in absent if v.sentence.section in ("findings", "impression", "addendum")]
    return ("absent", absent) if absent else ("not_stated", [])


_CHEST = word_list("chest")


def _infection_suspected(
    found: dict[str, list[_Found]], views: Sequence[SentenceWords], fractures: Sequence[FractureReading]
) -> tuple[str, list[_Found]]:
    present, absent, hedged = _split(found["infection"])
    raised = [
        (m, v)
        for m, v in [*present, *hedged]
        if v.sentence.section in ("findings", "impression", "addendum", "recommendation")
    ]
    raised = [
        (m, v)
        for m, v in raised
        if _CHEST.isdisjoint(v.words) and [w for w in v.words if w not in "?.,"] != ["infection"]
    ]
    if raised:
        return "present", raised
    absent = [(m, v) for m, v in absent if v.sentence.section in ("findings", "impression", "addendum")]
    return ("absent", absent) if absent else ("not_stated", [])


_RULES: dict[str, _Rule] = {
    "pain": _pain,
    "osteoporosis": _osteoporosis,
    "known_malignancy": _known_malignancy,
    "suspected_malignancy": _suspected_malignancy,
    "high_energy_trauma": _high_energy_trauma,
    "neurologic_deficit": _neurologic_deficit,
    "neural_compression": _neural_compression,
    "radiculopathy": _radiculopathy,
    "unstable_injury": _unstable_injury,
    "infection_suspected": _infection_suspected,
}
