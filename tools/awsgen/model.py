"""Reads one botocore service model and the facts we add to it (model/SERVICE.toml), and checks both before anything is written."""
import gzip
import json
import pathlib
import tomllib

import names
import regex

PROTOCOLS = {"rest-json": "AWS_REST_JSON", "json": "AWS_JSON_1_1", "query": "AWS_QUERY", "rest-xml": "AWS_REST_XML"}
KNOWN_KEYS = {"model", "prefix", "validation", "serialization", "internal", "operations", "roots", "unwrapped", "deviation"}


class ModelError(Exception):
    pass


class Operation:
    def __init__(self, service, name, row):
        self.service, self.name, self.row = service, name, row
        self.snake = names.snake(name)
        self.method = row["http"]["method"]
        self.path, _, query = row["http"]["requestUri"].partition("?")
        self.literals = []
        for part in query.split("&") if query else []:
            key, equals, value = part.partition("=")
            self.literals.append((key, value if equals else None))
        self.served = name in service.served
        self.deprecated = bool(row.get("deprecated"))
        self.input = row.get("input", {}).get("shape")
        self.output = row.get("output", {}).get("shape")
        self.result_wrapper = row.get("output", {}).get("resultWrapper")
        self.status = row["http"].get("responseCode", 200)
        self.errors = [e["shape"] for e in row.get("errors", [])]

    def required_in(self, location):
        """Wire names of the required members there; S3 tells operations of one path apart by them."""
        shape = self.service.shapes[self.input] if self.input else {}
        return [m.get("locationName", n) for n, m in shape.get("members", {}).items()
                if n in shape.get("required", []) and m.get("location") == location]

    def struct(self, kind):
        return "%s_%s_%s" % (self.service.prefix, self.snake, kind)


class Service:
    def __init__(self, data_dir, toml_path, version):
        with open(toml_path, "rb") as f:
            self.facts = tomllib.load(f)
        unknown = set(self.facts) - KNOWN_KEYS
        if unknown:
            raise ModelError("%s: unknown keys %s" % (toml_path, sorted(unknown)))
        self.id = pathlib.Path(toml_path).stem
        self.prefix = self.facts["prefix"]
        self.served = self.facts["operations"]
        self.version = version
        path = pathlib.Path(data_dir) / self.facts["model"] / "service-2.json.gz"
        with gzip.open(path) as f:
            model = json.load(f)
        self.model_name = self.facts["model"]
        self.metadata, self.shapes = model["metadata"], model["shapes"]
        missing = [o for o in self.served if o not in model["operations"]]
        if missing or len(set(self.served)) != len(self.served):
            raise ModelError("%s: not in the model, or twice: %s" % (toml_path, missing))
        self._apply_deviations(toml_path)
        self.operations = [Operation(self, n, model["operations"][n]) for n in sorted(model["operations"])]
        self.protocol = PROTOCOLS[self.metadata["protocol"]]
        self.signing_name = self.metadata.get("signingName", self.metadata["endpointPrefix"])
        self.reachable = self._reach()
        self._check_patterns()

    def _apply_deviations(self, toml_path):
        """[[deviation]] of = "Shape" or "Shape.member", change = {…}, reason = "…": where we leave the model on purpose."""
        for row in self.facts.get("deviation", []):
            if not row.get("reason"):
                raise ModelError("%s: a deviation without a reason" % toml_path)
            change = row.get("change")
            if not change:
                continue  # prose only: shown in the reference
            shape_name, _, member = row["of"].partition(".")
            shape = self.shapes[shape_name]
            if change.get("required") is False:
                shape["required"] = [r for r in shape["required"] if r != member]
            elif "pattern" in change:
                shape["pattern"] = change["pattern"]
            elif "error" in change:
                shape["error"] = change["error"]
            else:
                raise ModelError("%s: unknown change %r" % (toml_path, change))

    def _reach(self):
        """Shapes that the served operations' requests and responses need, nested ones only, in model order of discovery."""
        seen = {}

        def visit(ref):
            name = ref["shape"]
            if name in seen:
                return
            shape = self.shapes[name]
            if shape.get("eventstream"):
                return
            seen[name] = shape
            children(shape)

        def children(shape):
            for child in shape.get("members", {}).values():
                if not is_streaming(child, self.shapes):
                    visit(child)
            for part in ("member", "key", "value"):
                if part in shape:
                    visit(shape[part])

        for operation in self.operations:
            if operation.served:
                for name in (operation.input, operation.output):
                    if name:
                        children(self.shapes[name])
        return seen

    def _check_patterns(self):
        self.patterns = {}
        for name, shape in self.reachable.items():
            if "pattern" in shape and shape["pattern"] not in self.patterns:
                try:
                    self.patterns[shape["pattern"]] = regex.compile_pattern(shape["pattern"])
                except (regex.Unsupported, ValueError) as e:
                    raise ModelError("%s: pattern of %s: %s" % (self.id, name, e)) from e

    def exceptions(self):
        """(code, status, is the server's fault, shape name), sorted by code."""
        rows = {}
        for name, shape in self.shapes.items():
            if not shape.get("exception"):
                continue
            error = shape.get("error", {})
            fault = bool(shape.get("fault")) and not error.get("senderFault")
            status = error.get("httpStatusCode", 500 if fault else 400)
            rows[error.get("code", name)] = (status, fault or status >= 500, name)
        return [(code, *rows[code]) for code in sorted(rows)]


def is_streaming(member, shapes):
    return bool(member.get("streaming") or shapes[member["shape"]].get("streaming") or shapes[member["shape"]].get("eventstream"))
