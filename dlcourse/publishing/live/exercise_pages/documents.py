"""The pages of the exercises as documents of Sphinx: with search, contents, and the pages before and after.

Their text lies below ``build/``, since the files in ``exercises/`` hold the solutions and are no pages of the book.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx_external_toc.api import Document, FileItem, SiteMap, TocTree

from dlcourse.publishing.live.cells import DATA, NUMBER, digest
from dlcourse.publishing.live.exercise_pages import text
from dlcourse.publishing.live.exercise_pages.cells import described
from dlcourse.publishing.live.exercise_pages.notebooks import Exercise, find, folder

NAMES = ("grade_id", "role", "task")
"""What a cell of the page says of itself."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", add_to_contents)
    app.connect("env-get-outdated", add_documents)
    app.connect("source-read", write_page)
    app.connect("doctree-read", mark_cells)
    app.connect("doctree-resolved", link_from_chapter)
    # Before 501, where the theme makes its download button of what it finds in the context.
    app.connect("html-page-context", name_source, priority=450)
    app.connect("build-finished", add_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def exercises(app: Sphinx) -> dict[str, Exercise]:
    """Return the exercises of the chapters of this book, by name, in the book's order."""
    if app.builder.format != "html":
        return {}
    found = find(Path(app.srcdir))
    names = [docname.removesuffix(".md").removeprefix("book/") for docname in chapters(app)]
    return {name: found[name] for name in names if name in found}


def chapters(app: Sphinx) -> Iterable[str]:
    """Go through the pages that the root of the table of contents lists."""
    return app.config.external_site_map.root.child_files()


def add_to_contents(app: Sphinx) -> None:
    """List the exercises after the last part that has some, and write their overview."""
    known = exercises(app)
    if not known:
        return
    site_map: SiteMap = app.config.external_site_map
    source(app, text.INDEX).write_text(text.overview(parts(app)), encoding="utf-8")
    pages: list[Any] = [FileItem(each.page) for each in known.values() if not each.why]
    listed = [TocTree(items=pages, titlesonly=True)] if pages else []
    site_map[text.INDEX] = Document(docname=text.INDEX, subtrees=listed)
    for page in pages:
        site_map[page] = Document(docname=page)
    contents = TocTree(items=[FileItem(text.INDEX)], caption="Exercises", titlesonly=True)
    last = max(number for number, tree in enumerate(site_map.root.subtrees) if of_tree(app, tree))
    site_map.root.subtrees.insert(last + 1, contents)


def of_tree(app: Sphinx, tree: TocTree) -> list[Exercise]:
    """Return the exercises of a part of the book."""
    known = exercises(app)
    return [known[name] for page in tree.files() if (name := page.removeprefix("book/")) in known]


def parts(app: Sphinx) -> dict[str, list[Exercise]]:
    """Return the exercises of each part that has some, by its caption."""
    found = [(tree.caption or "", of_tree(app, tree)) for tree in app.config.external_site_map.root.subtrees]
    return {caption: here for caption, here in found if here}


def documents(app: Sphinx) -> list[str]:
    """Name the documents of the exercises."""
    known = exercises(app)
    return [text.INDEX, *(each.page for each in known.values() if not each.why)] if known else []


def source(app: Sphinx, docname: str) -> Path:
    """Name the file of such a document."""
    suffix = ".md" if docname == text.INDEX else ".ipynb"
    return folder(Path(app.srcdir)) / f"{docname.removeprefix('exercises/')}{suffix}"


def add_documents(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Tell Sphinx where the documents lie, which it looks for beside those that hold the solutions."""
    found = documents(app)
    for docname in found:
        path = os.path.relpath(source(app, docname), app.srcdir)
        env.project.docnames.add(docname)
        env.project._docname_to_path[docname] = path
        env.project._path_to_docname[path] = docname
    return found


def write_page(app: Sphinx, docname: str, content: list[str]) -> None:
    """Make the page of the released notebook."""
    if exercise := of_page(app, docname):
        caption, part = next(
            each for each in parts(app).items() if exercise.name in {one.name for one in each[1]}
        )
        content[0] = text.page(exercise, caption, part)


def of_page(app: Sphinx, docname: str) -> Exercise | None:
    """Return the exercise whose page it is."""
    return (
        exercises(app).get(docname.removeprefix("exercises/")) if docname.startswith("exercises/") else None
    )


def mark_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Say of each cell what it is for."""
    if not (exercise := of_page(app, app.env.docname)):
        return
    found = [node for node in doctree.findall(nodes.container) if node.get("nb_element") == "cell_code"]
    for n, (node, about) in enumerate(zip(found, described(exercise), strict=True)):
        node[NUMBER] = n
        node[DATA] = {f"data-{name.replace('_', '-')}": about[name] for name in NAMES if name in about}


def name_source(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the released notebook as the source of its page; Sphinx takes the name from where the file lies."""
    if pagename in documents(app):
        context["page_source_suffix"] = source(app, pagename).suffix
        context["sourcename"] = f"{pagename}{context['page_source_suffix']}"


def link_from_chapter(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Lead from the box of a chapter's exercise to its page, or to the notebook where it has none."""
    exercise = exercises(app).get(docname.removeprefix("book/"))
    boxes = [box for box in doctree.findall(nodes.admonition) if "exercise" in box["classes"]]
    if exercise is None or not boxes:
        return
    if exercise.why:
        uri = (
            f"{app.builder.get_relative_uri(docname, text.INDEX)}#exercise-{exercise.name.replace('/', '-')}"
        )
        words = "Download the notebook"
    else:
        uri = app.builder.get_relative_uri(docname, exercise.page)
        words = "Solve the exercise on this site"
    link = nodes.paragraph("", "", nodes.reference("", words, internal=True, refuri=uri))
    if not exercise.why:
        link += [
            nodes.Text(": "),
            nodes.raw("", text.progress([exercise]), format="html"),
        ]
    boxes[0] += link


def add_files(app: Sphinx, exception: Exception | None) -> None:
    """Put the notebooks into the site, and what the browser must know of their cells."""
    if exception is not None or app.builder.name != "html":
        return
    for exercise in exercises(app).values():
        target = Path(app.outdir, exercise.download)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(exercise.file, target)
        if not exercise.why:
            target = Path(app.outdir, "_live", f"{exercise.page}.json")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(data(exercise), ensure_ascii=False), encoding="utf-8")


def data(exercise: Exercise) -> dict[str, Any]:
    """Describe an exercise's page to the browser."""
    cells = described(exercise)
    return {
        "page": exercise.page,
        "title": exercise.title,
        "runs": True,
        "why": "",
        "notebook": exercise.download,
        "digest": digest(each["source"] for each in cells),
        "cells": [{"n": n, "tags": [], "kind": "code"} | each for n, each in enumerate(cells)],
        "exercise": {
            "part": exercise.part,
            "chapter": exercise.chapter,
            "notebook": exercise.download,
            "total": exercise.checks,
        },
    }
