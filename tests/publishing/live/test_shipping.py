import hashlib
import json

import pytest

from dlcourse.publishing.live import bytecode, distribution, shipping, trimming
from dlcourse.publishing.live.distribution import File, Release

WHEELS = {
    "numpy": trimming.zipped(
        {"numpy/a.py": b"", "numpy/tests/a.py": b"", "numpy-1.dist-info/LICENSE": b"As you like."}
    ),
    "pillow": trimming.zipped({"PIL/a.py": b""}),
}


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A small release that lies in the cache."""

    def file(name, content):
        folder = tmp_path / "cache" / "pyodide-1.0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return File(name, hashlib.sha256(content).hexdigest(), len(content))

    core = (file("pyodide.mjs", b"the core"),)
    wheels = {name: file(f"{name}-1-py3-none-any.whl", content) for name, content in WHEELS.items()}
    made = Release("1.0", {"python": "3.14.0", "abi_version": "x"}, core, wheels, "", "", "")
    monkeypatch.setattr(distribution, "release", lambda: made)
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(distribution.SETTING, raising=False)
    monkeypatch.setattr(bytecode, "compiled", lambda source, archives: dict(archives))
    return made


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def test_site_holds_each_file_of_its_manifest(release, site):
    assert shipping.ship(site) == ""
    manifest, live = shipping.read_manifest(site), site / shipping.LIVE
    assert (manifest["version"], manifest["core"]) == ("1.0", "pyodide/")
    for address, about in manifest["files"].items():
        content = (live / address).read_bytes()
        assert about == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    assert set(manifest["wheels"].values()) <= set(manifest["files"])
    assert list(manifest["wheels"])[: len(manifest["start"])] == manifest["start"]
    assert {name for asked in manifest["needs"].values() for name in asked} <= set(manifest["wheels"])
    lock = json.loads((live / "python" / "pyodide-lock.json").read_text())
    assert lock == {"info": dict(release.info), "packages": {}}


def test_licences_lie_beside_the_works(release, site):
    shipping.ship(site)
    texts = (site / shipping.LIVE / "pyodide" / "LICENSES.txt").read_text()
    assert "Mozilla Public License Version 2.0" in texts
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in texts
    assert "As you like." in texts
    assert "jaxtyping" in (site / shipping.LIVE / "python" / "LICENSES.txt").read_text()


def test_trimmed_wheels_are_kept_and_checked(release, site, monkeypatch):
    shipping.ship(site)
    before = shipping.read_manifest(site)
    asked = []
    trimmed = trimming.trimmed
    monkeypatch.setattr(trimming, "trimmed", lambda *wheel: asked.append(wheel[0]) or trimmed(*wheel))
    shipping.ship(site)
    assert asked == []
    (kept,) = distribution.folder().glob("trimmed-*/numpy-1-*.whl")
    kept.write_bytes(b"damaged")
    shipping.ship(site)
    assert asked == list(WHEELS)
    assert shipping.read_manifest(site) == before


def test_what_was_compiled_is_shipped(release, site, monkeypatch):
    asked = []

    def compiled(source, archives):
        asked.extend(archives)
        return dict.fromkeys(archives, b"compiled")

    monkeypatch.setattr(bytecode, "compiled", compiled)
    assert shipping.ship(site) == ""
    manifest, live = shipping.read_manifest(site), site / shipping.LIVE
    for name in ("numpy", "jaxtyping", "dlcourse_live"):
        assert (live / manifest["wheels"][name]).read_bytes() == b"compiled"
    assert (live / manifest["wheels"]["dlcourse"]).read_bytes() != b"compiled"
    assert not any(name.startswith(("dlcourse-", "dlcourse_data")) for name in asked)
    assert manifest["files"][manifest["wheels"]["numpy"]]["sha256"] == hashlib.sha256(b"compiled").hexdigest()


def test_site_without_bytecode_says_so(release, site, monkeypatch):
    def compiled(source, archives):
        raise bytecode.NotCompiledError("Node was not found")

    monkeypatch.setattr(bytecode, "compiled", compiled)
    assert shipping.ship(site) == "Pages that run start more slowly than they could (Node was not found)."
    assert (site / shipping.LIVE / shipping.read_manifest(site)["wheels"]["numpy"]).is_file()


def test_without_pyodide_the_manifest_names_the_official_distribution(release, site, monkeypatch):
    monkeypatch.setenv(distribution.SETTING, distribution.CDN)
    said = shipping.ship(site)
    assert said == (
        f"Pyodide is not on the site, so pages that run load it from {release.address} (DLCOURSE_PYODIDE is cdn)."
    )
    manifest = shipping.read_manifest(site)
    assert manifest["core"] == release.address
    assert manifest["wheels"]["numpy"] == release.address + release.wheels["numpy"].name
    for file in release.files:
        assert manifest["files"][release.address + file.name] == {"sha256": file.sha256, "size": file.size}
    assert not (site / shipping.LIVE / "pyodide").exists()
    assert (site / shipping.LIVE / manifest["wheels"]["dlcourse"]).is_file()


def test_scripts_are_copied_without_the_record_of_their_build(site):
    shipping.add_scripts(site)
    live = site / shipping.LIVE
    assert {"live.js", "run.js", "worker.js", "live.css"} <= {path.name for path in live.iterdir()}
    assert not (live / "manifest.json").exists()
