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

from dlcourse.publishing.vendor import FILES, HERE, MANIFEST, Component, sha256_by_file

SOURCE = HERE / "source"
# Fonts that no page uses: Fraktur, and the slanted and bold sans serif.
UNUSED_FONTS = ("Fraktur-Bold", "Fraktur-Regular", "SansSerif-Bold", "SansSerif-Italic")


def main() -> int:
    """Refresh the vendored files; the exit status is 0 when all went well."""
    if shutil.which("npm") is None:
        print("npm was not found: install Node 18 or newer, then run this again.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for source in SOURCE.iterdir():
            shutil.copy(source, work)
        install = ["npm", "ci" if (SOURCE / "package-lock.json").exists() else "install"]
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
        try:
            subprocess.run([*install, *flags], cwd=work, check=True)
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
            f"--outfile={target / 'widgets.js'}",
            "--inject:typeset.js",
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
    packages = sorted({package_of(work / name) for name in inputs if name.startswith("node_modules")})
    licences = [licence_of(package) for package in packages]
    # Jupyter's packages name this licence without bringing its text.
    licences.append((SOURCE / "BSD-3-Clause.txt").read_text(encoding="utf-8").rstrip())
    (target / "LICENSES.txt").write_text("\n\n".join(licences) + "\n", encoding="utf-8")
    return component("widgets", "widgets/LICENSES.txt", packages)


def component(name: str, licence_file: str, packages: list[Path]) -> Component:
    """Describe what was put into ``files/<name>``."""
    about = [json.loads((p / "package.json").read_text(encoding="utf-8")) for p in packages]
    versions = ", ".join(f"{each['name']} {each['version']}" for each in about)
    return Component(
        version=about[0]["version"] if len(about) == 1 else versions,
        licence=" AND ".join(sorted({licence_name(each) for each in about})),
        licence_file=licence_file,
        source=f"npm {versions}" if len(about) == 1 else "npm, bundled by esbuild",
        files=sha256_by_file(FILES / name),
    )


def package_of(path: Path) -> Path:
    """Find the package folder that a bundled file belongs to."""
    return next(
        folder
        for folder in path.parents
        if folder.parent.name == "node_modules" or folder.parent.name.startswith("@")
        if not folder.name.startswith("@")
    )


def licence_name(about: dict[str, object]) -> str:
    """Read a package's licence from its ``package.json``, in either of the two forms in use."""
    licence = about.get("license")
    return str(licence["type"] if isinstance(licence, dict) else licence)


def licence_of(package: Path) -> str:
    """Write a package's name, version and the text of its licence."""
    about = json.loads((package / "package.json").read_text(encoding="utf-8"))
    head = f"{about['name']} {about['version']} ({licence_name(about)})"
    texts = sorted(p for p in package.iterdir() if p.name.lower().startswith("licen"))
    body = texts[0].read_text(encoding="utf-8").strip() if texts else ""
    return f"{head}\n{'-' * len(head)}\n{body}".rstrip()


if __name__ == "__main__":
    raise SystemExit(main())
