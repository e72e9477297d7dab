"""The teacher's files: found without importing the package, refused unless they are whole."""

import zipfile

import pytest

from adff_tf.errors import InputError
from adff_tf.model import musicnn_files


@pytest.fixture
def known(monkeypatch):
    """Two small files in place of the published ones."""
    import hashlib

    files = {".index": b"index", musicnn_files.DATA: b"data"}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(musicnn_files, "SHA256", sums)
    return files


def write(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_a_wheel_and_its_folders_have_the_same_files(known, tmp_path):
    place = tmp_path / "unpacked" / "musicnn" / "MSD_musicnn"
    write(place, known)
    with zipfile.ZipFile(tmp_path / "musicnn.whl", "w") as archive:
        for name, content in known.items():
            archive.writestr(f"musicnn/MSD_musicnn/{name}", content)
    for given in ("musicnn.whl", "unpacked", "unpacked/musicnn", "unpacked/musicnn/MSD_musicnn"):
        assert musicnn_files.read_checkpoint(tmp_path / given) == known


def test_the_installed_package_is_not_imported(known, tmp_path, monkeypatch):
    write(tmp_path / "musicnn" / "MSD_musicnn", known)
    (tmp_path / "musicnn" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert musicnn_files.read_checkpoint() == known


def test_a_missing_teacher_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(musicnn_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install --no-deps musicnn==0.1.0"):
        musicnn_files.read_checkpoint()
    with pytest.raises(InputError, match=r"No such file.*pip install --no-deps musicnn==0.1.0"):
        musicnn_files.read_checkpoint(tmp_path)


def test_damaged_files_are_refused(known, tmp_path):
    write(tmp_path / "cut", {**known, musicnn_files.DATA: b"dat"})
    with pytest.raises(InputError, match="data-00000.*damaged or of another version.*pip install"):
        musicnn_files.read_checkpoint(tmp_path / "cut")
    (tmp_path / "cut.whl").write_bytes(b"PK\3\4 no more")
    with pytest.raises(InputError, match="not a zip file; install it, pip install"):
        musicnn_files.read_checkpoint(tmp_path / "cut.whl")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other/file", "")
    with pytest.raises(InputError, match="There is no item named.*MSD_musicnn"):
        musicnn_files.read_checkpoint(tmp_path / "other.whl")
