#!/usr/bin/env python3
"""Tables of figures of spectra.jsonl over runs: one row a projection, one column a run; each figure is a mean over layers and over the
snapshots of some steps.  Runs that differ in the seed alone stand in one group, whose mean and standard deviation over the runs
(never over layers or snapshots, which are no replicates) come last.

Usage: table.py --key KEY [--over KEY] [--from STEP] [--to STEP] GROUP=RUN[,RUN...]...
  --key KEY    a number of spectra.jsonl (`muonscope tracker describe`), or sigma_top[I]
  --over KEY   divided by this key, line by line
Null figures are left out, and counted.  Only the standard library of Python is used."""
import argparse
import json
import math
import sys


def fail(text):
    sys.exit(f"table.py: {text}")


def figure(line, key, where):
    name, _, index = key.partition("[")
    if name not in line:
        fail(f"{where}: no key {name}; `muonscope tracker describe` lists them")
    value = line[name]
    if index:
        position = int(index.rstrip("]"))
        value = value[position] if value is not None and position < len(value) else None
    return value


def read(run, options):
    """{projection: (mean, number of figures, number of nulls)} of one run."""
    path = f"{run}/spectra.jsonl"
    figures, nulls = {}, {}
    try:
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(text) for text in file]
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}")
    for number, line in enumerate(lines, 1):
        if not options.first <= line["step"] <= options.last:
            continue
        value = figure(line, options.key, f"{path}, line {number}")
        if options.over and value is not None:
            divisor = figure(line, options.over, f"{path}, line {number}")
            value = value / divisor if divisor else None
        projection = line["projection"]
        figures.setdefault(projection, [])
        nulls.setdefault(projection, 0)
        if value is None:
            nulls[projection] += 1
        else:
            figures[projection].append(value)
    if not figures:
        fail(f"{path}: no line from step {options.first} to {options.last}")
    return {p: (sum(v) / len(v) if v else math.nan, len(v), nulls[p]) for p, v in figures.items()}


def spread(values):
    """Mean and standard deviation (n - 1) over seeds."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def main():
    parser = argparse.ArgumentParser(description="Figures of spectra.jsonl, by projection and run")
    parser.add_argument("--key", required=True)
    parser.add_argument("--over")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", dest="last", type=int, default=sys.maxsize)
    parser.add_argument("groups", nargs="+", metavar="GROUP=RUN[,RUN...]")
    options = parser.parse_args()
    title = f"{options.key} over {options.over}" if options.over else options.key
    until = "on" if options.last == sys.maxsize else f"to {options.last}"
    print(f"{title}, mean over layers and snapshots of steps {options.first} {until}")
    for group in options.groups:
        name, equals, runs = group.partition("=")
        if not equals:
            fail(f"{group}: GROUP=RUN[,RUN...] is wanted")
        tables = [read(run, options) for run in runs.split(",")]
        for projection in tables[0]:
            values = [table[projection][0] for table in tables]
            n, n_null = sum(t[projection][1] for t in tables), sum(t[projection][2] for t in tables)
            mean, deviation = spread(values)
            seeds = " ".join(f"{v:10.4g}" for v in values)
            note = f"  ({n_null} of {n + n_null} null)" if n_null else ""
            print(f"{name:>16} {projection:>5} {seeds}   mean {mean:.4g}, deviation over seeds {deviation:.2g}{note}")


main()
