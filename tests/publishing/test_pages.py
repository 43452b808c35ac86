import pytest

from dlcourse.publishing import PublishingError, pages


def names(root, found):
    return [path.relative_to(root).as_posix() for path in found]


def test_pages_are_in_reading_order(small_book):
    assert names(small_book, pages.pages(small_book)) == [
        "book/index.md",
        "book/part/chapter.md",
        "book/part/prose.md",
        "book/glossary.md",
        "book/bibliography.md",
    ]


def test_sections_below_a_chapter_are_pages_too(small_book):
    toc = small_book / "_toc.yml"
    below = "      - file: book/part/chapter\n        sections:\n          - file: book/part/prose\n"
    text = toc.read_text().replace("      - file: book/part/prose\n", "")
    toc.write_text(text.replace("      - file: book/part/chapter\n", below))
    assert "book/part/prose.md" in names(small_book, pages.pages(small_book))


def test_notebooks_are_the_pages_with_cells(small_book):
    assert names(small_book, pages.notebooks(small_book)) == ["book/part/chapter.md"]


@pytest.mark.parametrize("name", ["_toc.yml", "_config.yml"])
def test_folder_without_a_book(small_book, name):
    (small_book / name).unlink()
    with pytest.raises(PublishingError, match=f"{name} is missing; go to the folder"):
        pages.pages(small_book)


def test_page_that_does_not_exist(small_book):
    (small_book / "book" / "part" / "prose.md").unlink()
    with pytest.raises(PublishingError, match=r"do not exist: book/part/prose\.md; write them"):
        pages.pages(small_book)


@pytest.mark.parametrize("text", ["root: [", "root: book/index\nfiles: 3\n"])
def test_toc_that_cannot_be_read(small_book, text):
    (small_book / "_toc.yml").write_text(text)
    with pytest.raises(PublishingError, match=r"_toc\.yml cannot be read, correct it"):
        pages.pages(small_book)


def test_config_that_cannot_be_read(small_book):
    (small_book / "_config.yml").write_text("title: [")
    with pytest.raises(PublishingError, match=r"_config\.yml cannot be read, correct it"):
        pages.config(small_book)
