"""Sends logs with the clients of Fluent, GELF and Loki, and asks Loki's API for one of them.

    log_senders.py --fluent HOST:PORT --gelf-udp HOST:PORT --gelf-tcp HOST:PORT --api HOST:PORT

Ends with 1 and what is wrong if they do not arrive.
"""

import argparse
import json
import logging
import sys
import time
import urllib.parse
import urllib.request

import logging_loki
from fluent import sender
from pygelf import GelfTcpHandler, GelfUdpHandler

PATIENCE_S = 30
RECORDS = 5


def place(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def log(handler, text):
    logger = logging.Logger(text)
    logger.addHandler(handler)
    logger.error(text)
    handler.close()


def fluent(address):
    host, port = place(address)
    client = sender.FluentSender("app", host=host, port=port, nanosecond_precision=True)
    for number in range(2):
        assert client.emit("cart", {"message": f"fluent {number}", "level": "error"})
    client.close()


def loki(api):
    handler = logging_loki.LokiHandler(
        url=f"http://{api}/loki/api/v1/push", tags={"app": "shop"}, version="1"
    )
    log(handler, "loki")


def ask(api, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    return json.load(urllib.request.urlopen(f"http://{api}{path}?{query}"))


def count(api):
    answer = ask(api, "/loki/api/v1/query", query="sum(count_over_time({}[1h]))")
    result = answer["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def main():
    parser = argparse.ArgumentParser()
    for name in ("fluent", "gelf-udp", "gelf-tcp", "api"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    fluent(options.fluent)
    host, port = place(options.gelf_udp)
    log(GelfUdpHandler(host=host, port=port, chunk_size=64, _service="cart"), "gelf over udp")
    host, port = place(options.gelf_tcp)
    log(GelfTcpHandler(host=host, port=port, _service="cart"), "gelf over tcp")
    loki(options.api)
    deadline = time.monotonic() + PATIENCE_S
    while (found := count(options.api)) != RECORDS:
        if time.monotonic() > deadline:
            print("expected", RECORDS, "records, found", found)
            sys.exit(1)
        time.sleep(0.05)
    lines = ask(options.api, "/loki/api/v1/query_range", query='{app="shop"} | severity="error"')
    streams = lines["data"]["result"]
    assert [value[1] for stream in streams for value in stream["values"]] == ["loki"], lines
    assert streams[0]["stream"]["detected_level"] == "error", lines


main()
