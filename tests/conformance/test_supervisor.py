"""ember-run by itself: what the kubelet relies on, also when either of them is slow or ends."""
import fcntl, json, subprocess

from conftest import BUILD, wait_for


def start(directory, script="sleep 600"):
    container = {"name": "c", "init": False, "command": ["sh", "-c", script], "args": [], "env": [], "mounts": [], "tmpfs": [], "image": {"kind": "host"}}
    run = {"version": 1, "podUid": directory.name, "namespace": "default", "podName": "p", "hostname": "p", "podIp": "127.0.0.1",
           "restartPolicy": "Never", "containers": [container]}
    (directory / "run.json").write_text(json.dumps(run))
    with open(directory / "words", "w") as words:  # what runs on keeps it
        return subprocess.run([BUILD / "ember-run", "--detach", directory], stdout=words, stderr=words, timeout=120).returncode


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
    (tmp_path / "stop").write_text("0\n")
    wait_for(lambda: not is_held(tmp_path), "the pod to end", 120)
    assert held
    assert json.loads((tmp_path / "status.json").read_text())["done"]


def test_a_pod_has_one_supervisor(tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert start(tmp_path) == 1
    assert "another ember-run has " + str(tmp_path) in (tmp_path / "words").read_text()
    assert not (tmp_path / "status.json").exists()
