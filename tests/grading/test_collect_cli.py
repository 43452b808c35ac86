"""`dlcourse collect` as it is typed: what it says, what it leaves behind."""

import json
import zipfile
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("typer", reason='the command line is not installed: pip install "dlcourse[book]"')

from dlcourse import cli
from dlcourse.grading import notebooks
from dlcourse.grading.books import records


@pytest.fixture
def run(root, monkeypatch, capfd):
    """Run the command line in the small course: exit status, standard output, standard error, each on one line."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("DLCOURSE_COURSE", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(one) for one in arguments])
        printed = capfd.readouterr()
        return left.value.code or 0, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


@pytest.fixture
def work(text):
    return nbformat.writes(notebooks.reference(notebooks.parse_exercise(text, name="adding.md")))


@pytest.fixture
def packed(tmp_path, work):
    """Pack the same notebook under some names."""

    def pack(*names, to="download.zip"):
        with zipfile.ZipFile(tmp_path / to, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, work)
        return tmp_path / to

    return pack


@pytest.mark.slow
def test_moodle_from_the_download_to_the_gradebook(run, packed, root, course, tmp_path):
    download = packed(
        "Ada Lovelace_101_assignsubmission_file/adding.ipynb",
        "Zoë Şahin_102_assignsubmission_file/adding (1).ipynb",
        "Bela Bartók_103_assignsubmission_onlinetext/onlinetext.html",
    )
    roster = tmp_path / "grades.csv"
    roster.write_text(
        "First name,Last name,Username,ID number,Email address\nAda,Lovelace,al17,4711,ada@example.org\n",
        encoding="utf-8",
    )
    status, out, said = run("collect", "sums", download, "--roster", roster)
    assert status == 0
    assert "Took in 2 notebooks of 2 learners." in out
    assert "Note: zoe.sahin/adding (1).ipynb was taken for adding.ipynb" in out
    assert "Note: 'Zoë Şahin (102)': nobody in the class has this name; taken in as 'zoe.sahin'" in out
    assert "Left out: bela.bartok/onlinetext.html: typed in on Moodle; ask for the notebook" in said
    assert sorted(path.name for path in (root / "course" / "submitted").iterdir()) == ["al17", "zoe.sahin"]
    with records.gradebook(course._api) as gradebook:
        ada, zoe = (gradebook.find_student(name) for name in ("al17", "zoe.sahin"))
        assert (ada.last_name, ada.email, ada.lms_user_id) == ("Lovelace", "ada@example.org", "4711")
        assert (zoe.first_name, zoe.last_name, zoe.lms_user_id) == ("Zoë", "Şahin", None)
    kept = json.loads((root / "course" / "collected" / "sums.json").read_text(encoding="utf-8"))
    assert len(kept["left_out"]) == 1

    # The next time everybody is known, without the roster too.
    status, out, _ = run("collect", "sums", packed("Ada Lovelace_999_assignsubmission_file/adding.ipynb"))
    assert (status, "Note" in out) == (0, False)
    assert sorted(path.name for path in (root / "course" / "submitted").iterdir()) == ["al17", "zoe.sahin"]


@pytest.mark.slow
def test_canvas_is_known_again_by_the_number(run, packed, root):
    status, out, _ = run("collect", "sums", packed("lovelaceada_LATE_12345_1_adding-2.ipynb"))
    assert status == 0
    assert "lovelaceada: Canvas marks it late, and no time is known, so nothing is taken off" in out
    assert not list((root / "course" / "submitted").rglob("timestamp.txt"))
    status, out, _ = run("collect", "sums", packed("kingada_12345_2_adding.ipynb"))
    assert "'kingada (12345)': taken for 'lovelaceada' by the number" in out
    assert [path.name for path in (root / "course" / "submitted").iterdir()] == ["lovelaceada"]


def test_a_zip_of_folders_is_a_folder_of_folders(run, packed, root):
    status, out, _ = run("collect", "sums", packed("class/ada/adding.ipynb", "class/bela/sums/adding.ipynb"))
    assert status == 0
    assert "everything lies in 'class'" in out
    assert "Took in 2 notebooks of 2 learners." in out
    assert (root / "course" / "submitted" / "bela" / "sums" / "adding.ipynb").is_file()


def test_mistakes_at_the_keyboard_are_said(run, tmp_path, packed):
    for arguments, words in (
        (["sum", tmp_path], "Did you mean 'sums'?"),
        (["sums", tmp_path / "nowhere.zip"], "There is no folder"),
        (["sums", Path(__file__)], "cannot be taken in: it is not a zip that can be opened"),
        (["sums", packed(to="empty.zip")], "has no folders"),
        (["sums", packed("a/adding.ipynb"), "--roster", tmp_path / "nobody.csv"], "There is no file"),
        (["sums", "--roster", tmp_path / "nobody.csv"], "goes with a folder or a zip"),
    ):
        status, _, said = run("collect", *arguments)
        assert status != 0
        assert words in said
        assert "Traceback" not in said


def test_without_an_exchange_the_remedy_is_said(run, root, tmp_path):
    config = root / "nbgrader_config.py"
    text = f"{config.read_text(encoding='utf-8')}\nc.Exchange.root = {str(tmp_path / 'none')!r}\n"
    config.write_text(text, encoding="utf-8")
    status, _, said = run("collect", "sums")
    assert status == 1
    assert "There is no exchange folder" in said
    assert "name the folder or zip of submissions" in said


@pytest.mark.slow
def test_grading_takes_in_the_same_way(run, packed, root):
    status, out, said = run(
        "grade", "sums", "--submissions", packed("Ada King_7_assignsubmission_file_/adding.ipynb")
    )
    assert "Took in 1 notebook of 1 learner." in out
    assert (status, "is not released" in said) == (1, True)
    assert (root / "course" / "submitted" / "ada.king" / "sums" / "adding.ipynb").is_file()
