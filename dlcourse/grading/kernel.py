"""Jupyter kernels in the sandbox, for an nbgrader that knows nothing of it.

jupyter_client lets a *provisioner* start a kernel's process. `SandboxProvisioner` starts it in bubblewrap, with sockets
in a private folder in place of TCP ports. While `kernels_in` is active, every kernel that this process starts is
started so, whatever its kernelspec asks for; where the sandbox does not start, the kernel does not start either.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from dlcourse.grading.sandbox import HOME, Sandbox, isolation

PRIVATE = "/tmp"
"""Where each kernel's private folder is made: a short path, since the name of a socket has at most 107 bytes."""
LARGEST_COPY = 64 * 2**20
"""Bytes above which files beside a notebook are left out."""


class SandboxProvisioner(LocalProvisioner):
    """Starts a kernel in the sandbox."""

    sandbox: Sandbox | None = None
    _shared: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Make the private folder, and put the kernel's command into the sandbox.

        Args:
            kwargs: What jupyter_client starts kernels with.

        Returns:
            The same, for a command in the sandbox.

        Raises:
            RuntimeError: There is no sandbox here.
        """
        here = isolation() if self.sandbox is None else None
        sandbox = here.sandbox if here else self.sandbox
        if sandbox is None:
            raise RuntimeError(
                f"The kernel was to run in a sandbox, and there is {here.words if here else 'none'}."
            )
        if self._shared is None:
            self._shared = Path(tempfile.mkdtemp(prefix="dlc-", dir=PRIVATE))
        manager = self.parent
        manager.transport = "ipc"
        manager.ip = str(self._shared / "k")
        manager.connection_file = str(self._shared / "kernel.json")
        # A signal does not reach a process in another session.
        self.kernel_spec.interrupt_mode = "message"
        beside = kwargs.pop("cwd", None)
        if beside:
            copy_files(Path(beside), self._shared / "files")
        kwargs = await super().pre_launch(**kwargs)
        kernel = [*kwargs["cmd"], f"--IPKernelApp.exec_lines=__import__('sys').path.append({HOME!r})"]
        return kwargs | {
            "cmd": sandbox.command(kernel, shared=self._shared),
            "env": {},
            "cwd": "/",
            # What goes past Jupyter must not reach the grader's terminal.
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; leave nothing behind where it does not start.

        Args:
            cmd: What `pre_launch` made.
            kwargs: How to start it.

        Returns:
            How to reach the kernel.
        """
        try:
            return await super().launch_kernel(cmd, **kwargs)
        except OSError:
            await self.cleanup()
            raise

    async def cleanup(self, restart: bool = False) -> None:
        """Delete the private folder.

        Args:
            restart: Whether the kernel starts again at once.
        """
        await super().cleanup(restart=restart)
        if self._shared and not restart:
            shutil.rmtree(self._shared, ignore_errors=True)
            self._shared = None


class SandboxFactory(KernelProvisionerFactory):
    """Gives every kernel the sandbox, whatever its kernelspec asks for."""

    sandbox: Sandbox

    def is_provisioner_available(self, kernel_spec: Any) -> bool:
        """Return whether a kernelspec can be used: all of them are started in the same way."""
        return True

    def create_provisioner_instance(
        self, kernel_id: str, kernel_spec: Any, parent: Any
    ) -> SandboxProvisioner:
        """Return the provisioner of one kernel."""
        made = SandboxProvisioner(kernel_id=kernel_id, kernel_spec=kernel_spec, parent=parent)
        made.sandbox = self.sandbox
        return made


@contextmanager
def kernels_in(sandbox: Sandbox | None) -> Iterator[None]:
    """Start this process's Jupyter kernels in a sandbox.

    Args:
        sandbox: The sandbox, or None to leave everything as it is.
    """
    if sandbox is None:
        yield
        return
    start_kernels_in(sandbox)
    try:
        yield
    finally:
        KernelProvisionerFactory.clear_instance()
        SandboxFactory.clear_instance()


def start_kernels_in(sandbox: Sandbox) -> None:
    """Start this process's Jupyter kernels in a sandbox from now on.

    Args:
        sandbox: The sandbox.
    """
    KernelProvisionerFactory.clear_instance()
    SandboxFactory.clear_instance()
    SandboxFactory.instance().sandbox = sandbox


def copy_files(source: Path, target: Path) -> None:
    """Copy what lies beside a notebook and may be read by its code: plain files, no notebooks, no links.

    Args:
        source: The notebook's folder.
        target: Where the copies go.
    """
    left = LARGEST_COPY
    for folder, _, names in os.walk(source):  # which does not enter links
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix == ".ipynb" or path.is_symlink() or not path.is_file():
                continue
            left -= path.stat().st_size
            if left < 0:
                return
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy, follow_symlinks=False)
