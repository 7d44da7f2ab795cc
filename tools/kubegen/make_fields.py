#!/usr/bin/env python3
"""fields.json: every field of the Kubernetes kinds that the API server knows, from the published Go modules.

  make_fields.py DIR_OF_K8S_IO_API DIR_OF_K8S_IO_APIMACHINERY > fields.json

The Go types are the one source: the json tag (name, omitempty, omitzero), the protobuf tag (number), the patch tags (strategic
merge) and the +list/+struct markers (server-side apply) stand side by side there. Run by hand when the Kubernetes version is
raised; kubegen.py makes the C rows of the result at build time.

Result: message -> {"fields": [...], "atomic": bool}; field: {"json", "type", "number", and where they hold: "repeated", "map",
"pointer", "omitempty", "omitzero", "inline", "patchKey", "retainKeys", "list", "listKeys", "atomic"}.
"""
import json
import os
import re
import sys

PACKAGES = {
    "core/v1": "k8s.io.api.core.v1", "batch/v1": "k8s.io.api.batch.v1", "rbac/v1": "k8s.io.api.rbac.v1",
    "authentication/v1": "k8s.io.api.authentication.v1", "authorization/v1": "k8s.io.api.authorization.v1",
    "apps/v1": "k8s.io.api.apps.v1", "policy/v1": "k8s.io.api.policy.v1", "networking/v1": "k8s.io.api.networking.v1",
    "coordination/v1": "k8s.io.api.coordination.v1", "discovery/v1": "k8s.io.api.discovery.v1",
    "events/v1": "k8s.io.api.events.v1",
}
META = "k8s.io.apimachinery.pkg.apis.meta.v1"
ROOTS = """core.v1: Namespace ServiceAccount ConfigMap Secret Service Pod Event Node PersistentVolumeClaim ResourceQuota LimitRange Binding PodTemplate Endpoints
batch.v1: Job CronJob
rbac.v1: Role RoleBinding ClusterRole ClusterRoleBinding
authentication.v1: TokenRequest TokenReview SelfSubjectReview
authorization.v1: SubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview LocalSubjectAccessReview
apps.v1: Deployment StatefulSet
policy.v1: Eviction PodDisruptionBudget
networking.v1: NetworkPolicy
coordination.v1: Lease
discovery.v1: EndpointSlice
events.v1: Event"""
LEAVES = {
    META + ".Time": "time", META + ".MicroTime": "microtime", META + ".FieldsV1": "raw",
    "k8s.io.apimachinery.pkg.api.resource.Quantity": "quantity", "k8s.io.apimachinery.pkg.util.intstr.IntOrString": "intorstring",
    "k8s.io.apimachinery.pkg.runtime.RawExtension": "raw",
}
GO_SCALARS = {"string": "string", "bool": "bool", "int32": "int32", "int64": "int64", "float64": "double", "uint8": "int32", "int": "int64"}
IMPORTS = {"metav1": META, "v1": "k8s.io.api.core.v1", "corev1": "k8s.io.api.core.v1", "core": "k8s.io.api.core.v1",
           "api": "k8s.io.api.core.v1", "authnv1": "k8s.io.api.authentication.v1", "authenticationv1": "k8s.io.api.authentication.v1",
           "resource": "k8s.io.apimachinery.pkg.api.resource", "intstr": "k8s.io.apimachinery.pkg.util.intstr",
           "runtime": "k8s.io.apimachinery.pkg.runtime", "types": "types"}


def parse(path, package, structs, named):
    text = open(path).read()
    comment = []
    lines = iter(text.split("\n"))
    imports = dict(IMPORTS)
    for alias, target in re.findall(r'^\s+(\w+) "k8s\.io/(\S+)"', text, re.M):
        imports[alias] = "k8s.io." + target.replace("/", ".")
    for line in lines:
        s = line.strip()
        if s.startswith("//"):
            comment.append(s)
            continue
        m = re.match(r"type (\w+) struct \{", line)
        if m:
            fields, inner = [], []
            for line in lines:
                s = line.strip()
                if s == "}":
                    break
                if s.startswith("//"):
                    inner.append(s)
                    continue
                f = re.match(r"(?:(\w+)\s+)?([\w.*\[\]]+(?:\[\w+\][\w.]+)?)\s+`(.*)`", s)
                if f and "json:" in f.group(3):
                    fields.append((f.group(1), f.group(2), f.group(3), inner))
                if s:
                    inner = []
            structs[package + "." + m.group(1)] = (fields, any("+structType=atomic" in c for c in comment), imports)
        else:
            m = re.match(r"type (\w+) (=? ?[\w.\[\]]+)\s*$", line.split("//")[0])
            if m:
                named[package + "." + m.group(1)] = (m.group(2), imports)
        if s:
            comment = []


def main(api, machinery):
    structs, named = {}, {}
    for folder, package in PACKAGES.items():
        parse(os.path.join(api, folder, "types.go"), package, structs, named)
    parse(os.path.join(machinery, "pkg/apis/meta/v1/types.go"), META, structs, named)

    def resolve(go, package, imports):
        """Go type -> (type, repeated, map, pointer)"""
        pointer = go.startswith("*")
        go = go.lstrip("*")
        if go == "[]byte":
            return "bytes", False, False, True
        if go.startswith("[]"):
            inner = resolve(go[2:], package, imports)
            return inner[0], True, False, True
        if go.startswith("map["):
            inner = resolve(go[go.index("]") + 1:], package, imports)
            return inner[0], inner[1], True, True
        if go in GO_SCALARS:
            return GO_SCALARS[go], False, False, pointer
        full = imports[go.split(".")[0]] + "." + go.split(".")[1] if "." in go else package + "." + go
        if full.startswith("types."):
            return "string", False, False, pointer
        if full in LEAVES:
            return LEAVES[full], False, False, pointer
        if full in named:
            inner, its = named[full]
            r = resolve(inner, full.rsplit(".", 1)[0], its)
            return r[0], r[1], r[2], pointer or r[3]
        assert full in structs, full
        return full, False, False, pointer

    out = {}
    need = [META + "." + n for n in ("DeleteOptions", "Status")]
    for line in ROOTS.split("\n"):
        group, names = line.split(": ")
        need += ["k8s.io.api.%s.%s" % (group, n) for n in names.split()]
    while need:
        name = need.pop()
        if name in out:
            continue
        fields, atomic, imports = structs[name]
        package = name.rsplit(".", 1)[0]
        rows = []
        for _, go, tag, comments in fields:
            tags = dict(re.findall(r'(\w+):"([^"]*)"', tag))
            parts = tags["json"].split(",")
            if parts[0] == "" and "inline" in parts and "protobuf" not in tags:
                assert go.endswith("TypeMeta"), (name, go)
                continue
            kind, repeated, is_map, pointer = resolve(go, package, imports)
            row = {"json": parts[0], "type": kind, "number": int(tags["protobuf"].split(",")[1])}
            for flag, value in (("repeated", repeated), ("map", is_map), ("pointer", pointer), ("omitempty", "omitempty" in parts),
                                ("omitzero", "omitzero" in parts), ("inline", "inline" in parts)):
                if value:
                    row[flag] = True
            strategies = tags.get("patchStrategy", "").split(",")
            if "merge" in strategies:
                row["patchKey"] = tags.get("patchMergeKey", "")
            if "retainKeys" in strategies:
                row["retainKeys"] = True
            marks = [c.lstrip("/ ") for c in comments]
            for mark in marks:
                if mark.startswith("+listType=") and mark[10:] != "atomic":
                    row["list"] = mark[10:]
            keys = [m[len("+listMapKey="):] for m in marks if m.startswith("+listMapKey=")]
            if keys:
                row["listKeys"] = ",".join(keys)
            if any(m in ("+structType=atomic", "+mapType=atomic") for m in marks):
                row["atomic"] = True
            if any(m == "+structType=granular" for m in marks):
                row["granular"] = True
            rows.append(row)
            if kind in structs:
                need.append(kind)
        out[name] = {"fields": rows}
        if atomic:
            out[name]["atomic"] = True
    print("{")
    for i, name in enumerate(sorted(out)):
        m = out[name]
        print('%s: {"atomic": %s, "fields": [' % (json.dumps(name), json.dumps(m.get("atomic", False))))
        print(",\n".join("  " + json.dumps(r) for r in m["fields"]))
        print("]}" + ("," if i + 1 < len(out) else ""))
    print("}")


main(*sys.argv[1:])
