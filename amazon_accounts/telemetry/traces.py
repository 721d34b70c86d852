"""Spans for OpenTelemetry, sent by OTLP over HTTP."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from amazon_accounts import __version__
from amazon_accounts.logs.spans import Span, collect_spans
from amazon_accounts.logs.trace import read_trace

KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER}


def send_spans(endpoint: str) -> None:
    # The library reads this name, and the other variables of OpenTelemetry, by itself.
    os.environ.setdefault("OTEL_SERVICE_NAME", "amazon-accounts")
    provider = TracerProvider(resource=Resource.create({"service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    tracer = provider.get_tracer("amazon_accounts", __version__)

    @contextmanager
    def start(kind: str, name: str) -> Iterator[Span]:
        attributes = {name: value for name, value in vars(read_trace()).items() if value}
        # What an exception says may name people. Its class does not.
        with tracer.start_as_current_span(
            name,
            kind=KINDS[kind],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as started:
            try:
                yield started
            except BaseException as error:
                started.set_status(Status(StatusCode.ERROR))
                started.set_attribute("error.type", type(error).__qualname__)
                raise

    collect_spans(start)
