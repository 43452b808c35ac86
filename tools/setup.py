# ruff: noqa: RUF005, UP031 - must be readable by any Python 3, to tell an old one what to do
"""Make ``.venv`` and install the lock and the package into it. Runs on bare Python, and says what is missing.

The stamp holds what was installed: a second run does nothing, and says so.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed.sha256")
LOG = os.path.join(ROOT, "build", "setup.log")

# What pip says, and what to do about it. The first that matches is told.
REMEDIES = [
    (
        r"NewConnectionError|name resolution|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable|"
        r"Connection refused",
        "The package index cannot be reached: connect to the network (or set PIP_INDEX_URL to a mirror) and try again.",
    ),
    (
        r"error: command '?[^\n]*(gcc|cc|clang|cl\.exe)|No such file or directory: '(gcc|cc)'|Failed building wheel",
        "A package must be compiled here and cannot be: install a C compiler and the Python headers "
        "(Debian, Ubuntu: apt-get install build-essential python3-dev; macOS: xcode-select --install) and try again.",
    ),
    (
        r"No space left on device",
        "The disk is full: the environment needs 6 GB. Free some room and try again.",
    ),
    (
        r"No matching distribution found for ([^\s]+)",
        "The package index has no {0} for this Python and system: use Python 3.11 on Linux, macOS or WSL, or install "
        "the parts you need with plain pip, as the README shows.",
    ),
]


def fail(sentence):
    """Print one sentence and stop."""
    sys.stderr.write(sentence + "\n")
    sys.exit(1)


def wanted():
    """Hash what decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed():
    """Read what was installed, or nothing."""
    try:
        with open(STAMP) as file:
            return file.read().strip()
    except OSError:
        return ""


def python():
    """Return the environment's own Python."""
    return os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")


def run(arguments, total=0):
    """Run a command into the log, counting packages; stop with a remedy if it fails."""
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    done, lines = 0, []
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, cwd=ROOT
    )
    with open(LOG, "a") as log:
        for line in process.stdout:
            log.write(line)
            lines.append(line)
            if total and line.startswith(("Collecting ", "Processing ")):
                done = min(done + 1, total)
                if sys.stdout.isatty() or done % 50 == 0:
                    end = "\r" if sys.stdout.isatty() else "\n"
                    sys.stdout.write("  %d of %d packages found%s" % (done, total, end))
                    sys.stdout.flush()
            if total and line.startswith("Installing collected packages"):
                print("  All %d packages are here; putting them in place." % total)
    if process.wait() == 0:
        return
    text = "".join(lines)
    for pattern, remedy in REMEDIES:
        match = re.search(pattern, text)
        if match:
            fail(remedy.format(*match.groups()))
    last = [line for line in lines if line.strip()][-1:] or ["no message"]
    fail("%s failed: %s (all of it: build/setup.log)" % (" ".join(arguments[1:4]), last[0].strip()))


def main():
    """Bring .venv to what the lock says."""
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        fail(
            "The course needs Python 3.11, 3.12 or 3.13, this is %d.%d: install one and try again."
            % sys.version_info[:2]
        )
    if installed() == wanted():
        print("Using .venv as it is: nothing changed since it was installed.")
        return
    if os.path.exists(LOG):
        os.remove(LOG)
    try:
        import ensurepip  # noqa: F401 - Debian ships Python without it
        import venv
    except ImportError:
        fail(
            "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv) and try again."
        )
    if os.path.exists(STAMP):
        os.remove(STAMP)
    if not os.path.exists(python()):
        print("Making .venv with Python %d.%d.%d." % sys.version_info[:3])
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True)
    with open(os.path.join(ROOT, "requirements.txt")) as file:
        total = sum(1 for line in file if "==" in line)
    print("Installing the %d packages of requirements.txt; the first time this takes minutes." % total)
    pip = [python(), "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
    run(pip + ["--progress-bar", "off", "-r", "requirements.txt"], total)
    run(pip + ["--no-deps", "--no-build-isolation", "--editable", "."])
    with open(STAMP, "w") as file:
        file.write(wanted() + "\n")
    print("Installed. Everything is in .venv.")


main()
