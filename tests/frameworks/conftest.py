"""How the tests of a framework run that must not share a process with the others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def apart():
    """Run test files in a pytest of their own, and fail with what it says."""

    def run(*paths):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
            cwd=ROOT,
            env=os.environ | {"DLCOURSE_APART": "1", "TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            timeout=550,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run
