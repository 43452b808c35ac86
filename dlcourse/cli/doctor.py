"""What is installed here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from rich.table import Table
from rich.text import Text

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?")
_NAMES = {"yaml": "pyyaml"}
"""Modules whose package has another name."""
_BROUGHT_ALONG = {
    "docutils": "book",
    "ipython": "grading",
    "jupyter-client": "grading",
    "nbconvert": "grading",
    "nbformat": "grading",
    "pyyaml": "grading",
    "sphinx": "book",
    "traitlets": "grading",
}
"""Packages that an extra brings because what it names needs them."""

TOOLS = (
    ("compiler", ("cc", "gcc", "clang", "cl"), "needed only to compile: install gcc or clang"),
    (
        "browser",
        ("chromium", "chromium-browser", "google-chrome"),
        "needed only to test the book: install chromium",
    ),
    ("git", ("git",), "needed only to contribute: install git"),
)


@dataclass
class Findings:
    """What `doctor` found.

    Args:
        system: lines about the machine, each a name, what was found and whether it is good.
        packages: lines about packages: extra, name, version or remedy, and whether it is there.
        course: lines about this copy of the course.
        missing: what the course cannot do without and is not there.
    """

    system: list[tuple[str, str, bool]] = field(default_factory=list)
    packages: list[tuple[str, str, str, bool]] = field(default_factory=list)
    course: list[tuple[str, str, bool]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def tables(self) -> Iterator[Table]:
        """Yield the findings as tables."""
        for title, lines in (("This machine", self.system), ("This copy of the course", self.course)):
            table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
            for name, found, good in lines:
                table.add_row(name, Text(found, "" if good else "yellow"))
            yield table
        table = Table("For", "Package", "Version", title="Packages", title_justify="left", title_style="bold")
        for extra, name, found, good in self.packages:
            table.add_row(extra, name, Text(found, "" if good else "yellow"))
        yield table


def extra_of(module: str) -> str:
    """Return the extra of dlcourse that brings a module, or an empty string.

    Args:
        module: The name that could not be imported.
    """
    wanted = _NAMES.get(module, module).split(".")[0].lower().replace("_", "-")
    for extra, name, _ in _requirements():
        if extra and name == wanted:
            return extra
    return _BROUGHT_ALONG.get(wanted, "")


def examine(here: Path) -> Findings:
    """Look at the machine, the packages and the course.

    Args:
        here: The current folder.

    Returns:
        What was found.
    """
    findings = Findings()
    _machine(findings)
    _packages(findings)
    _course(findings, here)
    return findings


@cache
def _requirements() -> tuple[tuple[str, str, str], ...]:
    """Return what dlcourse asks for: extra (empty if always needed), package, versions."""
    try:
        lines = metadata.requires("dlcourse") or []
    except metadata.PackageNotFoundError:
        lines = ["numpy>=2.0", "jaxtyping>=0.3"]
    found = []
    for line in lines:
        match = _REQUIREMENT.match(line)
        if not match or match[1] == "dlcourse":
            continue
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", match[3] or "")
        found.append((extra[1] if extra else "", match[1].lower().replace("_", "-"), match[2].strip()))
    return tuple(found)


def _machine(findings: Findings) -> None:
    version = platform.python_version()
    good = (3, 11) <= sys.version_info[:2] < (3, 15)
    findings.system.append(("Python", version if good else f"{version}: needs 3.11 to 3.14", good))
    if not good:
        findings.missing.append(f"Python 3.11 to 3.14 (this is {version}); install it from python.org")
    findings.system.append(
        ("system", f"{platform.system()} {platform.release()}, {platform.machine()}", True)
    )
    findings.system.append(("device", _device(), True))
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS")
    findings.system.append(
        ("threads", f"{usable} usable" + (f", OMP_NUM_THREADS={limit}" if limit else ""), True)
    )
    for name, commands, remedy in TOOLS:
        found = next(filter(None, map(shutil.which, commands)), None)
        findings.system.append((name, found or f"none: {remedy}", found is not None))
    findings.system.append(("sandbox", *_sandbox()))


def _sandbox() -> tuple[str, bool]:
    """Say in which isolation `dlcourse grade` would run learners' code."""
    if not _version("nbgrader"):
        return "none: needed only to grade other people's code", False
    from dlcourse.grading.sandbox import isolation, with_gpu
    from dlcourse.grading.sandbox.gpu import nodes

    here = isolation()
    if here.backend is None or not nodes():
        return here.words, here.backend is not None
    on_gpu = with_gpu(here)
    return on_gpu.words if on_gpu.backend else f"{here.words}; {on_gpu.words}", True


def _device() -> str:
    """Say where tensors would live, without importing torch where it is not installed."""
    if not _version("torch"):
        return "cpu (with the torch extra, a GPU would be used if there is one)"
    try:
        import torch

        if torch.cuda.is_available():
            return f"cuda: {torch.cuda.get_device_name()}"
        if torch.backends.mps.is_available():
            return "mps: the GPU of this Mac"
    except Exception as error:  # a broken driver or installation raises anything
        return f"cpu (torch could not look for a GPU: {type(error).__name__})"
    return "cpu (torch finds no GPU)"


def _packages(findings: Findings) -> None:
    seen: set[str] = set()
    for extra, name, versions in sorted(_requirements(), key=lambda r: (r[0] != "", r[0])):
        if extra == "all" or name in seen:
            continue
        seen.add(name)
        version = _version(name)
        how = f'python -m pip install "dlcourse[{extra}]"' if extra else f"python -m pip install {name}"
        findings.packages.append((extra or "always", name, version or f"missing: {how}", bool(version)))
        if not version and not extra:
            findings.missing.append(f"{name} {versions} ({how})")


def _course(findings: Findings, here: Path) -> None:
    from dlcourse.cli.root import NotInCourseError, find_root

    try:
        root = find_root(here)
    except NotInCourseError:
        findings.course.append(("folder", "not in a copy of the course: only `check` works here", False))
        return
    findings.course.append(("folder", str(root), True))
    index = root / "build" / "book" / "html" / "index.html"
    found = f"built: {index}" if index.is_file() else "not built: run `dlcourse build`"
    findings.course.append(("book", found, index.is_file()))
    folder = Path(os.environ.get("DLCOURSE_COURSE", root / "course")).resolve()
    released = sorted(path.name for path in folder.glob("release/*"))
    learners = {path.parent.name for path in folder.glob("submitted/*/*")}
    graded = sorted(path.stem for path in folder.glob("graded/*.json"))
    findings.course.append(
        (
            "class",
            f"{folder}: released {', '.join(released) or 'nothing'}; {len(learners)} learners have handed in; "
            f"graded {', '.join(graded) or 'nothing'}"
            if folder.is_dir()
            else "none yet: run `dlcourse release`",
            folder.is_dir(),
        )
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
