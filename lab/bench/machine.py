"""On which machine a figure was measured, and how much memory the services take while it is."""

import platform
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psutil
from scipy.stats import theilslopes

MEGABYTE = 1024 * 1024
CURVE_POINTS = 40


def describe() -> dict[str, Any]:
    """Name, cores, memory, load and versions: without them a figure means nothing."""
    return {
        "name": socket.gethostname(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": psutil.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / MEGABYTE),
        "load_average_before": [round(value, 2) for value in psutil.getloadavg()],
    }


@dataclass(slots=True)
class Memory:
    """Samples the memory of processes and their children. Proportional set size: shared pages are counted once."""

    pids: dict[str, int]
    every_seconds: float = 2.0
    samples: list[tuple[float, dict[str, dict[int, float]]]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sample in a thread."""
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """End; peak and trend.

        A trend is the median of the slopes between all pairs of samples of the second half (Theil-Sen), over the processes
        that lived through all of it: a job in a process of its own, such as a training, is in the peak and not in the trend.
        """
        self._stop.set()
        assert self._thread is not None
        self._thread.join(timeout=30)
        totals = [(at, _total(parts)) for at, parts in self.samples]
        lasting = {name: lasting_mb([(at, parts[name]) for at, parts in self.samples]) for name in sorted(self.pids)}
        every = [(points[0][0], sum(size for _, size in points)) for points in zip(*lasting.values(), strict=True)]
        return {
            "peak_mb": round(max(total for _, total in totals)),
            "last_mb": round(totals[-1][1]),
            "slope_mb_per_minute": trend(every),
            "seconds": round(totals[-1][0] - totals[0][0]),
            "peak_by_part_mb": {
                name: round(max(sum(parts[name].values()) for _, parts in self.samples)) for name in sorted(self.pids)
            },
            "slope_by_part_mb_per_minute": {name: trend(points) for name, points in lasting.items()},
        }

    def curve(self, points: int = CURVE_POINTS) -> list[tuple[float, int]]:
        """(seconds since the first sample, MB), thinned to about so many points: whether it is flat can be seen."""
        step = max(1, len(self.samples) // points)
        begun = self.samples[0][0]
        return [(round(at - begun, 1), round(_total(parts))) for at, parts in self.samples[::step]]

    def _run(self) -> None:
        while True:
            self.samples.append((time.monotonic(), {name: family_mb(pid) for name, pid in self.pids.items()}))
            if self._stop.wait(self.every_seconds):
                return


def _total(parts: dict[str, dict[int, float]]) -> float:
    return sum(sum(family.values()) for family in parts.values())


def lasting_mb(samples: list[tuple[float, dict[int, float]]]) -> list[tuple[float, float]]:
    """The second half of one part's samples, summed over the processes that were there from its beginning to its end."""
    half = samples[len(samples) // 2 :]
    there = set.intersection(*(set(family) for _, family in half)) if half else set()
    return [(at, sum(family[pid] for pid in there)) for at, family in half]


def family_mb(pid: int) -> dict[int, float]:
    """Memory of a process and its children, by process id; nothing of one that has ended."""
    found: dict[int, float] = {}
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return found
    for one in family:
        try:
            found[one.pid] = float(getattr(one.memory_full_info(), "pss", one.memory_info().rss)) / MEGABYTE
        except psutil.NoSuchProcess:
            continue
    return found


def processor_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time each part, its children and those of them that have ended used so far: unlike wall time, nearly the same
    on a busy machine."""
    used = {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            own, times = process.cpu_times(), [one.cpu_times() for one in process.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        ended = own.children_user + own.children_system
        used[name] = ended + sum(one.user + one.system for one in (own, *times))
    return used


def trend(points: list[tuple[float, float]]) -> float:
    """Megabytes a minute by Theil and Sen's robust line (Sen 1968, JASA 63); points are (seconds, MB)."""
    if len(points) < 2:
        return 0.0
    at, sizes = zip(*points, strict=True)
    return round(float(theilslopes(sizes, at).slope) * 60, 2)


def slope(points: list[tuple[float, float]]) -> float:
    """Slope of the least-squares line through the points; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, by nearest rank."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {f"p{share}": round(ordered[min(last, int(share / 100 * len(ordered)))], 1) for share in (50, 95, 99)} | {
        "max": round(ordered[-1], 1)
    }
