"""Readings for the eye: one report in the terminal or a notebook, and the tables of a run and of an evaluation.

Report text is data, never markup: it goes to the terminal through :class:`rich.text.Text` with control characters
(which could drive the terminal) replaced one for one, and to HTML through :func:`html.escape`.

>>> from rich.console import Console
>>> Console().print(report_view(reading, text))                               # doctest: +SKIP
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vertriage.evaluate import Error, Evaluation, Fact
from vertriage.readers import ColumnMap
from vertriage.types import CONTEXT_FIELDS, Decision, Evidence, FractureReading, Reason, ReportReading

# (terminal style, HTML background) of the words behind each field; fields not named share the last.
COLORS: Mapping[str, tuple[str, str]] = {
    "level": ("bold black on bright_white", "#e5e7eb"),
    "status": ("bold black on bright_white", "#e5e7eb"),
    "acuity": ("black on yellow", "#fde68a"),
    "marrow_edema": ("black on cyan", "#a5f3fc"),
    "cleft": ("black on magenta", "#f5d0fe"),
    "cleft_content": ("black on magenta", "#f5d0fe"),
    "height_loss_percent": ("black on green", "#bbf7d0"),
    "retropulsion": ("white on red", "#fecaca"),
    "malignant_features": ("white on dark_red", "#fda4af"),
    "augmented": ("black on bright_blue", "#bfdbfe"),
    "context": ("black on bright_cyan", "#ddd6fe"),
}
_OTHER = "context"
_FIELD_NAMES = {
    "level": "fracture", "acuity": "acuity", "marrow_edema": "edema", "cleft": "cleft", "height_loss_percent": "height",
    "retropulsion": "retropulsion", "malignant_features": "malignant", "augmented": "cement", "context": "context",
}  # fmt: skip
_PATHWAY_STYLE: Mapping[str, str] = {
    "surgical_emergency": "bold white on red",
    "trauma": "bold red",
    "malignancy_workup": "bold magenta",
    "infection_workup": "bold magenta",
    "augmentation_candidate": "bold green",
    "needs_review": "bold yellow",
    "osteoporosis_management": "bold blue",
    "no_fracture": "dim",
}
# Control characters except tab and line feed: C0, DEL, C1, and those that turn the writing direction around.
_CONTROLS = str.maketrans(
    {
        **{chr(c): "\ufffd" for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"},
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", "\ufffd"),
        "\r": " ",
    }
)


def printable(text: str) -> str:
    """``text`` without characters that drive a terminal; same length, so that offsets stay true."""
    return text.translate(_CONTROLS)


def _plain(value: object) -> Text:
    return Text(printable(str(value)))


def marks(reading: ReportReading) -> list[tuple[int, int, str]]:
    """(start, end, field) of every piece of evidence in a reading, longest first, so that short ones stay visible."""
    out: set[tuple[int, int, str]] = set()
    for fx in reading.fractures:
        out |= {(e.start, e.end, field) for field, spans in fx.evidence.items() for e in spans}
    for spans in reading.context_evidence.values():
        out |= {(e.start, e.end, _OTHER) for e in spans}
    return sorted(out, key=lambda m: (m[0] - m[1], m[0], m[2]))


def _color(field: str) -> tuple[str, str]:
    return COLORS.get(field, COLORS[_OTHER])


def highlighted(reading: ReportReading, text: str) -> Text:
    """The report with the words behind each value in that field's color."""
    out = Text(printable(text))
    for start, end, field in marks(reading):
        out.stylize(_color(field)[0], start, end)
    return out


def _legend(reading: ReportReading) -> Text:
    present = {field for _, _, field in marks(reading)}
    shown = [field for field in _FIELD_NAMES if field in present]
    return Text("  ").join(Text(f" {_FIELD_NAMES[field]} ", style=_color(field)[0]) for field in shown)


_VERTEBRA_COLUMNS = (
    "level",
    "status",
    "acuity",
    "edema",
    "cleft",
    "height loss",
    "retropulsion",
    "malignant",
    "cement",
)


def _vertebra_cells(fx: FractureReading) -> list[str]:
    def finding(value: str) -> str:
        return "" if value == "not_stated" else value

    cleft = finding(fx.cleft) + (f" ({fx.cleft_content})" if fx.cleft_content else "")
    height = "" if fx.height_loss_percent is None else f"{fx.height_loss_percent:g}%"
    return [
        fx.level or "unspecified", fx.status, fx.acuity, finding(fx.marrow_edema), cleft, height,
        finding(fx.retropulsion), ", ".join(f.replace("_", " ") for f in fx.malignant_features),
        "yes" if fx.augmented else "",
    ]  # fmt: skip


def vertebra_table(reading: ReportReading) -> Table:
    """One row a fractured vertebra; columns that the report states nothing for are left out."""
    table = Table(box=box.SIMPLE_HEAD, title="Fractured vertebrae", title_justify="left", pad_edge=False)
    rows = [_vertebra_cells(fx) for fx in reading.fractures]
    stated = [i for i in range(len(_VERTEBRA_COLUMNS)) if any(row[i] for row in rows)]
    for i in stated:
        table.add_column(_VERTEBRA_COLUMNS[i])
    for row in rows:
        table.add_row(*(_plain(row[i]) for i in stated))
    return table


def _stated_context(reading: ReportReading) -> list[tuple[str, str]]:
    values = ((name, getattr(reading.context, name)) for name in CONTEXT_FIELDS)
    return [(name.replace("_", " "), value) for name, value in values if value != "not_stated"]


def _quotes(evidence: Sequence[Evidence]) -> str:
    return "; ".join(dict.fromkeys(f"“{' '.join(e.text.split())}”" for e in evidence))


def _decision_parts(decision: Decision) -> Iterator[tuple[str, list[str]]]:
    """(heading, lines) of a decision, in reading order, without what is empty."""

    def lines(reasons: Iterable[Reason]) -> list[str]:
        return [f"{r.text} [{r.rule}] {_quotes(r.evidence)}".rstrip() for r in reasons]

    parts = [
        ("Reasons", lines(decision.reasons)),
        ("Cautions", lines(decision.cautions)),
        ("Missing to act", decision.missing),
        ("Contradictions", decision.contradictions),
        ("Warnings", decision.warnings),
        ("ACR ratings", [f"{r.option}: {r.rating}" + (f" ({r.note})" if r.note else "") for r in decision.ratings]),
        ("Next steps", decision.next_steps),
        ("Follow-up", [decision.follow_up] if decision.follow_up else []),
    ]
    return ((heading, entries) for heading, entries in parts if entries)


def _headline(reading: ReportReading) -> str:
    decision = reading.decision
    tier = f" ({decision.tier})" if decision and decision.tier else ""
    levels = (decision.target_levels if decision else None) or reading.candidate_levels
    return reading.pathway.replace("_", " ") + tier + (": " + ", ".join(levels) if levels else "")


def decision_view(reading: ReportReading) -> Panel:
    """Pathway, reasons with the words behind them, next steps and the disclaimer."""
    body = Text()
    if reading.decision is not None:
        for heading, lines in _decision_parts(reading.decision):
            body.append(heading + "\n", style="bold")
            for line in lines:
                body.append(f"  • {printable(line)}\n")
    if reading.review_reasons:
        body.append("Not settled from the text\n", style="bold")
        for line in reading.review_reasons:
            body.append(f"  • {printable(line)}\n")
    body.append(printable(disclaimer(reading)), style="italic dim")
    title = Text(printable(_headline(reading)), style=_PATHWAY_STYLE.get(reading.pathway, ""))
    return Panel(body, title=title, title_align="left", box=box.ROUNDED)


def disclaimer(reading: ReportReading) -> str:
    """What every output says, whether or not a decision was made."""
    stated = reading.decision.disclaimer if reading.decision is not None else ""
    return stated or "Supports and never replaces clinical judgment; not a medical device."


def report_view(reading: ReportReading, text: str) -> RenderableType:
    """One report: text with highlighted evidence, its vertebrae, what else was read, and the decision."""
    parts: list[RenderableType] = [Panel(highlighted(reading, text), title="Report", title_align="left")]
    if reading.fractures or reading.context_evidence:
        parts.append(_legend(reading))
    if reading.fractures:
        parts.append(vertebra_table(reading))
    if stated := _stated_context(reading):
        parts.append(Text("Context: ", style="bold").append(", ".join(f"{n} {v}" for n, v in stated), style="not bold"))
    parts.append(decision_view(reading))
    return Group(*parts)


def reading_html(reading: ReportReading, text: str | None = None) -> str:
    """A reading as an HTML fragment for notebooks; with ``text``, the report with its evidence marked. All escaped."""
    blocks = [f"<p><b>{html.escape(_headline(reading))}</b> {html.escape(reading.report_id)}</p>"]
    if text is not None:
        blocks.append(f'<pre style="white-space:pre-wrap">{_marked_html(reading, text)}</pre>')
    if reading.fractures:
        head = "".join(f"<th>{c}</th>" for c in _VERTEBRA_COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _vertebra_cells(fx)) + "</tr>"
            for fx in reading.fractures
        )
        blocks.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if stated := _stated_context(reading):
        blocks.append("<p>" + html.escape(", ".join(f"{name} {value}" for name, value in stated)) + "</p>")
    for heading, lines in _decision_parts(reading.decision) if reading.decision is not None else ():
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        blocks.append(f"<p><b>{heading}</b></p><ul>{items}</ul>")
    blocks.append(f"<p><i>{html.escape(disclaimer(reading))}</i></p>")
    return "<div>" + "".join(blocks) + "</div>"


def _marked_html(reading: ReportReading, text: str) -> str:
    fields: list[str | None] = [None] * len(text)
    for start, end, field in marks(reading):
        fields[start:end] = [field] * (min(end, len(text)) - start)
    out = []
    for field, run in groupby(range(len(text)), key=fields.__getitem__):
        piece = html.escape("".join(text[i] for i in run))
        out.append(piece if field is None else f'<mark style="background:{_color(field)[1]}">{piece}</mark>')
    return "".join(out)


# --------------------------------------------------------------------------------------------------------------------
# Runs


def columns_view(columns: ColumnMap) -> Table:
    """Which column was taken for what."""
    table = Table(box=box.SIMPLE_HEAD, title="Columns", title_justify="left", pad_edge=False)
    for name in ("role", "column", ""):
        table.add_column(name)
    for row in columns.describe():
        table.add_row(*map(_plain, row))
    return table


def summary_view(
    pathways: Mapping[str, int],
    rejects: Mapping[str, int],
    warned: int,
    seconds: float,
    out: Path,
    order: Sequence[str],
) -> RenderableType:
    """The end of a run: reports per pathway in ``order``, rejects by kind, rate, and where the files are."""
    total = sum(pathways.values())
    table = Table(box=box.SIMPLE_HEAD, title="Summary", title_justify="left", pad_edge=False)
    table.add_column("pathway")
    table.add_column("reports", justify="right")
    table.add_column("%", justify="right")
    for name in order:
        if count := pathways.get(name, 0):
            table.add_row(Text(name, style=_PATHWAY_STYLE.get(name, "")), f"{count:,}", f"{100 * count / total:.1f}")
    table.add_section()
    table.add_row("read", f"{total:,}", "")
    if warned:
        table.add_row("  with a warning", f"{warned:,}", "")
    rejected = sum(rejects.values())
    table.add_row(Text("rejected", style="bold red" if rejected else ""), f"{rejected:,}", "")
    for kind, count in sorted(rejects.items()):
        table.add_row(f"  {kind.replace('_', ' ')}", f"{count:,}", "")
    rate = f", {total / seconds:,.0f} reports/s" if total and seconds > 0 else ""
    return Group(table, Text(f"{seconds:.1f} s{rate}; results in {printable(str(out))}"))


# --------------------------------------------------------------------------------------------------------------------
# Evaluation


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _interval(pair: tuple[float, float]) -> str:
    return "" if math.isnan(pair[0]) else f"{pair[0]:.2f}-{pair[1]:.2f}"


def evaluation_view(result: Evaluation) -> RenderableType:
    """Scores per feature, and the ten largest kinds of error."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("feature", overflow="fold")
    for name in ("tp", "fp", "fn", "precision", "95% interval", "recall", "95% interval", "F1"):
        table.add_column(name, justify="right")
    for name, s in result.features.items():
        table.add_row(
            _plain(name), str(s.tp), str(s.fp), str(s.fn), _number(s.precision), _interval(s.precision_interval),
            _number(s.recall), _interval(s.recall_interval), Text(_number(s.f1), style="bold"),
        )  # fmt: skip
    summary = Text(
        f"{result.reports} reports, pathway accuracy {_number(result.pathway_accuracy)}, "
        f"macro-F1 {_number(result.pathway_macro_f1)}"
    )
    parts: list[RenderableType] = [table, summary]
    if categories := result.categories():
        errors = Table(box=box.SIMPLE_HEAD, title="Largest kinds of error", title_justify="left", pad_edge=False)
        for name in ("feature", "", "cause"):
            errors.add_column(name)
        errors.add_column("errors", justify="right")
        for (feature, kind, cause), count in categories:
            errors.add_row(*map(_plain, (feature, kind, cause, count)))
        parts.append(errors)
    return Group(*parts)


def _item(fact: Fact) -> str:
    percent = "" if fact.value is None else f" {fact.value}%"
    return f"{fact.report_id} {fact.level}{percent}".rstrip()


def errors_view(errors: Iterable[Error]) -> RenderableType:
    """Each wrong fact, and below it the words of the report it comes from."""
    out = Text()
    for e in errors:
        out.append(f"{e.kind:7}", style="yellow" if e.kind == "missed" else "red")
        out.append(f"{e.fact.feature}  {printable(_item(e.fact))}", style="bold")
        out.append(f"  {e.cause}" + (f" (instead: {printable(e.said)})" if e.said else "") + "\n")
        if e.where:
            out.append(f"        “{printable(e.where)}”\n", style="italic")
    return out
