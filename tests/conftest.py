"""What the tests share."""

import os
import shutil
import signal
import sys
from pathlib import Path

# Before NumPy is imported: two BLAS threads on a loaded machine can be ten times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before anything imports Triton, which reads it once: without a GPU its interpreter runs the kernels.
if not Path("/dev/nvidiactl").exists() and not Path("/dev/kfd").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

import hypothesis
import jaxtyping
import numpy as np
import pytest

# What is loaded already brings what a continuous integration asks for: the same examples in each run.
hypothesis.settings.register_profile("thorough", hypothesis.settings(), deadline=None, max_examples=100)
hypothesis.settings.register_profile("quick", hypothesis.settings(), deadline=None, max_examples=10)


def is_quick(config):
    """Tell whether this is `make check`, which leaves out what is slow."""
    return "not slow" in config.option.markexpr


def pytest_configure(config):
    """Choose how many examples Hypothesis draws a test: many in `make test`, few in `make check`."""
    hypothesis.settings.load_profile("quick" if is_quick(config) else "thorough")
    # As in the `dlcourse` command: on import jsonschema would compile a grammar of addresses, for over a second.
    sys.modules.setdefault("rfc3987_syntax", None)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Hear Ctrl-C: a shell that starts the tests in the background has them ignore it, and all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng():
    """A generator that draws the same numbers in every run."""
    return np.random.default_rng(20261121)


@pytest.fixture
def no_shape_check():
    """Switch off the run-time check of shapes, which would speak before the package's own error."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@pytest.fixture
def many_steps(request):
    """Switch off the run-time check of shapes in `make check`: it would see the same shapes a thousand times."""
    if is_quick(request.config):
        request.getfixturevalue("no_shape_check")


ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # while it runs, no other event loop can
def chromium():
    """A browser, or the reason why there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    with sync_api.sync_playwright() as playwright:
        executable = next(filter(None, found), playwright.chromium.executable_path)
        if not Path(executable).is_file():
            reason = "no Chromium was found: install it, or run `playwright install chromium`"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()
