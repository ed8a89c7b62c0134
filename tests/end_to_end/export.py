"""The tables of `muonscope export csv` against the lines that they are made of: every number to the bit.

Usage: export.py FOLDER RUN...    FOLDER: the tables of the runs, all of them and in this order
"""
import csv
import json
import os
import sys

ENTRIES = {  # how the columns of an array are named
    "sigma_top": ("sigma_", 10), "velocity_top": ("velocity_", 10), "update_sigma": ("update_sigma_", 10),
    "loss_by_frequency": ("loss_by_frequency_", 10), "targets_by_frequency": ("targets_by_frequency_", 10),
    "qk_sigma": ("qk_sigma_", 10), "ov_sigma": ("ov_sigma_", 10),
    "sigma_quantiles": ("sigma_", 4), "update_sigma_quantiles": ("update_sigma_", 4), "momentum_quantiles": ("momentum_", 4),
    "momentum_quantiles_merged": ("momentum_merged_", 4),
    "orthogonality_of_update": ("orthogonality_of_update_", 6),
    "orthogonality_of_update_merged": ("orthogonality_of_update_merged_", 6),
}
SUFFIXES = {10: [str(i + 1) for i in range(10)], 4: ["q1", "q10", "q50", "q90"],
            6: ["min", "q1", "q10", "q50", "q90", "max"]}


def columns(key, value):
    """The cells that a key's value becomes."""
    if key not in ENTRIES:
        return [(key, "", value)]
    begin, n = ENTRIES[key]
    values = (value or []) + [None] * (n - len(value or []))
    return [(begin + suffix, suffix, v) for suffix, v in zip(SUFFIXES[n], values)]


def lines(run, name):
    path = os.path.join(run, name)
    if not os.path.exists(path):
        return
    for text in open(path):
        if text.endswith("\n"):
            try:
                yield json.loads(text)
            except ValueError:
                pass


def seed(run):
    section = None
    for line in open(os.path.join(run, "config.yaml")):
        words = line.split() or [""]
        section = section if line.startswith((" ", "#")) else words[0]
        if section == "train:" and words[0] == "seed:":
            return words[1]


def same(cell, value, where):
    if value is None:
        ok = cell == ""
    elif isinstance(value, float):
        ok = float(cell) == value
    else:
        ok = cell == str(value)
    assert ok, f"{where}: '{cell}' is not {value!r}"


def expected(table, run):
    """Rows as lists of (column, value)."""
    about = ["step", "tokens", "layer", "projection", "rows", "cols"]
    if table == "losses":
        for line in lines(run, "metrics.jsonl"):
            yield [(c, v) for k in line for c, _, v in columns(k, line[k])]
    elif table == "spectra":
        for line in lines(run, "spectra.jsonl"):
            yield [(c, v) for k in line for c, _, v in columns(k, line[k])]
    elif table == "spectra_long":
        for line in lines(run, "spectra.jsonl"):
            for key in line:
                for _, entry, v in columns(key, line[key]) if key not in about else []:
                    yield [(k, line[k]) for k in about[:4]] + [("metric", key), ("entry", entry), ("value", v)]
    elif table == "probes":
        for line in lines(run, "probes.jsonl"):
            yield [(k, v) for k, v in line.items() if not isinstance(v, list)]
    elif table == "heads":
        for line in lines(run, "probes.jsonl"):
            lists = {k: v for k, v in line.items() if isinstance(v, list)}
            for head in range(len(lists["qk_rank"])):
                yield [(k, line[k]) for k in about[:3]] + [("head", head)] + [
                    (c, v) for k in lists for c, _, v in columns(k, lists[k][head])]
    elif table == "sigma_max":
        keys = ["sigma_max", "sigma_residual", "update_sigma_max"]
        for line in lines(run, "sigma_max.jsonl"):
            for projection in line["sigma_max"]:
                for layer in range(len(line["sigma_max"][projection])):
                    yield [("step", line["step"]), ("tokens", line["tokens"]), ("layer", layer),
                           ("projection", projection)] + [(k, (line.get(k) or {}).get(projection, [None] * 99)[layer])
                                                          for k in keys]
    elif table == "hashes":
        for line in lines(run, "hashes.jsonl"):
            for tensor, value in line["sha256"].items():
                yield [("step", line["step"]), ("tokens", line["tokens"]), ("tensor", tensor), ("sha256", value)]


def check(folder, table, runs):
    with open(os.path.join(folder, table + ".csv"), newline="") as file:
        reader = csv.reader(file)
        heading = next(reader)
        assert heading[:2] == ["run", "seed"], heading[:2]
        assert len(set(heading)) == len(heading), f"{table}: a column twice"
        n = 0
        for run in runs:
            for values in expected(table, run):
                row = next(reader)
                n += 1
                where = f"{table} row {n}"
                assert len(row) == len(heading), f"{where}: {len(row)} cells, {len(heading)} columns"
                assert row[:2] == [run, seed(run)], f"{where}: {row[:2]}"
                cells = dict(zip(heading, row))
                order = [heading.index(c) for c, _ in values]
                assert table == "losses" or order == list(range(2, len(heading))), f"{where}: columns {heading}"
                for column, value in values:
                    same(cells.pop(column), value, f"{where} {column}")
                assert all(v == "" for k, v in cells.items() if k not in ("run", "seed")), f"{where}: more than its line"
        assert n > 0 and next(reader, None) is None, f"{table}: {n} rows, and then more"
    print(f"{table}: {n} rows, {len(heading)} columns")
    return heading


def main():
    folder, runs = sys.argv[1], sys.argv[2:]
    tables = ["losses", "spectra", "spectra_long", "probes", "heads", "sigma_max", "hashes"]
    headings = {table: check(folder, table, runs) for table in tables}
    with open(os.path.join(folder, "columns.csv"), newline="") as file:
        described = {}
        for row in csv.DictReader(file):
            described.setdefault(row["table"], []).append(row["column"])
            assert row["definition"] and row["key"], row
    for table in ["losses", "spectra", "probes", "heads", "sigma_max"]:
        other = {"sigma_max": ["layer", "projection"], "heads": ["head"]}.get(table, [])
        assert described[table] == [c for c in headings[table][2:] if c not in other], f"columns.csv: {table}"
    with open(os.path.join(folder, "runs.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["run"] for r in rows] == runs and [r["train.seed"] for r in rows] == [r["seed"] for r in rows], "runs.csv"
    assert all(r["model.layers"] and r["optimizer.name"] for r in rows), "runs.csv: configuration"


main()
