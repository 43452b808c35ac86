"""Build the files of the pages that run: ``python -m dlcourse.publishing.live`` (needs Node 18 or newer).

TypeScript checks ``source/``, esbuild bundles it into ``files/``, which is committed. After a merge in which
``files/`` conflicts, take either side and build again. Versions are those of ``source/package.json``: to move
to newer ones, change it, delete ``source/package-lock.json``, and run this.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from dlcourse.publishing.live.built import FILES, MANIFEST, SOURCE, sha256_of_files, sha256_of_source
from dlcourse.publishing.vendor import npm

LOCK = "package-lock.json"
# The browsers that run the course have WebAssembly's exceptions and SIMD, and so all of this.
TARGET = "es2022"
# Loops that work in Python's memory and have none of their own, twice: not every engine multiplies and adds at once.
LOOPS = (
    "-O3",
    "--converge",
    "--runtime=stub",
    "--importMemory",
    "--noExportMemory",
    "--initialMemory=0",
    "--use=abort=",
    "--enable=simd",
)
PLAIN = ("--use=FUSED=0",)
FUSED = ("--use=FUSED=1", "--enable=relaxed-simd")
BUNDLE = (
    "--bundle",
    "--minify",
    f"--target={TARGET}",
    "--charset=utf8",
    "--legal-comments=none",
    "--log-level=warning",
    "--preserve-symlinks",
    "--loader:.svg=dataurl",
    "--loader:.wasm=binary",
)


def main() -> int:
    """Build ``files/`` anew; the exit status is 0 when all went well."""
    if shutil.which("npm") is None:
        print("npm was not found: install Node 18 or newer, then run this again.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copytree(SOURCE, work, dirs_exist_ok=True)
        try:
            (work / "node_modules").symlink_to(_installed(work))
            shutil.copy(work / LOCK, SOURCE)
            _build(work)
        except subprocess.CalledProcessError as error:
            print(f"{Path(error.cmd[0]).name} failed; its own message is above.", file=sys.stderr)
            return 1
        shutil.rmtree(FILES, ignore_errors=True)
        shutil.move(work / "files", FILES)
    record = {"source": sha256_of_source(), "files": sha256_of_files()}
    MANIFEST.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for path in sorted(FILES.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:9,}  {path.relative_to(FILES).as_posix()}")
    return 0


def _installed(work: Path) -> Path:
    """Return a ``node_modules`` as the lock says; it is kept in the user's cache for the next time."""
    lock = work / LOCK
    if not lock.exists():
        npm.install(work)
        shutil.rmtree(work / "node_modules")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlcourse" / "npm"
    kept = cache / sha256(lock.read_bytes()).hexdigest()[:16]
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as fresh:
            for name in ("package.json", LOCK):
                shutil.copy(work / name, fresh)
            npm.install(Path(fresh))
            try:
                Path(fresh).rename(kept)
            except OSError:  # another build was quicker
                if not kept.exists():
                    raise
            else:
                Path(fresh).mkdir()
    return kept / "node_modules"


def _build(work: Path) -> None:
    """Check the types, compile the loops for NumPy, and bundle."""

    def run(tool: str, *arguments: str) -> None:
        subprocess.run([str(work / "node_modules" / ".bin" / tool), *arguments], cwd=work, check=True)

    for out, fused in (("matmul.wasm", False), ("matmul-fused.wasm", True)):
        run("asc", "matmul.ts", "--outFile", out, *LOOPS, *(FUSED if fused else PLAIN))
    run("asc", "finite.ts", "--outFile", "finite.wasm", *LOOPS)
    run("tsc", "--project", "tsconfig.json")
    bundles = {
        "page": ("live=live.ts", "live=style.css", "--format=iife"),
        "run": ("run=run.ts", "--format=esm", "--splitting", "--chunk-names=chunks/[name]-[hash]"),
        "worker": ("worker=worker.ts", "--format=esm"),
    }
    # Part of the addresses by which one script asks for another: a browser never mixes two builds.
    version = f'--define:VERSION="{sha256_of_source()[:12]}"'
    packages: set[Path] = set()
    for name, arguments in bundles.items():
        run("esbuild", *arguments, *BUNDLE, version, "--outdir=files", f"--metafile={name}.json")
        inputs = json.loads((work / f"{name}.json").read_text(encoding="utf-8"))["inputs"]
        packages |= {npm.package_of(work / path) for path in inputs if path.startswith("node_modules")}
    (work / "files" / "LICENSES.txt").write_text(npm.licences(sorted(packages)), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
