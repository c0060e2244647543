"""Exports spans with the exporters for Zipkin and Jaeger, and compares what the API gives back.

    older.py --zipkin HOST:PORT --jaeger-thrift HOST:PORT --jaeger-grpc HOST:PORT --api http://HOST:PORT

Prints a line per exporter; ends with 1 and the differences if anything came back changed.
"""

import argparse
import json
import sys
import time
import urllib.request

from opentelemetry import trace
from opentelemetry.exporter.jaeger.proto.grpc import JaegerExporter as JaegerGrpc
from opentelemetry.exporter.jaeger.thrift import JaegerExporter as JaegerThrift
from opentelemetry.exporter.zipkin.encoder import Protocol
from opentelemetry.exporter.zipkin.json import ZipkinExporter as ZipkinJson
from opentelemetry.exporter.zipkin.proto.http import ZipkinExporter as ZipkinProtobuf
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

BASE_NS = time.time_ns() // 1000 * 1000
ATTRIBUTES = {"text": "grüße 🎈", "int": 9007199254740993, "double": 0.1, "yes": True}
KINDS = {"root": SpanKind.SERVER, "child": SpanKind.CLIENT, "inner": SpanKind.INTERNAL}
# Numbers of the kinds in OTLP.
NUMBERS = {SpanKind.INTERNAL: 1, SpanKind.SERVER: 2, SpanKind.CLIENT: 3}


def exporters(options):
    spans = f"http://{options.zipkin}/api/v{{}}/spans"
    thrift = f"http://{options.jaeger_thrift}/api/traces?format=jaeger.thrift"
    return {
        "zipkin-json-v2": ZipkinJson(Protocol.V2, spans.format(2)),
        # Without a limit this exporter fails on text: it compares None with a number.
        "zipkin-json-v1": ZipkinJson(Protocol.V1, spans.format(1), max_tag_value_length=128),
        "zipkin-protobuf": ZipkinProtobuf(spans.format(2)),
        "jaeger-thrift": JaegerThrift(collector_endpoint=thrift),
        "jaeger-grpc": JaegerGrpc(collector_endpoint=options.jaeger_grpc, insecure=True),
    }


def export(exporter, service):
    tracers = TracerProvider(resource=Resource({"service.name": service, "host.cpus": 8}))
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = tracers.get_tracer("tests.older", "0.1")
    linked = SpanContext(0x1234, 0x56, True, TraceFlags(1))
    root = tracer.start_span("root", kind=KINDS["root"], attributes=ATTRIBUTES, links=[Link(linked)], start_time=BASE_NS)
    inside = trace.set_span_in_context(root)
    child = tracer.start_span("child", context=inside, kind=KINDS["child"], start_time=BASE_NS + 1_000)
    child.add_event("happened", {"n": 1, "why": "because"}, timestamp=BASE_NS + 2_000)
    child.set_status(Status(StatusCode.ERROR, "it broke"))
    child.end(end_time=BASE_NS + 3_000)
    inner = tracer.start_span("inner", context=inside, kind=KINDS["inner"], start_time=BASE_NS + 4_000)
    inner.set_status(Status(StatusCode.OK))
    inner.end(end_time=BASE_NS + 5_000)
    root.end(end_time=BASE_NS + 9_000)
    tracers.shutdown()
    return root.get_span_context(), child.get_span_context()


def plain(value):
    """A value of OTLP/JSON as Python has it."""
    (kind, inner), = value.items()
    return int(inner) if kind == "intValue" else inner


def attributes(holder):
    return {entry["key"]: plain(entry["value"]) for entry in holder.get("attributes", [])}


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


class Comparison:
    """Collects what differs."""

    def __init__(self, where):
        self.where, self.differences = where, []

    def equal(self, what, got, expected):
        if got != expected:
            self.differences.append(f"{self.where}: {what}: got {got!r}, sent {expected!r}")

    def near(self, what, got, expected):
        """A time; the exporter for Jaeger's gRPC reckons in floats and loses what is below a microsecond."""
        tolerance = 1_000 if self.where == "jaeger-grpc" else 0
        self.equal(what, abs(int(got) - expected) <= tolerance, True)


def compare(name, service, options, root, child):
    check = Comparison(name)
    is_jaeger, is_v1 = name.startswith("jaeger"), name.endswith("v1")
    url = f"{options.api}/api/v1/traces/{root.trace_id:032x}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        document = json.load(answer)
    spans = {}
    for group in document["resourceSpans"]:
        resource = attributes(group["resource"])
        check.equal("service", resource.get("service.name"), service)
        if name == "jaeger-grpc":  # the one for thrift makes tags of the spans of it
            check.equal("resource", resource.get("host.cpus"), 8)
        for scope in group["scopeSpans"]:
            if not is_v1:
                check.equal("scope", scope["scope"].get("name"), "tests.older")
                check.equal("scope version", scope["scope"].get("version"), "0.1")
            spans.update({span["name"]: span for span in scope["spans"]})
    check.equal("spans", sorted(spans), sorted(KINDS))
    if sorted(spans) != sorted(KINDS):
        return check.differences
    for span_name, span in spans.items():
        # The first model of Zipkin tells kinds by annotations, which its exporter leaves out.
        kind = NUMBERS[KINDS[span_name]]
        if not is_v1:
            check.equal(f"kind of {span_name}", span.get("kind"), kind)
        parent = "" if span_name == "root" else f"{root.span_id:016x}"
        check.equal(f"parent of {span_name}", span.get("parentSpanId", ""), parent)
    first, failed, inner = spans["root"], spans["child"], spans["inner"]
    check.near("start", first["startTimeUnixNano"], BASE_NS)
    check.near("end", first["endTimeUnixNano"], BASE_NS + 9_000)
    check.equal("span id", failed["spanId"], f"{child.span_id:016x}")
    got = attributes(first)
    for key, value in ATTRIBUTES.items():
        check.equal(key, got.get(key), value if is_jaeger else text(value))
    check.equal("error", failed["status"], {"code": 2, "message": "it broke"})
    check.equal("ok", inner["status"], {"code": 1})
    event = failed["events"][0]
    check.near("time of the event", event["timeUnixNano"], BASE_NS + 2_000)
    # These exporters for Jaeger write an event's name as its field `message`, not `event`.
    named = {"message": "happened"} if is_jaeger else {}
    check.equal("event", event.get("name", ""), "" if is_jaeger else "happened")
    check.equal("event attributes", attributes(event), {"n": 1, "why": "because"} | named)
    if is_jaeger:
        link = first["links"][0]
        check.equal("link", (link["traceId"], link["spanId"]), (f"{0x1234:032x}", f"{0x56:016x}"))
    return check.differences


def main():
    parser = argparse.ArgumentParser()
    for name in ("--zipkin", "--jaeger-thrift", "--jaeger-grpc", "--api"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    differences = []
    for name, exporter in exporters(options).items():
        service = f"python-{name}-{BASE_NS}"
        root, child = export(exporter, service)
        found = compare(name, service, options, root, child)
        print(f"{service}: {len(found)} differences", flush=True)
        differences += found
    print("\n".join(differences))
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
