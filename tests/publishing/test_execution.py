import re

import pytest

from dlcourse.publishing import PublishingError, cache
from dlcourse.publishing.execution import execute

HEAD = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# A page

"""


def cell(*lines):
    return "\n".join(["```{code-cell} ipython3", *lines, "```", ""])


def write(book, *cells):
    (book / "book" / "part" / "chapter.md").write_text(HEAD + "\n".join(cells), encoding="utf-8")


def chapter(book):
    return book.resolve() / "book" / "part" / "chapter.md"


def test_cells_run_once_and_with_one_thread(small_book):
    said = []
    write(small_book, cell("import os", 'assert os.environ["OPENBLAS_NUM_THREADS"] == "1"', "6 * 7"))
    first = execute(small_book.resolve(), on_progress=lambda *step: said.append(step))
    again = execute(small_book.resolve())
    assert list(first.ran) == [chapter(small_book)]
    assert said == [(1, 1, "chapter")]
    assert (again.ran, again.reused) == ({}, [chapter(small_book)])


@pytest.mark.slow
def test_changed_package_runs_cells_again(small_book, monkeypatch):
    write(small_book, cell("6 * 7"))
    execute(small_book.resolve())
    monkeypatch.setattr(cache, "package_hash", lambda: "another")
    assert list(execute(small_book.resolve()).ran) == [chapter(small_book)]


def test_failing_cell_is_named_and_not_kept(small_book):
    write(small_book, cell("right = 1"), "Prose.\n", cell("", "wrong = right / 0", "print(wrong)"))
    lines = chapter(small_book).read_text().splitlines()
    fence = lines.index("wrong = right / 0") - 1  # counted from 1, and a blank line stands between
    assert lines[fence - 1] == "```{code-cell} ipython3"
    for _ in range(2):
        with pytest.raises(PublishingError) as caught:
            execute(small_book.resolve())
        assert str(caught.value) == (
            f"book/part/chapter.md, line {fence}: the cell `wrong = right / 0` failed with "
            "ZeroDivisionError: division by zero"
        )


@pytest.mark.slow
def test_cell_that_takes_too_long(small_book):
    config = small_book / "_config.yml"
    config.write_text(re.sub(r"timeout: \d+", "timeout: 1", config.read_text()))
    write(small_book, cell("import time", "time.sleep(60)"))
    with pytest.raises(PublishingError, match="the cell `import time` took longer than 1 s"):
        execute(small_book.resolve())


@pytest.mark.slow
def test_cell_that_ends_its_kernel(small_book):
    write(small_book, cell("import os", "os._exit(1)"))
    with pytest.raises(PublishingError, match="the cell `import os` ended its kernel"):
        execute(small_book.resolve())
