"""Attempts to reach what is outside of the sandbox: the answers are right, so they cost nothing, and nothing works."""

from .recipe import Recipe


def _attempts(name, *attempts, prepare="", **more):
    """Write a recipe of statements that must all fail; each one raises, or leaves something in `got` if it works."""
    code = f"import ctypes, os, pathlib, signal, socket, subprocess, sys\n{prepare}\n"
    code += "libc = ctypes.CDLL(None, use_errno=True)\n"
    code += (
        "def call(name, *args):\n"
        "    if getattr(libc, name)(*args) < 0:\n"
        "        raise OSError(ctypes.get_errno(), name)\n"
    )
    for number, attempt in enumerate(attempts):
        code += (
            f"got = True\ntry:\n    {attempt}\n    print({number}, 'WORKED' if got else 'refused')\n"
            f"except BaseException as error:\n    print({number}, 'refused', type(error).__name__, error)\n"
        )
    refused = "(?s)" + ".*".join(f"{number} refused" for number in range(len(attempts)))
    return Recipe(name, last=code, shows={"last": refused}, unsaid=["WORKED"], **more)


RECIPES = [
    _attempts(
        "calls somebody",
        'socket.create_connection(("127.0.0.1", int("@PORT@")), 2)',
        'socket.create_connection(("192.0.2.1", 80), 2)',
        'socket.getaddrinfo("example.org", 80)',
        'socket.socket(socket.AF_UNIX).connect("\\0@ABSTRACT@")',
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:@PORT@', timeout=2)",
    ),
    _attempts(
        "reads what is private",
        'open("@SECRET@").read()',
        'got = "private" in str(os.listdir(os.path.dirname("@SECRET@")))',
        'open("@CHAPTER@").read()',
        'open("@SOLUTION@").read()',
        'got = "hunter2" in str(dict(os.environ))',
        'got = b"hunter2" in b"".join(p.read_bytes() for p in pathlib.Path("/proc").glob("*/environ"))',
        'got = b"hunter2" in pathlib.Path("/proc/self/environ").read_bytes()',
        'open("/etc/shadow").read()',
        'open(os.path.join(os.path.dirname(os.path.dirname("@SECRET@")), ".bashrc")).read()',
    ),
    _attempts(
        "writes what is not its own",
        'open("@SECRET@", "w").write("mine")',
        '__import__("sqlite3").connect("@GRADEBOOK@").execute("update submission set score = 5994")',
        'open(__import__("numpy").__file__, "a").write("mine")',
        'open(os.path.realpath(sys.executable), "ab").write(b"mine")',
        'pathlib.Path(sys.prefix, "mine").write_text("mine")',
        'pathlib.Path(__import__("dlcourse").__path__[0], "mine.py").write_text("mine")',
        'pathlib.Path("/usr/mine").write_text("mine")',
        'pathlib.Path("/etc/mine").write_text("mine")',
        'pathlib.Path("/mine").write_text("mine")',
        'os.symlink("/", "/usr/mine")',
        'os.remove("/bin/sh")',
    ),
    _attempts(
        "looks at other processes",
        'got = len([n for n in os.listdir("/proc") if n.isdigit()]) > 20',
        "os.kill(@NEIGHBOUR@, 0)",
        'open("/proc/@NEIGHBOUR@/cmdline").read()',
        'open("/proc/1/mem", "rb").read(1)',
        'got = bool(os.listdir("/proc/1/fd"))',
        'open(f"/proc/{os.getppid()}/mem", "rb").seek(4096); open(f"/proc/{os.getppid()}/maps").read(1)',
        "call('ptrace', 16, 1, 0, 0)",
        "call('ptrace', 16, os.getppid(), 0, 0)",
        "call('syscall', 310, 1, 0, 0, 0, 0, 0)",
    ),
    _attempts(
        "wants more rights",
        "os.setuid(0)",
        "os.setgid(0)",
        "call('unshare', 0x10000000)",
        "call('unshare', 0x00020000)",
        "call('syscall', 56, 0x10000011, 0, 0, 0, 0)",
        "call('mount', b'none', b'/tmp', b'tmpfs', 0, 0)",
        "os.chroot('/tmp')",
        "call('syscall', 321, 0, 0, 0)",
        "call('syscall', 425, 8, ctypes.create_string_buffer(200))",
        "call('syscall', 298, ctypes.create_string_buffer(200), 0, -1, -1, 0)",
        "call('syscall', 248, b'user', b'name', b'x', 1, -3)",
        "call('syscall', 246, 0, 0, 0, 0)",
        "subprocess.run(['su', '-c', 'id'], check=True, capture_output=True)",
        "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))",
    ),
    _attempts(
        "lifts its limits",
        "import resource; resource.setrlimit(resource.RLIMIT_NPROC, (-1, -1))",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))",
        "os.nice(-10)",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
        "got = bool(open('/sys/fs/cgroup/cgroup.procs', 'w').write('1'))",
    ),
    _attempts(
        "has capabilities",
        "got = any(int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith('Cap') "
        "and not line.startswith('CapBnd'))",
        "got = 'NoNewPrivs:\\t1' not in open('/proc/self/status').read()",
        "got = 'Seccomp:\\t2' not in open('/proc/self/status').read()",
    ),
    _attempts(
        "talks to devices and the kernel",
        "got = bool(set(os.listdir('/dev')) - {'null', 'zero', 'full', 'random', 'urandom', 'tty', 'pts', 'ptmx', 'shm', "
        "'fd', 'stdin', 'stdout', 'stderr', 'console', 'core', 'mqueue'})",
        "open('/proc/sys/kernel/hostname', 'w').write('mine')",
        "open('/proc/sysrq-trigger', 'w').write('h')",
        "open('/sys/kernel/mm/transparent_hugepage/enabled', 'w').write('never')",
        "socket.sethostname('mine')",
        "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    ),
    _attempts(
        "sends signals to everybody",
        "os.kill(@NEIGHBOUR@, 9)",
        "os.killpg(@NEIGHBOUR@, 9)",
    ),
    Recipe(
        "sees which machine this is",
        last="import os, socket\nprint(socket.gethostname(), os.environ, os.getcwd(), os.listdir())",
        unsaid=["@HOST@", "hunter2", "@SECRET@"],
    ),
]
