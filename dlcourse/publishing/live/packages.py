"""The wheels that a page that runs loads: the NumPy half of dlcourse, the libraries beside it, Pyodide's without ballast.

A wheel is made of files and bytes alone, so the same sources give the same bytes; what is large and seldom used (data
sets, further fonts) is a wheel of its own, which a page loads if it imports the module that reads it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import dlcourse
from dlcourse.publishing.live.trimming import BALLAST, Wheel, licences_in, matches, zipped

PACKAGE = Path(dlcourse.__file__).parent
LIVE = Path(__file__).parent / "python" / "dlcourse_live"
ROOMS = ("checks", "data", "figures", "introduction", "learning", "neurons", "training")
"""The NumPy half: what needs nothing beyond NumPy, matplotlib and ipywidgets."""
DATA = "dlcourse_data_"
"""How the names of wheels begin that hold a large data set each."""

ALONGSIDE = 20_000  # a data set larger than this [bytes] is a wheel of its own
_AT_START = ("jaxtyping", "wadler_lindig")
_ON_DEMAND = ("ipywidgets", "comm", "traitlets", "tqdm")
_MATPLOTLIB = [
    "contourpy",
    "cycler",
    "kiwisolver",
    "packaging",
    "pillow",
    "pyparsing",
    "python-dateutil",
    "six",
]
_WHEELS = {*_MATPLOTLIB, "matplotlib", "matplotlib_fonts", "libraries"}


def course() -> dict[str, Wheel]:
    """Make the wheels of this source tree: the NumPy half, its larger data sets, and what runs beside it.

    Returns:
        Wheels by name, each after those that it needs: ``dlcourse``, ``dlcourse_live``, ``dlcourse_data_digits`` ...
    """
    inside, apart = _sources()
    wheels = {"dlcourse": _own("dlcourse", inside)}
    live = {f"dlcourse_live/{path.relative_to(LIVE).as_posix()}": path for path in _tree(LIVE)}
    wheels["dlcourse_live"] = _own("dlcourse_live", live)
    for name, path in apart.items():
        key = f"{DATA}{PurePosixPath(name).stem}"
        wheels[key] = _own(key, {name: path})
    return wheels


def modules() -> dict[str, Path]:
    """Name every module of the NumPy half, with its file."""
    return {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): path
        for name, path in _sources()[0].items()
        if name.endswith(".py")
    }


def needs() -> dict[str, list[str]]:
    """Say which wheels importing a module asks for, beyond those that every page starts with.

    Returns:
        By module or wheel: names of wheels, with all that those need.
    """
    known = modules()
    table: dict[str, list[str]] = {
        "PIL": ["pillow"],
        "dateutil": ["python-dateutil", "six"],
        "python-dateutil": ["six"],
        "matplotlib": _MATPLOTLIB,
        "mpl_toolkits": ["matplotlib"],
    }
    table |= {each: ["libraries"] for each in _ON_DEMAND}
    table["dlcourse.figures.printed"] = ["matplotlib_fonts"]
    readers = {PurePosixPath(name).name: PurePosixPath(name).stem for name in _sources()[1]}
    for module, path in known.items():
        text = path.read_text(encoding="utf-8")
        for file, stem in readers.items():
            if f'"{file}"' in text:
                table.setdefault(module, []).append(f"{DATA}{stem}")
    for module, path in known.items():
        if module == "dlcourse.data":
            continue  # it names the modules of all data sets, and imports one when asked for it
        asked = imported(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")
        table[module] = [*table.get(module, ()), *asked]
    wheels = {name: sorted(_wheels_of(name, table, set())) for name in sorted(table)}
    return {name: found for name, found in wheels.items() if found}


def _wheels_of(name: str, table: Mapping[str, Iterable[str]], seen: set[str]) -> set[str]:
    """Follow what something needs down to the wheels."""
    seen.add(name)
    found: set[str] = set()
    for each in table[name]:
        if each in _WHEELS or each.startswith("dlcourse_data_"):
            found.add(each)
        if each in table and each not in seen:
            found |= _wheels_of(each, table, seen)
    return found


def imported(source: str, module: str = "", *, is_package: bool = False) -> Iterator[str]:
    """List what a piece of code imports, wherever in it: ``from a.b import c`` gives ``a``, ``a.b`` and ``a.b.c``.

    Args:
        source: Python.
        module: the module that it is, for relative imports.
        is_package: whether it is the ``__init__`` of that module.

    Yields:
        Dotted names; the last of one need not be a module.
    """
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: -(node.level - is_package) or None]
                base = ".".join([*above, *base.split(".")]).rstrip(".")
            names = [f"{base}.{each.name}" for each in node.names]
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


def libraries() -> dict[str, Wheel]:
    """Make wheels of the pure libraries that are installed here: ``jaxtyping``, and ``libraries`` with the rest."""
    return {"jaxtyping": _together("jaxtyping", _AT_START), "libraries": _together("libraries", _ON_DEMAND)}


@cache
def _sources() -> tuple[dict[str, Path], dict[str, Path]]:
    """List the files of the NumPy half by their names in a wheel; the large data sets apart."""
    inside = {"dlcourse/__init__.py": PACKAGE / "__init__.py", "dlcourse/py.typed": PACKAGE / "py.typed"}
    apart: dict[str, Path] = {}
    for room in ROOMS:
        for path in _tree(PACKAGE / room):
            is_large = path.suffix != ".py" and path.stat().st_size > ALONGSIDE
            (apart if is_large else inside)[f"dlcourse/{path.relative_to(PACKAGE).as_posix()}"] = path
    return inside, apart


def _tree(folder: Path) -> list[Path]:
    """List the files below a folder that belong to it."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if "__pycache__" not in path.parts and path.suffix not in (".pyc", ".pyo")]


def _own(name: str, files: Mapping[str, Path]) -> Wheel:
    """Make a wheel of files of this course."""
    about = f"{name}-{dlcourse.__version__}.dist-info"
    contents = {each: path.read_bytes() for each, path in files.items()}
    contents[f"{about}/METADATA"] = _metadata(name, dlcourse.__version__)
    return Wheel(f"{name}-{dlcourse.__version__}-py3-none-any.whl", zipped(contents), {})


def _metadata(name: str, version: str) -> bytes:
    """Say what ``importlib.metadata`` is asked for: name and version."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def _together(name: str, distributions: Iterable[str]) -> Wheel:
    """Make one wheel of several installed distributions; one that is not installed is left out."""
    contents: dict[str, bytes] = {}
    licences: dict[str, str] = {}
    for each in distributions:
        try:
            found = distribution(each)
        except PackageNotFoundError:
            continue
        files = dict(_installed(found))
        licences |= licences_in(each, files)
        contents |= {file: data for file, data in files.items() if ".dist-info/" not in file}
        contents[f"{each}-{found.version}.dist-info/METADATA"] = _metadata(each, found.version)
    return Wheel(f"{name}-{dlcourse.__version__}-py3-none-any.whl", zipped(contents), licences)


def _installed(found: Distribution) -> Iterator[tuple[str, bytes]]:
    """Read what an installed distribution put beside its modules, without its tests and commands."""
    for file in found.files or ():
        name = file.as_posix()
        if not name.startswith("..") and not matches(name, BALLAST):
            yield name, Path(str(found.locate_file(file))).read_bytes()
