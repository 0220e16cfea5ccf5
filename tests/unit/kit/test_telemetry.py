"""Log lines: what a library repeats with each of its retries does not fill the disk."""

import logging

from kit.telemetry import LINES_REMEMBERED, Seldom


def line(text: str, logger: str = "aiokafka.cluster") -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, __file__, 1, text, None, None)


def test_what_a_library_repeats_is_written_now_and_then_and_everything_else_always() -> None:
    now = 100.0
    seldom = Seldom("aiokafka", 10.0, lambda: now)
    missing, other, ours = line("Topic x not found"), line("Topic y not found"), line("job_failed", "kit.runtime")
    assert [seldom.filter(one) for one in (missing, missing, other, ours, ours)] == [True, False, True, True, True]
    now += 9.9
    assert not seldom.filter(missing)
    now += 0.2
    assert seldom.filter(missing) and not seldom.filter(missing)


def test_many_different_lines_are_not_remembered_for_ever() -> None:
    seldom = Seldom("aiokafka", 10.0, lambda: 0.0)
    assert all(seldom.filter(line(f"offset {number}")) for number in range(3 * LINES_REMEMBERED))
    assert len(seldom._written) <= LINES_REMEMBERED
