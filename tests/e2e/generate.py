"""Inputs from the models: the least valid one, one that breaks one constraint, one that just keeps it; and what AWS's validator says of an
input. Written from the models and the wording alone (aws validation: "N validation errors detected: Value … at … failed to satisfy
constraint: …"), so that it shares no mistake with the daemon."""
import copy, datetime, pathlib, re, sys, tomllib

try:
    import re._parser as sre # Python 3.11
except ImportError:
    import sre_parse as sre

import botocore.loaders
import botocore.model

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTEGERS = ("integer", "long", "short", "byte")
REPORTED, SHOWN = 10, 4096
TIME = datetime.datetime(2026, 11, 21, 21, 10, tzinfo=datetime.timezone.utc)
BIGGEST = 200000 # no value longer than this is made


def services():
    for path in sorted((ROOT / "model").glob("*.toml")):
        facts = tomllib.loads(path.read_text("utf-8"))
        name, version = facts["model"].split("/")
        loaded = botocore.loaders.Loader().load_service_model(name, "service-2", version)
        for row in facts.get("deviation", []): # where we leave the model on purpose
            shape, _, member = row["of"].partition(".")
            change = row.get("change") or {}
            if "pattern" in change:
                loaded["shapes"][shape]["pattern"] = change["pattern"]
            if change.get("required") is False:
                loaded["shapes"][shape]["required"] = [r for r in loaded["shapes"][shape]["required"] if r != member]
        yield path.stem, facts, botocore.model.ServiceModel(loaded, name)


# ---- texts that match a pattern ----

def python_pattern(pattern):
    pattern = pattern.replace(r"\p{L}", "A-Za-z\u00c0-\u00d6").replace(r"\p{Z}", " ").replace(r"\p{N}", "0-9").replace(r"\p{Graph}", "!-~")
    return re.sub(r"\\u([0-9A-F]{4})", lambda m: "\\x%s" % m.group(1)[2:] if m.group(1).startswith("00") else "\\u" + m.group(1), pattern)


def matches(pattern, text):
    several_lines = re.S if pattern == r".*\S.*" else 0 # as tools/awsgen/regex.py has it
    return re.fullmatch(python_pattern(pattern), text, several_lines) is not None


def one_of(items):
    """A character of a class; letters and digits first, since some are special elsewhere."""
    wanted = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/:.=@+ "
    text = "[%s]" % "".join(class_text(op, value) for op, value in items)
    for c in wanted + "".join(map(chr, range(33, 127))):
        if re.fullmatch(text, c):
            return c
    raise ValueError("no character for %s" % text)


def class_text(op, value):
    name = str(op)
    if name == "NEGATE":
        return "^"
    if name == "LITERAL":
        return re.escape(chr(value))
    if name == "RANGE":
        return "%s-%s" % (re.escape(chr(value[0])), re.escape(chr(value[1])))
    return {"CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W", "CATEGORY_SPACE": r"\s",
            "CATEGORY_NOT_SPACE": r"\S"}[str(value)]


def pieces(tree, wide):
    """[(text, 0) or (None, (text, how many more of it may stand here))] of the shortest match; wide: with one of each optional part that has
    room inside."""
    out = []
    for op, value in tree:
        name = str(op)
        if name == "LITERAL":
            out.append((chr(value), 0))
        elif name == "NOT_LITERAL":
            out.append(("a" if value != ord("a") else "b", 0))
        elif name == "ANY":
            out.append(("a", 0))
        elif name == "IN":
            out.append((one_of(value), 0))
        elif name == "SUBPATTERN":
            out += pieces(value[-1], wide)
        elif name == "BRANCH":
            out += min((pieces(branch, wide) for branch in value[1]), key=lambda p: sum(len(t or "") for t, _ in p))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, inner = value
            made = pieces(inner, wide)
            if wide and not low and any(t is None for t, _ in made):
                low = 1
            out += made * low
            text = "".join(t for t, _ in made if t is not None)
            more = min(int(high), BIGGEST) - low
            if more and text:
                out.append((None, (text, more)))
        elif name not in ("AT", "ASSERT", "ASSERT_NOT"): # what is asserted is checked in the end
            raise ValueError("pattern: %s" % name)
    return out


def text_of(pattern, length=None, low=0):
    """A match of that length, or the shortest of at least low; None: there is none of this kind."""
    if not pattern:
        return "a" * (length if length is not None else max(low, 1))
    for wide in (False, True):
        text = filled(pieces(sre.parse(python_pattern(pattern)), wide), length, low)
        if (length is None or len(text) == length) and len(text) >= low and matches(pattern, text):
            return text
    return None


def filled(made, length, low):
    """Of that length or at least low, as far as there is room."""
    shortest = sum(len(t) for t, _ in made if t is not None)
    missing, out = (length if length is not None else max(low, shortest, 1)) - shortest, []
    for text, more in made:
        if text is None:
            count = max(0, min(more[1], missing // len(more[0])))
            missing -= count * len(more[0])
            text = more[0] * count
        out.append(text)
    return "".join(out)


# ---- inputs ----

def needed(value, shape):
    if value is None:
        raise ValueError("no text is found for %s %s" % (shape.name, shape.metadata))
    return value


def least(shape, stack=()):
    """The smallest valid value."""
    kind, meta = shape.type_name, shape.metadata
    if kind == "structure":
        found = {name: least(member, stack + (shape.name,)) for name, member in shape.members.items() if name in shape.required_members}
        for name in found: # an empty list cannot be said in a query
            if found[name] == [] and shape.members[name].serialization.get("location") == "querystring":
                found[name] = [least(shape.members[name].member)]
        return found
    if kind == "list":
        return [least(shape.member, stack + (shape.name,)) for _ in range(meta.get("min", 0))]
    if kind == "map":
        count = meta.get("min", 0)
        return dict(zip(keys_of(shape.key, count), [least(shape.value, stack + (shape.name,))] * count))
    if kind == "string":
        if meta.get("enum"):
            return meta["enum"][0]
        return needed(text_of(meta.get("pattern"), low=meta.get("min", 0)), shape)
    if kind in INTEGERS:
        return meta.get("min", 1)
    return {"boolean": True, "timestamp": TIME, "float": 1.5, "double": 1.5, "blob": b"a"}[kind]


def keys_of(shape, count):
    """Different valid keys; some patterns have none longer than a few letters."""
    start = len(least(shape))
    return [k for k in ("%s%d" % ("k" * max(start, 1), i) for i in range(count)) if not shape.metadata.get("pattern") or matches(shape.metadata["pattern"], k)]


def strange(pattern, low, high):
    """A text that does not match, of allowed length if there is one."""
    good = text_of(pattern, low=low) or "a"
    for text in (good + "\n", " " + good, good + "!", "!" * max(low, 1), good + "\u00e9", "\t", "~" * max(low, 1)):
        if not matches(pattern, text) and low <= len(text) <= high:
            return text
    return None


def broken_values(shape, location):
    """(what, a value that breaks it, one that just keeps it or None); shape's own constraints only."""
    kind, meta = shape.type_name, shape.metadata
    low, high = meta.get("min"), meta.get("max")
    if kind == "string":
        pattern = meta.get("pattern")
        if meta.get("enum"):
            yield "enum", "NO_SUCH_VALUE", meta["enum"][-1]
        if low and (location != "uri" or low > 1):
            yield "min", text_of(None, low - 1) if low > 1 else "", text_of(pattern, low)
        if high is not None and high < BIGGEST:
            yield "max", text_of(pattern, high + 1) or "a" * (high + 1), text_of(pattern, high)
        if pattern:
            yield "pattern", strange(pattern, low or 0, high if high is not None else BIGGEST), text_of(pattern, low=low or 0)
    elif kind in INTEGERS:
        if low is not None:
            yield "min", low - 1, low
        if high is not None:
            yield "max", high + 1, high
    elif kind == "list":
        item = least(shape.member)
        if low:
            yield "min", [item] * (low - 1), [item] * low
        if high is not None and high <= 20000:
            yield "max", [item] * (high + 1), [item] * high
    elif kind == "map":
        if low:
            yield "min", {}, dict.fromkeys(keys_of(shape.key, low), least(shape.value))
        if high is not None and high <= 20000:
            keys = keys_of(shape.key, high + 1)
            if len(keys) == high + 1:
                yield "max", dict.fromkeys(keys, least(shape.value)), dict.fromkeys(keys[:-1], least(shape.value))


def walk(shape, put, path="", stack=(), location=None):
    """(what, path, an input that breaks it, one that just keeps it or None) for every constraint below; put(v) makes the whole input of v."""
    for what, bad, good in broken_values(shape, location):
        if bad is not None:
            yield what, path, put(bad), None if good is None else put(good)
    if stack.count(shape.name) > 1 or len(stack) > 12:
        return
    inside = stack + (shape.name,)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            where = "%s.%s" % (path, name) if path else name
            place = member.serialization.get("location")
            if name in shape.required_members and place != "uri" and not member.metadata.get("idempotencyToken"):
                without = least(shape)
                del without[name]
                yield "required", where, put(without), put(least(shape))
            yield from walk(member, lambda v, name=name: put({**least(shape), name: v}), where, inside, place)
    elif shape.type_name == "list":
        spare = max(shape.metadata.get("min", 0) - 1, 0)
        yield from walk(shape.member, lambda v: put([v] + [least(shape.member)] * spare), path + ".1", inside)
    elif shape.type_name == "map":
        for what, bad, good in broken_values(shape.key, None):
            if bad is not None:
                yield what, path + ".key", put({bad: least(shape.value)}), None if good is None else put({good: least(shape.value)})
        key = (keys_of(shape.key, 1) or [least(shape.key)])[0]
        yield from walk(shape.value, lambda v: put({key: v}), path + ".value", inside)


# ---- AWS's words ----

def length(text):
    return len(text.encode("utf-16-le")) // 2


def own_violations(shape, value):
    kind, meta = shape.type_name, shape.metadata
    out = []
    if kind == "string":
        if meta.get("enum") and value not in meta["enum"]:
            out.append("Member must satisfy enum value set: [%s]" % ", ".join(meta["enum"]))
        if meta.get("pattern") and not matches(meta["pattern"], value):
            out.append("Member must satisfy regular expression pattern: " + meta["pattern"])
        measure, word = length(value), "length"
    elif kind in ("list", "map"):
        measure, word = len(value), "length"
    elif kind in INTEGERS:
        measure, word = value, "value"
    else:
        return out
    if "min" in meta and measure < meta["min"]:
        out.append("Member must have %s greater than or equal to %d" % (word, meta["min"]))
    if "max" in meta and measure > meta["max"]:
        out.append("Member must have %s less than or equal to %d" % (word, meta["max"]))
    return out


def all_constraints(shape):
    meta, out = shape.metadata, []
    if "max" in meta:
        out.append("Member must have length less than or equal to %d" % meta["max"])
    if "min" in meta:
        out.append("Member must have length greater than or equal to %d" % meta["min"])
    if meta.get("pattern"):
        out.append("Member must satisfy regular expression pattern: " + meta["pattern"])
    if meta.get("enum"):
        out.append("Member must satisfy enum value set: [%s]" % ", ".join(meta["enum"]))
    return ", ".join(out)


def told(shape, value, path, sensitive, constraint):
    if value is None:
        shown = "null "
    elif sensitive:
        shown = ""
    elif shape.type_name in ("list", "map", "structure"):
        shown = "'…' " # how Java writes them is no promise
    else:
        shown = "'%s' " % str(value)[:SHOWN]
    return "Value %sat '%s' failed to satisfy constraint: %s" % (shown, path, constraint)


def is_scalar(shape):
    return shape.type_name not in ("structure", "list", "map")


def violations(shape, value, path="", sensitive=False):
    sensitive = sensitive or bool(shape.metadata.get("sensitive"))
    out = [told(shape, value, path, sensitive, text) for text in own_violations(shape, value)]
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            where = (path + "." if path else "") + name[0].lower() + name[1:]
            if value.get(name) is not None:
                out += violations(member, value[name], where, sensitive)
            elif name in shape.required_members:
                out.append(told(member, None, where, False, "Member must not be null"))
    elif shape.type_name == "list":
        for number, item in enumerate(value, 1):
            if not is_scalar(shape.member):
                out += violations(shape.member, item, "%s.%d.member" % (path, number), sensitive)
            elif own_violations(shape.member, item):
                hidden = sensitive or shape.member.metadata.get("sensitive")
                out.append(told(shape, value, path, hidden, "Member must satisfy constraint: [%s]" % all_constraints(shape.member)))
                break
    elif shape.type_name == "map":
        if any(own_violations(shape.key, key) for key in value):
            hidden = sensitive or shape.key.metadata.get("sensitive")
            out.append(told(shape, value, path, hidden, "Map keys must satisfy constraint: [%s]" % all_constraints(shape.key)))
        for key, item in value.items():
            if not is_scalar(shape.value):
                out += violations(shape.value, item, "%s.%s.member" % (path, key), sensitive)
            elif own_violations(shape.value, item):
                hidden = sensitive or shape.value.metadata.get("sensitive")
                out.append(told(shape, value, path, hidden, "Map value must satisfy constraint: [%s]" % all_constraints(shape.value)))
                break
    return out


def message(shape, value):
    """The whole message; None: nothing is violated."""
    found = violations(shape, value)[:REPORTED]
    return "%d validation error%s detected: %s" % (len(found), "" if len(found) == 1 else "s", "; ".join(found)) if found else None


def cases(operation):
    """(name, input, the wanted message or None) of an operation."""
    shape = operation.input_shape
    if shape is None:
        return
    together, places = None, []
    for what, path, bad, good in walk(shape, copy.deepcopy):
        wanted = message(shape, bad)
        assert wanted, "%s %s: the input made for it breaks nothing" % (path, what)
        yield "%s-%s" % (path, what), bad, wanted
        if good is not None and message(shape, good) is None:
            yield "%s-%s-kept" % (path, what), good, None
        top = path.split(".")[0]
        if "." not in path and what != "required" and top not in places:
            places.append(top)
            together = {**(together or least(shape)), top: bad[top]}
    if len(places) > 1:
        yield "together", together, message(shape, together)
