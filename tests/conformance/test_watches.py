"""Watches whose past is more than is queued for a client."""
import json

MAPS = "/api/v1/namespaces/default/configmaps"
COUNT, BYTES = 24, 900000  # 16 MiB are queued for a client, not more


def fill(cluster):
    for number in range(COUNT):
        answer = cluster.call("POST", MAPS, body={"metadata": {"name": "large-%02d" % number, "labels": {"l": "large"}}, "data": {"k": "x" * BYTES}})
        assert answer["status"] == 201, answer


def clear(cluster):
    assert cluster.call("DELETE", MAPS + "?labelSelector=l%3Dlarge")["status"] == 200


def watch(cluster, query):
    connection = cluster.server.open()
    connection.timeout = 120
    connection.request("GET", MAPS + "?watch=true&labelSelector=l%3Dlarge&timeoutSeconds=600" + query)
    return connection, connection.getresponse()


def test_all_that_is_there_is_told_however_much_it_is(cluster):
    fill(cluster)
    try:
        for query in ("&allowWatchBookmarks=true", "&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"):
            connection, answer = watch(cluster, query)
            names = []
            while True:
                event = json.loads(answer.readline())
                if event["type"] == "BOOKMARK":
                    break
                assert event["type"] == "ADDED"
                names.append(event["object"]["metadata"]["name"])
            assert names == ["large-%02d" % number for number in range(COUNT)]
            assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            connection.close()
    finally:
        clear(cluster)


def test_what_changes_while_a_client_reads_the_past_comes_after_it(cluster):
    fill(cluster)
    try:
        connection, answer = watch(cluster, "")
        for name in ("large-00", "large-%02d" % (COUNT - 1)):
            patched = cluster.call("PATCH", MAPS + "/" + name, headers={"Content-Type": "application/merge-patch+json"}, body={"data": {"k": "changed"}})
            assert patched["status"] == 200
        assert cluster.call("DELETE", MAPS + "/large-01")["status"] == 200
        events = []
        while not events or events[-1][0] != "DELETED":
            event = json.loads(answer.readline())
            events.append((event["type"], event["object"]["metadata"]["name"], event["object"]["data"]["k"][:7]))
        assert events == [("ADDED", "large-%02d" % number, "x" * 7) for number in range(COUNT)] + [
            ("MODIFIED", "large-00", "changed"), ("MODIFIED", "large-%02d" % (COUNT - 1), "changed"), ("DELETED", "large-01", "x" * 7)]
        connection.close()
    finally:
        clear(cluster)
