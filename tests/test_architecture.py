"""Which part may import which, and what loads no TensorFlow: docs/architecture.md, held by the code itself."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "adff_tf"
ABOVE = ("export", "tuning")  # at the top of the repository; they install inside the package

# Rooms from the ground up; a room may import those of lower floors and of its own.
FLOORS = [
    {"errors", "litert"},  # litert.py stands alone: a device gets it by itself
    {"config", "support", "tasks", "presets"},
    {"audio"},
    {"model", "datasets"},
    {"features"},
    {"inference"},
    {"reports", "training"},
    {"catalogue", "paper"},
    {"train", "predict", "evaluate", "reproduce", "score"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PURE_KERAS = ("model/layers", "model/network")


def rooms_imported(file: Path) -> set[str]:
    """Rooms of the package that a file imports, wherever in it."""
    depth = len(file.relative_to(PACKAGE).parts)
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level < depth:  # inside its own room
                continue
            found |= (
                {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
            )
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
            assert not any(
                name.split(".")[0] in ("adff_tf", "tuning", "export") for name in names
            ), f"{file}: import relatively"
    assert not found & {"tuning", "export"}, f"{file}: tuning and export stand above all of it"
    return found & set(FLOOR)


def files():
    return [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


def test_every_file_has_a_floor():
    assert {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in files()} == set(
        FLOOR
    )


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_run_one_way(file):
    room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    upward = {other for other in rooms_imported(file) if FLOOR[other] > FLOOR[room]}
    assert not upward, f"{room} imports {upward}, which stand above it"


@pytest.mark.parametrize("part, other", [ABOVE, ABOVE[::-1]])
def test_export_and_tuning_do_not_know_each_other(part, other):
    for file in (ROOT / part).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert other not in (node.module or "").split(".") and other not in {
                    alias.name for alias in node.names
                }, file
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                assert not any(name.split(".")[0] in ("adff_tf", *ABOVE) for name in names), (
                    f"{file}: import relatively"
                )


def test_every_folder_of_code_is_installed():
    """An editable install finds what setup.cfg forgets, and a wheel does not."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = [PACKAGE, *(file.parent for file in PACKAGE.rglob("*/__init__.py"))]
    named = {".".join(folder.relative_to(ROOT).parts) for folder in folders} | {
        f"adff_tf.{part}" for part in ABOVE
    }
    assert set(setup["options"]["packages"].split()) == named


@pytest.mark.parametrize("room", PURE_KERAS)
def test_the_network_is_pure_keras(room):
    tree = ast.parse((PACKAGE / f"{room}.py").read_text())
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert not any(name.startswith("tensorflow") for name in names)


@pytest.mark.parametrize(
    "statement",
    [
        "import adff_tf",
        "import adff_tf.train, adff_tf.presets",
        "import adff_tf.predict, adff_tf.evaluate, adff_tf.inference",
        "import adff_tf.datasets, adff_tf.litert",
        "import adff_tf.reproduce, adff_tf.paper.grid",
        "import adff_tf.score, adff_tf.catalogue.run, adff_tf.catalogue.on_ray, adff_tf.catalogue.worker",
        "import adff_tf.export, adff_tf.export.__main__, adff_tf.export.client",
        "import adff_tf.tuning, adff_tf.tuning.__main__, adff_tf.tuning.space",
    ],
)
def test_loads_no_tensorflow(statement):
    code = (
        f"{statement}; import sys; print({{'tensorflow', 'keras', 'librosa'}} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "set()"
