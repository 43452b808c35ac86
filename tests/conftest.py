"""What the tests share."""

import os
import shutil
import signal
import sys
from pathlib import Path

# Before NumPy is imported: two BLAS threads on a loaded machine can be ten times slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# pytest loads GNU readline, which tells the workers a width of the terminal; here each test decides.
os.environ.pop("COLUMNS", None)
os.environ.pop("LINES", None)

# Before anything imports Triton, which reads it once: without a GPU its interpreter runs the kernels.
if not Path("/dev/nvidiactl").exists() and not Path("/dev/kfd").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")

import fresh
import hypothesis
import jaxtyping
import numpy as np
import pytest

FIRST = ("test_readme.py", "test_exercises.py", "test_hostile.py", "test_fairness.py", "test_whole.py")
"""Files that take minutes: one that began last would keep one worker busy when the others are done."""
LAST = ("test_chapters.py", "test_book.py", "test_exercises_in_browser.py")
"""Files whose tests go to the workers one by one, so that all are done at the same time."""

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


def pytest_collection_modifyitems(items):
    """Order the files by when their tests should start."""
    order = {name: place for place, name in enumerate(FIRST)} | dict.fromkeys(LAST, len(FIRST) + 1)
    items.sort(key=lambda item: order.get(item.path.name, len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Say which tests stay together where several workers share them."""
    from workers import Files

    return Files(config, log, spread=LAST)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Hear Ctrl-C: a shell that starts the tests in the background has them ignore it, and all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A folder of all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def course(shared):
    """A fresh clone in which `make course` ran, from nothing."""
    if not fresh.is_set_up():
        pytest.skip("the environment was not made by make setup")
    return fresh.cloned("make course", shared)


@pytest.fixture(scope="session")
def course_if_needed(request):
    """That clone, or None where no test that runs is about it."""
    asked = any("course" in getattr(item, "fixturenames", ()) for item in request.session.items)
    return request.getfixturevalue("course") if asked and fresh.is_set_up() else None


@pytest.fixture(scope="session")
def book(course_if_needed, shared):
    """A fresh clone in which the book was built, from nothing."""
    return course_if_needed or fresh.cloned("dlcourse build", shared)


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
    # No page needs another host: what asks for one gets an error.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
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
