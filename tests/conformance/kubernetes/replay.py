#!/usr/bin/env python3
"""Replays what was recorded from Kubernetes 1.34 against an embedded cluster, and shows the differences.

  replay.py --demo build/cluster_demo [--only 'error-*'] [--summary]     starts a cluster of its own in a temporary directory
  replay.py --kubeconfig FILE [--only …]                                  uses one that runs (certificates in the file)
  --kubectl PATH: also the cases of kubectl. --all: also what left-out.txt names. --slower N: the cases' own times are N times as long.

The cases are in cases.py, the recordings in captures/, what may differ in allow.txt, what is not replayed in left-out.txt.
Exit 0: nothing but allowed differences. test_kubernetes.py runs the same, one test a recording. Standard library only.
"""
import argparse, base64, concurrent.futures, contextlib, fnmatch, json, os, pathlib, queue, re, shutil, signal, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import capture, cases, compare, kubectl, protobuf  # noqa: E402

CASES = {case["name"]: case for case in cases.CASES}
WORKERS = 4
RAW = ".1.32"  # of another kubectl than ours: its protobuf bodies only
ALONE = ("kubectl-walkthrough", "scheduling", "kubectl-discovery", "table-kinds", "list-field-selectors",
         "kubectl-protobuf")  # look at all namespaces or nodes


def rows(name):
    with open(os.path.join(HERE, name)) as f:
        return [line.split("#")[0].split() for line in f if line.split("#")[0].split()]


def recordings():
    """Names of the recordings: a case's name, or that with the version of the kubectl that was asked."""
    return sorted(f[:-5] for f in os.listdir(os.path.join(HERE, "captures")))


def recording(name):
    with open(os.path.join(HERE, "captures", name + ".json")) as f:
        return json.load(f)


def case_of(name):
    return CASES.get(re.sub(r"\.1\.\d\d$", "", name))


def in_ranges(number, ranges):
    """3-5,8"""
    ends = [r.partition("-") for r in ranges.split(",")]
    return any(int(first) <= number <= int(last or first) for first, _, last in ends)


class LeftOut:
    def __init__(self):
        self.rows = rows("left-out.txt")

    def whole(self, name):
        return any(len(r) == 1 and fnmatch.fnmatch(name, r[0]) for r in self.rows)

    def step(self, name, number, path):
        return any(len(r) == 2 and fnmatch.fnmatch(name, r[0]) and in_ranges(number, r[1]) or
                   len(r) == 1 and r[0].startswith("/") and fnmatch.fnmatch(path or "", r[0]) for r in self.rows)


NUMBERED = re.compile(r"\{(uid|gen|jwt|rv):\d+\}|\{(hex16)\}|(?<=\.)[0-9a-f]{16}\b")


AGE = re.compile(r"(?<=  )(\d+[smhd]){1,2}(?=  )")


def same_but_numbers(want, got, seen):
    """Placeholders are numbered in order of appearance, which steps that are left out shift: one to one is enough."""
    if not (isinstance(want, str) and isinstance(got, str)) or NUMBERED.sub("#", want) != NUMBERED.sub("#", got):
        return False
    a, b = (m.group() for m in NUMBERED.finditer(want)), (m.group() for m in NUMBERED.finditer(got))
    return all(x.startswith("{rv") is y.startswith("{rv") and not x.startswith("{rv") and seen.setdefault(x, y) == y for x, y in zip(a, b))


def comparable(step):
    """Of kubectl its exit code and what it printed: which requests it needs depends on what it was told before."""
    for name in ("stdout", "stderr") if "kubectl" in step else ():
        if isinstance(step.get(name), list):
            step[name] = [AGE.sub("{age}", line) for line in step[name]]
    if step.get("kubectl", [""])[0] == "drain" and isinstance(step.get("stdout"), list):
        step["stdout"].sort()  # it evicts all pods at once, each in a thread of its own that says so
    for name in ("requests", "kubectl", "stdin", "env", "files", "faults", "background", "cold", "note", "tokens") if "kubectl" in step else ():
        step.pop(name, None)
    return step


def is_bookmark(event):
    return isinstance(event, dict) and event.get("type") == "BOOKMARK"


def differences(name, expected, actual, left_out, was_slower=False):
    """was_slower: watches lasted longer than those of the recording, and may have had more bookmarks."""
    rules = [r for r in rows("allow.txt") if len(r) == 3]
    found, seen = [], {}
    for i, (x, y) in enumerate(zip(compare.steps(expected), compare.steps(actual))):
        step, out = expected["steps"][i], []
        if left_out.step(name, i, step.get("path")):
            continue
        compare.diff(comparable(x), comparable(y), "", out)
        for path, want, got in out:
            if same_but_numbers(want, got, seen):
                continue
            if was_slower and want is compare.MISSING and path.startswith("/answer/events") and all(map(is_bookmark, got if isinstance(got, list) else [got])):
                continue
            if not any(fnmatch.fnmatch(name, c) and fnmatch.fnmatch(str(i), s) and fnmatch.fnmatch(path, p) for c, s, p in rules):
                asked = "kubectl " + " ".join(step["kubectl"]) if "kubectl" in step else "%s %s" % (step.get("method"), step.get("path"))
                found.append("%s %d %s: expected %s got %s   [%s]" % (name, i, path, compare.show(want), compare.show(got), asked))
    if len(expected["steps"]) != len(actual["steps"]):
        found.append("%s: expected %d steps got %d" % (name, len(expected["steps"]), len(actual["steps"])))
    return found


def server_of(kubeconfig, directory):
    """The server and the admin's certificate of a kubeconfig with embedded data."""
    with open(kubeconfig) as f:
        text = f.read()
    field = lambda name: re.search(name + r": (\S+)", text).group(1)
    paths = []
    for name in ("client-certificate-data", "client-key-data"):
        path = os.path.join(directory, name + ".pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(base64.b64decode(field(name)))
        paths.append(path)
    return capture.Server(field("server"), cert=paths[0], key=paths[1])


class Cluster:
    """cluster_demo in a directory of its own."""

    def __init__(self, demo, *options, directory=None):
        self.demo, self.options, self.process = demo, options, None
        self.directory = directory or tempfile.mkdtemp(prefix="ember-kube-")
        self.log = os.path.join(self.directory, "log")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.demo, os.path.join(self.directory, "data"), *self.options], stdout=subprocess.PIPE, stderr=log, text=True)
        self.kubeconfig = self.process.stdout.readline().strip()
        if not self.kubeconfig:
            code = self.process.wait(timeout=120)
            raise RuntimeError("%s ended with %s: %s" % (self.demo, code, self.said()))
        self.server = server_of(self.kubeconfig, self.directory)
        return self

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """SIGTERM: exit code 0, and nothing wrong in its log."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=180)
        process.stdout.close()
        said = self.said()
        wrong = [line for line in said.splitlines() if '"level":"error"' in line or re.search(r"Sanitizer|runtime error:", line)]
        if code or wrong:
            raise AssertionError("%s ended with %s\n%s" % (self.demo, code, "\n".join(wrong)[:10000] or said[-5000:]))

    def remove(self):
        if self.process:
            self.kill()
        for link in pathlib.Path("/tmp").glob(".ember-network-*"): # what holds a cluster's addresses while its data are there
            if os.path.islink(link) and os.readlink(link).startswith(str(self.directory)):
                link.unlink(missing_ok=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def hold_pods_back(server):
    """The recordings were made where no node was: pods stay as they are made, unless they name a node."""
    server.call("DELETE", "/api/v1/nodes")


def lost(sent, got, path):
    """What of an object that was sent is not in the answer."""
    if isinstance(sent, dict):
        for key in sent:
            if sent[key] not in ({}, [], "", None, 0):
                yield from lost(sent[key], got.get(key) if isinstance(got, dict) else None, path + "/" + key)
    elif isinstance(sent, list):
        for i, entry in enumerate(sent):
            yield from lost(entry, got[i] if isinstance(got, list) and i < len(got) else None, "%s/%d" % (path, i))
    elif sent != got:
        yield path, sent, got


class Replay:
    """Replays recordings, some at a time: each has a namespace of its own."""

    def __init__(self, server, kubectl_program, slower=1):
        self.server, self.left_out, self.slower = server, LeftOut(), slower
        self.kubectls = queue.SimpleQueue()
        self.all_kubectls = [kubectl.Kubectl(kubectl_program, server) for _ in range(WORKERS)] if kubectl_program else []
        for k in self.all_kubectls:
            self.kubectls.put(k)
        self.pool = concurrent.futures.ThreadPoolExecutor(WORKERS)

    def close(self):
        self.pool.shutdown(cancel_futures=True)
        for k in self.all_kubectls:
            k.close()

    def one(self, name):
        """The lines of what differs."""
        case, program = case_of(name), None
        try:
            if name.endswith(RAW):
                return self.raw(name)
            if any("kubectl" in s for s in case["steps"]):
                program = self.kubectls.get()
            attempt = lambda slower: differences(name, recording(name), capture.Run(case, self.server, program, slower).go(), self.left_out, slower > 1)
            found = attempt(self.slower)
            # A second of the recordings may be too short for kubectl to start in.
            return attempt(5 * self.slower) if found and capture.has_times(case) else found
        finally:
            if program:
                self.kubectls.put(program)

    def raw(self, name):
        """The protobuf bodies that an older kubectl sent, as plain requests: the status, and what the body said in the answer."""
        found, namespace = [], "/api/v1/namespaces/c-" + name[:-len(RAW)]
        self.server.call("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace.rsplit("/", 1)[1]}})
        for i, step in enumerate(recording(name)["steps"]):
            for request in step["requests"] if not self.left_out.step(name, i, None) else []:
                if "bodyProtobuf" not in request or request["answer"].get("fault"):
                    continue
                answer = self.server.call(request["method"], request["path"], request.get("query"), base64.b64decode(request["bodyProtobuf"]),
                                          {"Accept": request["headers"].get("Accept")}, request["headers"]["Content-Type"])["answer"]
                sent, got = protobuf.decode(base64.b64decode(request["bodyProtobuf"])), answer.get("body") or {}
                if answer["status"] != request["answer"]["status"]:
                    found.append("%s %d: expected status %s got %s %s" % (name, i, request["answer"]["status"], answer["status"], compare.show(got)))
                found += ["%s %d%s: sent %s got %s" % (name, i, path, compare.show(a), compare.show(b)) for path, a, b in lost(sent, got, "")]
        self.server.call("DELETE", namespace)
        return found

    def start(self, names):
        """name -> Future of its lines; those that must be alone have been replayed when it returns."""
        futures = {}
        for name in names:
            if re.sub(r"\.1\.\d\d$", "", name) in ALONE:
                futures[name] = concurrent.futures.Future()
                try:
                    futures[name].set_result(self.one(name))
                except Exception as problem:  # one broken case must not hide the others
                    futures[name].set_exception(problem)
        futures.update({name: self.pool.submit(self.one, name) for name in names if name not in futures})
        return futures


def replayed(everything=False, with_kubectl=True):
    """The recordings that are replayed."""
    left_out = LeftOut()
    for name in recordings():
        case = case_of(name)
        if not case or (left_out.whole(name) and not everything):
            continue
        if with_kubectl or not any("kubectl" in s for s in case["steps"]):
            yield name


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--demo")
    ap.add_argument("--kubeconfig")
    ap.add_argument("--kubectl")
    ap.add_argument("--only", nargs="*")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--summary", action="store_true")
    ap.add_argument("--slower", type=int, default=1)
    a = ap.parse_args()
    with contextlib.ExitStack() as stack:
        if a.demo:
            cluster = Cluster(a.demo)
            stack.callback(cluster.remove)
            server = cluster.start().server
            stack.callback(cluster.stop)
            hold_pods_back(server)
        else:
            server = server_of(a.kubeconfig, stack.enter_context(tempfile.TemporaryDirectory()))
        replay = Replay(server, a.kubectl, a.slower)
        stack.callback(replay.close)
        names = [n for n in replayed(a.all, bool(a.kubectl)) if not a.only or any(fnmatch.fnmatch(n, o) for o in a.only)]
        total = 0
        for name, future in replay.start(names).items():
            try:
                lines = future.result()
            except Exception as problem:
                lines = ["%s: %r" % (name, problem)]
            total += len(lines)
            print("%-36s %s" % (name, "%d differences" % len(lines) if lines else "same"), flush=True)
            for line in [] if a.summary else lines:
                print("    " + line)
    print("%d differences" % total)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
