#!/usr/bin/env python3
"""Replays what was recorded from Kubernetes 1.34 against an embedded cluster, and shows the differences.

  replay.py --demo build/cluster_demo [--only 'error-*'] [--summary]     starts a cluster of its own in a temporary directory
  replay.py --kubeconfig FILE [--only …]                                  uses one that runs (certificates in the file)
  pytest replay.py                                                        with EMBER_CLUSTER_DEMO set; skipped otherwise

The cases are in cases.py, the recordings in captures/, what may differ in allow.txt, cases about parts of Kubernetes that
are not served in not_served.txt. Exit 0: nothing but allowed differences. Standard library only.
"""
import argparse, base64, contextlib, fnmatch, json, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import capture, cases, compare  # noqa: E402


def rows(name):
    with open(os.path.join(HERE, name)) as f:
        return [line.split("#")[0].split() for line in f if line.split("#")[0].split()]


def chosen(only):
    """The cases that have a recording, or those that match only."""
    skipped = [row[0] for row in rows("not_served.txt") if not row[0].startswith("/")]
    for case in cases.CASES:
        if not os.path.exists(os.path.join(HERE, "captures", case["name"] + ".json")):
            continue
        if only and any(fnmatch.fnmatch(case["name"], o) for o in only):
            yield case
        elif not only and not any(fnmatch.fnmatch(case["name"], s) for s in skipped):
            yield case


NUMBERED = re.compile(r"\{(uid|gen|jwt|rv):\d+\}|\{(hex16)\}|(?<=\.)[0-9a-f]{16}\b")


def same_but_numbers(want, got, seen):
    """Placeholders are numbered in order of appearance, which steps that are left out shift: one to one is enough."""
    if not (isinstance(want, str) and isinstance(got, str)) or NUMBERED.sub("#", want) != NUMBERED.sub("#", got):
        return False
    a, b = (m.group() for m in NUMBERED.finditer(want)), (m.group() for m in NUMBERED.finditer(got))
    return all(x.startswith("{rv") is y.startswith("{rv") and not x.startswith("{rv") and seen.setdefault(x, y) == y for x, y in zip(a, b))


def differences(case, actual):
    rules = [r for r in rows("allow.txt") if len(r) == 3]
    with open(os.path.join(HERE, "captures", case["name"] + ".json")) as f:
        expected = json.load(f)
    unserved = [row[0] for row in rows("not_served.txt") if row[0].startswith("/")]
    found, seen = [], {}
    for i, (x, y) in enumerate(zip(compare.steps(expected), compare.steps(actual))):
        if any(fnmatch.fnmatch(expected["steps"][i].get("path", ""), p) for p in unserved):
            continue
        out = []
        compare.diff(x, y, "", out)
        for path, want, got in out:
            if same_but_numbers(want, got, seen):
                continue
            if not any(fnmatch.fnmatch(case["name"], c) and fnmatch.fnmatch(str(i), s) and fnmatch.fnmatch(path, p) for c, s, p in rules):
                step = expected["steps"][i]
                found.append("%s %d %s: expected %s got %s   [%s %s]" % (
                    case["name"], i, path, compare.show(want), compare.show(got), step.get("method"), step.get("path")))
    if len(expected["steps"]) != len(actual["steps"]):
        found.append("%s: expected %d steps got %d" % (case["name"], len(expected["steps"]), len(actual["steps"])))
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


@contextlib.contextmanager
def cluster(demo):
    """A fresh cluster without a way to run anything: yields its kubeconfig's path."""
    directory = tempfile.mkdtemp(prefix="ember-conformance-")
    process = subprocess.Popen([demo, directory], stdout=subprocess.PIPE, text=True)
    try:
        path = process.stdout.readline().strip()
        if not path:
            raise RuntimeError("%s did not start" % demo)
        yield path
    finally:
        process.terminate()
        code = process.wait(timeout=30)
        shutil.rmtree(directory, ignore_errors=True)
    if code:
        raise RuntimeError("%s ended with %d" % (demo, code))


def replay(kubeconfig, only, report):
    """Calls report(case, lines) for each case; the number of differences."""
    directory, total = tempfile.mkdtemp(prefix="ember-replay-"), 0
    try:
        server = server_of(kubeconfig, directory)
        for case in chosen(only):
            try:
                lines = differences(case, capture.Run(case, server).go())
            except Exception as e:  # one broken case must not hide the others
                lines = ["%s: %r" % (case["name"], e)]
            total += len(lines)
            report(case, lines)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return total


def test_the_embedded_cluster_answers_as_kubernetes_did():
    import pytest
    demo = os.environ.get("EMBER_CLUSTER_DEMO")
    if not demo:
        pytest.skip("EMBER_CLUSTER_DEMO names no cluster_demo")
    found = []
    with cluster(demo) as kubeconfig:
        replay(kubeconfig, None, lambda case, lines: found.extend(lines))
    assert not found, "\n".join(found)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--demo")
    ap.add_argument("--kubeconfig")
    ap.add_argument("--only", nargs="*")
    ap.add_argument("--summary", action="store_true")
    a = ap.parse_args()

    def report(case, lines):
        print("%-36s %s" % (case["name"], "%d differences" % len(lines) if lines else "same"), flush=True)
        for line in [] if a.summary else lines:
            print("    " + line)

    with cluster(a.demo) if a.demo else contextlib.nullcontext(a.kubeconfig) as kubeconfig:
        total = replay(kubeconfig, a.only, report)
    print("%d differences" % total)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
