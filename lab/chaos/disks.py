"""Small disks for the stores, so that they can be filled: tmpfs in a mount namespace of our own, seen by nobody else."""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable

from lab.chaos.stand import Stand

SIZES = {"postgres": "700m", "kafka": "600m"}
_NEW_MOUNT_NAMESPACE = 0x00020000


def mount(stand: Stand, say: Callable[[str], None]) -> None:
    """Give both stores disks of some hundred MB each. Says so, and does nothing, where we may not."""
    if os.geteuid() != 0:
        say("not root: no small disks, the disk-full faults are left out")
        return
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNT_NAMESPACE) != 0:
        say(f"no mount namespace here ({os.strerror(ctypes.get_errno())}): the disk-full faults are left out")
        return
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for name, size in SIZES.items():
        disk = stand.data_dir / "small-disks" / name
        disk.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(disk)], check=True)
    place = stand.postgres._place()
    stand.postgres._prepare_folder(place)
    for store, used in (("postgres", place / "cluster"), ("kafka", stand.kafka.home / "log")):
        inside = stand.data_dir / "small-disks" / store / "data"
        inside.mkdir(mode=0o700)
        used.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(inside), str(used)], check=True)
        if store == "postgres":
            stand.postgres._give(used)


def unmount(stand: Stand) -> None:
    """Take the small disks away again; fine when there are none."""
    for used in (stand.postgres._place() / "cluster", stand.kafka.home / "log"):
        with contextlib.suppress(OSError):
            if used.is_mount():
                subprocess.run(["umount", "-l", str(used)], check=False)
    for name in SIZES:
        disk = stand.data_dir / "small-disks" / name
        with contextlib.suppress(OSError):
            if disk.is_mount():
                subprocess.run(["umount", "-l", str(disk)], check=False)
