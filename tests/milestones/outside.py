"""What takes long, in a process of its own: there the package runs without the checks of shapes that slow the tests down.

Run as ``python outside.py mistakes PART`` or ``python outside.py whole PART right|stubs``; prints JSON.
"""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import nbformat

from dlcourse.grading import notebooks
from dlcourse.grading.sample import mistakes_of
from dlcourse.milestones import milestone, run
from dlcourse.milestones.clock import Watch
from dlcourse.milestones.reading import WRONG, Handed, judge
from dlcourse.milestones.run import look

EXERCISES = Path(__file__).parents[2] / "exercises"


@cache
def outside(*arguments):
    """Run this file and read what it prints."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def mistakes(part):
    """Every mistake of a part's pieces: task, name, state, what the check says, what it breaks."""
    wanted, watch = milestone(part), Watch(5)
    names = {piece.name for piece in wanted.pieces}
    found = []
    for chapter in wanted.chapters:
        path = EXERCISES / part / f"{chapter}.md"
        solved = notebooks.reference(notebooks.read_exercise(path))
        for mistake in mistakes_of(path):
            if mistake.task in names and any(check.endswith("_check") for check in mistake.loses):
                answers = notebooks.with_answers(solved, {mistake.task: mistake.code})
                works = judge(wanted, answers, watch, chapter=chapter)
                work = works[mistake.task]
                handed = Handed(tuple(works.values()), ())
                breaks = look(wanted, handed, work, watch) if work.state == WRONG else ""
                found.append([mistake.task, mistake.name, work.state, work.told, breaks])
    return found


def whole(part, way):
    """A whole run, with everything right or everything unsolved."""
    wanted = milestone(part)
    folder, files = Path(tempfile.mkdtemp()), []
    stub = "def {}(*arguments, **named):\n    raise NotImplementedError()\n"
    for chapter in wanted.chapters:
        answers = notebooks.reference(notebooks.read_exercise(EXERCISES / part / f"{chapter}.md"))
        if way == "stubs":
            mine = [piece.name for piece in wanted.pieces if piece.chapter == chapter]
            answers = notebooks.with_answers(answers, {name: stub.format(name) for name in mine})
        files.append(folder / f"{chapter}.ipynb")
        nbformat.write(answers, files[-1])
    report = run(wanted, files)
    return {
        "reached": report.reached,
        "values": [trained.result.value for trained in report.trained],
        "states": sorted({line.work.state for line in report.lines}),
        "yours": report.yours,
        "uncalled": [line.work.piece.name for line in report.lines if not line.calls],
    }


if __name__ == "__main__":
    print(json.dumps({"mistakes": mistakes, "whole": whole}[sys.argv[1]](*sys.argv[2:])))
