"""Owners that change."""
from conftest import wait_for

MAPS = "/api/v1/namespaces/default/configmaps"


def test_what_is_given_an_owner_that_is_no_more_goes(cluster):
    owner = cluster.call("POST", MAPS, body={"metadata": {"name": "owner"}})["body"]["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    for name in ("kept", "given"):
        assert cluster.call("POST", MAPS, body={"metadata": {"name": name, "ownerReferences": [reference]}})["status"] == 201
    gone = {**reference, "uid": "00000000-0000-4000-8000-000000000000"}
    answer = cluster.call("PATCH", MAPS + "/given", headers={"Content-Type": "application/merge-patch+json"}, body={"metadata": {"ownerReferences": [gone]}})
    assert answer["status"] == 200
    wait_for(lambda: cluster.call("GET", MAPS + "/given")["status"] == 404, "what has no owner to be gone", 120)
    assert cluster.call("GET", MAPS + "/kept")["status"] == 200
    assert cluster.call("DELETE", MAPS + "/owner")["status"] == 200
    wait_for(lambda: cluster.call("GET", MAPS + "/kept")["status"] == 404, "what has lost its owner to be gone", 120)
