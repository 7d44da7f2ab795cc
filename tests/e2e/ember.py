"""The real emberd as tests drive it: started on a free port with an empty data directory, stopped cleanly, and looked at afterwards
for everything that must not be left: error lines, sanitizer reports, processes, mounts."""
import contextlib, json, os, pathlib, re, signal, subprocess, time

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("EMBER_BUILD") or ROOT / "build")
EMBERD, EMBER = BUILD / "emberd", BUILD / "ember"
AWS, KUBECTL = ROOT / ".deps/bin/aws", ROOT / ".deps/bin/kubectl"
# Debug builds write down what they answered (src/edge/record.h); tests/model holds that against the models.
RECORDS = BUILD / "test-logs" / "exchanges"
RECORDS.mkdir(parents=True, exist_ok=True)
os.environ.setdefault("EMBER_RECORD", str(RECORDS))
SLOW = 3 if EMBERD.exists() and b"__tsan_init" in EMBERD.read_bytes() else 1 # how much longer a job must last to be met alive
REPORTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer")


def wait_for(condition, what, timeout_s=180.0):
    """Looks until condition() is true and returns what it gave. The time is for a machine that is very busy: nothing is proven by it."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "waited %.0f s for %s" % (timeout_s, what)
        time.sleep(0.02)


def processes_of(data_dir):
    """Those that name the directory in their arguments or environment, but for ourselves."""
    found, needle = [], str(data_dir).encode()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if needle in (entry / "cmdline").read_bytes() or needle in (entry / "environ").read_bytes():
                found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]))
    return found


class Ember:
    def __init__(self, folder, *options):
        self.folder, self.options = pathlib.Path(folder), options
        self.data_dir = self.folder / "data"
        self.log_path, self.out_path = self.folder / "emberd.log", self.folder / "emberd.out"
        self.process = None
        self.listen = "127.0.0.1:0"

    def start(self, close=()):
        """close: descriptors that it starts without."""
        before = (lambda: [os.close(fd) for fd in close]) if close else None
        with open(self.log_path, "ab") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen([EMBERD, "--data-dir", self.data_dir, "--listen", self.listen, *self.options],
                                            stdout=out, stderr=log, cwd=self.folder, preexec_fn=before)
        endpoint = self.data_dir / "endpoint"
        pid = self.data_dir / "emberd.pid"
        wait_for(lambda: self.process.poll() is not None or pid.exists() and pid.read_text() == "%d\n" % self.process.pid, "emberd to be ready")
        assert self.process.poll() is None, self.log_path.read_text()[-4000:]
        self.endpoint = endpoint.read_text().strip()
        self.listen = self.endpoint.split("//")[1] # a restart keeps the port, as an operator's would
        text = (self.data_dir / "root-credentials").read_text()
        self.key_id = re.search(r"aws_access_key_id = (\S+)", text).group(1)
        self.secret = re.search(r"aws_secret_access_key = (\S+)", text).group(1)
        return self

    def stop(self):
        """SIGTERM; exit code 0 within the daemon's own limit."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("emberd did not stop within 120 s:\n" + self.log_path.read_text()[-3000:])
        assert code == 0, "emberd ended with %s:\n%s" % (code, self.log_path.read_text()[-6000:])

    def check_nothing_left(self):
        log = self.log_path.read_text(errors="replace")
        assert not REPORTS.search(log), log[-10000:]
        errors = [line for line in log.splitlines() if '"level":"error"' in line]
        assert not errors, "\n".join(errors[:10])
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not processes_of(self.data_dir), "pods to end", 60)
        assert not processes_of(self.data_dir)
        for link in pathlib.Path("/tmp").glob(".ember-network-*"): # they hold a cluster's network while its record does: this one is about to go
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(str(self.data_dir)):
                    link.unlink()
        mounts = [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(self.data_dir) in line]
        assert not mounts, mounts

    @property
    def env(self):
        """A clean environment for clients: this endpoint, the root key, nothing of the machine's own AWS settings."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(AWS_ENDPOINT_URL=self.endpoint, AWS_ACCESS_KEY_ID=self.key_id, AWS_SECRET_ACCESS_KEY=self.secret, AWS_REGION="us-east-1",
                   AWS_DEFAULT_REGION="us-east-1", AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_PAGER="",
                   AWS_EC2_METADATA_DISABLED="true", HOME=str(self.folder), EMBER_DATA_DIR=str(self.data_dir))
        return env

    def client(self, service, **kwargs):
        arguments = dict(endpoint_url=self.endpoint, aws_access_key_id=self.key_id, aws_secret_access_key=self.secret, region_name="us-east-1",
                         config=botocore.config.Config(retries={"total_max_attempts": 1}, inject_host_prefix=False))
        arguments.update(kwargs)
        return boto3.session.Session().client(service, **arguments)

    def run(self, *command, ok=True, **kwargs):
        done = subprocess.run([str(c) for c in command], env=dict(self.env, **kwargs.pop("env", {})), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **{"timeout": 300, **kwargs})
        if ok:
            assert done.returncode == 0, "%s\n%s" % (command, done.stderr.decode(errors="replace"))
        return done

    def aws(self, *args, **kwargs):
        """The AWS CLI; its JSON answer parsed, or None when it said nothing."""
        out = self.run(AWS, *args, **kwargs).stdout
        return json.loads(out) if out.strip()[:1] in (b"{", b"[") else out.decode()

    def ember(self, *args, **kwargs):
        return self.run(EMBER, *args, **kwargs)

    def kubectl(self, *args, **kwargs):
        path = self.folder / "kubeconfig"
        if not path.exists():
            path.write_bytes(self.ember("kubeconfig").stdout)
        return self.run(KUBECTL, *args, env={"KUBECONFIG": str(path)}, **kwargs).stdout.decode()

    def namespace(self, name):
        self.kubectl("create", "namespace", name)
        return name


@contextlib.contextmanager
def running(daemon):
    """A daemon (Ember or one of its kind) for the time of the block; after it, it must stop cleanly and leave nothing."""
    daemon.start()
    try:
        yield daemon
    finally:
        if daemon.process:
            daemon.stop()
        daemon.check_nothing_left()
