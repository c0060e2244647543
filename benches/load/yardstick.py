"""DuckDB over the rows that the server holds: the yardstick for a noisy machine.

    yardstick.py export ADDRESS FILE        the server's spans, by its own SQL, to one Parquet file
    yardstick.py ask FILE TRACE_IDS ROUNDS  the server's questions, asked of that file

Both print one JSON object. The file is what one would hand-craft for these questions: ids spelled
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


def ask(file, trace_ids, rounds):
    import duckdb

    with open(trace_ids) as lines:
        ids = [line.split()[0] for line in lines if line.strip()]
    db = duckdb.connect()
    db.execute(f"CREATE VIEW spans AS FROM read_parquet('{file}')")
    answers = {}
    for name, query in QUESTIONS.items():
        values = [[id] for id in ids] if "?" in query else [[]]
        times, last = [], []
        for i in range(rounds):
            started = time.perf_counter()
            last = db.execute(query, values[i % len(values)]).fetchall()
            times.append((time.perf_counter() - started) * 1e3)
        hot = sorted(times[1:])
        answers[name] = {
            "first_ms": times[0],
            "p50_ms": hot[round(0.5 * (len(hot) - 1))],
            "p95_ms": hot[round(0.95 * (len(hot) - 1))],
            "first_cell": last[0][0] if len(last) == 1 and len(last[0]) == 1 else None,
            "matched": sum(row[2] for row in last) if query.startswith("SELECT trace_id, max") else None,
        }
    return {
        "version": duckdb.__version__,
        "rss_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "questions": answers,
    }


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    result = export(*rest) if what == "export" else ask(rest[0], rest[1], int(rest[2]))
    print(json.dumps(result))
