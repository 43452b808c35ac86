"""Landlock's own part, as far as it can be seen without a sandbox around it."""

import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.grading.sandbox import descendants, landlock
from dlcourse.grading.sandbox.view import Place, View

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Landlock is a part of Linux")

RESTRICTED = """
import os, sys
from dlcourse.grading.sandbox import calls, landlock
landlock.version = lambda: {version}
seen, written, outside = sys.argv[1:]
calls.control(calls.NO_NEW_RIGHTS, 1)
landlock.restrict(landlock.Plan(0, [seen], [], [written], "", []))
open(os.path.join(seen, "file")).close()
open(os.path.join(written, "file"), "w").close()
for path, how in ((outside, "r"), (os.path.join(seen, "file"), "w"), (os.path.join(seen, "new"), "w")):
    try:
        open(path, how)
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(landlock.version() < landlock.SCOPES, reason="this kernel's Landlock is older")
@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_every_version_from_the_oldest_on_is_asked_for_what_it_knows(tmp_path, version):
    for name in ("seen", "written"):
        (tmp_path / name).mkdir()
    (tmp_path / "seen" / "file").touch()
    (tmp_path / "outside").touch()
    argv = [str(tmp_path / name) for name in ("seen", "written", "outside")]
    run = subprocess.run(
        [sys.executable, "-c", RESTRICTED.format(version=version), *argv],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout.split() == ["refused"] * 3, run.stderr


def test_an_older_one_is_refused(monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 2)
    with pytest.raises(OSError, match=r"version 3 or later is needed \(Linux 6\.2\), this kernel has 2"):
        landlock.restrict(landlock.Plan(0, [], [], [], "", []))


def test_before_signals_were_kept_inside_the_filter_does_it(monkeypatch):
    here = landlock.Landlock(own_user=False)
    monkeypatch.setattr(landlock, "version", lambda: 5)
    assert here._shared() == "sockets neighbours users signals"
    monkeypatch.setattr(landlock, "version", lambda: 6)
    assert here._shared() == "sockets neighbours users"
    assert landlock.Landlock(own_user=True)._shared() == "sockets neighbours"


def test_what_is_covered_is_left_out_of_what_can_be_read(tmp_path):
    for name in ("lib/site-packages/numpy", "lib/site-packages/dlcourse/checks", "bin"):
        (tmp_path / name).mkdir(parents=True)
    libraries = tmp_path / "lib" / "site-packages"
    places = (Place(tmp_path, tmp_path), Place(libraries / "dlcourse", None))
    read, listed = landlock._allowed(View((), places))
    assert set(read) == {tmp_path / "bin", libraries / "numpy"}
    assert set(listed) == {tmp_path, tmp_path / "lib", libraries}


def test_all_below_a_process_are_found():
    child = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(['/bin/cat'])"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        child.stdin.write(b"x")
        child.stdin.flush()
        assert child.stdout.read(1) == b"x"
        found = descendants.below(child.pid)
        names = [Path(f"/proc/{number}/comm").read_text().strip() for number in found]
    assert names == ["cat"]
