"""The requests that drivers of Spark made of Kubernetes, in their order, as plain HTTP against an embedded cluster: each status as it was,
lists where lists are expected. No pod runs: the cluster has no node."""
import json, re, threading

import pytest

from conftest import need_programs, replay, wait_for, BUILD

VERSIONS = ("3.5.9", "4.3.0")
RUNS = ("client", "driver-pod", "dynamic", "lost-executor", "submit-wait")


@pytest.fixture(scope="module")
def server():
    need_programs()
    cluster = replay.Cluster(str(BUILD / "cluster_demo")).start()
    try:
        replay.hold_pods_back(cluster.server)
        yield cluster.server
        cluster.stop()
    finally:
        cluster.remove()


class Play:
    def __init__(self, server, name):
        self.server, self.namespace, self.seen, self.watchers, self.driver = server, name.replace(".", "-"), [], [], None
        self.executor = None
        self.recorded_namespace = name.rsplit(".", 3)[0]

    def call(self, method, path, **kwargs):
        return self.server.call(method, path, **kwargs)["answer"]

    def fill(self, value):
        """The placeholders of a recording; the owner is the driver that is there."""
        text = json.dumps(replay.cases.fixed(value)).replace(self.recorded_namespace + "/", self.namespace + "/")
        text = text.replace('"namespace": "%s"' % self.recorded_namespace, '"namespace": "%s"' % self.namespace)
        return json.loads(re.sub(r"\{uid:\d+\}", self.driver or "", text))

    def prepare(self, requests):
        self.call("POST", "/api/v1/namespaces", body={"metadata": {"name": self.namespace}})
        if any(r["path"].endswith("/pods/cap-driver") for r in requests):
            made = self.call("POST", "/api/v1/namespaces/%s/pods" % self.namespace,
                             body={"metadata": {"name": "cap-driver"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
            self.driver = made["body"]["metadata"]["uid"]

    def watch(self, path, query):
        """As fabric8 does where a WebSocket is refused: an answer that is not 101, then the same as a stream."""
        refused = self.call("GET", path, query=query, headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                                                               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})
        assert refused["status"] == 200 and "body" not in refused, "an empty answer: a client that waits for an upgrade would hang on a stream"
        connection = self.server.open()
        connection.request("GET", path + "?" + replay.capture.urllib.parse.urlencode(query))
        answer = connection.getresponse()
        assert answer.status == 200

        def read():
            for line in answer:
                event = json.loads(line)
                self.seen.append((event["type"], event["object"]["metadata"].get("name")))
        thread = threading.Thread(target=read)
        thread.start()
        self.watchers.append((connection, thread))

    def step(self, request):
        path, query, status = self.fill(request["path"]), self.fill(request.get("query") or {}), request["answer"]["status"]
        if status == 101:
            return self.watch(path, query)
        body = self.fill(request["body"]) if "body" in request else None
        if body and "rest" in body:  # "like the first", of an executor
            self.executor["metadata"].update(body["metadata"])
            body = self.executor
        if request["method"] == "POST" and path.endswith("/pods"):
            self.executor = json.loads(json.dumps(body))
        answer = self.call(request["method"], path, query=query, body=body, ctype=request["headers"].get("Content-Type"))
        assert answer["status"] == status, (request["method"], path, answer)
        got = answer["body"]
        if request["method"] == "POST":
            self.created(path, got)
        if request["method"] in ("GET", "DELETE") and path.split("/")[-2] == self.namespace: # lists, and what a deletecollection deleted
            assert got["kind"].endswith("List"), got
            assert isinstance(got["items"], list)
        if request["method"] == "GET" and "fieldSelector" in query and "phase" not in query["fieldSelector"]:
            assert [i["metadata"]["name"] for i in got["items"]] == [query["fieldSelector"].split("=")[1]]
        if request["method"] == "DELETE" and "labelSelector" in query:
            left = self.call("GET", path, query=query)["body"]["items"]
            assert not left, left

    def created(self, path, got):
        if path.endswith("/pods"):
            listed = self.call("GET", path)["body"]["items"]
            assert got["metadata"]["name"] in [i["metadata"]["name"] for i in listed]
            if got["metadata"]["name"].endswith("-driver"):
                self.driver = got["metadata"]["uid"]

    def close(self):
        self.call("DELETE", "/api/v1/namespaces/%s/pods" % self.namespace, body={"gracePeriodSeconds": 0})
        self.call("DELETE", "/api/v1/namespaces/" + self.namespace)
        for connection, thread in self.watchers:
            connection.sock.shutdown(2)
            thread.join(60)
            connection.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("run", RUNS)
def test_requests_of_a_run_are_answered_as_they_were(server, run, version):
    name = "spark-%s.%s" % (run, version)
    requests = replay.recording(name)["requests"]
    play = Play(server, name)
    try:
        play.prepare(requests)
        for request in requests:
            play.step(request)
        if run == "client": # its watch is of its executors
            posted = [play.fill(r["body"]["metadata"]["name"]) for r in requests if r["method"] == "POST" and r["path"].endswith("/pods")]
            replay_end = lambda kind: {n for t, n in play.seen if t == kind}
            wait_for(lambda: replay_end("ADDED") >= set(posted) and replay_end("DELETED") >= set(posted), "the watch to tell of all executors")
    finally:
        play.close()
