"""Sections of a radiology report.

Before: one string. After: stretches of it named ``title``, ``history``, ``technique``, ``comparison``, ``findings``,
``impression``, ``recommendation``, ``addendum`` or ``other``; a report without headings is findings throughout, but
for a line that names the examination and an opening paragraph that reads like a referral.

>>> [(s.name, text[s.start:s.end]) for text in ["INDICATION: Pain.\\nFINDINGS: L1 fracture.\\nIMPRESSION: As above."]
...  for s in find_sections(text)]
[('history', ' Pain.\\n'), ('findings', ' L1 fracture.\\n'), ('impression', ' As above.')]

medspaCy's ``Sectionizer`` does the same job from the same kind of rules, and finds the same plain headings (``python
-m benchmarks.components``: 1.0 ms a report with our headings, 0.4 ms here). It is not used because it needs the text
tokenised first, cannot tell a heading from the same word inside a line that an export has unwrapped, and does not
split a report without headings.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from vertriage.lexicon import LexiconError, lexicon_dir, load_yaml
from vertriage.text import fold
from vertriage.types import SectionName

_BARE = "impression|conclusion|opinion|findings|addendum|summary"
_GOES_ON = (
    "are|is|were|was|of|suggest|suggests|consistent|compatible|and|may|as|in|at|on|suggestive|favou?r|favou?rs|discussed|communicated|"
    "above|below|with|for|to|by|from|that|which|would|should|could|has|have|section|item|items|called|phoned|or|but|can|do|does|not|will"
)
_LEVEL = re.compile(r"\b(?:[TDL]|Th|LV|DV|BWK ?|LWK ?)-?\d{1,2}\b")
_DIAGNOSIS = re.compile(r"\W*diagnos[ie]s\W*$", re.IGNORECASE)
_FORM_LEVEL = re.compile(
    r"^\W*(?:vertebral )?(?:level|vertebra|segment|location|site)s?\s*[:=]\s*(?:[TDL]|Th)-?\d{1,2}\b",
    re.IGNORECASE | re.MULTILINE,
)
_THEIR_LEVEL = re.compile(r"\W*(?:her|his)\s+(?:\w+\s+)?(?:[TDL]|Th)-?\d{1,2}\b", re.IGNORECASE)
_PROSE_END = re.compile(r"(?<=[A-Za-z0-9)]{2})\.\s+(?=[A-Z?])|\?[^\n.?]{0,24}\n(?=[A-Z])|\n[ \t]*\n")
_SENTENCE_END = re.compile(r"(?<=[A-Za-z0-9]{2})\.\s+(?=[A-Z0-9])|(?<=\b[Nn]one)\s+(?=[A-Z])")
_SENTENCE_OR_LINE_END = re.compile(_SENTENCE_END.pattern + r"|(?<=\S)\n[ \t]*(?=[A-Z])")
_SHORT = {"title", "history", "technique", "comparison"}
"""Sections that a blank line ends when no later heading opens the findings."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its ``name``, and offsets of its body (the heading itself lies before ``start``)."""

    name: SectionName
    start: int
    end: int


class SectionRules:
    """Headings and openings from ``sections.yaml``. Raises :class:`LexiconError` when the file is unusable."""

    def __init__(self, directory: Path | None = None) -> None:
        path = (directory or lexicon_dir()) / "sections.yaml"
        if not path.exists():
            raise LexiconError(f"sections.yaml is missing from {path.parent}; copy it from the shipped lexicons.")
        content = load_yaml(path)
        self.name_of: dict[str, SectionName] = {}
        for name, headings in content["sections"].items():
            for heading in headings:
                self.name_of[_key(str(heading))] = name
        by_letter: dict[str, list[str]] = {}
        for heading in sorted(self.name_of, key=len, reverse=True):
            by_letter.setdefault(heading[0], []).append(re.escape(heading).replace(r"\ ", r"[ _]+"))
        date = r"(?:\s*[(\[][^)\]\n]{1,90}[)\]])?(?:[ \t]+[\d:./-]{3,16}(?=:))?"
        flags = re.IGNORECASE | re.MULTILINE
        # Tried at the start of every line only, and where a sentence starts within one, by the first letter: the long
        # list of headings is never run over the whole text.
        self.line = {
            letter: re.compile(
                rf"[ \t>*#=_<\[-]*(?:\d{{1,2}}[.)]\s*)?(?P<h>{'|'.join(headings)})(?:\(s\))?{date}[ \t*_]*"
                rf"(?:(?P<sep>:|-{{1,2}}(?=\s)|=|[>\]]:?|\)(?=\s))|(?P<eol>[ \t.]*$))",
                flags,
            )
            for letter, headings in by_letter.items()
        }
        self.inline = {
            letter: re.compile(rf"(?P<h>{'|'.join(headings)}){date}\s*:", flags)
            for letter, headings in by_letter.items()
        }
        self.bare = re.compile(rf"[ \t]*(?P<h>{_BARE})\b[.,]?[ \t]+(?!(?:{_GOES_ON})\b)(?=\w)", flags)
        self.spoken = re.compile(rf"(?<=[.?!] )(?P<h>{_BARE})\b[.,]? +(?!(?:{_GOES_ON})\b)(?=[a-z0-9])", flags)
        openings = "|".join(content["history_openings"])
        self.history_opening = re.compile(rf"\s*(?:{openings})", re.IGNORECASE)
        self.exam_line = re.compile(content["exam_line"], re.IGNORECASE)
        self.describes_spine = re.compile(content["describes_spine"], re.IGNORECASE)
        self.addendum = re.compile(content["addendum_line"], re.IGNORECASE)
        self.patient_sentence = re.compile(content["patient_sentence"], re.IGNORECASE)
        self.history_sentence = re.compile(content["history_sentence"], re.IGNORECASE)
        self.technique_line = re.compile(content["technique_line"], re.IGNORECASE)
        self.referral_words = re.compile(content["referral_words"], re.IGNORECASE)
        self.finding_words = re.compile(content["finding_words"], re.IGNORECASE)
        self.line_start_only = frozenset(content["line_start_only"])
        self.form_field = re.compile(content["form_field"], re.IGNORECASE)
        self.exam_prose = re.compile(content["exam_prose"], re.IGNORECASE)


@lru_cache(maxsize=8)
def section_rules(directory: Path | None = None) -> SectionRules:
    """The rules of a lexicon folder, compiled once."""
    return SectionRules(directory)


def _key(heading: str) -> str:
    return re.sub(r"[\s_]+", " ", heading.strip().lower())


def find_sections(text: str, rules: SectionRules | None = None) -> list[Section]:
    """The sections of a report in text order; together they cover everything but the headings."""
    rules = rules or section_rules()
    folded = fold(text)
    found = _headings(folded, rules)
    sections: list[Section] = []
    first = found[0][1] if found else len(text)
    later_findings = any(name == "findings" for name, _, _ in found)
    if folded[:first].strip():
        sections += _unheaded(
            folded, 0, first, rules, opening=True, before_findings=bool(found) and found[0][0] == "findings"
        )
    for number, (name, heading, body) in enumerate(found):
        if any(section.name in ("findings", "impression") for section in sections):
            # Behind the findings "Exam: spastic gait" is the patient's, and a diagnosis the reader's.
            name = "history" if name == "title" else name
            name = "impression" if _DIAGNOSIS.match(folded[heading:body].strip()) else name
        if name == "title" and sections and sections[-1].name == "history":
            # "Pain for a week. Examination: power 4/5" is the clinician's examination.
            name = "title" if rules.exam_line.match(folded[body:].lstrip()) else "history"
        end = found[number + 1][1] if number + 1 < len(found) else len(text)
        findings_follow = any(n == "findings" for n, _, _ in found[number + 1 :])
        if findings_follow and name in _SHORT:
            blank = re.search(r"\n[ \t]*\n", folded[body:end])
            findings_follow = blank is None or len(_LEVEL.findall(folded, body + blank.end(), end)) < 3
        if name in _SHORT and (cut := _next_number(folded, heading, body, end)):
            sections += [Section(name, body, cut), Section("findings", cut, end)]
        elif name in _SHORT and not findings_follow and not (later_findings and name != "history" and number == 0):
            cut = _short_end(folded, body, end, rules, one_line=name in ("comparison", "technique"))
            sections.append(Section(name, body, cut))
            if folded[cut:end].strip():
                sections += _unheaded(folded, cut, end, rules, opening=name == "title")
        elif name == "other":
            told = any(section.name in ("findings", "impression") for section in sections)
            cut = _administrative_end(folded, body, end, told=told)
            sections.append(Section(name, body, cut))
            if folded[cut:end].strip():
                following = found[number + 1][0] if number + 1 < len(found) else ""
                sections += _unheaded(
                    folded, cut, end, rules, opening=not told, before_findings=not told and following == "findings"
                )
        elif name == "title" and (line := folded.find("\n", body, end)) > 0 and _LEVEL.search(folded, line, end):
            # "Exam: MRI lumbar spine" and below it fields such as "Vertebra: L3"
            sections += [Section(name, body, line), Section("findings", line, end)]
        else:
            sections.append(Section(name, body, end))
    if sections and sections[-1].name == "title" and all(section.name in _SHORT for section in sections):
        sections[-1:] = _findings_in_title(folded, sections[-1])
    elif not any(section.name == "findings" for section in sections):
        last = max((at for at, section in enumerate(sections) if section.name in _SHORT), default=-1)
        alone = all(section.name in _SHORT | {"other"} for section in sections)
        if last >= 0 and (alone or sections[last].name in ("technique", "comparison")):
            sections[last : last + 1] = _findings_within(folded, sections[last], rules)
    if not any(section.name in ("findings", "impression", "addendum") for section in sections):
        # An export that lost its line breaks: the report must be behind "Accession: 1234" on the same line.
        sections = [replace(section, name="findings") if section.name == "other" else section for section in sections]
    if not any(section.name == "history" for section in sections):
        sections = _history_in_prose(folded, sections, rules)
    return sections


def _history_in_prose(text: str, sections: list[Section], rules: SectionRules) -> list[Section]:
    """ "Thank you for sending this 74 year old lady with back pain. She had ...": a letter tells the history first."""
    first = next((number for number, section in enumerate(sections) if section.name != "title"), None)
    if first is None or sections[first].name != "findings":
        return sections
    body = sections[first]
    start = at = body.start
    told = False
    for number in range(6):
        end = _PROSE_END.search(text, at, body.end)
        stop = end.end() if end else body.end
        sentence = text[at:stop]
        if (
            rules.patient_sentence.search(sentence)
            and not rules.exam_prose.search(sentence)
            and not _THEIR_LEVEL.match(sentence)
        ):
            told, start = True, stop
        elif told or number > 1 or len(sentence) > 160 or rules.describes_spine.search(sentence):
            break  # a greeting or a subject line may stand before the first of them
        at = stop
        if not end:
            break
    if not told or not text[start : body.end].strip():
        return sections
    return [
        *sections[:first],
        Section("history", body.start, start),
        Section("findings", start, body.end),
        *sections[first + 1 :],
    ]


def _next_number(text: str, heading: int, body: int, end: int) -> int:
    """ "1. Clinical details: ... 2. Vertebrae involved: ...": the numbered field after the history's is none of it."""
    number = re.match(r"\s*(\d{1,2})[.)]\s", text[heading:body])
    if number is None:
        return 0
    following = re.compile(rf"\n[ \t]*{int(number.group(1)) + 1}[.)][ \t]+[A-Z][^:\n]{{2,40}}:").search(text, body, end)
    return following.start() + 1 if following else 0


def _findings_in_title(text: str, title: Section) -> list[Section]:
    """ "EXAM: MRI lumbar spine. L1 fracture.", and no more: what follows the name of the examination was found."""
    body = text[title.start : title.end]
    line_end = re.search(r"\S[ \t]*\n(?=[^\n]*\S)", body)
    ends = [match.end() for match in (line_end, _SENTENCE_END.search(body)) if match]
    cut = title.start + min(ends, default=0)
    found = Section("findings", cut, title.end)
    return [Section("title", title.start, cut), found] if ends else [found]


def _findings_within(text: str, section: Section, rules: SectionRules) -> list[Section]:
    """ "Clinical: pain. T12 is wedged.", and no more: what was found begins where the spine is described."""
    for end in _SENTENCE_OR_LINE_END.finditer(text, section.start, section.end):
        following = _SENTENCE_END.search(text, end.end(), section.end)
        sentence = text[end.end() : following.end() if following else section.end]
        if not rules.describes_spine.search(sentence):
            continue
        if section.name == "history" and end.group()[0] == "\n" and not rules.exam_prose.search(sentence):
            continue  # "Fall, rule out\nL1 fracture" runs on; "There is ..." does not
        if section.name != "technique" and rules.history_sentence.search(sentence):
            continue
        return [Section(section.name, section.start, end.end()), Section("findings", end.end(), section.end)]
    return [section]


_SENTENCE_START = re.compile(r"(?<=[.?!;:)\]*])[ \t*]+(?=[A-Z])|[ \t](?=[A-Z][A-Z /]{3,40}:)")
_LOWER_START = re.compile(r"(?<=[.?!;:)\]*])[ \t*]+(?=[a-z])")
_FINAL = re.compile(
    r"[ \t*=_#-]*(?:final (?:report|read|version)|attending|staff|consultant)\b[^\n]{0,60}?(?:[*=_]{2,}|:)", re.I
)
"""Behind a preliminary reading: the reading that stands."""
_MARKS = re.compile(r"[ \t>*#=_<\[-]*(?:\d{1,2}[.)]\s*)?")
_LINE_START = re.compile(r"^(?=[^\n]*\S)", re.MULTILINE)


def _headings(text: str, rules: SectionRules) -> list[tuple[SectionName, int, int]]:
    """Every heading: section, start of the heading, start of what it heads."""
    found: dict[int, tuple[SectionName, int, int]] = {}
    preliminary = "prelim" in text.lower()
    for start in _LINE_START.finditer(text):
        at = start.start()
        opening = _MARKS.match(text, at).end()  # type: ignore[union-attr]
        line = rules.line.get(text[opening : opening + 1].lower())
        match = line.match(text, at) if line is not None else None
        if match is not None and match.group("h") == "C" and _BY_REGION.search(text, match.end()):
            continue  # "C: no injury", "T: wedge fractures": the regions of the spine
        if match is not None and (
            match.group("eol") is None or match.group("h")[0].isupper() and not _wrapped(text, at, match.group("eol"))
        ):
            found[match.end()] = (rules.name_of[_key(match.group("h"))], at, match.end())
            continue
        match = rules.addendum.match(text, at) or (preliminary and _FINAL.match(text, at)) or None
        if match is not None and (match.re is not _FINAL or "prelim" in text[:at].lower()):
            found[match.end()] = ("addendum", at, match.end())
            continue
        match = rules.bare.match(text, at)
        if match is not None:
            found[match.end()] = (rules.name_of[_key(match.group("h"))], at, match.end())
    starts = _LOWER_START if text.islower() else _SENTENCE_START  # a dictation without capitals
    for start in starts.finditer(text):
        at = start.end()
        if text.find(":", at, at + 130) < 0:
            continue
        inline = rules.inline.get(text[at : at + 1].lower())
        match = inline.match(text, at) if inline is not None else None
        if match is not None and match.end() not in found and _key(match.group("h")) not in rules.line_start_only:
            found[match.end()] = (rules.name_of[_key(match.group("h"))], at, match.end())
        elif match is None and (late := rules.addendum.match(text, at)) is not None and text[at].isupper():
            found[late.end()] = ("addendum", at, late.end())
    for match in rules.spoken.finditer(text):
        prose = match.group("h")[0].isupper() and text[match.end() : match.end() + 1].islower() and not text.islower()
        if not prose and match.end() not in found:  # "Impression remains ..." is a sentence in prose with capitals
            found[match.end()] = (rules.name_of[_key(match.group("h"))], match.start(), match.end())
    return [found[end] for end in sorted(found)]


def _wrapped(text: str, at: int, line_end: str) -> bool:
    """ "No prior MRI for / comparison." of a wrapped sentence is no heading."""
    previous = text[text.rfind("\n", 0, max(at - 1, 0)) + 1 : at].rstrip()
    if not previous or previous[-1] in ".:;?!":
        return False
    return "." in line_end or previous[-1] == "," or previous.split()[-1].lower() in _UNFINISHED


_UNFINISHED = frozenset("for of the a an with and or in on to by from no as at under available".split())


def _administrative_end(text: str, start: int, end: int, *, told: bool) -> int:
    """Where a line such as "Accession: 1234" ends: the report below it must not be lost with it.

    Behind the findings or the impression (``told``) it is a closing remark and runs on, unless a new paragraph speaks
    of a level.
    """
    first = re.compile(r"\s*[^\n]*\n" if not told else r"\s*(?:[^\n]+\n)+[ \t]*\n").match(text, start, end)
    if first is None or told and not _LEVEL.search(text, first.end(), end):
        return end
    return first.end()


def _short_end(
    text: str, start: int, end: int, rules: SectionRules, *, one_line: bool = False, described: bool = False
) -> int:
    """Where a history, technique or comparison without a findings heading after it gives way to the findings."""
    for match in re.finditer(r"\n[ \t]*", text[start:end]):
        at = start + match.end()
        if not text[start:at].strip():
            continue
        if text[at : at + 1] == "\n":
            return at
        line = text[at : text.find("\n", at) if text.find("\n", at) >= 0 else end]
        if rules.exam_line.match(line) and len(line) < 100:
            return at
        if rules.form_field.match(line) and not rules.history_sentence.search(line):
            return at
        previous = text[text.rfind("\n", 0, start + match.start()) + 1 : start + match.start()].rstrip()
        tells = described and rules.describes_spine.search(line) and not rules.history_sentence.search(line)
        if (
            (previous.endswith((".", "?")) or tells and "?" in previous[-25:])
            and (tells or one_line or len(previous) > 90)
            and not text[at : at + 1].islower()
        ):
            return at
    return end


def _unheaded(
    text: str, start: int, end: int, rules: SectionRules, *, opening: bool, before_findings: bool = False
) -> list[Section]:
    """Split text before the first heading into title, referral and findings."""
    sections: list[Section] = []
    at = start
    state = opening
    for block in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|$))+|\s+", text[start:end]):
        lo, hi = start + block.start(), start + block.end()
        body = text[lo:hi]
        if not body.strip():
            continue
        if state:
            line_end = body.find("\n")
            line = body if line_end < 0 else body[:line_end]
            exam = rules.exam_line.match(line)
            if exam and (sentence := _SENTENCE_END.search(line, max(exam.end() - 1, 0))):
                line = line[: sentence.start() + 1]  # "MRI lumbar spine. Fracture of L1 with edema."
            alone = not (text[lo + len(line) : end].strip() or end < len(text) or sections)
            if (
                exam
                and ":" not in line[exam.end() : -1]
                and len(line) < 130
                and not _is_prose(line, rules)
                and not alone
            ):
                cut = lo + len(line)
                sections.append(Section("title", lo, cut))
                while body[cut - lo :].strip():
                    rest = body[cut - lo :].lstrip("\n")
                    cut = hi - len(rest)
                    nxt = rest.split("\n", 1)[0]
                    titled = rules.exam_line.match(nxt) and not _is_prose(nxt, rules)
                    if titled and len(nxt) < 130 and ":" not in nxt[:-1]:
                        sections.append(Section("title", cut, cut + len(nxt)))
                        cut += len(nxt)
                        continue
                    break
                lo = cut
                body = text[lo:hi]
                if not body.strip():
                    at = hi
                    continue
            asks = len(body) < 420 and text[hi:end].strip() and _ASKS.search(body)
            if (
                not asks
                and sections
                and sections[-1].name == "title"
                and sections[-1].end == lo
                and text[hi:end].strip()
            ):
                # "MR whole spine. Ca breast 2016, off legs 24 h." and below it, behind a blank line, what was found
                line = body.strip()
                asks = (
                    "\n" not in line
                    and len(line) < 300
                    and rules.referral_words.search(line)
                    and not rules.finding_words.search(_ASKED.sub("", line))
                )
            if (
                asks
                or len(body) < 420
                and rules.technique_line.match(text, hi, end)
                and not rules.exam_prose.search(body)
                and not rules.technique_line.match(body)
                or (text[hi:end].strip() or end < len(text))
                and (rules.history_opening.match(body) and (len(body) < 420 or "?" in body))
            ):
                cut = _short_end(text, lo, hi, rules, described=not before_findings)
                sections.append(Section("history", lo, cut))
                lo = cut
                if not text[lo:hi].strip():
                    at = hi
                    continue
        state = False
        at = lo
        break
    if text[at:end].strip() and (not sections or sections[-1].end <= at) and not (sections and at >= end):
        history = before_findings and end - at < 600 and not _FORM_LEVEL.search(text, at, end)
        sections.append(Section("history" if history else "findings", at, end))
    return sections


_BY_REGION = re.compile(r"^[ \t]*[TL][ \t]*:", re.MULTILINE)
_ASKED = re.compile(r"\?\s?[\w#]+")
_ASKS = re.compile(r"(?:^|\s)\?\s?[a-z]{3}|[a-z]\?\s*$")
"""Of a referral: "?collapse", or a question at its end."""


def _is_prose(line: str, rules: SectionRules) -> bool:
    return line.rstrip().endswith(".") and len(line.split()) > 9 or bool(rules.exam_prose.search(line))


def section_at(sections: list[Section], offset: int) -> SectionName:
    """The section an offset lies in, ``findings`` when it lies in none."""
    starts = [section.start for section in sections]
    index = bisect_right(starts, offset) - 1
    return sections[index].name if index >= 0 else "findings"
