"""ember-run by itself: what the kubelet relies on, also when either of them is slow or ends."""
import fcntl, json, subprocess

from conftest import BUILD, wait_for


PODS = "/api/v1/namespaces/default/pods"


def start(directory, script="sleep 600", **more):
    container = {"name": "c", "init": False, "command": ["sh", "-c", script], "args": [], "env": [], "mounts": [], "tmpfs": [], "image": {"kind": "host"}}
    run = {"version": 1, "podUid": directory.name, "namespace": "default", "podName": "p", "hostname": "p", "podIp": "127.0.0.1",
           "restartPolicy": "Never", "containers": [container], **more}
    (directory / "run.json").write_text(json.dumps(run))
    with open(directory / "words", "w") as words:  # what runs on keeps it
        return subprocess.run([BUILD / "ember-run", "--detach", directory], stdout=words, stderr=words, timeout=120).returncode


def status(directory):
    try:
        return json.loads((directory / "status.json").read_text())
    except FileNotFoundError:
        return {"containers": [{"state": {}}]}


def end(directory):
    (directory / "stop").write_text("0\n")
    wait_for(lambda: not is_held(directory), "the pod to end", 120)
    assert status(directory)["done"]


def is_held(directory):
    with open(directory / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_pod_is_held_as_soon_as_its_start_is_told_done(tmp_path):
    """Whoever finds it free takes the pod for lost, or starts it a second time."""
    assert start(tmp_path) == 0
    held = is_held(tmp_path)
    end(tmp_path)
    assert held


def test_a_pod_has_one_supervisor(tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert start(tmp_path) == 1
    assert "another ember-run has " + str(tmp_path) in (tmp_path / "words").read_text()
    assert not (tmp_path / "status.json").exists()


def test_a_container_that_fails_again_and_again_keeps_two_logs(tmp_path):
    """The first restart is at once, the second after ten seconds."""
    assert start(tmp_path, "echo failed; exit 1", restartPolicy="OnFailure") == 0
    try:
        logs = tmp_path / "containers" / "c"
        wait_for(lambda: status(tmp_path)["containers"][0]["state"].get("reason") == "CrashLoopBackOff", "a back-off", 120)
        assert status(tmp_path)["containers"][0]["restartCount"] >= 1
        assert (logs / "0.log").exists() and (logs / "1.log").exists()
        wait_for(lambda: (logs / "2.log").exists(), "the second restart", 120)
        assert not (logs / "0.log").exists() and (logs / "1.log").exists()
    finally:
        end(tmp_path)


def test_a_termination_message_is_the_end_of_what_was_written(tmp_path):
    assert start(tmp_path, "printf 'x%.0s' $(seq 5000) > /dev/termination-log; printf end >> /dev/termination-log") == 0
    wait_for(lambda: not is_held(tmp_path), "the pod to end", 120)
    assert status(tmp_path)["containers"][0]["state"]["message"] == "x" * 4093 + "end"


def test_a_pod_past_its_deadline_has_failed_when_its_processes_are_gone(cluster):
    cluster.run("late", "trap '' TERM; while :; do sleep 0.1; done", activeDeadlineSeconds=1, terminationGracePeriodSeconds=3)
    late = lambda: cluster.call("GET", PODS + "/late")["body"].get("status", {})
    failed = wait_for(lambda: (lambda now: now.get("phase") == "Failed" and now)(late()), "the pod to fail", 120)
    assert (failed["reason"], failed["message"]) == ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
    assert failed["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137


def test_a_pod_that_is_too_much_is_told_why(cluster):
    def pod(name, containers):
        return cluster.call("POST", PODS, body={"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "containers": containers}})

    def waits(name):
        statuses = (cluster.call("GET", PODS + "/" + name)["body"].get("status") or {}).get("containerStatuses") or [{"state": {}}]
        return statuses[0]["state"].get("waiting", {}).get("message")

    one = {"image": "ember/host", "command": ["true"]}
    assert pod("many", [{"name": "c%d" % i, **one} for i in range(65)])["status"] == 201
    wait_for(lambda: waits("many") == "the pod has 65 containers, more than the 64 that are run here", "a reason", 120)
    config = {"metadata": {"name": "large"}, "data": {"k%d" % i: "x" * 100000 for i in range(10)}}
    assert cluster.call("POST", "/api/v1/namespaces/default/configmaps", body=config)["status"] == 201
    assert pod("large", [{"name": "c%d" % i, "envFrom": [{"configMapRef": {"name": "large"}}], **one} for i in range(5)])["status"] == 201
    wait_for(lambda: waits("large") == "commands and environments of the pod are larger than 4194304 bytes", "a reason", 120)
    refused = pod("prefix", [{"name": "c", "envFrom": [{"prefix": "A=", "configMapRef": {"name": "large"}}], **one}])
    assert refused["status"] == 422
    assert "spec.containers[0].envFrom[0].prefix: Invalid value: \"A=\": a valid environment variable name" in refused["body"]["message"]
    for name in ("many", "large"):
        assert cluster.call("DELETE", PODS + "/" + name, body={"gracePeriodSeconds": 0})["status"] == 200
