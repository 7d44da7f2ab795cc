"""Many job runs on record: how they come there through the API, what each list costs then, how much memory, how long a start takes."""
import concurrent.futures, datetime, http.client, json, pathlib, socket, statistics, threading, time, urllib.parse

from common import cpu_s, memory_mib, spread, wait_for
from load import Target

NAMESPACES = ("default", "kube-public", "kube-system", "kube-node-lease") # what an embedded cluster has from its beginning
NAMES = 200          # of the runs of the largest virtual cluster
TERMINATED = 150     # virtual clusters
TEMPLATES = 300
ROLE = "arn:aws:iam::111122223333:role/bench"
DRIVER = {"entryPoint": "local:///usr/lib/spark/examples/jars/spark-examples.jar", "entryPointArguments": ["10"]}
# More processors than any machine has: the driver's pod is made and waits.
UNSCHEDULABLE = {"sparkSubmitParameters": "--class org.apache.spark.examples.SparkPi --conf spark.driver.cores=10000 --conf spark.executor.instances=1"}
# The engine refuses this one when it plans the run, before anything is written to a cluster.
REFUSED = [{"classification": "no-such-file", "properties": {"a": "b"}}]


class RecordTarget(Target):
    """A server with many job runs; the oldest of its largest virtual cluster are the only open ones there."""

    def start_body(self, token, name=None, refused=True):
        driver = dict(DRIVER, **({} if refused else UNSCHEDULABLE))
        body = {"executionRoleArn": ROLE, "releaseLabel": "emr-6.15.0-latest", "clientToken": token, "jobDriver": {"sparkSubmitJobDriver": driver}}
        if refused:
            body["configurationOverrides"] = {"applicationConfiguration": REFUSED}
        if name or self.name == "moto": # moto cannot list runs without a name
            body["name"] = name or "unnamed"
        return json.dumps(body, separators=(",", ":")).encode()

    def create_cluster(self, name, namespace, scheduler=None):
        info = {"id": "local", "type": "EKS", "info": {"eksInfo": {"namespace": namespace}}}
        body = {"name": name, "containerProvider": info, "clientToken": name, **({"schedulerConfiguration": scheduler} if scheduler else {})}
        return "/virtualclusters/" + self.call("POST", "/virtualclusters", json.dumps(body).encode())["id"]

    def all_of(self, requests):
        """Sends (method, path, body) in order over some connections, and gives back the answers."""
        local = threading.local()
        def one(request):
            method, path, body = request
            for attempt in (1, 2):
                if not getattr(local, "connection", None):
                    local.connection = socket.create_connection(self.host.split(":"), 60)
                local.connection.sendall(self.raw(method, path, body))
                answer = http.client.HTTPResponse(local.connection, method=method)
                try:
                    answer.begin()
                except ConnectionError:
                    local.connection = None # it was closed between two requests
                    continue
                text = answer.read()
                if answer.will_close:
                    local.connection = None
                if answer.status >= 300:
                    raise SystemExit("%s: %s %s: %d %s" % (self.name, method, path, answer.status, text.decode(errors="replace")))
                return json.loads(text)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return list(pool.map(one, requests))

    def fill(self, count):
        """Virtual clusters, templates and job runs, count of them; the middle of their dates."""
        live = [self.create_cluster("bench-%d" % i, n, {"maxConcurrentJobRuns": 20} if i == 3 else None) for i, n in enumerate(NAMESPACES) if i != 3]
        for i in range(TERMINATED):
            path = self.create_cluster("old-%d" % i, NAMESPACES[3] if self.name == "emberd" else "old-%d" % i)
            self.call("DELETE", path)
            wait_for(lambda: self.call("GET", path)["virtualCluster"]["state"] == "TERMINATED", "a virtual cluster to end")
        live.append(self.create_cluster("queue", NAMESPACES[3], {"maxConcurrentJobRuns": 20}))
        if self.name == "emberd":
            data = {"executionRoleArn": ROLE, "releaseLabel": "emr-6.15.0-latest", "jobDriver": {"sparkSubmitJobDriver": DRIVER}}
            self.all_of([("POST", "/jobtemplates", json.dumps({"name": "t-%03d" % i, "clientToken": "t-%03d" % i, "jobTemplateData": data}).encode())
                         for i in range(TEMPLATES)])
        self.path = live[0] + "/jobruns"
        open_ones = self.all_of([("POST", self.path, self.start_body("open-%02d" % i, "etl-%03d" % i, False)) for i in range(30)])
        for one in open_ones[:10]:
            self.call("DELETE", self.path + "/" + one["id"])
        waiting, self.largest = count // 20, count * 8 // 10 # those that wait are in a queue that lets 20 of them go
        runs = [("POST", self.path, self.start_body("a-%05d" % i, "etl-%03d" % (i % NAMES))) for i in range(self.largest - len(open_ones))]
        runs += [("POST", live[1 + i % 2] + "/jobruns", self.start_body("b-%05d" % i, "nightly-%d" % (i % 7) if i % 2 else None))
                 for i in range(count - waiting - self.largest)]
        began = time.monotonic()
        first = self.all_of(runs[:len(runs) // 2])
        self.middle = datetime.datetime.now(datetime.timezone.utc)
        self.all_of(runs[len(runs) // 2:])
        self.all_of([("POST", live[3] + "/jobruns", self.start_body("q-%05d" % i, "late", False)) for i in range(waiting)])
        accepted = time.monotonic() - began
        if self.name == "emberd":
            wait_for(lambda: not self.call("GET", live[1] + "/jobruns?states=PENDING")["jobRuns"] and not self.call("GET", self.path + "?states=PENDING")["jobRuns"],
                     "the engine to look at all runs", 600)
        self.rest()
        return {"runs": count, "acceptedS": round(accepted, 1), "workedOffS": round(time.monotonic() - began, 1)}

    def timed(self, path):
        """One GET on a connection that is there: milliseconds, the answer."""
        request = self.raw("GET", path)
        with socket.create_connection(self.host.split(":"), 60) as connection:
            began = time.perf_counter()
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            text = answer.read()
            took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise SystemExit("%s: %s: %d %s" % (self.name, path, answer.status, text.decode(errors="replace")))
        return took, json.loads(text)

    def walk(self, runs):
        """The path of the page after so many job runs."""
        path, seen = self.path, 0
        while seen < runs:
            _, page = self.timed(path)
            seen += len(page["jobRuns"])
            path = self.path + "?nextToken=" + urllib.parse.quote(page["nextToken"], safe="")
        return path

    def lists(self):
        """What to ask: (operation, question, path, whether moto knows it)."""
        when = urllib.parse.quote(self.middle.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), safe="")
        deep = self.walk(self.largest * 95 // 100 - 50)
        runs = [("first page", "", True), ("states=FAILED", "?states=FAILED", False), ("states=SUBMITTED: the oldest 20", "?states=SUBMITTED", False),
                ("states=CANCELLED, RUNNING, PENDING", "?states=CANCELLED&states=PENDING&states=RUNNING", False), ("states=RUNNING: none", "?states=RUNNING", False),
                ("name: one of %d" % NAMES, "?name=etl-150", True), ("name: none", "?name=unknown", True),
                ("name and states=SUBMITTED", "?name=etl-020&states=SUBMITTED", False), ("createdAfter: half of them", "?createdAfter=" + when, False),
                ("createdBefore: half of them", "?createdBefore=" + when, False), ("createdBefore, states=SUBMITTED", "?createdBefore=%s&states=SUBMITTED" % when, False)]
        asked = [("ListJobRuns", words, self.path + query, known) for words, query, known in runs] + [("ListJobRuns", "page after 95 % of them", deep, True)]
        asked += [("ListVirtualClusters", words, "/virtualclusters" + query, known) for words, query, known in
                  [("first page", "", True), ("states=RUNNING", "?states=RUNNING", False), ("createdBefore", "?createdBefore=" + when, False)]]
        return asked + [("ListJobTemplates", words, "/jobtemplates" + query, False) for words, query in [("first page", ""), ("createdBefore", "?createdBefore=" + when)]]

    def measure_lists(self, rounds):
        """Round for round each question once, so that all see the same machine."""
        asked = [a for a in self.lists() if a[3] or self.name == "emberd"]
        took = [[] for _ in asked]
        for _ in range(rounds):
            for number, (_, _, path, _) in enumerate(asked):
                took[number].append(self.timed(path))
        rows = []
        for (operation, words, _, _), times in zip(asked, took):
            ms = sorted(t for t, _ in times)
            page = times[0][1]
            rows.append({"operation": operation, "question": words, "answers": len(next(v for v in page.values() if isinstance(v, list))),
                         "p50Ms": round(statistics.median(ms), 3), "p99Ms": round(ms[min(len(ms) - 1, len(ms) * 99 // 100)], 3), "requests": len(ms)})
        return rows


def starts(ember, times):
    """Stops and starts emberd: seconds from its start until it says that it is ready, and its memory then and at rest."""
    seconds, cpu, memory = [], [], []
    for _ in range(times):
        ember.stop()
        began = time.monotonic()
        ember.start()
        wait_for(lambda: ember.healthy(), "emberd to be ready")
        seconds.append(time.monotonic() - began)
        target = Target("emberd", ember.endpoint, ember.pid, ember.key_id, ember.secret)
        target.rest()
        cpu.append(cpu_s(ember.pid))
        memory.append(memory_mib(ember.pid))
    return {"times": times, "seconds": spread(seconds, 3), "cpuS": spread(cpu, 2), "rss": spread([m["rss"] for m in memory]), "pss": spread([m["pss"] for m in memory])}


def size_mib(path):
    return round(sum(f.stat().st_size for f in pathlib.Path(path).glob("ember.db*")) / 2**20, 1)
