"""The one configuration of nbgrader, and what a class's notebooks are graded with."""

from pathlib import Path

import pytest

from dlcourse.grading.book import earlier_modules
from dlcourse.grading.config import configure, gradebook_url, wanted_device
from dlcourse.grading.errors import GradingError
from dlcourse.grading.material import files_beside

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ada:pw@host:5433/grades?sslmode=require", "postgresql+psycopg://ada:pw@host:5433/grades?sslmode=require"),
        ("postgres://host/grades", "postgresql+psycopg://host/grades"),
        ("postgresql+psycopg2://host/grades", "postgresql+psycopg2://host/grades"),
        ("sqlite:////srv/grades.db", "sqlite:////srv/grades.db"),
        ("sqlite:///grades.db", f"sqlite:///{Path.cwd() / 'grades.db'}"),
    ],
)  # fmt: skip
def test_a_gradebooks_address_fits_every_sqlalchemy_and_every_folder(url, expected):
    assert gradebook_url(url) == expected


def test_the_gradebook_is_what_is_named_else_what_the_variable_names(tmp_path, monkeypatch):
    monkeypatch.delenv("DLCOURSE_DB", raising=False)
    assert "db_url" not in configure(tmp_path, ROOT).CourseDirectory
    monkeypatch.setenv("DLCOURSE_DB", "postgresql://host/one")
    assert configure(tmp_path, ROOT).CourseDirectory.db_url == "postgresql+psycopg://host/one"
    named = configure(tmp_path, ROOT, db="postgresql://host/two")
    assert named.CourseDirectory.db_url == "postgresql+psycopg://host/two"


def test_the_device_is_what_is_named_else_what_the_variable_names(tmp_path, monkeypatch):
    monkeypatch.delenv("DLCOURSE_DEVICE", raising=False)
    assert configure(tmp_path, ROOT).InCourse.device == "auto"
    monkeypatch.setenv("DLCOURSE_DEVICE", "cpu")
    assert configure(tmp_path, ROOT).InCourse.device == "cpu"
    assert configure(tmp_path, ROOT, device="auto").InCourse.device == "auto"
    with pytest.raises(
        GradingError, match=r"no device 'cuda' to grade on: take auto or cpu, with --device or DLCOURSE"
    ):
        wanted_device("cuda")


def test_no_kernel_is_among_the_steps_of_grading(tmp_path):
    steps = configure(tmp_path, ROOT).Autograde
    names = [step.__name__ for step in steps.sanitize_preprocessors + steps.autograde_preprocessors]
    assert names[:2] == ["Rebuild", "Judge"]
    assert "Execute" not in names


def test_an_exercise_may_import_the_chapters_before_its_own_and_what_they_import():
    found = earlier_modules(ROOT, "neurons/network")
    assert {"dlcourse.neurons.neuron", "dlcourse.neurons.activation", "dlcourse.neurons._softmax"} <= set(
        found
    )
    assert "dlcourse.neurons.network" not in found
    assert "dlcourse.training._fit" in earlier_modules(ROOT, "training/generalization")
    assert earlier_modules(ROOT, "foreign/chapter") == ()


def test_an_exercise_may_import_nothing_that_holds_its_answers():
    # The module behind the chapter, and the opening chapter, which trains with what all later ones explain.
    found = earlier_modules(ROOT, "neurons/activation")
    assert "dlcourse.neurons.neuron" in found
    assert not {"dlcourse.neurons._softmax", "dlcourse.introduction.features"} & set(found)


def test_an_exercise_may_import_what_it_is_given():
    assert "dlcourse.gpus._blocks" in earlier_modules(ROOT, "gpus/kernels")
    assert not {"dlcourse.gpus.kernels", "dlcourse.gpus._kernels"} & set(
        earlier_modules(ROOT, "gpus/kernels")
    )
    assert "dlcourse.gpus._blocks" not in earlier_modules(ROOT, "gpus/parallelism")


def test_files_handed_out_are_taken_along_but_no_notebook_and_no_link(tmp_path):
    folder = tmp_path / "release"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "table.csv").write_text("1")
    (folder / "notes.txt").write_text("2")
    (folder / "other.ipynb").write_text("{}")
    (tmp_path / "secret").write_text("hunter2")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    assert files_beside(folder) == {"data/table.csv": b"1", "notes.txt": b"2"}
