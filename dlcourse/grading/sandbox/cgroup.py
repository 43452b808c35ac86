"""Limits on a whole sandbox by control groups, where this process may make some."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcourse.grading.sandbox.limits import Limits

_MOUNTS = Path("/proc/self/mountinfo")
_OWN = Path("/proc/self/cgroup")
_PREFIX = "dlcourse-"
TRIES = 100
"""How often a group is tried to be removed, a hundredth of a second apart."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """A control group for one sandbox: a folder for each controller, or none.

    Args:
        folders: The folders.
    """

    folders: tuple[Path, ...]

    def entered(self) -> list[str]:
        """Return what to put before a command so that it runs in the group."""
        if not self.folders:
            return []
        files = [str(folder / "cgroup.procs") for folder in self.folders]
        script = 'n=$1; shift; while [ $n -gt 0 ]; do echo $$ >"$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'
        return ["/bin/sh", "-c", script, "sh", str(len(files)), *files]

    def remove(self) -> None:
        """Remove the group, whose processes have ended."""
        for folder in self.folders:
            _remove(folder)


def make(limits: Limits) -> Group:
    """Make a group with limits for one sandbox.

    Args:
        limits: How much it may use.

    Returns:
        The group, which has no folders where groups cannot be had.
    """
    made: list[Path] = []
    try:
        for parent in parents():
            folder = parent / f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
            folder.mkdir()
            made.append(folder)
            _limit(folder, limits)
    except OSError:
        Group(tuple(made)).remove()
        return Group(())
    return Group(tuple(made))


def said(words: str, own_user: bool) -> str:
    """Return what the reports say of a back end, with the limits that it has or lacks.

    Args:
        words: Its name.
        own_user: Whether its sandboxes have user ids of their own.
    """
    if parents():
        return f"{words}, cgroup"
    # Linux does not count the processes of root.
    return f"{words}, without a limit on processes" if os.geteuid() == 0 and not own_user else words


@cache
def parents() -> tuple[Path, ...]:
    """Return the folders in which this process may make groups: one for each kind of limit, or for both, or none."""
    try:
        found = _delegated() or _separate()
    except (OSError, ValueError):
        return ()
    for parent in found:
        _sweep(parent)
    try:
        # Whether a process may be moved is only known once one was.
        for parent in found:
            folder = parent / f"{_PREFIX}{os.getpid()}-try"
            folder.mkdir()
            try:
                _try(Group((folder,)))
                _limit(folder, Limits())
            finally:
                _remove(folder)
    except (OSError, subprocess.SubprocessError):
        return ()
    return found


def _try(group: Group) -> None:
    nowhere = subprocess.DEVNULL
    subprocess.run([*group.entered(), "/bin/true"], check=True, timeout=10, stdout=nowhere, stderr=nowhere)


def _limit(folder: Path, limits: Limits) -> None:
    if (folder / "pids.max").exists():
        # A few of the sandbox's own come on top.
        (folder / "pids.max").write_text(str(limits.processes + 16))
    if (folder / "memory.max").exists():
        (folder / "memory.max").write_text(str(limits.total_memory))
        with suppress(OSError):
            (folder / "memory.swap.max").write_text("0")
    elif (folder / "memory.limit_in_bytes").exists():
        (folder / "memory.limit_in_bytes").write_text(str(limits.total_memory))
        with suppress(OSError):
            (folder / "memory.memsw.limit_in_bytes").write_text(str(limits.total_memory))


def _mounts() -> Iterator[tuple[str, str, str, str]]:
    """Yield kind, options, root and place of each mounted tree of groups."""
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            root, point = before.split()[3:5]
            yield kind, options, root, point


def _own(controller: str) -> str:
    """Return the group that this process is in, for a controller of version 1, or "" for version 2."""
    for line in _OWN.read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path
    raise ValueError(f"no group of {controller or 'version 2'}")


def _place(root: str, point: str, own: str) -> Path | None:
    """Return where a group is seen, if it is."""
    if not Path(own).is_relative_to(root):
        return None
    return Path(point, Path(own).relative_to(root))


def _delegated() -> tuple[Path, ...]:
    """Return the nearest group of version 2 in which this process may make others with limits."""
    for kind, _, root, point in _mounts():
        place = _place(root, point, _own("")) if kind == "cgroup2" else None
        if not place:
            continue
        for folder in (place, *place.parents):
            if not folder.is_relative_to(point):
                break
            given = (folder / "cgroup.subtree_control").read_text().split()
            if {"memory", "pids"} <= set(given) and os.access(folder, os.W_OK):
                return (folder,)
    return ()


def _separate() -> tuple[Path, ...]:
    """Return this process's groups of version 1, where it may make others in both of them."""
    found = []
    for controller in ("memory", "pids"):
        for kind, options, root, point in _mounts():
            if kind == "cgroup" and controller in options.split(","):
                place = _place(root, point, _own(controller))
                if place and os.access(place, os.W_OK):
                    found.append(place)
                    break
    return tuple(found) if len(found) == 2 else ()


def _sweep(parent: Path) -> None:
    """Remove what graders left that were themselves ended by force."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with suppress(OSError):
                folder.rmdir()


def _remove(folder: Path) -> None:
    # Linux may still be clearing up after the last process.
    for _ in range(TRIES):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            with suppress(OSError):
                (folder / "cgroup.kill").write_text("1")
            time.sleep(0.01)
        else:
            return
