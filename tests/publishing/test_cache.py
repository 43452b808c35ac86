import os

import pytest

from dlcourse.publishing import cache


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    (folder / "neurons" / "__pycache__").mkdir(parents=True)
    (folder / "grading").mkdir()
    (folder / "neurons" / "neuron.py").write_text("LIMIT = 1\n")
    (folder / "neurons" / "digits.npz").write_bytes(b"\x00\x01")
    (folder / "grading" / "course.py").write_text("")
    return folder


def test_hash_is_repeatable(package):
    first = cache.package_hash(package)
    assert len(first) == 16
    assert cache.package_hash(package) == first


@pytest.mark.parametrize("name", ["neurons/neuron.py", "neurons/digits.npz", "neurons/new.py"])
def test_changed_package_or_data_has_another_cache(package, name):
    before = cache.package_hash(package)
    (package / name).write_bytes(b"LIMIT = 2\n")
    assert cache.package_hash(package) != before


def test_renamed_file_has_another_cache(package):
    before = cache.package_hash(package)
    (package / "neurons" / "neuron.py").rename(package / "neurons" / "unit.py")
    assert cache.package_hash(package) != before


@pytest.mark.parametrize("name", ["grading/course.py", "cli/common.py", "neurons/__pycache__/neuron.pyc"])
def test_rooms_that_no_chapter_imports_do_not_count(package, name):
    before = cache.package_hash(package)
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_text("CHANGED = True\n")
    assert cache.package_hash(package) == before


def test_another_version_of_a_library_has_another_cache(package, monkeypatch):
    before = cache.package_hash(package, libraries=["numpy"])
    monkeypatch.setattr(cache, "version", lambda name: "99.0")
    assert cache.package_hash(package, libraries=["numpy"]) != before


def test_library_that_is_missing_is_no_error(package):
    assert cache.package_hash(package, libraries=["no-such-distribution"])


def test_prune_keeps_the_two_used_last(tmp_path):
    for age, name in enumerate(["newest", "newer", "old", "oldest"]):
        folder = cache.caches(tmp_path) / name
        folder.mkdir(parents=True)
        os.utime(folder, (1000 - age, 1000 - age))
    deleted = cache.prune(tmp_path)
    assert [path.name for path in deleted] == ["old", "oldest"]
    assert sorted(path.name for path in cache.caches(tmp_path).iterdir()) == ["newer", "newest"]
