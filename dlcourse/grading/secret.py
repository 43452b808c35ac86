"""The course's secret: from it come the seeds of hidden inputs and the signatures of receipts."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlcourse.grading.errors import GradingError

SIZE = 32
"""Bytes of a secret."""


def course_secret(folder: Path) -> bytes:
    """Return a class's secret, which is made when it is first asked for.

    Args:
        folder: The class's folder.

    Returns:
        The bytes of its file `secret`, which only its owner can read.

    Raises:
        GradingError: The file holds something else.
    """
    path = folder / "secret"
    if not path.exists():
        _make(path)
    found = path.read_bytes()
    if len(found) != SIZE:
        raise GradingError(
            f"{path} has {len(found)} bytes instead of {SIZE}; put the file back from a backup. Without it hidden "
            "inputs change and old receipts cannot be checked; if it is lost, delete the file and grade again."
        )
    return found


def seed_of(secret: bytes, chapter: str, learner: str) -> int:
    """Return the seed of a learner's hidden inputs: the same in every grading, and not to be guessed.

    Args:
        secret: The course's secret.
        chapter: `part/chapter`.
        learner: The learner's name in the class.

    Returns:
        A number below 2**64.
    """
    message = f"{chapter}\0{learner}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hmac.digest(secret, message, "sha256")[:8], "big")


def signature(secret: bytes, data: Mapping[str, Any]) -> str:
    """Sign plain data.

    Args:
        secret: The course's secret.
        data: What JSON can hold.

    Returns:
        HMAC-SHA256 in hexadecimal; it does not depend on the order of keys.
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    # The words keep a signature from being taken for a seed, or the other way round.
    return hmac.new(secret, b"receipt\0" + text.encode(), "sha256").hexdigest()


def _make(path: Path) -> None:
    """Write a new secret; of two processes that do so at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(SIZE))
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    except OSError:  # a file system without links
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
