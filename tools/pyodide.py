"""Write the table of the Pyodide files that pages load: `python tools/pyodide.py pyodide-314.0.3.tgz CARRIER.whl`.

The first is npm's package `pyodide` (`npm pack pyodide@314.0.3`), with the core and Pyodide's own lock; the second is
the wheel of the package index in which the same release lies (`pip download --no-deps open-webui==0.12.4`). A file of
the carrier that differs from npm's, or whose hash is not the lock's, is refused. Core and wheels must be of one release.
"""

import hashlib
import json
import sys
import tarfile
import zipfile
from pathlib import Path

TABLE = Path(__file__).parents[1] / "dlcourse" / "publishing" / "live" / "pyodide.json"
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
# What importing matplotlib and drawing to PNG and SVG asks for: fontTools serves PDF alone, pytz nothing since 2.0.
WHEELS = (
    "numpy",
    "six",
    "cycler",
    "packaging",
    "pyparsing",
    "python-dateutil",
    "contourpy",
    "kiwisolver",
    "pillow",
    "matplotlib",
)


def described(name: str, content: bytes) -> dict[str, object]:
    """Give a file's name, hash and length."""
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def main(npm: Path, carrier: Path) -> None:
    """Compare both sources, and write the table."""
    with tarfile.open(npm) as archive:
        official = {
            each.name.removeprefix("package/"): file.read()
            for each in archive.getmembers()
            if (file := archive.extractfile(each))
        }
    lock = json.loads(official["pyodide-lock.json"])
    with zipfile.ZipFile(carrier) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("/pyodide.mjs")).removesuffix(
            "pyodide.mjs"
        )
        for name in CORE:
            if archive.read(folder + name) != official[name]:
                sys.exit(f"{name} in {carrier.name} is not npm's.")
        wheels = {}
        for name in WHEELS:
            locked = lock["packages"][name]
            wheels[name] = described(locked["file_name"], archive.read(folder + locked["file_name"]))
            if wheels[name]["sha256"] != locked["sha256"]:
                sys.exit(f"{locked['file_name']} in {carrier.name} is not the one of Pyodide's lock.")
    distribution, version = carrier.name.split("-")[:2]
    table = {
        "version": json.loads(official["package.json"])["version"],
        "info": lock["info"],
        "carrier": {
            "requirement": f"{distribution.replace('_', '-')}=={version}",
            "sha256": hashlib.sha256(carrier.read_bytes()).hexdigest(),
            "folder": folder,
        },
        "core": [described(name, official[name]) for name in CORE],
        "wheels": wheels,
    }
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(f"{TABLE.name} names {len(CORE) + len(WHEELS)} files of Pyodide {table['version']}.")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
