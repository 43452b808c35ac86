"""Write requirements.txt: every package of every extra of pyproject.toml, pinned. Runs in .venv, needs the network."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.txt"
HEADER = """\
# Made from pyproject.toml by `make lock`, for Python 3.11. Do not edit.
"""


def main() -> None:
    """Resolve, and drop what would tie the lock to the machine it was made on."""
    names = ("torch", "frameworks", "book", "grading", "cluster", "postgres", "dev")
    extras = [f"--extra={name}" for name in names]
    subprocess.run(
        [
            *(sys.executable, "-m", "piptools", "compile", "--quiet", "--upgrade", "--allow-unsafe"),
            *("--strip-extras", "--no-annotate", "--no-header", "--no-emit-options"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
            *extras,
            *("--output-file", str(LOCK), "pyproject.toml"),
        ],
        cwd=ROOT,
        check=True,
    )
    # The CPU build calls itself 2.13.0+cpu; the plain version is found as CPU and as CUDA build.
    lines = [re.sub(r"^(torch==[^+\n]+)\+\S+$", r"\1", line) for line in LOCK.read_text().splitlines()]
    pins = [line for line in lines if line and not line.startswith("#")]
    LOCK.write_text(HEADER + "\n".join(pins) + "\n")
    print(f"requirements.txt pins {len(pins)} packages.")


main()
