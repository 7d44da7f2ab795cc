"""The row that ties an operation to its function, and the check that files and rows agree."""
import pathlib
import re

STEM = re.compile(r"^struct err \*(\w+)\(struct call \*", re.M)


def table(services):
    """services_table.c: compiled into services/, since aws/ knows no service."""
    out = ["/* Made by tools/awsgen: which function serves which operation. Not to be edited. */",
           '#include "services/services_table.h"']
    for s in services:
        out.append('#include "aws/gen/%s.h"' % s.prefix)
    out += ['#include "services/call.h"', ""]
    for s in services:
        for o in s.operations:
            if o.served:
                function = "%s_%s" % (s.prefix, o.snake)
                out.append("static struct err *call_%s(struct call *call, const void *in, void *out)" % function)
                out += ["{", "    return %s(call, in, out);" % function, "}"]
    for s in services:
        if any(o.served for o in s.operations):
            out.append("static const service_function %s_functions[] = {" % s.prefix)
            for index, o in enumerate(s.operations):
                if o.served:
                    out.append("    [%d] = call_%s_%s," % (index, s.prefix, o.snake))
            # The array is as long as the operations of the model, so that any index may be looked up.
            out.append("    [%d] = NULL," % len(s.operations))
            out.append("};")
    out += ["", "service_function service_function_of(const struct aws_operation *operation)", "{"]
    for s in services:
        if any(o.served for o in s.operations):
            out.append("    if (operation->service == &%s_service)" % s.prefix)
            out.append("        return %s_functions[operation->index];" % s.prefix)
    out += ["    return NULL;", "}"]
    return "\n".join(out) + "\n"


HEADER = """/* Made by tools/awsgen: the functions that serve operations. Not to be edited. */
#pragma once
#include "aws/shape.h"

struct call;

/* in points to operation->request's struct, out to operation->response's (zeroed, of operation->response->size bytes). */
typedef struct err *(*service_function)(struct call *call, const void *in, void *out);

/* NULL: this operation is not served. */
service_function service_function_of(const struct aws_operation *operation);
"""


def header(services):
    """services_table.h: with the declaration of every operation's function, which its own file includes."""
    out = [HEADER]
    for s in services:
        for o in s.operations:
            if o.served:
                out.append("struct %s;\nstruct %s;" % (o.struct("request"), o.struct("response")))
                out.append("struct err *%s_%s(struct call *call, const struct %s *in, struct %s *out) __attribute__((warn_unused_result));" % (
                    s.prefix, o.snake, o.struct("request"), o.struct("response")))
    return "\n".join(out) + "\n"


def index_source(services):
    """services.c: the list of all services, for aws/."""
    out = ["/* Made by tools/awsgen: the services of this build. Not to be edited. */"]
    out += ['#include "aws/gen/%s.h"' % s.prefix for s in services]
    out += ["", "const struct aws_service *const aws_services[] = {"]
    out += ["    &%s_service," % s.prefix for s in services]
    out += ["};", "const size_t aws_service_count = %d;" % len(services)]
    return "\n".join(out) + "\n"


def check(services, source_dir):
    """Problems, in words: a served operation without its file, and a file that looks like one without its row."""
    problems = []
    for s in services:
        folder = pathlib.Path(source_dir) / s.prefix
        served = {o.snake: o.name for o in s.operations if o.served}
        for stem, name in served.items():
            if not (folder / (stem + ".c")).is_file():
                problems.append("%s of %s is served by model/%s.toml, but src/services/%s/%s.c is missing" % (
                    name, s.id, s.id, s.prefix, stem))
        known = {o.snake: o.name for o in s.operations}
        for path in sorted(folder.glob("*.c")) if folder.is_dir() else []:
            stem = path.stem
            if stem in served or stem not in known:
                continue
            if "%s_%s" % (s.prefix, stem) in STEM.findall(path.read_text("utf-8")):
                problems.append("src/services/%s/%s.c has no row: add %s to model/%s.toml" % (s.prefix, stem, known[stem], s.id))
    return problems


def surface(services):
    """tests/golden/api-surface.txt: what a client may rely on, so that a new model is a diff one can read."""
    out = []
    for s in services:
        out.append("service %s %s %s" % (s.id, s.metadata["apiVersion"], s.metadata["protocol"]))
        for o in s.operations:
            if not o.served:
                continue
            query = "&".join(k if v is None else "%s=%s" % (k, v) for k, v in o.literals)
            out.append("  %s %s %s%s" % (o.name, o.method, o.path, "?" + query if query else ""))
            for title, name in (("in", o.input), ("out", o.output)):
                shape = s.shapes[name] if name else {"members": {}}
                for member, ref in shape["members"].items():
                    required = " required" if member in shape.get("required", []) else ""
                    out.append("    %s %s: %s%s" % (title, member, ref["shape"], required))
            for error in o.errors:
                out.append("    error %s" % error)
        for name in sorted(s.reachable):
            shape = s.shapes[name]
            facts = [shape["type"]]
            facts += ["%s=%s" % (k, shape[k]) for k in ("min", "max", "pattern") if k in shape]
            if "enum" in shape:
                facts.append("enum=%s" % ",".join(shape["enum"]))
            out.append("  shape %s %s" % (name, " ".join(facts)))
            for member, ref in shape.get("members", {}).items():
                required = " required" if member in shape.get("required", []) else ""
                out.append("    %s: %s%s" % (member, ref["shape"], required))
    return "\n".join(out) + "\n"
