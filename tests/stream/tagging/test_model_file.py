from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from dealgraph.stream.tagging import model_file
from dealgraph.stream.tagging.learnt_tagger import shipped_models
from dealgraph.stream.tagging.model_file import ModelError, load_model, save_model
from tests.support.dialogues import corpus, trained


def test_a_stored_model_scores_as_the_one_that_was_saved(tmp_path: Path) -> None:
    model, given = trained(), corpus(3, seed=5)
    save_model(model, tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    said = [one.said for one in given.labelled]
    before, after = model.scores(said, given.readings)[0], loaded.scores(said, given.readings)[0]
    assert np.allclose(before, after, atol=0.02)
    assert loaded.heads == model.heads
    assert "made-up" in (tmp_path / "m.md").read_text(encoding="utf-8")


def test_a_model_whose_numbers_were_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(trained(), path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelError, match="digest does not fit"):
        load_model(path)


def test_a_model_of_another_schema_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    monkeypatch.setattr(model_file, "SCHEMA", 99)
    save_model(trained(), path)
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"schema 99\.1; this dealgraph reads schema 2\.1"):
        load_model(path)


@pytest.mark.parametrize("raw", [b"", b"not a model", b"\x80\x04pickle"])
def test_what_is_no_model_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ModelError, match="is no model of dealgraph"):
        load_model(path)


def test_tensors_without_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(3)}))
    with pytest.raises(ModelError, match="is no model of dealgraph"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.safetensors cannot be read"):
        load_model(tmp_path / "nowhere.safetensors")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ends in \.safetensors"):
        save_model(trained(), tmp_path / "m.pickle")


def test_shipped_models_say_what_they_were_trained_on() -> None:
    cards = {language: model.card for language, model in shipped_models().items()}
    assert "Apache-2.0" in cards["en"]
    assert "Apache-2.0" in cards["zh"]
