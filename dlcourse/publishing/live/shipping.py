"""Puts what runs in the reader's browser into a built site, below ``_static/live/``, with a manifest of it all."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from filelock import FileLock

from dlcourse.publishing.live import bytecode, distribution, packages, trimming
from dlcourse.publishing.live.built import FILES
from dlcourse.publishing.live.trimming import Wheel

LIVE = Path("_static", "live")
PYODIDE = "pyodide/"
PYTHON = "python/"
LOCK = f"{PYTHON}pyodide-lock.json"
LICENCES = Path(__file__).with_name("licences")
START = ("numpy", "jaxtyping", "dlcourse", "dlcourse_live")
"""The wheels that every page needs before its first cell."""


class Entry(TypedDict):
    """What the browser checks of a file before it uses it."""

    sha256: str
    size: int


class Manifest(TypedDict):
    """What the browser is told: see `Manifest` in ``source/protocol.ts``."""

    version: str
    core: str
    files: dict[str, Entry]
    wheels: dict[str, str]
    start: list[str]
    needs: dict[str, list[str]]


def add_scripts(site: Path) -> None:
    """Copy the scripts and styles of the pages that run; before pages are written, which name their hash.

    Args:
        site: the folder of the site.
    """
    shutil.copytree(FILES, site / LIVE, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))


def ship(site: Path) -> str:
    """Put Python and all that it loads into a site.

    Args:
        site: the folder of the site.

    Returns:
        A sentence if Pyodide could not be had, so that the site asks its CDN for it, or if nothing could be compiled for
        it, so that pages start more slowly; else an empty string.
    """
    target = site / LIVE
    libraries = packages.libraries()
    own = {**libraries, **packages.course()}
    said = ""
    try:
        source = distribution.obtain()
    except distribution.OutOfReachError as error:
        manifest = _on_cdn()
        said = without_pyodide(error)
    else:
        files = {file.name: (source / file.name).read_bytes() for file in distribution.release().core}
        wheels = _trimmed(source)
        try:
            files, wheels, own = _with_bytecode(source, files, wheels, own)
        except bytecode.NotCompiledError as error:
            said = f"Pages that run start more slowly than they could ({error})."
        manifest = _on_site(target / PYODIDE, files, wheels)
    for name, wheel in own.items():
        _put(wheel.content, target / PYTHON, wheel.file)
        _list(manifest, name, PYTHON + wheel.file, wheel.content)
    _write_licences(target / PYTHON, {}, libraries)
    # The wheels are those of the manifest, so of the lock Python itself asks for no more than what it is.
    lock = json.dumps({"info": dict(distribution.release().info), "packages": {}}).encode()
    _put(lock, target, LOCK)
    manifest["files"][LOCK] = _entry(lock)
    addresses = manifest["wheels"]
    manifest["wheels"] = {
        name: addresses[name] for name in [*START, *(each for each in addresses if each not in START)]
    }
    manifest["needs"] = {
        name: [each for each in asked if each in addresses] for name, asked in packages.needs().items()
    }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return said


def without_pyodide(error: distribution.OutOfReachError) -> str:
    """Say in a sentence that a site does not hold Pyodide, and what its pages do instead.

    Args:
        error: why not.
    """
    address = distribution.release().address
    return f"Pyodide is not on the site, so pages that run load it from {address} ({error})."


def read_manifest(site: Path) -> Manifest:
    """Read the manifest of a built site.

    Args:
        site: the folder of the site.
    """
    manifest: Manifest = json.loads((site / LIVE / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def _on_cdn() -> Manifest:
    """Name the files of the official distribution."""
    release = distribution.release()
    manifest = _manifest(release.address)
    for file in release.files:
        manifest["files"][release.address + file.name] = {"sha256": file.sha256, "size": file.size}
    manifest["wheels"] = {name: release.address + file.name for name, file in release.wheels.items()}
    return manifest


def _with_bytecode(
    source: Path, files: dict[str, bytes], wheels: dict[str, Wheel], own: dict[str, Wheel]
) -> tuple[dict[str, bytes], dict[str, Wheel], dict[str, Wheel]]:
    """Put bytecode into Python's own library, Pyodide's wheels and the libraries beside them."""
    archives = {name: content for name, content in files.items() if name.endswith(".zip")}
    # The course changes with each commit: compiling it anew takes half a minute, and saves a page a fifth of a second.
    steady = [
        wheel for name, wheel in own.items() if name != "dlcourse" and not name.startswith(packages.DATA)
    ]
    archives |= {wheel.file: wheel.content for wheel in (*wheels.values(), *steady)}
    compiled = bytecode.compiled(source, archives)
    files, wheels, own = files.copy(), wheels.copy(), own.copy()
    files |= {name: content for name, content in compiled.items() if name in files}
    for some in (wheels, own):
        some |= {
            name: replace(wheel, content=compiled[wheel.file])
            for name, wheel in some.items()
            if wheel.file in compiled
        }
    return files, wheels, own


def _on_site(target: Path, files: Mapping[str, bytes], wheels: Mapping[str, Wheel]) -> Manifest:
    """Write the core and the wheels."""
    release = distribution.release()
    manifest = _manifest(PYODIDE)
    for name, content in files.items():
        _put(content, target, name)
        manifest["files"][PYODIDE + name] = _entry(content)
    for name, wheel in wheels.items():
        _put(wheel.content, target, wheel.file)
        _list(manifest, name, PYODIDE + wheel.file, wheel.content)
    core = {
        f"Pyodide {release.version}": (LICENCES / "pyodide.txt").read_text(encoding="utf-8"),
        f"Python {release.info['python']}": (LICENCES / "python.txt").read_text(encoding="utf-8"),
    }
    _write_licences(target, core, wheels)
    return manifest


def _trimmed(source: Path) -> dict[str, Wheel]:
    """Trim Pyodide's wheels, or take them from the cache, where they lie beside the originals."""
    release = distribution.release()
    key = hashlib.sha256(Path(trimming.__file__).read_bytes() + distribution.TABLE.read_bytes()).hexdigest()[
        :16
    ]
    kept = source / f"trimmed-{key}"
    with FileLock(source / ".lock"):
        if not kept.is_dir():
            with tempfile.TemporaryDirectory(dir=source) as name:
                work = Path(name, "trimmed")
                work.mkdir()
                about = {}
                for package, file in release.wheels.items():
                    content = (source / file.name).read_bytes()
                    for each, wheel in trimming.trimmed(package, file.name, content).items():
                        (work / wheel.file).write_bytes(wheel.content)
                        about[each] = [wheel.file, _entry(wheel.content)["sha256"], wheel.licences]
                (work / "wheels.json").write_text(json.dumps(about), encoding="utf-8")
                work.rename(kept)
    about = json.loads((kept / "wheels.json").read_text(encoding="utf-8"))
    wheels = {
        name: Wheel(file, (kept / file).read_bytes(), licences) for name, (file, _, licences) in about.items()
    }
    if any(_entry(wheels[name].content)["sha256"] != sha256 for name, (_, sha256, _) in about.items()):
        shutil.rmtree(kept)
        return _trimmed(source)
    return wheels


def _manifest(core: str) -> Manifest:
    """Begin a manifest."""
    return {
        "version": distribution.release().version,
        "core": core,
        "files": {},
        "wheels": {},
        "start": list(START),
        "needs": {},
    }


def _list(manifest: Manifest, name: str, address: str, content: bytes) -> None:
    """Enter a wheel into a manifest."""
    manifest["files"][address] = _entry(content)
    manifest["wheels"][name] = address


def _entry(content: bytes) -> Entry:
    """Describe a file by what the browser checks."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _put(content: bytes, folder: Path, name: str) -> None:
    """Write a file, with the folders above it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def _write_licences(folder: Path, texts: Mapping[str, str], wheels: Mapping[str, Wheel]) -> None:
    """Collect the licences of foreign work beside it."""
    works = {**texts, **{work: text for wheel in wheels.values() for work, text in wheel.licences.items()}}
    body = "\n\n".join(f"{work}\n{'-' * len(work)}\n{text.strip()}" for work, text in works.items())
    (folder / "LICENSES.txt").write_text(body + "\n", encoding="utf-8")
