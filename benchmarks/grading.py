"""How fast is a class graded, beside nbgrader as it comes?

    python benchmarks/grading.py [--quick] [--json] [--large N]

Makes one class of ordinary submissions (right, half done, untouched, with one of the classic mistakes) to the exercise
"Neurons in layers", and grades it with `nbgrader autograde` on nbgrader's own defaults and with `dlcourse grade`,
each as a command of its own, ours three times with the median taken. Equal scores are asserted before a time is
printed. A larger class is graded with ours alone, to see that memory stays flat; 1,000 submissions are projected from
it. Processor time is that of the whole machine, since what runs in a sandbox is nobody's child: let nothing else run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from rich.console import Console
from rich.table import Table

from dlcourse.grading import notebooks, sample
from dlcourse.grading.books.records import gradebook, open_api
from dlcourse.grading.course import Course

ROOT = Path(__file__).parents[1]
PART, CHAPTER = "neurons", "network"
ROUNDS = 3
GOAL_RATIO, GOAL_EXECUTE, GOAL_RECORD = 10.0, 0.30, 0.15
STOCK = """
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "dlcourse"
"""


@dataclass(frozen=True)
class Measured:
    """What grading a class took.

    Args:
        seconds: from start to end.
        executing: processor seconds of all processes that ran or judged learners' code.
        recording: processor seconds of the process that wrote the gradebook.
        scores: points by learner.
        memory: megabytes of the recording process after each tenth of the class.
    """

    seconds: float
    executing: float
    recording: float
    scores: dict[str, float]
    memory: tuple[float, ...] = ()


def make_class(folder: Path, size: int) -> Course:
    """Make a course of one exercise, released, with submissions."""
    for name in (f"{CHAPTER}.md", f"{CHAPTER}_mistakes.py"):
        target = folder / "exercises" / PART / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "exercises" / PART / name, target)
    shutil.copyfile(ROOT / "_toc.yml", folder / "_toc.yml")
    course = Course(folder)
    (released,) = course.release(PART)
    exercise = course.exercise(PART, CHAPTER)
    mistakes = sample.mistakes_of(folder / "exercises" / PART / f"{CHAPTER}.md")
    works = [sample.all_right, sample.half, sample.nothing]
    works += [sample.mistaken(turn) for turn in range(len(mistakes))]
    release = nbformat.read(released, as_version=4)
    for number in range(size):
        work = works[number % len(works)]
        answers = {} if work is sample.nothing else notebooks.reference_answers(work(exercise, mistakes))
        # Nobody hands in the same file: no answer may be found again by its digest.
        answers = {name: f"{text}\n# {number}" for name, text in answers.items()}
        path = course.folder / "submitted" / f"learner{number:04}" / PART / f"{CHAPTER}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebooks.with_answers(release, answers), path)
    return course


def scores(course: Course) -> dict[str, float]:
    """Read the points from the gradebook."""
    with gradebook(open_api(course.folder, course.root)) as book:
        return {one.student.id: one.score for one in book.assignment_submissions(PART)}


def by_nbgrader(course: Course) -> Measured:
    """Grade with nbgrader's own command and its own defaults."""
    config = course.root / "nbgrader_config.py"
    config.write_text(STOCK.format(root=str(course.folder)), encoding="utf-8")
    command = [Path(sys.executable).with_name("nbgrader"), "autograde", PART]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    before, started = _processor(), time.perf_counter()
    run = subprocess.run(
        command, cwd=course.root, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    seconds, used = time.perf_counter() - started, _processor() - before
    assert run.returncode == 0, run.stderr[-3000:]
    return Measured(seconds, used, 0.0, scores(course))


WATCHED = """
import json, os, resource, sys, threading
from pathlib import Path
memory, done = [], threading.Event()
def watch():
    while not done.wait(0.5):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory.append(pages * resource.getpagesize() / 2**20)
threading.Thread(target=watch, daemon=True).start()
from dlcourse.cli import main
try:
    main(["grade", sys.argv[1]])
finally:
    done.set()
    used = resource.getrusage(resource.RUSAGE_SELF)
    said = {"recording": used.ru_utime + used.ru_stime, "memory": memory[:: max(1, len(memory) // 10)]}
    Path(sys.argv[2]).write_text(json.dumps(said))
"""
"""The command `dlcourse grade`, watched from inside."""


def by_dlcourse(course: Course) -> Measured:
    """Grade with our command, which also writes down what its main process used."""
    (course.root / "nbgrader_config.py").touch()  # by which the command knows the root of a course
    note = course.root / "used.json"
    before, started = _processor(), time.perf_counter()
    command = [sys.executable, "-c", WATCHED, PART, str(note)]
    run = subprocess.run(command, cwd=course.root, capture_output=True, text=True)
    seconds, used = time.perf_counter() - started, _processor() - before
    assert run.returncode == 0, run.stderr[-3000:]
    said = json.loads(note.read_text())
    recording = said["recording"]
    return Measured(seconds, used - recording, recording, scores(course), tuple(said["memory"]))


def _processor() -> float:
    """Return the processor seconds that this machine has spent, for whomever."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a class of 6, and no large one")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.add_argument("--large", type=int, default=300, metavar="N", help="size of the large class (300)")
    options = parser.parse_args()
    size, large = (6, 0) if options.quick else (60, options.large)
    with tempfile.TemporaryDirectory(prefix="dlcourse-benchmark-") as folder:
        places = [Path(folder, name) for name in ("stock", "large", *map(str, range(ROUNDS)))]
        for place in places:
            place.mkdir()
        # Stock nbgrader takes long and stands in the middle: the machine is not equally fast at all times.
        rounds = [by_dlcourse(make_class(places[2], size))]
        stock = by_nbgrader(make_class(places[0], size))
        rounds += [by_dlcourse(make_class(place, size)) for place in places[3:]]
        ours = sorted(rounds, key=lambda one: one.seconds)[ROUNDS // 2]
        differ = {who: (ours.scores.get(who), points) for who, points in stock.scores.items()
                  if ours.scores.get(who) != points}  # fmt: skip
        assert not differ, f"the two graders disagree (ours, nbgrader's): {differ}"
        assert len(set(ours.scores.values())) > 2, "the class is no ordinary one"
        grown = by_dlcourse(make_class(places[1], large)) if large else None
    report(size, stock, ours, large, grown, as_json=options.json)


def report(
    size: int, stock: Measured, ours: Measured, large: int, grown: Measured | None, *, as_json: bool
) -> None:
    """Print what was measured."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = [
        ("seconds a submission", "nbgrader autograde", stock.seconds / size, stock.seconds / ours.seconds),
        ("seconds a submission", "dlcourse grade", ours.seconds / size, 1.0),
        ("processor seconds a submission", "nbgrader autograde", stock.executing / size,
         stock.executing / (ours.executing + ours.recording)),
        ("processor seconds a submission", "dlcourse grade", (ours.executing + ours.recording) / size, 1.0),
        (f"of these to execute and judge (goal: at most {GOAL_EXECUTE:g})", "dlcourse grade",
         ours.executing / size, 1.0),
        (f"of these to take in and record (goal: at most {GOAL_RECORD:g})", "dlcourse grade",
         ours.recording / size, 1.0),
    ]  # fmt: skip
    if grown:
        rows += [
            (f"seconds a submission, class of {large}", "dlcourse grade", grown.seconds / large, 1.0),
            ("seconds for 1,000, projected", "dlcourse grade", grown.seconds / large * 1000, 1.0),
        ]
    if as_json:
        named = [dict(zip(("case", "peer", "seconds", "ratio"), row, strict=True)) for row in rows]
        print(json.dumps({"machine": machine, "rows": named}))
        return
    table = Table(title=f"A class of {size} submissions, {machine}")
    table.add_column("Case")
    table.add_column("Peer")
    table.add_column("Seconds", justify="right")
    table.add_column("Ratio to ours", justify="right")
    for case, peer, seconds, ratio in rows:
        table.add_row(case, peer, f"{seconds:.3f}", f"{ratio:.1f}")
    console = Console(width=110)
    console.print(table)
    console.print(
        f"All {size} scores are equal. Goal: {GOAL_RATIO:g} times nbgrader's speed; "
        f"measured: {stock.seconds / ours.seconds:.1f} times."
    )
    if grown:
        megabytes = ", ".join(f"{one:.0f}" for one in grown.memory)
        console.print(f"Memory of the recording process while it graded {large}, in MB: {megabytes}.")


if __name__ == "__main__":
    main()
