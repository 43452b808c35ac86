"""What is seen inside: the system and this Python, read-only, and of the package what was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path

from dlcourse.grading.sandbox.confine import HOME, SHARED

PACKAGE = Path(__file__).resolve().parents[2]
"""The folder of `dlcourse`."""
SETTINGS = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types")
"""What libraries read below /etc. Names of users and hosts are not among it."""
OURS = "dlcourse.grading.sandbox"

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_LIBRARIES = ("site-packages", "dist-packages")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Place:
    """A path inside.

    Args:
        path: The path.
        source: What is seen there, with no link on the way to it; None: nothing but the places below.
    """

    path: Path
    source: Path | None


@dataclass(frozen=True)
class View:
    """All that is seen inside, apart from what each sandbox has of its own.

    Args:
        links: Links of the system, and where each points.
        places: The paths, outer ones first.
    """

    links: tuple[tuple[str, str], ...]
    places: tuple[Place, ...]

    def folders(self, place: Place) -> list[Path]:
        """Return the folders that must be made before a place can be, outer ones first.

        Args:
            place: One of the places.
        """
        return by_depth(path for path in place.path.parents if not self._exists(path))

    def _exists(self, path: Path) -> bool:
        if path == Path("/"):
            return True
        around = [place for place in self.places if path.is_relative_to(place.path)]
        return bool(around) and (around[-1].source is not None or around[-1].path == path)


def view(modules: Sequence[str] | None, hidden: Iterable[Path] = (), facts: Iterable[Path] = ()) -> View:
    """Find out what is to be seen inside.

    Args:
        modules: The parts of the package, by their dotted names; None: it is not seen at all.
        hidden: Folders that are not to be seen, wherever they lie.
        facts: What else of the machine is to be seen.

    Returns:
        The view; a folder that does not exist is left out.

    Raises:
        ValueError: One of the parts does not exist.
    """
    links = [(name, os.readlink(name)) for name in _SYSTEM if os.path.islink(name)]
    system = [Path(name) for name in _SYSTEM if os.path.isdir(name) and not os.path.islink(name)]
    system += [path for name in SETTINGS if (path := Path("/etc", name)).exists()]
    system += facts
    places = [Place(path, path.resolve()) for path in system]
    outer = [*system, *(Path(name) for name, _ in links)]
    for path in by_depth(_python()):
        if not any(path.is_relative_to(place) for place in outer):
            outer.append(path)
            places.append(Place(path, path.resolve()))
    covered = by_depth({path.resolve() for path in hidden if path.is_dir()} | {_home_of_package()})
    places += [Place(path, None) for path in covered if path == PACKAGE or _within(path, outer)]
    # A Python that lives in the repository is still seen where the repository is not.
    places += [
        Place(path, path.resolve())
        for path in by_depth(_python())
        if _within(path, covered) and path not in {place.path for place in places}
    ]
    if modules is not None:
        places += [Place(path, path) for path in files_of([*modules, OURS])]
    return View(tuple(links), tuple(sorted(places, key=lambda place: len(place.path.parts))))


def files_of(modules: Iterable[str]) -> list[Path]:
    """Return the files and folders of parts of the package, with what Python needs above them.

    Args:
        modules: Their dotted names.

    Returns:
        The paths, outer ones first; none is below another one.

    Raises:
        ValueError: One of them does not exist.
    """
    found: set[Path] = set()
    for name in modules:
        path = PACKAGE.joinpath(*name.split(".")[1:])
        found |= {parent / "__init__.py" for parent in path.parents if parent.is_relative_to(PACKAGE)}
        if path == PACKAGE:
            found.add(path / "__init__.py")
        elif path.is_dir():
            found.add(path)
        elif path.with_suffix(".py").is_file():
            found.add(path.with_suffix(".py"))
        else:
            raise ValueError(f"{name} is no part of {PACKAGE}")
    compiled = (Path(cache_from_source(str(path))) for path in found if path.suffix == ".py")
    found |= {path for path in compiled if path.is_file()}
    return by_depth(path for path in found if found.isdisjoint(path.parents))


def variables(**more: str) -> dict[str, str]:
    """Return the environment variables inside.

    Args:
        more: What is added or changed.
    """
    outside = [path for path in sys.path if path.endswith(_LIBRARIES) and Path(path).exists()]
    return {
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        # A learner's file named numpy.py must not come before NumPy.
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(PACKAGE.parent), *outside])),
        "TMPDIR": "/tmp",
        "USER": "learner",
        SHARED: "",
        # A thread counts as a process, and several learners are graded at the same time.
        **{name: os.environ.get(name, "1") for name in _THREADS},
        **more,
    }


def by_depth(paths: Iterable[Path]) -> list[Path]:
    """Return paths sorted so that what contains another one comes before it.

    Args:
        paths: The paths.
    """
    return sorted(set(paths), key=lambda path: (len(path.parts), path))


def _within(path: Path, places: Iterable[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def _home_of_package() -> Path:
    """Return what is covered so that nothing of the course is seen: the repository, or the installed package."""
    return PACKAGE if PACKAGE.parent.name in _LIBRARIES else PACKAGE.parent


def _python() -> Iterator[Path]:
    """Yield the folders of this Python, at both of their names where links lead to them."""
    wanted = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    wanted += [os.path.realpath(sys.executable)]
    wanted += [folder for folder in sys.path if folder.endswith(_LIBRARIES)]
    for name in wanted:
        for path in (Path(name).absolute(), Path(name).resolve()):
            if path.exists():
                yield path
