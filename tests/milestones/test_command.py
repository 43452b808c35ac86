"""The command `dlcourse milestone`, really run."""

import pytest

pytest.importorskip("typer", reason='the command line is not installed: pip install "dlcourse[book]"')

from dlcourse import cli


@pytest.fixture
def command(capfd, monkeypatch, tmp_path):
    """Run the command in a folder of its own: exit status, standard output and error on one line each."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main(["milestone", *map(str, arguments)])
        printed = capfd.readouterr()
        return left.value.code or 0, " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


def test_right_work_reaches_the_milestone(command, write, tmp_path):
    write("neurons")
    status, said, errors = command("neurons")
    assert (status, errors) == (0, "")
    assert "The perceptron of 1957 tells left from right" in said
    assert "sum of a neuron" in said
    assert "yours" in said
    assert "of 500 new cards told apart" in said
    assert "ran in your code. The curves: milestone-neurons.png" in said
    assert (tmp_path / "milestone-neurons.png").is_file()


def test_a_wrong_piece_fails_with_what_it_breaks(command, write, tmp_path):
    files = write("neurons", weighted_sum="def weighted_sum(x, w, b):\n    return x @ w\n")
    status, said, _ = command("neurons", files[0], "--figure", "curve.svg")
    assert status == 1
    assert (
        "Wrong: weighted_sum. It learns all the same, but your weighted sum is 0.5 too small everywhere."
        in said
    )
    assert "The check says: You left out the bias b" in said
    assert (tmp_path / "curve.svg").is_file()


def test_a_folder_of_the_parts_name_is_looked_into(command, write, tmp_path):
    [path] = write("neurons")
    (tmp_path / "neurons").mkdir()
    path.rename(tmp_path / "neurons" / path.name)
    assert command("neurons")[0] == 0


def test_what_is_not_there_is_said(command):
    status, _, errors = command("neurons")
    assert status == 1
    assert "There is none of the notebooks neuron.ipynb in" in errors
    assert command("neuron")[2].startswith("There is no milestone 'neuron'. Did you mean 'neurons'?")
    status, _, errors = command("neurons", "nothing.ipynb")
    assert status == 1
    assert "There is no file nothing.ipynb." in errors


def test_a_broken_notebook_is_said_and_fails(command, tmp_path):
    (tmp_path / "neuron.ipynb").write_text("{")
    status, said, errors = command("neurons")
    assert status == 1
    assert "neuron.ipynb: the file is not a notebook" in errors
    assert "package's: no notebook" in said


def test_ctrl_c_says_what_was_going_on(command, write):
    write("neurons", neuron="import signal\nsignal.raise_signal(signal.SIGINT)\n")
    status, _, errors = command("neurons")
    assert (status, errors) == (130, "Stopped while reading your notebooks, in your cell 'neuron'.")
