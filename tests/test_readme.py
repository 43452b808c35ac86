"""The README's promises: its code prints what it shows, its commands exist and work."""

import doctest
import re
import tomllib

import pytest
from fresh import ROOT, copied, is_set_up, run

README = (ROOT / "README.md").read_text()


def commands(language):
    """List the commands of the README's blocks of a language, comments taken off."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    lines = [line.removeprefix("$ ").split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_python_example_prints_what_it_shows():
    examples = doctest.DocTestParser().get_doctest(README, {}, "README.md", "README.md", 0)
    assert len(examples.examples) > 5
    assert doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name):
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text())
    broken = [t for t in targets if not t.startswith("https://") and not (ROOT / t).exists()]
    assert broken == []


def test_the_extras_are_those_of_pyproject():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra in extras:
        assert f"`{extra}`" in README


def test_make_knows_every_target_the_documents_name():
    words = README + (ROOT / "CONTRIBUTING.md").read_text()
    targets = set(re.findall(r"make (course|test|check|serve|lock|gettext|[a-z]+)(?=`| )", words))
    known = set(re.findall(r"^  make (\w+)", run("make help").stdout, re.MULTILINE))
    assert {"course", "test", "check", "lock", "gettext"} <= targets & known


def test_windows_gets_the_same_commands():
    lines = commands("powershell")
    ours = [line.split()[1] for line in lines if r"\dlcourse" in line]
    assert ours == ["build", "release", "sample-class", "serve"]


@pytest.fixture
def clone(tmp_path):
    """A copy as a fresh clone would be."""
    if not is_set_up():
        pytest.skip("the environment was not made by make setup")
    return copied(tmp_path / "clone")


def test_a_second_set_up_reuses_the_first(clone):
    done = run("make setup", clone)
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stdout


def test_an_old_python_is_told_what_to_install():
    done = run("make setup PYTHON=")
    assert done.returncode != 0
    assert "The course needs Python 3.11, 3.12 or 3.13" in done.stderr


@pytest.mark.slow
def test_make_course_shows_what_the_project_is_for(course):
    """The first command, and then every other one that the README shows."""
    assert course.status == 0, course.said
    assert "isolation" in course.said.lower()
    assert (course.folder / re.search(r"(\S+index\.html)", course.said)[1]).is_file()
    lines = commands("console")
    assert lines[:2] == ["make course", "make test"]
    checks = [line for line in lines[2:] if " check " in line]
    for line in lines[2:]:
        done = run(line, course.folder)
        # The released notebook is untouched, so its check fails, with words and without a traceback.
        assert done.returncode == (1 if line in checks else 0), f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
