"""The book's build: cells run once, assets served from the site itself, the site on 127.0.0.1.

`execution` runs the notebooks, `build` makes the site of them, `serve` shows it, `gettext`
extracts its sentences for translators. `extension` is the part that Sphinx loads; `vendor` holds
the foreign code that pages use.
"""

from dlcourse.publishing.errors import PublishingError

__all__ = ["PublishingError"]
