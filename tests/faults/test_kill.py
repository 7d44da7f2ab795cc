"""kill -9 of emberd at every step of a run: it ends once, in the right state, with its logs, and nothing is left.

strace kills the daemon at its K-th call of a kind: of one thread: fdatasync (each durable step), pwrite64 (each page of a
database), rename, unlinkat, openat (files), connect, sendto, recvfrom (requests of the daemon to a cluster or to itself, and its answers),
clone3 (each thread or process that is started)."""
import subprocess, time, uuid

import botocore.exceptions
import pytest

from ember import wait_for
from jobs import NAMESPACE

POINTS = [("fdatasync", k) for k in range(1, 9)] + [("pwrite64", k) for k in (1, 3, 6, 9, 12, 16, 20, 26, 32, 40)] + \
         [("openat", k) for k in (1, 2, 4, 7, 11, 16)] + [("sendto", k) for k in (1, 2, 3, 5, 8)] + [("connect", k) for k in (1, 2, 3)] + \
         [("rename", k) for k in (1, 2, 3)] + [("clone3", k) for k in (1, 2)] + [("recvfrom", k) for k in (1, 3, 6)] + [("fsync", 1), ("unlinkat", 1)]
reached = []


@pytest.fixture(autouse=True)
def needs_strace():
    if subprocess.run(["which", "strace"], stdout=subprocess.DEVNULL).returncode:
        pytest.fail("strace is not installed: run make setup")


class Killer:
    """strace attached to all threads of emberd; ends with it."""

    def __init__(self, pid, call, number):
        self.process = subprocess.Popen(["strace", "-f", "-qq", "-p", str(pid), "-e", "trace=" + call, "-e", "signal=none",
                                         "-e", "inject=%s:signal=KILL:when=%d" % (call, number), "-o", "/dev/null"],
                                        stderr=subprocess.PIPE, text=True)
        wait_for(lambda: self.process.poll() is not None or field(pid, "TracerPid") != "0" or is_ending(pid), "strace to be attached")
        # emberd does things of its own: one of them may be the call that kills it, and strace ends with it
        assert self.process.poll() is None or is_ending(pid), self.process.stderr.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()


def field(pid, name):
    """Of /proc/PID/status; of a child of ours it is there until somebody has waited for the child."""
    return open("/proc/%d/status" % pid).read().split(name + ":\t")[1].split("\n")[0]


def is_ending(pid):
    """Killed, though some of its threads may not have heard of it yet."""
    return field(pid, "State")[0] in "ZX" or (int(field(pid, "ShdPnd"), 16) | int(field(pid, "SigPnd"), 16)) >> 8 & 1


def is_dead(ember):
    """Or about to be: then it is waited for."""
    if ember.process.poll() is None and is_ending(ember.process.pid):
        ember.process.wait(120)
    return ember.process.poll() is not None


def submit_until_answered(ember, token, killed):
    """One wish, however often it has to be told."""
    request = ember.request("lines=20", "sleep=0.3", "out=end", clientToken=token)
    while True:
        try:
            return ember.emr.start_job_run(**request)["id"]
        except botocore.exceptions.BotoCoreError: # no answer
            revive(ember, killed)


def revive(ember, killed):
    wait_for(lambda: ember.process.poll() is not None, "emberd to have died")
    killed.append(True)
    ember.start()


@pytest.mark.parametrize("call,number", POINTS, ids=lambda v: str(v).split(",")[0])
def test_a_run_survives_a_kill(ember, call, number):
    killed, token = [], str(uuid.uuid4())
    killer = Killer(ember.process.pid, call, number)
    try:
        run = submit_until_answered(ember, token, killed)
        deadline = time.monotonic() + 300
        while True:
            assert time.monotonic() < deadline, ember.log_path.read_text()[-3000:]
            if ember.process.poll() is not None:
                revive(ember, killed)
            try:
                if ember.describe(run)["state"] in ("COMPLETED", "FAILED", "CANCELLED"):
                    break
            except botocore.exceptions.BotoCoreError: # no answer: it has just been killed
                pass
            time.sleep(0.05)
        for _ in range(2): # the clean-up may be the step that is hit
            try:
                ember.wait_reaped(run)
                break
            except AssertionError as problem:
                try:
                    ember.process.wait(5) # kubectl may have met its end before we do
                except subprocess.TimeoutExpired:
                    raise problem
                revive(ember, killed)
    finally:
        killer.stop()
        if is_dead(ember):
            revive(ember, killed)
    if killed:
        reached.append((call, number))
    final = ember.describe(run)
    assert final["state"] == "COMPLETED", final
    lines = ["line %d" % i for i in range(20)] + ["end"]
    assert ember.s3_log(run).splitlines() == lines
    assert ember.cloudwatch_log(run) == lines # once, in order
    assert [r["id"] for r in ember.emr.list_job_runs(virtualClusterId=ember.virtual_cluster)["jobRuns"] if r.get("clientToken") == token] == [run]


def test_at_least_thirty_points_were_hit():
    assert len(reached) >= 30, reached
