"""What each job costs in medspaCy and here, and whether both say the same where the language is simple.

    python -m benchmarks.components
    python -m benchmarks.components --json

Costs are CPU milliseconds a report over the annotated reports (``reports/gold/*.jsonl``) in the fastest of several
rounds, each component timed alone on documents that the components before it have prepared. So that the vocabulary is
not what is compared, medspaCy also gets ours as far as its rules can hold it: every heading of ``sections.yaml``, and
the phrases of the vertebral findings and the assertion cues with their alternatives written out (``docs/lexicons.md``;
phrases with gaps, levels or numbers cannot be, and are left out).

Agreement is measured on short sentences and on reports with plain headings, written for this purpose by the authors of
this package, for which there is one right answer. It tells whether a component was replaced by something that reads
simple language the same way. It is no measure of quality: that is what ``vertriage evaluate`` is for.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import spacy
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import (
    GOLD,
    Report,
    argument_parser,
    bind_to_one_core,
    describe_machine,
    load_medspacy,
    load_reports,
)
from vertriage import pipeline
from vertriage.lexicon import lexicon_dir, load_yaml
from vertriage.linking import FINDINGS
from vertriage.sections import find_sections
from vertriage.sentences import find_sentences
from vertriage.tokenizer import tokenize

PRESENT, ABSENT, POSSIBLE = "present", "absent", "possible"

SENTENCES: Sequence[tuple[str, str, str]] = (
    # (sentence, finding asked for, what it says)
    ("There is a compression fracture of L1.", "fracture", PRESENT),
    ("Acute fracture at T12.", "fracture", PRESENT),
    ("L2 fracture with marrow edema.", "marrow_edema", PRESENT),
    ("Marrow edema is present at L3.", "marrow_edema", PRESENT),
    ("Retropulsion of the L1 fragment.", "retropulsion", PRESENT),
    ("Fracture of T8 with a cleft.", "cleft", PRESENT),
    ("The cleft is filled with gas.", "cleft", PRESENT),
    ("L4 fracture with retropulsion into the canal.", "retropulsion", PRESENT),
    ("Two fractures are seen.", "fracture", PRESENT),
    ("Compression fracture of T11 is again seen.", "fracture", PRESENT),
    ("No fracture.", "fracture", ABSENT),
    ("No evidence of fracture.", "fracture", ABSENT),
    ("There is no fracture.", "fracture", ABSENT),
    ("Without retropulsion.", "retropulsion", ABSENT),
    ("L1 fracture without retropulsion.", "retropulsion", ABSENT),
    ("L1 fracture without retropulsion.", "fracture", PRESENT),
    ("No marrow edema or retropulsion.", "marrow_edema", ABSENT),
    ("No marrow edema or retropulsion.", "retropulsion", ABSENT),
    ("No cleft is identified.", "cleft", ABSENT),
    ("Negative for fracture.", "fracture", ABSENT),
    ("Retropulsion is absent.", "retropulsion", ABSENT),
    ("Fracture is not seen.", "fracture", ABSENT),
    ("No acute fracture.", "fracture", ABSENT),
    ("No new fracture is identified.", "fracture", ABSENT),
    ("The fracture shows no marrow edema.", "marrow_edema", ABSENT),
    ("The fracture shows no marrow edema.", "fracture", PRESENT),
    ("There is no marrow edema to suggest acute injury.", "marrow_edema", ABSENT),
    ("No retropulsion, but there is a cleft.", "cleft", PRESENT),
    ("No retropulsion, but there is a cleft.", "retropulsion", ABSENT),
    ("No cleft, T10 shows a new fracture.", "fracture", PRESENT),
    ("No cleft, T10 shows a new fracture.", "cleft", ABSENT),
    ("Possible fracture of L1.", "fracture", POSSIBLE),
    ("Fracture of L1 is possible.", "fracture", POSSIBLE),
    ("Suspected fracture at T7.", "fracture", POSSIBLE),
    ("Cannot exclude a fracture.", "fracture", POSSIBLE),
    ("A fracture cannot be excluded.", "fracture", POSSIBLE),
    ("Questionable fracture of T6.", "fracture", POSSIBLE),
    ("Findings may represent a fracture.", "fracture", POSSIBLE),
    ("Marrow edema is not excluded.", "marrow_edema", POSSIBLE),
    ("Possible cleft in L1.", "cleft", POSSIBLE),
)

HEADED: Sequence[str] = (
    "INDICATION: Pain.\nTECHNIQUE: Sagittal STIR.\nCOMPARISON: None.\nFINDINGS: L1 fracture.\nIMPRESSION: L1 fracture.",
    "CLINICAL HISTORY: Fall.\n\nFINDINGS:\nT12 compression fracture.\n\nIMPRESSION:\n1. T12 fracture.",
    "HISTORY: Pain.\nFINDINGS: Normal alignment. No fracture.\nCONCLUSION: Normal.",
    "EXAM: MRI LUMBAR\n\nTECHNIQUE: Routine.\n\nFINDINGS: L3 fracture.\n\nIMPRESSION: As above.\n\nADDENDUM: None.",
)
"""Reports in which every heading stands at the start of a line and ends in a colon."""


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds a report of one component doing one job."""

    job: str
    component: str
    ms: float


@dataclass(frozen=True)
class Agreement:
    """How often medspaCy's answers to a question are those of Vertriage, and how often each is right."""

    question: str
    asked: int
    same: int
    medspacy_right: int
    vertriage_right: int


@dataclass(frozen=True)
class Answer:
    """What each says of a finding in a sentence; None: it does not find it."""

    sentence: str
    finding: str
    right: str
    medspacy_rules: str | None
    our_cues: str | None
    vertriage: str | None


_Inputs = Callable[[], Iterable[Any]]
"""Makes fresh inputs for a component, one a report."""

_CUES = {
    "negation": ("NEGATED_EXISTENCE", "FORWARD"),
    "negation_backward": ("NEGATED_EXISTENCE", "BACKWARD"),
    "hedge": ("POSSIBLE_EXISTENCE", "FORWARD"),
    "hedge_backward": ("POSSIBLE_EXISTENCE", "BACKWARD"),
    "ends": ("TERMINATE", "TERMINATE"),
    "except": ("TERMINATE", "TERMINATE"),
    "none": ("PSEUDO", "PSEUDO"),
}
"""Our cues as ConText knows them: category and direction."""


def plain_phrases(labels: Iterable[str]) -> list[tuple[str, str]]:
    """(label, words) of every phrase of these labels, its alternatives and options written out.

    A phrase with a gap, a level or a number, or with more than ``_MOST`` ways to write it out, is left out.
    """
    wanted = frozenset(labels)
    macros = load_yaml(lexicon_dir() / "macros.yaml")["macros"]
    found: dict[tuple[str, str], None] = {}
    for path in sorted(lexicon_dir().glob("*.yaml")):
        terms = load_yaml(path).get("terms")
        for label, entries in (terms or {}).items():
            for entry in entries if label in wanted else ():
                for phrase in entry["phrases"] if isinstance(entry, dict) else [entry]:
                    written = ways_to_write(str(phrase), macros)
                    found.update({(label, " ".join(way)): None for way in written or () if way})
    return list(found)


_PARTS = re.compile(r"\$\w+|<\w+>|\{\d+\}|[()\[\]|]|[^\s()\[\]|{}$<>]+")
_MOST = 500


def ways_to_write(phrase: str, macros: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]] | None:
    """The word sequences a phrase stands for; None when they cannot be listed.

    >>> ways_to_write("[no] (air|gas)", {})
    [('air',), ('gas',), ('no', 'air'), ('no', 'gas')]
    """
    return _ways(_PARTS.findall(phrase), macros)


def _ways(parts: list[str], macros: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]] | None:
    """The same for ``parts`` up to the end of the group they are in, which are consumed."""
    ways: list[tuple[str, ...]] = [()]
    complete = True
    while parts and parts[0] not in (")", "]", "|"):
        part = parts.pop(0)
        if part in ("(", "["):
            branches: list[tuple[str, ...]] = [()] if part == "[" else []
            while True:
                branch = _ways(parts, macros)
                complete = complete and branch is not None
                branches += branch or []
                if parts.pop(0) != "|":
                    break
        elif part[0] == "$":
            nested = [ways_to_write(str(phrase), macros) for phrase in macros[part[1:]]]
            complete = complete and None not in nested
            branches = [way for each in nested for way in each or ()]
        elif part[0] in "<{":
            complete, branches = False, []
        else:
            branches = [tuple(word for word in part.split("-") if word)]
        ways = [way + branch for way in ways for branch in branches] if complete else []
        complete = complete and len(ways) <= _MOST
    return ways if complete else None


def headings() -> list[tuple[str, str]]:
    """(section, heading) of every heading in ``sections.yaml``."""
    sections = load_yaml(lexicon_dir() / "sections.yaml")["sections"]
    return [(name, str(heading)) for name, known in sections.items() for heading in known]


def medspacy_pipeline(*, our_rules: bool) -> Any:
    """medspaCy with its own tokenizer, a plain sentencizer and our findings; headings and cues are its own or ours."""
    from medspacy.context import ConTextRule
    from medspacy.section_detection import SectionRule
    from medspacy.target_matcher import TargetRule

    nlp = load_medspacy(medspacy_disable=["medspacy_pyrush"], load_rules=not our_rules)
    nlp.add_pipe("sentencizer", first=True)
    targets = [TargetRule(phrase, label) for label, phrase in plain_phrases(FINDINGS)]
    nlp.get_pipe("medspacy_target_matcher").add(targets)
    sectionizer = nlp.add_pipe("medspacy_sectionizer", config={"rules": None} if our_rules else {})
    if our_rules:
        sectionizer.add([SectionRule(category=name, literal=f"{heading}:") for name, heading in headings()])
        ways: dict[tuple[str, str], str] = {}
        for label, phrase in plain_phrases(_CUES):
            kind, way = _CUES[label]
            # Of two rules with the same words ConText keeps one: a cue that reaches both ways has to be one rule.
            ways[phrase, kind] = way if ways.get((phrase, kind), way) == way else "BIDIRECTIONAL"
        rules = [ConTextRule(phrase, kind, direction=way) for (phrase, kind), way in ways.items()]
        nlp.get_pipe("medspacy_context").add(rules)
    return nlp


def _time(work: Callable[[Any], object], items: _Inputs, reports: int, rounds: int) -> float:
    """CPU milliseconds a report in the fastest round; ``items`` makes fresh inputs, outside the clock."""
    work(next(iter(items())))
    spent = []
    for _ in range(rounds):
        inputs = list(items())
        start = time.process_time()
        for item in inputs:
            work(item)
        spent.append(time.process_time() - start)
    return min(spent) / reports * 1000


def costs(reports: Sequence[Report], rounds: int) -> list[Cost]:
    """What every component costs."""
    texts = [report.text for report in reports]
    found: list[Cost] = []

    def add(job: str, component: str, work: Callable[[Any], object], items: _Inputs) -> None:
        found.append(Cost(job, component, _time(work, items, len(texts), rounds)))

    theirs, nlp = medspacy_pipeline(our_rules=False), medspacy_pipeline(our_rules=True)
    own = pipeline.build_pipeline()
    pyrush = load_medspacy(medspacy_enable={"medspacy_tokenizer", "medspacy_pyrush"})
    known, phrases, cues = len(headings()), len(plain_phrases(FINDINGS)), len(plain_phrases(_CUES))
    english = spacy.blank("en")

    def unseen() -> Iterable[Any]:
        fresh = spacy.blank("en")
        return [(fresh, text) for text in texts]

    add("tokens", "spaCy English tokenizer", english.make_doc, lambda: texts)
    add("tokens", "spaCy English tokenizer, first pass", lambda pair: pair[0].make_doc(pair[1]), unseen)
    add("tokens", "medspaCy tokenizer", nlp.make_doc, lambda: texts)
    add("tokens", "vertriage", tokenize, lambda: texts)
    add("sentences", "PyRuSH", *_component(pyrush, "medspacy_pyrush", texts))
    add("sentences", "spaCy sentencizer", *_component(nlp, "sentencizer", texts))
    add("sentences", "vertriage", lambda pair: find_sentences(*pair), lambda: [(t, find_sections(t)) for t in texts])
    add("sections", "medspaCy Sectionizer, its rules", *_component(theirs, "medspacy_sectionizer", texts))
    add("sections", f"medspaCy Sectionizer, our {known} headings", *_component(nlp, "medspacy_sectionizer", texts))
    add("sections", "vertriage", find_sections, lambda: texts)
    add("targets", f"medspaCy TargetMatcher, {phrases} of ours", *_component(nlp, "medspacy_target_matcher", texts))
    add("targets", "vertriage, all phrases", *_component(own, "vertriage_targets", texts))
    add("assertion", "medspaCy ConText, its rules", *_component(theirs, "medspacy_context", texts))
    add("assertion", f"medspaCy ConText, {cues} cues of ours", *_component(nlp, "medspacy_context", texts))
    add("assertion", "vertriage", *_component(own, "vertriage_assertion", texts))
    return found


def _component(nlp: Any, name: str, texts: Sequence[str]) -> tuple[Callable[[Any], object], _Inputs]:
    """A component, and a maker of documents as they are when its turn comes."""

    def make() -> Iterable[Any]:
        for text in texts:
            doc = nlp.make_doc(text)
            for other, component in nlp.pipeline:
                if other == name:
                    break
                doc = component(doc)
            yield doc

    return nlp.get_pipe(name), make


def medspacy_says(nlp: Any, sentence: str, label: str) -> str | None:
    """What ConText makes of a finding; None when it is not found."""
    said = [ent for ent in nlp(sentence).ents if ent.label_ == label]
    if not said:
        return None
    if any(ent._.is_negated for ent in said):
        return ABSENT
    return POSSIBLE if any(ent._.is_uncertain for ent in said) else PRESENT


def vertriage_says(sentence: str, label: str) -> str | None:
    """What our assertion makes of a finding; None when it is not found."""
    said = [m for view in pipeline.parse(sentence).views for m in view.mentions if m.label == label]
    if not said:
        return None
    if any(mention.negated or mention.value == ABSENT for mention in said):
        return ABSENT
    return POSSIBLE if any(mention.hedged or mention.asked for mention in said) else PRESENT


def _bodies_medspacy(nlp: Any, report: str) -> list[tuple[str, str]]:
    doc = nlp(report)
    return [
        (section.category, doc[section.body_span[0] : section.body_span[1]].text.strip())
        for section in doc._.sections
        if section.category
    ]


def _bodies_vertriage(report: str) -> list[tuple[str, str]]:
    return [(section.name, report[section.start : section.end].strip()) for section in find_sections(report)]


def agreements() -> tuple[list[Agreement], list[Answer]]:
    """Agreement on assertion and on sections, and the sentences on which not all say the same."""
    theirs, nlp = medspacy_pipeline(our_rules=False), medspacy_pipeline(our_rules=True)
    said = [
        Answer(s, label, right, medspacy_says(theirs, s, label), medspacy_says(nlp, s, label), vertriage_says(s, label))
        for s, label, right in SENTENCES
    ]
    found = [
        Agreement(
            f"assertion, ConText with {whose}",
            len(said),
            sum(getattr(each, field) == each.vertriage for each in said),
            sum(getattr(each, field) == each.right for each in said),
            sum(each.vertriage == each.right for each in said),
        )
        for whose, field in (("its rules", "medspacy_rules"), ("our cues", "our_cues"))
    ]
    right = [_headed_truth(report) for report in HEADED]
    sectionizer = [_bodies_medspacy(nlp, report) for report in HEADED]
    ours = [_bodies_vertriage(report) for report in HEADED]
    found.append(
        Agreement(
            "sections under plain headings, Sectionizer with our headings",
            sum(map(len, right)),
            sum(len(set(a) & set(b)) for a, b in zip(sectionizer, ours, strict=True)),
            sum(len(set(a) & set(b)) for a, b in zip(sectionizer, right, strict=True)),
            sum(len(set(a) & set(b)) for a, b in zip(ours, right, strict=True)),
        )
    )
    return found, [each for each in said if not each.medspacy_rules == each.our_cues == each.vertriage]


def _headed_truth(report: str) -> list[tuple[str, str]]:
    """Sections of a report of which every heading opens a line and is one of ours."""
    name_of = {heading.lower(): name for name, heading in headings()}
    found: list[tuple[str, str]] = []
    for line in report.split("\n"):
        head, colon, body = line.partition(":")
        if colon and head.lower() in name_of:
            found.append((name_of[head.lower()], body))
        else:
            name, text = found[-1]
            found[-1] = (name, f"{text}\n{line}")
    return [(name, text.strip()) for name, text in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = argument_parser("components", __doc__).parse_args(arguments)
    reports = load_reports(options.gold or sorted(GOLD.glob("*.jsonl")), options.limit)
    measured = costs(reports, options.rounds)
    agreed, differing = agreements()
    machine = describe_machine()
    if options.json:
        result = {
            "reports": len(reports),
            "costs": [asdict(cost) for cost in measured],
            "agreement": [asdict(each) for each in agreed],
            "differing": [asdict(each) for each in differing],
            "machine": machine,
        }
        print(json.dumps(result, indent=2))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    title = f"CPU ms a report, {len(reports)} reports, fastest of {options.rounds} rounds"
    table = Table("job", "component", title=title)
    table.add_column("ms", justify="right")
    for cost in measured:
        table.add_row(cost.job, cost.component, f"{cost.ms:.3f}")
    console.print(table)
    table = Table("simple language", "asked", "same answer", "medspaCy right", "vertriage right")
    for each in agreed:
        table.add_row(each.question, *map(str, (each.asked, each.same, each.medspacy_right, each.vertriage_right)))
    console.print(table)
    table = Table("not all agree on", "finding", "right", "its rules", "our cues", "vertriage")
    for answer in differing:
        table.add_row(*map(str, asdict(answer).values()))
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()))
    return 0


if __name__ == "__main__":
    bind_to_one_core()
    sys.exit(main())
