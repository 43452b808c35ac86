"""What is seen inside, worked out without starting anything."""

from pathlib import Path

import pytest

from dlcourse.grading.sandbox import view

PACKAGE = Path(view.__file__).parents[2]


def names(modules):
    return [str(path.relative_to(PACKAGE)) for path in view.files_of(modules) if path.suffix != ".pyc"]


def test_a_module_comes_with_what_is_above_it_and_a_package_as_a_whole():
    assert names(["dlcourse.neurons.neuron"]) == ["__init__.py", "neurons/__init__.py", "neurons/neuron.py"]
    assert names(["dlcourse.checks"]) == ["__init__.py", "checks"]
    assert names(["dlcourse.checks", "dlcourse.checks.judge"]) == ["__init__.py", "checks"]
    assert names(["dlcourse"]) == ["__init__.py"]
    assert names([]) == []


def test_a_part_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"dlcourse\.neurons\.neuro is no part of"):
        view.files_of(["dlcourse.neurons.neuro"])


def test_the_places_say_what_must_be_made_before_them():
    places = (
        view.Place(Path("/opt"), Path("/opt")),
        view.Place(Path("/opt/course"), None),
        view.Place(Path("/opt/course/a/b"), Path("/opt/course/a/b")),
        view.Place(Path("/srv/x/y"), Path("/srv/x/y")),
    )
    seen = view.View((), places)
    assert seen.folders(places[0]) == []
    assert seen.folders(places[1]) == []
    assert seen.folders(places[2]) == [Path("/opt/course/a")]
    assert seen.folders(places[3]) == [Path("/srv"), Path("/srv/x")]


def test_a_repository_inside_of_what_is_seen_is_covered(monkeypatch, tmp_path):
    python, repository = tmp_path / "python", tmp_path / "python" / "course"
    package = repository / "dlcourse"
    for folder in (python / "lib", repository / ".venv", repository / "exercises", package / "checks"):
        folder.mkdir(parents=True)
    for name in ("", "checks/", "grading/", "grading/sandbox/"):
        (package / name).mkdir(exist_ok=True)
        (package / name / "__init__.py").touch()
    monkeypatch.setattr(view, "PACKAGE", package)
    monkeypatch.setattr(view, "_python", lambda: iter([python, repository / ".venv"]))
    seen = {place.path: place.source for place in view.view(["dlcourse.checks"]).places}
    assert seen[python] == python
    assert seen[repository] is None
    assert seen[repository / ".venv"] == repository / ".venv"
    assert seen[package / "checks"] == package / "checks"
    assert not any(path.is_relative_to(repository / "exercises") for path in seen)


def test_variables_hold_nothing_of_the_outside(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    given = view.variables(MORE="1")
    assert (given["OMP_NUM_THREADS"], given["MORE"], given["HOME"]) == ("3", "1", "/home/learner")
    assert "hunter2" not in str(given)
