"""The fault matrix: each fault hurts the stand in its way and takes its hand away again."""

from lab.chaos.faults import clocks, inputs, network, processes, seats, stores
from lab.chaos.faults.scene import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault for module in (processes, stores, network, clocks, inputs, seats) for fault in module.FAULTS
}
