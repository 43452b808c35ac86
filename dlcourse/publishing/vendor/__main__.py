"""Make the vendored files anew from npm: ``python -m dlcourse.publishing.vendor`` (needs Node 18 or newer).

Versions are those of ``source/package.json``; ``source/package-lock.json`` holds the hash of every package.
To move to a newer version, change the first, delete the second, and run this.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dlcourse.publishing.vendor import FILES, HERE, MANIFEST, Component, npm, sha256_by_file

SOURCE = HERE / "source"
# Fonts that no page uses: Fraktur, and the slanted and bold sans serif.
UNUSED_FONTS = ("Fraktur-Bold", "Fraktur-Regular", "SansSerif-Bold", "SansSerif-Italic")
# What ipywidgets hardly use of these is written in a few lines; together they would be two thirds of the bundle.
IN_PLACE_OF = {
    "@lumino/widgets": "lumino.js",
    "jquery": "jquery.js",
    "lodash/isEqual": "isequal.js",
    "sanitize-html": "sanitize.js",
}


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
            components = {"mathjax": vendor_mathjax(work), "widgets": vendor_widgets(work)}
        except subprocess.CalledProcessError as error:
            print(f"{error.cmd[0]} failed; its own message is above.", file=sys.stderr)
            return 1
        shutil.copy(work / "package-lock.json", SOURCE)
    MANIFEST.write_text(json.dumps(components, indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in FILES.rglob("*") if path.is_file())
    print(f"{len(components)} components, {size / 1e6:.1f} MB in {FILES}")
    return 0


def vendor_mathjax(work: Path) -> Component:
    """Copy MathJax with every TeX extension in one file, and the fonts that pages use."""
    package = work / "node_modules" / "mathjax"
    target = FILES / "mathjax"
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    (target / fonts).mkdir(parents=True)
    shutil.copy(package / "es5" / "tex-chtml-full.js", target)
    shutil.copy(package / "LICENSE", target)
    for font in (package / "es5" / fonts).glob("*.woff"):
        if not font.stem.endswith(UNUSED_FONTS):
            shutil.copy(font, target / fonts)
    return component("mathjax", "mathjax/LICENSE", [package])


def vendor_widgets(work: Path) -> Component:
    """Bundle the widgets' code and styles, and collect the licences of all that went in."""
    target = FILES / "widgets"
    target.mkdir()
    subprocess.run(
        [
            str(work / "node_modules" / ".bin" / "esbuild"),
            "widgets.js",
            "manager.js",
            f"--outdir={target}",
            "--inject:typeset.js",
            *(f"--alias:{name}=./{file}" for name, file in IN_PLACE_OF.items()),
            "--define:MathJax.Hub.Queue=typesetWithMathJax",
            "--bundle",
            "--minify",
            "--format=iife",
            "--target=es2020",
            "--loader:.svg=dataurl",
            "--legal-comments=none",
            "--metafile=meta.json",
            "--log-level=warning",
        ],
        cwd=work,
        check=True,
    )
    inputs = json.loads((work / "meta.json").read_text(encoding="utf-8"))["inputs"]
    packages = sorted({npm.package_of(work / name) for name in inputs if name.startswith("node_modules")})
    (target / "LICENSES.txt").write_text(npm.licences(packages), encoding="utf-8")
    return component("widgets", "widgets/LICENSES.txt", packages)


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
