"""What Sphinx loads: the cache of the cells, the book's looks, and assets that need no other host.

Named in ``_config.yml``, so that a plain ``jupyter-book build .`` gives the same pages.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from markupsafe import Markup
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

from dlcourse.publishing import styles
from dlcourse.publishing.cache import cache_folder
from dlcourse.publishing.drawings import lighter, pack_pictures
from dlcourse.publishing.listing import Listing
from dlcourse.publishing.live import cells, policy, shipping
from dlcourse.publishing.pages import as_shown
from dlcourse.publishing.steppers import VIEW, replace_steppers
from dlcourse.publishing.vendor import FILES

ASSETS = Path(__file__).parent / "assets"
TEMPLATES = Path(__file__).parent / "templates"
ICONS_STYLE = "icons/icons.css"
STEPPERS = "steppers.js"
MATHJAX = "mathjax/mathjax.js"
# The icons are a font here, and the search has a page of its own.
UNUSED = re.compile(
    r'<script[^>]*src="[^"]*/?(?:fontawesome|searchtools|language_data|searchindex)\.js[^"]*"[^>]*></script>'
)
STATE = "ipywidgets_state"  # the name that MyST-NB gives the script with the state of all widgets
WIDGETS = "widgets/widgets.js"
LOG = logging.getLogger(__name__)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.add_directive("literalinclude", Listing, override=True)
    app.connect("config-inited", configure)
    app.connect("builder-inited", add_style)
    app.connect("builder-inited", add_live)
    app.connect("source-read", leave_out)
    app.add_node(nodes.container, override=True, html=(cells.open_container, cells.close_container))
    app.connect("doctree-read", number_cells)
    # Before 501, where the theme makes its download button of what it finds in the context.
    app.connect("html-page-context", add_to_page, priority=400)
    app.connect("build-finished", add_notebooks)
    app.setup_extension("dlcourse.publishing.live.exercise_pages.documents")
    # After 501, where the theme adds a script that differs on each page.
    app.connect("html-page-context", drop_page_script, priority=900)
    app.connect("html-page-context", name_folds, priority=900)
    app.connect("build-finished", ship, priority=900)
    # After all scripts are there, whose words decide.
    app.connect("build-finished", trim_styles, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def configure(app: Sphinx, config: Config) -> None:
    """Set what depends on where the book lies, and leave out Thebe, which needs other hosts."""
    config.nb_execution_cache_path = str(cache_folder(Path(app.srcdir)))
    config.nb_ipywidgets_js = {WIDGETS: {"defer": "defer"}}
    config.mathjax_path = MATHJAX
    config.templates_path = [str(TEMPLATES), *config.templates_path]
    config.html_static_path = [*config.html_static_path, str(ASSETS), str(FILES)]
    config.html_favicon = str(ASSETS / "favicon.svg")
    app.registry.css_files = [each for each in app.registry.css_files if "thebe" not in each[0]]
    for listeners in list(app.events.listeners.values()):
        for listener in list(listeners):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def leave_out(app: Sphinx, page: str, source: list[str]) -> None:
    """Put a sentence in the place of a page that needs a library that is not installed here."""
    source[0] = as_shown(source[0])


def add_style(app: Sphinx) -> None:
    """Put the book's own style after the theme's."""
    app.add_css_file(ICONS_STYLE, priority=900)
    app.add_css_file("dlcourse.css", priority=900)


def add_live(app: Sphinx) -> None:
    """Put the script that lets a page run, and its style, on every page."""
    if app.builder.name == "html":
        shipping.add_scripts(Path(app.outdir))
        app.add_js_file("live/live.js", loading_method="defer")
        app.add_css_file("live/live.css", priority=910)


def number_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give the cells of a page the numbers under which the browser knows them."""
    page = app.env.docname
    if not is_exercise(page) and (source := as_notebook(app, page)).is_file():
        cells.number(doctree, nbformat.read(source, as_version=4))


def is_exercise(page: str) -> bool:
    """Tell whether it is the page of an exercise, whose cells have a description of their own."""
    return page.startswith("exercises/")


def add_to_page(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the executed notebook of a page, and load what its widgets and formulas need, and no more."""
    if as_notebook(app, pagename).is_file():
        context["ipynb_source"] = f"{pagename}.ipynb"
    context["without_unused_scripts"] = without_unused_scripts
    body = context.get("body", "")
    needed = NbMetadataCollector.get_js_files(app.env, pagename)
    if STATE in needed:
        models = json.loads(needed[STATE][1]["body"])["state"]
        body, frames = replace_steppers(body, pagename, models, context["content_root"])
        for each in frames:
            target = Path(app.outdir, each.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(pack_pictures(each.content), encoding="utf-8")
        if frames:
            app.add_js_file(STEPPERS, loading_method="defer")
        if not VIEW.search(body):
            needed.clear()
    if body:
        # It hides what is seen, whether code is shown or hidden.
        body = body.replace(' aria-label="Toggle hidden content"', "")
        # The one no longer exists in ARIA; the other is what a list needs.
        body = body.replace(' role="doc-biblioentry"', ' role="listitem"')
        context["body"] = lighter(body)


def without_unused_scripts(tags: str) -> Markup:
    """Leave out of a page's head what the theme loads and the book does not use, and choose the colours at once.

    The theme's script for that comes last, so that a dark page would first be painted without colours.
    """
    return Markup(
        UNUSED.sub("", tags).replace(
            'localStorage.getItem("theme") || "auto"',
            '["light", "dark"].find((each) => each === document.documentElement.dataset.mode)'
            ' || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")',
        )
    )


def drop_page_script(
    app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Drop MathJax where there is no formula, and the theme's inline script that serves its menu of versions.

    It differs on each page, and the site's security policy names every inline script.
    """
    scripts = context["script_files"]
    formulas = 'class="math' in context.get("body", "")
    scripts[:] = [
        each
        for each in scripts
        if "DOCUMENTATION_OPTIONS.pagename" not in (each.attributes.get("body") or "")
        and (formulas or MATHJAX not in str(each.filename))
    ]


def name_folds(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give what folds in the list of all pages a name, which the theme leaves out."""
    make = context["generate_toctree_html"]

    def named(*args: Any, **options: Any) -> Any:
        """Make the list as the theme does."""
        made = make(*args, **options)
        for fold in made.select("li > a + details > summary"):
            page = fold.parent.parent.a.get_text()
            fold["aria-label"] = f"Pages in {page}"
        return made

    context["generate_toctree_html"] = named


def add_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Put the pages as notebooks, with their outputs, beside the sources that can be downloaded."""
    if exception is not None or app.builder.name != "html":
        return
    store = get_cache(app.env.mystnb_config.execution_cache_path)
    for page in app.env.found_docs:
        if not (source := as_notebook(app, page)).is_file() or is_exercise(page):
            continue
        _, notebook = store.merge_match_into_notebook(nbformat.read(source, as_version=4))
        notebook.metadata.pop("source_map", None)
        target = Path(app.outdir, "_sources", f"{page}.ipynb")
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        title = app.env.titles[page].astext()
        cells.write(Path(app.outdir), page, title, notebook, notebook.metadata.get("needs", ()))


def ship(app: Sphinx, exception: Exception | None) -> None:
    """Put Python for the browser into the site."""
    if exception is not None or app.builder.name != "html":
        return
    site = Path(app.outdir)
    if said := shipping.ship(site):
        LOG.info(said)
    (site / policy.SNIPPET).write_text(policy.nginx(site), encoding="utf-8")


def as_notebook(app: Sphinx, page: str) -> Path:
    """Name the file in which MyST-NB leaves a page as a notebook, without its outputs."""
    return Path(app.env.mystnb_config.output_folder, f"{page}.ipynb")


def trim_styles(app: Sphinx, exception: Exception | None) -> None:
    """Leave out of the themes' styles what no page uses."""
    if exception is None and app.builder.name == "html":
        styles.trim(Path(app.outdir))
