"""ember-run alone, with a run.json written by hand: what a pod's processes may see and do, and what becomes of them.
EMBER_RUN names the program (else build/ember-run). As root all tests run; as an ordinary user those about users are skipped."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EMBER_RUN = os.environ.get("EMBER_RUN", str(ROOT / "build" / "ember-run"))
RUN_UID = 1900000002
pytestmark = [
    pytest.mark.skipif(not os.path.exists(EMBER_RUN), reason="ember-run is not built"),
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a run a user of its own")


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain for " + condition.__name__)


class Pod:
    def __init__(self, directory):
        self.dir = directory
        self.process = None

    def start(self, *containers, **more):
        spec = {"version": 1, "podUid": "uid-1", "namespace": "ns", "podName": "pod", "hostname": "pod-host", "podIp": "127.99.0.2",
                "graceSeconds": 30, "restartPolicy": "Never", "containers": list(containers), **more}
        if os.getuid() == 0:
            spec["runUid"] = RUN_UID
        (self.dir / "run.json").write_text(json.dumps(spec))
        self.process = subprocess.Popen([EMBER_RUN, str(self.dir)], stderr=subprocess.PIPE)
        return self

    def run(self, *containers, **more):
        self.start(*containers, **more)
        assert self.process.wait(180) == 0, self.process.stderr.read()
        return self.status()

    def status(self):
        try:
            return json.loads((self.dir / "status.json").read_text())
        except FileNotFoundError:
            return {"containers": []}

    def state(self, index=0):
        containers = self.status()["containers"]
        return containers[index]["state"] if containers else {"kind": "none"}

    def running(self, index=0):
        return wait_for(lambda: self.state(index)["kind"] == "running" and self.state(index))

    def log(self, container="c", attempt=0, stream=None):
        out = []
        for line in (self.dir / "containers" / container / f"{attempt}.log").read_text().splitlines():
            _, name, tag, text = line.split(" ", 3)
            if stream in (None, name):
                out.append(text + ("\n" if tag == "F" else ""))
        return "".join(out)

    def stop(self, grace):
        (self.dir / "stop.new").write_text(f"{grace}\n")
        os.rename(self.dir / "stop.new", self.dir / "stop")


@pytest.fixture
def pod(tmp_path):
    pod = Pod(tmp_path)
    os.chmod(tmp_path, 0o700)
    yield pod
    if pod.process and pod.process.poll() is None:
        pod.process.kill()
        pod.process.wait()


def container(command, name="c", **more):
    command = ["/bin/sh", "-c", command] if isinstance(command, str) else command
    return {"name": name, "init": False, "command": command, "args": [], "env": [], "image": {"kind": "host"}, "mounts": [], "tmpfs": [], **more}


@pytest.mark.parametrize("command, code, reason, phase", [
    ("exit 0", 0, "Completed", "Succeeded"),
    ("exit 7", 7, "Error", "Failed"),
    ("kill -9 $$", 137, "Error", "Failed"),
    ("kill -TERM $$; sleep 60", 143, "Error", "Failed"),
    (["/nonexistent"], 128, "StartError", "Failed"),
    (["no-such-program"], 128, "StartError", "Failed"),
])
def test_exit_codes(pod, command, code, reason, phase):
    status = pod.run(container(command))
    state = status["containers"][0]["state"]
    assert (state["kind"], state["exitCode"], state["reason"], status["phase"]) == ("terminated", code, reason, phase)
    assert status["done"]


def test_a_start_error_names_the_program(pod):
    message = pod.run(container(["no-such-program"]))["containers"][0]["state"]["message"]
    assert 'exec: "no-such-program": executable file not found in $PATH' in message


def test_both_streams_are_logged_with_times(pod):
    pod.run(container("echo out; echo err >&2; printf tail"))
    assert pod.log(stream="stdout") == "out\ntail"
    assert pod.log(stream="stderr") == "err\n"
    assert (pod.dir / "containers/c/0.log").read_text()[:4].isdigit()


def test_much_output_is_whole(pod):
    pod.run(container("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"))
    assert pod.log().split() == [str(i) for i in range(20000)]


def test_the_sandbox_hides_the_machine(pod):
    secret = pod.dir / "secret"
    secret.write_text("x")
    pod.run(container(f"cat {secret}; ls {pod.dir}; ls /root /home; ls /proc | grep -c '^[0-9]'; hostname; cat /etc/shadow; touch /usr/x; kill -9 {os.getpid()}"))
    out = pod.log(stream="stdout").split("\n")
    assert out[:3] == ["/home:", "hadoop", "4"] or int(out[2]) <= 5  # init, sh, ls, grep
    assert "pod-host" in out
    errors = pod.log(stream="stderr")
    for word in (str(secret), "/root", "/etc/shadow", "Read-only file system"):
        assert word in errors
    os.kill(os.getpid(), 0)


@as_root
def test_a_run_has_a_user_of_its_own_and_no_rights(pod):
    pod.run(container("id -u; id -g; id -G; whoami; grep -E 'CapPrm|CapEff|NoNewPrivs' /proc/self/status; touch /tmp/mine && echo tmp; touch /x && echo root"))
    out = pod.log().split()
    assert out[:4] == [str(RUN_UID)] * 3 + ["hadoop"]
    assert "0000000000000000" in out and "tmp" in out and "root" not in out


@as_root
def test_what_a_pod_puts_into_its_environment_reaches_no_program_with_rights(pod):
    evil = pod.dir / "evil.so"
    evil.write_text("not a library")
    pod.run(container("env", env=[["LD_PRELOAD", str(evil)], ["PATH", "/usr/bin:/bin"]]))
    errors = pod.log(stream="stderr")
    assert "bwrap" not in errors and "ember-run" not in errors


def test_two_pods_do_not_see_each_others_processes(pod, tmp_path_factory):
    other = Pod(tmp_path_factory.mktemp("other")).start(container("sleep 600"))
    try:
        other.running()
        pod.run(container("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"))
        assert "sleep 600" not in pod.log()
    finally:
        other.stop(0)
        other.process.wait(120)


def test_no_inotify_instance_is_taken(pod):
    """A user may have 128 of them: that many pods would be all there can be, and leave none to anybody else."""
    pod.start(container("sleep 600"))
    pod.running()
    links = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pod.process.pid}/fd").iterdir()]
    assert str(pod.dir) in links and "anon_inode:inotify" not in links, links
    pod.stop(0)
    assert pod.process.wait(120) == 0


def test_a_pod_that_takes_its_time_to_stop_costs_nothing_meanwhile(pod):
    """Its status is written for the request, and not again because it was written."""
    pod.start(container("trap 'sleep 3; exit 3' TERM; while :; do sleep 0.1; done"))
    pod.running()
    pod.stop(600)
    _, status, usage = os.wait4(pod.process.pid, 0)
    pod.process.returncode = os.waitstatus_to_exitcode(status)
    assert (pod.process.returncode, pod.state()["exitCode"]) == (0, 3)
    assert usage.ru_oublock < 2000 # blocks of 512 bytes; it was some 5,000 a second


def test_stop_sends_term_and_waits(pod):
    pod.start(container("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"))
    wait_for(lambda: pod.running() and "up" in pod.log())
    pod.stop(20)
    assert pod.process.wait(120) == 0
    assert pod.state()["exitCode"] == 3
    assert "bye" in pod.log()


def test_after_the_grace_comes_kill(pod):
    pod.start(container("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    wait_for(lambda: pod.running() and "up" in pod.log())
    begin = time.monotonic()
    pod.stop(1)
    assert pod.process.wait(120) == 0
    assert 0.8 < time.monotonic() - begin
    assert pod.state()["exitCode"] == 137


def test_a_shorter_grace_replaces_a_longer_one(pod):
    pod.start(container("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    wait_for(lambda: pod.running() and "up" in pod.log())
    pod.stop(600)
    pod.stop(0)
    assert pod.process.wait(120) == 0


def test_init_containers_run_in_order_and_share_volumes(pod):
    shared = pod.dir / "volumes" / "v"
    shared.mkdir(parents=True)
    os.chmod(shared, 0o777)
    mount = [{"source": str(shared), "target": "/shared", "readOnly": False}]
    status = pod.run(container("echo one >> /shared/x", name="i1", init=True, mounts=mount),
                     container("echo two >> /shared/x", name="i2", init=True, mounts=mount),
                     container("cat /shared/x", mounts=[dict(mount[0], readOnly=True)]))
    assert status["phase"] == "Succeeded"
    assert pod.log() == "one\ntwo\n"


def test_a_failed_init_container_fails_the_pod(pod):
    status = pod.run(container("exit 2", name="i", init=True), container("echo never"))
    assert status["phase"] == "Failed"
    assert status["containers"][1]["state"]["kind"] == "waiting"


def test_several_containers_run_at_once(pod):
    status = pod.run(container("sleep 0.5; exit 0", name="a"), container("exit 1", name="b"))
    assert status["phase"] == "Failed"
    assert [c["state"]["exitCode"] for c in status["containers"]] == [0, 1]


def test_a_deadline_ends_the_pod(pod):
    status = pod.run(container("sleep 60"), activeDeadlineSeconds=1, graceSeconds=1)
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_on_failure_starts_again_after_a_back_off(pod):
    pod.start(container("exit 1"), restartPolicy="OnFailure")
    def backing_off():
        first = (pod.status()["containers"] or [None])[0]
        return first and first["state"].get("reason") == "CrashLoopBackOff" and first
    assert wait_for(backing_off)["lastState"]["exitCode"] == 1
    pod.stop(0)
    assert pod.process.wait(120) == 0


def test_more_memory_than_the_limit_is_out_of_memory(pod):
    code = "x = bytearray(); [x.extend(b'x' * 1000000) for _ in range(1000)]; import time; time.sleep(120)"
    status = pod.run(container(["/usr/bin/python3", "-c", code], memoryLimitBytes=100 * 1024 * 1024))
    state = status["containers"][0]["state"]
    assert (state["exitCode"], state["reason"]) == (137, "OOMKilled")


def test_a_container_that_lost_a_process_for_memory_is_over(pod):
    code = "x = bytearray(); [x.extend(b'x' * 1000000) for _ in range(1000)]; import time; time.sleep(120)"
    status = pod.run(container(["/bin/sh", "-c", "/usr/bin/python3 -c \"$0\"; sleep 600", code], memoryLimitBytes=100 * 1024 * 1024))
    state = status["containers"][0]["state"]
    assert (state["exitCode"], state["reason"]) == (137, "OOMKilled")


def sandbox_processes(marker):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def test_nothing_outlives_a_killed_supervisor(pod):
    marker = b"87654.25%d" % os.getpid()
    pod.start(container("setsid sleep {0} & (trap '' TERM HUP; sleep {0}) & sleep {0}".format(marker.decode())))
    wait_for(lambda: len(sandbox_processes(marker)) >= 3)
    pod.process.send_signal(signal.SIGKILL)
    pod.process.wait()
    wait_for(lambda: not sandbox_processes(marker))


def test_a_background_process_goes_with_its_container(pod):
    marker = b"87654.75%d" % os.getpid()
    pod.run(container("setsid sleep %s & exit 0" % marker.decode()))
    assert not sandbox_processes(marker)


def test_a_second_supervisor_of_the_same_pod_is_refused(pod):
    pod.start(container("sleep 600"))
    pod.running()
    second = subprocess.run([EMBER_RUN, str(pod.dir)], capture_output=True, timeout=120)
    assert second.returncode == 1 and b"another ember-run has" in second.stderr
    pod.stop(0)
    assert pod.process.wait(120) == 0


def test_the_termination_message_is_read(pod):
    status = pod.run(container("echo why > /dev/termination-log; exit 1"))
    assert status["containers"][0]["state"]["message"] == "why\n"


def test_an_entry_point_that_cannot_be_fetched_says_why(pod):
    status = pod.run(container("echo never", env=[["EMBER_ENTRY_POINT_URI", "s3://bucket/dir/job.py"], ["AWS_ENDPOINT_URL", "http://127.0.0.1:1"],
                                                  ["AWS_ACCESS_KEY_ID", "a"], ["AWS_SECRET_ACCESS_KEY", "b"]]))
    assert status["containers"][0]["state"]["exitCode"] == 1
    assert "cannot download s3://bucket/dir/job.py" in pod.log(stream="stderr")


def test_a_mount_source_that_is_a_link_is_refused(pod):
    volume = pod.dir / "volumes" / "v"
    volume.mkdir(parents=True)
    os.symlink("/", volume / "sub")
    status = pod.run(container("ls /m", mounts=[{"source": str(volume / "sub"), "target": "/m", "readOnly": True}]))
    assert status["containers"][0]["state"]["reason"] == "StartError"
