import json
from pathlib import Path

import pytest
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dlcourse.publishing import pages
from dlcourse.publishing.live import cells

ROOT = Path(__file__).parents[3]
NUMPY_PARTS = ("introduction", "neurons", "learning", "training")


@pytest.mark.parametrize("path", pages.notebooks(ROOT), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_chapters_of_the_numpy_half_run_and_others_say_why_not(path):
    notebook = read_myst_markdown_notebook(path.read_text(encoding="utf-8"), path=path)
    why = cells.why_not(cell.source for cell in notebook.cells if cell.cell_type == "code")
    if path.parent.name in NUMPY_PARTS:
        assert why == ""
    elif path.parent.name in ("gpus", "distributed", "frameworks", "milestones"):
        assert why.startswith("This page does not run in the browser, for it uses ")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("import numpy as np", ""),
        ("import os, io, json", ""),
        ("from dlcourse.figures import show", ""),
        ("def f():\n    import torch.nn", "PyTorch"),
        ("import jax.numpy as jnp, tensorflow", "JAX and TensorFlow"),
        ("from dlcourse.gpus._device import torch", "PyTorch"),
        ("from dlcourse.grading.course import Course", "dlcourse.grading"),
        ("from dlcourse.cli import main", "dlcourse.cli"),
        ("import subprocess", "subprocess"),
    ],
)
def test_what_is_imported_decides(source, named):
    why = cells.why_not([source])
    assert (named in why) if named else why == ""


def test_what_the_front_matter_names_counts_too():
    assert cells.why_not(["import numpy"], ["torch"]).endswith("it uses PyTorch.")


def test_cell_that_is_no_python():
    assert "not Python alone" in cells.why_not(["%matplotlib inline"])


def test_file_of_a_page(tmp_path):
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A page"),
            new_code_cell("a = 1", metadata={"tags": ["remove-cell"]}),
            new_code_cell("a"),
            new_code_cell("b", metadata={"tags": ["remove_input"]}),
        ]
    )
    cells.write(tmp_path, "book/part/page", "A page", notebook)
    about = json.loads((tmp_path / "_live" / "book" / "part" / "page.json").read_text())
    assert (about["page"], about["title"], about["runs"]) == ("book/part/page", "A page", True)
    assert about["notebook"] == "_sources/book/part/page.ipynb"
    assert [(cell["n"], cell["source"], cell["shown"]) for cell in about["cells"]] == [
        (0, "a = 1", False),
        (1, "a", True),
        (2, "b", True),
    ]
    assert about["cells"][2]["tags"] == ["remove-input"]
    assert about["digest"] == cells.digest(["a = 1", "a", "b"]) != cells.digest(["a = 1a", "b"])
    assert len(about["digest"]) == 16


def test_page_without_cells_has_no_file(tmp_path):
    cells.write(tmp_path, "page", "A page", new_notebook(cells=[new_markdown_cell("Words.")]))
    assert list(tmp_path.iterdir()) == []
