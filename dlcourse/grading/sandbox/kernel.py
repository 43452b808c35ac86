"""A sandbox made by the kernel's own calls, where nothing is installed: namespaces and a file system of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dlcourse.grading.sandbox import namespaces, users
from dlcourse.grading.sandbox.backend import Launch, Local
from dlcourse.grading.sandbox.confine import SHARED
from dlcourse.grading.sandbox.gpu import opening
from dlcourse.grading.sandbox.namespaces import Plan
from dlcourse.grading.sandbox.view import variables, view


class Namespaces(Local):
    """Starts sandboxes with the kernel's namespaces."""

    name = "kernel namespaces"

    def launch(self, argv: Sequence[str], modules: Sequence[str], hidden: Sequence[Path]) -> Launch:
        """Say how to start it; see `Backend`."""
        let_in = opening(self.gpu)
        seen = view(modules, hidden, let_in.facts)
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
            devices=list(let_in.nodes),
            command=[sys.executable, *argv],
        )
        return Launch(
            [sys.executable, "-S", "-m", namespaces.__name__, json.dumps(asdict(plan))],
            variables=variables(**let_in.variables, **{SHARED: let_in.shared(users.shared(self.own_user))}),
        )
