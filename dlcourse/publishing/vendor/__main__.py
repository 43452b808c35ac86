"""Make the vendored files anew from npm: ``python -m dlcourse.publishing.vendor`` (needs Node 18 or newer).

Versions are those of ``source/package.json``; ``source/package-lock.json`` holds the hash of every package.
To move to a newer version, change the first, delete the second, and run this.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlcourse.publishing.vendor import FILES, HERE, MANIFEST, Component, npm, sha256_by_file

SOURCE = HERE / "source"
BUNDLE = (
    "--bundle",
    "--minify",
    "--format=iife",
    "--target=es2020",
    "--legal-comments=none",
    "--log-level=warning",
)
# Fonts that no page uses: Fraktur, and the slanted and bold sans serif.
UNUSED_FONTS = ("Fraktur-Bold", "Fraktur-Regular", "SansSerif-Bold", "SansSerif-Italic")
# What ipywidgets hardly use of these is written in a few lines; together they would be two thirds of the bundle.
IN_PLACE_OF = {
    "@lumino/widgets": "lumino.js",
    "jquery": "jquery.js",
    "lodash/isEqual": "isequal.js",
    "sanitize-html": "sanitize.js",
}
# What the themes draw, by their templates and by `content` in their styles; any other comes from the theme's own font.
ICONS = """
    angle-down angle-left angle-right arrow-up arrow-up-right-from-square bars bell check check-circle
    chevron-down chevron-left chevron-right chevron-up circle-exclamation circle-half-stroke circle-info
    circle-xmark code copy download expand file file-lines file-pdf home lightbulb link list
    magnifying-glass magnifying-glass-minus moon outdent pen pencil play rotate-left share stop sun
    triangle-exclamation xmark
"""


def main() -> int:
    """Refresh the vendored files; the exit status is 0 when all went well."""
    if shutil.which("npm") is None:
        print("npm was not found: install Node 18 or newer, then run this again.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for source in SOURCE.iterdir():
            shutil.copy(source, work)
        try:
            npm.install(work)
            shutil.rmtree(FILES, ignore_errors=True)
            components = {
                "icons": vendor_icons(work),
                "mathjax": vendor_mathjax(work),
                "widgets": vendor_widgets(work),
            }
        except subprocess.CalledProcessError as error:
            print(f"{error.cmd[0]} failed; its own message is above.", file=sys.stderr)
            return 1
        shutil.copy(work / "package-lock.json", SOURCE)
    MANIFEST.write_text(json.dumps(components, indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in FILES.rglob("*") if path.is_file())
    print(f"{len(components)} components, {size / 1e6:.1f} MB in {FILES}")
    return 0


def vendor_icons(work: Path) -> Component:
    """Take the icons that pages show out of Font Awesome, whose font and script weigh more than a page."""
    package = work / "node_modules" / "@fortawesome" / "fontawesome-free"
    target = FILES / "icons"
    target.mkdir(parents=True)
    styles = (package / "css" / "fontawesome.css").read_text(encoding="utf-8")
    found = {name: re.search(rf"\.fa-{name} \{{\s*--fa: \"\\(\w+)\"", styles) for name in ICONS.split()}
    points = sorted({match[1] if match else sys.exit(f"no icon {name}") for name, match in found.items()})
    pack_fonts(
        work,
        {package / "webfonts" / "fa-solid-900.ttf": target / "icons.woff2"},
        "".join(chr(int(point, 16)) for point in points),
    )
    # The same family and weight as the theme's: what comes later wins, for the characters that it names.
    (target / "icons.css").write_text(
        '@font-face{font-family:"Font Awesome 6 Free";font-weight:900;font-display:block;'
        f'src:url("icons.woff2") format("woff2");unicode-range:{",".join(f"U+{point}" for point in points)}}}\n',
        encoding="utf-8",
    )
    shutil.copy(package / "LICENSE.txt", target)
    return component("icons", "icons/LICENSE.txt", [package])


def vendor_mathjax(work: Path) -> Component:
    """Bundle MathJax with what the book's formulas need, and the fonts that pages use."""
    package = work / "node_modules" / "mathjax-full"
    target = FILES / "mathjax"
    fonts = target / "output" / "chtml" / "fonts" / "woff-v2"
    fonts.mkdir(parents=True)
    # MathJax also runs in Node, where it asks for these two.
    node = ["--define:global=globalThis", '--define:__dirname=""']
    bundle(work, ["mathjax.js"], target, *node)
    found = sorted((package / "es5" / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))
    used = [font for font in found if not font.stem.endswith(UNUSED_FONTS)]
    pack_fonts(work, {font: fonts / f"{font.stem}.woff2" for font in used})
    shutil.copy(package / "LICENSE", target)
    return component("mathjax", "mathjax/LICENSE", [package])


def vendor_widgets(work: Path) -> Component:
    """Bundle the widgets' code and styles, and collect the licences of all that went in."""
    target = FILES / "widgets"
    target.mkdir()
    bundle(
        work,
        ["widgets.js", "manager.js"],
        target,
        "--inject:typeset.js",
        *(f"--alias:{name}=./{file}" for name, file in IN_PLACE_OF.items()),
        "--define:MathJax.Hub.Queue=typesetWithMathJax",
        "--loader:.svg=dataurl",
        "--metafile=meta.json",
    )
    inputs = json.loads((work / "meta.json").read_text(encoding="utf-8"))["inputs"]
    packages = sorted({npm.package_of(work / name) for name in inputs if name.startswith("node_modules")})
    (target / "LICENSES.txt").write_text(npm.licences(packages), encoding="utf-8")
    return component("widgets", "widgets/LICENSES.txt", packages)


def bundle(work: Path, entries: Sequence[str], target: Path, *flags: str) -> None:
    """Let esbuild put each script and all that it imports into one file of the folder ``target``."""
    esbuild = str(work / "node_modules" / ".bin" / "esbuild")
    subprocess.run([esbuild, *entries, f"--outdir={target}", *BUNDLE, *flags], cwd=work, check=True)


def pack_fonts(work: Path, places: Mapping[Path, Path], text: str = "") -> None:
    """Write fonts as WOFF 2, with the characters of ``text`` alone if there are any."""
    jobs = [{"from": str(old), "to": str(new), "text": text} for old, new in places.items()]
    subprocess.run(["node", "fonts.mjs", json.dumps(jobs)], cwd=work, check=True)


def component(name: str, licence_file: str, packages: list[Path]) -> Component:
    """Describe what was put into ``files/<name>``."""
    about = list(map(npm.about, packages))
    versions = ", ".join(f"{each['name']} {each['version']}" for each in about)
    return Component(
        version=str(about[0]["version"]) if len(about) == 1 else versions,
        licence=" AND ".join(sorted({npm.licence_name(each) for each in about})),
        licence_file=licence_file,
        source=f"npm {versions}" if len(about) == 1 else "npm, bundled by esbuild",
        files=sha256_by_file(FILES / name),
    )


if __name__ == "__main__":
    raise SystemExit(main())
