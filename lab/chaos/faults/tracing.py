"""strace as a hand that makes system calls fail or kill: attached to processes that run, for the length of a `with` block."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from lab.chaos.faults.scene import Skipped

LEAVE_SECONDS = 5.0


@contextlib.contextmanager
def tampering(calls: str, what: str, pids: Sequence[int]) -> Iterator[None]:
    """Inject `what` (strace's words) into these system calls of the processes and all their threads and children.

    Raises Skipped where there is no strace.
    """
    strace = shutil.which("strace")
    if strace is None:
        raise Skipped("needs strace (apt-get install strace)")
    command = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:{what}"]
    for pid in pids:
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        tracer.terminate()
        try:
            tracer.wait(LEAVE_SECONDS)
        except (
            subprocess.TimeoutExpired
        ):  # it waits for a process that is just dying; the kernel detaches a killed tracer
            tracer.kill()
            tracer.wait(LEAVE_SECONDS)
