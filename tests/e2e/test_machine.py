"""A machine that lacks something: one sentence that says what to do, and what does work goes on working."""
import ctypes, os, pathlib, pwd, shutil, subprocess, tempfile, threading

import pytest

import ember
from ember import EMBER, EMBERD, ROOT, wait_for
from jobs import JobEmber

CLONE_NEWUSER = 0x10000000
NOBODY = pwd.getpwnam("nobody")


def words(done):
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


def is_child(pid):
    try:
        return int(pathlib.Path("/proc/%s/stat" % pid).read_text().rsplit(")", 1)[1].split()[1]) == os.getpid()
    except (OSError, IndexError):
        return False


def doctor(**env):
    return subprocess.run([EMBER, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180, env={**os.environ, **env})


@pytest.fixture
def make():
    """Makes a JobEmber; what a failed test left running is ended."""
    made = []
    yield lambda *args, **kwargs: made.append(JobEmber(*args, **kwargs)) or made[-1]
    for daemon in made:
        if daemon.process:
            daemon.kill()


@pytest.fixture
def bare_path(tmp_path):
    """A PATH with a shell's usual programs, but neither Java nor bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "id", "sleep", "cat", "env"):
        (folder / name).symlink_to(shutil.which(name))
    return str(folder)


def test_without_java_and_bwrap_it_starts_and_says_so(make, bare_path, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        daemon = make(folder)
        monkeypatch.setenv("PATH", bare_path)
        monkeypatch.delenv("JAVA_HOME", raising=False)
        daemon.start()
        monkeypatch.undo()
        notes = wait_for(lambda: [line for line in daemon.out_path.read_text().splitlines() if line.startswith("Note: ")], "the notes")
        assert len(notes) == 2 and "openjdk-17" in notes[0] and "bubblewrap" in notes[1], notes
        daemon.client("s3").create_bucket(Bucket="all-but-jobs")
        daemon.stop()
        daemon.check_nothing_left()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts over bwrap")
def test_a_run_without_bwrap_says_so(make, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        wrapper = pathlib.Path(folder) / "emberd"
        wrapper.write_text("#!/bin/sh\nexec unshare --mount sh -c 'mount --bind /dev/null %s && exec \"$@\"' sh %s \"$@\"\n"
                           % (os.path.realpath(shutil.which("bwrap")), EMBERD))
        wrapper.chmod(0o755)
        monkeypatch.setattr(ember, "EMBERD", wrapper)
        daemon = make(folder).start().prepare()
        failed = daemon.wait_state(daemon.submit("out=never"), "FAILED")
        assert "bwrap" in failed["stateDetails"] or "bubblewrap" in failed["stateDetails"], failed
        daemon.stop()
        daemon.check_nothing_left()


def test_without_a_spark_the_run_says_so(make):
    with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
        empty = pathlib.Path(folder) / "none"
        empty.mkdir()
        os.chmod(folder, 0o755)
        daemon = make(folder, spark_dir=empty).start()
        wait_for(lambda: "No Spark is installed here: run make setup" in daemon.out_path.read_text(), "the note")
        daemon.prepare()
        failed = daemon.wait_state(daemon.submit("out=never"), "FAILED")
        assert "Spark" in failed["stateDetails"] and failed["failureReason"], failed
        daemon.stop()
        daemon.check_nothing_left()


def test_doctor_names_every_gap(bare_path, tmp_path):
    done = doctor(PATH=bare_path, JAVA_HOME="", EMBER_SPARK_DIR=str(tmp_path), EMBER_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    missing = [line for line in done.stdout.splitlines() if line.startswith("fail")]
    for word in ("openjdk-17", "bubblewrap", "make setup"):
        assert any(word in line for line in missing), done.stdout
    assert len(done.stderr.splitlines()) == 1 and "%d of these" % len(missing) in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
class TestOrdinaryUser:
    def run(self, *command, **kwargs):
        return subprocess.run(command, user=NOBODY.pw_uid, group=NOBODY.pw_gid, extra_groups=[], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=180, **kwargs)

    @pytest.fixture
    def programs(self):
        """Where anybody may read them."""
        with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
            os.chmod(folder, 0o755)
            for path in (EMBER, EMBERD):
                shutil.copy(path, folder)
            yield pathlib.Path(folder)

    def test_a_data_directory_that_cannot_be_written_is_told(self, programs):
        with tempfile.TemporaryDirectory() as closed:
            os.chmod(closed, 0o755)
            for path in (closed, closed + "/below"):
                done = self.run(programs / "emberd", "--data-dir", path, "--listen", "127.0.0.1:0")
                assert done.returncode == 1 and len(words(done)) == 1, done.stderr
                assert path in words(done)[0] and "Permission denied" in words(done)[0] and "--data-dir" in words(done)[0]

    def test_without_user_namespaces_doctor_says_what_to_set(self, programs):
        """In a user namespace of its own, whose limit holds for it alone; only its parent may map its users."""
        ready, mapped = os.pipe(), os.pipe()

        def enter():
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
                os._exit(77)
            os.write(ready[1], b"x")
            os.read(mapped[0], 1)
            pathlib.Path("/proc/sys/user/max_user_namespaces").write_text("0")
            os.setgroups([])
            os.setresgid(*[NOBODY.pw_gid] * 3)
            os.setresuid(*[NOBODY.pw_uid] * 3)

        def map_users(child):
            os.read(ready[0], 1)
            for name in ("uid_map", "gid_map"):
                pathlib.Path("/proc/%d/%s" % (child, name)).write_text("0 0 65536")
            os.write(mapped[1], b"x")

        before = set(os.listdir("/proc"))
        mapper = threading.Thread(target=lambda: map_users(wait_for(lambda: [int(p) for p in set(os.listdir("/proc")) - before if p.isdigit() and is_child(p)], "the child")[0]))
        mapper.start()
        done = subprocess.run([programs / "ember", "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=180, cwd="/",
                              preexec_fn=enter, env={**os.environ, "EMBER_DATA_DIR": "/tmp"})
        mapper.join()
        line = [line for line in done.stdout.splitlines() if "user namespaces" in line][0]
        assert line.startswith("fail") and "sysctl" in line, done.stdout

    def test_set_up_without_root_names_the_packages_that_are_missing(self):
        """dpkg-query says that nothing is installed; there is no sudo."""
        with tempfile.TemporaryDirectory(prefix="ember-e2e-") as folder:
            os.chmod(folder, 0o777)
            root, fake = pathlib.Path(folder) / "ember", pathlib.Path(folder) / "bin"
            shutil.copytree(ROOT / "tools", root / "tools")
            shutil.copytree(ROOT / "examples", root / "examples")
            fake.mkdir()
            for name, text in (("dpkg-query", "exit 1"), ("sudo", "exit 1"), ("apt-get", "exit 1")):
                (fake / name).write_text("#!/bin/sh\n%s\n" % text)
                (fake / name).chmod(0o755)
            for path in [root, *root.rglob("*")]:
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
            done = self.run(root / "tools/setup/setup", "debian", env={"PATH": "%s:/usr/bin:/bin" % fake, "HOME": folder})
            last = done.stdout.strip().splitlines()[-1]
            assert done.returncode == 1 and "become root and type: apt-get install -y" in last and "meson" in last and "bubblewrap" in last, done.stdout
