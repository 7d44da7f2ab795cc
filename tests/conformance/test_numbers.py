"""Numbers of any size in what is asked for: a time stays a time, and nobody else waits."""
import calendar, json, time

import pytest

from conftest import wait_for

PODS = "/api/v1/namespaces/default/pods"
HUGE = 2 ** 63 - 1


def unbound(name, **spec):
    """A pod that no kubelet starts."""
    return {"metadata": {"name": name}, "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "ember/host"}], **spec}}


def patch(cluster, name, body):
    return cluster.call("PATCH", PODS + "/" + name, headers={"Content-Type": "application/merge-patch+json"}, body=body)


@pytest.mark.parametrize("name,own,asked", [("own", HUGE, None), ("asked", 1, HUGE), ("days", 1, 100000)])
def test_a_long_grace_is_a_long_grace(cluster, name, own, asked):
    """The finalizer keeps the pod so that its end can be read."""
    body = {"metadata": {"name": name, "finalizers": ["example.com/kept"]}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": own,
        "containers": [{"name": "c", "image": "ember/host", "command": ["sh", "-c", "trap 'sleep 3; exit 7' TERM; echo ready; while :; do sleep 0.1; done"]}]}}
    assert cluster.call("POST", PODS, body=body)["status"] == 201
    try:
        wait_for(lambda: cluster.call("GET", PODS + "/" + name + "/log").get("text") == "ready\n", name + " to be ready", 120)
        answer = cluster.call("DELETE", PODS + "/" + name, body={} if asked is None else {"gracePeriodSeconds": asked})
        assert answer["status"] == 200
        assert answer["body"]["metadata"]["deletionGracePeriodSeconds"] == (asked or own)
        assert answer["body"]["metadata"]["deletionTimestamp"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        wait_for(lambda: cluster.phase(name) in ("Succeeded", "Failed"), name + " to end", 120)
        status = cluster.call("GET", PODS + "/" + name)["body"]["status"]
        assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 7
    finally:
        cluster.call("DELETE", PODS + "/" + name, body={"gracePeriodSeconds": 0})
        patch(cluster, name, {"metadata": {"finalizers": None}})
    wait_for(lambda: cluster.call("GET", PODS + "/" + name)["status"] == 404, name + " to be gone", 120)


def test_a_shorter_grace_counts_from_the_first_deletion(cluster):
    assert cluster.call("POST", PODS, body={**unbound("shorter"), "spec": {**unbound("shorter")["spec"], "nodeName": "nowhere"}})["status"] == 201
    first = cluster.call("DELETE", PODS + "/shorter", body={"gracePeriodSeconds": HUGE})["body"]["metadata"]
    second = cluster.call("DELETE", PODS + "/shorter", body={"gracePeriodSeconds": 50})["body"]["metadata"]
    assert first["deletionTimestamp"][:2] == "21" and second["deletionGracePeriodSeconds"] == 50
    seconds = [calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) for text in (second["deletionTimestamp"], first["deletionTimestamp"])]
    assert seconds[1] - seconds[0] == 100 * 365 * 86400 - 50
    assert cluster.call("DELETE", PODS + "/shorter", body={"gracePeriodSeconds": 0})["status"] == 200


def test_a_watch_may_ask_for_all_the_time_there_is(cluster):
    version = cluster.call("GET", PODS)["body"]["metadata"]["resourceVersion"]
    watch = cluster.server.open()
    watch.timeout = 120
    watch.request("GET", PODS + "?watch=true&fieldSelector=metadata.name=late&resourceVersion=%s&timeoutSeconds=%d" % (version, HUGE))
    answer = watch.getresponse()
    assert cluster.call("POST", PODS, body=unbound("late"))["status"] == 201
    event = json.loads(answer.readline())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "late")
    watch.close()
    assert cluster.call("DELETE", PODS + "/late", body={"gracePeriodSeconds": 0})["status"] == 200


def test_a_token_lives_for_2_to_the_32_seconds_at_most(cluster):
    for seconds, status in ((2 ** 32, 201), (2 ** 32 + 1, 422), (HUGE, 422)):
        body = unbound("token", volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": seconds}}]}}])
        answer = cluster.call("POST", PODS + "?dryRun=All", body=body)
        assert answer["status"] == status, answer
        assert status == 201 or "may not specify a duration larger than 2^32 seconds" in answer["body"]["message"]


def test_thousands_of_tolerations_are_compared_at_once(cluster):
    """Each with each would be some hundred million comparisons in the thread that writes."""
    tolerations = [{"key": "k%d" % i, "operator": "Exists"} for i in range(20000)]
    assert cluster.call("POST", PODS, body=unbound("tolerant", tolerations=tolerations))["status"] == 201
    answer = patch(cluster, "tolerant", {"metadata": {"labels": {"a": "b"}}})
    assert answer["status"] == 200
    stored = answer["body"]["spec"]["tolerations"]
    assert patch(cluster, "tolerant", {"spec": {"tolerations": stored[::-1] + [{"key": "new", "operator": "Exists"}]}})["status"] == 200
    answer = patch(cluster, "tolerant", {"spec": {"tolerations": stored[1:]}})
    assert answer["status"] == 422
    assert "existing toleration can not be modified except its tolerationSeconds" in answer["body"]["message"]
    assert cluster.call("DELETE", PODS + "/tolerant", body={"gracePeriodSeconds": 0})["status"] == 200
