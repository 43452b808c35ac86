"""What each kind of sandbox lets in for a GPU, with made-up device nodes: no test machine has a GPU."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dlcourse.grading import sandbox
from dlcourse.grading.sandbox import gpu, landlock
from dlcourse.grading.sandbox.bubblewrap import Bubblewrap
from dlcourse.grading.sandbox.container import Container
from dlcourse.grading.sandbox.kernel import Namespaces
from dlcourse.grading.sandbox.limits import LIMITS
from dlcourse.grading.sandbox.plain import Plain

NODES = ("/dev/nvidia0", "/dev/nvidiactl")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="these sandboxes need Linux")


@pytest.fixture
def nodes(monkeypatch):
    """Device nodes that nobody looks at."""
    monkeypatch.setattr(gpu, "nodes", lambda: NODES)
    monkeypatch.setattr(gpu, "_SYSTEM", Path("/nowhere"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/usr/local/nvidia/lib64")


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ((), ()),
        (("null", "nvram"), ()),
        (("nvidiactl", "nvidia-uvm"), ()),  # the driver without a GPU
        (
            (
                "nvidia0",
                "nvidia12",
                "nvidiactl",
                "nvidia-uvm",
                "nvidia-uvm-tools",
                "nvidia-modeset",
                "nvidia-caps",
            ),
            ("nvidia-caps", "nvidia-uvm", "nvidia0", "nvidia12", "nvidiactl"),
        ),
    ],
)
def test_the_nodes_for_computing_are_found_and_no_others(tmp_path, monkeypatch, there, found):
    monkeypatch.setattr(gpu, "_DEVICES", tmp_path)
    for name in there:
        (tmp_path / name).touch()
    assert gpu.nodes() == tuple(str(tmp_path / name) for name in found)


def test_of_the_system_the_gpus_own_part_is_shown(tmp_path, monkeypatch):
    own = tmp_path / "devices" / "pci0000:00" / "0000:01:00.0"
    drivers = tmp_path / "bus" / "pci" / "drivers" / "nvidia"
    for folder in (own, drivers, tmp_path / "module" / "nvidia", tmp_path / "class" / "net"):
        folder.mkdir(parents=True)
    (drivers / "0000:01:00.0").symlink_to(own)
    (drivers / "new_id").touch()
    monkeypatch.setattr(gpu, "_SYSTEM", tmp_path)
    assert gpu.opening().facts == (tmp_path / "module" / "nvidia", own)


def test_whoever_chooses_among_gpus_is_heard(nodes):
    assert gpu.opening().variables == {
        "CUDA_VISIBLE_DEVICES": "1",
        "LD_LIBRARY_PATH": "/usr/local/nvidia/lib64",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def shared(command):
    return command.split("--setenv DLCOURSE_SHARED ")[1].split(" --")[0].split()


@LINUX
def test_bubblewrap_binds_the_nodes_as_devices(nodes):
    closed = Bubblewrap(own_user=False)
    command = " ".join(closed.with_gpu().launch(["-c", "pass"], [], []).command)
    bound = " ".join(f"--dev-bind {node} {node}" for node in NODES)
    before, after = command.split(bound)
    assert "--dev /dev" in before
    assert "--remount-ro /dev" in after
    assert "--setenv CUDA_VISIBLE_DEVICES 1" in command
    assert "gpu" in shared(command)
    without = " ".join(closed.launch(["-c", "pass"], [], []).command)
    assert not any(word in without for word in ("nvidia", "CUDA", "--dev-bind"))
    assert "gpu" not in shared(without)


@LINUX
def test_the_kernels_own_means_show_the_nodes_too(nodes):
    closed = Namespaces(own_user=False)
    launch = closed.with_gpu().launch(["-c", "pass"], [], [])
    assert json.loads(launch.command[-1])["devices"] == list(NODES)
    assert launch.variables["CUDA_VISIBLE_DEVICES"] == "1"
    assert "gpu" in launch.variables["DLCOURSE_SHARED"].split()
    without = closed.launch(["-c", "pass"], [], [])
    assert json.loads(without.command[-1])["devices"] == []
    assert "gpu" not in without.variables["DLCOURSE_SHARED"].split()


def test_landlock_lets_no_gpu_in_and_says_so(nodes):
    here = sandbox.Isolation("Landlock, cgroup", landlock.Landlock(own_user=False))
    assert sandbox.with_gpu(here) == sandbox.Isolation("Landlock, cgroup cannot let a GPU in", None)


@pytest.mark.parametrize(
    ("program", "words"),
    [("/usr/bin/docker", "--gpus all"), ("/usr/bin/podman", "--device nvidia.com/gpu=all")],
)
def test_a_container_gets_the_gpus_from_its_program(nodes, program, words):
    closed = Container(program, "image:1")
    command, without = (
        " ".join(made.command(["-c", "pass"], "name", Path("/staged")))
        for made in (closed.with_gpu(), closed)
    )
    assert f" {words} " in command
    assert "--env DLCOURSE_SHARED=users gpu" in command
    assert "--env CUDA_VISIBLE_DEVICES=1" in command
    assert "LD_LIBRARY_PATH" not in command  # of this machine, not of the image
    assert "gpu" not in without
    assert "CUDA" not in without


def test_without_a_gpu_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(gpu, "nodes", lambda: ())
    monkeypatch.setattr(sandbox, "_tried", lambda *_: pytest.fail("something was started"))
    here = sandbox.Isolation("none (--unsafe)", Plain())
    sandbox.with_gpu.cache_clear()
    assert sandbox.with_gpu(here) == sandbox.Isolation("there is no GPU of NVIDIA's", None)
    sandbox.with_gpu.cache_clear()


SEEN = """
import json, os, resource, stat, sys
from dlcourse.grading.sandbox import confine
node, fact = sys.argv[1:]
confine.lock_down()
try:
    os.close(os.open(node, os.O_RDWR))
    opened = "yes"
except OSError as error:
    opened = error.strerror
try:
    open(os.path.join(fact, "new"), "w")
    written = True
except OSError:
    written = False
limits = [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in ("AS", "DATA")]
variable = os.environ.get("CUDA_VISIBLE_DEVICES")
print(json.dumps([opened, os.path.isdir(fact), written, os.listdir("/dev"), limits, variable]))
"""
# What runs inside is a user of its own: on some machines root alone may open /dev/fuse.
NODE = (
    "/dev/fuse" if os.path.exists("/dev/fuse") and os.stat("/dev/fuse").st_mode & stat.S_IWOTH else "/dev/tty"
)
FACT = "/sys/devices/system/cpu"


def seen_in(backend):
    process = backend.start(["-c", SEEN, NODE, FACT], modules=(), stderr=subprocess.PIPE)
    printed, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return json.loads(printed)


@LINUX
@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir(FACT), reason="this machine shows nothing of itself in /sys")
@pytest.mark.parametrize("kind", ["bubblewrap", "kernel"])
def test_a_real_sandbox_lets_in_what_it_is_told_and_nothing_else(kind, monkeypatch):
    monkeypatch.setattr(gpu, "nodes", lambda: (NODE,))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    here = sandbox.isolation(kind)
    if here.backend is None:
        pytest.skip(here.words)
    _, shown, _, before, limits, variable = seen_in(here.backend)
    assert (shown, variable) == (False, None)
    assert limits == [LIMITS.address_space, LIMITS.memory]
    opened, shown, written, devices, limits, variable = seen_in(here.backend.with_gpu())
    assert opened in (
        "yes",
        "No such device or address",
    )  # of a terminal there is none; "Permission denied": no device
    assert (shown, written, variable) == (True, False, "1")
    assert set(devices) == {*before, Path(NODE).name}
    assert limits == [
        -1,
        LIMITS.memory,
    ]  # CUDA maps more than there is; what it fills is limited all the same
