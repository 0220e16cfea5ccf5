"""Memory of a long-lived process goes back to the system; the oracle is what the kernel says a fresh process holds."""

import gc
import subprocess
import sys
import weakref

import pytest

from kit import memory

# Blocks of many sizes, each freed only after the next was made, with something small in between that stays.
CHURN = """
import random, sys
from kit.memory import give_large_blocks_back
if sys.argv[1] == "settled":
    assert give_large_blocks_back()
random.seed(7)
kept, before = [], None
for _ in range(80):
    block = bytearray(random.randrange(1_500_000, 24_000_000))
    kept.append([bytes(2_000) for _ in range(50)])
    before = block
del block, before
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's; elsewhere the setting does nothing")
def test_large_blocks_leave_no_holes_behind() -> None:
    held: dict[str, int] = {}
    for how in ("plain", "settled"):
        ended = subprocess.run([sys.executable, "-c", CHURN, how], capture_output=True, check=True, text=True)
        held[how] = int(ended.stdout)
    assert held["settled"] < 60_000, held
    assert held["settled"] < held["plain"] - 10_000, held


# What a transaction makes and drops, a few hundred times: pieces too small to be taken from the system one by one.
SAME_AGAIN = """
import resource, sys
from kit import memory
if sys.argv[1] != "plain":
    assert getattr(memory, sys.argv[1])()
for turn in range(200):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [bytes(100_000) for _ in range(40)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's; elsewhere the setting does nothing")
@pytest.mark.parametrize("how", ["give_large_blocks_back", "keep_freed_blocks"])
def test_what_is_made_again_and_again_is_not_asked_from_the_system_each_time(how: str) -> None:
    faults: dict[str, int] = {}
    for each in ("plain", how):
        ended = subprocess.run([sys.executable, "-c", SAME_AGAIN, each], capture_output=True, check=True, text=True)
        faults[each] = int(ended.stdout)
    assert faults[how] < 2_000 < 10_000 < faults["plain"], faults


class Circle:
    """Holds on to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_refers_to_itself_is_freed_when_there_is_time() -> None:
    gc.disable()  # so that nothing but `tidy` can be what freed it
    try:
        seen = weakref.ref(Circle())
        assert seen() is not None
        memory.tidy()
        assert seen() is None
    finally:
        gc.enable()
