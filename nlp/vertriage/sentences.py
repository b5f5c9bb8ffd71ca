"""Sentences of a radiology report.

Radiology text is half prose, half list. A sentence ends at a full stop, at the end of a bullet or numbered item, at a
label (``Conus:``, ``T8:``), and at a line break that the line did not need; a line that merely ran out of room at 72 or
80 columns goes on. Every sentence knows the label it stands under.

>>> text = "T8: wedge fracture with\\noedema. No cleft\\n- Conus normal"
>>> [text[s.start:s.end] for s in find_sentences(text, find_sections(text))]
['T8: wedge fracture with\\noedema.', 'No cleft', 'Conus normal']

PyRuSH, medspaCy's sentence splitter, takes about nine tenths of default medspaCy's time and splits hard-wrapped lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vertriage.dictation import STOP
from vertriage.layout import BOX, ticked
from vertriage.lexicon import word_list
from vertriage.sections import Section, find_sections
from vertriage.text import fold
from vertriage.types import SectionName

__all__ = ["Sentence", "find_sections", "find_sentences"]

_BULLET = re.compile(
    r"[ \t]*(?:[*+>o\u2022]\s+|--?\s+|--?(?=[A-Za-z])|[(\[]?\d{1,2}[.)\]](?!\d)\s*|[(\[]?[a-hA-H][)]\s+"
    r"|[ivx]{1,4}[.)]\s+|#\d{1,2}[.:)]?\s+)"
)
_LABEL = re.compile(r"[ \t]*([A-Za-z][^:.;?!\n|]{0,70}?)[ \t]*(:(?!\d)|\s--?\s|--(?=\s)|=(?=\s)|[ ]{3,}(?=\S))")
_LEVEL_LINE = re.compile(
    r"[ \t]*(?:at\s+|presumed\s+|level\s*[:-]?\s*)?"
    r"((?:[TDLC]|Th|DV|LV|BWK|LWK)[-. ]?\d{1,2}(?:\s*(?:,|&|and|/|-|to)\s*(?:[TDLC]|Th)?[-.]?\d{1,2})*)"
    r"(?:\s*\([^)\n]{1,60}\)|\s+(?:vertebra|vertebral body|body|level))?[ \t]*"
    r"(?::|\.(?=\s|$)|--?(?=\s)|\s--?\s|[ \t]{2,}|\||$|\n)",
    re.IGNORECASE,
)
_NO_VALUE = re.compile(r":\s*(?:no|none|not|nil)$", re.IGNORECASE)
_IN_CAPITALS = re.compile(r"[A-Z]{2,}(?:[ /&-]+[A-Z]{2,})+:?")
_HASH = re.compile(r"^[ \t]*#(?=[ \t])", re.MULTILINE)
_LEVEL_FIRST = re.compile(r"\s*(?:[TDLC]|Th)-?\d{1,2}\s+[A-Za-z(]")
_END = re.compile(rf"[.?!]+[\"')\]]*(?=\s|$)|(?<=[a-z\])])\.(?=[A-Z][a-z])|{STOP}")
_INLINE_ITEM = re.compile(
    r"(?<=\S)\s+(?=\(?\d{1,2}[.)]\s+[A-Z])|(?<=[.;:])\s+(?=\(?\d{1,2}[.)]\s*\S)|\s+(?=[\u2022*]\s+\S)"
)
_FIELD_LINE = re.compile(r"[ \t]*[a-z][a-z /()%-]{2,30}:[ \t]*\S")
_LEGEND = re.compile(r"[:,;=][ \t]*\+\s+[a-z][^.+\n]{0,40}[,;]\s*-\s+[a-z]")
"""What the signs of a table mean: "STIR: + bright marrow, - not bright"."""
_FIELD = re.compile(r"\s[/|]\s+(?=[A-Z][A-Za-z ]{2,20}:)|[ \t]{3,}(?=[A-Za-z][A-Za-z /]{2,25}:\s)")
_OPEN_END = re.compile(rf"(?:[,(/&+-]|\b(?:{'|'.join(sorted(word_list('line_goes_on')))}))\s*$", re.IGNORECASE)
_SHORT_NOUN = re.compile(r"(?:^|[\s(])(?:fx|fxs|frx|vert)$", re.IGNORECASE)
_TITLE = re.compile(r"(?:^|\s)(?:dr|mr|mrs|vs|prof|e\.g|i\.e|approx|cf)$", re.IGNORECASE)
_ROMAN_DOT = re.compile(r"(?:Th|TH|[TDL])\.\s?[IVX]{1,4}$")
_JOINER = re.compile(rf"(?:^|[\s(])(?:{'|'.join(map(re.escape, sorted(word_list('abbreviations'))))})$", re.IGNORECASE)


@dataclass(slots=True)
class Sentence:
    """One sentence: offsets, section, the ``label`` it stands under, and whether it opens a paragraph or an item."""

    start: int
    end: int
    section: SectionName
    label: str = ""
    label_end: int = 0
    heads: bool = False
    """True when the label is all there is (``T8`` alone on its line): what follows stands under it."""
    item: bool = False
    paragraph: int = 0
    indent: int = 0
    cells: tuple[tuple[str, int, int], ...] = ()
    """For a row of a table: heading and offsets of every cell."""


def find_sentences(text: str, sections: list[Section]) -> list[Sentence]:
    """Split the sections of a report into sentences; offsets are into ``text``."""
    folded = fold(text)
    if len(_HASH.findall(folded)) > 2:  # bullets, not the short sign for a fracture
        folded = _HASH.sub(lambda match: match.group().replace("#", "*"), folded)
    sentences: list[Sentence] = []
    paragraph = 0
    for section in sections:
        paragraph += 1
        lines = _lines(folded, section.start, section.end)
        width = max((end - start for start, end in lines), default=0)
        wrapped = _is_wrapped(folded, lines, width)
        segment: list[int] | None = None
        previous: tuple[int, int] | None = None
        table: list[str] = []
        columns: list[int] = []
        tabs = False
        turned = -1
        for number, (start, end) in enumerate(lines):
            if number <= turned:
                continue
            cells = _unnumbered(_cells(text, start, end))  # as received: folding makes a tab one blank
            if rows := _turned_table(text, cells, lines[number + 1 : number + 16]):
                if segment:
                    _split(folded, segment, section.name, paragraph, sentences)
                segment = previous = None
                turned = number + len(rows)
                for at, level in enumerate(cells):
                    column = (("level", *level[1:]), *((row[0][0], *row[at + 1][1:]) for row in rows))
                    sentences.append(
                        Sentence(
                            level[1],
                            level[2],
                            section.name,
                            level[0],
                            level[2],
                            item=True,
                            paragraph=paragraph,
                            cells=column,
                        )
                    )
                continue
            if header := _table_header(text, cells, lines[number + 1 : number + 4]):
                table = header
                columns = [lo - start for _, lo, _ in cells] if "|" not in text[start:end] else []
                tabs = text.count("\t", start, end) + 1 == len(table)
                if segment:
                    _split(folded, segment, section.name, paragraph, sentences)
                segment = previous = None
                continue
            if table and len(cells) >= 2 and _LEVEL_CELL.match(cells[0][0]):
                if tabs and "\t" in text[start:end]:  # an empty cell is a place in the row, too
                    heads = [table[min(text.count("\t", start, lo), len(table) - 1)] for _, lo, _ in cells]
                else:
                    heads = _heads(table, columns, [lo - start for _, lo, _ in cells])
                row = tuple((head, lo, hi) for head, (_, lo, hi) in zip(heads, cells, strict=True))
                sentences.append(
                    Sentence(
                        start, end, section.name, cells[0][0], cells[0][2], item=True, paragraph=paragraph, cells=row
                    )
                )
                continue
            if table and not re.search(r"\w", folded[start:end]) and start < end:
                continue
            table = []
            if start >= end:
                if segment:
                    _split(folded, segment, section.name, paragraph, sentences)
                segment = None
                previous = None
                paragraph += 1
                continue
            if segment and previous and _continues(folded, previous, (start, end), width, wrapped):
                segment[1] = end
            else:
                if segment:
                    _split(folded, segment, section.name, paragraph, sentences)
                segment = [start, end]
            previous = (start, end)
        if segment:
            _split(folded, segment, section.name, paragraph, sentences)
    return sentences


def _table_header(text: str, cells: list[tuple[str, int, int]], following: list[tuple[int, int]]) -> list[str]:
    """The headings of the columns, when a line names them and rows that begin with a level follow."""
    names = [text for text, _, _ in cells]
    if len(cells) >= 3 and names[0].strip(" :.").lower() in _TABLE_HEADS:
        return names
    if (
        len(cells) < 2
        or _LEVEL_CELL.fullmatch(names[0].strip(" :-"))
        or not all(re.search(r"[A-Za-z]", name) for name in names)
    ):
        return []
    if any(char.isdigit() for name in names for char in name if not re.match(r"T[12]\b", name)):
        return []
    rows = [_unnumbered(_cells(text, start, end)) for start, end in following if re.search(r"\w", text[start:end])]
    if not rows or not all(row and _LEVEL_CELL.match(row[0][0]) for row in rows):
        return []
    widths = {len(row) for row in rows}
    if widths == {len(cells)}:
        return names
    return ["Level", *names] if widths == {len(cells) + 1} else []


def _turned_table(
    text: str, cells: list[tuple[str, int, int]], following: list[tuple[int, int]]
) -> list[list[tuple[str, int, int]]]:
    """The rows of a table with a vertebra in every column, when ``cells`` are its levels and nothing else."""
    if len(cells) < 2 or not _LEVEL_CELL.match(cells[0][0]):
        return []
    names = [name.strip(" :-|").upper() for name, _, _ in cells]
    if len(set(names)) < len(names) or not all(_LEVEL_CELL.fullmatch(name) for name in names):
        return []
    rows = []
    for start, end in following:
        row = _cells(text, start, end)
        if len(row) != len(cells) + 1 or not row[0][0][:1].isalpha() or _LEVEL_CELL.match(row[0][0]):
            break
        rows.append(row)
    return rows if len(rows) > 1 else []


def _unnumbered(cells: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """A row without the number in front of its level, a heading row without the word for that number."""
    if len(cells) < 3:
        return cells
    first, second = cells[0][0].strip(" :.)").lower(), cells[1][0].strip(" :.").lower()
    counted = first.isdigit() and len(first) < 3 and _LEVEL_CELL.match(cells[1][0])
    headed = first in _NUMBER_HEADS and second in _TABLE_HEADS
    return cells[1:] if counted or headed else cells


_NUMBER_HEADS = frozenset(
    ["no", "nr", "#", "number", "id", "item", "fracture", "fx", "fracture no", "fracture nr", "fracture number", "s/n"]
)


def _heads(table: list[str], columns: list[int], at: list[int]) -> list[str]:
    """The heading of every cell of a row: by count, or by position where cells of the row are blank."""
    if len(at) == len(table) or len(columns) != len(table):
        return [table[min(number, len(table) - 1)] for number in range(len(at))]
    return [table[min(range(len(columns)), key=lambda i: abs(columns[i] - start))] for start in at]


_TABLE_HEADS = frozenset(
    ["level", "levels", "vertebra", "vertebrae", "vertebral level", "body", "vertebral body", "segment", "vert", "lvl"]
)
_SLASHED = re.compile(r"[^\s/](?:[^\t\n]*?\S)??(?=\s+/\s|\s*$)")
_LEVEL_CELL = re.compile(r"\W*(?:[TDLC]|Th|DV|LV|BWK|LWK)[-. ]?\d{1,2}\b", re.IGNORECASE)
_CELL = re.compile(r"[^\s|](?:[^\t|]*?[^\s|])??(?=\s{2,}|\t|\s*\||\s*$)")


def _cells(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """The cells of a table row set with tabs, bars or runs of blanks: text and offsets."""
    if end - start > 400:
        return []  # no row of a table, and the search for its cells would look at every pair of blanks
    line = text[start:end]
    if line.count(" / ") > 1 and "|" not in line:
        return [(match.group(), match.start(), match.end()) for match in _SLASHED.finditer(text, start, end)]
    if "  " not in line and "\t" not in line and "|" not in line:
        return []
    return [(match.group(), match.start(), match.end()) for match in _CELL.finditer(text, start, end)]


def _lines(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Offsets of the lines between two offsets, without the blanks at their end."""
    lines = []
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        lines.append((at, at + len(text[at:stop].rstrip())))
        at = stop + 1
    return lines


def _is_wrapped(text: str, lines: list[tuple[int, int]], width: int) -> bool:
    """Whether a section is set in lines of one width: most lines that another follows nearly fill it."""
    if not 45 <= width <= 110:
        return False
    full = [
        end - start >= 0.72 * width
        for (start, end), (after, stop) in zip(lines, lines[1:], strict=False)
        if end > start and stop > after
    ]
    return len(full) >= 3 and sum(full) >= 0.6 * len(full)


def _continues(text: str, previous: tuple[int, int], line: tuple[int, int], width: int, wrapped: bool) -> bool:
    """Whether a line goes on with the sentence of the line before it."""
    before = text[previous[0] : previous[1]]
    body = text[line[0] : line[1]]
    stripped = body.lstrip()
    if BOX.match(stripped):
        return False
    if _BULLET.match(body) and not (before.rstrip().endswith(("-", ",")) and stripped[:1] not in "*-"):
        number = re.match(r"\s*(\d{1,2})[.)](?!\d)", body)
        if (
            not number
            or not _OPEN_END.search(before)
            or before.rstrip().endswith("-")
            or _NO_VALUE.search(before.rstrip())
        ):
            return False
    words = stripped.split()
    if (
        len(words) <= 2
        and stripped.endswith(".")
        and before.rstrip()[-1:].isalpha()
        and not _label(body)
        and len(before) > 12
    ):
        return True  # the last word of a sentence in capitals
    if _LEVEL_FIRST.match(before) and _LEVEL_FIRST.match(body) and not _OPEN_END.search(before):
        return False  # line by line, a vertebra each
    if stripped[:1].islower() and not before.rstrip().endswith(":"):
        # but "  edema: yes" below "  height loss: 40%" is a field of its own, where there was room for it above
        return not (_FIELD_LINE.match(body) and len(before) + 12 < max(width, 40) and not _OPEN_END.search(before))
    level = _LEVEL_LINE.match(body)
    if level:
        rest = body[level.end() :].strip()
        if not _OPEN_END.search(before) or _NO_VALUE.search(before) and (not rest or ":" in rest[:40]):
            return False
    if _IN_CAPITALS.fullmatch(stripped) and before.upper() != before and not _OPEN_END.search(before):
        return False  # a heading the sections do not know
    if _OPEN_END.search(before) and not _label(body):
        return True
    first = stripped.split(None, 1)[0] if stripped else ""
    fitted = len(before) + 1 + len(first) <= max(width, 40) and not (wrapped and len(before) >= 0.72 * width)
    if before.rstrip().endswith((".", "?", "!", ":")):
        # The paragraph goes on, sentence boundaries inside it are found below; a label opens a new one.
        return not fitted and not _label(body) and len(before) > 40
    if fitted:
        return False
    return not _label(body)


def _label(body: str) -> re.Match[str] | None:
    match = _LABEL.match(body)
    if match is None or len(match.group(1).split()) > 7:
        return None
    return match


def _split(text: str, segment: list[int], section: SectionName, paragraph: int, out: list[Sentence]) -> None:
    """Cut one logical line or paragraph into sentences."""
    start, end = segment
    indent = len(text[start:end]) - len(text[start:end].lstrip())
    cuts = [start]
    for match in _END.finditer(text, start, end):
        at = match.end()
        if at >= end:
            break
        head = text[max(start, match.start() - 12) : match.start()]
        mark = match.group()
        after = text[at : at + 40].lstrip()
        if mark[0] == "." and _JOINER.search(head) and _reads_on(head, after):
            continue
        if mark[0] == "." and _TITLE.search(head):
            continue
        if mark[0] == "." and head[-1:].isdigit() and _is_item_number(text, start, match.start()):
            continue
        if mark[0] == "." and text[at:end].strip().lower() in _BARE:
            continue  # the dots of a form: "Fragment in canal . no"
        if (
            mark[0] == "."
            and head[-1:] in ("I", "V", "X")
            and _ROMAN_DOT.search(head)
            and (after[:1].islower() or after[:1] == ",")
        ):
            continue  # "in the L.I. vertebral body"
        if mark == "?" and (not head or head[-1:].isspace() or match.start() == start):
            continue  # a question mark in front of what is asked
        if mark[0] == "?" and (after[:1].islower() or after[:2] == "- "):
            continue
        cuts.append(at)
    cuts.append(end)
    for lo, hi in zip(cuts, cuts[1:], strict=False):
        for a, b in _items(text, lo, hi):
            for c, d in _bounded(text, a, b):
                _emit(text, c, d, section, paragraph, indent, out)


def _reads_on(head: str, after: str) -> bool:
    """Whether what follows an abbreviation belongs to it; "COMPRESSION FXS. NO NEW ABNORMALITY." is two sentences."""
    if _SHORT_NOUN.search(head) and re.match(r"[A-Z]{2,}\b", after):
        return False
    if head.endswith((" no", " No")) and re.match(r"[TLDC]h?\d{1,2}\b", after):
        return False  # "edema yes, cleft no. T10 fracture: ..."
    return re.match(r"[A-Z][a-z]+\b", after) is None


def _is_item_number(text: str, start: int, at: int) -> bool:
    """Whether the digits before ``at`` open the line or the paragraph: "2." of a list."""
    first = at
    while first > start and text[first - 1].isdigit():
        first -= 1
    while first > start and text[first - 1] in " \t(":
        first -= 1
    return at - first <= 12 and (first == start or text[first - 1] == "\n")


_BARE = frozenset(["no", "none", "absent", "nil", "yes", "present"])
_LONGEST = 3000
"""Characters; what has no full stop for so long is no sentence, and the rules look at every pair of its words."""


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > _LONGEST:
        cut = text.rfind(" ", start, start + _LONGEST)
        cut = cut if cut > start else start + _LONGEST
        yield start, cut
        start = cut
    yield start, end


def _items(text: str, start: int, end: int) -> list[tuple[int, int]]:
    cuts = [start]
    for match in _INLINE_ITEM.finditer(text, start, end):
        head = text[start : match.start()].strip()
        if head and not _OPEN_END.search(head):
            cuts.append(match.end())
    if any(text.find(mark, start, end) >= 0 for mark in (" / ", " | ", "   ")):  # "Acuity: old / Cleft: no"
        fields = _FIELD.finditer(text, start, end)
        cuts = sorted({*cuts, *(match.end() for match in fields if ":" in text[start : match.start()])})
    cuts.append(end)
    return list(zip(cuts, cuts[1:], strict=False))


def _emit(
    text: str, start: int, end: int, section: SectionName, paragraph: int, indent: int, out: list[Sentence]
) -> None:
    boxes = list(BOX.finditer(text, start, end))
    if boxes:
        if text[start : boxes[0].start()].strip():
            _emit(text, start, boxes[0].start(), section, paragraph, indent, out)
        for box, following in zip(boxes, [*boxes[1:], None], strict=True):
            if ticked(box):  # an empty box asserts nothing
                _emit(text, box.end(), following.start() if following else end, section, paragraph, indent, out)
        return
    if text.find("+", start, end) >= 0 and _LEGEND.search(text, start, end):
        return
    while start < end and text[start].isspace():
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "/|"):
        end -= 1
    if start >= end:
        return
    item = False
    bullet = _BULLET.match(text, start, end)
    if bullet and bullet.end() < end:
        start = bullet.end()
        item = True
    elif bullet and not any(c.isalpha() for c in text[start:end]):
        return
    label = ""
    label_end = start
    heads = False
    level = _LEVEL_LINE.match(text, start, end)
    if level:
        label, label_end = level.group(1), level.end()
        heads = not text[label_end:end].strip(" .:-|")
    else:
        match = _label(text[start:end])
        if match and not item and text[:start].rstrip(" ")[-1:] not in ("\n", "") and len(match.group(1).split()) > 3:
            match = None  # a colon inside a paragraph, not a label
        if match and re.search(r"\b(?:is|are|was|has|have|shows?)\b", match.group(1)):
            match = None
        if match is None and _IN_CAPITALS.fullmatch(text, start, end):
            label, label_end, heads = text[start:end], end, True
        if match:
            label, label_end = match.group(1), start + match.end()
            heads = not text[label_end:end].strip(" .:-")
    out.append(Sentence(start, end, section, label, label_end, heads, item, paragraph, indent))
