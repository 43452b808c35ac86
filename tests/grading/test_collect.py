import json
import os

import nbformat
import pytest

from dlcourse.grading import notebooks
from dlcourse.grading.collecting.archive import FILE_LIMIT
from dlcourse.grading.collecting.collect import Collected, collect, read_timestamp
from dlcourse.grading.collecting.names import why_no_learner
from dlcourse.grading.errors import GradingError


@pytest.fixture
def submission(text):
    return notebooks.reference(notebooks.parse_exercise(text, name="adding.md"))


@pytest.fixture
def inbox(tmp_path, submission):
    """A folder as it comes from learners: good, in both layouts."""
    folder = tmp_path / "inbox"
    for name, place in (("ada", ""), ("bela", "sums")):
        (folder / name / place).mkdir(parents=True)
        nbformat.write(submission, folder / name / place / "adding.ipynb")
    return folder


@pytest.fixture
def take_in(tmp_path):
    return lambda folder: collect(folder, "sums", ["adding"], tmp_path / "class" / "submitted")


def test_both_layouts_are_taken_in(inbox, take_in, tmp_path):
    assert take_in(inbox) == Collected(2, 2, ())
    for name in ("ada", "bela"):
        assert (tmp_path / "class" / "submitted" / name / "sums" / "adding.ipynb").is_file()


def test_what_is_left_out_is_said(inbox, take_in, tmp_path):
    (inbox / "carl").mkdir()
    (inbox / "=cmd").mkdir()
    (inbox / "ada" / "adding (1).ipynb").write_text("{}")
    (inbox / "dora").mkdir()
    os.symlink(inbox / "ada" / "adding.ipynb", inbox / "dora" / "adding.ipynb")
    taken = take_in(inbox)
    assert taken.notebooks == 2
    lines = "\n".join(taken.left_out)
    assert "carl: no notebook" in lines
    assert "'=cmd': a learner's name is letters" in lines
    assert "ada/adding (1).ipynb: adding.ipynb is there too and comes first" in lines
    assert "dora/adding.ipynb: a link to another place" in lines
    assert not (tmp_path / "class" / "submitted" / "dora").exists()


def test_a_resubmission_keeps_the_earlier_one(inbox, take_in, tmp_path, submission):
    take_in(inbox)
    take_in(inbox)
    assert not (tmp_path / "class" / "earlier").exists()
    first = (inbox / "ada" / "adding.ipynb").read_bytes()
    submission.cells[2].source = "x = 'second'"
    nbformat.write(submission, inbox / "ada" / "adding.ipynb")
    take_in(inbox)
    kept = list((tmp_path / "class" / "earlier" / "ada" / "sums").glob("*/adding.ipynb"))
    assert [path.read_bytes() for path in kept] == [first]
    now = tmp_path / "class" / "submitted" / "ada" / "sums" / "adding.ipynb"
    assert "second" in now.read_text(encoding="utf-8")


def test_a_missing_or_empty_folder_is_said(take_in, tmp_path):
    with pytest.raises(GradingError, match="There is no folder"):
        take_in(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GradingError, match="has no folders; it must hold one for each learner"):
        take_in(tmp_path / "empty")


def test_links_pipes_and_files_that_are_far_too_large_are_not_followed_or_opened(inbox, take_in, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "adding.ipynb").write_text("the instructor's own")
    os.symlink(secret, inbox / "eve", target_is_directory=True)
    (inbox / "finn").mkdir()
    os.symlink(secret, inbox / "finn" / "sums", target_is_directory=True)
    (inbox / "gil").mkdir()
    os.mkfifo(inbox / "gil" / "adding.ipynb")
    (inbox / "hal").mkdir()
    with (inbox / "hal" / "adding.ipynb").open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    taken = take_in(inbox)
    assert (taken.notebooks, taken.learners) == (2, 2)
    lines = "\n".join(taken.left_out)
    assert "'eve': a link to another place" in lines
    assert "finn/sums: a link to another place" in lines
    assert "gil/adding.ipynb: not a plain file" in lines
    assert "hal/adding.ipynb: 100 MB is too large" in lines
    assert {path.name for path in (tmp_path / "class" / "submitted").iterdir()} == {"ada", "bela"}


def test_names_that_differ_in_capital_letters_only_are_not_mixed_up(inbox, take_in, tmp_path):
    for name in ("Carl", "carl"):
        (inbox / name).mkdir(exist_ok=True)
        (inbox / name / "adding.ipynb").write_text("{}")
    if len({path.name for path in inbox.iterdir()}) < 4:
        pytest.skip("this file system does not tell them apart")
    taken = take_in(inbox)
    assert [line.partition(":")[0] for line in taken.left_out] == ["'Carl'", "'carl'"]
    (inbox / "Carl").rename(inbox / "zoe")
    (inbox / "carl").rename(inbox / "yan")
    (inbox / "ada").rename(inbox / "ADA")
    assert take_in(inbox).left_out == (
        "'ADA': the class has 'ada' already; rename the folder if that is the learner",
    )
    assert not (tmp_path / "class" / "submitted" / "ADA").exists()


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "/etc", "../ada", "ada/../../x", "a\0b", "a b", "~ada", "-rf", "*", "[a]", "C:\\x", "aux", "con.1",
     "ada.", "a" * 101, "a\nb", "\u202eada", "{part}"],
)  # fmt: skip
def test_no_name_leads_out_of_the_class(name):
    assert why_no_learner(name)


@pytest.mark.parametrize("name", ["ada", "ada.lovelace", "ada@example.org", "Şule-2", "0042"])
def test_names_of_learners_are_taken(name):
    assert not why_no_learner(name)


def test_what_was_left_out_is_kept_with_its_reasons(inbox, take_in, tmp_path):
    (inbox / "carl").mkdir()
    (inbox / "ada" / os.fsdecode(b"\xff\x1b[2J.ipynb")).write_text("{}")
    left_out = take_in(inbox).left_out
    assert all(line.isprintable() for line in left_out)
    kept = json.loads((tmp_path / "class" / "collected" / "sums.json").read_text(encoding="utf-8"))
    assert (kept["notebooks"], kept["from"], tuple(kept["left_out"])) == (2, str(inbox), left_out)
    assert len(left_out) == 2


def test_only_a_time_that_can_be_read_is_taken_in(inbox, take_in, tmp_path):
    (inbox / "bela" / "sums" / "timestamp.txt").write_text("2026-01-31 12:00:00 UTC\n")
    assert take_in(inbox).left_out == ()
    target = tmp_path / "class" / "submitted" / "bela" / "sums" / "timestamp.txt"
    assert target.read_text() == "2026-01-31 12:00:00 UTC"
    (inbox / "bela" / "sums" / "timestamp.txt").write_text("yesterday, I think")
    assert take_in(inbox).left_out == ("bela/sums/timestamp.txt: holds no time; nothing counts as late",)
    assert target.read_text() == "2026-01-31 12:00:00 UTC"


def test_a_time_is_read_from_a_small_plain_file_only(tmp_path):
    path = tmp_path / "timestamp.txt"
    assert read_timestamp(path) == ""
    path.write_bytes(b"\xff\xfe")
    assert read_timestamp(path) == ""
    path.write_text("9" * 50)
    assert read_timestamp(path) == ""
    path.write_text("2026-01-31 12:00" + " " * 1000)
    assert read_timestamp(path) == ""
    path.write_text("2026-01-31 12:00")
    assert read_timestamp(path) == "2026-01-31 12:00"
    os.symlink(path, tmp_path / "link.txt")
    assert read_timestamp(tmp_path / "link.txt") == ""


def test_an_unpacked_download_is_a_download(inbox, take_in, tmp_path):
    (inbox / "bela").rename(inbox / "Bela Bartók_7_assignsubmission_file_")
    taken = take_in(inbox)
    assert (taken.notebooks, taken.left_out) == (2, ())
    assert [who.name for who in taken.enrolled] == ["bela.bartok"]
    assert (tmp_path / "class" / "submitted" / "bela.bartok" / "sums" / "adding.ipynb").is_file()


def test_the_time_of_an_earlier_submission_does_not_stay_beside_a_later_one(inbox, take_in, tmp_path):
    (inbox / "bela" / "sums" / "timestamp.txt").write_text("2026-01-31 12:00:00 UTC")
    take_in(inbox)
    (inbox / "bela" / "sums" / "timestamp.txt").unlink()
    for later in ("second", "third"):  # both in the same second
        (inbox / "bela" / "sums" / "adding.ipynb").write_text(later)
        take_in(inbox)
    submitted = tmp_path / "class" / "submitted" / "bela" / "sums"
    assert [path.name for path in submitted.iterdir()] == ["adding.ipynb"]
    kept = list((tmp_path / "class" / "earlier").rglob("*.*"))
    assert sorted(path.name for path in kept) == ["adding.ipynb", "adding.ipynb", "timestamp.txt"]


def test_the_folder_of_another_part_is_not_looked_at(inbox, take_in):
    (inbox / "ada" / "products").mkdir()
    (inbox / "ada" / "products" / "times.ipynb").write_text("{}")
    assert take_in(inbox).left_out == ()
    (inbox / "ada" / "adding.ipynb").unlink()
    assert take_in(inbox).left_out == (
        "ada/products: not the folder of sums; not looked at",
        "ada: no notebook of sums",
    )


def test_what_lies_in_the_class_already_can_be_named_again(inbox, take_in, tmp_path):
    take_in(inbox)
    submitted = tmp_path / "class" / "submitted"
    before = {path: path.stat().st_ino for path in submitted.rglob("*.ipynb")}
    assert take_in(submitted).notebooks == 2
    assert {path: path.stat().st_ino for path in submitted.rglob("*.ipynb")} == before


def test_somebody_known_by_folder_and_by_platform_is_asked_about(inbox, take_in, tmp_path):
    (inbox / "bela").rename(inbox / "Ada_7_assignsubmission_file_")
    taken = take_in(inbox)
    assert taken.notebooks == 0
    assert taken.left_out == tuple(
        f"{who}: somebody else is called 'ada' too, but for capital letters perhaps; rename one of them"
        for who in ("'ada'", "'Ada (7)'")
    )
