"""What a pod may not do to the machine, whatever it writes into its volumes and asks for in its mounts."""
import fcntl, os, socket, subprocess

import pytest

from conftest import BUILD, wait_for

PODS = "/api/v1/namespaces/default/pods"


def container(name, script, mounts=()):
    return {"name": name, "image": "ember/host", "command": ["sh", "-c", script],
            "volumeMounts": [{"name": volume, "mountPath": path, **more} for volume, path, more in mounts]}


def run(cluster, name, main, first=None, volumes=("v", "w"), **spec):
    """A pod of an init container and a main one; the state in which the main one ended."""
    body = {"metadata": {"name": name}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [main], "initContainers": [first] if first else [],
        "volumes": [volume if isinstance(volume, dict) else {"name": volume, "emptyDir": {}} for volume in volumes], **spec}}
    answer = cluster.call("POST", PODS, body=body)
    assert answer["status"] == 201, answer
    wait_for(lambda: cluster.phase(name) in ("Succeeded", "Failed"), name + " to end", 120)
    status = cluster.call("GET", PODS + "/" + name)["body"]["status"]
    for one in status.get("initContainerStatuses", []):
        assert one["state"]["terminated"]["exitCode"] == 0, status
    return status["containerStatuses"][0]["state"]["terminated"]


def log(cluster, name, which="c"):
    return cluster.call("GET", PODS + "/%s/log?container=%s" % (name, which))["text"]


def libraries():
    """Where this machine's C library is."""
    for line in open("/proc/self/maps"):
        if "/libc.so" in line or "/libc-" in line:
            return os.path.dirname(line.split()[-1])
    pytest.fail("this process has no C library")


@pytest.mark.parametrize("number,path", list(enumerate(["/", "/etc", "/etc/ld.so.preload", "/usr", "/usr/lib", "/lib", "/lib64", libraries(),
                                                   libraries() + "/glibc-hwcaps", "/x/../etc/./ld.so.cache", "/.ember-run"])))
def test_no_volume_covers_what_the_sandbox_is_started_with(cluster, number, path):
    """Its first process has rights that the pod's user has not."""
    end = run(cluster, "cover-%d" % number, container("c", "true", [("v", path, {})]), volumes=("v",))
    assert (end["exitCode"], end["reason"]) == (128, "StartError")
    assert "is not served" in end["message"]


@pytest.mark.parametrize("number,path", list(enumerate(["/opt", "/opt/ember", "/opt/ember/bin"])))
def test_no_program_of_a_pod_is_run_as_another_user(cluster, number, path):
    """Places where the first process has been."""
    program = "/v" + "/opt/ember/bin/ember-run"[len(path):]
    first = container("i", "mkdir -p $(dirname %s); printf '#!/bin/sh\nid -u\n' > %s; chmod 755 %s" % (program, program, program), [("v", "/v", {})])
    end = run(cluster, "program-%d" % number, container("c", "echo own $(id -u)", [("v", path, {})]), first)
    assert end["exitCode"] == 0, end
    assert log(cluster, "program-%d" % number).startswith("own ")


def test_a_mount_path_stays_in_the_sandbox(cluster, tmp_path):
    for number, path in enumerate(["/../oldroot%s/dir/x" % tmp_path, "/a/../../oldroot%s/dir" % tmp_path]):
        end = run(cluster, "dots-%d" % number, container("c", "ls -d /oldroot%s/dir" % tmp_path, [("v", path, {})]))
        assert end["exitCode"] == 0, end
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number,link", list(enumerate(["/oldroot%s", "../../oldroot%s", "%s", "../../../../../../oldroot%s"])))
def test_no_mount_point_is_made_through_a_link(cluster, tmp_path, number, link):
    first = container("i", "ln -s %s /a/link" % (link % tmp_path), [("v", "/a", {})])
    end = run(cluster, "link-%d" % number, container("c", "true", [("v", "/a", {}), ("w", "/a/link/x/y", {})]), first)
    assert (end["reason"], "leads through a link" in end["message"]) == ("StartError", True), end
    end = run(cluster, "read-only-link-%d" % number, container("c", "true", [("v", "/a", {"readOnly": True}), ("w", "/a/link/x", {})]), first)
    assert (end["reason"], "leads through a link" in end["message"]) == ("StartError", True), end
    end = run(cluster, "last-link-%d" % number, container("c", "true", [("v", "/a", {}), ("w", "/a/link", {})]), first)
    assert (end["reason"], "leads through a link" in end["message"]) == ("StartError", True), end
    assert os.listdir(tmp_path) == []


def test_a_mount_point_below_a_volume_is_made_in_it(cluster):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "below"}, "data": {"key": "value"}}
    assert cluster.call("POST", "/api/v1/namespaces/default/configmaps", body=config)["status"] == 201
    volumes = ("v", "w", {"name": "config", "configMap": {"name": "below"}}, {"name": "memory", "emptyDir": {"medium": "Memory"}})
    mounts = [("w", "/a/b/c", {}), ("v", "/a", {}), ("config", "/a/config", {}), ("config", "/a/file", {"subPath": "key"}), ("memory", "/a//memory/", {}),
              ("v", "/sub", {"subPath": "x/y"})]
    script = "echo x > /a/b/c/f && cat /a/config/key /a/file && echo && stat -f -c %T /a/memory && echo in > /sub/f && cat /a/x/y/f"
    end = run(cluster, "below", container("c", script, mounts), volumes=volumes)
    assert end["exitCode"] == 0, (end, log(cluster, "below"))
    assert log(cluster, "below") == "valuevalue\ntmpfs\nin\n"


def test_the_copy_of_a_log_is_written_through_no_link(cluster, tmp_path):
    os.mkdir(tmp_path / "there")
    first = container("i", "rmdir /v/l/there /v/l && ln -s %s /v/l" % tmp_path, [("v", "/v", {})])
    main = {**container("spark-kubernetes-driver", "true", [("v", "/var/log/spark/user", {"subPath": "l/there"})])}
    end = run(cluster, "copy", main, first)
    assert (end["reason"], "leads out of its volume" in end["message"]) == ("StartError", True), end
    assert os.listdir(tmp_path / "there") == []


def test_a_sub_path_that_changed_while_it_was_mounted_is_not_started(tmp_path):
    """The first process looks at what was mounted: a container that runs beside may rename what the supervisor had looked at."""
    def started(inode):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        plan = os.memfd_create("plan")
        device = os.stat(tmp_path).st_dev
        os.write(plan, b"".join(os.fsencode(text) + b"\0" for text in
                                ("-", "/", "-", "1", str(tmp_path), "%d %d" % (device, inode), "2", "sh", "-c" + "exit 7", "PATH=/usr/bin:/bin")))
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in (theirs.fileno(), plan)]
        process = subprocess.Popen(["bash", "-c", 'exec "$0" --init 3<&%d 4<&%d %d<&- %d<&-' % (*high, *high), str(BUILD / "ember-run")], pass_fds=high)
        for fd in (*high, plan):
            os.close(fd)
        theirs.close()
        ours.settimeout(60)
        word = ours.recv(600).decode()
        process.wait(60)
        ours.close()
        return word

    inode = os.stat(tmp_path).st_ino
    assert started(inode) == "S"
    assert started(inode + 1).startswith("E a subPath was changed while it was mounted")
