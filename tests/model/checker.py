"""Holds one exchange against its service's model: members, types, forms, status, errors, headers. Written from the models and the
protocols alone, so that it shares no mistake with the daemon."""
import datetime, email.utils, json, re
import xml.etree.ElementTree as ET

import botocore.parsers

import common_errors
import exchanges

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
INTEGERS = {"integer": 1 << 31, "long": 1 << 63, "short": 1 << 15, "byte": 1 << 7}
# Of S3's XML answers that the model in this form does not tell: the root's name, and one answer whose root is itself the value.
S3_UNWRAPPED = {"GetBucketLocation"}
# Headers of an answer that no model lists.
COMMON_HEADERS = {"content-type", "content-length", "date", "connection", "x-amz-request-id", "x-amz-id-2", "x-amzn-requestid", "x-amzn-errortype", "server",
                  "transfer-encoding", "accept-ranges", "x-amz-bucket-region", "allow", "retry-after"}


class Problems(list):
    def add(self, path, text):
        self.append("%s: %s" % (path or "answer", text))


def java_pattern(pattern):
    """Java's regular expressions of the models, as far as Python's differ."""
    pattern = re.sub(r"\[\\p\{L\}\\p\{Z\}\\p\{N\}([^\]]*)\]", r"[\\w\\s\1]", pattern)
    return re.sub(r"\\p\{[A-Z]\}", r"\\w", pattern).replace(r"\p{Graph}", "!-~")


def check_constraints(problems, path, shape, value):
    """Bounds, patterns and enums hold for answers too."""
    meta = shape.metadata
    if shape.type_name == "string":
        if meta.get("enum") and value not in meta["enum"]:
            problems.add(path, "%r is not in the enum %s" % (value, shape.name))
        if meta.get("pattern") and not re.fullmatch(java_pattern(meta["pattern"]), value, re.S):
            problems.add(path, "%r does not match %s" % (value, meta["pattern"]))
    size = value if shape.type_name in INTEGERS else len(value)
    if not size and shape.type_name in ("map", "list"):
        return # services show what is empty (tags of a cluster) although a request must not have it so
    if "min" in meta and size < meta["min"] or "max" in meta and size > meta["max"]:
        problems.add(path, "%r is outside %s..%s" % (value, meta.get("min"), meta.get("max")))


def check_timestamp_text(problems, path, text, form):
    if form == "iso8601":
        good = ISO8601.fullmatch(text) and datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    elif form == "rfc822":
        good = text.endswith(" GMT") and email.utils.parsedate_to_datetime(text)
    else:
        good = re.fullmatch(r"-?\d+(\.\d{1,3})?", text)
    if not good:
        problems.add(path, "%r is no timestamp in the form %s" % (text, form))


# ---- JSON ----

def strict_json(body):
    def pairs(items):
        names = [name for name, _ in items]
        if len(set(names)) != len(names):
            raise ValueError("a member is there twice: %s" % names)
        return dict(items)
    def constant(text):
        raise ValueError("%s is no JSON" % text)
    return json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)


def check_json(problems, path, shape, value):
    kind = shape.type_name
    if value is None:
        problems.add(path, "null where the model has %s" % kind)
    elif kind == "structure" and shape.metadata.get("document"):
        pass
    elif kind == "structure":
        if not isinstance(value, dict):
            problems.add(path, "%r is no structure" % (value,))
            return
        members = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items() if m.serialization.get("location") is None}
        for name, child in value.items():
            if name not in members:
                problems.add(path, "%s is no member of %s" % (name, shape.name))
            else:
                check_json(problems, "%s.%s" % (path, name) if path else name, members[name][1], child)
        for wire, (name, _) in members.items():
            if name in shape.required_members and wire not in value:
                problems.add(path, "%s of %s is required" % (name, shape.name))
    elif kind == "list":
        if not isinstance(value, list):
            problems.add(path, "%r is no list" % (value,))
            return
        check_constraints(problems, path, shape, value)
        for index, item in enumerate(value):
            check_json(problems, "%s[%d]" % (path, index), shape.member, item)
    elif kind == "map":
        if not isinstance(value, dict):
            problems.add(path, "%r is no map" % (value,))
            return
        check_constraints(problems, path, shape, value)
        for name, item in value.items():
            check_constraints(problems, path + " key", shape.key, name)
            check_json(problems, "%s[%s]" % (path, name), shape.value, item)
    elif kind == "timestamp":
        form = shape.serialization.get("timestampFormat", "unixTimestamp")
        if form == "unixTimestamp":
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                problems.add(path, "%r is no number of seconds" % (value,))
        elif not isinstance(value, str):
            problems.add(path, "%r is no text in the form %s" % (value, form))
        else:
            check_timestamp_text(problems, path, value, form)
    else:
        check_scalar(problems, path, shape, value)


def check_scalar(problems, path, shape, value):
    kind = shape.type_name
    if kind in ("string", "blob", "character"):
        if not isinstance(value, str):
            problems.add(path, "%r is no text" % (value,))
        elif kind == "string":
            check_constraints(problems, path, shape, value)
    elif kind == "boolean":
        if not isinstance(value, bool):
            problems.add(path, "%r is no boolean" % (value,))
    elif kind in INTEGERS:
        if isinstance(value, bool) or not isinstance(value, int) or not -INTEGERS[kind] <= value < INTEGERS[kind]:
            problems.add(path, "%r is no %s" % (value, kind))
        else:
            check_constraints(problems, path, shape, value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        problems.add(path, "%r is no number" % (value,))


# ---- XML and headers ----

def check_text(problems, path, shape, text, form):
    """A scalar written as text."""
    kind = shape.type_name
    if kind == "timestamp":
        check_timestamp_text(problems, path, text, shape.serialization.get("timestampFormat", form))
    elif kind == "boolean":
        if text not in ("true", "false"):
            problems.add(path, "%r is no boolean" % text)
    elif kind in INTEGERS:
        if not re.fullmatch(r"-?\d+", text):
            problems.add(path, "%r is no %s" % (text, kind))
        else:
            check_scalar(problems, path, shape, int(text))
    elif kind in ("float", "double"):
        if not re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text):
            problems.add(path, "%r is no number" % text)
    elif kind == "string":
        check_constraints(problems, path, shape, text)


def local(node):
    return node.tag.rpartition("}")[2]


def check_xml(problems, path, shape, node):
    kind = shape.type_name
    if kind == "structure":
        check_xml_members(problems, path, shape, node)
    elif kind == "list":
        name = shape.member.serialization.get("name", "member")
        for item in node:
            if local(item) != name:
                problems.add(path, "<%s> in a list of <%s>" % (local(item), name))
            else:
                check_xml(problems, path + "." + name, shape.member, item)
    elif kind == "map":
        problems.add(path, "maps are not looked into: extend the checker")
    else:
        if len(node):
            problems.add(path, "elements where the model has %s" % kind)
        check_text(problems, path, shape, node.text or "", "iso8601")


def check_xml_members(problems, path, shape, node):
    members, flat = {}, set()
    for name, member in shape.members.items():
        if member.serialization.get("location") is not None:
            continue
        wire = member.serialization.get("name", name)
        if member.type_name == "list" and member.serialization.get("flattened"):
            wire = member.member.serialization.get("name", wire)
            flat.add(wire)
        members[wire] = (name, member)
    seen = set()
    for child in node:
        wire = local(child)
        where = path + "." + wire if path else wire
        if wire not in members:
            problems.add(path, "<%s> is no member of %s" % (wire, shape.name))
            continue
        if wire in seen and wire not in flat:
            problems.add(path, "<%s> is there twice" % wire)
        seen.add(wire)
        member = members[wire][1]
        check_xml(problems, where, member.member if wire in flat else member, child)
    for wire, (name, member) in members.items():
        if name in shape.required_members and wire not in seen and wire not in flat:
            problems.add(path, "%s of %s is required" % (name, shape.name))


def check_header_members(problems, shape, exchange):
    known = {}
    prefixes = []
    for name, member in (shape.members if shape else {}).items():
        place, wire = member.serialization.get("location"), member.serialization.get("name", name).lower()
        if place == "header":
            known[wire] = member
        elif place == "headers":
            prefixes.append(wire)
    for name, value in exchange.header_list:
        if name in known:
            if name != "content-length" and not (name == "expires" and exchange.service == "s3"): # as the client stored it
                check_text(problems, name, known[name], value, "rfc822")
        elif name not in COMMON_HEADERS and not any(name.startswith(p) for p in prefixes):
            problems.add(name, "no such header in %s" % (shape.name if shape else "the model"))


# ---- whole answers ----

def parse(path):
    return ET.fromstring(path)


def botocore_parses(problems, exchange, shape, protocol):
    """Its parser's result; what it cannot read is a problem."""
    try:
        return botocore.parsers.create_parser(protocol).parse({"status_code": exchange.status, "headers": dict(exchange.header_list), "body": exchange.body}, shape)
    except Exception as e: # whatever it is, a client would have seen it
        problems.add("", "botocore cannot read it: %r" % e)
        return None


def leaves(value):
    if isinstance(value, dict):
        return sum(leaves(v) for v in value.values())
    if isinstance(value, list):
        return sum(leaves(v) for v in value)
    return 1


def xml_leaves(node):
    return sum(xml_leaves(c) for c in node) if len(node) else (1 if node.text is not None else 0)


def check_ids(problems, exchange, protocol):
    if protocol == "rest-xml":
        if not re.fullmatch("[0-9A-Z]{16}", exchange.headers.get("x-amz-request-id", "")) or not exchange.headers.get("x-amz-id-2"):
            problems.add("x-amz-request-id", "missing or strange")
    elif not UUID.fullmatch(exchange.headers.get("x-amzn-requestid", "")):
        problems.add("x-amzn-requestid", "missing or strange")
    if len(exchange.headers) != len(exchange.header_list):
        problems.add("headers", "one is there twice: %s" % [n for n, _ in exchange.header_list])


def wants_json(exchange):
    return "application/json" in exchange.request_headers.get("accept", "")


def check_type(problems, exchange, protocol):
    wanted = {"json": "application/x-amz-json-1.1", "rest-json": "application/json", "query": "application/json" if wants_json(exchange) else "text/xml",
              "rest-xml": "application/xml"}[protocol]
    if exchange.body and exchange.headers.get("content-type") != wanted:
        problems.add("content-type", "%r instead of %s" % (exchange.headers.get("content-type"), wanted))


def check_success(problems, exchange, operation, protocol):
    shape = operation.output_shape
    wanted = operation.http.get("responseCode", 200)
    partial = exchange.service == "s3" and exchange.status == 206 and ("range" in exchange.request_headers or "partNumber=" in exchange.query)
    if exchange.status != wanted and not partial:
        problems.add("status", "%d instead of %d" % (exchange.status, wanted))
    if protocol == "rest-xml":
        check_header_members(problems, shape, exchange)
    if exchange.streamed or exchange.cut or exchange.method == "HEAD":
        return
    check_type(problems, exchange, protocol)
    parsed = None if wants_json(exchange) and protocol == "query" else botocore_parses(problems, exchange, shape, protocol)
    if protocol in ("json", "rest-json"):
        has_body = exchange.body or protocol == "rest-json"
        value = strict_json(exchange.body) if has_body else {}
        check_json(problems, "", shape, value) if shape else (value and problems.add("", "a body where the model has none"))
    elif protocol == "query":
        if wants_json(exchange):
            check_query_json(problems, exchange, operation)
            return
        value = check_query_xml(problems, exchange, operation)
    else:
        value = check_s3_body(problems, exchange, operation)
    if parsed is None or value is None:
        return
    parsed.pop("ResponseMetadata", None)
    counted = {n: v for n, v in parsed.items() if shape is None or shape.members[n].serialization.get("location") is None} if isinstance(parsed, dict) else parsed
    sent = leaves(value) if isinstance(value, dict) else value
    if leaves(counted) < sent:
        problems.add("", "botocore's parser loses something: %r" % (parsed,))


def check_query_json(problems, exchange, operation):
    value = strict_json(exchange.body)["%sResponse" % operation.name]
    if value["ResponseMetadata"]["RequestId"] != exchange.headers["x-amzn-requestid"]:
        problems.add("RequestId", "differs from the header")
    if operation.output_shape:
        check_json(problems, "", operation.output_shape, value[operation.output_shape.serialization["resultWrapper"]])


def check_query_xml(problems, exchange, operation):
    root = parse(exchange.body)
    namespace = exchanges.model(exchange.service).metadata["xmlNamespace"]
    if root.tag != "{%s}%sResponse" % (namespace, operation.name):
        problems.add("", "the root is %s" % root.tag)
    children = {local(c): c for c in root}
    if children["ResponseMetadata"][0].text != exchange.headers["x-amzn-requestid"]:
        problems.add("RequestId", "differs from the header")
    shape = operation.output_shape
    if not shape:
        return 0
    result = children[shape.serialization["resultWrapper"]]
    check_xml_members(problems, "", shape, result)
    return xml_leaves(result)


def check_s3_body(problems, exchange, operation):
    shape = operation.output_shape
    if not exchange.body:
        if shape and any(m.serialization.get("location") is None for m in shape.members.values()) and not shape.serialization.get("payload"):
            problems.add("", "no body")
        return None
    root = parse(exchange.body)
    if local(root) == "Error" and operation.name in ("CopyObject", "CompleteMultipartUpload", "UploadPartCopy"):
        return None
    if not root.tag.startswith("{http://s3.amazonaws.com/doc/2006-03-01/}"):
        problems.add("", "the root is %s" % root.tag)
    payload = shape.serialization.get("payload")
    if operation.name in S3_UNWRAPPED:
        return None
    check_xml_members(problems, "", shape.members[payload] if payload else shape, root)
    return xml_leaves(root)


def error_of(problems, exchange, protocol):
    """(code, its other members) out of an error's body."""
    if protocol == "rest-xml":
        if exchange.method == "HEAD" or exchange.status == 304:
            if exchange.body:
                problems.add("", "a body where there must be none")
            return None, {}
        root = parse(exchange.body)
        if root.tag != "Error":
            problems.add("", "the root is %s" % root.tag)
        values = {c.tag: c.text for c in root}
        if values.get("RequestId") != exchange.headers.get("x-amz-request-id") or values.get("HostId") != exchange.headers.get("x-amz-id-2"):
            problems.add("", "its ids differ from the headers")
        if not values.get("Message"):
            problems.add("", "no message")
        return values.get("Code"), {}
    if protocol == "query":
        if wants_json(exchange):
            value = strict_json(exchange.body)
            return value["Error"]["Code"], {}
        root = parse(exchange.body)
        namespace = exchanges.model(exchange.service).metadata["xmlNamespace"]
        values = {local(c): (c.text or "").strip() for c in root.iter()}
        if root.tag != "{%s}ErrorResponse" % namespace or values.get("RequestId") != exchange.headers["x-amzn-requestid"]:
            problems.add("", "the root is %s, or its id differs from the header" % root.tag)
        if values.get("Type") != ("Sender" if exchange.status < 500 else "Receiver") or "Message" not in values:
            problems.add("", "Type is %s" % values.get("Type"))
        return values.get("Code"), {}
    value = strict_json(exchange.body)
    code = value.pop("__type", None)
    if exchange.headers.get("x-amzn-errortype") != code:
        problems.add("x-amzn-errortype", "%r, and __type is %r" % (exchange.headers.get("x-amzn-errortype"), code))
    messages = [value.pop(name, None) for name in ("message", "Message")]
    if not any(messages) and code != "SerializationException":
        problems.add("", "no message")
    return code, value


def check_error(problems, exchange, operation, protocol):
    check_type(problems, exchange, protocol)
    code, rest = error_of(problems, exchange, protocol)
    if code is None:
        return
    service = exchanges.model(exchange.service)
    shapes = {s.error_code: s for s in (operation.error_shapes if operation else service.error_shapes)}
    every = {s.error_code: s for s in service.error_shapes}
    common = common_errors.OF_PROTOCOL[protocol]
    facts = exchanges.facts(exchange.service)
    own = {facts["validation"]: 400, facts["serialization"]: 400, facts["internal"]: 500}
    shape = shapes.get(code)
    # S3's model lists hardly any error; of the others the shared ones (internal, throttled) are not in every operation's list.
    undeclared = [r["code"] for r in exchanges.allowed("undeclared") if r["of"] == "%s:%s" % (exchange.service, operation and operation.name)]
    if shape is None and code not in common and code not in own and code not in undeclared:
        problems.add("error", "%s is neither in the model of %s nor a common error" % (code, operation.name if operation else exchange.service))
        return
    if shape is None:
        shape = every.get(code)
    wanted = shape.metadata.get("error", {}).get("httpStatusCode") if shape else None
    if wanted is None and shape and protocol != "rest-xml": # S3's model has hardly a status
        wanted = 500 if service._service_description["shapes"][shape.name].get("fault") else 400
    if wanted is None:
        wanted = common.get(code, own.get(code, 400))
    if exchange.status != wanted:
        problems.add("status", "%d instead of %d for %s" % (exchange.status, wanted, code))
    members = {m.serialization.get("name", n) for n, m in shape.members.items()} if shape else set()
    for name in rest:
        if name not in members:
            problems.add("error", "%s is no member of %s" % (name, code))
    parsed = botocore_parses(problems, exchange, operation.output_shape if operation else None, protocol) if not (wants_json(exchange) and protocol == "query") else None
    if parsed and parsed["Error"]["Code"] != code:
        problems.add("error", "botocore reads %r instead of %s" % (parsed["Error"], code))


def check_form_upload(problems, exchange):
    """The answer to a browser's form (S3's POST Object), which no model has: nothing, a document, or a redirect."""
    if exchange.status not in (200, 201, 204, 303) or not exchange.headers.get("location") or not exchange.headers.get("etag"):
        problems.add("", "no answer to a form")
    if (exchange.status == 201) != bool(exchange.body):
        problems.add("", "a body belongs to 201 and to nothing else")
    if exchange.body and [local(c) for c in parse(exchange.body)] != ["Location", "Bucket", "Key", "ETag"]:
        problems.add("", "no PostResponse")


def problems_of(exchange):
    problems = Problems()
    service = exchanges.model(exchange.service)
    protocol = service.metadata["protocol"]
    operation = service.operation_model(exchange.operation) if exchange.operation else None
    check_ids(problems, exchange, protocol)
    try:
        if exchange.service == "s3" and exchange.method == "POST" and exchange.operation == "PutObject" and (exchange.status < 300 or exchange.status == 303):
            check_form_upload(problems, exchange)
        elif exchange.status >= 300:
            check_error(problems, exchange, operation, protocol)
        elif operation is None:
            problems.add("", "a success of no operation")
        else:
            check_success(problems, exchange, operation, protocol)
    except (ValueError, KeyError, IndexError, ET.ParseError) as e:
        problems.add("", "cannot be read: %r" % e)
    return problems
