"""The shared kernel: value objects and mathematics that more than one service must agree on. No I/O."""
