"""Is the process that was started still there? Pid and start time together name a process.

A pid alone does not: after a restart of the machine, or after enough new processes, it belongs to
somebody else.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil


def start_of(pid: int) -> str | None:
    """When a process started, as a mark to compare; None where it is gone or waits to be reaped.

    On Linux the mark is the boot's id with the kernel's clock ticks, which no change of the wall
    clock moves; elsewhere it is the creation time that psutil tells.
    """
    try:
        # the second field is the command in brackets and may hold anything, brackets too
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{fields[19]}"
    except (OSError, IndexError):
        pass
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(process.create_time())
    except psutil.Error:
        return None


def alive(pid: int, start: str | None) -> bool:
    """Whether the very process that started at `start` is still running."""
    return start is not None and start_of(pid) == start


def send(pid: int, start: str | None, number: signal.Signals) -> None:
    """Signal that process, with its group where it leads one; nothing happens if it is gone."""
    if not alive(pid, start):
        return
    try:
        if os.getpgid(pid) == pid:  # a worker leads its own session; a command line may not
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
