"""Dictations typed as they were spoken: ``findings colon there is ... period``, or no punctuation at all.

The marks that a reader hears are put in place of the blanks and of the spoken words, without moving a character.

>>> punctuated("findings colon wedge fracture of l1 period no cleft period no retropulsion period")
'findings:      wedge fracture of l1.       no cleft.       no retropulsion.      '
"""

from __future__ import annotations

import re

STOP = "\u2029"
"""The end of a sentence that was heard, not written."""

_MARKS = {"period": ".", "full stop": ".", "comma": ",", "semicolon": ";", "colon": ":"}
_HEADINGS = (
    "clinical history|clinical indication|clinical information|history|indication|technique|comparison|findings"
    "|impression|conclusion|addendum|recommendation"
)
_SPOKEN = re.compile(
    r"(?<=\w)\s(?P<mark>period|full stop|comma|semicolon)\b(?! of\b)|"
    r"(?<=\w)(?<!\bthe)(?<!\bof)\s(?P<colon>colon)\b(?!\s(?:ca|cancer|carcinoma|adenocarcinoma|resection)\b)"
    r"|(?P<line>\b(?:new|next) (?:line|paragraph)\b)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:^|(?<=\w)(?<!\bno)(?<!\bthe)(?<!these)(?<!above)(?<!\bin)(?<!\bof)(?<!\bold)(?P<before>[ \n]))"
    rf"(?P<h>{_HEADINGS})"
    r"[ \n](?!(?:of|are|with|to|was|were|as|that|consistent|compatible|suggests?|in|and|on|for)\b)",
    re.IGNORECASE,
)
_VERB = (
    r"(?:is|are|has|have|shows?|demonstrates?|appears?|measures?|remains?|ends?|terminates?|was|were|maintains?"
    r"|projects?|lies|sits|runs|contacts?|indents?|touches|extends?|looks?)"
)
_CLAUSE = re.compile(
    r"(?<=[a-z0-9%])[ \n](?=(?:fe)?male \d|no |none of |neither "
    r"|there (?:is|are|was|were|has)\b(?! (?:about |approximately |around )?\d)"
    rf"|(?:the|this|these|it|both|[tl]\d{{1,2}})(?: [\w-]+){{0,5}}? {_VERB}\b)",
    re.IGNORECASE,
)
_GOES_ON = frozenset(
    "of in at to on with along into by from for and or but is are was were has have within than through throughout "
    "involving beneath including near between above below over under around behind against toward towards per as that "
    "which where while although because if when the a an no not this shows show showing demonstrates demonstrating "
    "since both involves involve indents indenting abuts abutting contacts contacting effaces effacing reaches "
    "occupying occupies narrowing narrows only however so also until before after versus like".split()
)
_WRITTEN = re.compile(r"[.;:?!](?=\s|$)")


def punctuated(text: str) -> str:
    """``text`` with the marks of a spoken report; unchanged when it has its own."""
    if text.count(" period") + text.count(" full stop") + text.count(" PERIOD") + text.count(" FULL STOP") > 2:
        return _SPOKEN.sub(_mark, text)
    first = _WRITTEN.search(text)
    opening = first.start() if first else len(text)
    if opening < 80 or opening < len(text) and len(_WRITTEN.findall(text)) * 250 <= len(text):
        opening = len(text)
    lines = text[:opening].strip().count("\n") + 1
    if opening < 80 or lines > 1 and opening / lines < 45:
        return text
    if opening == len(text) and (opening < 160 or len(_WRITTEN.findall(text.strip())) * 250 > opening):
        return text
    told = text[:opening]
    if match := _OPENING_HISTORY.match(told):  # "MRI spine with contrast history of lung cancer"
        told = f"{match.group('before')}\n{match.group('h')}:{told[match.end() + 1 :]}"
    headed, headings = _HEADING.subn(_heading, told)
    if opening < len(text) and (headings < 2 or "\n\n" in text[:opening]):
        return text  # a long first sentence
    return _CLAUSE.sub(_stop, headed) + text[opening:]


_OPENING_HISTORY = re.compile(
    r"(?P<before>\s*(?:mri?|ct|x[- ]?ray|xr|radiograph|bone scan)\b[\w /-]{3,70}?)\s"
    r"(?P<h>history|indication)(?=\sof\s)",
    re.IGNORECASE,
)


def _heading(match: re.Match[str]) -> str:
    return ("\n" if match.group("before") else "") + match.group("h") + ":"


def _mark(match: re.Match[str]) -> str:
    if match.group("line"):
        return "\n".ljust(len(match.group()))
    word = match.group("mark") or match.group("colon")
    return _MARKS[word.lower()].ljust(len(match.group()))


def _stop(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 20) : match.start()].split()
    return match.group() if not before or before[-1].lower() in _GOES_ON else STOP
