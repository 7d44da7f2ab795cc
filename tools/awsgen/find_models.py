#!/usr/bin/env python3
"""Prints the data folder of the pinned botocore: awsgen.py's --data. Argument: the folder set-up filled (.deps)."""
import pathlib
import sys

found = sorted(pathlib.Path(sys.argv[1]).glob("venv/lib/python3*/site-packages/botocore/data"))
if not found:
    sys.exit("no botocore below %s: run tools/setup/setup" % sys.argv[1])
print(found[0])
