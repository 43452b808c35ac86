"""Stands in for the sandbox where a test is about the books: points by the text of an answer, at once."""

from dlcourse.grading.execution.jobs import CODE, CellOutcome, Job, Outcome

RIGHT = {"add": "return a + b", "double": "return 2 * a"}


def execute(job, *, unsafe=False):
    read = Job.from_bytes(job)
    cells = []
    text = {cell.name: cell.source for cell in read.cells}
    for cell in read.cells:
        if cell.role == CODE:
            printed = {"output_type": "stream", "name": "stdout", "text": f"ran {cell.name}\n"}
            cells.append(CellOutcome(cell.index, (printed,)))
            continue
        name = cell.name.split("_")[0]
        points = cell.points if RIGHT[name] in text[name] else 0.0
        verdict = {
            "name": name,
            "what": "works",
            "passed": points > 0,
            "points": points,
            "total": cell.points,
        }
        output = {
            "output_type": "execute_result",
            "execution_count": None,
            "data": {"text/plain": f"{points:g}"},
            "metadata": {},
        }
        report = {"points": points, "total": cell.points, "hidden": False, "verdicts": [verdict]}
        cells.append(CellOutcome(cell.index, (output,), points, report if cell.role == "checks" else None))
    notes = ("It looked around.",) if "look_around" in str(text) else ()
    words = "none (--unsafe)" if unsafe else "stand-in"
    return Outcome(tuple(cells), words, ("double_check",), notes).to_bytes()


def run(jobs, on_done, *, crew):
    for name in jobs:
        on_done(name, execute(jobs[name], unsafe=crew.unsafe))
