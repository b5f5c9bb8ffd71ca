"""Vertriage reads free-text spine imaging reports, finds vertebral compression fractures and triages them.

>>> import vertriage
>>> reading = vertriage.read("Back pain. MRI: acute T12 compression fracture with marrow edema.")
>>> reading.pathway, reading.candidate_levels
('augmentation_candidate', ['T12'])

The names below load the module behind them when they are first used: ``import vertriage`` alone costs a few
milliseconds, spaCy and pandas come with the first name that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertriage.api import Tables, read, read_frame
    from vertriage.decision import decide
    from vertriage.pipeline import Reader, build_pipeline
    from vertriage.types import ClinicalFacts, ReportReading

    __version__: str

__all__ = [
    "ClinicalFacts",
    "Reader",
    "ReportReading",
    "Tables",
    "__version__",
    "build_pipeline",
    "decide",
    "read",
    "read_frame",
]

_MODULES = {
    "ClinicalFacts": "types",
    "Reader": "pipeline",
    "ReportReading": "types",
    "Tables": "api",
    "build_pipeline": "pipeline",
    "decide": "decision",
    "read": "api",
    "read_frame": "api",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value: Any = version("vertriage")
        except PackageNotFoundError:  # a source tree that is only on the path
            value = "0+unknown"
    elif name in _MODULES:
        value = getattr(import_module(f"vertriage.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module 'vertriage' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
