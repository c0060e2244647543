"""DuckDB over the rows that the server holds: the yardstick for a noisy machine.

    yardstick.py export ADDRESS FILE        the server's spans, by its own SQL, to one Parquet file
    yardstick.py answer FILE TRACE_IDS      the server's questions, asked of that file by their names

Each answer is a line of JSON. The file is what one would hand-craft for these questions: ids spelled
out, attributes as a map (those of resources as JSON), rows sorted by service, name and start, zstd.
A search here only finds the newest trace ids; the server's also reads what each trace is made of.
"""

import json
import os
import resource
import sys
import time
import urllib.request

COLUMNS = """trace_id, span_id, parent_span_id, service_name, name, kind, start_time, duration_ns,
 status_code, status_message, attributes, resource_attributes"""


def sql(address, query, accept):
    body = json.dumps({"query": query}).encode()
    headers = {"content-type": "application/json", "accept": accept}
    request = urllib.request.Request(f"http://{address}/api/v1/sql", body, headers)
    return urllib.request.urlopen(request, timeout=600)


def export(address, file):
    import duckdb
    import pyarrow.ipc

    services = json.load(sql(address, "SELECT DISTINCT service_name FROM spans", "application/json"))
    db = duckdb.connect(file + ".tmp.db")
    rows = 0
    # One service at a time, since an answer has a limit of rows.
    for (service,) in sorted(services["rows"]):
        quoted = service.replace("'", "''")
        query = f"SELECT {COLUMNS} FROM spans WHERE service_name = '{quoted}'"
        answer = sql(address, query, "application/vnd.apache.arrow.stream")
        part = pyarrow.ipc.open_stream(answer).read_all()
        rows += part.num_rows
        target = "INSERT INTO spans" if "spans" in tables(db) else "CREATE TABLE spans AS"
        db.execute(f"""{target} SELECT * REPLACE (
            CAST(start_time AS TIMESTAMP_NS) AS start_time,
            from_json(attributes, '"MAP(VARCHAR, VARCHAR)"') AS attributes
        ) FROM part""")
    db.execute(f"""COPY (FROM spans ORDER BY service_name, name, start_time)
        TO '{file}' (FORMAT parquet, COMPRESSION zstd)""")
    db.close()
    os.remove(file + ".tmp.db")
    return {"rows": rows, "bytes": os.path.getsize(file)}


def tables(db):
    return [name for (name,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]


def newest(condition, limit=20):
    return f"""SELECT trace_id, max(start_time) AS newest, count(*) AS matched FROM spans
        WHERE {condition} GROUP BY trace_id ORDER BY newest DESC LIMIT {limit}"""


# By the names that the server's questions have (queries.rs).
QUESTIONS = {
    "trace by id, OTLP/JSON": "SELECT * FROM spans WHERE trace_id = ?",
    "service + status 500 + >100 ms": newest(
        "service_name = 'payment' AND attributes['http.response.status_code'] = '500'"
        " AND duration_ns >= 100_000_000"
    ),
    "service + db.system + >200 ms": newest(
        "service_name = 'inventory' AND attributes['db.system'] = 'postgresql'"
        " AND duration_ns >= 200_000_000"
    ),
    "service + user.id, limit 20": newest(
        "service_name = 'frontend' AND attributes['user.id'] = 'u100000'"
    ),
    "service + >50 ms, limit 20": newest("service_name = 'checkout' AND duration_ns >= 50_000_000"),
    "errors, limit 20": newest("status_code = 'ERROR'"),
    "SQL: p99 duration by service": "SELECT service_name, approx_quantile(duration_ns, 0.99) AS p99"
    " FROM spans GROUP BY service_name ORDER BY p99 DESC",
    "SQL: error spans by service": "SELECT service_name, count(*) AS n FROM spans"
    " WHERE status_code = 'ERROR' GROUP BY service_name ORDER BY n DESC",
    "SQL: errors, count": "SELECT count(*) FROM spans WHERE status_code = 'ERROR'",
    "SQL: spans, count": "SELECT count(*) FROM spans",
    "SQL: traces, count": "SELECT count(DISTINCT trace_id) FROM spans",
    "SQL: attribute filter, count": "SELECT count(*) FROM spans WHERE service_name = 'payment'"
    " AND attributes['http.response.status_code'] = '500'",
}


def answer(file, trace_ids):
    """Asks one question for each line of the input, which names it, and prints how it went."""
    import duckdb

    with open(trace_ids) as lines:
        ids = [line.split()[0] for line in lines if line.strip()]
    db = duckdb.connect()
    db.execute(f"CREATE VIEW spans AS FROM read_parquet('{file}')")
    for asked, line in enumerate(sys.stdin):
        query = QUESTIONS.get(line.rstrip("\n"))
        if query is None:
            print("null", flush=True)
            continue
        values = [ids[asked % len(ids)]] if "?" in query else []
        started = time.perf_counter()
        rows = db.execute(query, values).fetchall()
        ms = (time.perf_counter() - started) * 1e3
        count = None
        if query.startswith("SELECT trace_id, max"):
            count = sum(row[2] for row in rows)
        elif len(rows) == 1 and len(rows[0]) == 1:
            count = rows[0][0]
        print(json.dumps({"ms": ms, "count": count}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"version": duckdb.__version__, "rss_peak_bytes": peak}), flush=True)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "export":
        print(json.dumps(export(*rest)))
    else:
        answer(*rest)
