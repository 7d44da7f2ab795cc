#!/usr/bin/env python3
"""awsgen: AWS service models to C structs and tables, at build time. Python's standard library and the pinned models only.

    awsgen.py structs  --data DIR --out-h FILE --out-c FILE MODEL.toml
    awsgen.py index    --data DIR --out-c FILE MODEL.toml...
    awsgen.py services --data DIR --out-h FILE --out-c FILE MODEL.toml...
    awsgen.py check    --data DIR --services src/services --stamp FILE MODEL.toml...
    awsgen.py surface  --data DIR --golden FILE MODEL.toml...   (EMBER_REGENERATE=1 rewrites it)

The same input gives the same bytes. Everything is checked before the first byte is written.
"""
import argparse
import difflib
import os
import pathlib
import sys

import emit
import model
import services


def version_of(data_dir):
    """botocore's version, from the package the data belongs to."""
    for line in (pathlib.Path(data_dir).parent / "__init__.py").read_text("utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split("=")[1].strip().strip("'\"")
    raise model.ModelError("no version beside %s" % data_dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["structs", "index", "services", "check", "surface"])
    parser.add_argument("--data", required=True, help="botocore's data folder")
    parser.add_argument("--out-h")
    parser.add_argument("--out-c")
    parser.add_argument("--services")
    parser.add_argument("--stamp")
    parser.add_argument("--golden")
    parser.add_argument("models", nargs="+")
    args = parser.parse_args()
    version = version_of(args.data)
    loaded = [model.Service(args.data, path, version) for path in args.models]

    if args.what == "structs":
        header, tables = emit.Emitter(loaded[0]).header(), emit.Emitter(loaded[0]).tables()
        pathlib.Path(args.out_h).write_text(header, "utf-8")
        pathlib.Path(args.out_c).write_text(tables, "utf-8")
    elif args.what == "index":
        pathlib.Path(args.out_c).write_text(services.index_source(loaded), "utf-8")
    elif args.what == "services":
        table = services.table(loaded)
        pathlib.Path(args.out_h).write_text(services.header(loaded), "utf-8")
        pathlib.Path(args.out_c).write_text(table, "utf-8")
    elif args.what == "check":
        problems = services.check(loaded, args.services)
        if problems:
            sys.exit("\n".join(problems))
        pathlib.Path(args.stamp).write_text("", "utf-8")
    else:
        golden, text = pathlib.Path(args.golden), services.surface(loaded)
        if os.environ.get("EMBER_REGENERATE") == "1":
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text, "utf-8")
        elif not golden.is_file() or golden.read_text("utf-8") != text:
            old = golden.read_text("utf-8").splitlines() if golden.is_file() else []
            sys.stdout.writelines(l + "\n" for l in difflib.unified_diff(old, text.splitlines(), str(golden), "the models", lineterm=""))
            sys.exit("the served API changed: look at the difference, then EMBER_REGENERATE=1")


if __name__ == "__main__":
    try:
        main()
    except model.ModelError as e:
        sys.exit("awsgen: %s" % e)
