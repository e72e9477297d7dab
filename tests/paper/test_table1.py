"""Table 1 with its rivals: which runs its rows are, and what stands below it."""

import json
import types

import pytest

from adff_tf import presets, reproduce
from adff_tf.errors import InputError
from adff_tf.paper.cells import cell_folder
from adff_tf.paper.published import PublishedNumber
from adff_tf.paper.results import read_result
from adff_tf.paper.table1 import table1


def test_rivals_are_trained_only_where_asked():
    base = presets.paper()
    alone = table1(base)
    assert alone.entries["EmoMucs", "arousal R²"].cell is None
    assert "EmoMucs and MLEM: as published in the paper, not run here." in alone.notes
    only = table1(base, ["mlem"])
    assert only.entries["ADFF", "arousal R²"].cell is None
    assert ("ADFF, seg_num 6", "valence R²") not in only.entries
    assert {cell.experiment.network.model for cell in only.cells} == {"mlem"}


def test_a_rival_has_adffs_folds_and_its_authors_training():
    base = presets.fast()
    base = base.model_copy(update={"training": base.training.model_copy(update={"seed": 7})})
    entries = table1(base, ["adff", "emomucs", "mlem"]).entries
    found = entries["EmoMucs", "valence R²"]
    assert found.published == PublishedNumber(0.4143)  # C2D-M, digit for digit
    settings = found.cell.experiment
    assert settings.data == base.data and settings.validation == base.validation
    assert settings.training.seed == 7
    assert settings.task == "valence" and settings.network.source_model == "c2d"
    assert settings.frontend == base.frontend and settings.network.level == "standardised"
    assert settings.training.batch_size == 64 and settings.training.learning_rate == 0.005
    own = entries["EmoMucs, own input", "valence R²"]
    assert own.published is None
    assert own.cell.experiment.frontend.sample_rate_hz == 12000
    assert own.cell.experiment.network.level == "relative"
    assert own.cell.name == "emomucs-own-input-valence-simple-20s"
    mlem = entries["MLEM", "arousal R²"].cell.experiment
    assert mlem.network.width == 1 and mlem.frontend == base.frontend
    assert mlem.segments.seg_len == 20 and mlem.network.level == "standardised"
    own = entries["MLEM, own input", "arousal R²"].cell
    assert own.name == "mlem-own-input-arousal-simple-40s"
    assert own.experiment.frontend.mels == 149 and own.experiment.segments.seg_len == 40
    assert own.experiment.network.level == "compressed"


def test_the_program_takes_models(capsys):
    given = ["table1", "--scale", "tiny", "--models", "adff", "emomucs", "mlem"]
    options, base = reproduce.parse(given)
    assert options.models == ("adff", "emomucs", "mlem")
    assert {rival.training.epochs for rival in reproduce.tiny_rivals(base).values()} == {1}
    with pytest.raises(InputError, match="--models is for table1"):
        reproduce.parse(["table2", "--scale", "tiny", "--models", "mlem"])
    with pytest.raises(InputError, match="--models is empty"):
        reproduce.parse(["table1", "--scale", "tiny", "--models"])
    with pytest.raises(SystemExit):
        reproduce.parse(["table1", "--scale", "tiny", "--models", "vgg"])
    assert "vgg" in capsys.readouterr().err


def with_stems(folder):
    """The paper's settings on a data set with separated sources."""
    base = presets.paper()
    data = base.data.model_copy(update={"stems": folder, "data": (folder,)})
    return base.model_copy(update={"data": data})


def test_stems_have_rows_beside_emomucss_own_paper(tmp_path):
    base = with_stems(tmp_path)
    table = table1(base, ["adff", "emomucs"])
    fused = table.entries["EmoMucs, late fusion of stems", "valence R²"]
    assert fused.published == PublishedNumber(0.4814) and fused.stem is None
    settings = fused.cell.experiment
    assert settings.network.fusion == "late" and settings.network.stem_models == "freeze"
    assert settings.data.stems == tmp_path
    drums = table.entries["EmoMucs, drums", "arousal R²"]
    assert drums.cell == table.entries["EmoMucs, late fusion of stems", "arousal R²"].cell
    assert drums.published == PublishedNumber(0.4024) and drums.stem == "drums"
    others = [cell for cell in table.cells if not cell.experiment.takes_stems]
    assert len(others) == len(table.cells) - 2
    assert all(cell.experiment.data.stems is None for cell in others)
    with pytest.raises(InputError, match="--stems are for table1 with --models emomucs"):
        reproduce.parse(["table2", "--scale", "tiny", "--stems", "x"])


def test_a_stems_number_is_read_from_its_run(tmp_path):
    base = with_stems(tmp_path)
    entry = table1(base, ["emomucs"]).entries["EmoMucs, bass", "valence R²"]
    place = cell_folder(tmp_path, entry.cell)
    place.mkdir(parents=True)
    (place / "report.md").touch()
    metrics = {"stems": {"bass": {"valence": {"r2": 0.25, "rmse": 0.3}}}}
    (place / "metrics.json").write_text(json.dumps(metrics))
    assert read_result(entry, tmp_path).mean == 0.25


def test_stems_are_left_out_of_the_other_tables(tmp_path):
    base = with_stems(tmp_path)
    options = reproduce.Options("all", models=("adff", "emomucs"))
    prepared = [types.SimpleNamespace(base=base, labels="continuous")]
    tables = {table.name: table for table in reproduce.select_tables(options, prepared)}
    assert "EmoMucs, vocals" in {row for row, _ in tables.pop("table1").entries}
    assert tables
    for table in tables.values():
        assert all(cell.experiment.data.stems is None for cell in table.cells)
