"""The spaCy side: factories alone and together, docs left as they are, and the same reading as the plain reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from vertriage.pipeline import Reader, build_pipeline
from vertriage.types import ReportMeta

TEXT = (
    "HISTORY: Back pain.\nFINDINGS: Acute compression fracture of T12 with marrow oedema and 40% loss of height.\n"
    "No retropulsion. Old wedge deformity of L2 without edema.\nIMPRESSION: Acute T12 fracture; L4-5 disc bulge."
)
FACTORIES = [
    "vertriage_sections",
    "vertriage_sentences",
    "vertriage_levels",
    "vertriage_targets",
    "vertriage_assertion",
    "vertriage_linking",
    "vertriage_reading",
]


@pytest.fixture(scope="module")
def nlp() -> Language:
    return build_pipeline()


def test_the_pipeline_is_made_of_registered_factories(nlp: Language) -> None:
    assert nlp.pipe_names == FACTORIES
    assert all(Language.has_factory(name) for name in FACTORIES)
    assert nlp.analyze_pipes()["problems"] == {name: [] for name in FACTORIES}


@pytest.mark.parametrize("name", FACTORIES)
def test_each_factory_alone(name: str) -> None:
    alone = spacy.blank("en")
    alone.add_pipe(name)
    assert alone(TEXT).text == TEXT


def test_factories_alone_do_their_part() -> None:
    alone = spacy.blank("en")
    alone.add_pipe("vertriage_sections")
    assert [section.name for section in alone(TEXT)._.sections] == ["history", "findings", "impression"]
    alone = spacy.blank("en")
    alone.add_pipe("vertriage_sentences")
    assert [sent.text.strip() for sent in alone("L1 fracture.\nNo edema").sents] == ["L1 fracture.", "No edema"]
    alone = spacy.blank("en")
    alone.add_pipe("vertriage_levels")
    doc = alone("T8 wedge, L4-5 disc")
    assert [(span.text, span.label_) for span in doc.spans["levels"]] == [("T8", "body"), ("L4-5", "disc")]
    alone = spacy.blank("en")
    alone.add_pipe("vertriage_targets")
    doc = alone("L1 compression fracture with marrow edema")
    assert {span.label_ for span in doc.spans["findings"]} >= {"fracture", "marrow_edema"}


def test_same_reading_as_the_reader(nlp: Language, reader: Reader, gold: list[dict[str, Any]]) -> None:
    for row in gold[::4]:
        doc = nlp.make_doc(row["text"])
        doc._.report_meta = ReportMeta(modality=row["meta"]["modality"])
        for _, component in nlp.pipeline:
            doc = component(doc)
        expected = reader.read(row["text"], modality=row["meta"]["modality"])
        assert doc._.reading.model_dump() == expected.model_dump(), row["report_id"]
        assert doc.text == row["text"]


def test_same_reading_with_spacys_own_tokenizer(reader: Reader, gold: list[dict[str, Any]]) -> None:
    own = spacy.blank("en")
    for name in FACTORIES:
        own.add_pipe(name)
    for row in gold[::12]:
        doc = own(row["text"])
        expected = reader.read(row["text"])
        assert doc._.reading.model_dump() == expected.model_dump(), row["report_id"]


def test_the_doc(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert doc.text == TEXT
    assert [span.text for span in doc.spans["levels"] if span.label_ == "body"] == ["T12", "L2", "T12"]
    assert ("marrow oedema", "marrow_edema") in [(span.text, span.label_) for span in doc.spans["findings"]]
    assert "retropulsion" in [span.label_ for span in doc.spans["findings"]]
    assert doc._.reading.candidate_levels == ["T12"]
    assert len(list(doc.sents)) >= 5


def test_pipe(nlp: Language) -> None:
    texts = [TEXT, "", "No fracture.", TEXT]
    pathways = [doc._.reading.pathway for doc in nlp.pipe(texts)]
    assert pathways == ["augmentation_candidate", "no_fracture", "no_fracture", "augmentation_candidate"]
    assert [context for _, context in nlp.pipe([(TEXT, {"id": 7})], as_tuples=True)] == [{"id": 7}]


def test_modality_comes_from_the_text_when_it_is_not_given(nlp: Language, reader: Reader) -> None:
    text = "CT LUMBAR SPINE\nHISTORY: Back pain.\nFINDINGS: Acute L1 compression fracture."
    assert nlp(text)._.reading.meta.modality == reader.read(text).meta.modality == "CT"


def test_to_disk_and_back(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "pipeline")
    again = build_pipeline().from_disk(tmp_path / "pipeline")
    assert again(TEXT)._.reading.model_dump() == nlp(TEXT)._.reading.model_dump()


def test_load_from_disk(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "pipeline")
    again = spacy.load(tmp_path / "pipeline")
    assert [token.text for token in again("T-8: 30-40%")] == [token.text for token in nlp("T-8: 30-40%")]
    assert again(TEXT)._.reading.model_dump() == nlp(TEXT)._.reading.model_dump()


def test_lexicons_of_ones_own_reach_the_components(tmp_path: Path) -> None:
    from vertriage.lexicon import LexiconError

    with pytest.raises(LexiconError, match="lexicon folder not found"):
        build_pipeline(tmp_path / "nowhere")


def test_no_model_is_needed(nlp: Language) -> None:
    assert nlp.meta["lang"] == "en"
    assert nlp.vocab.vectors.n_keys == 0


def test_importing_the_reader_does_not_import_medspacy() -> None:
    code = "import sys, vertriage.pipeline; sys.exit('medspacy' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(root / "nlp")}, check=False)
    assert done.returncode == 0
