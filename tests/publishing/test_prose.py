"""What the pages of this room promise: colours as in the figures, German words in the glossary."""

import re
from pathlib import Path

import pytest
from pybtex.database import parse_file

from dlcourse.figures import style
from dlcourse.publishing.extension import ASSETS

BOOK = Path(__file__).parents[2] / "book"


@pytest.mark.parametrize(("theme", "colours"), [("light", style.LIGHT), ("dark", style.DARK)])
def test_page_and_figures_have_the_same_colours(theme, colours):
    rule = re.search(
        rf'html\[data-theme="{theme}"\][^{{]*{{(.*?)}}', (ASSETS / "dlcourse.css").read_text(), re.DOTALL
    )
    defined = dict(re.findall(r"--dl-(\w+): (#\w+);", rule[1]))
    assert {name: defined.get(name) for name in colours} == colours


def test_every_term_has_its_german_word_and_a_definition():
    body = (BOOK / "glossary.md").read_text(encoding="utf-8").split(":sorted:")[1]
    entries = re.split(r"\n\n(?=\w)", body.strip().removesuffix("```").strip())
    assert len(entries) >= 45
    for entry in entries:
        term, definition = entry.split("\n", 1)
        assert re.match(r"  \*German: [^*]+\.\*\s+\S", definition), term
        assert definition.endswith((".", ".)")), term
    terms = [entry.split("\n", 1)[0] for entry in entries]
    assert len(set(terms)) == len(terms)


def test_the_references_can_be_read_and_each_is_cited():
    # A merge loses a closing bracket easily, and without one no page is built.
    keys = set(parse_file(BOOK / "references.bib").entries)
    text = "\n".join(page.read_text(encoding="utf-8") for page in BOOK.rglob("*.md"))
    cited = {key.strip() for keys in re.findall(r"\{cite:[pt]\}`([^`]+)`", text) for key in keys.split(",")}
    assert cited == keys
