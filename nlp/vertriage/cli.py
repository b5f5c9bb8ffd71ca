"""The command line: ``vertriage run``, ``vertriage read``, ``vertriage evaluate``.

Exit status: 0 done (rejected rows are counted in the summary), 1 rejected rows with ``--strict``, 2 an input, an output
folder or a lexicon that cannot be used, 70 an error in the program itself, 130 interrupted. Messages never quote
report text; an error in the program shows where it happened and its kind only.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_args

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from vertriage.readers import InputRecord, ReadOptions, Reject, Source

app = typer.Typer(
    name="vertriage",
    help="Read spine imaging reports, find vertebral compression fractures, and say what to do about them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Below this many reports a second process takes longer to start than it saves.
PARALLEL_FROM = 1000
# For tables that go to a file or a pipe.
_PLAIN_WIDTH = 120
_REFRESH_SECONDS = 0.2


def _console(stderr: bool = True) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PLAIN_WIDTH
    return console


def _fail(message: str, status: int = 2) -> NoReturn:
    from vertriage.render import printable

    _console().print("error: " + printable(message), style="bold red", soft_wrap=True)
    raise typer.Exit(status)


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the user can put right into one line and exit status 2."""
    from vertriage.lexicon import LexiconError
    from vertriage.policy import PolicyError
    from vertriage.readers import InputError

    try:
        yield
    except (InputError, LexiconError, PolicyError) as error:
        _fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or type(error).__name__}")


def _version(show: bool) -> None:
    if show:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("vertriage")
        except PackageNotFoundError:  # a source tree that is only on the path
            number = "not installed"
        typer.echo(f"vertriage {number}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    pass


@app.command()
def run(
    input: Annotated[Path, typer.Argument(help="CSV, JSON lines, Parquet, a folder of .txt, or one .txt.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results; made when missing.")],
    text_column: Annotated[
        list[str] | None, typer.Option(help="Column with the report; repeat for a report split over columns.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with the report id.")] = None,
    modality_column: Annotated[str | None, typer.Option(help="Column with MR, CT, XR, NM.")] = None,
    description_column: Annotated[str | None, typer.Option(help="Column with the exam description.")] = None,
    age_column: Annotated[str | None, typer.Option(help="Column with the age in years.")] = None,
    sex_column: Annotated[str | None, typer.Option(help="Column with the sex.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column with the patient id.")] = None,
    date_column: Annotated[str | None, typer.Option(help="Column with the exam date.")] = None,
    keep_column: Annotated[
        list[str] | None,
        typer.Option(help="Carry this column through to reports.parquet and worklist.csv; repeatable."),
    ] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How to read 03/04/2026.", show_default="from the dates"),
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="csv, jsonl, parquet, folder or txt.", show_default="guessed")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Of a CSV.", show_default="guessed")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a text file.", show_default="guessed")] = None,
    keep_text: Annotated[bool, typer.Option(help="Put the report text into reports.parquet.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit status 1 when rows were rejected.")] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0: all cores for large inputs, one for small ones.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N rows.")] = None,
    lexicons: Annotated[Path | None, typer.Option(help="Folder of own vocabulary and policy.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No columns, no progress, no summary.")] = False,
) -> None:
    """Read an export and write what was found, with the worklist, to a folder."""
    from vertriage.readers import FORMATS, ReadOptions, open_source

    if format is not None and format not in FORMATS:
        _fail(f"--format {format}: must be one of {', '.join(FORMATS)}.")
    options = ReadOptions(
        text_columns=tuple(text_column or ()),
        id_column=id_column,
        modality_column=modality_column,
        description_column=description_column,
        age_column=age_column,
        sex_column=sex_column,
        patient_column=patient_column,
        date_column=date_column,
        keep_columns=tuple(keep_column or ()),
        format=format,  # type: ignore[arg-type]
        delimiter="\t" if delimiter in ("\\t", "tab") else delimiter,
        encoding=encoding,
        day_first=day_first,
        limit=limit,
    )
    with _clear_errors():
        source = open_source(input, options, lexicons)
        if not quiet:
            _describe(source)
        rejected = _run(source, options, out, workers, keep_text, lexicons, quiet)
    if strict and rejected:
        raise typer.Exit(1)


def _describe(source: Source) -> None:
    from vertriage.render import columns_view, printable

    console = _console()
    details = [source.format]
    if source.delimiter:
        details.append(f"delimiter {source.delimiter!r}")
    if source.encoding:
        details.append(source.encoding)
    console.print(printable(f"{source.path} ({', '.join(details)})"), soft_wrap=True)
    if source.columns is not None:
        console.print(columns_view(source.columns))
    for note in source.notes:
        console.print("note: " + printable(note), style="yellow", soft_wrap=True)


def _run(
    source: Source, options: ReadOptions, out: Path, workers: int, keep_text: bool, lexicons: Path | None, quiet: bool
) -> int:
    """Process one source into ``out`` and print the summary; returns the number of rejects."""
    from vertriage.api import available_cores, process
    from vertriage.render import summary_view
    from vertriage.types import Pathway
    from vertriage.writers import RunWriter

    expected = source.estimate if options.limit is None else min(source.estimate, options.limit)
    if workers == 0:
        workers = available_cores() if expected >= PARALLEL_FROM else 1
    counter = _Counter(source)
    with RunWriter(out, keep_columns=options.keep_columns) as writer:
        results = process(
            counter.items(), workers=workers, lexicons=lexicons, keep_text=keep_text, keep_columns=options.keep_columns
        )
        started = time.perf_counter()  # the lexicons are loaded by now
        for result in _with_progress(results, counter, options.limit, quiet):
            writer.add(result)
    seconds = time.perf_counter() - started
    if not quiet:
        _console(stderr=False).print(
            summary_view(writer.pathways, writer.rejects, writer.warned, seconds, out, get_args(Pathway))
        )
    return sum(writer.rejects.values())


class _Counter:
    """Counts the records that have been read from a source, to estimate how many there will be."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.read = 0
        self.complete = False

    def items(self) -> Iterator[InputRecord | Reject]:
        for item in self.source:
            self.read += 1
            yield item
        self.complete = True

    def expected(self, limit: int | None) -> float | None:
        if self.complete:
            return self.read
        if not self.source.position:
            return limit
        estimate = self.read * max(1.0, self.source.total / self.source.position)
        return estimate if limit is None else min(estimate, limit)


def _with_progress(results: Iterator[Any], counter: _Counter, limit: int | None, quiet: bool) -> Iterator[Any]:
    """Pass results on and show how far the run is, on a terminal only."""
    console = _console()
    if quiet or not console.is_terminal:
        yield from results
        return
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.completed:,.0f} reports, {task.speed or 0:,.0f}/s")

    columns = (TextColumn("reading"), BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)
        shown = 0.0
        for done, result in enumerate(results, 1):
            if time.monotonic() - shown > _REFRESH_SECONDS:
                shown = time.monotonic()
                progress.update(task, completed=done, total=counter.expected(limit))
            yield result


@app.command()
def read(
    file: Annotated[str, typer.Argument(help="A text file with one report, or - for standard input.")],
    modality: Annotated[str | None, typer.Option(help="MR, CT, XR, NM or OT.", show_default="from the text")] = None,
    age: Annotated[int | None, typer.Option(min=0, max=120, help="In years.")] = None,
    sex: Annotated[str | None, typer.Option(help="F or M.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reading as JSON.")] = False,
    lexicons: Annotated[Path | None, typer.Option(help="Folder of own vocabulary and policy.")] = None,
) -> None:
    """Show one report with the evidence highlighted, its vertebrae, and the decision with reasons."""
    from vertriage import api
    from vertriage.readers import MODALITIES, InputError, decode
    from vertriage.render import report_view

    if modality is not None and modality.upper() not in MODALITIES:
        _fail(f"--modality {modality}: must be one of {', '.join(MODALITIES)}.")
    if sex is not None and sex.upper() not in ("F", "M"):
        _fail(f"--sex {sex}: must be F or M.")
    with _clear_errors():
        if file == "-":
            name, data = "standard input", sys.stdin.buffer.read()
        else:
            name, data = file, Path(file).read_bytes()
            if Path(file).suffix.lower() in (".csv", ".tsv", ".jsonl", ".parquet"):
                raise InputError(f"{file}: this is an export of many reports; use: vertriage run {file} --out DIR")
        text = decode(data)
        if not text.strip():
            raise InputError(f"{name}: no text in it.")
        if "\0" in text:
            raise InputError(f"{name}: this is binary data, not text.")
        reading = api.read(
            text,
            report_id=name if file == "-" else Path(file).stem,
            modality=modality and modality.upper(),
            age=age,
            sex=sex and sex.upper(),
            lexicons=lexicons,
        )
    if as_json:
        typer.echo(reading.model_dump_json())
    else:
        _console(stderr=False).print(report_view(reading, text))


@app.command()
def evaluate(
    gold: Annotated[list[Path], typer.Argument(help="Annotated reports, JSON lines.")],
    errors: Annotated[int, typer.Option(min=0, help="List up to N wrong facts beside their words.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
    lexicons: Annotated[Path | None, typer.Option(help="Folder of own vocabulary and policy.")] = None,
) -> None:
    """Run the pipeline on annotated reports: precision, recall and F1 with 95% intervals per feature."""
    from vertriage.evaluate import evaluate as evaluate_gold
    from vertriage.evaluate import load_gold
    from vertriage.pipeline import Reader
    from vertriage.render import errors_view, evaluation_view

    with _clear_errors():
        result = evaluate_gold(load_gold(gold), Reader(lexicons).read)
    if as_json:
        typer.echo(json.dumps(_without_nan(result.as_dict()), indent=2))
        return
    console = _console(stderr=False)
    console.print(evaluation_view(result))
    if errors and result.errors:
        console.print(errors_view(result.errors[:errors]))
        if len(result.errors) > errors:
            console.print(f"{len(result.errors) - errors} more; raise --errors to see them")


def _without_nan(value: Any) -> Any:
    # JSON has no NaN; a score that is undefined (nothing to count) is null.
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main() -> None:
    """Entry point: as ``app``, and an unforeseen error shows its place and kind, never its message.

    A message can hold a report (pydantic's quote their input), and logs are read by more people than reports are.
    """
    try:
        app()
    except Exception as error:
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
        sys.stderr.write("".join(frames[-6:]) + f"error in the program: {type(error).__name__}\n")
        raise SystemExit(70) from None
