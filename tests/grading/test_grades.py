import csv
import io

import pytest

from dlcourse.grading.books.export import to_canvas, to_csv, to_moodle
from dlcourse.grading.books.grades import ChapterGrade, GradeTable, Learner, LearnerGrades

ADA = Learner("ada", "Ada", "Ünal", "ada@example.org", "4711")
BELA = Learner("bela")


@pytest.fixture
def tables():
    sums = GradeTable(
        "sums",
        ("adding", "doubling"),
        (4.0, 2.0),
        (
            LearnerGrades(ADA, (ChapterGrade("adding", 2.5, 4), ChapterGrade("doubling", 2, 2))),
            LearnerGrades(
                BELA,
                (
                    ChapterGrade("adding", 0, 4, "no notebook", True),
                    ChapterGrade("doubling", 1 / 3, 2, isolation="bubblewrap", notes=("low trust",)),
                ),
            ),
        ),
    )
    more = GradeTable("more", ("last",), (1.0,), (LearnerGrades(BELA, (ChapterGrade("last", 1, 1),)),))
    return [sums, more]


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def test_csv_holds_everything(tables):
    read = list(csv.DictReader(io.StringIO(to_csv(tables))))
    assert [row["learner"] for row in read] == ["ada", "bela", "bela"]
    assert read[0]["sums/adding"] == "2.5"
    assert (read[0]["points"], read[0]["max_points"]) == ("4.5", "6")
    assert read[0]["last_name"] == "Ünal"
    assert (read[1]["needs_a_look"], read[1]["remarks"]) == (
        "yes",
        "adding: no notebook; doubling: low trust",
    )
    assert [row["isolation"] for row in read] == ["", "bubblewrap", ""]
    assert (read[2]["sums/adding"], read[2]["more/last"]) == ("", "1")


def test_canvas_gets_its_header_points_possible_and_one_row_a_student(tables):
    header, possible, bela, ada = rows(to_canvas(tables))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "sums", "more"]
    assert possible == ["    Points Possible", "", "", "", "", "6", "1"]
    assert ada == ["Ünal, Ada", "4711", "", "ada", "", "4.5", ""]
    assert bela == ["bela", "", "", "bela", "", "0.33", "1"]


def test_moodle_gets_grade_and_feedback_side_by_side(tables):
    header, bela, ada = rows(to_moodle(tables))
    assert header[:5] == ["Username", "ID number", "Email address", "First name", "Last name"]
    assert header[5:7] == ["Assignment: sums (Real)", "Assignment: sums (Feedback)"]
    assert ada[:6] == ["ada", "4711", "ada@example.org", "Ada", "Ünal", "4.5"]
    assert ada[6] == "adding 2.5 of 4; doubling 2 of 2"
    assert ada[7:] == ["-", ""]
    assert "adding: no notebook" in bela[6]


def test_flags_are_for_the_instructor_only(tables):
    flagged = ChapterGrade("adding", 4, 4, needs_look=True, flags=("Moved: 'add'.", "Missing: 'setup'."))
    row = LearnerGrades(ADA, (flagged, ChapterGrade("doubling", 2, 2, "not handed in")))
    assert row.look == "adding: Moved: 'add'. (and 1 more)"
    table = GradeTable("sums", ("adding", "doubling"), (4.0, 2.0), (row,))
    (read,) = csv.DictReader(io.StringIO(to_csv([table])))
    assert read["needs_a_look"] == "yes"
    assert read["remarks"] == "doubling: not handed in; adding: Moved: 'add'.; adding: Missing: 'setup'."
    assert "Moved" not in to_moodle([table])


def test_what_to_look_at_is_said_first_things_first(tables):
    ada, bela = tables[0].rows
    assert ada.look == ""
    assert bela.look == "adding: no notebook"
    assert LearnerGrades(ADA, (ChapterGrade("adding", 1, 4, needs_look=True),)).look == "yes"
