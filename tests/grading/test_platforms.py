"""The names that Moodle and Canvas give, who is meant by them, and which file is which notebook."""

import string
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.grading.books.grades import Learner
from dlcourse.grading.collecting.archive import Item
from dlcourse.grading.collecting.chosen import choose, forgiven
from dlcourse.grading.collecting.names import Match, Register, why_no_learner
from dlcourse.grading.collecting.platforms import Sender, place, unwrapped
from dlcourse.grading.collecting.roster import Row, read_roster
from dlcourse.grading.errors import GradingError

ADA = Learner("ada", "Ada", "Lovelace", "ada@example.org", "12345")
KIMS = [
    Learner("kim1", "Anna", "Kim", "kim1@example.org", "1"),
    Learner("kim2", "Anna", "Kim", "kim2@example.org", "2"),
]


def whose(name):
    found = place(PurePosixPath(name))
    return found and (
        found.sender.platform,
        found.sender.name,
        found.sender.number,
        str(found.path),
        found.late,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace_101_assignsubmission_file_/n.ipynb", ("Moodle", "Ada Lovelace", "101", "n.ipynb", False)),
        ("Ada Lovelace_101_assignsubmission_file/a/n.ipynb", ("Moodle", "Ada Lovelace", "101", "a/n.ipynb", False)),
        ("Ada Lovelace_101_assignsubmission_file_n.ipynb", ("Moodle", "Ada Lovelace", "101", "n.ipynb", False)),
        ("Ada_1_assignsubmission_file_a_2_assignsubmission_file_n", ("Moodle", "Ada", "1",
                                                                    "a_2_assignsubmission_file_n", False)),
        ("Group 7_55_assignsubmission_file/n.ipynb", ("Moodle", "Group 7", "55", "n.ipynb", False)),
        ("Default group_assignsubmission_file/n.ipynb", ("Moodle", "Default group", "", "n.ipynb", False)),
        ("lovelaceada_12345_678_n-2.ipynb", ("Canvas", "lovelaceada", "12345", "n-2.ipynb", False)),
        ("lovelaceada_LATE_12345_678_n.ipynb", ("Canvas", "lovelaceada", "12345", "n.ipynb", True)),
        ("o_neill_12345_678_my_n.ipynb", ("Canvas", "o_neill", "12345", "my_n.ipynb", False)),
        ("anon_Ab12C_678_n.ipynb", ("Canvas", "", "anon_Ab12C", "n.ipynb", False)),
        ("LATE_anon_Ab12C_678_n.ipynb", ("Canvas", "", "anon_Ab12C", "n.ipynb", True)),
        ("ada/n.ipynb", ("", "ada", "", "n.ipynb", False)),
        ("n.ipynb", None),
        ("12_34_n.ipynb", None),
    ],
)  # fmt: skip
def test_a_name_tells_whose_file_it_is(name, expected):
    assert whose(name) == expected


def test_typed_work_and_names_that_can_be_read_twice_are_not_taken():
    assert (
        "typed in on Moodle"
        in place(PurePosixPath("A_1_assignsubmission_onlinetext/onlinetext.html")).trouble
    )
    assert "typed in on Canvas" in place(PurePosixPath("lovelaceada_LATE_12_text.html")).trouble
    forged = place(PurePosixPath("bob_12_34_99_77_n.ipynb"))  # bob called himself bob_12_34
    assert "can be read in two ways" in forged.trouble
    assert forged.sender.number == ""


@pytest.mark.parametrize(
    ("paths", "outer"),
    [
        (["in/ada/n.ipynb", "in/bela/n.ipynb"], "in"),
        (["in/ada_1_2_n.ipynb", "in/bela_3_4_n.ipynb"], "in"),
        (["in/Ada_1_assignsubmission_file_/n.ipynb"], "in"),
        (["Ada_1_assignsubmission_file_/a/n.ipynb"], ""),
        (["ada/n.ipynb"], ""),
        (["ada/sums/n.ipynb"], ""),
        (["ada/n.ipynb", "bela/n.ipynb"], ""),
        (["in/ada/n.ipynb", "readme.txt"], ""),
    ],
)
def test_a_folder_around_all_is_seen(paths, outer):
    assert unwrapped([PurePosixPath(path) for path in paths], "sums") == outer


def who(register, sender):
    found = register.match([sender])[sender]
    return found.learner.name if isinstance(found, Match) else found


def test_the_gradebook_knows_names_and_canvas_numbers():
    register = Register([ADA, *KIMS])
    assert who(register, Sender("Moodle", "Ada Lovelace", "9")) == "ada"
    assert who(register, Sender("Moodle", "LOVELACE Ada", "9")) == "ada"
    assert who(register, Sender("Canvas", "lovelaceada", "12345")) == "ada"
    assert who(register, Sender("Canvas", "kingada", "12345")) == "ada"
    assert who(register, Sender("Canvas", "kimanna", "2")) == "kim2"
    # Moodle's number is nobody's in the gradebook, and another number is another person.
    assert who(register, Sender("Moodle", "Bela", "12345")) == "bela"
    assert who(register, Sender("Canvas", "lovelaceada", "777")) == "lovelaceada"


def test_a_name_of_two_people_is_nobodys_without_a_list():
    sender = Sender("Moodle", "Anna Kim", "501")
    assert (
        who(Register(KIMS), sender)
        == "can be kim1 or kim2; name a list that tells them apart with --roster FILE"
    )
    worksheet = [Row(Learner("", "Anna", "Kim", "kim2@example.org"), participant="501")]
    assert who(Register(KIMS, worksheet), sender) == "kim2"
    first, second = Sender("Moodle", "Ada Lovelace", "1"), Sender("Moodle", "Ada Lovelace", "2")
    assert set(Register([ADA]).match([first, second]).values()) == {
        "somebody else fits 'ada' too; name a list that tells them apart with --roster FILE"
    }


def test_somebody_new_gets_a_safe_name_and_namesakes_a_number():
    for name, expected in (
        ("Zoë Şahin", "zoe.sahin"), ("Łukasz Groß", "lukasz.gross"), ("王 芳", "王.芳"), ("../etc", "etc"),
        ("CON", "moodle.7"), ("*", "moodle.7"),
    ):  # fmt: skip
        (match,) = Register([]).match([Sender("Moodle", name, "7")]).values()
        assert match.learner.name == expected
        assert not why_no_learner(match.learner.name)
        assert "nobody in the class has this name" in match.note
    register = Register([])
    kims = [Sender("Moodle", "Anna Kim", "1"), Sender("Moodle", "Anna Kim", "2")]
    found = register.match(kims)
    assert [found[kim].learner for kim in kims] == [Learner("anna.kim.1"), Learner("anna.kim.2")]
    assert "in this assignment only" in found[kims[0]].note
    assert who(register, Sender("Moodle", "Participant", "9")) == "participant.9"
    assert who(Register([Learner("anna.kim")]), Sender("Moodle", "Anna Kim", "3")) == "anna.kim.3"


@given(st.text(max_size=60), st.from_regex(r"\d{0,9}", fullmatch=True), st.sampled_from(["Moodle", "Canvas"]))
def test_every_name_becomes_a_learner(name, number, platform):
    (match,) = Register([ADA]).match([Sender(platform, name, number)]).values()
    assert not why_no_learner(match.learner.name)


@given(
    st.lists(
        st.sampled_from(["Anna Kim", "anna  kim", "Ada Lovelace", "Ädä Lovelace", "Participant", "*"]),
        max_size=6,
    )
)
def test_no_two_people_become_one(spoken):
    senders = [Sender("Moodle", name, str(number)) for number, name in enumerate(spoken)]
    found = [one.learner.name for one in Register([ADA]).match(senders).values() if isinstance(one, Match)]
    assert len(set(found)) == len(found)


@pytest.fixture
def roster(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "roster.csv").write_text(text, encoding=encoding)
        return tmp_path / "roster.csv"

    return write


@pytest.mark.parametrize(
    "text",
    [
        "Username,First name,Last name,ID number,Email address\nal,Ada,Lovelace,17,ada@x.org\n",
        "Email address;Surname;First name;Username;ID number\nada@x.org;Lovelace;Ada;al;17\n",
        "\ufeffStudent\tID\tSIS User ID\tSIS Login ID\tEmail\n"
        "Points Possible\t\t\t\t\nLovelace, Ada\t17\tS1\tal\tada@x.org\n",
    ],
)
def test_a_roster_is_read_as_platforms_write_it(roster, text):
    assert read_roster(roster(text)) == [Row(Learner("al", "Ada", "Lovelace", "ada@x.org", "17"))]


def test_the_grading_worksheet_of_moodle_knows_the_number_and_the_time(roster):
    text = (
        "Identifier,Full name,Email address,Last modified (submission)\n"
        'Participant 501,Anna Kim,kim2@example.org,"Friday, 20 November 2026, 10:05 AM"\n'
        "Participant 502,Bela Bartók,b@example.org,soon\n"
    )
    register = Register(KIMS, read_roster(roster(text)))
    senders = [Sender("Moodle", "Anna Kim", "501"), Sender("Moodle", "Bela Bartók", "502")]
    kim, bela = (register.match(senders)[sender] for sender in senders)
    assert (kim.learner.name, kim.learner.platform_id) == ("kim2", "2")
    assert kim.handed_in.endswith(" UTC")
    assert kim.handed_in.startswith(("2026-11-19", "2026-11-20"))
    assert (bela.learner.name, bela.learner.email, bela.handed_in) == ("bela.bartok", "b@example.org", "")
    assert "the time 'soon' cannot be read" in bela.note


def test_a_roster_adds_to_what_the_gradebook_knows(roster):
    rows = read_roster(roster("Username,Full name,Email,ID\nal17,Ada Lovelace,,\nking,Ada King,k@x.org,5\n"))
    register = Register([Learner("ada", "Ada", "Lovelace")], rows)
    assert who(register, Sender("Moodle", "Ada Lovelace", "1")) == "ada"
    assert who(register, Sender("Moodle", "Ada King", "2")) == "king"
    other = Register(
        [Learner("ada", "Ada", "Lovelace", "a@x.org")], [Row(Learner("al", "Ada", "Lovelace", "b@x.org"))]
    )
    assert "can be ada or al" in who(other, Sender("Moodle", "Ada Lovelace", "1"))


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "names nobody"), ("a,b\n1,2\n", "names nobody"), ("Email address\nx@y.org\n", "names nobody")],
)
def test_what_is_no_roster_is_said(roster, text, words):
    with pytest.raises(GradingError, match=words):
        read_roster(roster(text))
    with pytest.raises(GradingError, match="not a CSV file in UTF-8"):
        read_roster(roster("Username\nŞule\n", encoding="cp1254"))


def chosen(*names, chapters=("neuron", "activation")):
    return choose([Item(PurePosixPath(name), "", None) for name in names], chapters, "neurons")


@pytest.mark.parametrize(
    "name",
    ["neuron (1).ipynb", "neuron-2.ipynb", "Neuron.ipynb", "neuron_final.ipynb", "neuron-Copy1.ipynb", "neuron.ipynb.txt",
     "NEURON.IPYNB", "Copy of neuron.ipynb", "neuron_v2.ipynb", "neuron - Copy (2).ipynb", "neuron_final_final.ipynb",
     "sub/neuron-1.ipynb", "neuron.ipynb.json", "ｎｅｕｒｏｎ.ipynb"],
)  # fmt: skip
def test_a_name_is_forgiven_and_that_is_said(name):
    found = chosen(name)
    assert list(found.taken) == ["neuron"]
    assert found.notes == [f"{name} was taken for neuron.ipynb"]
    assert found.left_out == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nueron.ipynb", "no notebook of neurons has this name. Did you mean 'neuron'?"),
        ("final.ipynb", "no notebook of neurons has this name."),
        ("neuron.pdf", "no notebook; hand in neuron.ipynb or activation.ipynb"),
        ("neuron", "no notebook; hand in neuron.ipynb or activation.ipynb"),
    ],
)
def test_other_names_are_left_out_with_a_reason(name, reason):
    assert (chosen(name).taken, chosen(name).left_out) == ({}, [f"{name}: {reason}"])


def test_of_several_files_the_right_name_comes_first_and_a_draw_is_asked_about():
    found = chosen("neuron (1).ipynb", "neuron.ipynb", "deep/down/neuron.ipynb")
    assert str(found.taken["neuron"].path) == "neuron.ipynb"
    assert len(found.left_out) == 2
    assert str(chosen("neuron.ipynb", "neurons/neuron.ipynb").taken["neuron"].path) == "neurons/neuron.ipynb"
    draw = chosen("neuron (1).ipynb", "neuron (2).ipynb", "activation.ipynb")
    assert list(draw.taken) == ["activation"]
    assert all("there are 2 files that can be neuron.ipynb" in line for line in draw.left_out)
    assert len(draw.left_out) == 2


def test_notebooks_that_differ_in_a_number_only_are_not_mixed_up():
    assert chosen("loss.ipynb", chapters=("loss-1", "loss-2")).taken == {}
    assert list(chosen("loss-2.ipynb", chapters=("loss-1", "loss-2")).taken) == ["loss-2"]


@given(st.text(string.ascii_lowercase, min_size=1, max_size=12), st.lists(st.sampled_from(
    [" (1)", "-2", "_final", "-Copy1", " - Copy", "_v3", " 4"]), max_size=3))  # fmt: skip
def test_whatever_is_added_is_forgiven(stem, added):
    assert forgiven(stem + "".join(added)) == forgiven(stem)
