"""Vocabulary as data: load ``lexicons/*.yaml`` and compile it to one matcher.

A lexicon file maps a *label* to a list of entries. An entry is a phrase, or a mapping with ``phrases`` and what they
mean::

    marrow_edema:
      - phrases: [marrow edema, STIR (hyperintensity|hyperintense)]
      - phrases: [normal marrow signal]
        value: absent
    mimic:
      - phrases: [sacral [insufficiency] fracture]
        blocks: [fracture]           # no fracture is read from these words

Phrases are words in any spelling (they pass through the same speller as the report), plus

==================  ==============================================================
``(a|b c|)``        one of these; an empty one makes the rest optional
``[a b]``           optional words
``{3}``             up to three words of any kind, never across punctuation
``$name``           any phrase of the list ``name`` under ``macros``
``<level>``         a vertebral level or list of levels; ``<number>`` a number
==================  ==============================================================

Hyphens inside a word do not count: ``fluid-filled`` is ``fluid filled``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vertriage.text import Speller, fold

_PARTS = re.compile(r"\$\w+|<\w+>|\{\d+\}|[()\[\]|]|[^\s()\[\]|{}$<>]+")


class LexiconError(ValueError):
    """A lexicon file that cannot be used; the message names the file, the label and what to change."""


def lexicon_dir() -> Path:
    """The folder of the shipped lexicons: inside an installed package, else beside the source root of a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "lexicons"
    return shipped if shipped.is_dir() else package.parent.parent / "lexicons"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which ``no``, ``on`` and ``yes`` are the words they are in a report, not truth values."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def load_yaml(path: Path) -> Any:
    """Parse one lexicon file. Raises :class:`LexiconError` naming file, line and problem."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise LexiconError(f"{path.name}{where}: not valid YAML ({getattr(error, 'problem', error)})") from error


@dataclass(frozen=True, slots=True)
class Entry:
    """One vocabulary entry: its label, its own polarity or value, and further attributes."""

    label: str
    value: str | None = None
    blocks: frozenset[str] = frozenset()
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Match:
    """An entry found at words ``[start, end)`` of the word list that was searched."""

    start: int
    end: int
    entry: Entry


class Lexicon:
    """All phrases, compiled into one automaton over words.

    The phrases of every file form one nondeterministic automaton, a few states a phrase. It is made deterministic
    while reports are read, one state at a time and only where a report leads, so a phrase with many alternatives costs
    nothing until its words are met and a match costs one dictionary look-up a word.

    Args:
        directory: a folder of ``*.yaml`` files; default the shipped ones. ``spelling.yaml`` holds the speller's lists,
            ``macros.yaml`` the word lists that phrases refer to; a file without top-level ``terms`` is not vocabulary.

    Raises:
        LexiconError: a file is missing or not in the documented form.
    """

    def __init__(self, directory: Path | str | None = None) -> None:
        self.directory = Path(directory) if directory is not None else lexicon_dir()
        if not self.directory.is_dir():
            raise LexiconError(f"lexicon folder not found: {self.directory}. Give an existing folder, or none.")
        self.spell = _speller(self.directory / "spelling.yaml")
        self.labels: set[str] = set()
        self.entries: list[Entry] = []
        self._edges: list[dict[str, list[int]]] = [{}]
        self._any: list[list[int]] = [[]]
        self._accept: list[list[int]] = [[]]
        macros_file = self.directory / "macros.yaml"
        self._macros: dict[str, list[str]] = load_yaml(macros_file)["macros"] if macros_file.exists() else {}
        for path in sorted(self.directory.glob("*.yaml")):
            content = load_yaml(path)
            if isinstance(content, dict) and isinstance(content.get("terms"), dict):
                for label, entries in content["terms"].items():
                    self._add_label(path.name, str(label), entries)
        self._states: dict[frozenset[int], _State] = {}
        self.start = self._state(frozenset([0]))

    def _add_label(self, file: str, label: str, entries: Any) -> None:
        if not isinstance(entries, list):
            raise LexiconError(f"{file}: {label!r} must be a list of phrases or entries.")
        self.labels.add(label)
        for raw in entries:
            entry = raw if isinstance(raw, dict) else {"phrases": [raw]}
            if not isinstance(entry.get("phrases"), list):
                raise LexiconError(f"{file}: an entry of {label!r} needs a list under 'phrases'.")
            attrs = {k: v for k, v in entry.items() if k not in ("phrases", "value", "blocks")}
            self.entries.append(Entry(label, entry.get("value"), frozenset(entry.get("blocks", ())), attrs))
            for phrase in entry["phrases"]:
                try:
                    self._add_phrase(str(phrase))
                except ValueError as error:
                    raise LexiconError(f"{file}: {label!r}, phrase {phrase!r}: {error}.") from error

    def _add_phrase(self, phrase: str) -> None:
        parts = _PARTS.findall(phrase)
        frontier, rest = self._sequence(parts, 0, {0})
        if rest != len(parts):
            raise ValueError(f"unbalanced {parts[rest]!r}")
        if 0 in frontier:
            raise ValueError("may be empty")
        if parts[0][0] == "{" or parts[-1][0] == "{":
            raise ValueError("starts or ends with a gap")
        for state in frontier:
            if len(self.entries) - 1 not in self._accept[state]:
                self._accept[state].append(len(self.entries) - 1)

    def _new(self) -> int:
        self._edges.append({})
        self._any.append([])
        self._accept.append([])
        return len(self._edges) - 1

    def _word(self, word: str, frontier: set[int]) -> set[int]:
        new = self._new()
        for state in frontier:
            self._edges[state].setdefault(word, []).append(new)
        return {new}

    def _sequence(self, parts: list[str], at: int, frontier: set[int]) -> tuple[set[int], int]:
        while at < len(parts) and parts[at] not in (")", "]", "|"):
            part = parts[at]
            if part in ("(", "["):
                close = ")" if part == "(" else "]"
                after = set() if part == "(" else set(frontier)
                while True:
                    branch, at = self._sequence(parts, at + 1, frontier)
                    after |= branch
                    if at >= len(parts):
                        raise ValueError(f"missing {close!r}")
                    if parts[at] != "|":
                        break
                if parts[at] != close:
                    raise ValueError(f"unbalanced {parts[at]!r}")
                frontier = after
            elif part[0] == "$":
                if part[1:] not in self._macros:
                    raise ValueError(f"unknown list {part}")
                after = set()
                for text in self._macros[part[1:]]:
                    after |= self._sequence(_PARTS.findall(str(text)), 0, frontier)[0]
                frontier = after
            elif part[0] == "{":
                reached, last = set(frontier), frontier
                for _ in range(int(part[1:-1])):
                    new = self._new()
                    for state in last:
                        self._any[state].append(new)
                    last = {new}
                    reached |= last
                frontier = reached
            elif part[0] == "<":
                frontier = self._word(part, frontier)
            else:
                for word in part.split("-"):
                    if word:
                        frontier = self._word(self.spell(fold(word)), frontier)
            at += 1
        return frontier, at

    def _state(self, members: frozenset[int]) -> _State:
        state = self._states.get(members)
        if state is None:
            best: dict[str, int] = {}
            for member in members:
                for number in self._accept[member]:
                    label = self.entries[number].label
                    best[label] = min(number, best.get(label, number))
            expected: set[str] = set()
            for member in members:
                expected.update(self._edges[member])
            if "<number>" in expected:
                expected.update("0123456789")  # a lone digit stands for itself and for a number
            state = self._states[members] = _State(
                members,
                tuple(self.entries[n] for n in sorted(best.values())),
                expected,
                any(self._any[member] for member in members),
            )
        return state

    def _step(self, state: _State, word: str) -> _State | None:
        """The state after ``word``, worked out once and kept. Words no phrase expects share one answer."""
        gap = word[0].isalnum() or word[0] == "<"
        if word in state.expected:
            state.next[word] = target = self._target(state, word, gap)
            return target
        if not state.gaps or not gap:
            return None
        if state.other is None:
            state.other = self._target(state, None)
        return state.other

    def _target(self, state: _State, word: str | None, gap: bool = True) -> _State | None:
        members: set[int] = set()
        for member in state.members:
            if word is not None:
                members.update(self._edges[member].get(word, ()))
                if word.isdigit():
                    members.update(self._edges[member].get("<number>", ()))
            if gap:
                members.update(self._any[member])
        return self._state(frozenset(members)) if members else None

    def find(self, words: Sequence[str]) -> list[Match]:
        """The longest match of every label at every word.

        Args:
            words: spelled words; punctuation is itself, a vertebral level is ``<level>``.

        Returns:
            Matches in the order of their first word; they may overlap.
        """
        found: list[Match] = []
        opening, first = self.start.expected, self.start.next
        size = len(words)
        for start in range(size):
            word = words[start]
            if word not in opening:
                continue
            state = first.get(word)
            if state is None:
                state = self._step(self.start, word)
                if state is None:
                    continue
            best: dict[str, Match] | None = None
            at = start + 1
            while True:
                if state.accept:
                    if best is None:
                        best = {}
                    for entry in state.accept:
                        best[entry.label] = Match(start, at, entry)
                if at >= size:
                    break
                word = words[at]
                step = state.next.get(word)
                if step is None:
                    if not state.gaps and word not in state.expected:
                        break
                    step = self._step(state, word)
                    if step is None:
                        break
                state = step
                at += 1
            if best:
                found.extend(best.values())
        return found


class _State:
    """A deterministic state: the phrases that may still match, and the entries that match here."""

    __slots__ = ("accept", "expected", "gaps", "members", "next", "other")

    def __init__(self, members: frozenset[int], accept: tuple[Entry, ...], expected: set[str], gaps: bool) -> None:
        self.members = members
        self.accept = accept
        self.expected = expected
        self.gaps = gaps
        self.next: dict[str, _State | None] = {}
        self.other: _State | None = None


def _speller(path: Path) -> Speller:
    if not path.exists():
        raise LexiconError(f"{path.name} is missing from {path.parent}; copy it from the shipped lexicons.")
    content = load_yaml(path)
    return Speller(
        replace={str(k): str(v) for k, v in content.get("replace", {}).items()},
        rewrite=[(str(k), str(v)) for k, v in content.get("rewrite", {}).items()],
        keep=content.get("keep", ()),
        fuzzy=content.get("fuzzy", ()),
        protect=content.get("protect", ()),
    )


@cache
def _word_lists() -> dict[str, frozenset[str]]:
    path = lexicon_dir() / "word_lists.yaml"
    if not path.exists():
        raise LexiconError(f"{path.name} is missing from {path.parent}; copy it from the shipped lexicons.")
    return {str(name): frozenset(map(str, words)) for name, words in load_yaml(path)["word_lists"].items()}


def word_list(name: str) -> frozenset[str]:
    """A named list of single words from ``word_lists.yaml``: the vocabulary that rules in code refer to.

    Raises:
        LexiconError: the file or the list is missing.

    >>> "scheuermann" in word_list("explains")
    True
    """
    lists = _word_lists()
    if name not in lists:
        raise LexiconError(f"word_lists.yaml has no list {name!r}; copy it from the shipped lexicons.")
    return lists[name]


@cache
def shipped() -> Lexicon:
    """The shipped lexicons, loaded once a process."""
    return Lexicon()
