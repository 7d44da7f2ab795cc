#!/usr/bin/env python3
"""Holds the table of layers: which folder of src/ may include which. Exit 1 with a line for each include that breaks it, and for each
foreign library's header outside base/."""
import os, re, sys

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")

ALLOWED = {
    "base": set(),
    "http": {"base"},
    "aws": {"base"},
    "store": {"base"},
    "objects": {"base"},
    "logstore": {"base"},
    "spark": {"base"},
    "k8s": {"base", "http"},
    "cluster": {"base", "http"},
    "logship": {"base", "http", "aws", "k8s"},
    "jobs": {"base", "store", "spark", "k8s", "logship"},
    "services": {"base", "http", "aws", "store", "spark", "jobs", "objects", "logstore", "cluster"},
    "edge": {"base", "http", "aws", "store", "services"},
    "events": {"base", "http", "store"},
    "runner": {"base", "http", "aws", "cluster"},
    "cli": {"base", "http", "aws", "cluster", "daemon"},
    "daemon": None,  # any: the wiring
}
# Narrower than the folder: what may be named of it.
ONLY = {
    ("runner", "cluster"): {"cluster/kubelet/wire.h"},
    ("jobs", "logship"): {"logship/logship.h"},
    ("services", "cluster"): {"cluster/cluster.h"},
    ("edge", "services"): {"services/call.h", "services/services.h", "services/error_detail.h"},
}
FOREIGN = re.compile(r'#include <(openssl/|curl/|sqlite3|yyjson|expat|yaml|zlib)')


def main():
    problems = []
    for folder, _, files in os.walk(ROOT):
        for name in files:
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, ROOT)
            top = relative.split(os.sep)[0]
            test = name.endswith(("_test.c", "_fixture.c"))
            for number, line in enumerate(open(path, encoding="utf-8"), 1):
                if FOREIGN.match(line) and top != "base" and not test:
                    problems.append("%s:%d: a foreign library is included outside base/: %s" % (relative, number, line.strip()))
                found = re.match(r'#include "([a-z0-9_]+)/([^"]+)"', line)
                if not found or test:
                    continue
                other, header = found.group(1), found.group(1) + "/" + found.group(2)
                allowed = ALLOWED.get(top, set())
                if other == top or allowed is None or header.startswith("aws/gen/") and "aws" in allowed:
                    continue
                if other not in allowed:
                    problems.append("%s:%d: %s/ may not include %s" % (relative, number, top, header))
                elif (top, other) in ONLY and header not in ONLY[top, other]:
                    problems.append("%s:%d: of %s/, %s/ may include %s only, not %s" % (relative, number, other, top, ", ".join(sorted(ONLY[top, other])), header))
                services = relative.split(os.sep)
                if top == "services" and other == "services" and len(services) > 2 and "/" in found.group(2) and not found.group(2).startswith(services[1] + "/"):
                    problems.append("%s:%d: a service may not include another: %s" % (relative, number, header))
    for p in problems:
        print(p)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
