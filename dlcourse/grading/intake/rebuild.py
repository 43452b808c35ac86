"""A submitted notebook, built anew on the released one: the learner's words in the instructor's frame.

Every released cell comes back in its place with its own metadata. The text of an answer is the learner's; cells they
added keep their place after the cell that they followed. What was changed beyond that becomes a flag.
"""

from __future__ import annotations

import copy
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

from dlcourse.grading.execution.bound import bindings
from dlcourse.grading.intake.flags import Flags, shown
from dlcourse.grading.intake.handed import Handed, read_cell
from dlcourse.grading.notebooks import Cell, Notebook, grade_id, graded

MAX_ADDED = 1000
"""How many cells of their own a learner may add."""


def rebuild(cells: Sequence[Any], released: Notebook, flags: Flags) -> Notebook:
    """Build a submitted notebook on the released one.

    Args:
        cells: The cells of the submitted file: any JSON.
        released: The notebook that was handed out.
        flags: Gets what is odd.

    Returns:
        A valid notebook that has the released cells, the learner's answers, and the cells they added.
    """
    handed = [
        cell for n, data in enumerate(cells, start=1) if (cell := read_cell(n, data, flags)) is not None
    ]
    skeleton = list(released.cells)
    copies = _matched(handed, skeleton, flags)
    chosen = {index: _choose(found, skeleton[index]) for index, found in copies.items()}
    if not any(grade_id(skeleton[index]) for index in chosen):
        flags.add("None of the released cells is in the file: is it another notebook?")
    else:
        _flag_missing(skeleton, chosen, flags)
        _flag_moved(skeleton, chosen, flags)
    for index, cell in chosen.items():
        _flag_changes(cell, skeleton[index], len(copies[index]), flags)
    place = {id(cell): index for index, cell in chosen.items()}
    dropped = {id(cell) for index, found in copies.items() for cell in found if not _worth_keeping(
        cell, skeleton[index], chosen[index])}  # fmt: skip
    added = _added(handed, place, dropped, flags)
    result = copy.deepcopy(released)
    kept = [_filled(cell, chosen.get(index)) for index, cell in enumerate(result.cells)]
    _make_way([cell for index, cell in enumerate(kept) if index not in chosen], added)
    result.cells = _woven(kept, chosen.keys(), _built(added, result))
    return result


def _matched(handed: list[Handed], skeleton: list[Cell], flags: Flags) -> dict[int, list[Handed]]:
    """Find the submitted cells that belong to each released one: by name, else by id, else by text."""
    names = {grade_id(cell): index for index, cell in enumerate(skeleton) if grade_id(cell)}
    ids = {cell.get("id"): index for index, cell in enumerate(skeleton) if cell.get("id")}
    texts: dict[tuple[str, str], list[int]] = {}
    for index, cell in enumerate(skeleton):
        texts.setdefault((cell.cell_type, _plain(cell.source)), []).append(index)
    found: dict[int, list[Handed]] = {}
    nameless = []
    for cell in handed:
        if cell.name in names:
            found.setdefault(names[cell.name], []).append(cell)
        elif cell.nbgrader:
            flags.add("No released cell is called {}: kept as a cell that the learner added.",
                      shown(cell.name))  # fmt: skip
        else:
            nameless.append(cell)
    for cell in nameless:
        # Several released cells may have the same text: the learner's stand in the same order.
        wanted = (ids.get(cell.cell_id), *texts.get((cell.kind, _plain(cell.source)), ()))
        for place in wanted:
            if place is not None and place not in found and skeleton[place].cell_type == cell.kind:
                found[place] = [cell]
                break
    return found


def _choose(found: list[Handed], released: Cell) -> Handed:
    """Choose, of the copies of a cell, the one that stands for it.

    Of an answer it is the first that somebody wrote something in; of a cell that must not change, the first that did not.
    """
    answer = _takes_answer(released)

    def rank(cell: Handed) -> tuple[bool, bool, int]:
        if answer:
            return _is_blank(cell, released), cell.kind != released.cell_type, cell.position
        return not _is_same(cell, released), cell.kind != released.cell_type, cell.position

    return min(found, key=rank)


def _worth_keeping(cell: Handed, released: Cell, chosen: Handed) -> bool:
    """Tell whether a copy that was not chosen stays as a cell of the learner's own.

    It then runs where it stands, as it did when the learner ran the notebook from top to bottom. A copy of the stub would
    undo the answer, so it goes.
    """
    return (
        cell is not chosen and not _is_blank(cell, released) and _plain(cell.source) != _plain(chosen.source)
    )


def _flag_missing(skeleton: list[Cell], chosen: dict[int, Handed], flags: Flags) -> None:
    for index, cell in enumerate(skeleton):
        if grade_id(cell) and index not in chosen:
            flags.add("Missing and put back: {}.", shown(grade_id(cell)))


def _flag_moved(skeleton: list[Cell], chosen: dict[int, Handed], flags: Flags) -> None:
    """Flag the fewest cells whose move explains the submitted order."""
    order = [index for index in sorted(chosen, key=lambda i: chosen[i].position) if grade_id(skeleton[index])]
    tails: list[int] = []
    chains: list[list[int]] = []  # the best rising chain of each length
    for index in order:
        length = bisect_left(tails, index)
        chain = [*(chains[length - 1] if length else []), index]
        tails[length:length + 1] = [index]  # fmt: skip
        chains[length:length + 1] = [chain]  # fmt: skip
    stayed = set(chains[-1]) if chains else set()
    for index in order:
        if index not in stayed:
            flags.add("Moved, and put back in place: {}.", shown(grade_id(skeleton[index])))


def _flag_changes(cell: Handed, released: Cell, copies: int, flags: Flags) -> None:
    name = grade_id(released)
    if not name:
        return
    shown_name = shown(name)
    if copies > 1 and _takes_answer(released):
        flags.add(
            "There more than once: {}. The first copy with an answer is graded as such, "
            "other answers run as added cells.", shown_name)  # fmt: skip
    elif copies > 1:
        flags.add("There more than once, and kept once: {}.", shown_name)
    if cell.kind != released.cell_type:
        flags.add(f"Changed to another type, and back to {released.cell_type}: {{}}.", shown_name)
    if not _takes_answer(released) and not _is_same(cell, released):
        what = "check" if graded(released) else "locked cell"
        flags.add(f"Edited {what}, restored as released: {{}}.", shown_name)
    if not cell.nbgrader:
        flags.add("Without its nbgrader metadata, and recognised by its id or text: {}.", shown_name)
        return
    for key in ("points", "grade", "locked", "solution", "task"):
        if key == "points" and not graded(released):
            continue
        missing = False if key == "task" else None
        if cell.nbgrader.get(key, missing) != released.metadata["nbgrader"].get(key, missing):
            flags.add(f"Changed {key!r} in the nbgrader metadata, and back as released: {{}}.", shown_name)


def _added(
    handed: list[Handed], place: dict[int, int], dropped: set[int], flags: Flags
) -> dict[int, list[Handed]]:
    """Return the cells that the learner added, by the released cell which they follow (-1: they come first)."""
    added: dict[int, list[Handed]] = {}
    after, count = -1, 0
    for cell in handed:
        if id(cell) in place:
            after = place[id(cell)]
        elif id(cell) not in dropped:
            count += 1
            if not cell.kind:
                flags.add("Cell {} of the file is of an unknown type and was left out.",
                          f"number {cell.position}")  # fmt: skip
            elif count > MAX_ADDED:
                flags.add(f"More than {MAX_ADDED} added cells; the rest was left out.")
            else:
                added.setdefault(after, []).append(cell)
    return added


def _filled(cell: Cell, handed: Handed | None) -> Cell:
    """Put a learner's answer into a released cell, where it takes one."""
    if handed is not None and (_takes_answer(cell) or not grade_id(cell)):
        cell.source = handed.source
        if cell.cell_type == "markdown" and handed.attachments:
            cell.attachments = {**cell.get("attachments", {}), **handed.attachments}
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    return cell


def _make_way(missing: list[Cell], added: dict[int, list[Handed]]) -> None:
    """Empty the stubs of answers that the learner wrote into cells of their own: put back, they would undo them."""
    theirs = {name for cells in added.values() for cell in cells for name in bindings(cell.source)}
    for cell in missing:
        if cell.cell_type == "code" and _takes_answer(cell) and theirs & bindings(cell.source).keys():
            cell.source = ""


def _built(added: dict[int, list[Handed]], notebook: Notebook) -> dict[int, list[Cell]]:
    """Make cells of what learners added, with ids that depend on their order alone."""
    from nbformat import from_dict

    has_ids = (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    taken = {cell.get("id") for cell in notebook.cells}
    numbers = (f"added-{n}" for n in range(1, 2 * (len(taken) + MAX_ADDED)) if f"added-{n}" not in taken)
    built: dict[int, list[Cell]] = {}
    for after in sorted(added):
        for handed in added[after]:
            cell: dict[str, Any] = {"cell_type": handed.kind, "metadata": {}, "source": handed.source}
            if has_ids:
                cell["id"] = next(numbers)
            if handed.kind == "code":
                cell |= {"execution_count": None, "outputs": []}
            elif handed.attachments:
                cell["attachments"] = handed.attachments
            built.setdefault(after, []).append(from_dict(cell))
    return built


def _woven(kept: list[Cell], present: Iterable[int], added: dict[int, list[Cell]]) -> list[Cell]:
    """Put the added cells between the released ones.

    What a learner wrote comes before a check that is put back.
    """
    there = set(present)
    woven: list[Cell] = []
    waiting = added.get(-1, [])
    for index, cell in enumerate(kept):
        if index in there or (graded(cell) and not _takes_answer(cell)):
            woven += waiting
            waiting = added.get(index, [])
        woven.append(cell)
    return woven + waiting


def _takes_answer(cell: Cell) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _is_same(cell: Handed, released: Cell) -> bool:
    return _plain(cell.source) == _plain(released.source)


def _is_blank(cell: Handed, released: Cell) -> bool:
    return not cell.source.strip() or _is_same(cell, released)


def _plain(source: str) -> str:
    """Return a text without what editors change on their own: the ends of lines and empty lines around it."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())
