"""What nbgrader's autograder does with a submission here: rebuild it, judge it from outside, keep the books.

nbgrader runs two lists of preprocessors over each notebook. In the first `Rebuild` stands for its repairs, in the second
`Judge` stands for `Execute`. No Jupyter kernel is started: not by `dlcourse grade`, nor by `nbgrader autograde`, nor by
formgrader's button.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat import from_dict
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import determine_grade
from traitlets import Bool, Unicode

from dlcourse.grading.books.outcomes import Outcomes
from dlcourse.grading.errors import GradingError
from dlcourse.grading.execution.jobs import AUTO, CellOutcome, Outcome
from dlcourse.grading.intake.flags import Flags
from dlcourse.grading.intake.rebuild import rebuild
from dlcourse.grading.material import Material
from dlcourse.grading.notebooks import Notebook, grade_id, graded


class InCourse(NbGraderPreprocessor):
    """A preprocessor that knows which class it works on."""

    course = Unicode(help="The class's folder.").tag(config=True)
    repository = Unicode(help="The folder that holds exercises/ and _toc.yml.").tag(config=True)
    device = Unicode(AUTO, help="Where tensors among the inputs of checks are made: auto or cpu.").tag(
        config=True
    )

    @property
    def material(self) -> Material:
        """What the class is graded with."""
        return Material(Path(self.repository), Path(self.course), self.device)


class Rebuild(InCourse):
    """Builds the submission anew on the released notebook: only the answers and added cells are the learner's."""

    def preprocess(self, nb: Notebook, resources: Any) -> tuple[Notebook, Any]:
        """Return the released notebook with the learner's answers, and without outputs."""
        about = resources["nbgrader"]
        flags = Flags()
        notebook = rebuild(nb.cells, self.material.released(about["assignment"], about["notebook"]), flags)
        for sentence in flags.sentences():
            self.log.warning(sentence)
        return notebook, resources


class Judge(InCourse):
    """Writes into a notebook what its execution in the sandbox came to: outputs, reports and with them the points."""

    unsafe = Bool(False, help="Whether code may run without a sandbox.").tag(config=True)

    def preprocess(self, nb: Notebook, resources: Any) -> tuple[Notebook, Any]:
        """Execute the notebook, unless its outcome is there already, and fill it in."""
        from dlcourse.grading.execution.execute import execute

        about = resources["nbgrader"]
        part, chapter = about["assignment"], about["notebook"]
        job = self.material.job(part, chapter, about["student"], nb).to_bytes()
        outcomes = Outcomes(Path(self.course), unsafe=self.unsafe)
        key = outcomes.key(job)
        raw = outcomes.find(key)
        if raw is None:
            raw = execute(job, unsafe=self.unsafe)
            outcomes.keep(key, raw)
        fill(nb, Outcome.from_bytes(raw), self.material.source(part, chapter))
        return nb, resources


def fill(notebook: Notebook, outcome: Outcome, source: Notebook) -> None:
    """Write an outcome into its notebook.

    Args:
        notebook: The notebook that was executed; it is changed.
        outcome: What came of it.
        source: The instructor's version, whose checks and tasks replace the released ones: the instructor sees what was
            checked, and the marking scheme.

    Raises:
        GradingError: nbgrader would read other points from the notebook than the outcome gives.
    """
    shown = {grade_id(cell): cell.source for cell in source.cells if _is_test(cell) or _is_task(cell)}
    judged = {cell.index: cell for cell in outcome.cells}
    count = 0
    for index, cell in enumerate(notebook.cells):
        if _is_task(cell):
            cell.source = shown.get(grade_id(cell), cell.source)
        if cell.cell_type != "code":
            continue
        found = judged.get(index)
        if found and found.outputs:
            count += 1
            cell.execution_count = count
            cell.outputs = [_output(data, count) for data in found.outputs]
        if not _is_test(cell):
            continue
        cell.source = shown.get(grade_id(cell), cell.source)
        points = _read_points(cell, found)
        # A test cell without outputs has passed, as far as nbgrader knows.
        if found is None or found.points is None or points is None or abs(points - found.points) > 1e-6:
            given = "nothing" if found is None else found.points
            raise GradingError(
                f"The outcome gives {given} points for {grade_id(cell)!r} and nbgrader reads {points} from it; grade "
                "again, and report it if that does not help."
            )
    notebook.metadata["dlcourse"] = {
        **notebook.metadata.get("dlcourse", {}),
        "isolation": outcome.isolation,
        "low_trust": list(outcome.low_trust),
    }


def _read_points(cell: Any, found: CellOutcome | None) -> float | None:
    """Let nbgrader read the points of a test cell."""
    try:
        return determine_grade(cell)[0]
    except ValueError:  # more points than there are: the cell of asserts shows a number of the learner's
        for output in cell.outputs:
            if found and output.output_type == "execute_result":
                output.data["text/plain"] = f"{found.points:g}"
        return determine_grade(cell)[0]


def _output(data: dict[str, Any], count: int) -> Any:
    output = from_dict(data)
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def _is_test(cell: Any) -> bool:
    return cell.cell_type == "code" and graded(cell) and not cell.metadata["nbgrader"]["solution"]


def _is_task(cell: Any) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("task"))
