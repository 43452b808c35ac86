"""Every exercise on its page, in Chromium: its checks say there what they say in the grader."""

from pathlib import Path

import pytest

pytest.importorskip("nbgrader", reason='the grader is not installed: pip install "dlcourse[grading]"')

from shortcuts import shortcuts_of

from dlcourse.grading import notebooks, sample
from dlcourse.publishing.live.packages import ROOMS

ROOT = Path(__file__).parents[3]
NAMES = [
    path.relative_to(ROOT / "exercises").with_suffix("").as_posix()
    for path in sorted((ROOT / "exercises").glob("*/*.md"))
    if path.parent.name in ROOMS
]
START = 120_000  # ms; Python starts on a machine that other tests use too
LONGEST = 1.0  # s; from the press of a button to the verdict

# What a reader does, many times over: answers are written, some are checked, and what is shown is read.
CHECK = """async ({ works, START }) => {
  const answer = task => document.querySelector(`[data-role="answer"][data-grade-id="${task}"]`);
  const write = answers => {
    for (const [task, code] of Object.entries(answers))
      answer(task).dispatchEvent(new CustomEvent('dlcourse:set', { detail: code }));
  };
  const check = async task => {
    answer(task).querySelector('.dl-check').click();
    const report = document.querySelector(`.dl-report[data-grade-id="${task}_check"]`);
    const end = performance.now() + START;
    while (report.dataset.state === 'busy' && performance.now() < end) await new Promise(done => setTimeout(done, 5));
    const { state, seconds } = report.dataset;
    return { state, seconds: Number(seconds), said: report.innerText };
  };
  const found = [];
  for (const { answers, tasks, then } of works) {
    write(answers);
    const shown = {};
    for (const task of tasks) shown[task] = await check(task);
    found.push(shown);
    write(then);
  }
  return found;
}"""


REFUSED = "write it"
"""What an answer is told that is the package's own."""


@pytest.fixture(scope="module")
def page(chromium, live_site):
    """One page for all exercises: the browser compiles Python once."""
    page = chromium.new_page()
    page.set_default_timeout(START)
    yield page
    page.close()


def owner(check, tasks):
    return max((task for task in tasks if check.startswith(task + "_")), key=len)


def works_of(name):
    """List what is tried on an exercise: what is written, which tasks are checked, and what each must be told."""
    exercise = notebooks.read_exercise(ROOT / "exercises" / f"{name}.md")
    right = notebooks.reference_answers(exercise)
    tasks = [task.name for task in notebooks.tasks(exercise)]
    visible = {check for task in notebooks.tasks(exercise) for check in task.visible}
    assert visible == {f"{task}_check" for task in tasks}
    yield "untouched", {}, dict.fromkeys(tasks, "")
    yield "reference", right, dict.fromkeys(tasks)
    for mistake in sample.mistakes_of(ROOT / "exercises" / f"{name}.md"):
        if lost := [owner(check, tasks) for check in mistake.loses if check in visible]:
            yield (
                f"{mistake.task}: {mistake.name}",
                {mistake.task: mistake.code},
                dict.fromkeys(lost, mistake.told),
            )
    for shortcut in shortcuts_of(name, tasks):
        yield f"{shortcut.task} {shortcut.way}", {shortcut.task: shortcut.code}, {shortcut.task: REFUSED}


def test_every_numpy_exercise_has_a_page(live_folder):
    pages = {
        path.relative_to(live_folder / "exercises").with_suffix("")
        for path in live_folder.glob("exercises/*/*.html")
    }
    assert {path.as_posix() for path in pages} == set(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_on_its_page_what_it_says_in_the_grader(name, page, live_site):
    works = list(works_of(name))
    right = notebooks.reference_answers(notebooks.read_exercise(ROOT / "exercises" / f"{name}.md"))
    page.goto(f"{live_site}/exercises/{name}.html")
    # Editors come when an answer is in sight.
    page.locator("[data-role=answer]").first.scroll_into_view_if_needed()
    page.wait_for_selector("[data-exercise=ready]")
    asked = [
        {"answers": answers, "tasks": list(told), "then": {task: right[task] for task in answers}}
        for _, answers, told in works
    ]
    found = page.evaluate(CHECK, {"works": asked, "START": START})
    wrong = [
        f"{what}: {task} must be told {told!r}, but: {shown[task]['state']}, {shown[task]['said']}"
        for (what, _, tasks), shown in zip(works, found, strict=True)
        for task, told in tasks.items()
        if not fits(shown[task], told)
    ]
    assert wrong == []
    # The first check waits for Python, and the first of each task for what it imports.
    seconds = sorted(shown[task]["seconds"] for shown in found[1:] for task in shown)
    assert seconds[len(seconds) // 2] < LONGEST


def fits(shown, told):
    """Tell whether a report is one of an answer that is right (told is None), or that is wrong and told a sentence."""
    if told is None:
        return shown["state"] == "passed"
    # What was pasted may need names of its module: then it is no answer at all.
    either = (told, "ended with NameError before it was whole") if told == REFUSED else (told,)
    return shown["state"] == "notYet" and any(words in shown["said"] for words in either)
