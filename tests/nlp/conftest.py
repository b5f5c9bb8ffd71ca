"""One reader for all tests: the lexicons are compiled once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vertriage.pipeline import Reader

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="session")
def gold() -> list[dict[str, Any]]:
    """The annotated reports of the repository, in file order."""
    return [
        json.loads(line)
        for path in sorted((ROOT / "reports" / "gold").glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
