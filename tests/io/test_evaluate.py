"""The figures are those of the public scorer, and an error says what is wrong and where to look."""

from __future__ import annotations

import importlib.util
import json
import math
import random
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import pytest

from vertriage.evaluate import Fact, evaluate, facts, load_gold, score, sentence_at, wilson
from vertriage.readers import InputError
from vertriage.types import CONTEXT_FIELDS, Evidence, FractureReading, MalignantFeature, Pathway, ReportReading

ROOT = Path(__file__).resolve().parents[2]
PUBLIC_SCORER = ROOT.parent / "shared" / "gold" / "score.py"


def random_reading(rng: random.Random) -> dict[str, Any]:
    finding = ("present", "absent", "possible", "not_stated")
    levels = rng.sample(["T11", "T12", "L1", "L2", None], rng.randint(0, 3))
    return {
        "fractures": [
            {
                "level": level, "status": rng.choice(["present", "possible"]),
                "acuity": rng.choice(["acute", "subacute", "chronic", "indeterminate"]),
                "marrow_edema": rng.choice(finding), "cleft": rng.choice(finding), "cleft_content": None,
                "height_loss_percent": rng.choice([None, 20, 20.4, 40, 2.5]), "retropulsion": rng.choice(finding),
                "malignant_features": rng.sample(get_args(MalignantFeature), rng.randint(0, 2)),
                "augmented": rng.random() < 0.3,
            }
            for level in levels
        ],
        "context": {name: rng.choice(["present", "absent", "not_stated"]) for name in CONTEXT_FIELDS},
        "pathway": rng.choice(get_args(Pathway)),
        "candidate_levels": rng.sample(["T11", "L1", "unspecified"], rng.randint(0, 2)),
    }  # fmt: skip


def random_pair(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gold and readings of 40 reports: many readings are right, some partly, some are missing."""
    rng = random.Random(seed)
    gold, predicted = {}, {}
    for number in range(40):
        body = random_reading(rng)
        gold[f"R{number}"] = {"report_id": f"R{number}", "text": "", "gold": body}
        draw = rng.random()
        if draw < 0.4:
            predicted[f"R{number}"] = body
        elif draw < 0.6:
            predicted[f"R{number}"] = {**body, "fractures": body["fractures"][:1], "pathway": "trauma"}
        elif draw < 0.9:
            predicted[f"R{number}"] = {"gold": random_reading(rng)}
    return gold, predicted


def counted_again(gold: dict[str, Any], predicted: dict[str, Any]) -> dict[str, list[int]]:
    """The public scorer's counting, written a second time: feature -> [tp, fp, fn]."""

    def asserted(body: dict[str, Any]) -> set[tuple[str, Any]]:
        out = set()
        for f in body["fractures"]:
            level = f["level"] or "unspecified"
            out |= {(name, level) for name in ("marrow_edema", "cleft", "retropulsion") if f[name] == "present"}
            out |= {("malignant:" + name, level) for name in f["malignant_features"]} | {("fracture", level)}
            out |= {("acuity_recent", level)} if f["acuity"] in {"acute", "subacute"} else set()
            out |= {("augmented", level)} if f["augmented"] else set()
            if f["height_loss_percent"] is not None:
                out.add(("height_loss", (level, round(f["height_loss_percent"]))))
        out |= {("context:" + name, "") for name, value in body["context"].items() if value == "present"}
        out |= {("pathway:" + body["pathway"], "")} | {("candidate_level", level) for level in body["candidate_levels"]}
        out |= {("candidate", "")} if body["pathway"] == "augmentation_candidate" else set()
        urgent = ("surgical_emergency", "trauma", "malignancy_workup", "infection_workup")
        return out | ({("escalation", "")} if body["pathway"] in urgent else set())

    empty = {"fractures": [], "context": {}, "pathway": "no_fracture", "candidate_levels": []}
    counts: dict[str, list[int]] = {}
    for report_id, record in gold.items():
        body = predicted.get(report_id, empty)
        want, got = asserted(record["gold"]), asserted(body.get("gold", body))
        for place, group in enumerate((want & got, got - want, want - got)):
            for feature, _ in group:
                counts.setdefault(feature, [0, 0, 0])[place] += 1
    return counts


@pytest.mark.parametrize("seed", range(8))
def test_counts_agree_with_a_second_implementation(seed: int) -> None:
    gold, predicted = random_pair(seed)
    result = score(gold, predicted)
    assert {name: [s.tp, s.fp, s.fn] for name, s in result.features.items()} == counted_again(gold, predicted)
    assert len(result.errors) == sum(s.fp + s.fn for s in result.features.values())
    assert result.missing_predictions == 40 - len(predicted)


@pytest.mark.skipif(not PUBLIC_SCORER.exists(), reason="the public scorer is not beside this checkout")
@pytest.mark.parametrize("seed", range(8))
def test_figures_agree_with_the_public_scorer(seed: int) -> None:
    spec = importlib.util.spec_from_file_location("public_scorer", PUBLIC_SCORER)
    public = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(public)
    gold, predicted = random_pair(seed)
    summary, rows, errors = public.score(gold, predicted)
    ours = score(gold, predicted)
    assert ours.as_dict()["summary"] == pytest.approx(summary, nan_ok=True)
    assert list(ours.features) == list(rows)
    for name, row in rows.items():
        mine = ours.as_dict()["features"][name]
        for key, value in row.items():
            assert mine[key] == pytest.approx(value, nan_ok=True), (name, key)
    assert Counter((e.kind, e.fact.feature, e.fact.report_id) for e in ours.errors) == Counter(
        (kind, feature, report_id) for report_id, kind, feature, _ in errors
    )


def test_precision_recall_and_intervals() -> None:
    gold, predicted = random_pair(3)
    for s in score(gold, predicted).features.values():
        for value, (low, high) in ((s.precision, s.precision_interval), (s.recall, s.recall_interval)):
            assert math.isnan(value) == math.isnan(low)
            if not math.isnan(value):
                assert -1e-9 <= low <= value + 1e-9
                assert value - 1e-9 <= high <= 1 + 1e-9


def test_wilson_reference_values() -> None:
    # Newcombe, Stat. Med. 17 (1998) 857-872, table I, method 3.
    for hits, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)):
        assert wilson(hits, total) == pytest.approx((low, high), abs=2e-4)


def test_height_loss_is_compared_rounded() -> None:
    def body(percent: float) -> dict[str, Any]:
        return {"fractures": [{"level": "L1", "height_loss_percent": percent}]}

    assert facts("A", body(20.4)) == facts("A", body(20))
    assert Fact("height_loss", "A", "L1", 20) in facts("A", body(20))


def test_perfect_readings_have_no_errors() -> None:
    gold, _ = random_pair(1)
    result = score(gold, {report_id: record["gold"] for report_id, record in gold.items()})
    assert (result.pathway_accuracy, result.pathway_macro_f1, list(result.errors)) == (1.0, 1.0, [])
    assert result.categories() == []


# --------------------------------------------------------------------------------------------------------------------
# Errors


TEXT = "Back pain, prior T9 fracture.\n\nFINDINGS: T12 shows 40% height loss with edema.\nL1 is normal."


def reading(level: str | None = "T12", **fields: Any) -> dict[str, Any]:
    fracture = FractureReading(level=level, **fields).model_dump()
    return {"fractures": [fracture], "context": {}, "pathway": "needs_review", "candidate_levels": []}


def span(words: str, section: str = "findings") -> list[Evidence]:
    start = TEXT.index(words)
    return [Evidence(start=start, end=start + len(words), text=words, section=section)]


@pytest.mark.parametrize(
    ("want", "got", "expected"),
    [
        (reading("T12"), reading("L1"), {("fracture", "missed", "level-wrong"), ("fracture", "extra", "level-wrong")}),
        (reading(height_loss_percent=40), reading(height_loss_percent=30),
         {("height_loss", "missed", "value-wrong"), ("height_loss", "extra", "value-wrong")}),
        (reading(marrow_edema="present"), reading(marrow_edema="absent"), {("marrow_edema", "missed", "value-wrong")}),
        (reading(marrow_edema="present"), reading(), {("marrow_edema", "missed", "not-found")}),
        (reading(), reading(marrow_edema="present"), {("marrow_edema", "extra", "over-read")}),
        (reading(), reading(cleft="present", evidence={"cleft": span("prior T9 fracture", "history")}),
         {("cleft", "extra", "section:history")}),
        (reading(augmented=True), {**reading(), "fractures": []},
         {("fracture", "missed", "not-found"), ("augmented", "missed", "fracture-missed")}),
        ({**reading(), "fractures": []}, reading(cleft="present"),
         {("fracture", "extra", "over-read"), ("cleft", "extra", "fracture-extra")}),
        ({**reading(), "context": {"pain": "present"}}, {**reading(), "context": {"pain": "absent"}},
         {("context:pain", "missed", "value-wrong")}),
        ({**reading(), "pathway": "trauma"}, reading(),
         {("pathway:trauma", "missed", "rule"), ("pathway:needs_review", "extra", "rule"),
          ("escalation", "missed", "rule")}),
        ({**reading(status="present"), "pathway": "no_fracture"}, reading(status="possible"),
         {("pathway:no_fracture", "missed", "follows"), ("pathway:needs_review", "extra", "follows")}),
    ],
)  # fmt: skip
def test_causes(want: dict[str, Any], got: dict[str, Any], expected: set[tuple[str, str, str]]) -> None:
    result = score({"A": {"text": TEXT, "gold": want}}, {"A": got})
    assert {e.category for e in result.errors} == expected


def test_an_error_stands_beside_its_sentence() -> None:
    want = reading("T12", marrow_edema="present")
    got = reading("T12", retropulsion="present", evidence={"retropulsion": span("L1 is normal.")})
    missed, extra = score({"A": {"text": TEXT, "gold": want}}, {"A": got}).errors
    assert (missed.fact.feature, missed.where) == ("marrow_edema", "FINDINGS: T12 shows 40% height loss with edema.")
    assert (extra.fact.feature, extra.where) == ("retropulsion", "L1 is normal.")


def test_levels_are_found_in_other_spellings() -> None:
    text = "Wedging of D8 is seen. T18 is nonsense."
    (error,) = score(
        {"A": {"text": text, "gold": reading("T8", cleft="present")}}, {"A": reading("T8")}
    ).errors  # fmt: skip
    assert error.where == "Wedging of D8 is seen."


def test_largest_kinds_come_first() -> None:
    gold, predicted = random_pair(5)
    result = score(gold, predicted)
    categories = result.categories(top=10)
    counts = [count for _, count in categories]
    assert len(categories) == 10
    assert counts == sorted(counts, reverse=True)
    everything = result.categories(top=10_000)
    assert sum(count for _, count in everything) == len(result.errors)


@pytest.mark.parametrize(
    ("offset", "sentence"), [(0, "Old T9."), (9, "New L1 fracture."), (30, "1. Edema"), (40, "2. None")]
)
def test_sentence_at(offset: int, sentence: str) -> None:
    assert sentence_at("Old T9. New\nL1 fracture.\n\n1. Edema\n2. None", offset) == sentence


# --------------------------------------------------------------------------------------------------------------------
# Gold files and the pipeline


def test_every_gold_report_is_read_with_its_meta() -> None:
    seen = []

    def read(text: str, **meta: Any) -> ReportReading:
        seen.append((text, meta))
        return ReportReading(report_id=meta["report_id"], pathway="trauma")

    meta = {"modality": "CT", "age": 70, "sex": "F", "style": "x"}
    result = evaluate({"A": {"text": "t", "meta": meta, "gold": {"fractures": [], "pathway": "trauma"}}}, read)
    assert seen == [("t", {"report_id": "A", "modality": "CT", "age": 70, "sex": "F"})]
    assert result.pathway_accuracy == 1.0


def test_gold_files_are_joined(tmp_path: Path) -> None:
    for name in "AB":
        record = {"report_id": name, "text": "ok", "gold": {"pathway": "no_fracture"}}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record) + "\n\n", encoding="utf-8")
    assert list(load_gold([tmp_path / "A.jsonl", str(tmp_path / "B.jsonl")])) == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{broken", r"g\.jsonl, line 1: broken JSON"),
        ('{"report_id": "A", "text": "secret words"}', r"g\.jsonl, line 1: .*needs report_id, text and gold"),
        ('{"report_id": "A", "text": 4, "gold": {"pathway": "trauma"}}', "needs report_id"),
        ("[1]", "needs report_id"),
        ("", "no annotated reports"),
        (None, "cannot be read"),
    ],
)
def test_gold_that_cannot_be_used(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "g.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load_gold([path])
    assert "secret" not in str(caught.value)
