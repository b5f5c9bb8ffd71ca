"""Reports per second of Vertriage and of medspaCy, side by side in one process on one core.

    python -m benchmarks.throughput                # the table
    python -m benchmarks.throughput --json         # the same for programs
    python -m benchmarks.throughput --check 5      # exit status 1 below 5 times default medspaCy

What is measured, all on the annotated reports (``reports/gold/*.jsonl``):

=================================  =====================================================================================
``medspacy default``               ``medspacy.load()``: tokenizer, PyRuSH sentences, target matcher (no rules), ConText.
                                   It finds nothing: targets are the user's, so this is its cheapest possible run.
``medspacy, plain sentencizer``    the same with spaCy's rule-based sentencizer in place of PyRuSH
``vertriage spaCy pipeline``       ``vertriage.build_pipeline()``: text to decision through spaCy components
``vertriage Reader``               ``Reader.read``: text to decision without a spaCy ``Doc``
``vertriage Reader, first pass``   the same by a reader that has just loaded its lexicons and has never seen a word
=================================  =====================================================================================

Every round runs each of them once over all reports, in an order that rotates. Times are those of the median round; the
ratio to default medspaCy is taken within each round, and its median is given, so that a slow minute of the machine hits
both sides. Time is CPU time of the process, and the process is bound to one core where the system allows it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from vertriage import pipeline
from vertriage.lexicon import lexicon_dir

GOLD = Path(__file__).resolve().parents[1] / "reports" / "gold"
BASELINE, READER, FIRST_PASS = "medspacy default", "vertriage Reader", "vertriage Reader, first pass"

STAGES: Mapping[str, Sequence[str]] = {
    "sections": ["find_sections"],
    "sentences": ["find_sentences"],
    "tokens": ["tokenize", "spell"],
    "levels": ["find_levels"],
    "targets": ["sentence_words", "match_targets"],
    "assertion": ["assert_mentions"],
    "linking": ["link_findings"],
    "reading": ["read_fractures"],
    "context": ["read_context"],
    "history": ["read_history"],
    "decision": ["assign_pathway", "decide"],
}
"""The functions of :mod:`vertriage.pipeline` that make up each stage."""


@dataclass(frozen=True)
class Report:
    """One report with what the export says beside it."""

    report_id: str
    text: str
    modality: str | None = None
    age: int | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Row:
    """One contestant: CPU milliseconds a report in the median, fastest and slowest round; ``ratio``: see the module."""

    name: str
    ms: float
    fastest_ms: float
    slowest_ms: float
    ratio: float

    @property
    def per_second(self) -> float:
        return 1000 / self.ms


@dataclass(frozen=True)
class Result:
    """Everything one run measured. ``stages`` and ``rest_ms`` are milliseconds a report, ``load_s`` seconds."""

    reports: int
    characters: float
    rounds: int
    rows: list[Row]
    stages: dict[str, float]
    rest_ms: float
    load_s: float
    machine: dict[str, str]

    def ratio(self) -> float:
        """How many times faster than default medspaCy reading is: the slower of the first and the later passes."""
        return min(row.ratio for row in self.rows if row.name in (READER, FIRST_PASS))

    def as_dict(self) -> dict[str, Any]:
        rows = [{**asdict(row), "reports_per_second": row.per_second} for row in self.rows]
        return {**asdict(self), "rows": rows, "ratio": self.ratio()}


def load_reports(paths: Sequence[Path], limit: int | None = None) -> list[Report]:
    """The annotated reports, at most ``limit`` of them."""
    reports = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            meta = {name: record["meta"].get(name) for name in ("modality", "age", "sex")}
            reports.append(Report(record["report_id"], record["text"], **meta))
    return reports[:limit]


def load_medspacy(**options: Any) -> Any:
    """``medspacy.load`` with PyRuSH's log, which holds the text of every report, switched off."""
    from loguru import logger

    logger.disable("PyRuSH")
    import medspacy

    return medspacy.load(**options)


def reader_task(reader: pipeline.Reader) -> Callable[[Report], object]:
    def read(report: Report) -> object:
        return reader.read(
            report.text, report_id=report.report_id, modality=report.modality, age=report.age, sex=report.sex
        )

    return read


def text_task(nlp: Callable[[str], object]) -> Callable[[Report], object]:
    return lambda report: nlp(report.text)


def contestants() -> dict[str, Callable[[Report], object]]:
    """What is compared, by name; the baseline first."""
    plain = load_medspacy(medspacy_disable=["medspacy_pyrush"])
    plain.add_pipe("sentencizer", first=True)
    return {
        BASELINE: text_task(load_medspacy()),
        "medspacy, plain sentencizer": text_task(plain),
        "vertriage spaCy pipeline": text_task(pipeline.build_pipeline()),
        READER: reader_task(pipeline.Reader()),
    }


def cpu_seconds(task: Callable[[Report], object], reports: Sequence[Report]) -> float:
    """CPU time of one pass over the reports."""
    gc.collect()
    start = time.process_time()
    for report in reports:
        task(report)
    return time.process_time() - start


@contextmanager
def new_reader() -> Iterator[tuple[pipeline.Reader, float]]:
    """A reader that shares no cache with any other, and the CPU seconds it took to load."""
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(lexicon_dir(), Path(folder) / "lexicons")
        start = time.process_time()
        reader = pipeline.Reader(copy)
        yield reader, time.process_time() - start


def breakdown(reports: Sequence[Report], rounds: int) -> tuple[dict[str, float], float]:
    """Milliseconds a report in each stage, and in what lies between them (evidence offsets, result models).

    The stages' functions are wrapped in timers where the pipeline calls them, so that what is timed is the pipeline
    itself and not a copy of it.
    """
    read = reader_task(pipeline.Reader())
    per_round: list[dict[str, float]] = []
    for _ in range(rounds):
        with _timed_stages() as spent:
            start = time.process_time()
            for report in reports:
                read(report)
            total = time.process_time() - start
        per_round.append({**spent, "": total - sum(spent.values())})
    typical = {name: median(each[name] for each in per_round) / len(reports) * 1000 for name in per_round[0]}
    rest = typical.pop("")
    return typical, rest


@contextmanager
def _timed_stages() -> Iterator[dict[str, float]]:
    spent = dict.fromkeys(STAGES, 0.0)
    originals = {name: getattr(pipeline, name) for names in STAGES.values() for name in names}

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        clock = time.process_time

        def call(*args: Any, **kwargs: Any) -> Any:
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent[stage] += clock() - start

        return call

    try:
        for stage, names in STAGES.items():
            for name in names:
                setattr(pipeline, name, timed(stage, originals[name]))
        yield spent
    finally:
        for name, function in originals.items():
            setattr(pipeline, name, function)


def measure(reports: Sequence[Report], rounds: int) -> Result:
    """Run everything ``rounds`` times, after one pass to warm up."""
    tasks = contestants()
    for task in tasks.values():
        for report in reports:
            task(report)
    seconds: dict[str, list[float]] = {name: [] for name in [*tasks, FIRST_PASS]}
    loads: list[float] = []
    names = list(tasks)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(cpu_seconds(tasks[name], reports))
        with new_reader() as (reader, load):
            loads.append(load)
            seconds[FIRST_PASS].append(cpu_seconds(reader_task(reader), reports))
    scale = 1000 / len(reports)
    rows = []
    for name, each in seconds.items():
        ratio = median(slow / fast for slow, fast in zip(seconds[BASELINE], each, strict=True))
        rows.append(Row(name, median(each) * scale, min(each) * scale, max(each) * scale, ratio))
    stages, rest = breakdown(reports, rounds)
    characters = sum(len(report.text) for report in reports) / len(reports)
    return Result(len(reports), characters, rounds, rows, stages, rest, median(loads), describe_machine())


def describe_machine() -> dict[str, str]:
    """Processor, Python and the versions that matter, for the record."""
    processor = platform.processor()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = models[0] if models else processor
    found = {"date": date.today().isoformat(), "processor": processor, "cores": str(os.cpu_count())}
    found |= {"system": f"{platform.system()} {platform.release()}", "python": platform.python_version()}
    for package in ("vertriage", "spacy", "medspacy", "PyRuSH", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "source tree"
    return found


def bind_to_one_core() -> None:
    """Keep the process on one core; a no-op where the system cannot (macOS, Windows)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def show(result: Result, console: Console) -> None:
    size = f"{result.reports} reports of {result.characters:,.0f} characters"
    table = Table(title=f"{size}, {result.rounds} rounds, one core")
    table.add_column("")
    for name in ("reports/s", "ms a report", "fastest - slowest round", "times default medspaCy"):
        table.add_column(name, justify="right")
    for row in result.rows:
        spread = f"{row.fastest_ms:.2f} - {row.slowest_ms:.2f}"
        table.add_row(row.name, f"{row.per_second:,.0f}", f"{row.ms:.2f}", spread, f"{row.ratio:.1f}")
    console.print(table)
    total = sum(result.stages.values()) + result.rest_ms
    stages = Table(title="stages of the Reader")
    stages.add_column("stage")
    stages.add_column("ms a report", justify="right")
    stages.add_column("share", justify="right")
    for name, ms in [*result.stages.items(), ("the rest (evidence, result models)", result.rest_ms)]:
        stages.add_row(name, f"{ms:.3f}", f"{ms / total:.0%}")
    console.print(stages)
    console.print(f"lexicons load in {result.load_s:.2f} s, once a process")
    console.print(", ".join(f"{name} {value}" for name, value in result.machine.items()))


def argument_parser(module: str, about: str) -> argparse.ArgumentParser:
    """The options that every benchmark takes."""
    parser = argparse.ArgumentParser(f"python -m benchmarks.{module}", description=about.partition("\n")[0])
    parser.add_argument("gold", nargs="*", type=Path, help="reports to time; default reports/gold/*.jsonl")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="only the first N reports")
    parser.add_argument("--json", action="store_true")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argument_parser("throughput", __doc__)
    parser.add_argument("--check", type=float, metavar="RATIO", help="exit status 1 when reading is slower than this")
    options = parser.parse_args(arguments)
    reports = load_reports(options.gold or sorted(GOLD.glob("*.jsonl")), options.limit)
    result = measure(reports, options.rounds)
    if options.json:
        print(json.dumps(result.as_dict(), indent=2))
    else:
        show(result, Console(width=None if sys.stdout.isatty() else 120))
    if options.check is not None and result.ratio() < options.check:
        print(f"too slow: {result.ratio():.1f} times default medspaCy, {options.check:g} wanted", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    bind_to_one_core()
    sys.exit(main())
