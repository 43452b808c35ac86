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


NEEDY = """---
kernelspec:
  name: python3
needs: [jax, keras]
---

(one-top)=
# A chapter

Words.

(one-more)=
## More

```{code-cell} ipython3
import jax
```
"""


def test_a_page_says_what_it_needs_and_does_not_run_without_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shown = pages.as_shown(NEEDY)
    assert shown.startswith("(one-top)=\n(one-more)=\n# A chapter\n")
    assert 'JAX and Keras are not installed here: pip install "dlcourse[frameworks]".' in shown
    assert "code-cell" not in shown


def test_a_page_with_all_it_needs_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert pages.as_shown(NEEDY) == NEEDY
    assert pages.lacking("# A page without front matter\n") == ""


def test_cells_of_a_page_that_lacks_something_do_not_run(tmp_path, monkeypatch):
    (tmp_path / "_config.yml").write_text("title: x\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: one\n")
    text = NEEDY.replace(
        "kernelspec:",
        "jupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\nkernelspec:",
    )
    (tmp_path / "one.md").write_text(text)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert pages.notebooks(tmp_path) == [tmp_path / "one.md"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert pages.notebooks(tmp_path) == []
