"""The pipeline: registered spaCy factories, assembled by :func:`build_pipeline`.

==========================  ===================================================  ==============================
factory                     assigns                                              requires
==========================  ===================================================  ==============================
``vertriage_sections``      ``doc._.sections``                                   nothing
``vertriage_sentences``     ``doc._.report_sentences``, sentence starts          sections
``vertriage_levels``        ``doc._.level_groups``, ``doc.spans["levels"]``      nothing
``vertriage_targets``       ``doc._.views``, ``doc.spans["findings"]``           sentences, levels
``vertriage_assertion``     ``negated`` ... of every mention                     targets
``vertriage_linking``       ``doc._.links``                                      assertion
``vertriage_reading``       ``doc._.reading``                                    linking
==========================  ===================================================  ==============================

>>> nlp = build_pipeline()
>>> doc = nlp("Back pain. FINDINGS: Acute T12 compression fracture with marrow edema.")
>>> doc._.reading.pathway, doc._.reading.candidate_levels
('augmentation_candidate', ['T12'])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from vertriage.assertion import assert_mentions
from vertriage.context_findings import infection_alone, read_context
from vertriage.decision import decide
from vertriage.history import read_history
from vertriage.levels import LevelGroup, find_levels, spell
from vertriage.lexicon import Lexicon, shipped
from vertriage.linking import Link, link_findings
from vertriage.policy import assign_pathway, load_policy
from vertriage.reading import Span as WordSpan
from vertriage.reading import iter_spans, read_fractures
from vertriage.sections import Section, SectionRules, find_sections, section_rules
from vertriage.sentences import Sentence, find_sentences
from vertriage.targets import SentenceWords, match_targets, sentence_words
from vertriage.tokenizer import Tokens, tokenize
from vertriage.types import ClinicalFacts, ContextReading, Evidence, ReportMeta, ReportReading

__all__ = ["Parsed", "Reader", "build_pipeline", "parse"]


@dataclass(slots=True)
class Parsed:
    """Every stage's result for one report, for looking inside; see :func:`parse`."""

    text: str
    tokens: Tokens
    sections: list[Section]
    views: list[SentenceWords]
    links: list[Link]

    @property
    def sentences(self) -> list[SentenceWords]:
        return self.views


class Stages:
    """The stages over plain text, in order, with one set of lexicons."""

    def __init__(self, lexicons: Path | str | None = None) -> None:
        self.lexicon = shipped() if lexicons is None else Lexicon(lexicons)
        self.folder = None if lexicons is None else Path(lexicons)
        self.rules: SectionRules = section_rules(self.folder)
        self.policy = load_policy(None if self.folder is None else self.folder / "decision_policy.yaml")

    def sections(self, text: str) -> list[Section]:
        return find_sections(text, self.rules)

    def views(
        self, tokens: Tokens, sentences: Sequence[Sentence], words: list[str], groups: list[LevelGroup]
    ) -> list[SentenceWords]:
        views = []
        for sentence in sentences:
            view = sentence_words(tokens, words, groups, sentence)
            match_targets(view, self.lexicon)
            views.append(view)
        return views

    def parse(self, text: str) -> Parsed:
        sections = self.sections(text)
        sentences = find_sentences(text, sections)
        tokens = tokenize(text)
        words = spell(tokens, self.lexicon.spell)
        views = self.views(tokens, sentences, words, find_levels(tokens, words))
        for view in views:
            assert_mentions(view, history=view.sentence.section == "history")
        return Parsed(text, tokens, sections, views, link_findings(views))


def read_parsed(
    parsed: Parsed,
    *,
    report_id: str = "",
    meta: ReportMeta | None = None,
    clinical: ClinicalFacts | None = None,
    stages: Stages | None = None,
) -> ReportReading:
    """From linked findings to the reading with its pathway and decision.

    Args:
        parsed: the stages' results.
        report_id: carried through.
        meta: modality, age and sex.
        clinical: facts that came beside the text; they outrank it.
        stages: whose policy table and history lexicon to use; default the shipped ones.
    """
    stages = stages or _stages()
    meta = meta or ReportMeta()
    findings = read_fractures(parsed.views, parsed.links, infection=infection_alone(parsed.views))
    values, context_spans = read_context(parsed.views, findings.fractures)
    for fracture, spans in zip(findings.fractures, findings.spans, strict=True):
        fracture.evidence = {name: found for name, words in spans.items() if (found := _evidence(parsed, words))}
    context = ContextReading.model_construct(**values)
    result = assign_pathway(findings.fractures, context, meta.modality, clinical, policy=stages.policy)
    history_spans = [(s.start, s.end) for s in parsed.sections if s.name == "history"] or None
    reading = ReportReading.model_construct(
        report_id=report_id,
        meta=meta,
        fractures=findings.fractures,
        context=context,
        context_evidence={name: _evidence(parsed, words) for name, words in context_spans.items()},
        pathway=result.pathway,
        candidate_levels=list(result.candidate_levels),
        review_reasons=findings.review,
        clinical=clinical,
        # Without a fracture no decision asks for the patient's history.
        history=read_history(parsed.text, history_spans, lexicons=stages.folder) if findings.fractures else None,
        decision=None,
    )
    reading.decision = decide(reading, clinical, policy=stages.policy)
    return reading


def _evidence(parsed: Parsed, spans: Sequence[WordSpan]) -> list[Evidence]:
    starts, ends = parsed.tokens.start, parsed.tokens.end
    found = []
    for first, last, view in iter_spans(spans):
        lo, hi = starts[first], ends[last]
        found.append(Evidence.model_construct(start=lo, end=hi, text=parsed.text[lo:hi], section=view.sentence.section))
    return found


@lru_cache(maxsize=4)
def _stages(lexicons: Path | str | None = None) -> Stages:
    return Stages(lexicons)


def parse(text: str, lexicons: Path | str | None = None) -> Parsed:
    """All stages up to linking, for notebooks and for finding out why a reading is what it is."""
    return _stages(lexicons).parse(text)


class Reader:
    """Reads reports, one :class:`~vertriage.types.ReportReading` each.

    Args:
        lexicons: a folder of lexicons; default the shipped ones.

    >>> Reader().read("Acute L1 fracture with marrow edema. Back pain.", modality="MR").pathway
    'augmentation_candidate'
    """

    def __init__(self, lexicons: Path | str | None = None) -> None:
        self._stages = _stages(lexicons)

    def read(
        self,
        text: str,
        *,
        report_id: str = "",
        modality: str | None = None,
        age: int | None = None,
        sex: str | None = None,
        clinical: ClinicalFacts | Mapping[str, Any] | None = None,
    ) -> ReportReading:
        """Read one report. Any string is accepted; an empty one has no findings.

        Args:
            text: the report as received.
            report_id: carried through.
            modality: ``MR``, ``CT``, ``XR``, ``NM`` or ``OT``; None guesses it from the text.
            age: in years.
            sex: ``F`` or ``M``.
            clinical: facts that came beside the text; they outrank it.
        """
        if modality is None:
            from vertriage.readers import guess_modality

            modality = guess_modality(None, text)
        meta = ReportMeta.model_construct(modality=modality, age=age, sex=sex)
        if clinical is not None and not isinstance(clinical, ClinicalFacts):
            clinical = ClinicalFacts.from_row(clinical)[0]
        return read_parsed(
            self._stages.parse(text), report_id=report_id, meta=meta, clinical=clinical, stages=self._stages
        )


# --- spaCy -----------------------------------------------------------------------------------------------------------


def _extension(name: str, default: Any = None) -> None:
    if not Doc.has_extension(name):
        Doc.set_extension(name, default=default)


for _name in ("sections", "report_sentences", "level_groups", "views", "links", "reading"):
    _extension(_name)
_extension("report_meta", None)


def _tokens(doc: Doc) -> tuple[Tokens, list[str] | None]:
    tokens = doc.user_data.get("vertriage_tokens")
    if tokens is None:  # another tokenizer made the doc: work on its text and map back by offsets
        tokens = doc.user_data["vertriage_tokens"] = tokenize(doc.text)
    return tokens, doc.user_data.get("vertriage_words")


class _Component:
    def __init__(self, nlp: Language, name: str, lexicons: str | None) -> None:
        self.name = name
        self.stages = _stages(lexicons)


class SectionsComponent(_Component):
    """``doc._.sections``: :class:`~vertriage.sections.Section` list."""

    def __call__(self, doc: Doc) -> Doc:
        doc._.sections = self.stages.sections(doc.text)
        return doc


class SentencesComponent(_Component):
    """``doc._.report_sentences`` and spaCy's own sentence starts."""

    def __call__(self, doc: Doc) -> Doc:
        # medspaCy registers the same attribute with an empty list as its default
        sections = doc._.sections or self.stages.sections(doc.text)
        doc._.report_sentences = sentences = find_sentences(doc.text, sections)
        starts = {sentence.start for sentence in sentences}
        for token in doc:
            token.is_sent_start = token.i == 0 or token.idx in starts
        return doc


class LevelsComponent(_Component):
    """``doc._.level_groups`` and spans labelled by part under ``doc.spans["levels"]``."""

    def __call__(self, doc: Doc) -> Doc:
        tokens, words = _tokens(doc)
        if words is None:
            words = doc.user_data["vertriage_words"] = spell(tokens, self.stages.lexicon.spell)
        doc._.level_groups = groups = find_levels(tokens, words)
        doc.spans["levels"] = [
            span
            for group in groups
            if (span := _span(doc, tokens.start[group.start], tokens.end[group.end - 1], group.part)) is not None
        ]
        return doc


class TargetsComponent(_Component):
    """``doc._.views``: each sentence with its mentions; the findings as spans under ``doc.spans["findings"]``."""

    def __call__(self, doc: Doc) -> Doc:
        tokens, words = _tokens(doc)
        if words is None:
            words = doc.user_data["vertriage_words"] = spell(tokens, self.stages.lexicon.spell)
        groups = doc._.level_groups if doc._.level_groups is not None else find_levels(tokens, words)
        sentences = doc._.report_sentences
        if sentences is None:
            sentences = find_sentences(doc.text, doc._.sections or self.stages.sections(doc.text))
        doc._.views = views = self.stages.views(tokens, sentences, words, groups)
        spans = []
        for view in views:
            for mention in view.mentions:
                lo, hi = tokens.start[view.first_token[mention.start]], tokens.end[view.last_token[mention.end - 1]]
                span = _span(doc, lo, hi, mention.label)
                if span is not None:
                    spans.append(span)
        doc.spans["findings"] = spans
        return doc


class AssertionComponent(_Component):
    """Marks every mention of ``doc._.views`` as negated, hedged, asked or planned."""

    def __call__(self, doc: Doc) -> Doc:
        for view in doc._.views or ():
            assert_mentions(view, history=view.sentence.section == "history")
        return doc


class LinkingComponent(_Component):
    """``doc._.links``: every finding with its vertebrae."""

    def __call__(self, doc: Doc) -> Doc:
        doc._.links = link_findings(doc._.views or [])
        return doc


class ReadingComponent(_Component):
    """``doc._.reading``; the modality comes from ``doc._.report_meta``, a :class:`~vertriage.types.ReportMeta`."""

    def __call__(self, doc: Doc) -> Doc:
        meta = doc._.report_meta
        if meta is None:
            from vertriage.readers import guess_modality

            meta = ReportMeta(modality=guess_modality(None, doc.text))
        tokens, _ = _tokens(doc)
        parsed = Parsed(doc.text, tokens, doc._.sections or [], doc._.views or [], doc._.links or [])
        doc._.reading = read_parsed(parsed, meta=meta, stages=self.stages)
        return doc


def _span(doc: Doc, start: int, end: int, label: str) -> Span | None:
    return doc.char_span(start, end, label=label, alignment_mode="expand")


_COMPONENTS: dict[str, tuple[type[_Component], list[str], list[str]]] = {
    "vertriage_sections": (SectionsComponent, ["doc._.sections"], []),
    "vertriage_sentences": (SentencesComponent, ["doc._.report_sentences", "token.is_sent_start"], ["doc._.sections"]),
    "vertriage_levels": (LevelsComponent, ["doc._.level_groups", "doc.spans"], []),
    "vertriage_targets": (
        TargetsComponent,
        ["doc._.views", "doc.spans"],
        ["doc._.report_sentences", "doc._.level_groups"],
    ),
    "vertriage_assertion": (AssertionComponent, [], ["doc._.views"]),
    "vertriage_linking": (LinkingComponent, ["doc._.links"], ["doc._.views"]),
    "vertriage_reading": (ReadingComponent, ["doc._.reading"], ["doc._.links"]),
}


def _register(factory: str, component: type[_Component], assigns: list[str], requires: list[str]) -> None:
    def make(nlp: Language, name: str, lexicons: str | None) -> _Component:
        return component(nlp, name, lexicons)

    # spaCy builds a pydantic model from the annotations and needs the types themselves, not their postponed strings.
    make.__annotations__ = {"nlp": Language, "name": str, "lexicons": Optional[str], "return": _Component}  # noqa: UP045
    Language.factory(factory, assigns=assigns, requires=requires, default_config={"lexicons": None}, func=make)


for _factory, (_component, _assigns, _requires) in _COMPONENTS.items():
    _register(_factory, _component, _assigns, _requires)


def build_pipeline(lexicons: Path | str | None = None) -> Language:
    """A blank English pipeline with all components; ``nlp(text)._.reading`` is the reading.

    Args:
        lexicons: a folder of lexicons; default the shipped ones.

    Raises:
        LexiconError: the folder or a file in it cannot be used.
    """
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "vertriage.ReportTokenizer.v1"}}})
    config = {"lexicons": None if lexicons is None else str(lexicons)}
    for factory in _COMPONENTS:
        nlp.add_pipe(factory, config=config)
    return nlp
