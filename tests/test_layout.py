"""The mirror: one stem names a concept in all its places, and _toc.yml alone holds the order."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# Rooms of the package that are no parts of the book.
ROOMS = {"checks", "cli", "data", "experiments", "figures", "grading", "milestones", "publishing"}


def chapters(root):
    """List the chapters of _toc.yml as (part, stem); opening and reference pages are none."""
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    pages = [page["file"] for part in toc["parts"] for page in part["chapters"]]
    found = [re.fullmatch(r"book/([a-z_]+)/([a-z_]+)", page) for page in pages]
    return [m.groups() for m in found if m and m[2] != "index"]


def mirrors(part, stem):
    """Name the five places of a chapter."""
    return [
        f"book/{part}/{stem}.md",
        f"dlcourse/{part}/{stem}.py",
        f"exercises/{part}/{stem}.md",
        f"exercises/{part}/{stem}_mistakes.py",
        f"tests/{part}/test_{stem}.py",
    ]


def problems(root):
    """Say which mirrors are missing, and which files no chapter of the table of contents names.

    A part's private modules ``_name.py`` and their tests ``test__name.py`` belong to no chapter.
    """
    named = chapters(root)
    missing = [place for chapter in named for place in mirrors(*chapter) if not (root / place).is_file()]
    expected = {place for chapter in named for place in mirrors(*chapter)}
    parts = {part for part, _ in named}
    present = {
        str(path.relative_to(root))
        for pattern in ("book/*/*.md", "dlcourse/*/*.py", "exercises/*/*", "tests/*/test_*.py")
        for path in root.glob(pattern)
        if path.parent.name not in ROOMS
        and path.stem != "index"
        and not path.name.startswith(("_", "test__"))
    }
    return [f"missing: {p}" for p in missing] + [
        f"in no chapter: {p}" for p in sorted(present - expected)
    ], parts


def test_every_chapter_has_all_its_mirrors_and_nothing_is_orphaned():
    found, parts = problems(ROOT)
    assert found == []
    assert "neurons" in parts


@pytest.fixture
def small(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- caption: One\n  chapters:\n"
        "  - file: book/one/index\n  - file: book/one/first\n"
    )
    for place in mirrors("one", "first"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    return tmp_path


def test_a_complete_chapter_is_accepted(small):
    assert problems(small) == ([], {"one"})


@pytest.mark.parametrize("place", mirrors("one", "first"))
def test_a_missing_mirror_is_found(small, place):
    (small / place).unlink()
    assert problems(small)[0] == [f"missing: {place}"]


@pytest.mark.parametrize("place", mirrors("one", "second") + mirrors("two", "first"))
def test_an_orphan_is_found(small, place):
    (small / place).parent.mkdir(parents=True, exist_ok=True)
    (small / place).touch()
    assert problems(small)[0] == [f"in no chapter: {place}"]


def test_no_number_orders_a_file():
    numbered = [p for room in ("book", "exercises") for p in (ROOT / room).rglob("*") if p.name[0].isdigit()]
    assert numbered == []


def test_notebooks_are_text():
    assert [p for room in ("book", "exercises", "tests") for p in (ROOT / room).rglob("*.ipynb")] == []
