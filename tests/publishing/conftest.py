import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_book(tmp_path):
    """A book of a few pages with one of everything, set up like the real one."""
    book = tmp_path / "course"
    shutil.copytree(ROOT / "tests" / "publishing" / "book", book)
    shutil.copy(ROOT / "_config.yml", book)
    return book
