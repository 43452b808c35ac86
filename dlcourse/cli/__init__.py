"""The `dlcourse` command: what goes wrong is said in one sentence with its remedy, without a traceback."""

from __future__ import annotations

import atexit
import errno
import gc
import sys
from collections.abc import Sequence

_REMEDIES = {
    errno.EACCES: "you may not write there; choose a folder of your own",
    errno.EPERM: "you may not write there; choose a folder of your own",
    errno.EROFS: "this disk is read-only; choose a folder on another one",
    errno.ENOSPC: "the disk is full; free some space",
    errno.ENOTDIR: "a part of this path is a file, not a folder; correct the path",
    errno.ENOENT: "this path does not exist; correct it",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: What was typed after `dlcourse`; `sys.argv` by default.

    Raises:
        SystemExit: Always, with the exit status.
    """
    # jsonschema would compile a grammar of web addresses on import, for over a second; no command checks an address.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # None: not to be found
    # At the end Python would look for garbage in all of nbgrader, for a fifth of a second.
    atexit.register(gc.freeze)
    try:
        from dlcourse.cli.app import app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("dlcourse"):
            raise
        fail(
            f"The command line needs the package {error.name}, which is missing; "
            'install it with: python -m pip install "dlcourse[book,grading]"'
        )
    try:
        app(args=None if arguments is None else list(arguments), prog_name="dlcourse")
    except KeyboardInterrupt:
        fail("Stopped. What was done so far is kept.", status=130)
    except ModuleNotFoundError as error:
        name = error.name or ""
        if name.startswith("dlcourse."):
            fail(f"{name} is missing from this copy of the course; install the package again.")
        fail(f"This command needs the package {name}, which is missing; {_how_to_get(name)}")
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
        fail(f"{error.filename or 'The file system'}: {remedy}.")
    except Exception as error:
        if not type(error).__module__.startswith("dlcourse."):
            raise
        fail(str(error))


def fail(sentence: str, *, status: int = 1) -> None:
    """Say what went wrong and leave.

    Args:
        sentence: What happened and what to do.
        status: The exit status.

    Raises:
        SystemExit: Always.
    """
    print(sentence, file=sys.stderr)
    raise SystemExit(status)


def _how_to_get(package: str) -> str:
    from dlcourse.cli.doctor import extra_of

    extra = extra_of(package)
    wanted = f"dlcourse[{extra}]" if extra else package
    return f'install it with: python -m pip install "{wanted}"'
