"""From a receipt the verdict can be repeated, and nobody can write one without the course's secret."""

import hashlib
import json
import runpy
import shutil
import stat
import sys
from pathlib import Path

import pytest

from dlcourse.grading import secret
from dlcourse.grading.books.outcomes import versions
from dlcourse.grading.books.receipts import Receipt
from dlcourse.grading.course import Course
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution import execute as executing
from dlcourse.grading.execution.jobs import Job, Outcome, digest

MINUS = "def add(a, b):\n    return a - b"
STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def course(released):
    return released


@pytest.fixture
def graded(course, hand_in, executed, monkeypatch):
    """The receipt of ada, who made one mistake."""
    execute = runpy.run_path(str(STAND_IN))["execute"]
    monkeypatch.setattr(executing, "execute", execute)
    hand_in("ada", add=MINUS)
    course.grade("sums")
    return course.folder / "graded" / "receipts" / "sums" / "ada.json"


def test_a_receipt_holds_what_the_verdict_stands_on(course, graded):
    data = json.loads(graded.read_bytes())
    chapter = data["chapters"]["adding"]
    submitted = course.folder / "submitted" / "ada" / "sums" / "adding.ipynb"
    autograded = course.folder / "autograded" / "ada" / "sums" / "adding.ipynb"
    assert chapter["file"] == hashlib.sha256(submitted.read_bytes()).hexdigest()
    assert chapter["notebook"] == hashlib.sha256(autograded.read_bytes()).hexdigest()
    assert chapter["job"] == digest(course.material.take("sums", "adding", "ada").job)
    (outcome,) = (course.folder / "graded" / "outcomes").glob("*/*.json")
    assert (chapter["key"], chapter["outcome"]) == (outcome.stem, digest(outcome.read_bytes()))
    assert chapter["seed"] == secret.seed_of((course.folder / "secret").read_bytes(), "sums/adding", "ada")
    assert chapter["points"] == chapter["scores"] == {"add_check": 0, "add_hidden": 0, "double_check": 1}
    assert [(check["cell"], check["passed"]) for check in chapter["checks"]] == [
        ("add_check", False),
        ("add_hidden", False),
    ]
    assert (chapter["isolation"], chapter["low_trust"]) == ("stand-in", ["double_check"])
    assert {"dlcourse", "python", "numpy", "nbgrader"} <= data["versions"].keys()
    assert (data["part"], data["learner"]) == ("sums", "ada")
    assert len(data["signature"]) == 64


def test_a_verdict_repeats(course, graded, executed):
    before = graded.read_bytes()
    (found,) = course.repeat(graded)
    assert found.same
    assert (found.chapter, found.points, found.circumstances) == ("adding", 1, ())
    assert graded.read_bytes() == before
    assert len(executed) == 1


def test_a_verdict_repeats_on_the_device_that_the_class_was_graded_on(course, graded, monkeypatch):
    execute, asked = executing.execute, []

    def remembered(job, *, unsafe=False):
        asked.append(Job.from_bytes(job).device)
        return execute(job, unsafe=unsafe)

    monkeypatch.setattr(executing, "execute", remembered)
    (found,) = Course(course.root, device="cpu").repeat(graded)
    assert (found.same, found.circumstances, asked) == (True, (), ["auto"])


def test_what_differs_is_said(course, graded, monkeypatch):
    execute = executing.execute

    def other(job, *, unsafe=False):
        right = job.replace(b"return a - b", b"return a + b")
        return Outcome.from_bytes(execute(right)).to_bytes().replace(b"stand-in", b"elsewhere")

    monkeypatch.setattr(executing, "execute", other)
    monkeypatch.setitem(versions(), "numpy", "9.9")
    (found,) = course.repeat(graded)
    assert not found.same
    assert "add_check: 0 points before, 2 now" in found.differences
    assert "add_check, add works: failed with 0 of 2 before, passed with 2 of 2 now" in found.differences
    assert any(
        words.startswith("numpy was ") and words.endswith("now it is 9.9") for words in found.circumstances
    )
    assert "isolation was 'stand-in', now it is 'elsewhere'" in found.circumstances


def test_an_earlier_submission_is_found_by_its_digest(course, graded, hand_in):
    old = graded.with_name("old.json")
    shutil.copy(graded, old)
    inbox = course.folder.parent / "inbox" / "ada"
    inbox.mkdir(parents=True)
    kept = course.folder / "submitted" / "ada" / "sums" / "adding.ipynb"
    shutil.copy(kept, inbox / "adding.ipynb")
    (inbox / "adding.ipynb").write_bytes(kept.read_bytes().replace(b"a - b", b"a + b"))
    course.collect("sums", inbox.parent)
    assert course.grade("sums").rows[0].points == 5
    (found,) = course.repeat(old)
    assert (found.same, found.points) == (True, 1)
    shutil.rmtree(course.folder / "earlier")
    (found,) = course.repeat(old)
    assert found.differences == ("the file that was graded is neither in submitted/ nor in earlier/",)


def test_a_changed_exercise_is_named_as_a_reason(course, graded, text):
    exercise = course.root / "exercises" / "sums" / "adding.md"
    exercise.write_text(text.replace("given(40, 2)", "given(41, 2)"), encoding="utf-8")
    course.release("sums", force=True)
    (found,) = course.repeat(graded)
    assert found.same
    assert any("have changed since" in words for words in found.circumstances)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(b'"add_check": 0.0', b'"add_check": 2.0'), "signature does not fit"),
        (lambda text: text.replace(b'"ada"', b'"eve"'), "signature does not fit"),
        (lambda text: text[: len(text) // 2], "not a receipt"),
        (lambda text: b"[" * 100_000, "not a receipt"),
        (lambda text: b'{"signature": 3}', "not a receipt"),
        (lambda text: b"[]", "not a receipt"),
        (lambda text: b"", "not a receipt"),
    ],
)
def test_a_forged_or_damaged_receipt_is_refused_and_not_relied_on(course, graded, change, words):
    changed = change(graded.read_bytes())
    assert changed != graded.read_bytes()
    graded.write_bytes(changed)
    with pytest.raises(GradingError, match=words):
        course.repeat(graded)
    course.grade("sums")
    assert course.repeat(graded)[0].same


def test_a_receipt_of_another_course_does_not_count(course, graded, tmp_path):
    with pytest.raises(GradingError, match="signature does not fit"):
        Receipt.from_bytes(graded.read_bytes(), bytes(32))
    with pytest.raises(GradingError, match="There is no file"):
        course.repeat(tmp_path / "nowhere.json")


def test_an_unusable_submission_has_a_receipt_too(course, hand_in, executed):
    hand_in("ada").write_text("{")
    (course.folder / "submitted" / "bela" / "sums").mkdir(parents=True)
    course.grade("sums")
    receipts = course.folder / "graded" / "receipts" / "sums"
    (found,) = course.repeat(receipts / "ada.json")
    assert found.same
    (found,) = course.repeat(receipts / "bela.json")
    assert found.same
    assert "nothing was handed in" in found.circumstances[0]
    assert (
        "not a notebook" in json.loads((receipts / "ada.json").read_bytes())["chapters"]["adding"]["reason"]
    )


def test_the_secret_is_made_once_and_is_the_owners(tmp_path):
    first = secret.course_secret(tmp_path / "class")
    path = tmp_path / "class" / "secret"
    assert secret.course_secret(tmp_path / "class") == first == path.read_bytes()
    assert len(first) == 32
    assert [p.name for p in path.parent.iterdir()] == ["secret"]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret.course_secret(tmp_path / "other") != first
    path.write_bytes(b"")
    with pytest.raises(GradingError, match="has 0 bytes instead of 32"):
        secret.course_secret(tmp_path / "class")


def test_seeds_differ_by_course_chapter_and_learner():
    keys = [
        (bytes(32), "a/b", "c"),
        (b"1" * 32, "a/b", "c"),
        (bytes(32), "a/c", "c"),
        (bytes(32), "a/b", "d"),
    ]
    seeds = [secret.seed_of(*key) for key in keys]
    assert len(set(seeds)) == 4
    assert seeds == [secret.seed_of(*key) for key in keys]
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_the_seed_of_a_learner_stays_when_the_class_is_graded_again(course, hand_in, executed):
    hand_in("ada")
    hand_in("bela")
    course.grade("sums")
    before = {name: course.material.take("sums", "adding", name).seed for name in ("ada", "bela")}
    assert len(set(before.values())) == 2
    again = Course(course.root)
    assert {name: again.material.take("sums", "adding", name).seed for name in before} == before
