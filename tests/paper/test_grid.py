"""The grids of the tables: their cells, and the settings of a cell."""

from adff_tf import presets
from adff_tf.paper import grid
from adff_tf.paper.published import PublishedNumber
from adff_tf.paper.table1 import table1


def test_tables_share_cells():
    makers = {"table1": table1, **grid.TABLES}
    tables = {name: make(presets.paper()) for name, make in makers.items()}
    assert {name: len(table.cells) for name, table in tables.items()} == {
        "table1": 9, "table2": 9, "figure3": 18, "table3": 24, "table4": 24,
    }  # fmt: skip
    # Table 2's arousal over seg_num is in Figure 3; Table 1 shares 3 cells with it, Table 3 two:
    # 9 + 18 - 3 + 24 - 2 + 24
    cells = grid.unique_cells(cell for table in tables.values() for cell in table.cells)
    assert len(cells) == 70
    # one entry is in Table 1 and Table 3, where the paper prints the same number
    one = tables["table1"].entries["ADFF", "arousal R²"]
    other = tables["table3"].entries["20 s", "simple: arousal R²"]
    assert one.cell == other.cell and one.published == PublishedNumber(0.6394, 0.02)
    assert other.published == PublishedNumber(0.6394)


def test_a_cell_is_the_base_with_the_settings_of_its_entry():
    base = presets.fast()
    found = table1(base).entries["w/o SE", "valence RMSE"].cell.experiment
    segments = found.segments
    assert (found.task, segments.seg_num, segments.sampling) == ("valence", 1, "simple")
    assert not found.network.se
    assert found.network.width == base.network.width and found.training == base.training
    found = grid.table4(base).entries["30 s", "four classes: quadrant accuracy"].cell.experiment
    segments = found.segments
    assert (found.task, segments.seg_len, segments.sampling) == ("quadrant", 30, "full")


def test_the_example_of_the_docstring():
    entry = grid.table3(presets.paper()).entries["20 s", "full: valence R²"]
    assert (entry.target, entry.metric) == ("valence", "r2")
    assert entry.published == PublishedNumber(0.4785)
    assert entry.cell.name == "valence-full-20s-seg_num6"
