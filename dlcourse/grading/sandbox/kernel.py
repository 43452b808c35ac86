"""A sandbox made by the kernel's own calls, where nothing is installed: namespaces and a file system of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dlcourse.grading.sandbox import cgroup, namespaces, users
from dlcourse.grading.sandbox.confine import SHARED
from dlcourse.grading.sandbox.limits import LIMITS, Limits
from dlcourse.grading.sandbox.namespaces import Plan
from dlcourse.grading.sandbox.process import Process
from dlcourse.grading.sandbox.view import variables, view


@dataclass(frozen=True)
class Namespaces:
    """Starts sandboxes with the kernel's namespaces.

    Args:
        own_user: Whether each sandbox gets a user id of its own, which only root can give.
        limits: How much a sandbox may use.
    """

    own_user: bool
    limits: Limits = LIMITS

    @property
    def words(self) -> str:
        """What the reports say."""
        return cgroup.said("kernel namespaces", self.own_user)

    def start(
        self,
        argv: Sequence[str],
        *,
        modules: Sequence[str],
        hidden: Sequence[Path] = (),
        stderr: int = subprocess.DEVNULL,
    ) -> Process:
        """Start Python in a sandbox; see `Backend`."""
        seen = view(modules, hidden)
        places: list[tuple[str, str]] = []
        for place in seen.places:
            places += [("folder", str(folder)) for folder in seen.folders(place)]
            places.append((str(place.source) if place.source else "cover", str(place.path)))
        plan = Plan(
            user=users.choose() if self.own_user else 0,
            scratch=self.limits.scratch,
            files=self.limits.files,
            links=list(seen.links),
            places=places,
            command=[sys.executable, *argv],
        )
        group = cgroup.make(self.limits)
        program = [sys.executable, "-S", "-m", namespaces.__name__, json.dumps(asdict(plan))]
        return Process(
            [*group.entered(), *program],
            variables=variables(**{SHARED: users.shared(self.own_user)}),
            at_end=[group.remove],
            stderr=stderr,
        )
