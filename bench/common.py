"""What the benchmarks share: where things are, the machine and the commit, an emberd of their own, the tables they write."""
import contextlib, json, os, pathlib, re, shutil, signal, statistics, subprocess, tempfile, time, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("EMBER_BUILD") or ROOT / "build").resolve()
RESULTS = pathlib.Path(os.environ.get("EMBER_BENCH_RESULTS") or ROOT / "bench/results")
TICKS = os.sysconf("SC_CLK_TCK")


def wait_for(condition, what, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise SystemExit("waited %.0f s for %s" % (timeout_s, what))
        time.sleep(0.01)


def machine():
    """What a figure is worth nothing without."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    git = lambda *a: subprocess.run(["git", "-C", str(ROOT), *a], capture_output=True, text=True).stdout.strip()
    return {
        "cpu": model.group(1) if model else "unknown",
        "processors": os.cpu_count(),
        "memoryGiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": os.uname().release,
        "commit": git("rev-parse", "--short", "HEAD") + (" (with changes)" if git("status", "--porcelain", "src") else ""),
        "load": "%.1f" % os.getloadavg()[0],
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
    }


def spread(values, digits=1):
    """Median and range of some runs of the same thing."""
    return {"median": round(statistics.median(values), digits), "min": round(min(values), digits), "max": round(max(values), digits)}


def cpu_s(pid):
    """User and system time of a process, its ended threads included."""
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def threads_s(pid):
    """Processor time of a process's living threads, by their names."""
    spent = {}
    for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
        with contextlib.suppress(OSError):
            name, ns = (task / "comm").read_text().strip(), int((task / "schedstat").read_text().split()[0])
            spent[name] = spent.get(name, 0) + ns / 1e9
    return spent


def memory_mib(pid):
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return {name.lower(): round(int(re.search(r"^%s:\s+(\d+) kB" % name, text, re.M).group(1)) / 1024, 1) for name in ("Rss", "Pss")}


class Ember:
    """An emberd on a free port with an empty data directory; `with` stops it and removes everything."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        if not (BUILD / "emberd").exists():
            raise SystemExit("there is no %s/emberd: run make build" % BUILD)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ember-bench."))
        self.data_dir = self.folder / "data"
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        with open(self.folder / "emberd.log", "ab") as log, open(self.folder / "emberd.out", "wb") as out:
            self.process = subprocess.Popen([BUILD / "emberd", "--data-dir", self.data_dir, "--listen", "127.0.0.1:0", *self.options],
                                            stdout=out, stderr=log)
        wait_for(lambda: (self.data_dir / "endpoint").exists() or self.process.poll() is not None, "emberd")
        if self.process.poll() is not None:
            raise SystemExit((self.folder / "emberd.log").read_text()[-2000:])
        self.pid = self.process.pid
        self.endpoint = (self.data_dir / "endpoint").read_text().strip()
        keys = (self.data_dir / "root-credentials").read_text()
        self.key_id = re.search(r"aws_access_key_id = (\S+)", keys).group(1)
        self.secret = re.search(r"aws_secret_access_key = (\S+)", keys).group(1)

    def healthy(self):
        with contextlib.suppress(OSError), urllib.request.urlopen(self.endpoint + "/healthz", timeout=5) as answer:
            return answer.status == 200

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.stop()
        for entry in pathlib.Path("/proc").iterdir(): # pods outlive their daemon; only ours name this folder
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and str(self.data_dir).encode() in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
        for link in pathlib.Path("/tmp").glob(".ember-network-*"): # what holds a cluster's addresses while its data are there
            if os.path.islink(link) and os.readlink(link).startswith(str(self.folder)):
                link.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def write_results(name, data, markdown):
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / (name + ".json")).write_text(json.dumps(data, indent=1) + "\n")
    (RESULTS / (name + ".md")).write_text(markdown)
