"""Sends logs as the official client of Elasticsearch and Python's own handler for syslog do, and compares
what the API gives back.

    shippers.py --elasticsearch HOST:PORT --udp HOST:PORT --tcp HOST:PORT --api HOST:PORT

Ends with 1 and what differs if anything came back changed.
"""

import argparse
import json
import logging
import logging.handlers
import socket
import sys
import time
import urllib.request

from elasticsearch import Elasticsearch, helpers

DOCUMENTS = 1200  # The client makes three bulks of them.
PATIENCE_S = 30


def index(base, **options):
    """The handshake, then documents in bulks and alone."""
    client = Elasticsearch(base, **options)
    assert client.info()["version"]["number"] == "8.17.0"
    assert client.ping()
    assert client.cluster.health()["status"] == "green"
    assert client.license.get()["license"]["status"] == "active"
    assert client.indices.put_index_template(name="t", index_patterns=["a*"])["acknowledged"]
    assert client.ilm.put_lifecycle(name="p", policy={"phases": {}})["acknowledged"]
    assert client.indices.exists(index="logs")
    documents = (
        {
            "_index": "logs",
            "_op_type": "create",
            "@timestamp": "2026-11-20T12:00:00Z",
            "message": f"document {number:04}",
            "log": {"level": "info"},
            "service": {"name": base},
        }
        for number in range(DOCUMENTS)
    )
    stored, errors = helpers.bulk(client, documents, raise_on_error=False)
    assert (stored, errors) == (DOCUMENTS, []), errors[:3]
    deletion = {"_index": "logs", "_op_type": "delete", "_id": "1"}
    stored, errors = helpers.bulk(client, [deletion], raise_on_error=False)
    assert stored == 0 and errors[0]["delete"]["status"] == 400, errors
    alone = {"message": "alone", "service.name": base}
    assert client.index(index="logs", document=alone)["result"] == "created"


def log(address, kind):
    host, port = address.rsplit(":", 1)
    handler = logging.handlers.SysLogHandler((host, int(port)), socktype=kind)
    logger = logging.Logger("shippers")
    logger.addHandler(handler)
    for number in range(3):
        logger.error("syslog %d", number)
    handler.close()


def counts(api):
    query = (
        "SELECT service_name, severity_text, substr(body, 1, 8) AS start, count(*) AS records, "
        "count(DISTINCT body) AS bodies FROM logs GROUP BY 1, 2, 3 ORDER BY 1, 3"
    )
    request = urllib.request.Request(
        f"http://{api}/api/v1/sql",
        json.dumps({"query": query}).encode(),
        {"content-type": "application/json"},
    )
    return json.load(urllib.request.urlopen(request))["rows"]


def main():
    parser = argparse.ArgumentParser()
    for name in ("elasticsearch", "udp", "tcp", "api"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    bases = [f"http://{options.elasticsearch}", f"http://{options.api}/elasticsearch"]
    index(bases[0], http_compress=True, api_key=("id", "any"))
    index(bases[1], basic_auth=("user", "any"))
    log(options.udp, socket.SOCK_DGRAM)
    log(options.tcp, socket.SOCK_STREAM)
    expected = []
    for base in sorted(bases):
        expected.append([base, "", "alone", 1, 1])
        expected.append([base, "info", "document", DOCUMENTS, DOCUMENTS])
    expected.append(["unknown_service", "err", "syslog 0", 2, 1])
    expected.append(["unknown_service", "err", "syslog 1", 2, 1])
    expected.append(["unknown_service", "err", "syslog 2", 2, 1])
    deadline = time.monotonic() + PATIENCE_S
    while (found := counts(options.api)) != expected:
        if time.monotonic() > deadline:
            print("expected", expected, "\nfound   ", found)
            sys.exit(1)
        time.sleep(0.05)


main()
