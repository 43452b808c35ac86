"""Two learners, one after the other: what the first leaves behind, the second must not find."""

from .recipe import EVERYTHING, RIGHT_ADD, Recipe

RECIPES = [
    Recipe(
        "looks for files of the one before",
        before="""
import os
for folder in (".", "/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), "/run", "/"):
    try:
        open(f"{folder}/left-behind.py", "w").write("answer = 42")
    except OSError:
        pass
""",
        last="""
import os, sys
# Programs and libraries are many files, and nobody could leave one there.
elsewhere = {"/proc", "/sys", "/usr", "/opt", sys.prefix, sys.base_prefix}
for folder, below, names in os.walk("/"):
    below[:] = [name for name in below if os.path.join(folder, name) not in elsewhere]
    if "left-behind.py" in names:
        print("FOUND", folder)
print("looked")
""",
        shows={"last": "looked"},
        unsaid=["FOUND"],
        slow=True,
    ),
    Recipe(
        "looks for processes of the one before",
        before="""
import os, socket, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(987654)"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    server = socket.socket(socket.AF_UNIX)
    server.bind("\\0left-behind")
    server.listen()
    time.sleep(987654)
time.sleep(0.2)
""",
        last="""
import os, pathlib, socket
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        if b"987654" in path.read_bytes() and path.parent.name != str(os.getpid()):
            print("FOUND", path)
    except OSError:
        pass
try:
    socket.socket(socket.AF_UNIX).connect("\\0left-behind")
    print("FOUND socket")
except OSError:
    print("looked")
""",
        shows={"last": "looked"},
        unsaid=["FOUND"],
    ),
    Recipe(
        "looks for shared memory of the one before",
        before="""
from multiprocessing import shared_memory
block = shared_memory.SharedMemory("left-behind", create=True, size=100)
import ctypes
libc = ctypes.CDLL(None)
libc.shmat(libc.shmget(4711, 100, 0o1666), 0, 0)
libc.msgget(4712, 0o1666)
""",
        last="""
from multiprocessing import shared_memory
import ctypes
libc = ctypes.CDLL(None)
try:
    print("FOUND", shared_memory.SharedMemory("left-behind"))
except FileNotFoundError:
    print("looked")
if libc.shmget(4711, 100, 0) >= 0 or libc.msgget(4712, 0) >= 0:
    print("FOUND System V")
""",
        shows={"last": "looked"},
        unsaid=["FOUND"],
    ),
    Recipe(
        "works with the modules that the one before has changed",
        before="""
import builtins, json, os, sys
import numpy as np
np.exp = np.zeros = np.array = np.testing.assert_allclose = lambda *args, **more: 1 / 0
np.ones(3).__class__
sys.modules["math"] = None
builtins.print = builtins.len = lambda *args: 1 / 0
os.environ["LEFT"] = "behind"
json.loads = None
sys.path.insert(0, "/tmp")
sys.setrecursionlimit(60)
sys.settrace(lambda *args: 1 / 0)
""",
        last="import math, os\nprint(len([1]), os.environ.get('LEFT', 'looked'))",
        shows={"last": "1 looked"},
    ),
    Recipe(
        "is blank, after one who was right",
        before=f"{RIGHT_ADD}import builtins\nbuiltins.add = add\nget_ipython().user_global_ns['add'] = add",
        blank=True,
        costs=EVERYTHING,
        told={"add_check": "is not written yet"},
    ),
    Recipe(
        "comes after one who ended everything",
        before="import os, signal\nos.kill(-1, signal.SIGKILL)\nos._exit(1)",
    ),
    Recipe(
        "comes after one who closed the dialog",
        before=(
            "import os\n"
            "for end in range(3, 100):\n"
            "    try:\n"
            "        os.write(end, b'garbage')\n"
            "    except OSError:\n"
            "        pass\n"
            "os.closerange(0, 4096)"
        ),
    ),
    Recipe(
        "comes after one who forked without end",
        before=("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"),
        slow=True,
    ),
    Recipe(
        "comes after one who stopped everybody",
        before="import os, signal\nos.kill(-1, signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)",
        slow=True,
    ),
    Recipe(
        "comes after one who took all memory",
        before="kept = []\nwhile True:\n    kept.append(bytearray(2**24))",
    ),
    Recipe(
        "comes after one who filled the disk",
        before="with open('/tmp/large', 'wb') as file:\n    while True:\n        file.write(bytes(2**24))",
    ),
]
