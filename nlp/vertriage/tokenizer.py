"""Tokens of a radiology report.

spaCy's English tokenizer keeps ``T11-L1`` and ``30-40%`` in one piece, and is slower: 0.8 ms a report on words it has
met, 2.1 ms on others, against 0.3 ms here (``python -m benchmarks.components``). This one is a single
regular expression: a vertebral level with its number is one token (``T8``, ``T-8``, ``Th8``, ``D08``, ``L 2``), a
number with its decimals is one token, everything else splits at the edge of a word.

>>> import spacy
>>> nlp = spacy.blank("en")
>>> nlp.tokenizer = ReportTokenizer(nlp.vocab)
>>> [t.text for t in nlp("Th8-T-10: 30-40% loss, T1WI.")]
['Th8', '-', 'T-10', ':', '30', '-', '40', '%', 'loss', ',', 'T1WI', '.']
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from spacy import registry
from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from vertriage.layout import JOIN
from vertriage.text import fold

WORD, NUMBER, LEVEL, MARK = "w", "n", "l", "p"

_UNIT = r"(?!\s?(?:mm|cm|ml|mg|mci|%|x\s?\d|weeks?|days?|months?|years?|hours?|degrees?|/\s?\d|of\s\d))"
TOKEN = re.compile(
    r"(?P<l>(?<![A-Za-z])(?:[Tt][Hh]|[Tt][Vv]|[Dd][Vv]|[Ll][Vv]|[TtDdLlCcSs])"  # a level: letter, joint, number
    r"(?:[-.#]|-\s)?0?\d{1,2}(?:(?![^\W_])|(?=[TtDdLlCcSs]\d))(?!\.\d|%)"
    r"|(?<![^\W_])(?:T[Hh]|[TDLC])\s0?\d{1,2}(?![^\W_]|\.\d)" + _UNIT + r"|(?<![^\W_])"
    r"(?:(?:[BbLlHh][Ww][Kk]|[BL]W)[ .-]?0?\d{1,2}(?![^\W_]|\.\d)|V[TDL]\d{1,2}(?![^\W_])"  # German, Romance
    r"|(?:Th|TH|[TDL])\.\s?(?:I?X|I?V|X?VI{1,3}|XI{0,2}|I{1,3})(?=\.)"  # "L.I."
    r"|Th[ .-]{0,2}(?:I?X|I?V|X?VI{1,3}|XI{0,2}|I{1,3})(?![^\W_])"  # Roman numerals
    r"|(?:TH|[TDL])(?:[ .-]{1,2}(?:IX|IV|VI{1,3}|XI{1,2}|I{2,3})|(?:IX|VI{1,3}|XI{1,2}|I{2,3}))(?![^\W_])"
    r"))"
    r"|(?P<n>\d+(?:[.,]\d+)*(?![^\W_]))"
    rf"|(?P<w>[^\W_]+(?:{JOIN}+[^\W_]+)*(?:'[a-z]+)?)"
    r"|(?P<p>--+|[^\w\s]|_+)"
)
_GROUP_KIND = {"l": LEVEL, "n": NUMBER, "w": WORD, "p": MARK}


@dataclass(slots=True)
class Tokens:
    """The tokens of one report as parallel lists: text, kind (``w n l p``), start and end offset."""

    text: str
    raw: list[str]
    kind: list[str]
    start: list[int]
    end: list[int]


def tokenize(text: str) -> Tokens:
    """Split a report into tokens; offsets are into ``text`` as given.

    >>> tokens = tokenize("D12 # 4/12")
    >>> list(zip(tokens.raw, tokens.kind))
    [('D12', 'l'), ('#', 'p'), ('4', 'n'), ('/', 'p'), ('12', 'n')]
    """
    folded = fold(text)
    raw: list[str] = []
    kind: list[str] = []
    start: list[int] = []
    end: list[int] = []
    for match in TOKEN.finditer(folded):
        raw.append(match.group())
        kind.append(match.lastgroup)  # type: ignore[arg-type]
        start.append(match.start())
        end.append(match.end())
    if JOIN in folded:
        raw = [word.replace(JOIN, "") for word in raw]
    return Tokens(folded, raw, kind, start, end)


class ReportTokenizer:
    """spaCy tokenizer over :func:`tokenize`; ``doc.text`` is the report unchanged."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        tokens = tokenize(text)
        words: list[str] = []
        spaces: list[bool] = []
        index: list[int] = []
        at = 0
        for start, end in zip(tokens.start, tokens.end, strict=True):
            if start != at:
                gap = text[at:start]
                if words and gap[0] == " " and not spaces[-1]:
                    spaces[-1] = True
                    gap = gap[1:]
                if gap:
                    words.append(gap)
                    spaces.append(False)
            index.append(len(words))
            words.append(text[start:end])
            spaces.append(False)
            at = end
        if at < len(text):
            gap = text[at:]
            if words and gap[0] == " ":
                spaces[-1] = True
                gap = gap[1:]
            if gap:
                words.append(gap)
                spaces.append(False)
        doc = Doc(self.vocab, words=words, spaces=spaces)
        doc.user_data["vertriage_tokens"] = tokens
        doc.user_data["vertriage_token_index"] = index
        return doc

    def to_bytes(self, **_: object) -> bytes:
        """Nothing to store: the tokenizer has no state of its own."""
        return b""

    def from_bytes(self, _data: bytes, **_kwargs: object) -> ReportTokenizer:
        return self

    def to_disk(self, _path: object, **_: object) -> None:
        """Nothing to store."""

    def from_disk(self, _path: object, **_: object) -> ReportTokenizer:
        return self


@registry.tokenizers("vertriage.ReportTokenizer.v1")
def create_report_tokenizer() -> Callable[[Language], ReportTokenizer]:
    """Factory for spaCy configurations, so that ``spacy.load`` restores the tokenizer of a saved pipeline."""

    def make(nlp: Language) -> ReportTokenizer:
        return ReportTokenizer(nlp.vocab)

    return make
