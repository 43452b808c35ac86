import copy
import json
import os

import nbformat
import pytest

from dlcourse.grading import intake, notebooks
from dlcourse.grading.errors import GradingError


@pytest.fixture
def submission(text):
    return notebooks.reference(notebooks.parse_exercise(text, name="adding.md"))


@pytest.fixture
def inbox(tmp_path, submission):
    """A folder as it comes from learners: good, in both layouts, and odd."""
    folder = tmp_path / "inbox"
    for name, place in (("ada", ""), ("bela", "sums")):
        (folder / name / place).mkdir(parents=True)
        nbformat.write(submission, folder / name / place / "adding.ipynb")
    return folder


def collect(inbox, tmp_path):
    return intake.collect(inbox, "sums", ["adding"], tmp_path / "class" / "submitted")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a notebook"),
        (b"{", "is not a notebook"),
        (b"\xff\xfe", "is not a notebook"),
        (b"[]", "it has no list of cells"),
        (b'{"cells": {}}', "it has no list of cells"),
        (b"[" * 100_000, "is not a notebook"),
        (json.dumps({"cells": [{"cell_type": "code"}], "nbformat": 4}).encode(), "is not a notebook"),
    ],
)
def test_what_is_no_notebook_is_said(tmp_path, content, words):
    path = tmp_path / "adding.ipynb"
    path.write_bytes(content)
    with pytest.raises(GradingError, match="save it again in JupyterLab") as error:
        intake.read_notebook(path)
    assert words in str(error.value)
    assert intake.why_unusable(path) == str(error.value)


def test_a_missing_or_odd_file_is_said(tmp_path, submission):
    nbformat.write(submission, tmp_path / "adding.ipynb")
    with pytest.raises(GradingError, match=r"Did you mean 'adding\.ipynb'"):
        intake.read_notebook(tmp_path / "ading.ipynb")
    with pytest.raises(GradingError, match="not a plain file"):
        intake.read_notebook(tmp_path)
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "adding.ipynb")
    with pytest.raises(GradingError, match="not a plain file"):
        intake.read_notebook(tmp_path / "link.ipynb")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "adding.ipynb"
    with path.open("wb") as file:
        file.truncate(intake.LIMIT + 1)
    with pytest.raises(GradingError, match="more than 20; clear its outputs"):
        intake.read_notebook(path)


def test_a_copied_cell_is_said(tmp_path, submission):
    copied = copy.deepcopy(submission.cells[2])
    copied.id = "another"
    submission.cells.append(copied)
    nbformat.write(submission, tmp_path / "adding.ipynb")
    assert "'add' is there twice" in intake.why_unusable(tmp_path / "adding.ipynb")


def test_both_layouts_are_taken_in(inbox, tmp_path):
    assert collect(inbox, tmp_path) == intake.Collected(2, 2, ())
    for name in ("ada", "bela"):
        assert (tmp_path / "class" / "submitted" / name / "sums" / "adding.ipynb").is_file()


def test_what_is_left_out_is_said(inbox, tmp_path):
    (inbox / "carl").mkdir()
    (inbox / "=cmd").mkdir()
    (inbox / "ada" / "adding (1).ipynb").write_text("{}")
    (inbox / "dora").mkdir()
    os.symlink(inbox / "ada" / "adding.ipynb", inbox / "dora" / "adding.ipynb")
    taken = collect(inbox, tmp_path)
    assert taken.notebooks == 2
    lines = "\n".join(taken.left_out)
    assert "carl: no notebook" in lines
    assert "'=cmd': a learner's name is letters" in lines
    assert "ada/adding (1).ipynb: no notebook of sums has this name. Did you mean 'adding'?" in lines
    assert "dora/adding.ipynb: not a plain file" in lines
    assert not (tmp_path / "class" / "submitted" / "dora").exists()


def test_a_resubmission_keeps_the_earlier_one(inbox, tmp_path, submission):
    collect(inbox, tmp_path)
    collect(inbox, tmp_path)
    assert not (tmp_path / "class" / "earlier").exists()
    first = (inbox / "ada" / "adding.ipynb").read_bytes()
    submission.cells[2].source = "x = 'second'"
    nbformat.write(submission, inbox / "ada" / "adding.ipynb")
    collect(inbox, tmp_path)
    kept = list((tmp_path / "class" / "earlier" / "ada" / "sums").glob("*/adding.ipynb"))
    assert [path.read_bytes() for path in kept] == [first]
    now = tmp_path / "class" / "submitted" / "ada" / "sums" / "adding.ipynb"
    assert "second" in now.read_text(encoding="utf-8")


def test_a_missing_or_empty_folder_is_said(tmp_path):
    with pytest.raises(GradingError, match="There is no folder"):
        collect(tmp_path / "nowhere", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(GradingError, match="has no folders; it must hold one for each learner"):
        collect(tmp_path / "empty", tmp_path)
