"""One trace through Kafka: from a sale's `traceparent`, over a service's span, to what the service publishes."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families

from kit.events import Envelope, Outgoing, headers_of
from schemas.demand import SaleRecorded
from schemas.topics import EXCEPTIONS, SALES
from tests.ground import Ground, Services

pytestmark = pytest.mark.integration
TRACE, UNKEPT = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
WHEN = datetime(2017, 11, 5, 12, tzinfo=UTC)


class Sink:
    """The receiving end of OTLP/HTTP: keeps every span it is sent, by service."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    names = {one.key: one.value.string_value for one in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        sink.spans += [(names["service.name"], span) for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Quiet: the test says what it misses."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, name="otlp-sink")
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


async def test_a_sale_and_what_follows_from_it_are_one_trace(
    platform: Ground, namespace: str, service_process: Services, sink: Sink
) -> None:
    process = service_process("policy", otlp_endpoint=sink.url)
    body = SaleRecorded(
        tenant="acme",
        sku="unheard-of",
        location="L1",
        quantity=Decimal(1),
        business_date=date(2017, 11, 5),
        sold_at=WHEN,
    )
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"
    envelope = Envelope("e1", "pos/1", body.TYPE, WHEN, "acme", body.record_key(), traceparent=parent)
    sale = Outgoing(SALES.name, envelope, body.model_dump_json(exclude_none=True).encode())
    consumer = AIOKafkaConsumer(
        EXCEPTIONS.on(namespace), bootstrap_servers=platform.kafka_bootstrap, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka_bootstrap)
    await consumer.start()
    await producer.start()
    try:
        await producer.send_and_wait(
            SALES.on(namespace), sale.value, key=body.record_key().encode(), headers=headers_of(sale)
        )
        record = await consumer.getone()
    finally:
        await producer.stop()
        await consumer.stop()
    headers = {name: raw.decode() for name, raw in record.headers}
    assert headers["ce_type"] == "exception.raised.v1"
    assert headers["traceparent"].split("-")[1] == TRACE, "what follows from the sale has left its trace"
    assert headers["ce_causationid"] == "e1"
    process.stop(grace_seconds=15)  # spans are sent in batches; the last ones when the service ends
    [(service, span)] = mine(sink)
    assert service == f"{namespace}-policy"
    assert span.kind == Span.SPAN_KIND_CONSUMER


async def test_latency_of_a_request_names_the_trace_it_is_in(service_process: Services, sink: Sink) -> None:
    process = service_process("policy", otlp_endpoint=sink.url)

    def ask(path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(f"{process.url}{path}", headers=headers)

    ask("/livez", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    ask("/nowhere", traceparent=f"00-{UNKEPT}-00f067aa0ba902b7-00")
    plain, told = ask("/metrics"), ask("/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert plain.headers["content-type"].startswith("text/plain") and TRACE not in plain.text
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    named = {
        sample.labels["route"]: sample.exemplar.labels["trace_id"]
        for family in families(told.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if family.name == "countersign_http_request_duration_seconds" and sample.exemplar
    }
    assert named["/livez"] == TRACE
    assert "unmatched" not in named, "a trace that is not kept leads nowhere"
    process.stop(grace_seconds=15)
    assert TRACE in {span.trace_id.hex() for _, span in sink.spans}, (
        "the trace it names is not among those that were sent"
    )


def mine(sink: Sink) -> list[tuple[str, Span]]:
    """The spans that process the sale: in its trace, or (a batch) linked to it."""
    trace = bytes.fromhex(TRACE)
    found = []
    for service, span in sink.spans:
        belongs = span.trace_id == trace or any(link.trace_id == trace for link in span.links)
        if span.name == "process batch" and belongs:
            found.append((service, span))
    return found
