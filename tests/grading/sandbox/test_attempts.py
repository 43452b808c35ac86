"""What learners' code can do in each kind of sandbox: nothing of this list."""

import ctypes
import json
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes need Linux")
ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "dlcourse"

ATTEMPTS = """
import ctypes, glob, importlib, json, mmap, pathlib, platform, resource, socket
import numpy

def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def everything():
    attempt("own loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
    attempt("outside", lambda: socket.create_connection(("192.0.2.1", 80), 2))
    attempt("name", lambda: socket.getaddrinfo("example.org", 80))
    attempt("abstract socket", lambda: socket.socket(socket.AF_UNIX).connect(ABSTRACT))
    attempt("datagram", lambda: socket.socketpair(type=socket.SOCK_DGRAM)[0].connect(ABSTRACT))
    for path in SECRETS:
        attempt(f"read {path}", lambda: pathlib.Path(path).read_bytes()[:9])
        attempt(f"list {path}", lambda: os.listdir(pathlib.Path(path).parent))
        attempt(f"write {path}", lambda: pathlib.Path(path).write_bytes(b"mine"))
        attempt(f"cut {path}", lambda: os.truncate(path, 1))
        attempt(f"rights of {path}", lambda: os.chmod(path, 0o777))
        attempt(f"date of {path}", lambda: os.utime(path, (0, 0)))
        attempt(f"move {path}", lambda: os.rename(path, "here"))
        attempt(f"link {path}", lambda: os.link(path, "here"))
        attempt(f"delete {path}", lambda: os.unlink(path))
    for path in (sys.prefix, sys.base_prefix, PACKAGE, "/usr", "/etc", "/", "/dev", "/proc/sys/kernel"):
        attempt(f"write in {path}", lambda: pathlib.Path(path, "mine").write_text("mine"))
    for path in ("passwd", "group", "hosts", "resolv.conf", "shadow", "machine-id"):
        attempt(f"read {path}", lambda: pathlib.Path("/etc", path).read_text())
    attempt("overwrite numpy", lambda: open(numpy.__file__, "a").write("mine"))
    attempt("rights of numpy", lambda: os.chmod(numpy.__file__, 0o777))
    attempt("overwrite python", lambda: open(os.path.realpath(sys.executable), "ab").write(b"mine"))
    for name in ("neurons.network", "grading.course", "cli", "publishing"):
        attempt(f"import {name}", lambda: importlib.import_module(f"dlcourse.{name}").__file__ or [][0])
    for name in ("neurons/network.py", "grading/course.py", "cli/__init__.py"):
        attempt(f"source {name}", lambda: pathlib.Path(PACKAGE, name).read_text())
    pattern = os.path.join(PACKAGE, "neurons", "__pycache__", "network.*")
    attempt("compiled", lambda: [open(path, "rb").read(1) for path in glob.glob(pattern)][0])
    attempt("exercises", lambda: os.listdir(os.path.join(os.path.dirname(PACKAGE), "exercises")))
    attempt("homes", lambda: [n for n in os.listdir("/home") if n != "learner"][0])
    attempt("8 GB", lambda: len(bytearray(8 * 2**30)))
    attempt("8 GB, shared", lambda: len(mmap.mmap(-1, 8 * 2**30)))
    attempt("large file", lambda: [open("large", "ab").write(bytes(2**20)) for _ in range(20)])
    os.path.exists("large") and os.unlink("large")
    if NESTS:
        attempt("many large files", lambda: [open(f"part{i}", "wb").write(bytes(2**20)) for i in range(30)])
        [os.unlink(path) for path in glob.glob("part*")]
        attempt("many files", lambda: [open(f"part{i}", "w") .close() for i in range(400)])
        [os.unlink(path) for path in glob.glob("part*")]
    attempt("core", lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)))
    attempt("more processes", lambda: resource.setrlimit(resource.RLIMIT_NPROC, (-1, -1)))
    attempt("limits of others", lambda: resource.prlimit(NEIGHBOUR, resource.RLIMIT_CPU, (1, 1)))
    attempt("signal", lambda: os.kill(NEIGHBOUR, 0))
    attempt("shared memory", lambda: call("shmget", MEMORY, 1, 0))
    attempt("become root", lambda: os.setuid(0) if os.getuid() else [][0])
    attempt("a group", lambda: os.setgroups([42]))
    attempt("become somebody", lambda: os.setuid(1000))
    attempt("mount", lambda: call("mount", b"x", b"/tmp", b"tmpfs", 0, None))
    attempt("unmount", lambda: call("umount2", b"/tmp", 2))
    attempt("change root", lambda: os.chroot("/tmp"))
    attempt("a user namespace", lambda: call("unshare", 0x10000000))
    attempt("a mount namespace", lambda: call("unshare", 0x00020000))
    attempt("another's namespace", lambda: call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0))
    attempt("trace", lambda: call("ptrace", 16, os.getppid(), 0, 0))
    attempt("disk", lambda: os.mknod("disk", 0o060666, os.makedev(254, 0)))
    attempt("device", lambda: os.open("/dev/mem", os.O_RDONLY))
    attempt("kernel's settings", lambda: open("/proc/sys/kernel/core_pattern", "w"))
    attempt("kernel's keys", lambda: open("/proc/sysrq-trigger", "w"))
    if platform.machine() == "x86_64":
        attempt("a user namespace, cloned", lambda: call("syscall", 56, 0x10000011, 0, 0, 0, 0))
        attempt("clone3", lambda: call("syscall", 435, 0, 0))
        attempt("bpf", lambda: call("syscall", 321, 0, 0, 0))
        attempt("perf", lambda: call("syscall", 298, 0, 0, 0, 0, 0))
        attempt("keys", lambda: call("syscall", 250, 0, -3, 0))
        attempt("io_uring", lambda: call("syscall", 425, 1, 0))
        attempt("userfaultfd", lambda: call("syscall", 323, 0))
        attempt("another set of calls", lambda: call("syscall", 0x40000000 + 39))
    own = os.readlink("/proc/self") if NESTS else ""
    for name in ("1", *map(str, range(2, 6)), str(os.getppid()), str(NEIGHBOUR)):
        if name != own:
            attempt(f"memory of {name}", lambda: read_memory(name))
            attempt(f"variables of {name}", lambda: open(f"/proc/{name}/environ").read())
    values = {
        "variables": dict(os.environ),
        "user": os.getuid(),
        "capabilities": rights() if own else [],
        "folder": sorted(os.listdir()),
        "pairs": len(socket.socketpair()),
        "package": sorted(os.listdir(PACKAGE)) if NESTS else [],
        "processes": sum(name.isdigit() for name in os.listdir("/proc")) if own else 0,
    }
    print(json.dumps([happened, values]))

def read_memory(name):
    with open(f"/proc/{name}/mem", "rb") as file:
        return file.read(1)

def rights():
    return [line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapPrm", "CapBnd"))]

confine.hide_memory(True)
small = replace(confine.LIMITS, file_size=2**24, scratch=2**24, files=300)
sys.exit(locked(everything, small))
"""


@pytest.fixture
def given(tmp_path):
    """Things that no learner may reach: a listening port, files, shared memory, a process."""
    home = Path(tempfile.mkdtemp(prefix="home-", dir=Path.home()))
    open_to_all = Path(tempfile.mkdtemp(prefix="open-", dir="/var/tmp"))
    files = [home / "private", tmp_path / "private", open_to_all / "private"]
    for path in files:
        path.write_text("hunter2")
    # What everybody may change outside is still out of reach inside.
    open_to_all.chmod(0o777)
    files[-1].chmod(0o664)
    libc = ctypes.CDLL(None)
    key = 0x2A000000 + os.getpid()
    memory = libc.shmget(key, 4096, 0o1666)
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as abstract:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        name = f"\0dlcourse-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        yield {
            "PORT": listener.getsockname()[1],
            "ABSTRACT": name,
            "SECRETS": list(map(str, files)),
            "PACKAGE": str(PACKAGE),
            "NEIGHBOUR": os.getpid(),
            "MEMORY": key,
        }
    libc.shmctl(memory, 0, None)
    assert files[-1].read_text() == "hunter2"
    assert files[-1].stat().st_mode & 0o777 == 0o664
    assert files[-1].stat().st_mtime > 0
    for folder in (home, open_to_all):
        shutil.rmtree(folder)


@pytest.mark.slow
def test_nothing_works_that_should_not(way, given):
    script = "".join(f"{name} = {value!r}\n" for name, value in given.items()) + ATTEMPTS
    printed = way.run(script, modules=["dlcourse.checks", "dlcourse.neurons.neuron"])
    happened, values = json.loads(printed)
    worked = {name: result for name, result in happened.items() if not result.startswith("refused")}
    if way.kind == "landlock":
        # It is silent about these; `given` looks at what became of the file.
        worked = {
            name: result for name, result in worked.items() if not name.startswith(("rights of", "date of"))
        }
    assert worked == {}
    assert len(happened) > 60
    assert "hunter2" not in str(values["variables"])
    assert values["variables"].keys().isdisjoint(["SECRET_TOKEN", "DLCOURSE_COURSE"])
    assert values["user"] not in (0, 12345) or way.kind == "landlock"
    assert set(values["capabilities"]) <= {"0000000000000000"}
    assert values["folder"] == []
    assert values["pairs"] == 2
    if way.nests:
        assert set(values["package"]) - {"__pycache__"} == {"__init__.py", "checks", "grading", "neurons"}
        assert values["processes"] < 8
