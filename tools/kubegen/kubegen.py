#!/usr/bin/env python3
"""schema_rows.c from fields.json: the rows behind cluster/apiserver/schema.h.

  kubegen.py fields.json schema_rows.c

Deterministic; checks before it writes: every type is known, no two fields of a message share a name or a number.
"""
import json
import sys

TYPES = {"string": "STRING", "bool": "BOOL", "int32": "INT32", "int64": "INT64", "bytes": "BYTES", "double": "DOUBLE", "time": "TIME",
         "microtime": "MICRO_TIME", "quantity": "QUANTITY", "intorstring": "INT_OR_STRING", "raw": "RAW"}


def symbol(name):
    return "message_" + name.replace("k8s.io.apimachinery.pkg.apis.", "").replace("k8s.io.api.", "").replace(".", "_")


def text(value):
    return "NULL" if value is None else json.dumps(value)


def row(messages, field, number):
    message = messages.get(field["type"])
    if message is None and field["type"] not in TYPES:
        sys.exit("unknown type %s" % field["type"])
    atomic = (field.get("atomic") or bool(message and message["atomic"])) and not field.get("granular")
    kind = "MESSAGE" if message else TYPES[field["type"]]
    flags = [name for name, have in (
        ("repeated", field.get("repeated")), ("map", field.get("map")), ("inlined", number and field.get("inline")),
        ("pointer", field.get("pointer")), ("omit_empty", field.get("omitempty")), ("omit_zero", field.get("omitzero")),
        ("patch_retain_keys", field.get("retainKeys")), ("atomic", atomic)) if have]
    parts = [".name = %s" % text(field["json"]), ".type = SCHEMA_" + kind, ".number = %d" % number]
    if message:
        parts.append(".message = &" + symbol(field["type"]))
    parts += [".%s = true" % f for f in flags]
    if "patchKey" in field:
        parts.append(".patch_key = " + text(field["patchKey"]))
    if field.get("list"):
        parts.append(".list = SCHEMA_LIST_" + field["list"].upper())
    if field.get("listKeys"):
        parts.append(".list_keys = " + text(field["listKeys"]))
    return "    {" + ", ".join(parts) + "},"


def flatten(messages, name):
    """The members of the JSON object: fields of inlined structs stand beside the others; those have number 0 here."""
    for field in messages[name]["fields"]:
        if field.get("inline"):
            for inner in flatten(messages, field["type"]):
                yield inner[0], 0
        else:
            yield field, field["number"]


def main(source, target):
    messages = json.load(open(source))
    out = ["/* Made by tools/kubegen/kubegen.py from fields.json (k8s.io/api and k8s.io/apimachinery 0.34.4). */",
           '#include "cluster/apiserver/schema_internal.h"', "", "/* clang-format off */"]
    for name in sorted(messages):
        out.append("static const struct schema_message %s;" % symbol(name))
    for name in sorted(messages):
        fields = list(flatten(messages, name))
        inlined = [f for f in messages[name]["fields"] if f.get("inline")]
        names = [f["json"] for f, _ in fields]
        numbers = [n for _, n in fields if n] + [f["number"] for f in inlined]
        if len(set(names)) != len(names) or len(set(numbers)) != len(numbers):
            sys.exit("duplicate name or number in %s" % name)
        rows = [row(messages, f, n) for f, n in fields] + [row(messages, dict(f, json=""), f["number"]) for f in inlined]
        if not rows:
            out.append("static const struct schema_message %s = {.name = %s};" % (symbol(name), text(name)))
            continue
        out += ["static const struct schema_field %s_fields[] = {" % symbol(name)] + rows + ["};"]
        out.append("static const struct schema_message %s = {.name = %s, .fields = %s_fields, .field_count = %d};"
                   % (symbol(name), text(name), symbol(name), len(rows)))
    out.append("const struct schema_message *const schema_messages[] = {")
    out += ["    &%s," % symbol(name) for name in sorted(messages)]
    out += ["};", "const size_t schema_messages_count = %d;" % len(messages), ""]
    open(target, "w").write("\n".join(out))


main(*sys.argv[1:])
