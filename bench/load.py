"""Load for two servers in turn: pre-signed requests sent by wrk, what the servers' processes spend on them, moto's server as the peer."""
import contextlib, datetime, hashlib, hmac, http.client, json, signal, socket, subprocess, time, urllib.parse

from common import ROOT, cpu_s, spread, threads_s, wait_for

NO_LIMITS = ("--rate-limit", "off") # of emberd: what is measured is what a request costs
MOTO = ROOT / ".deps/venv-bench/bin/moto_server"

# The threads of emberd that answer requests, those that write its databases, and their logs back; of ember.db for the engine as well.
ANSWERING = ("http", "db ember.db", "db index.db", "wal ember.db", "wal index.db")

LUA = """
local data, size, count, at
function init(args)
  local f = assert(io.open(args[1], "rb"))
  data = f:read("*a")
  f:close()
  size = tonumber(args[2])
  count, at = #data / size, 0
end
function request()
  local i = at % count
  at = at + 1
  return data:sub(i * size + 1, (i + 1) * size)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests": %d, "us": %d, "p50": %d, "p99": %d, "max": %d, "errors": %d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Signer:
    """SigV4 for one day, region and service; the key is derived once."""

    def __init__(self, key_id, secret, service):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        self.scope, self.key_id, self.key = day + "/us-east-1/%s/aws4_request" % service, key_id, ("AWS4" + secret).encode()
        for part in self.scope.split("/"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()

    def raw(self, host, method, path, body=b"", target=None):
        """A whole request as it goes over the wire; target: the operation of a JSON 1.1 service."""
        signed = [("host", host), ("x-amz-date", self.stamp)] + ([("x-amz-target", target)] if target else [])
        names = ";".join(name for name, _ in signed)
        bare, _, query = path.partition("?") # its values are percent-encoded
        canonical = "\n".join([method, bare, "&".join(sorted(query.split("&"))), *("%s:%s" % one for one in signed), "", names, hashlib.sha256(body).hexdigest()])
        text = "\n".join(["AWS4-HMAC-SHA256", self.stamp, self.scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        head = ["%s %s HTTP/1.1" % (method, path), "User-Agent: bench", *("%s: %s" % one for one in signed),
                "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (self.key_id, self.scope, names, signature)]
        if body:
            head += ["Content-Type: application/" + ("x-amz-json-1.1" if target else "json"), "Content-Length: %d" % len(body)]
        return "\r\n".join(head + ["", ""]).encode() + body


class Target:
    """One of the two servers under the same load."""

    def __init__(self, name, endpoint, pid, key_id, secret):
        self.name, self.endpoint, self.pid = name, endpoint, pid
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.key_id, self.secret = key_id, secret
        self.once = False # whether a request may be sent only once
        self.rate = {}    # requests a second, last time, by connections

    def signer(self, service="emr-containers"):
        return Signer(self.key_id, self.secret, service)

    def raw(self, method, path, body=b""):
        return self.signer().raw(self.host, method, path, body)

    def call(self, method, path, body=b""):
        return self.send(method, path, self.raw(method, path, body))

    def send(self, method, path, request):
        with contextlib.closing(socket.create_connection(self.host.split(":"), 30)) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            text = answer.read(int(answer.headers.get("Content-Length") or 0))
        if answer.status >= 300:
            raise SystemExit("%s: %s %s: %d %s" % (self.name, method, path, answer.status, text.decode(errors="replace")))
        return json.loads(text) if text else {}

    def rest(self, timeout_s=60):
        """Waits until the process did nothing for a while."""
        deadline, last, since = time.monotonic() + timeout_s, cpu_s(self.pid), time.monotonic()
        while time.monotonic() - since < 0.4 and time.monotonic() < deadline:
            time.sleep(0.05)
            now = cpu_s(self.pid)
            if now - last > 0.01:
                last, since = now, time.monotonic()


@contextlib.contextmanager
def moto(make):
    """As its documentation starts it, in memory, on a free port; make() builds its Target."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([MOTO, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
    try:
        wait_for(answers, "moto")
        yield make("moto", "http://127.0.0.1:%d" % port, process.pid, "AKIDEXAMPLE", "x")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def wrk(folder, target, records, connections, seconds):
    """Sends the records in turn for some seconds; what wrk saw."""
    assert len({len(r) for r in records}) == 1
    (folder / "requests").write_bytes(b"".join(records))
    (folder / "wrk.lua").write_text(LUA)
    done = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "-s", folder / "wrk.lua", target.endpoint, "--", folder / "requests",
                           str(len(records[0]))], capture_output=True, text=True, timeout=seconds + 60)
    line = [l for l in done.stdout.splitlines() if l.startswith("RESULT ")]
    if not line:
        raise SystemExit("wrk: " + done.stdout + done.stderr)
    result = json.loads(line[0][7:])
    if result["errors"]:
        raise SystemExit("%s: %d of %d requests failed\n%s" % (target.name, result["errors"], result["requests"], done.stdout))
    return result


def measure(folder, target, records, connections, seconds):
    before, threads = cpu_s(target.pid), threads_s(target.pid)
    result = wrk(folder, target, records, connections, seconds)
    answering = sum(spent - threads.get(name, 0) for name, spent in threads_s(target.pid).items() if name in ANSWERING)
    target.rest()
    cpu = cpu_s(target.pid) - before
    if result["requests"] > len(records) and target.once:
        raise SystemExit("%s: more requests than were signed" % target.name)
    return {"perSecond": result["requests"] / (result["us"] / 1e6), "cpuUs": (answering or cpu) * 1e6 / result["requests"],
            "allCpuUs": cpu * 1e6 / result["requests"], "p50Ms": result["p50"] / 1000, "p99Ms": result["p99"] / 1000, "requests": result["requests"]}


def compare(folder, targets, what, connections, rounds, seconds, records_of, warm=False):
    """A B A B …; medians and ranges for each server. records_of(target, seconds) are the requests of one round; warm: a first round is thrown away."""
    seen = {t.name: [] for t in targets}
    for number in range(0 if warm else 1, rounds + 1):
        for target in targets:
            one = measure(folder, target, records_of(target, seconds), connections, seconds)
            target.rate[connections] = one["perSecond"]
            if number:
                seen[target.name].append(one)
    row = {"operation": what, "connections": connections}
    for name, runs in seen.items():
        row[name] = {key: spread([r[key] for r in runs], 3 if key.endswith("Ms") else 1) for key in ("perSecond", "cpuUs", "allCpuUs", "p50Ms", "p99Ms")}
    ember, other = row["emberd"], row["moto"]
    row["rateRatio"] = round(ember["perSecond"]["median"] / other["perSecond"]["median"], 1)
    row["cpuRatio"] = round(ember["cpuUs"]["median"] / other["cpuUs"]["median"], 3)
    print("%-14s %d connections: emberd %.0f/s %.0f µs CPU, moto %.0f/s %.0f µs CPU: %.1f times the rate, %.3f of the CPU" % (
        what, connections, ember["perSecond"]["median"], ember["cpuUs"]["median"], other["perSecond"]["median"], other["cpuUs"]["median"],
        row["rateRatio"], row["cpuRatio"]), flush=True)
    return row


def table(rows):
    """The rows of compare() as two Markdown tables."""
    text = lambda v: "%g (%g to %g)" % (v["median"], v["min"], v["max"])
    lines = ["| operation | connections | server | requests/s | CPU µs a request | of the whole process | p50 ms | p99 ms |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        for name in ("emberd", "moto"):
            one = row[name]
            lines.append("| %s | %d | %s | %s | %s | %s | %s | %s |" % (row["operation"], row["connections"], name, text(one["perSecond"]), text(one["cpuUs"]),
                                                                  text(one["allCpuUs"]), text(one["p50Ms"]), text(one["p99Ms"])))
    lines += ["", "| operation | connections | emberd's rate | emberd's CPU a request |", "| --- | --- | --- | --- |"]
    return lines + ["| %s | %d | %.1f times moto's | %.1f %% of moto's |" % (r["operation"], r["connections"], r["rateRatio"], r["cpuRatio"] * 100) for r in rows]


def moto_version():
    return next(l.split("==")[1].strip() for l in (ROOT / "tools/setup/requirements-bench.in").read_text().splitlines() if l.startswith("moto"))
