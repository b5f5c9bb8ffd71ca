"""The tables of cases under ``cases/``: how they are read and how a reading is compared with them.

A file is a list of entries::

    - id: edema-adjective             # unique in the file
      text: "L1 compression fracture. The body is edematous."
      modality: MR                    # optional; MR is assumed
      expect:
        levels: [L1]                  # optional; exactly these vertebrae, "unspecified" for one without a number
        L1: {marrow_edema: present}   # fields of one vertebra
        pain: not_stated              # a report-level finding
        pathway: augmentation_candidate
        candidate_levels: [L1]
    - id: edema-nouns                 # the same expectation for many texts: {} in the frame is each text in turn
      frame: "Compression fracture of L1. {}"
      texts:
        - There is marrow edema.
        - {text: "STIR+", known_failure: true}
      expect: {L1: {marrow_edema: present}}

What is expected follows the annotation guidelines, never the program. ``known_failure: true`` keeps a case that the
program does not read correctly yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from vertriage.types import CONTEXT_FIELDS, FRACTURE_FIELDS, ReportReading

CASES = Path(__file__).with_name("cases")
_REPORT_FIELDS = frozenset(CONTEXT_FIELDS) | {"levels", "pathway", "candidate_levels"}
_ENTRY_KEYS = {"id", "text", "texts", "frame", "modality", "expect", "known_failure", "note"}


@dataclass(frozen=True)
class Case:
    """One text and what must be read from it."""

    name: str
    text: str
    expect: Mapping[str, Any]
    modality: str = "MR"
    known_failure: bool = False


def load_cases(*names: str) -> list[Case]:
    """The cases of the named files of ``cases/`` (without ``.yaml``), all groups spread out."""
    return [case for name in names for case in _read(CASES / f"{name}.yaml")]


def params(*names: str) -> list[Any]:
    """The cases as pytest parameters; a known failure is an expected one."""
    return [
        pytest.param(case, id=case.name, marks=[pytest.mark.xfail(strict=True)] if case.known_failure else [])
        for case in load_cases(*names)
    ]


def mismatches(reading: ReportReading, expect: Mapping[str, Any]) -> list[str]:
    """What a reading says differently from what is expected, one line each; empty when it agrees."""
    wrong: list[str] = []
    fractures = {fracture.level or "unspecified": fracture for fracture in reading.fractures}
    for name, wanted in expect.items():
        if name == "levels":
            got: Any = sorted(fractures)
            wanted = sorted(wanted)
        elif name == "candidate_levels":
            got, wanted = sorted(reading.candidate_levels), sorted(wanted)
        elif name == "pathway":
            got = reading.pathway
        elif name in CONTEXT_FIELDS:
            got = getattr(reading.context, name)
        elif name not in fractures:
            wrong.append(f"{name}: expected a fracture, got {sorted(fractures) or 'none'}")
            continue
        else:
            for field, value in wanted.items():
                got = getattr(fractures[name], field)
                if (sorted(got) != sorted(value)) if field == "malignant_features" else got != value:
                    wrong.append(f"{name}.{field}: expected {value!r}, got {got!r}")
            continue
        if got != wanted:
            wrong.append(f"{name}: expected {wanted!r}, got {got!r}")
    return wrong


def _read(path: Path) -> Iterator[Case]:
    names: set[str] = set()
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        _check(path, entry)
        frame = entry.get("frame", "{}")
        texts = entry.get("texts") or [entry["text"]]
        for number, item in enumerate(texts, start=1):
            inner = item if isinstance(item, dict) else {"text": item}
            if not isinstance(inner.get("text"), str):
                raise ValueError(f"{path.name}: {entry['id']!r}, text {number}: not a text; does it need quotes?")
            name = f"{path.stem}-{entry['id']}" + (f"-{number:02}" if "texts" in entry else "")
            if name in names:
                raise ValueError(f"{path.name}: two cases are called {name!r}")
            names.add(name)
            yield Case(
                name=name,
                text=frame.replace("{}", inner["text"]),
                expect=entry["expect"],
                modality=entry.get("modality", "MR"),
                known_failure=bool(inner.get("known_failure") or entry.get("known_failure")),
            )


def _check(path: Path, entry: Mapping[str, Any]) -> None:
    where = f"{path.name}: {entry.get('id')!r}"
    if unknown := set(entry) - _ENTRY_KEYS:
        raise ValueError(f"{where}: unknown keys {sorted(unknown)}; use {sorted(_ENTRY_KEYS)}")
    for name, wanted in entry["expect"].items():
        if name in _REPORT_FIELDS:
            continue
        if not isinstance(wanted, dict) or set(wanted) - set(FRACTURE_FIELDS):
            raise ValueError(f"{where}: {name!r} is neither a report-level field nor a level with fracture fields")
