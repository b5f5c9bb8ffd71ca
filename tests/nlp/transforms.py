"""Ways to rewrite a report that leave its meaning alone, for the metamorphic tests."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

from vertriage.levels import find_levels, spell
from vertriage.lexicon import shipped
from vertriage.pipeline import parse
from vertriage.tokenizer import LEVEL, tokenize

Transform = Callable[[str], str]

_BULLET = re.compile(r"\s*(?:[-*\u2022+>]|\(?\w{1,3}[.)])\s")
_HEADING = re.compile(r"^([A-Z][A-Z /&()-]{3,60}):[ \t]*$", re.MULTILINE)
# British and American stems, both ways; each American one occurs in no other word of a report.
_PAIRS = {
    "oedema": "edema",
    "oedematous": "edematous",
    "haemangioma": "hemangioma",
    "haematoma": "hematoma",
    "haemorrhag": "hemorrhag",
    "haematolog": "hematolog",
    "tumour": "tumor",
    "osteopaeni": "osteopeni",
    "anaesthesi": "anesthesi",
    "paraesthesi": "paresthesi",
    "leukaemi": "leukemi",
    "anaemi": "anemi",
    "ischaemi": "ischemi",
    "oesophag": "esophag",
    "calibre": "caliber",
    "centre": "center",
    "grey": "gray",
    "favour": "favor",
    "colour": "color",
    "demineralisation": "demineralization",
    "demineralised": "demineralized",
    "normalised": "normalized",
    "visualised": "visualized",
    "localised": "localized",
    "generalised": "generalized",
    "millimetre": "millimeter",
    "centimetre": "centimeter",
    "fibre": "fiber",
    "labelled": "labeled",
    "orthopaedic": "orthopedic",
}
_US = re.compile(rf"\b({'|'.join(sorted(_PAIRS.values(), key=len, reverse=True))})", re.IGNORECASE)
_UK = re.compile(rf"\b({'|'.join(sorted(_PAIRS, key=len, reverse=True))})", re.IGNORECASE)
_TO_UK = {us: uk for uk, us in _PAIRS.items()}
_ICAL = re.compile(r"\b(pathologic|neurologic|physiologic|radiologic)al\b", re.IGNORECASE)


def paragraphs(text: str) -> list[str]:
    """The report as logical lines: prose paragraphs joined, lists, labels, tables and blank lines left alone."""
    out: list[str] = []
    lines = [line.rstrip() for line in text.split("\n")]
    widest = max(map(len, lines), default=0)
    wrapped = 50 <= widest <= 100
    glue = False
    for line in lines:
        joins = glue and line.strip() and not _BULLET.match(line) and not re.match(r"\s*[^.:]{1,60}:(?!\d)", line)
        if joins and not re.match(r"\s{3,}\S.*\s{3,}", line):
            out[-1] += " " + line.strip()
        else:
            out.append(line)
        # Only a line that ran out of room goes on; one that ends a sentence early is a paragraph of its own.
        glue = wrapped and len(line) >= 0.75 * widest
    return out


def unwrap(text: str) -> str:
    """Every paragraph on one line."""
    return "\n".join(paragraphs(text))


def rewrap(width: int) -> Transform:
    """Break every paragraph anew at ``width`` columns; list items are indented by their bullet."""

    def apply(text: str) -> str:
        out: list[str] = []
        for line in paragraphs(text):
            if len(line) <= width or re.search(r"\S\s{3,}\S|\t|\|", line):
                out.append(line)
                continue
            bullet = _BULLET.match(line)
            indent = " " * len(bullet.group()) if bullet else ""
            out += textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        return "\n".join(out)

    return apply


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def double_spaces(text: str) -> str:
    """Two blanks after every full stop and comma and between words where a sentence begins."""
    return re.sub(r"(?<=[.,;]) (?=\S)", "  ", text)


def upper(text: str) -> str:
    """The whole report in capitals, except that a character whose capital is longer stays as it is."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def thoracic_letters(letters: str) -> Transform:
    """Write every thoracic vertebra as ``D8`` or ``Th8``. T1 and T2 stay, where they may be sequences of the scanner,
    and so do tokens that no level was read from."""

    def apply(text: str) -> str:
        tokens = tokenize(text)
        groups = find_levels(tokens, spell(tokens, shipped().spell))
        spots = {
            at
            for group in groups
            for at in range(group.start, group.end)
            if tokens.kind[at] == LEVEL and re.fullmatch(r"[Tt][Hh]?-?0?(?:[3-9]|1[0-2])", tokens.raw[at])
        }
        out, last = [], 0
        for at in sorted(spots):
            number = re.search(r"\d+", tokens.raw[at]).group()
            out += [text[last : tokens.start[at]], letters + number.lstrip("0")]
            last = tokens.end[at]
        return "".join([*out, text[last:]])

    return apply


def british(text: str) -> str:
    return _US.sub(lambda match: _cased(_TO_UK[match.group().lower()], match.group()), text)


def american(text: str) -> str:
    text = _UK.sub(lambda match: _cased(_PAIRS[match.group().lower()], match.group()), text)
    return _ICAL.sub(r"\1", text)


def _cased(word: str, like: str) -> str:
    return word.upper() if like.isupper() else word.capitalize() if like[0].isupper() else word


def no_heading_colons(text: str) -> str:
    """Drop the colon of headings in capitals that stand alone on their line."""
    return _HEADING.sub(r"\1", text)


NEUTRAL = (
    "There is mild multilevel degenerative disc disease.",
    "Facet arthropathy is present in the lower lumbar spine.",
    "Mild degenerative disc bulge at L4-L5.",
    "The paraspinal muscles show mild fatty atrophy.",
)


def degenerative(text: str) -> str:
    """Add a neutral sentence to the end of every paragraph of prose in findings and impression."""
    told = ("findings", "impression")
    spans = [(section.start, section.end) for section in parse(text).sections if section.name in told]
    out: list[str] = []
    at = 0
    added = 0
    for line in paragraphs(text):
        where = text.find(line.strip()[:20], at) if line.strip() else -1
        at = max(at, where)
        prose = line.rstrip().endswith(".") and len(line) > 80 and not re.search(r"\s{3,}\S|\||\t", line.strip())
        if prose and any(start <= where < end for start, end in spans):
            line = f"{line.rstrip()} {NEUTRAL[added % len(NEUTRAL)]}"
            added += 1
        out.append(line)
    return "\n".join(out)


TRANSFORMS: dict[str, Transform] = {
    "unwrap": unwrap,
    "wrap-60": rewrap(60),
    "wrap-72": rewrap(72),
    "wrap-100": rewrap(100),
    "crlf": crlf,
    "double-spaces": double_spaces,
    "dorsal-D": thoracic_letters("D"),
    "thoracic-Th": thoracic_letters("Th"),
    "british": british,
    "american": american,
    "upper-case": upper,
    "no-heading-colons": no_heading_colons,
    "degenerative-sentences": degenerative,
}
