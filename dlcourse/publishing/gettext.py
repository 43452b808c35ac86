"""Extract the sentences of the book for translators: ``python -m dlcourse.publishing.gettext``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from dlcourse.publishing import pages
from dlcourse.publishing.build import replace, workshop, write_pages
from dlcourse.publishing.errors import PublishingError
from dlcourse.publishing.execution import Progress, execute, quiet

# Sphinx writes places relative to the folder it builds in, which is gone afterwards.
PLACE = re.compile(r"^#: (?:\.\./)+", flags=re.MULTILINE)


def extract_messages(root: Path, *, on_progress: Progress = quiet) -> list[Path]:
    """Write one gettext catalogue (``.pot``) for each page into ``build/gettext``.

    Args:
        root: the folder with ``_toc.yml``.
        on_progress: called with steps done, steps in all, and the last one's name.

    Returns:
        The catalogues.

    Raises:
        PublishingError: if a cell fails or a page has a warning; catalogues then stay as they were.
    """
    root = Path(root).resolve()
    pages.pages(root)
    target = root / "build" / "gettext"
    with workshop(root) as work:
        execute(root, on_progress=on_progress)
        made = write_pages(root, work, "gettext", on_progress)
        # What our templates say the theme says too, and has translated.
        (made / "sphinx.pot").unlink(missing_ok=True)
        for catalogue in made.rglob("*.pot"):
            text = catalogue.read_text(encoding="utf-8")
            catalogue.write_text(PLACE.sub("#: ", text), encoding="utf-8")
        replace(made, target)
    return sorted(target.rglob("*.pot"))


if __name__ == "__main__":
    try:
        catalogues = extract_messages(Path.cwd())
    except PublishingError as error:
        sys.exit(str(error))
    print(f"{len(catalogues)} catalogues in {Path('build', 'gettext')}")
