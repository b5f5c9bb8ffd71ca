"""Text as the stages see it: same length as the report, one spelling, one kind of dash.

Every stage works on character offsets into the report exactly as it was received, so nothing here may change the
length of the text. :func:`fold` replaces characters one for one; :class:`Speller` maps one *word* to the form the
lexicons are written in (US spelling, singular, without accents, common typing slips mended).

>>> fold("K\\u00fcmmell \\u2013 30\\u00a0%")
'Kummell - 30 %'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from vertriage.dictation import punctuated
from vertriage.layout import plain

_FOLD = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\t\v\f", " "),
    **dict.fromkeys("\u2022\u25cf\u25aa\u25e6\u2023\u00b7\u25a0\u25ba\uf0b7", "*"),
    "\u2264": "<",
    "\u2265": ">",
    "\u2248": "~",
    "\u00d7": "x",
    "\ufeff": " ",
    "\u200b": " ",
    "\x00": " ",
}
_LATIN = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖÙÚÛÜÝ"
_PLAIN = "aaaaaaceeeeiiiinooooouuuuyyAAAAAACEEEEIIIINOOOOOUUUUY"
_TABLE = str.maketrans({**_FOLD, **dict(zip(_LATIN, _PLAIN, strict=True))})


_LEADERS = re.compile(r"\s*\.(?:\s?\.){3,}")


@lru_cache(maxsize=4)  # every stage of a report asks for the same text
def fold(text: str) -> str:
    """Return ``text`` with dashes, quotes, blanks, bullets and accented letters made plain; the length is unchanged."""
    folded = text.translate(_TABLE)
    if "\r" in folded:
        folded = folded.replace("\r\n", " \n").replace("\r", "\n")
    folded = punctuated(plain(folded))
    if "..." in folded:  # dot leaders of a form: "Height loss ........ 60 %"
        folded = _LEADERS.sub(lambda match: ":" + " " * (len(match.group()) - 1), folded)
    return folded


class Speller:
    """Bring one word to the spelling of the lexicons; see ``lexicons/spelling.yaml``.

    Args:
        replace: whole words and what they become (irregular plurals, typing slips, abbreviations).
        rewrite: regular expression and replacement pairs, applied in order (British to US spelling).
        keep: words that look like plurals and are not.
        fuzzy: long words that are recognised with one slip of the keyboard (a letter missing, doubled, wrong, or two
            swapped). Only words of seven letters or more are safe.
        protect: real words that are one slip away from a fuzzy word and must stay as they are.

    >>> speller = Speller(rewrite=[("oedema", "edema")], fuzzy=["retropulsion"])
    >>> speller("Oedema"), speller("fractures"), speller("retropulion")
    ('edema', 'fracture', 'retropulsion')
    """

    def __init__(
        self,
        *,
        replace: Mapping[str, str] | None = None,
        rewrite: Iterable[tuple[str, str]] = (),
        keep: Iterable[str] = (),
        fuzzy: Iterable[str] = (),
        protect: Iterable[str] = (),
    ) -> None:
        self._replace = dict(replace or {})
        self._rewrite = [(re.compile(pattern), to) for pattern, to in rewrite]
        self._keep = frozenset(keep)
        self._protect = frozenset(protect)
        self._deletions: dict[str, str] = {}
        self._fuzzy = frozenset(fuzzy)
        for word in self._fuzzy:
            for variant in _one_deletion(word):
                self._deletions.setdefault(variant, word)
        self._cache: dict[str, str] = {}

    def __call__(self, raw: str) -> str:
        word = self._cache.get(raw)
        if word is None:
            word = self._spell(raw.lower())
            if len(self._cache) > 200_000:  # a warehouse of names and numbers must not grow without bound
                self._cache.clear()
            self._cache[raw] = word
        return word

    def _spell(self, word: str) -> str:
        if word.endswith("'s") or word.endswith("s'"):
            word = word[:-2] if word.endswith("'s") else word[:-1]
        if word in self._replace:
            return self._replace[word]
        for pattern, to in self._rewrite:
            word = pattern.sub(to, word)
        if word in self._replace:
            return self._replace[word]
        if word in self._fuzzy:
            return word
        word = self._singular(word)
        return self._mend(word) if len(word) >= 6 else word

    def _singular(self, word: str) -> str:
        if len(word) < 4 or not word.endswith("s") or word in self._keep or word.endswith(("ss", "us", "is")):
            return word
        if word.endswith("ies") and len(word) > 4:
            return word[:-3] + "y"
        if word.endswith(("sses", "shes", "ches", "xes")):
            return word[:-2]
        singular = word[:-1]
        return self._replace.get(singular, singular)

    def _mend(self, word: str) -> str:
        if word in self._fuzzy or word in self._protect or not word.isalpha():
            return word
        found = self._deletions.get(word)
        if found is None:
            for variant in _one_deletion(word):
                if variant in self._fuzzy:
                    found = variant
                    break
                near = self._deletions.get(variant)
                # A shared deletion is one substitution, or a swap of neighbours; anything further is another word.
                if near is not None and len(near) == len(word) and _one_slip(near, word):
                    found = near
                    break
        if found is None or word[0] != found[0] and word[1:] != found[1:]:
            return word
        return word if _inflected(word, found) else found


def _one_deletion(word: str) -> Iterable[str]:
    return (word[:i] + word[i + 1 :] for i in range(len(word)))


def _one_slip(a: str, b: str) -> bool:
    differ = [i for i in range(len(a)) if a[i] != b[i]]
    if len(differ) == 1:
        return True
    return (
        len(differ) == 2
        and differ[1] == differ[0] + 1
        and a[differ[0]] == b[differ[1]]
        and a[differ[1]] == b[differ[0]]
    )


def _inflected(word: str, target: str) -> bool:
    """``fractured`` is a form of ``fracture``, not a slip: inflections are vocabulary of their own."""
    stem = target.rstrip("e")
    return word.startswith(stem) and word[len(stem) :] in {
        "ed",
        "ing",
        "es",
        "s",
        "d",
        "ly",
        "al",
        "y",
        "ic",
        "or",
        "er",
    }
