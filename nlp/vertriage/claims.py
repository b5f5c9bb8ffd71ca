"""Claims: one statement about one vertebra, with the words it was made in."""

from __future__ import annotations

from dataclasses import dataclass

from vertriage.levels import ORDER
from vertriage.lexicon import word_list
from vertriage.linking import Link
from vertriage.targets import SentenceWords

Level = str | None
Span = tuple[SentenceWords, int, int]
"""Evidence before it becomes offsets: a sentence and a range of its words."""

RANK = {level: rank for rank, level in enumerate(ORDER)} | {"T13": 18.5, "L6": 23.5}
"""The order of the vertebrae from the top down."""
SECTION_ORDER = {"addendum": 3, "impression": 2, "recommendation": 2, "findings": 1, "history": 0}
"""Which section speaks last."""
PRIOR = word_list("prior")
PRIOR_STUDY = PRIOR | {"previous", "last", "initial", "original", "comparison", "outside"}


@dataclass(slots=True)
class Claim:
    """One statement about one level."""

    value: str
    how: int
    link: Link

    @property
    def section(self) -> int:
        return SECTION_ORDER.get(self.link.view.sentence.section, 1)

    @property
    def span(self) -> Span:
        return (self.link.view, self.link.mention.start, self.link.mention.end)
