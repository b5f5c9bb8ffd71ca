"""Vocabulary: the phrase grammar, errors that say what to mend, and lexicons of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vertriage.lexicon import Lexicon, LexiconError, lexicon_dir, load_yaml
from vertriage.pipeline import Reader

SPELLING = "replace: {}\nrewrite: {oedema: edema}\nkeep: []\nfuzzy: [retropulsion]\nprotect: []\n"


def lexicon(tmp_path: Path, terms: str, macros: str = "macros: {}\n") -> Lexicon:
    (tmp_path / "spelling.yaml").write_text(SPELLING, encoding="utf-8")
    (tmp_path / "macros.yaml").write_text(macros, encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(terms, encoding="utf-8")
    return Lexicon(tmp_path)


def phrase(tmp_path: Path, text: str, macros: str = "macros: {}\n") -> Lexicon:
    return lexicon(tmp_path, f"terms:\n  thing:\n    - phrases: ['{text}']\n", macros)


def spans(found: Lexicon, sentence: str) -> list[str]:
    words = sentence.split()
    return [" ".join(words[match.start : match.end]) for match in found.find(words)]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("marrow edema", ["marrow edema"], ["marrow", "edema", "marrow bone edema", "edema marrow"]),
        ("bone (bruise|contusion)", ["bone bruise", "bone contusion"], ["bone", "bone bruise contusion x"[:4]]),
        ("(high|bright stir) signal", ["high signal", "bright stir signal"], ["stir signal", "bright signal"]),
        ("[mild] wedging", ["wedging", "mild wedging"], ["mild"]),
        ("loss [of|in] height", ["loss height", "loss of height", "loss in height"], ["loss of of height"]),
        ("(a|) b", ["a b", "b"], ["a"]),
        ("low {2} signal", ["low signal", "low t1 signal", "low t1 marrow signal"], ["low a b c signal"]),
        ("low {2} signal", ["low t1 signal"], ["low , signal", "low . signal"]),
        ("fluid-filled cleft", ["fluid filled cleft"], ["fluid cleft"]),
        ("body of <level>", ["body of <level>"], ["body of t8"]),
        ("grade <number>", ["grade 2"], ["grade two"]),
        ("oedema", ["edema"], ["oedema"]),
        ("[very [very]] old", ["old", "very old", "very very old"], ["very"]),
        ("(superior [and inferior]|inferior) endplate", ["superior and inferior endplate"], ["and inferior"]),
    ],
)
def test_grammar(tmp_path: Path, pattern: str, matching: list[str], other: list[str]) -> None:
    found = phrase(tmp_path, pattern)
    for text in matching:
        assert text in spans(found, f"x {text} y"), text
    for text in other:
        assert text not in spans(found, f"x {text} y"), text


def test_macros(tmp_path: Path) -> None:
    found = phrase(tmp_path, "$plate fracture", "macros:\n  plate: [endplate, (superior|inferior) end plate]\n")
    assert spans(found, "an endplate fracture") == ["endplate fracture"]
    assert spans(found, "inferior end plate fracture") == ["inferior end plate fracture"]


def test_longest_match_of_a_label_wins(tmp_path: Path) -> None:
    found = lexicon(tmp_path, "terms:\n  edema: [edema, marrow edema, marrow edema pattern]\n  mark: [marrow]\n")
    words = "a marrow edema pattern".split()
    assert {(m.entry.label, m.start, m.end) for m in found.find(words)} == {
        ("edema", 1, 4),
        ("mark", 1, 2),
        ("edema", 2, 3),
    }


def test_entries_carry_value_blocks_and_attributes(tmp_path: Path) -> None:
    found = lexicon(
        tmp_path,
        "terms:\n  a: [{phrases: [one], value: absent, reach: 3}]\n  mimic: [{phrases: [two], blocks: [a, b]}]\n",
    )
    one, two = (match.entry for match in found.find(["one", "two"]))
    assert (one.label, one.value, one.attrs) == ("a", "absent", {"reach": 3})
    assert two.blocks == {"a", "b"}


def test_no_and_on_are_words(tmp_path: Path) -> None:
    found = lexicon(tmp_path, "terms:\n  negation: [no, on, off, yes]\n")
    assert [m.entry.label for m in found.find(["no", "on", "yes"])] == ["negation"] * 3


def test_same_words_twice_give_the_same_answer(tmp_path: Path) -> None:
    found = phrase(tmp_path, "loss {3} height")
    words = "loss of much height and loss , height".split()
    assert [(m.start, m.end) for m in found.find(words)] == [(m.start, m.end) for m in found.find(words)] == [(0, 4)]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ("terms:\n  edema: ['(marrow edema']\n", r"mine\.yaml: 'edema', phrase '\(marrow edema': missing '\)'"),
        ("terms:\n  edema: ['marrow edema)']\n", r"mine\.yaml: 'edema', phrase 'marrow edema\)': unbalanced"),
        ("terms:\n  edema: ['[marrow]']\n", r"mine\.yaml: 'edema', phrase '\[marrow\]': may be empty"),
        ("terms:\n  edema: ['{2} edema']\n", r"mine\.yaml: 'edema', phrase '\{2\} edema': starts or ends with a gap"),
        ("terms:\n  edema: ['marrow {2}']\n", r"starts or ends with a gap"),
        ("terms:\n  edema: ['$nowhere edema']\n", r"mine\.yaml: 'edema'.*unknown list \$nowhere"),
        ("terms:\n  edema: marrow edema\n", r"mine\.yaml: 'edema' must be a list"),
        ("terms:\n  edema: [{phrase: [marrow edema]}]\n", r"mine\.yaml: an entry of 'edema' .*list under 'phrases'"),
        ("terms:\n  edema: [{phrases: marrow edema}]\n", r"mine\.yaml: an entry of 'edema' needs a list"),
        ("terms:\n  edema: [marrow\n  b: [c]\n", r"mine\.yaml line \d+: not valid YAML"),
    ],
)
def test_errors_name_the_file_and_the_phrase(tmp_path: Path, terms: str, message: str) -> None:
    with pytest.raises(LexiconError, match=message):
        lexicon(tmp_path, terms)


def test_missing_folder_and_files(tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="lexicon folder not found: .*nowhere"):
        Lexicon(tmp_path / "nowhere")
    with pytest.raises(LexiconError, match=r"spelling\.yaml is missing"):
        Lexicon(tmp_path)
    with pytest.raises(LexiconError, match="lexicon folder not found"):
        Reader(tmp_path / "nowhere")


def test_shipped_lexicons_parse() -> None:
    files = sorted(lexicon_dir().glob("*.yaml"))
    assert {"assertion.yaml", "fracture.yaml", "sections.yaml", "spelling.yaml"} <= {path.name for path in files}
    for path in files:
        assert load_yaml(path)


def test_a_phrase_of_ones_own_changes_the_reading(tmp_path: Path, reader: Reader) -> None:
    text = "FINDINGS: Squished sausage appearance of L3. It is all glowy."
    assert reader.read(text, modality="MR").fractures == []
    mine = tmp_path / "lexicons"
    shutil.copytree(lexicon_dir(), mine)
    (mine / "local.yaml").write_text(
        "terms:\n  fracture:\n    - phrases: [squished sausage]\n      value: hard\n  marrow_edema:\n"
        "    - phrases: [all glowy]\n      value: present\n",
        encoding="utf-8",
    )
    (fracture,) = Reader(mine).read(text, modality="MR").fractures
    assert (fracture.level, fracture.status, fracture.marrow_edema) == ("L3", "present", "present")
    assert reader.read(text, modality="MR").fractures == []


def test_a_heading_of_ones_own(tmp_path: Path, reader: Reader) -> None:
    text = "WUNSCH DES ZUWEISERS: L3 fracture with edema?\nFINDINGS: Normal vertebral bodies."
    mine = tmp_path / "lexicons"
    shutil.copytree(lexicon_dir(), mine)
    sections = mine / "sections.yaml"
    sections.write_text(
        sections.read_text(encoding="utf-8").replace("  history: [", "  history: [wunsch des zuweisers, ", 1),
        encoding="utf-8",
    )
    assert [s.name for s in Reader(mine)._stages.sections(text)] == ["history", "findings"]
