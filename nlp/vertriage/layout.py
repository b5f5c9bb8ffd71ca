"""What hospital systems leave in a report text, made plain without moving a character.

=====================================================  ================================================
``<br>``, ``</li>``, ``<b>``, ``&lt;10%``              a line break, nothing, ``<10%``
``\\.br\\``, ``\\par``                                    a line break (HL7 and RTF escapes)
``intraverte-`` at the end of a line, ``bral``         one word
``Cleft: [ ] gas [x] none``, ``(X)``, ``\u2611``      ``Cleft:          none``
``L2.HEIGHT LOSS: 15 %``                                ``L2:HEIGHT LOSS: 15 %``
``> T12: wedge`` on every line of a forwarded message  the line without its mark
"Page 2 of 2, Patient: ..." in mid-sentence            the sentence goes on
``[Known osteoporosis]   Yes``                          ``Known osteoporosis:   Yes``
``edema [yes]  cleft [no]``                             ``edema: yes,  cleft: no,``
``Vertebra ........ L3``, ``L3; normal``                ``Vertebra:         L3``, ``L3: normal``
``Edema   [x]  [ ]`` under "yes   no"                   ``Edema:  yes``
``Fracture.1.Level: L3``, ``height_loss=30%``           ``Level: L3``, ``height loss:30%``
=====================================================  ================================================

Everything keeps its offset: what is dropped becomes blanks, so evidence still points into the text as received.
"""

from __future__ import annotations

import re

JOIN = "\u2060"
"""Stands between the halves of a word that was broken at the end of a line; the tokenizer takes it out."""

_TAG = re.compile(r"</?([a-z][a-z0-9]*)\b[^<>]{0,200}>", re.IGNORECASE)
_BREAKS = frozenset("br p div li ul ol tr table h1 h2 h3 h4 h5 h6 hr html body title head".split())
_MARKUP = re.compile(
    r"<(?:br|p|b|i|u|div|span|li|ul|td|tr|strong|em|font|html|body)\b|</\w+>|&(?:nbsp|lt|gt|amp);", re.I
)
_ENTITY = re.compile(r"&(?:#\d{2,5}|[a-z]{2,8});", re.IGNORECASE)
_SIGNS = {
    "lt": "<",
    "gt": ">",
    "amp": "&",
    "quot": '"',
    "apos": "'",
    "#39": "'",
    "minus": "-",
    "ndash": "-",
    "mdash": "-",
    "bull": "*",
    "le": "<",
    "ge": ">",
}
_ESCAPE = re.compile(r"\\\.br\\|\\(?:par|line|pard)\b ?")
_BROKEN = re.compile(r"(?<=[a-z])-[ \t]*\n[ \t]*(?=([a-z]{2,}))")
_COMPOUND = frozenset(
    "filled like shaped containing bearing level grade related energy based sided weighted suppressed saturated "
    "intense column term standing treated positive negative old year up down off out free rich fixed appearing "
    "to and or".split()
)
_FIRST = frozenset("non post pre anti low high long well so end ill fat gas fluid cement mid wedge age follow".split())
BOX = re.compile(r"\[[ _]?([ xX*\u2713\u2714]?)[ _]?\]|([\u2610-\u2612])")
"""A box of a form, ticked or empty."""
_KEYED = re.compile(
    r"^[ \t]*(?:th?|d|l|c|bwk ?|lwk ?)\d{1,2}\.(?=[a-z][a-z /]{1,30}[:=])", re.IGNORECASE | re.MULTILINE
)
"""A key of two parts: ``L2.HEIGHT LOSS: 15 %``."""
_ROUND_BOX = re.compile(r"\([ _]?([ xX*\u2713\u2714]?)[ _]?\)")
_FORM_LABEL = re.compile(
    r"[ \t]*[^\s:=\[\u2610-\u2612][^:=\n\[\u2610-\u2612]{0,60}?(?:[ \t]*[:=]|[ \t]{2,}(?=\[|[\u2610-\u2612]))"
)
_NUMBERED = re.compile(r"[ \t]*\d{1,2}(?=[ \t]{1,4}[A-Z][^\n]*[ \t]{2,}\S)")
_LEADERS = re.compile(r"[ \t]*\.{3,}(?=[ \t])")
_PAGE = re.compile(r"\bpage\s+\d{1,3}\s+of\s+\d{1,3}\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_BRACKETED_LABEL = re.compile(r"^[ \t]*\[[A-Za-z][^\]\n]{2,40}\](?=[ \t]+\S)", re.MULTILINE)
# not "[NAME]" or "[**2012-3-4**]", which stand for what was taken out of the report
_BRACKETED_VALUE = re.compile(r"(?<=\w) \[(?=[^\]\n*]{2,30}\])(?=[^\]\n]*[a-z0-9%])([^\]\n]*)\]")
_DOTTED = re.compile(r"^([ \t]*[A-Za-z][\w ./-]{1,25}?)[ \t]*\.{4,}(?=[ \t]+\S)", re.MULTILINE)
_SEMICOLON_LABEL = re.compile(r"^[ \t]*(?:th?|d|l|c)\d{1,2};(?=[ \t])", re.IGNORECASE | re.MULTILINE)
_PATH_KEY = re.compile(r"^[ \t]*[A-Za-z]+\.\d{1,2}\.(?=[A-Za-z]+[ \t]*[:=])", re.MULTILINE)
_UNDERSCORED = re.compile(r"\b[A-Za-z]+(?:_[A-Za-z]+)+=")
_COLUMNS = re.compile(r"\b(yes|present|y|no|absent|n)[ \t]+(yes|present|y|no|absent|n)[ \t]*$", re.IGNORECASE)


def plain(text: str) -> str:
    """``text`` without the residue of its transport; every character left stays where it was.

    >>> plain("loss&nbsp;&lt;10%<br>No cleft")
    'loss         <10%\\n   No cleft'
    """
    if ("<" in text or "&" in text) and _MARKUP.search(text):
        text = _TAG.sub(_tag, text)
        text = _ENTITY.sub(_entity, text)
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: "\n".ljust(len(match.group())), text)
    if text.count("[") > 2 and len(_BRACKETED_LABEL.findall(text)) > 2:
        text = _BRACKETED_LABEL.sub(lambda match: match.group().replace("[", " ")[:-1] + ":", text)
    if text.count("[") > 3 and len(_BRACKETED_VALUE.findall(text)) > 3:
        text = _BRACKETED_VALUE.sub(lambda match: f": {match.group(1)},", text)
    if "...." in text and len(_DOTTED.findall(text)) > 2:
        text = _DOTTED.sub(lambda match: (match.group(1) + ":").ljust(len(match.group())), text)
    if text.count(";") > 1 and len(_SEMICOLON_LABEL.findall(text)) > 1:
        text = _SEMICOLON_LABEL.sub(lambda match: match.group()[:-1] + ":", text)
    if ".1." in text and len(_PATH_KEY.findall(text)) > 2:
        text = _PATH_KEY.sub(lambda match: " " * len(match.group()), text)
    if "=" in text and len(_UNDERSCORED.findall(text)) > 2:
        text = _UNDERSCORED.sub(lambda match: match.group().replace("_", " ").replace("=", ":"), text)
    if _KEYED.search(text):
        text = _KEYED.sub(lambda match: match.group()[:-1] + ":", text)
    if text.count("\n>") > 2:
        text = re.sub(r"^>+", lambda match: " " * len(match.group()), text, flags=re.MULTILINE)
    if "-\n" in text or "- \n" in text:
        text = _BROKEN.sub(_mended, text)
    if "( )" in text or "()" in text or "(_)" in text:
        text = _ROUND_BOX.sub(lambda match: f"[{match.group()[1:-1]}]", text)
    if "[" in text or "\u2611" in text or "\u2612" in text:
        text = _LEADERS.sub(lambda match: ":".ljust(len(match.group())), text)
        text = _ticked(text)
    if len(_PAGE.findall(text)) > 1:
        text = _without_page_headers(text)
    return text


def _tag(match: re.Match[str]) -> str:
    breaks = match.group(1).lower() in _BREAKS
    return ("\n" if breaks else "").ljust(len(match.group()))


def _entity(match: re.Match[str]) -> str:
    return _SIGNS.get(match.group()[1:-1].lower(), "").rjust(len(match.group()))


def _mended(match: re.Match[str]) -> str:
    before = re.search(r"[A-Za-z]+$", match.string[max(0, match.start() - 30) : match.start()])
    first = before.group().lower() if before else ""
    if match.group(1) in _COMPOUND or first in _FIRST:
        return " " + match.group()[1:]  # "gas-filled" is two words
    return JOIN * len(match.group())


def ticked(box: re.Match[str]) -> bool:
    """Whether a match of :data:`BOX` is ticked."""
    return box.group(2) != "\u2610" if box.group(2) else (box.group(1) or " ") != " "


def _ticked(text: str) -> str:
    """Leave the ticked options of a form behind their label; a label with none ticked goes too."""
    out = []
    at = 0
    columns: tuple[str, str] | None = None
    for line in text.splitlines(keepends=True):
        if header := _COLUMNS.search(line.rstrip("\n")):
            columns = (header.group(1), header.group(2)) if not BOX.search(line) else columns
        elif columns and (row := _ROW_OF_BOXES.match(line)):
            out.append(_in_column(line, row, columns))
            at += len(line)
            continue
        if numbered := _NUMBERED.match(line):  # "7  Posterior wall      [x] intact"
            line = " " * numbered.end() + line[numbered.end() :]
        label = _FORM_LABEL.match(line)
        boxes = list(BOX.finditer(line))
        if label and boxes and label.end() <= boxes[0].start():
            line = _chosen(line, _label_end(line, label.end(), boxes), boxes)
        out.append(line)
        at += len(line)
    return "".join(out)


_ROW_OF_BOXES = re.compile(
    r"(?P<label>[ \t]*[^\[\n\u2610-\u2612]*[^\s\[])[ \t]{1,}(?P<first>\[[ xX]?\]|[\u2610-\u2612])[ \t]+"
    r"(?P<second>\[[ xX]?\]|[\u2610-\u2612])(?P<rest>[^\[\n]*)"
)


def _in_column(line: str, row: re.Match[str], columns: tuple[str, str]) -> str:
    """The word of the column whose box is ticked, behind the label of the row."""
    boxes = [BOX.match(line, row.start(name)) for name in ("first", "second")]
    chosen = [word for word, box in zip(columns, boxes, strict=True) if box and ticked(box)]
    value = f": {chosen[0]}" if len(chosen) == 1 else ""
    start, end = row.end("label"), row.end("second")
    if not chosen:
        return re.sub(r"\S", " ", line)
    rest = row.group("rest")
    comma = "," if rest.strip() else ""
    return line[:start] + (value + comma).ljust(end - start) + line[end:]


def _label_end(line: str, end: int, boxes: list[re.Match[str]]) -> int:
    """Where the label of the boxes ends; text may stand before it: "63M, back pain. Injury: [x] none  [ ] yes"."""
    between = line[end : boxes[0].start()]
    if between.strip() and line[boxes[-1].end() :].strip() and (nearer := _NEARER.search(line[: boxes[0].start()])):
        return nearer.end()
    return end


_NEARER = re.compile(r"[^\s:=.;][^:=.;\n]{0,60}[:=][ \t]*$")
_NOTE = re.compile(r"(?<=\S[ \t]{3})(?:->|[(\w])[^\n]*|(?<=[ \t])->[^\n]*")


def _chosen(line: str, label_end: int, boxes: list[re.Match[str]]) -> str:
    behind = not line[boxes[-1].end() :].strip() and bool(line[label_end : boxes[0].start()].strip())
    if behind:  # "Edema: yes [x] no [ ]"
        starts = [label_end, *(box.end() for box in boxes[:-1])]
        options = [(start, box.start()) for start, box in zip(starts, boxes, strict=True)]
    else:
        ends = [*(box.start() for box in boxes[1:]), len(line)]
        options = [(box.end(), end) for box, end in zip(boxes, ends, strict=True)]
    kept = [option for option, box in zip(options, boxes, strict=True) if ticked(box) and line[slice(*option)].strip()]
    for (start, end), box in zip(options, boxes, strict=True):
        if not ticked(box) and (note := _NOTE.search(line, start, end)):
            kept.append((note.start(), end))  # "[ ] no    -> compression, 25 %": what is written behind the boxes
    kept.sort()
    if not kept:
        return re.sub(r"\S", " ", line)
    if not line[:label_end].rstrip().endswith((":", "=")):
        label_end = len(line[:label_end].rstrip())
        line = line[:label_end] + ":" + line[label_end + 1 :]
        label_end += 1
    chars = [char if char == "\n" or at < label_end else " " for at, char in enumerate(line)]
    for number, (start, end) in enumerate(kept):
        chars[start:end] = line[start:end]
        if number:
            chars[kept[number - 1][1] - 1] = ","
    return "".join(chars)


def _without_page_headers(text: str) -> str:
    """Blank the second and later headers of a report that was printed in pages."""
    lines = text.split("\n")
    shape = [_DIGITS.sub("0", line).strip() for line in lines]
    seen = False
    at = 0
    while at < len(lines):
        if not _PAGE.search(lines[at]):
            at += 1
            continue
        stop = at + 1
        while (
            seen
            and stop < len(lines)
            and shape[stop]
            and (shape.index(shape[stop]) < at or set(shape[stop]) <= {"-", "_", "="})
        ):
            stop += 1
        if seen:
            for index in range(at, stop):
                lines[index] = " " * len(lines[index])
        seen = True
        at = stop
    return "\n".join(lines)
