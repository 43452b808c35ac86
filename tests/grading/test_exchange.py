"""Collecting from nbgrader's exchange, with a real exchange folder."""

import os
import sys

import nbformat
import pytest

from dlcourse.grading import notebooks
from dlcourse.grading.collecting import exchange
from dlcourse.grading.errors import GradingError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader has no exchange there")


@pytest.fixture
def hub(root, tmp_path):
    """An exchange to which the part was released, as the repository's configuration names it."""
    folder = tmp_path / "exchange"
    inbound = folder / "dlcourse" / "inbound"
    inbound.mkdir(parents=True)
    for path in (folder, inbound):
        path.chmod(0o777)
    config = root / "nbgrader_config.py"
    config.write_text(
        config.read_text(encoding="utf-8") + f"\nc.Exchange.root = {str(folder)!r}\n", encoding="utf-8"
    )
    return inbound


@pytest.fixture
def submit(hub, text):
    """Submit as `nbgrader submit` does: a folder with the learner's name, the part, the time and a random word."""

    def write(learner, time="2026-11-20 10:00:00.000000 UTC"):
        folder = hub / f"{learner}+sums+{time}+abc"
        folder.mkdir()
        nbformat.write(
            notebooks.reference(notebooks.parse_exercise(text, name="adding.md")), folder / "adding.ipynb"
        )
        (folder / "timestamp.txt").write_text(time)
        return folder

    return write


@pytest.mark.slow
def test_what_was_submitted_is_collected_once(hub, submit, root, tmp_path):
    submit("ada")
    submit("bela")
    taken = exchange.collect(root, tmp_path / "class", "sums")
    assert (taken.notebooks, taken.learners, taken.left_out) == (2, 2, ())
    assert (tmp_path / "class" / "submitted" / "ada" / "sums" / "adding.ipynb").is_file()
    assert exchange.collect(root, tmp_path / "class", "sums").learners == 0
    later = submit("ada", "2026-11-21 10:00:00.000000 UTC")
    (later / "adding.ipynb").write_text("{}")
    assert exchange.collect(root, tmp_path / "class", "sums").learners == 1
    assert (tmp_path / "class" / "submitted" / "ada" / "sums" / "adding.ipynb").read_text() == "{}"


@pytest.mark.slow
def test_a_link_does_not_bring_in_the_instructors_files(hub, submit, root, tmp_path):
    secret = tmp_path / "solution.ipynb"
    secret.write_text("the solution")
    folder = submit("eve")
    (folder / "adding.ipynb").unlink()
    os.symlink(secret, folder / "adding.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "nbgrader_config.py").write_text("raise SystemExit  # formgrader would run it")
    os.symlink(tmp_path, hub / "finn+sums+2026-11-20 10:00:00.000000 UTC+abc")
    submit("gil")
    taken = exchange.collect(root, tmp_path / "class", "sums")
    submitted = tmp_path / "class" / "submitted"
    assert (submitted / "gil" / "sums" / "adding.ipynb").is_file()
    assert not any("the solution" in path.read_text() for path in submitted.rglob("*") if path.is_file())
    lines = "\n".join(taken.left_out)
    assert "'adding.ipynb': a link to another place" in lines
    assert "'pipe.ipynb': not a plain file" in lines
    assert "'nbgrader_config.py': only notebooks are taken" in lines
    assert not list(submitted.rglob("nbgrader_config.py"))
    assert "'finn+sums" in lines


@pytest.mark.slow
def test_work_that_claims_to_be_somebody_elses_is_said(hub, submit, root, tmp_path):
    submit("nobody-of-this-name")
    (note,) = exchange.collect(root, tmp_path / "class", "sums").notes
    assert "claims to be submitted by nobody-of-this-name but is owned by" in note


def test_a_missing_exchange_is_said(root, tmp_path):
    config = root / "nbgrader_config.py"
    missing = tmp_path / "nowhere"
    config.write_text(
        config.read_text(encoding="utf-8") + f"\nc.Exchange.root = {str(missing)!r}\n", encoding="utf-8"
    )
    with pytest.raises(GradingError, match=r"no exchange folder .*nowhere that you may write to; make it"):
        exchange.collect(root, tmp_path / "class", "sums")


def test_a_part_that_was_never_released_is_said(hub, root, tmp_path):
    hub.rmdir()
    with pytest.raises(
        GradingError, match=r"could not collect sums \(Course not found.*release_assignment sums"
    ):
        exchange.collect(root, tmp_path / "class", "sums")
