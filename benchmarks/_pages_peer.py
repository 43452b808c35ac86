"""The peer of pages.py: a page whose button starts the same program by JupyterLite, with the same Pyodide.

JupyterLite wants another Sphinx than the book, so it has an environment of its own, in the user's cache. Packages that
are in no release of Pyodide are on the site, as ours are: no other host is asked.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import textwrap
import zipfile
from pathlib import Path

from dlcourse.data.fetch import cache_folder
from dlcourse.publishing.live import distribution, packages
from dlcourse.publishing.live.trimming import zipped

TOOLS = ("jupyterlite-sphinx==0.23.0", "jupyterlite-pyodide-kernel==0.8.6", "ipywidgets==8.1.9")
MICROPIP = "micropip==0.11.1"
WHEELS = (
    *("asttokens==3.0.2", "comm==0.2.3", "decorator==5.3.1", "executing==2.3.0", "ipython==9.12.0"),
    *("ipython-pygments-lexers==1.1.1", "ipywidgets==8.1.9", "jaxtyping==0.3.11", "jedi==0.19.2"),
    *("jupyterlab-widgets==3.0.17", "matplotlib-inline==0.2.1", "parso==0.8.7", "prompt-toolkit==3.0.53"),
    *("pure-eval==0.2.4", "pygments==2.21.0", "stack-data==0.6.3", "traitlets==5.14.3"),
    *("wadler-lindig==0.1.8", "wcwidth==0.9.4"),
)
"""What the kernel and the program need beyond Pyodide's release."""
INSTALL = "%pip install -q dlcourse jaxtyping ipywidgets"
CONF = 'extensions = ["jupyterlite_sphinx"]\njupyterlite_dir = "lite"\nproject = "peer"\n'
SETTINGS = {
    "jupyter-lite-schema-version": 0,
    "jupyter-config-data": {
        "litePluginSettings": {
            "@jupyterlite/pyodide-kernel-extension:kernel": {
                "pyodideUrl": "./static/pyodide/pyodide.mjs",
                "disablePyPIFallback": True,
            }
        }
    },
}


def site(code: str) -> Path:
    """Return the folder of the peer's site, which is built if it is not there yet.

    Args:
        code: the program that the button of its page runs.
    """
    course = _course()
    marks = (*TOOLS, *WHEELS, code, distribution.release().version, hashlib.sha256(course).hexdigest())
    key = hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]
    target = cache_folder() / "benchmarks" / f"pages-{key}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _build(Path(folder), code, course).rename(target)
    return target


def _course() -> bytes:
    """Make one wheel of the course and all its data."""
    contents: dict[str, bytes] = {}
    for name, wheel in packages.course().items():
        with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
            for each in archive.namelist():
                if name == "dlcourse" or ".dist-info/" not in each:
                    contents[each] = archive.read(each)
    return zipped(contents)


def _build(work: Path, code: str, course: bytes) -> Path:
    """Build the site in a folder of its own."""
    print("building the peer's site; the first time this takes some minutes", file=sys.stderr)
    environment = work / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *TOOLS], check=True)
    source = work / "source"
    wheels, pyodide = source / "lite" / "pypi", source / "lite" / "static" / "pyodide"
    wheels.mkdir(parents=True)
    pyodide.mkdir(parents=True)
    get = [*pip, "download", "--no-deps", "--only-binary=:all:", "--python-version=3.14", "--platform=any"]
    subprocess.run([*get, "--dest", str(wheels), *WHEELS], check=True)
    subprocess.run([*get, "--dest", str(pyodide), MICROPIP], check=True)
    (wheels / "dlcourse-0.1.0-py3-none-any.whl").write_bytes(course)
    _pyodide(pyodide)
    (source / "lite" / "jupyter-lite.json").write_text(json.dumps(SETTINGS))
    (source / "conf.py").write_text(CONF)
    program = textwrap.indent(f"{INSTALL}\n{code}", "   ")
    (source / "index.rst").write_text(
        f"Peer\n====\n\n.. replite::\n   :kernel: python\n   :height: 800px\n   :prompt: Run\n\n{program}\n"
    )
    made = work / "site"
    subprocess.run([python, "-m", "sphinx", "-q", "-b", "html", str(source), str(made)], check=True)
    return made


def _pyodide(target: Path) -> None:
    """Put the release's files beside micropip, with a lock that names these alone."""
    kept = distribution.obtain()
    for file in distribution.release().files:
        shutil.copy(kept / file.name, target)
    version = distribution.release().version
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"pyodide@{version}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            lock = json.loads(archive.extractfile("package/pyodide-lock.json").read())  # type: ignore[union-attr]
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in target.glob("*.whl")}
    named = {
        name: about | {"sha256": there[about["file_name"]]}
        for name, about in lock["packages"].items()
        if about["file_name"] in there
    }
    for about in named.values():
        about["depends"] = [each for each in about["depends"] if each in named]
    lock["packages"] = named
    (target / "pyodide-lock.json").write_text(json.dumps(lock))
