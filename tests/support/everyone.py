"""What axe-core finds wrong on a page: WCAG 2.2 AA, as far as a machine can tell.

``axe/`` holds axe-core with its licence. ``python tests/support/everyone.py`` makes it anew (needs Node 18 or newer); to
move to a newer version, change ``axe/package.json``, delete ``axe/package-lock.json``, and run this.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from dlcourse.publishing.vendor import npm

AXE = Path(__file__).with_name("axe")
SCRIPT = AXE / "axe.min.js"
MANIFEST = AXE / "manifest.json"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

ASK = """async (runOnly) => {
  const {violations} = await axe.run(document, {runOnly, resultTypes: ['violations']});
  return violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) =>
    `${id}: ${target.join(' ')}: ${failureSummary.split('\\n').slice(1).join(';').trim()}`));
}"""


def findings(page, only=None):
    """Return what axe-core finds wrong, one line each.

    The script is put in by the browser's own means, so a Content-Security-Policy of the page does not matter.

    Args:
        page: a page of Playwright.
        only: the names of rules, if not all of them.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    return page.evaluate(ASK, {"type": "rule", "values": only} if only else {"type": "tag", "values": TAGS})


def refresh():
    """Fetch axe-core from npm."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            if (AXE / name).is_file():
                shutil.copy(AXE / name, work)
        npm.install(work)
        package = work / "node_modules" / "axe-core"
        for source in (package / "axe.min.js", package / "LICENSE", work / "package-lock.json"):
            shutil.copy(source, AXE)
        about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    found = {
        "version": about["version"],
        "licence": about["license"],
        "files": {
            name: hashlib.sha256((AXE / name).read_bytes()).hexdigest() for name in (SCRIPT.name, "LICENSE")
        },
    }
    MANIFEST.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    refresh()
