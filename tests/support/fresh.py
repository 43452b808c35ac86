"""Fresh clones of the repository: what one test made in one from nothing, no other test makes again."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Clone:
    """A fresh clone in which a command ran.

    Args:
        folder: where it is.
        status: how the command ended.
        said: what it printed, and where it failed also its complaints.
    """

    folder: Path
    status: int
    said: str


def run(line, folder=ROOT):
    """Run a command of the README, with the commands of this environment at hand."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        shlex.split(line), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def is_set_up():
    """Tell whether `make setup` made an environment here, which a clone can borrow."""
    return (ROOT / ".venv" / "installed.sha256").is_file()


def copied(to):
    """Copy what a fresh clone would hold, with the environment that is there already; no class is in it."""
    generated = shutil.ignore_patterns(
        "build", "course", ".venv", ".git", ".*_cache", "__pycache__", ".hypothesis"
    )
    copy = shutil.copytree(ROOT, to, ignore=generated)
    if is_set_up():
        # Were it out of date, the copy would renew it, and point it at itself.
        assert run("make setup").returncode == 0
        (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


def cloned(line, shared):
    """Run a command in a fresh clone, unless another test did: in this process or in another worker's.

    Args:
        line: the command.
        shared: a folder of all workers of this run.
    """
    name = "-".join(shlex.split(line))
    kept = shared / f"{name}.json"
    with FileLock(shared / f"{name}.lock"):
        if not kept.is_file():
            folder = copied(shared / name)
            done = run(line, folder)
            said = done.stdout + (done.stderr if done.returncode else "")
            kept.write_text(json.dumps({"status": done.returncode, "said": said}), encoding="utf-8")
    return Clone(shared / name, **json.loads(kept.read_text(encoding="utf-8")))
