"""Writes labelled/*.log: `label<TAB>line` for the statements of made-up systems. Fixed seed.

A statement is a weight and a text; {name} stands for a value of that kind.
"""
import pathlib
import random
import re

R = random.Random(20)
WORDS = "amber basil cedar delta ember fjord grove heron iris juniper karst lotus maple nectar onyx".split()
USERS = "root admin alice bob carol deploy guest jenkins mallory nagios oracle postgres test ubuntu www".split()
HOSTS = "web-1 web-2 db-master cache-03 edge.example.net mail.example.org build-7.corp.local gw".split()
PATHS = ["/", "/index.html", "/api/v1/users/{n}", "/api/orders/{n}/items", "/static/js/app.{h8}.js", "/login",
         "/search?q={w}&page={d}", "/img/{w}.png", "/wp-login.php", "/.env"]
SQL = ["SELECT * FROM {w} WHERE id = {n}", "UPDATE {w} SET state = '{w}' WHERE id = {n}", "DELETE FROM {w}",
       "INSERT INTO {w} (id, name) VALUES ({n}, '{w}')"]
AGENTS = ["curl/8.{d}.0", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/1{d}.0", "kube-probe/1.2{d}",
          "Go-http-client/1.1", "Mozilla/5.0 (iPhone; CPU iPhone OS 1{d}_2 like Mac OS X) AppleWebKit/605.1.15",
          "python-requests/2.{d}.1", "-"]


def hexes(n):
    return "".join(R.choice("0123456789abcdef") for _ in range(n))


def uuid():
    return "-".join(hexes(n) for n in (8, 4, 4, 4, 12))


KINDS = {
    "d": lambda: str(R.randint(1, 9)),
    "n": lambda: str(R.choice([R.randint(0, 99), R.randint(100, 99999), R.randint(10**6, 10**8)])),
    "port": lambda: str(R.randint(1024, 65535)),
    "f": lambda: f"{R.random() * 1000:.{R.randint(1, 4)}f}",
    "pct": lambda: f"{R.random() * 100:.1f}%",
    "dur": lambda: R.choice([f"{R.randint(1, 999)}ms", f"{R.random() * 9:.3f}s", f"{R.randint(1, 900)}µs", f"{R.randint(1, 9)}m{R.randint(1, 59)}s"]),
    "size": lambda: R.choice([f"{R.randint(1, 999)} B", f"{R.random() * 900:.1f} KB", f"{R.random() * 90:.1f} MB"]),
    "ip": lambda: ".".join(str(R.randint(1, 254)) for _ in range(4)),
    "ip6": lambda: "2001:db8:" + ":".join(f"{R.randint(1, 65535):x}" for _ in range(3)) + "::" + str(R.randint(1, 9)),
    "mac": lambda: ":".join(hexes(2) for _ in range(6)),
    "h8": lambda: R.choice("0123456789") + hexes(7),
    "h16": lambda: R.choice("123456789") + hexes(15),
    "hex": lambda: f"0x{R.randint(0, 2**32):x}",
    "uuid": uuid,
    "w": lambda: R.choice(WORDS),
    "user": lambda: R.choice(USERS),
    "host": lambda: R.choice(HOSTS),
    "mail": lambda: f"{R.choice(USERS)}@{R.choice(['example.com', 'mail.example.org'])}",
    "blk": lambda: f"blk_{R.choice(['', '-'])}{R.randint(10**17, 10**19)}",
    "pod": lambda: f"{R.choice(WORDS)}-{R.choice('456789')}{hexes(8)}-{R.choice('bcdfghjkl')}{R.randint(2, 9)}{R.choice('mnpqrst')}{R.choice('vwxz')}k",
    "path": lambda: fill(R.choice(PATHS)),
    "sql": lambda: fill(R.choice(SQL)),
    "agent": lambda: fill(R.choice(AGENTS)),
    "method": lambda: R.choice(["GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD"]),
    "status": lambda: R.choice(["200", "200", "201", "204", "301", "304", "404", "500"]),
    "iso": lambda: f"2026-{R.randint(1, 12):02}-{R.randint(1, 28):02}T{R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}.{R.randint(0, 999):03}Z",
    "stamp": lambda: f"2026-{R.randint(1, 12):02}-{R.randint(1, 28):02} {R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02},{R.randint(0, 999):03}",
    "sys": lambda: f"{R.choice(['Jan', 'Feb', 'Mar', 'Oct'])} {R.randint(1, 28):2} {R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}",
    "clf": lambda: f"{R.randint(1, 28):02}/Oct/2026:{R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02} +0000",
    "ngx": lambda: f"2026/{R.randint(1, 12):02}/{R.randint(1, 28):02} {R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}",
    "klog": lambda: f"{R.randint(1, 12):02}{R.randint(1, 28):02} {R.randint(0, 23):02}:{R.randint(0, 59):02}:{R.randint(0, 59):02}.{R.randint(0, 999999):06} {R.randint(1, 99999):7}",
    "up": lambda: f"{R.randint(0, 99999):5}.{R.randint(0, 999999):06}",
}


def fill(text):
    return re.sub(r"\{(\w+)\}", lambda match: KINDS[match.group(1)](), text)


SYSTEMS = {}
HERE = pathlib.Path(__file__).parent


def main():
    text = (HERE / "statements.txt").read_text()
    (HERE / "labelled").mkdir(exist_ok=True)
    for block in text.split("\n== ")[1:]:
        name, *rows = block.strip().split("\n")
        statements = [row.split(" ", 1) for row in rows]
        weights = [int(weight) for weight, _ in statements]
        numbers = list(range(len(statements))) + R.choices(range(len(statements)), weights, k=140)
        R.shuffle(numbers)
        lines = (f"E{number}\t{fill(statements[number][1])}\n" for number in numbers)
        (HERE / "labelled" / f"{name}.log").write_text("".join(lines))


main()
