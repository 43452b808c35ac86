"""Runs in Pyodide, in Node, which calls `main`: compiles what a page has imported when its first figure stands.

``/work/in`` holds the archives; the bytecode of each goes to ``/work/out``, by archive and entry.
"""

import os
import sys
import zipfile
from pathlib import Path
from py_compile import PycInvalidationMode, compile

LIBRARY = "python_stdlib.zip"
PAGE = """
# What the course imports of Python's own library.
import ast, asyncio, builtins, collections, contextlib, contextvars, copy, dataclasses, functools, gzip, hashlib, html
import importlib, inspect, io, itertools, json, linecache, math, numbers, operator, os, pathlib, re, shlex, struct
import symtable, tempfile, textwrap, time, tokenize, traceback, types, typing, urllib.parse, uuid, warnings, zipfile

import ipywidgets
import jaxtyping
import matplotlib.pyplot as plt
import numpy as np


@ipywidgets.interact(slope=(-3.0, 3.0, 0.5))
def draw(slope=1.0):
    plt.plot(np.linspace(0, 1, 50), slope * np.random.default_rng(0).random(50), label="$y$")
    plt.legend()
    plt.show()
"""
"""What a page of the book does at its start."""

IN, OUT, HERE = Path("/work/in"), Path("/work/out"), Path.cwd()
ZIP = f"/lib/python{sys.version_info.major}{sys.version_info.minor}.zip/"


async def main() -> None:
    """Run the page, and compile the modules that are there then."""
    owner: dict[str, str] = {}
    for wheel in IN.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(HERE)
            owner |= dict.fromkeys(archive.namelist(), wheel.name)
    from dlcourse_live import boot  # type: ignore[import-not-found]  # it lies in a wheel

    said: list[object] = []
    out = sys.stdout, sys.stderr
    boot.start(said.append)
    status = await boot.run_cell(1, PAGE, "page")
    sys.stdout, sys.stderr = out
    if status != "ok":
        raise RuntimeError(f"the page did not run: {said[-1]}")
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    with zipfile.ZipFile(IN / LIBRARY) as library:
        for file in sorted(each for each in files if each.endswith(".py")):
            if file.startswith(ZIP):
                entry = file.removeprefix(ZIP)
                keep(library.extract(entry, "/tmp"), file, OUT / LIBRARY / f"{entry}c")
            elif (entry := os.path.relpath(file, HERE)) in owner:
                keep(file, file, OUT / owner[entry] / f"{entry}c")


def keep(source: str, name: str, target: Path) -> None:
    """Compile a file; that the bytecode is right is known, so nobody compares it with the source again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    compile(
        source,
        str(target),
        name,
        doraise=True,
        optimize=0,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
