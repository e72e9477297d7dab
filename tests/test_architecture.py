"""The layers of docs/architecture.md, held by the code."""

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "adff_tf"
ABOVE = ("export", "tuning")  # at the top of the repository; they install inside the package
PURE_KERAS = ("layers", "lstm", "network")
HEAVY = {"tensorflow", "keras", "librosa", "sklearn", "pandas"}
LONGEST_FILE = 360  # lines


def read_layers() -> dict[str, int]:
    """Return the layer of each room, from the table in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", text, re.MULTILINE)
    return {room: int(layer) for layer, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}


LAYER = read_layers()


def room_of(file: Path) -> str:
    folder = PACKAGE if file.is_relative_to(PACKAGE) else ROOT
    return file.relative_to(folder).parts[0].removesuffix(".py")


def imported_modules(file: Path) -> set[str]:
    """Return the modules of this package that a file imports, dotted, from the package's root."""
    package = [
        "adff_tf",
        *file.relative_to(PACKAGE if file.is_relative_to(PACKAGE) else ROOT).parts[:-1],
    ]
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("adff_tf", *ABOVE)}


def imported_rooms(file: Path) -> set[str]:
    parts = [name.split(".") for name in imported_modules(file)]
    rooms = {name[1] for name in parts if name[0] == "adff_tf" and len(name) > 1}
    return rooms & set(LAYER)


def files() -> list[Path]:
    every = [*PACKAGE.rglob("*.py"), *(f for part in ABOVE for f in (ROOT / part).rglob("*.py"))]
    return sorted(file for file in every if file != PACKAGE / "__init__.py")


def names(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_every_room_has_a_layer():
    assert {room_of(file) for file in files()} == set(LAYER)


@pytest.mark.parametrize("file", files(), ids=names)
def test_imports_run_downwards(file):
    room = room_of(file)
    upward = {other for other in imported_rooms(file) if LAYER[other] > LAYER[room]}
    assert not upward, f"{room} imports {upward}, which stand above it"
    above = imported_rooms(file) & set(ABOVE) - {room}
    assert not above, f"{room} imports {above}, which no other room may"


@pytest.mark.parametrize("file", files(), ids=names)
def test_imports_are_relative_inside_the_package_and_absolute_from_outside(file):
    """Where `export` and `tuning` lie, a relative import would leave their folder."""
    depth = len(file.relative_to(ROOT).parts) - 1
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            inside = file.is_relative_to(PACKAGE)
            assert node.level <= depth, f"{file}:{node.lineno} imports from above its folder"
            assert not inside or not (node.module or "").startswith("adff_tf"), (
                f"{file}:{node.lineno}"
            )


@pytest.mark.parametrize("file", files(), ids=names)
def test_no_file_holds_several_jobs(file):
    assert len(file.read_text().splitlines()) <= LONGEST_FILE


def test_no_folder_holds_one_file():
    for folder in {file.parent for file in files()} - {PACKAGE}:
        assert len([file for file in folder.glob("*.py") if file.name != "__init__.py"]) > 1, folder


def test_the_tests_mirror_the_package():
    rooms = {file.parent.name for file in files() if file.parent != PACKAGE}
    nested = {"synthetic", "backends"}  # tested in their room's folder
    there = {folder.name for folder in (ROOT / "tests").iterdir() if folder.is_dir()}
    assert rooms - nested <= there


def test_every_folder_of_code_is_installed():
    """An editable install finds what setup.cfg forgets, and a wheel does not."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = [PACKAGE, *(file.parent for file in PACKAGE.rglob("*/__init__.py"))]
    dotted = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(setup["options"]["packages"].split()) == dotted | {
        f"adff_tf.{part}" for part in ABOVE
    }


@pytest.mark.parametrize("module", PURE_KERAS)
def test_the_network_is_pure_keras(module):
    tree = ast.parse((PACKAGE / "model" / f"{module}.py").read_text())
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    assert not any(name.startswith("tensorflow") for name in names)


def core_modules() -> list[str]:
    """Return every module of the light core."""
    paths = [PACKAGE / "predict.py"]
    for room in ("support", "audio", "inference"):
        paths += sorted((PACKAGE / room).rglob("*.py"))
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in paths]
    return [module.removesuffix(".__init__") for module in modules]


@pytest.mark.parametrize(
    "modules",
    [
        core_modules(),
        ["adff_tf", "adff_tf.train", "adff_tf.evaluate", "adff_tf.score", "adff_tf.reproduce"],
        ["adff_tf.catalogue.run"],
        ["adff_tf.export", "adff_tf.export.__main__", "adff_tf.export.client"],
        ["adff_tf.tuning", "adff_tf.tuning.__main__"],
    ],
    ids=lambda modules: modules[-1],
)
def test_loads_no_tensorflow(modules):
    code = f"import sys, {', '.join(modules)}; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"
