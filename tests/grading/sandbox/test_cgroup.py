"""Where control groups may be made, read from files like those that Linux shows."""

import sys

import pytest

from dlcourse.grading.sandbox import cgroup
from dlcourse.grading.sandbox.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are a part of Linux")

SCOPE = "user.slice/user@1000.service/app.slice/terminal.scope"


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """What /proc/self tells, to be written by the test."""
    mounts, own = tmp_path / "mountinfo", tmp_path / "cgroup"
    monkeypatch.setattr(cgroup, "_MOUNTS", mounts)
    monkeypatch.setattr(cgroup, "_OWN", own)

    def write(mounted, groups):
        mounts.write_text("22 1 0:21 / /proc rw - proc proc rw\n" + mounted)
        own.write_text(groups)

    return write


def test_version_2_uses_the_nearest_group_that_hands_its_limits_on(shown, tmp_path):
    top = tmp_path / "fs"
    place = top / SCOPE
    place.mkdir(parents=True)
    for folder in (place, *place.parents):
        if folder.is_relative_to(top):
            (folder / "cgroup.subtree_control").write_text("cpu")
    (place.parent / "cgroup.subtree_control").write_text("cpu memory pids")
    (top / "cgroup.subtree_control").write_text("cpu memory pids")
    shown(f"30 22 0:25 / {top} rw - cgroup2 cgroup2 rw,nsdelegate\n", f"0::/{SCOPE}\n")
    assert cgroup._delegated() == (place.parent,)
    (place.parent / "cgroup.subtree_control").write_text("pids")
    assert cgroup._delegated() == (top,)
    (top / "cgroup.subtree_control").write_text("")
    assert cgroup._delegated() == ()


def test_version_1_needs_both_memory_and_processes(shown, tmp_path):
    memory, pids = tmp_path / "memory", tmp_path / "pids"
    (memory / "inner").mkdir(parents=True)
    pids.mkdir()
    both = (
        f"35 31 0:32 /docker {memory} rw - cgroup cgroup rw,memory\n"
        f"39 31 0:36 / {pids} rw - cgroup cgroup rw,pids\n"
    )
    groups = "8:pids:/\n4:memory:/docker/inner\n0::/\n"
    shown(both, groups)
    assert cgroup._separate() == (memory / "inner", pids)
    shown(both.splitlines()[0] + "\n", groups)
    assert cgroup._separate() == ()


@pytest.mark.parametrize(
    ("files", "written"),
    [
        (("memory.max", "memory.swap.max", "pids.max"), {"memory.max": "1000", "memory.swap.max": "0"}),
        (("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), {"memory.limit_in_bytes": "1000"}),
        (("pids.max",), {"pids.max": "23"}),
    ],
)
def test_limits_are_written_where_they_belong(tmp_path, files, written):
    for name in files:
        (tmp_path / name).touch()
    cgroup._limit(tmp_path, Limits(total_memory=1000, processes=7))
    assert {name: (tmp_path / name).read_text() for name in written} == written


def test_where_there_are_none_none_are_made(shown, monkeypatch):
    shown("", "0::/\n")
    cgroup.parents.cache_clear()
    try:
        group = cgroup.make(Limits())
        assert (group.entered(), group.folders) == ([], ())
        group.remove()
        monkeypatch.setattr(cgroup.os, "geteuid", lambda: 0, raising=False)
        assert cgroup.said("bubblewrap", own_user=True) == "bubblewrap"
        assert cgroup.said("bubblewrap", own_user=False) == "bubblewrap, without a limit on processes"
    finally:
        cgroup.parents.cache_clear()


def test_what_dead_graders_left_is_removed_and_nothing_else(tmp_path):
    for name in (f"dlcourse-{10**9}-0", "dlcourse-1-0", "other"):
        (tmp_path / name).mkdir()
    cgroup._sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dlcourse-1-0", "other"]
