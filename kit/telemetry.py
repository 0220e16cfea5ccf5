"""Logs, metrics and traces. The only place that knows structlog, prometheus_client and OpenTelemetry."""

import functools
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

PREFIX = "countersign_"
LATENCY_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
# A batch span links to this many of its inputs at most: enough to find an example, not enough to bloat the span.
LINKS_MAX = 16
# A library's line is written again after this long, and so many different ones are told apart.
REPEATED_SECONDS = 10.0
LINES_REMEMBERED = 1_000


def counter(name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
    """A counter `countersign_<name>`; names end in `_total`, labels are bounded and never an id."""
    return Counter(PREFIX + name, help_text, labels)


def gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge `countersign_<name>` in base units."""
    return Gauge(PREFIX + name, help_text, labels)


def histogram(
    name: str, help_text: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS_SECONDS
) -> Histogram:
    """A histogram `countersign_<name>` in base units."""
    return _Traced(PREFIX + name, help_text, labels, buckets=buckets)


class _Traced(Histogram):
    """Where spans are sent somewhere, each bucket keeps the trace of the newest that fell into it: an exemplar."""

    is_on = False

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        Histogram.observe(self, amount, _exemplar() if self.is_on else exemplar)


def _exemplar() -> dict[str, str] | None:
    """The trace around us, if it is one that is kept."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": format(context.trace_id, "032x")} if context.trace_flags.sampled else None


def exposition(accept: str) -> tuple[bytes, str]:
    """What `/metrics` answers, and its content type: OpenMetrics, which alone has exemplars, for who asks for it."""
    if "application/openmetrics-text" in accept:
        body: bytes = openmetrics.generate_latest(REGISTRY)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST


def get_logger(**bound: Any) -> structlog.stdlib.BoundLogger:
    """A logger that writes one JSON line per thing that happened."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(**bound))


def _with_trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = format(context.trace_id, "032x")
        event["span_id"] = format(context.span_id, "016x")
    return event


def _json(event: Any, default: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a number of more than 64 bits, half a surrogate pair
        return json.dumps(event, default=default)


class Seldom(logging.Filter):
    """Lets a line of one library through when the same one was not written for a while: it logs each of its retries."""

    def __init__(self, library: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._library, self._seconds, self._clock = library, seconds, clock
        self._written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] != self._library:
            return True
        line, now = record.getMessage(), self._clock()
        if now - self._written.get(line, -self._seconds) < self._seconds:
            return False
        if len(self._written) >= LINES_REMEMBERED:
            self._written.clear()
        self._written[line] = now
        return True


def configure(service: str, *, level: str, otlp_endpoint: str | None, namespace: str) -> None:
    """Set up this process: JSON lines on standard output, and a tracer that sends when there is where to."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _with_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer(serializer=_json)
    # Straight to the stream: by way of the standard library's logging a line costs three times as much.
    structlog.configure(
        processors=[*shared, as_json],
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    render: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json]
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    handler.addFilter(Seldom("aiokafka", REPEATED_SECONDS))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("aiokafka", "uvicorn.access", "uvicorn.error", "asyncio", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)
    _Traced.is_on = bool(otlp_endpoint)
    provider = TracerProvider(
        # Without a place to send spans to they only carry the ids that tie log lines together.
        sampler=DEFAULT_ON if otlp_endpoint else ALWAYS_OFF,
        resource=Resource.create({"service.name": f"{namespace}-{service}"}),
    )
    if otlp_endpoint:
        # Imported where there is somewhere to send spans to: it takes longer than all else a planning process imports of ours.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces"))
        )
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send what spans are left; called once when the process ends."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def _context(traceparent: str | None) -> SpanContext | None:
    match = _TRACEPARENT.match(traceparent or "")
    if match is None:
        return None
    context = SpanContext(
        int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=TraceFlags(int(match[3], 16))
    )
    return context if context.is_valid else None


def traceparent() -> str | None:
    """The current span as a W3C traceparent header, to travel with a message or request."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


@functools.lru_cache(maxsize=1)
def _tracer(provider: trace.TracerProvider) -> trace.Tracer:
    return provider.get_tracer("countersign")


@contextmanager
def span(
    name: str, *, kind: str = "internal", parents: Sequence[str | None] = (), **attributes: str | int | float | bool
) -> Iterator[trace.Span]:
    """A span. One traceparent makes it a child; several (a batch) are linked, as the messaging conventions want."""
    contexts = [context for context in map(_context, parents[: LINKS_MAX * 4]) if context is not None]
    parent = trace.set_span_in_context(NonRecordingSpan(contexts[0])) if len(parents) == 1 and contexts else None
    links = [Link(context) for context in contexts[:LINKS_MAX]] if len(parents) > 1 else []
    tracer = _tracer(trace.get_tracer_provider())
    with tracer.start_as_current_span(
        name, context=parent, kind=SpanKind[kind.upper()], links=links, attributes=attributes
    ) as current:
        yield current
