"""Log lines: what a library repeats with each of its retries does not fill the disk. Metrics: what leads to a trace."""

import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import REGISTRY, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families

from kit import telemetry
from kit.telemetry import LINES_REMEMBERED, Seldom

OPENMETRICS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736


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


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Histogram]:
    """A histogram of this test, in a process that sends its spans somewhere."""
    monkeypatch.setattr(telemetry._Traced, "is_on", True)
    made = telemetry.histogram("told_seconds", "Of this test", ("kind",), (0.1, 1.0))
    yield made
    REGISTRY.unregister(made)


def within(flags: int) -> trace.Span:
    return NonRecordingSpan(SpanContext(TRACE, 7, is_remote=False, trace_flags=TraceFlags(flags)))


def exemplars() -> dict[str, dict[str, str]]:
    """Of each bucket of the histogram that has one, as a scraper reads them."""
    body, media_type = telemetry.exposition(OPENMETRICS)
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    told = families(body.decode())  # type: ignore[no-untyped-call]
    (family,) = (one for one in told if one.name == "countersign_told_seconds")
    return {one.labels["le"]: one.exemplar.labels for one in family.samples if one.exemplar}


def test_bucket_names_the_trace_of_what_fell_into_it_when_that_trace_is_kept(measured: Histogram) -> None:
    with trace.use_span(within(1)):
        measured.labels("a").observe(0.5)
    with trace.use_span(within(0)):
        measured.labels("a").observe(0.05)
    measured.labels("a").observe(5.0)
    assert exemplars() == {"1.0": {"trace_id": f"{TRACE:032x}"}}


def test_timed_block_names_its_trace_too(measured: Histogram) -> None:
    with trace.use_span(within(1)), measured.labels("a").time():
        pass
    assert exemplars() == {"0.1": {"trace_id": f"{TRACE:032x}"}}


def test_nothing_is_asked_about_traces_while_spans_are_sent_nowhere(
    measured: Histogram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry._Traced, "is_on", False)
    monkeypatch.setattr(trace, "get_current_span", lambda: pytest.fail("asked"))
    measured.labels("a").observe(0.5)
    assert exemplars() == {}


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4"])
def test_who_does_not_ask_for_openmetrics_is_told_in_the_plain_format_without_exemplars(
    measured: Histogram, accept: str
) -> None:
    with trace.use_span(within(1)):
        measured.labels("a").observe(0.5)
    body, media_type = telemetry.exposition(accept)
    assert media_type.startswith("text/plain")
    assert b'countersign_told_seconds_count{kind="a"} 1.0' in body
    assert b"trace_id" not in body and b"# EOF" not in body


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=abc", "application/openmetrics-text;version"])
def test_version_nobody_knows_is_answered_all_the_same(accept: str) -> None:
    body, media_type = telemetry.exposition(accept)
    assert body.endswith(b"# EOF\n") and "version=1.0.0" in media_type
