"""Writes one service's structs (SERVICE.h) and tables (SERVICE.c); the formats are those of src/aws/shape.h."""
import names
from model import is_streaming

COMMON = {"slice_list", "slice_map", "opt_i64_list", "opt_f64_list"}  # defined once, in aws/shape.h
SCALARS = {
    "string": ("slice", "AWS_STRING"), "blob": ("slice", "AWS_BLOB"), "character": ("slice", "AWS_STRING"),
    "integer": ("opt_i64", "AWS_INTEGER"), "long": ("opt_i64", "AWS_INTEGER"), "short": ("opt_i64", "AWS_INTEGER"),
    "byte": ("opt_i64", "AWS_INTEGER"), "float": ("opt_f64", "AWS_FLOAT"), "double": ("opt_f64", "AWS_FLOAT"),
    "boolean": ("opt_bool", "AWS_BOOLEAN"), "timestamp": ("opt_instant", "AWS_TIMESTAMP"),
}
BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
LOCATIONS = {"uri": "AWS_IN_URI", "querystring": "AWS_IN_QUERY", "header": "AWS_IN_HEADER", "headers": "AWS_IN_HEADERS",
             "statusCode": "AWS_IN_STATUS"}
TIMESTAMPS = {"iso8601": "AWS_TIMESTAMP_ISO8601", "rfc822": "AWS_TIMESTAMP_RFC822", "unixTimestamp": "AWS_TIMESTAMP_UNIX"}


def slice_init(text):
    return "S_INIT(%s)" % names.c_string(text)


class Emitter:
    def __init__(self, service):
        self.service, self.shapes = service, service.shapes
        self.out = []

    def line(self, text=""):
        self.out.append(text)

    def text(self):
        return "\n".join(self.out) + "\n"

    def head(self, what):
        s = self.service
        self.line("/* Made by tools/awsgen from botocore %s, %s (%s): %s. Not to be edited. */" % (
            s.version, s.model_name, s.metadata["serviceFullName"], what))

    # ---- names and types ----

    def is_document(self, shape):
        return shape["type"] == "structure" and shape.get("document")

    def tag(self, name):
        """The struct tag of a shape's value type."""
        shape = self.shapes[name]
        if self.is_document(shape):
            return "json"
        if shape["type"] in SCALARS:
            return SCALARS[shape["type"]][0]
        if shape["type"] == "structure":
            return "%s_%s" % (self.service.prefix, names.snake(name))
        if shape["type"] == "list":
            tag = self.tag(shape["member"]["shape"]) + "_list"
        else:
            tag = self.tag(shape["value"]["shape"]) + "_map"
        if tag not in COMMON and not tag.startswith(self.service.prefix + "_"):
            tag = "%s_%s" % (self.service.prefix, tag)
        return tag

    def declaration(self, name):
        """The type of a struct's member of that shape, with its blank or star."""
        if self.shapes[name]["type"] == "structure":
            return "const struct %s *" % self.tag(name)
        return "struct %s " % self.tag(name)

    def structs(self):
        """(C tag, shape dictionary or None, comment) of every structure, requests and responses first."""
        rows = []
        for operation in self.service.operations:
            if operation.served:
                rows.append((operation.struct("request"), operation.input, operation.name))
                rows.append((operation.struct("response"), operation.output, operation.name))
        for name in self.service.reachable:
            if self.shapes[name]["type"] == "structure" and not self.is_document(self.shapes[name]):
                rows.append((self.tag(name), name, None))
        tags = [r[0] for r in rows]
        doubles = {t for t in tags if tags.count(t) > 1}
        if doubles:
            raise SystemExit("two structures of one name: %s" % sorted(doubles))
        return rows

    # ---- the header ----

    def header(self):
        self.head("structs")
        self.line("#pragma once")
        self.line('#include "aws/shape.h"')
        self.line()
        self.line("extern const struct aws_service %s_service;" % self.service.prefix)
        self.line()
        rows = self.structs()
        for tag, _, _ in rows:
            self.line("struct %s;" % tag)
        self.line()
        self._containers()
        for tag, name, operation in rows:
            self._struct(tag, name, operation)
        self._entries()
        self._enums()
        return self.text()

    def _containers(self):
        done = set()
        for name, shape in self.service.reachable.items():
            tag = self.tag(name)
            if shape["type"] not in ("list", "map") or tag in COMMON or tag in done:
                continue
            done.add(tag)
            self.line("struct %s {" % tag)
            self.line("    bool set;")
            self.line("    size_t count;")
            if shape["type"] == "list":
                self.line("    const struct %s *items;" % self.tag(shape["member"]["shape"]))
            else:
                self.line("    const struct %s_entry *entries;" % tag)
            self.line("};")
            self.line()

    def _entries(self):
        done = set()
        for name, shape in self.service.reachable.items():
            tag = self.tag(name)
            if shape["type"] != "map" or tag in COMMON or tag in done:
                continue
            done.add(tag)
            self.line("struct %s_entry {" % tag)
            self.line("    struct slice key;")
            self.line("    struct %s value;" % self.tag(shape["value"]["shape"]))
            self.line("};")
            self.line()

    def _struct(self, tag, name, operation):
        self.line("struct %s {%s" % (tag, " /* %s */" % operation if operation else ""))
        shape = self.shapes[name] if name else {"members": {}}
        seen = {}
        for member, ref in shape["members"].items():
            if is_streaming(ref, self.shapes):
                self.line("    /* %s: streamed */" % member)
                continue
            c = names.member(member)
            if c in seen:
                raise SystemExit("%s: %s and %s have one name in C" % (tag, member, seen[c]))
            seen[c] = member
            note = []
            if self.shapes[ref["shape"]].get("enum"):
                note.append("enum %s" % ref["shape"])
            if member in shape.get("required", []):
                note.append("required")
            self.line("    %s%s;%s" % (self.declaration(ref["shape"]), c, " /* %s */" % ", ".join(note) if note else ""))
        if not seen:
            self.line("    bool unused;")
        self.line("};")
        self.line()

    def _enums(self):
        for name, shape in self.service.reachable.items():
            if "enum" not in shape:
                continue
            prefix = names.constant("%s_%s" % (self.service.prefix, names.snake(name)))
            rows = {}
            for value in shape["enum"]:
                rows.setdefault("%s_%s" % (prefix, names.constant(value)), value)
            for constant, value in rows.items():
                self.line("#define %s S(%s)" % (constant, names.c_string(value)))
            self.line()

    # ---- the tables ----

    def tables(self):
        s = self.service
        self.head("tables")
        self.line('#include "aws/gen/%s.h"' % s.prefix)
        self.line("/* clang-format off */")
        self.line()
        self._patterns()
        for name, shape in s.reachable.items():
            if "enum" in shape:
                self.line("static const struct slice enum_%s[] = {%s};" % (name, ", ".join(slice_init(v) for v in shape["enum"])))
        self.line()
        for name in s.reachable:
            self.line("static const struct aws_shape shape_%s;" % name)
        self.line()
        for name in s.reachable:
            self._shape(name)
        for operation in s.operations:
            if operation.served:
                self._structure(operation.struct("request"), "shape_%s_request" % operation.snake, operation.input)
                self._structure(operation.struct("response"), "shape_%s_response" % operation.snake, operation.output)
        self._errors()
        self._operations()
        return self.text()

    def _patterns(self):
        classes = {}
        self.pattern_index = {}
        for number, (text, program) in enumerate(self.service.patterns.items()):
            self.pattern_index[text] = number
            for inst in program:
                if inst[0] == "class" and inst[1] not in classes:
                    classes[inst[1]] = len(classes)
                    ranges = ["{0x%X, 0x%X}" % r for r in inst[1]]
                    self.line("static const struct aws_regex_range ranges_%d[] = {" % classes[inst[1]])
                    for i in range(0, len(ranges), 8):
                        self.line("    %s," % ", ".join(ranges[i:i + 8]))
                    self.line("};")
                    self.line("static const struct aws_regex_class class_%d = {ranges_%d, %d};" % (
                        classes[inst[1]], classes[inst[1]], len(ranges)))
            self.line("static const struct aws_regex_inst insts_%d[] = { /* %s */" % (number, text.replace("*/", "* /").replace("/*", "/ *")))
            for inst in program:
                if inst[0] == "class":
                    self.line("    {.op = AWS_REGEX_CLASS, .class_ = &class_%d}," % classes[inst[1]])
                elif inst[0] == "split":
                    self.line("    {.op = AWS_REGEX_SPLIT, .x = %d, .y = %d}," % inst[1:])
                elif inst[0] == "jump":
                    self.line("    {.op = AWS_REGEX_JUMP, .x = %d}," % inst[1])
                else:
                    self.line("    {.op = AWS_REGEX_%s}," % inst[0].upper())
            self.line("};")
            self.line("static const struct aws_regex pattern_%d = {%s, insts_%d, %d};" % (
                number, slice_init(text), number, len(program)))
            self.line()

    def _constraints(self, shape):
        rows = []
        if "min" in shape:
            rows.append(".has_min = true, .min = %d" % shape["min"])
        if "max" in shape:
            rows.append(".has_max = true, .max = %d" % shape["max"])
        if "pattern" in shape:
            rows.append(".pattern = &pattern_%d" % self.pattern_index[shape["pattern"]])
        if shape.get("sensitive"):
            rows.append(".sensitive = true")
        if "timestampFormat" in shape:
            rows.append(".timestamp = %s" % TIMESTAMPS[shape["timestampFormat"]])
        return rows

    def _shape(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        if kind == "structure" and not self.is_document(shape):
            self._structure(self.tag(name), "shape_%s" % name, name)
            return
        rows = [".name = %s" % slice_init(name)]
        if self.is_document(shape):
            rows.append(".kind = AWS_DOCUMENT, .size = sizeof(const struct json *)")
        elif kind in SCALARS:
            rows.append(".kind = %s, .size = sizeof(struct %s)" % (SCALARS[kind][1], self.tag(name)))
            if kind in BITS:
                rows.append(".bits = %d" % BITS[kind])
        elif kind == "list":
            rows.append(".kind = AWS_LIST, .size = sizeof(struct %s)" % self.tag(name))
            rows.append(".item = &shape_%s, .item_wire = %s" % (
                shape["member"]["shape"], slice_init(shape["member"].get("locationName", "member"))))
        else:
            tag = self.tag(name)
            rows.append(".kind = AWS_MAP, .size = sizeof(struct %s)" % tag)
            rows.append(".key = &shape_%s, .key_wire = %s" % (shape["key"]["shape"], slice_init(shape["key"].get("locationName", "key"))))
            rows.append(".item = &shape_%s, .item_wire = %s" % (
                shape["value"]["shape"], slice_init(shape["value"].get("locationName", "value"))))
            rows.append(".entry_size = sizeof(struct %s_entry), .value_offset = offsetof(struct %s_entry, value)" % (tag, tag))
        if shape.get("flattened"):
            rows.append(".flattened = true")
        rows += self._constraints(shape)
        if "enum" in shape:
            rows.append(".enum_values = enum_%s, .enum_count = %d" % (name, len(shape["enum"])))
        self.line("static const struct aws_shape shape_%s = {%s};" % (name, ", ".join(rows)))

    def _member(self, tag, shape, name):
        ref = shape["members"][name]
        target = self.shapes[ref["shape"]]
        streaming = is_streaming(ref, self.shapes)
        flattened = bool(target.get("flattened") or ref.get("flattened"))
        wire = ref.get("locationName", name)
        if flattened and target["type"] == "list" and "locationName" in target["member"]:
            wire = target["member"]["locationName"]
        rows = [".name = %s" % slice_init(name), ".wire = %s" % slice_init(wire)]
        if streaming:
            rows.append(".offset = AWS_NO_OFFSET, .streaming = true")
        else:
            rows.append(".offset = offsetof(struct %s, %s), .shape = &shape_%s" % (tag, names.member(name), ref["shape"]))
        if "location" in ref:
            rows.append(".location = %s" % LOCATIONS[ref["location"]])
        stamp = ref.get("timestampFormat", target.get("timestampFormat"))
        if stamp:
            rows.append(".timestamp = %s" % TIMESTAMPS[stamp])
        if name in shape.get("required", []):
            rows.append(".required = true")
        if flattened:
            rows.append(".flattened = true")
        if ref.get("xmlAttribute"):
            rows.append(".attribute = true")
        if ref.get("idempotencyToken"):
            rows.append(".idempotency_token = true")
        namespace = ref.get("xmlNamespace", target.get("xmlNamespace"))
        if namespace:
            rows.append(".xml_namespace = %s" % slice_init(namespace["uri"]))
            if "prefix" in namespace:
                rows.append(".xml_prefix = %s" % slice_init(namespace["prefix"]))
        return "    {%s}," % ", ".join(rows)

    def _structure(self, tag, c_name, name):
        shape = self.shapes[name] if name else {"members": {}}
        count = len(shape["members"])
        members = c_name.replace("shape_", "members_", 1)
        if count:
            self.line("static const struct aws_member %s[] = {" % members)
            for member in shape["members"]:
                self.line(self._member(tag, shape, member))
            self.line("};")
        rows = [".name = %s" % slice_init(name or tag), ".kind = AWS_STRUCTURE", ".size = sizeof(struct %s)" % tag]
        if count:
            rows.append(".members = %s, .member_count = %d" % (members, count))
        if "payload" in shape:
            rows.append(".payload = &%s[%d]" % (members, list(shape["members"]).index(shape["payload"])))
        if shape.get("union"):
            rows.append(".is_union = true")
        rows += self._constraints(shape)
        self.line("static const struct aws_shape %s = {%s};" % (c_name, ", ".join(rows)))

    def _errors(self):
        self.line()
        self.error_index = {}
        exceptions = self.service.exceptions()
        if exceptions:
            self.line("static const struct aws_error_shape errors[] = {")
            for number, (code, status, fault, name) in enumerate(exceptions):
                self.error_index[name] = number
                self.line("    {%s, %d, %s}," % (slice_init(code), status, "true" if fault else "false"))
            self.line("};")
        self.error_count = len(exceptions)

    def _operations(self):
        s = self.service
        for o in s.operations:
            if o.served and o.errors:
                self.line("static const struct aws_error_shape *const errors_%s[] = {%s};" % (
                    o.snake, ", ".join("&errors[%d]" % self.error_index[e] for e in o.errors)))
            if o.literals:
                self.line("static const struct aws_query_literal literals_%s[] = {%s};" % (o.snake, ", ".join(
                    "{%s, %s}" % (slice_init(k), "{NULL, 0}" if v is None else slice_init(v)) for k, v in o.literals)))
            for location, what in (("querystring", "query"), ("header", "headers")):
                if o.required_in(location):
                    self.line("static const struct slice required_%s_%s[] = {%s};" % (
                        what, o.snake, ", ".join(slice_init(n) for n in o.required_in(location))))
        self.line()
        self.line("static const struct aws_operation operations[] = {")
        for index, o in enumerate(s.operations):
            rows = [".service = &%s_service" % s.prefix, ".name = %s" % slice_init(o.name), ".method = %s" % slice_init(o.method),
                    ".path = %s" % slice_init(o.path), ".index = %d" % index, ".response_status = %d" % o.status]
            if o.literals:
                rows.append(".literals = literals_%s, .literal_count = %d" % (o.snake, len(o.literals)))
            for location, what in (("querystring", "query"), ("header", "headers")):
                if o.required_in(location):
                    rows.append(".required_%s = required_%s_%s, .required_%s_count = %d" % (
                        what, what, o.snake, "query" if what == "query" else "header", len(o.required_in(location))))
            if o.deprecated:
                rows.append(".deprecated = true")
            if o.row.get("authtype") == "none" or "smithy.api#noAuth" in o.row.get("auth", []):
                rows.append(".unsigned_allowed = true")
            if o.row.get("httpChecksum", {}).get("requestAlgorithmMember"):
                rows.append(".body_checksum = true")
            if o.row.get("httpChecksum", {}).get("requestChecksumRequired") or o.row.get("httpChecksumRequired"):
                rows.append(".checksum_required = true")
            if o.served:
                rows.append(".served = true, .request = &shape_%s_request, .response = &shape_%s_response" % (o.snake, o.snake))
                if o.output:
                    root = s.facts.get("roots", {}).get(o.name, o.output)
                    rows.append(".has_output = true, .response_root = %s" % slice_init(root))
                if o.name in s.facts.get("unwrapped", []):
                    rows.append(".response_unwrapped = true")
                if o.result_wrapper:
                    rows.append(".result_wrapper = %s" % slice_init(o.result_wrapper))
                if o.errors:
                    rows.append(".errors = errors_%s, .error_count = %d" % (o.snake, len(o.errors)))
            self.line("    {%s}," % ", ".join(rows))
        self.line("};")
        self.line()
        namespace = s.metadata.get("xmlNamespace")
        if isinstance(namespace, dict):
            namespace = namespace.get("uri")
        if s.protocol == "AWS_REST_XML" and not namespace:
            namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
        self.line("const struct aws_service %s_service = {" % s.prefix)
        self.line("    .id = %s, .signing_name = %s, .prefix = %s," % tuple(map(slice_init, (s.id, s.signing_name, s.prefix))))
        self.line("    .protocol = %s, .api_version = %s," % (s.protocol, slice_init(s.metadata["apiVersion"])))
        if namespace:
            self.line("    .xml_namespace = %s," % slice_init(namespace))
        if "targetPrefix" in s.metadata:
            self.line("    .target_prefix = %s," % slice_init(s.metadata["targetPrefix"]))
        self.line("    .validation_code = %s, .serialization_code = %s, .internal_code = %s," % tuple(
            slice_init(s.facts[k]) for k in ("validation", "serialization", "internal")))
        self.line("    .operations = operations, .operation_count = %d," % len(s.operations))
        if self.error_count:
            self.line("    .errors = errors, .error_count = %d," % self.error_count)
        self.line("};")
