import json
import re

import pytest

from dlcourse.publishing import PublishingError, pages
from dlcourse.publishing.build import SHOWN_WARNINGS, build, complaint, replace, site_folder, workshop
from dlcourse.publishing.gettext import extract_messages


def test_finished_folder_takes_the_place_of_the_old_one(tmp_path):
    old, new = tmp_path / "site" / "html", tmp_path / "work" / "html"
    for folder, page in ((old, "before.html"), (new, "after.html")):
        folder.mkdir(parents=True)
        (folder / page).touch()
    replace(new, old)
    assert [path.name for path in old.iterdir()] == ["after.html"]


def test_workshop_leaves_nothing(tmp_path):
    with workshop(tmp_path) as work:
        (work / "page").touch()
    assert list((tmp_path / "build" / "book").iterdir()) == []


def test_file_in_the_way_of_the_build_folder(tmp_path):
    (tmp_path / "build").write_text("a file")
    with (
        pytest.raises(PublishingError, match=r"build/book cannot be written \(.*\): allow it"),
        workshop(tmp_path),
    ):
        pass


def test_complaint_begins_with_the_first_warnings(tmp_path):
    log = [
        "reading",
        *(f"{tmp_path}/book/p{n}.md:1: WARNING: term not in glossary" for n in range(7)),
        "done",
    ]
    text = complaint(log, tmp_path, tmp_path / "build" / "book" / "html.log")
    assert "all that was said is in build/book/html.log" in text
    assert text.count("WARNING") == SHOWN_WARNINGS
    assert "\nbook/p0.md:1: WARNING: term not in glossary" in text
    assert text.endswith("and 2 more")


def test_complaint_without_a_warning_shows_the_last_lines(tmp_path):
    assert complaint(["a", "Killed"], tmp_path, tmp_path / "log").endswith("a\nKilled")


@pytest.mark.slow
def test_build_then_break_then_extract(small_book):
    steps = []
    result = build(small_book, on_progress=lambda *step: steps.append(step))
    site = site_folder(small_book.resolve())
    assert (result.pages, result.executed, result.reused) == (5, 1, 0)
    assert result.index.is_file()
    assert steps[0] == (1, 1, "chapter")
    assert steps[-1] == (100, 100, "pages written")

    page = (site / "book" / "part" / "chapter.html").read_text(encoding="utf-8")
    assert 'The share is <span class="pasted-text">12.3%</span>' in page
    assert 'aria-label="Eight lines that rise."' in page
    assert "thebe" not in page
    assert not re.search(r'(?:src|href)="https?://', page)

    notebook = json.loads((site / "_sources" / "book" / "part" / "chapter.ipynb").read_text(encoding="utf-8"))
    assert any(each.get("outputs") for each in notebook["cells"])
    assert 'href="../../_sources/book/part/chapter.ipynb"' in page
    assert (site / "_sources" / "book" / "part" / "chapter.md").is_file()

    prose = small_book / "book" / "part" / "prose.md"
    good = prose.read_text()
    prose.write_text(good + "\nA {term}`word that nobody explains`.\n")
    with pytest.raises(PublishingError) as caught:
        build(small_book)
    assert "book/part/prose.md:5: WARNING: term not in glossary" in str(caught.value)
    assert "The site of the last good build is unchanged." in str(caught.value)
    assert (site / "book" / "part" / "chapter.html").read_text(encoding="utf-8") == page
    with pytest.raises(PublishingError, match="term not in glossary"):
        build(small_book)

    prose.unlink()
    toc = small_book / "_toc.yml"
    toc.write_text(toc.read_text().replace("      - file: book/part/prose\n", ""))
    result = build(small_book)
    assert (result.pages, result.executed, result.reused) == (4, 0, 1)
    assert not (site / "book" / "part" / "prose.html").exists()

    catalogues = extract_messages(small_book)
    assert len(catalogues) == len(pages.pages(small_book))
    text = (small_book / "build" / "gettext" / "book" / "part" / "chapter.pot").read_text(encoding="utf-8")
    assert 'msgid "What happens to $z$ if $b$ doubles?"' in text
    assert 'msgid "**Eight lines**' in text
    assert "#: book/part/chapter.md:" in text
    assert sorted(path.name for path in (small_book / "build" / "book").iterdir()) == [
        "cache",
        "gettext.log",
        "html",
        "html.log",
    ]
