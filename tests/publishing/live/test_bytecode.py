"""Bytecode in the archives of a site: which modules have it, and what happens where nothing can compile."""

import importlib.util
import json
import shutil
import sys

import pytest
from in_browser import run_in_browser

from dlcourse.publishing.live import bytecode, distribution
from dlcourse.publishing.live.shipping import LIVE, read_manifest
from dlcourse.publishing.live.trimming import files_in, zipped

ARCHIVES = {"small-1-py3-none-any.whl": zipped({"small.py": b"x = 1\n"})}
UNCHECKED = b"\x01\x00\x00\x00"
"""In bytecode, after the version of Python: nobody compares it with the source."""

ASK = """
import json, numpy

try:
    numpy.reshape([1, 2], 3)
except ValueError as error:
    said = str(error)
print(json.dumps([numpy.__spec__.origin, json.__spec__.origin, said]))
"""


def test_compiled_once(tmp_path, monkeypatch):
    runs = []

    def made(source, archives, work):
        runs.append(sorted(archives))
        return {name: zipped({"small.pyc": b"code"}) for name in archives}

    monkeypatch.setattr(bytecode, "_compiled", made)
    first = bytecode.compiled(tmp_path, ARCHIVES)
    assert bytecode.compiled(tmp_path, ARCHIVES) == first
    assert files_in(first["small-1-py3-none-any.whl"]) == {"small.pyc": b"code"}
    assert runs == [sorted(ARCHIVES)]
    changed = {name: zipped({"small.py": b"x = 2\n"}) for name in ARCHIVES}
    bytecode.compiled(tmp_path, changed)
    assert len(runs) == 2
    # What nobody asks for any more does not stay.
    assert len(list(tmp_path.glob("compiled-*"))) == 1


def test_without_node(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bytecode.NotCompiledError, match="Node was not found: install Node 18 or newer"):
        bytecode.compiled(tmp_path, ARCHIVES)
    assert not list(tmp_path.glob("compiled-*"))


def test_node_of_playwright_where_there_is_no_other(monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "playwright" in bytecode.node()


@pytest.mark.parametrize("program", [sys.executable, "/nothing/here"])
def test_program_that_fails_is_told_in_a_line(tmp_path, monkeypatch, program):
    monkeypatch.setattr(bytecode, "node", lambda: program)
    with pytest.raises(bytecode.NotCompiledError, match=r"^Node could not run Pyodide \(.+\)$") as caught:
        bytecode.compiled(tmp_path, ARCHIVES)
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.glob("compiled-*"))


@pytest.mark.slow
def test_site_has_bytecode_of_what_pages_import(live_folder):
    live, manifest = live_folder / LIVE, read_manifest(live_folder)
    magic = set()
    for package, module in (
        ("numpy", "numpy/__init__.py"),
        ("matplotlib", "matplotlib/figure.py"),
        ("libraries", "ipywidgets/__init__.py"),
        ("dlcourse_live", "dlcourse_live/boot.py"),
    ):
        files = files_in((live / manifest["wheels"][package]).read_bytes())
        assert module not in files
        assert files[f"{module}c"][4:8] == UNCHECKED
        magic.add(files[f"{module}c"][:4])
    library = files_in((live / "pyodide" / "python_stdlib.zip").read_bytes())
    assert "json/__init__.py" not in library
    assert {library["json/__init__.pyc"][:4]} == magic
    # A module that no page imports is as it came.
    original = files_in((distribution.obtain() / "python_stdlib.zip").read_bytes())
    assert library["mailbox.py"] == original["mailbox.py"]
    assert {name.removesuffix("c") for name in library} == set(original)


@pytest.mark.slow
def test_browser_uses_it(chromium, live_site):
    answer = run_in_browser(chromium, live_site, ASK)
    assert answer["status"] == "ok", answer["said"]
    numpy, library, said = json.loads(answer["said"])
    assert numpy.endswith("numpy/__init__.pyc")
    assert library.endswith("json/__init__.pyc")
    assert said == "cannot reshape array of size 2 into shape (3,)"
