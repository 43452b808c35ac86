"""Files that are odd before anything of them runs."""

import copy
import json
import os

from .recipe import EVERYTHING, WRONG_ADD, Recipe


def _of(data, name):
    """Return a cell by its name."""
    return next(
        cell for cell in data["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def _nbgrader(data, name):
    return _of(data, name)["metadata"]["nbgrader"]


def _wrong_kernel(data):
    data["metadata"]["kernelspec"] = {"name": "julia-1.10", "display_name": "Julia", "language": "julia"}
    data["metadata"]["language_info"] = {"name": "julia"}


def _format_three(data):
    cells = copy.deepcopy(data["cells"])
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"input": cell.pop("source"), "prompt_number": 1, "language": "python"}
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def _format_from_the_future(data):
    data["nbformat"] = 99


def _without_checks(data):
    data["cells"] = [cell for cell in data["cells"] if not cell["metadata"].get("nbgrader", {}).get("grade")]


def _without_answer(data):
    data["cells"].remove(_of(data, "add"))


def _wrong_first_and_the_right_copy_later(data):
    """In the learner's own run the later definition counts, and so it does here."""
    again = copy.deepcopy(_of(data, "add")) | {"id": "again"}
    _of(data, "add")["source"] = WRONG_ADD
    data["cells"].insert(data["cells"].index(_of(data, "add_check")), again)


def _every_check_twice(data):
    data["cells"] += [copy.deepcopy(_of(data, f"{task}_check")) for task in EVERYTHING]


def _backwards(data):
    data["cells"].reverse()


def _check_turned_to_prose(data):
    _of(data, "add_check")["cell_type"] = "markdown"


def _answer_turned_to_prose(data):
    _of(data, "add")["cell_type"] = "raw"


def _more_points(data):
    for task in EVERYTHING:
        _nbgrader(data, f"{task}_check")["points"] = 100


def _not_graded(data):
    for name in ("add_check", "add_hidden"):
        _nbgrader(data, name)["grade"] = False


def _made_an_answer(data):
    cell = _of(data, "add_check")
    cell["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    cell["source"] = "1"


def _checks_rewritten(data):
    for task in EVERYTHING:
        _of(data, f"{task}_check")["source"] = "1"
        if task not in ("interval", "half"):
            _of(data, f"{task}_hidden")["source"] = "2"


def _setup_rewritten(data):
    _of(data, "setup")["source"] = (
        "def run_checks(*checks, hidden=False):\n    return 1\nCheck = given = drawn = print"
    )


def _bonus(data):
    cell = copy.deepcopy(_of(data, "half_check"))
    cell["metadata"]["nbgrader"] |= {"grade_id": "bonus_check", "points": 500}
    data["cells"].append(cell | {"id": "bonus", "source": "500"})


def _forged_outputs(data):
    """Stock graders read points from outputs: these were in the file before."""
    result = {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/plain": "9"},
    }
    for task in EVERYTHING:
        _of(data, f"{task}_check")["outputs"] = [result]


def _no_metadata(data):
    for cell in data["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)


def _oddities(data):
    data["cells"] += [None, 7, {"cell_type": "code"}, {"cell_type": "video", "metadata": {}, "source": "x"}]
    data["cells"].append({"cell_type": "code", "metadata": 3, "source": {"a": 1}})


def _another_notebook(data):
    data["cells"] = [{"cell_type": "markdown", "metadata": {}, "source": "# My holidays"}]


def _raw(content):
    return lambda path: path.write_bytes(content)


def _huge(path):
    with path.open("wb") as file:
        file.truncate(50 * 2**20)


def _link(path):
    target = path.with_name("solution.ipynb")
    target.write_text("{}", encoding="utf-8")
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _pipe(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def _unusable(name, file, flag):
    return Recipe(name, file=file, costs=EVERYTHING, flag=flag)


RECIPES = [
    Recipe("has another kernel", notebook=_wrong_kernel, note=""),
    Recipe("is in the old format 3", notebook=_format_three, flag="old notebook format '3'"),
    Recipe(
        "says that it is of format 99", notebook=_format_from_the_future, flag="'99' as its notebook format"
    ),
    Recipe("has no checks", notebook=_without_checks, flag="Missing and put back: 'add_check'"),
    Recipe(
        "has no checks, and a wrong answer",
        notebook=_without_checks,
        answers={"add": WRONG_ADD},
        costs=["add"],
        told={"add_check": "You subtracted"},
        flag="Missing and put back",
    ),
    Recipe(
        "has no checks and is blank", notebook=_without_checks, blank=True, costs=EVERYTHING, flag="Missing"
    ),
    Recipe("lacks an answer", notebook=_without_answer, costs=["add"], flag="Missing and put back: 'add'"),
    Recipe(
        "corrects its answer in a copy",
        notebook=_wrong_first_and_the_right_copy_later,
        flag="There more than once: 'add'",
    ),
    Recipe("has every check twice", notebook=_every_check_twice, flag="There more than once, and kept once"),
    Recipe("stands on its head", notebook=_backwards, flag="Moved, and put back in place"),
    Recipe("turned a check into prose", notebook=_check_turned_to_prose, flag="Changed to another type"),
    Recipe(
        "turned an answer into raw text", notebook=_answer_turned_to_prose, flag="Changed to another type"
    ),
    Recipe("wants 100 points a check", notebook=_more_points, flag="Changed 'points'"),
    Recipe(
        "says that its checks are not graded",
        notebook=_not_graded,
        answers={"add": WRONG_ADD},
        costs=["add"],
        flag="Changed 'grade'",
    ),
    Recipe(
        "makes a check its answer",
        notebook=_made_an_answer,
        answers={"add": WRONG_ADD},
        costs=["add"],
        flag="Edited check, restored as released: 'add_check'",
    ),
    Recipe(
        "rewrites all checks", notebook=_checks_rewritten, blank=True, costs=EVERYTHING, flag="Edited check"
    ),
    Recipe(
        "rewrites the setup",
        notebook=_setup_rewritten,
        blank=True,
        costs=EVERYTHING,
        flag="Edited locked cell",
    ),
    Recipe("invents a check", notebook=_bonus, flag="No released cell is called 'bonus_check'"),
    Recipe("brings the outputs along", notebook=_forged_outputs, blank=True, costs=EVERYTHING),
    Recipe("lost its metadata", notebook=_no_metadata, flag="Without its nbgrader metadata|Missing"),
    Recipe("has cells that are no cells", notebook=_oddities, flag="cannot be read and was left out"),
    Recipe(
        "is another notebook", notebook=_another_notebook, costs=EVERYTHING, flag="is it another notebook"
    ),
    Recipe(
        "has lines for its end", notebook=lambda data: json.dumps(data, indent=1).encode() + b"\n" * 10_000
    ),
    _unusable("has 50 MB", _huge, "has 50 MB, more than 20"),
    _unusable("is a link", _link, "is a link to another place"),
    _unusable("is a pipe", _pipe, "is no plain file"),
    _unusable("is a folder", _folder, "is no plain file"),
    _unusable("is empty", _raw(b""), "it is empty"),
    _unusable("is a list", _raw(b"[]"), "holds a list"),
    _unusable("is a photograph", _raw(b"\x89PNG\r\n\x1a\n" + bytes(500)), "is not a notebook"),
    _unusable("is not in UTF-8", _raw('{"cells": ["Ä"]}'.encode("latin-1")), "is not a notebook"),
    _unusable("was cut off", _raw(b'{"cells": [{"cell_type": "co'), "is not a notebook"),
    _unusable("is nested deeply", _raw(b"[" * 200_000), "nested too deeply"),
    _unusable(
        "has a number of 5000 digits", _raw(b'{"nbformat": ' + b"9" * 5000 + b"}"), "is not a notebook"
    ),
]
