"""Embedded clusters that run pods, for tests beside the recordings."""
import os, pathlib, signal, subprocess, sys, time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).parent / "kubernetes"))
import replay  # noqa: E402

BUILD = pathlib.Path(os.environ.get("EMBER_BUILD") or ROOT / "build")
KUBECTL = ROOT / ".deps/bin/kubectl"


def wait_for(condition, what, timeout_s=120.0):
    """Looks until condition() is true and returns what it gave."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited %.0f s for %s" % (timeout_s, what)
        time.sleep(0.02)


# Each go_on() is a signal that ends one pause. The first word of a log must have been seen before: by then the signal is caught.
PAUSES = "told=0; at=0; trap 'told=$((told + 1))' USR1; pause() { at=$((at + 1)); while [ $told -lt $at ]; do sleep 0.05; done; }; : %s; "


def command_lines():
    """Of all processes: (pid, arguments)."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), (entry / "cmdline").read_bytes()
            except OSError:
                pass


class PodCluster(replay.Cluster):
    """One that runs pods: cluster_demo with ember-run."""

    def __init__(self, directory=None):
        super().__init__(str(BUILD / "cluster_demo"), "--runner", str(BUILD / "ember-run"), directory=directory)

    def call(self, *args, **kwargs):
        return self.server.call(*args, **kwargs)["answer"]

    def url(self):
        return "https://%s:%d" % (self.server.host, self.server.port)

    def run(self, name, script, **spec):
        """A pod of a shell command."""
        body = {"metadata": {"name": name}, "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1,
                                                     "containers": [{"name": "c", "image": "ember/host", "command": ["sh", "-c", script]}], **spec}}
        answer = self.call("POST", "/api/v1/namespaces/default/pods", body=body)
        assert answer["status"] == 201, answer

    def run_with_pauses(self, name, script, **spec):
        """One whose script says `pause` where it is to wait for go_on()."""
        self.run(name, PAUSES % self.mark(name) + script, **spec)

    def mark(self, name):
        return "%s-%s" % (os.path.basename(self.directory), name)

    def go_on(self, name):
        """Ends the pause that the pod is in, or comes to next."""
        words = (": %s;" % self.mark(name)).encode()
        found = [pid for pid, line in command_lines() if line.startswith(b"sh\0-c\0") and words in line]
        assert found, "no process of %s" % name
        for pid in found:
            os.kill(pid, signal.SIGUSR1)

    def phase(self, name):
        return (self.call("GET", "/api/v1/namespaces/default/pods/" + name)["body"].get("status") or {}).get("phase")

    def wait_phase(self, name, *phases):
        return wait_for(lambda: self.phase(name) in phases and self.phase(name), "%s to be %s" % (name, phases))

    def kubectl(self, *args, ok=True, **kwargs):
        done = subprocess.run([KUBECTL, "--kubeconfig", self.kubeconfig, "--cache-dir", os.path.join(self.directory, "cache"), *args],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180, **kwargs)
        assert not ok or done.returncode == 0, done.stderr
        return done

    def clear(self):
        """No pod is left, and no process of one."""
        self.call("DELETE", "/api/v1/namespaces/default/pods", body={"gracePeriodSeconds": 0})
        wait_for(lambda: not self.call("GET", "/api/v1/namespaces/default/pods")["body"]["items"], "pods to be gone")
        wait_for(lambda: not self.processes(), "processes to be gone")

    def processes(self):
        """Of its pods: those that name its directory."""
        others = (os.getpid(), self.process.pid if self.process else 0)
        return [line for pid, line in command_lines() if pid not in others and self.directory.encode() in line]

    def remove(self):
        if not self.process:
            try:
                self.start()  # for its pods
            except RuntimeError:
                pass
        if self.process:
            try:
                self.clear()
            finally:
                self.kill()
                self.process = None
        super().remove()


def need_programs():
    for program in (BUILD / "cluster_demo", BUILD / "ember-run", KUBECTL):
        if not program.exists():
            pytest.fail("there is no %s: run make setup and make build" % program)


@pytest.fixture(scope="module")
def cluster():
    need_programs()
    made = PodCluster()
    try:
        yield made.start()
        made.clear()
        made.stop()
    finally:
        made.remove()


@pytest.fixture
def own_cluster():
    need_programs()
    made = PodCluster()
    try:
        yield made.start()
    finally:
        made.remove()
