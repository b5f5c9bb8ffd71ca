"""The benchmarks run, and their figures belong together; how fast anything is, is not tested here."""

from __future__ import annotations

import json

import pytest

from benchmarks import components, throughput
from vertriage import pipeline


def test_throughput_compares_with_default_medspacy(capsys: pytest.CaptureFixture[str]) -> None:
    before = {name: getattr(pipeline, name) for names in throughput.STAGES.values() for name in names}
    assert throughput.main(["--limit", "3", "--rounds", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in result["rows"]}
    assert result["reports"] == 3
    assert rows[throughput.BASELINE]["ratio"] == 1
    for row in rows.values():
        assert row["ratio"] == pytest.approx(rows[throughput.BASELINE]["ms"] / row["ms"])
        assert row["reports_per_second"] == pytest.approx(1000 / row["ms"])
    assert result["ratio"] == min(rows[name]["ratio"] for name in (throughput.READER, throughput.FIRST_PASS))
    assert set(result["stages"]) == set(throughput.STAGES)
    assert min(result["stages"].values()) > 0, "a stage that takes no time is no longer called by that name"
    after = {name: getattr(pipeline, name) for name in before}
    assert after == before, "the timers are gone"


@pytest.mark.parametrize(("wanted", "status"), [("0", 0), ("1e9", 1)])
def test_check_decides_the_exit_status(wanted: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert throughput.main(["--limit", "1", "--rounds", "1", "--check", wanted]) == status
    assert ("too slow" in capsys.readouterr().err) is bool(status)


def test_components_are_timed_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert components.main(["--limit", "2", "--rounds", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {cost["job"] for cost in result["costs"]} == {"tokens", "sentences", "sections", "targets", "assertion"}
    for job in ("tokens", "sentences", "sections", "targets", "assertion"):
        names = [cost["component"] for cost in result["costs"] if cost["job"] == job]
        assert any(name.startswith("vertriage") for name in names)
        assert len(names) > 1, "something to compare with"
    assert all(cost["ms"] > 0 for cost in result["costs"])


def test_simple_language_is_read_right() -> None:
    asked = components.SENTENCES
    said = [components.vertriage_says(sentence, label) for sentence, label, _ in asked]
    assert said == [right for *_, right in asked]


@pytest.mark.parametrize(
    ("phrase", "ways"),
    [
        ("fluid-filled cleft", ["fluid filled cleft"]),
        ("(low|dark) signal [on t1]", ["dark signal", "dark signal on t1", "low signal", "low signal on t1"]),
        ("(a|) b", ["a b", "b"]),
        ("$side wall", ["left wall", "right wall"]),
        ("height {3} lost", None),
        ("fracture of <level>", None),
    ],
)
def test_a_phrase_is_written_out(phrase: str, ways: list[str] | None) -> None:
    written = components.ways_to_write(phrase, {"side": ["left", "right"]})
    assert (None if written is None else sorted(" ".join(way) for way in written)) == ways
