"""python -m muonscope prepare: the same shards as from text, the tokens of Hugging Face's tokenizers, bad input, and the commands of
docs/data.md on files of the layouts that it names.  Run by prepare.sh, where `muonscope` is the package, in an empty folder.
Usage: prepare.py ROOT"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import datasets
import numpy
import pyarrow
import pyarrow.parquet
import tokenizers

import muonscope._program

ROOT = sys.argv[1]
END = "<|endoftext|>"
rng = random.Random(1)


def run(*arguments, status=0, stdin=None, message=""):
    done = subprocess.run(arguments, stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == status, f"{arguments}: status {done.returncode}, not {status}\n{done.stdout}{done.stderr}"
    assert re.search(message, done.stderr), f"{arguments}: no {message!r} in: {done.stderr}"
    return done


def program(*arguments, **options):
    return run(muonscope._program.program(), *arguments, **options)


def prepare(*arguments, **options):
    return run(sys.executable, "-m", "muonscope", "prepare", *arguments, **options)


def shards(folder):
    """Name and hash of every shard."""
    with open(f"{folder}/dataset.json", encoding="utf-8") as file:
        splits = json.load(file)["splits"]
    return {shard["file"]: shard["sha256"] for split in splits.values() for shard in split["shards"]}


def ids_of(folder, split):
    """All ids of a split."""
    names = sorted(name for name in os.listdir(folder) if f"_{split}_" in name)
    return numpy.concatenate([numpy.fromfile(f"{folder}/{name}", dtype="<u2", offset=1024) for name in names])


def write_jsonl(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def make_rows(n):
    words = "the quick brown fox jumps over a lazy dog \u6c34\u8eca \u00e9t\u00e9 1984 \"quoted\" back\\slash \U0001f600".split()
    rows = []
    for i in range(n):
        text = " ".join(rng.choice(words) for _ in range(rng.randrange(5, 60))) + f"\nline\t{i}\x01"
        rows.append({"id": f"row-{i}", "text": text, "meta": {"body": {"part": f"part {i} {rng.choice(words)}"}, "n": i}, "score": i / 7})
    rows[7]["text"] = ""
    rows[8]["text"] = " \n"
    return rows


def same_shards():
    """Every way in gives the shards of the same text in JSONL."""
    rows = make_rows(3500)
    write_jsonl("rows.jsonl", rows)
    program("tokenizer", "train", "--vocab_size", "300", "rows.jsonl")
    program("data", "prepare", "--output", "text", "rows.jsonl")
    program("data", "prepare", "--output", "part", "--field", "meta.body.part", "rows.jsonl")
    dataset = datasets.Dataset.from_list(rows)
    dataset.save_to_disk("saved", max_shard_size="200KB")
    assert sum(name.endswith(".arrow") for name in os.listdir("saved")) > 2
    dataset.to_parquet("rows.parquet", batch_size=1500)
    table = dataset.data.table
    os.makedirs("folder/.cache")
    os.makedirs("folder/b")
    shutil.copy("rows.parquet", "folder/.cache")
    pyarrow.parquet.write_table(table.slice(0, 700), "folder/a.parquet", compression="zstd")
    with pyarrow.ipc.new_file("folder/b/rest.arrow", table.schema) as writer:
        writer.write_table(table.slice(700))
    with open("folder/README.md", "w", encoding="utf-8") as file:
        file.write("# about\n")
    large = table.select(["text"]).cast(pyarrow.schema([("text", pyarrow.large_string())]))
    pyarrow.parquet.write_table(large, "large.parquet", row_group_size=100)
    pyarrow.parquet.write_table(pyarrow.table({"text": table["text"].combine_chunks().dictionary_encode()}), "dictionary.parquet")
    with pyarrow.ipc.new_stream("dictionary.arrow", pyarrow.schema([("text", pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))])) as writer:
        writer.write_table(pyarrow.table({"text": table["text"].combine_chunks().dictionary_encode()}))
    expected = shards("text")
    for paths in (["saved"], ["rows.parquet"], ["large.parquet"], ["dictionary.parquet"], ["dictionary.arrow"],
                  ["folder/a.parquet", "folder/b/*.arrow"], ["folder/**/*.*"], ["--dataset", os.path.abspath("saved_again")]):
        if paths == ["folder/**/*.*"]:
            os.remove("folder/README.md")
        if paths[0] == "--dataset":
            os.makedirs("saved_again")
            shutil.copy("rows.parquet", "saved_again")
        prepare(*paths, "--output", "out")
        assert shards("out") == expected, paths
        shutil.rmtree("out")
    with open("folder/README.md", "w", encoding="utf-8") as file:
        file.write("# about\n")
    prepare("folder", "--output", "out", message="1 files that are neither Parquet nor Arrow are left out: README.md")
    assert shards("out") == expected
    shutil.rmtree("out")
    for path in ("saved", "rows.parquet"):
        prepare(path, "--field", "meta.body.part", "--output", "out")
        assert shards("out") == shards("part"), path
        shutil.rmtree("out")
    # The row of a message is the line.
    rows[40]["text"] = None
    datasets.Dataset.from_list(rows).to_parquet("null.parquet")
    prepare("rows.parquet", "null.parquet", "--output", "out", status=1, message='null.parquet, line 41: no string under the key "text"; --on_error')
    prepare("null.parquet", "--output", "out", "--on_error", "skip")
    with open("out/dataset.json", encoding="utf-8") as file:
        assert json.load(file)["skipped"] == {"no_text": 1}
    shutil.rmtree("out")
    # A row whose struct is null, and text that is no UTF-8.
    part = pyarrow.array([None, {"body": None}, {"body": {"part": "whole"}}], pyarrow.struct([("body", pyarrow.struct([("part", pyarrow.string())]))]))
    pyarrow.parquet.write_table(pyarrow.table({"meta": part}), "null_struct.parquet")
    prepare("null_struct.parquet", "--field", "meta.body.part", "--validation_fraction", "0", "--on_error", "skip", "--output", "out")
    assert ids_of("out", "train").size > 2
    shutil.rmtree("out")
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 2, pyarrow.array([b"good", b"\xff\xfe"]).buffers())
    with pyarrow.ipc.new_stream("not_utf8.arrow", pyarrow.schema([("text", pyarrow.string())])) as writer:
        writer.write_batch(pyarrow.record_batch({"text": bad}))
    prepare("not_utf8.arrow", "--output", "out", status=1, message="not_utf8.arrow, line 2: byte .* is 0xff, which is not UTF-8")
    assert not os.path.exists("out")


def same_tokens():
    """Texts give the ids of Hugging Face's tokenizers; those ids, as lists or packed into rows, the same shards."""
    dataset = datasets.load_from_disk("saved").filter(lambda row: row["text"].strip() != "")
    split = datasets.DatasetDict({"train": dataset.select(range(3000)), "validation": dataset.select(range(3000, len(dataset)))})
    split.save_to_disk("dict")
    prepare("dict", "--split", "train", "--validation_split", "validation", "--output", "split")
    theirs = tokenizers.Tokenizer.from_file("tokenizer.json")
    end = theirs.token_to_id(END)
    with_ids = split.map(lambda rows: {"input_ids": [code.ids for code in theirs.encode_batch(rows["text"])]}, batched=True)
    for ours, name in (("train", "train"), ("val", "validation")):
        expected = [i for ids in with_ids[name]["input_ids"] for i in (end, *ids)]
        assert ids_of("split", ours).tolist() == expected, name
    with_ids = with_ids.remove_columns(["text"])
    with_ids.save_to_disk("ids")
    prepare("ids", "--split", "train", "--validation", "ids/validation", "--output", "out")
    assert shards("out") == shards("split")
    shutil.rmtree("out")
    with_ids["train"].to_parquet("ids/train.parquet")
    prepare("ids/train.parquet", "--validation", "ids/validation", "--output", "out")
    assert shards("out") == shards("split")
    shutil.rmtree("out")
    # The same ids, documents joined and cut at every 64: the reference's own way.
    joined = ids_of("split", "train").tolist()
    rows = {"input_ids": [joined[i : i + 64] for i in range(0, len(joined), 64)]}
    for type_ in (pyarrow.list_(pyarrow.int32()), pyarrow.large_list(pyarrow.int64()), pyarrow.list_(pyarrow.uint16())):
        table = pyarrow.table({"input_ids": pyarrow.array(rows["input_ids"], type_)})
        datasets.Dataset(datasets.table.InMemoryTable(table)).save_to_disk("packed")
        prepare("packed", "--packed", "--validation_fraction", "0", "--output", "out")
        assert ids_of("out", "train").tolist() == joined, type_
        shutil.rmtree("out")
        prepare("packed", "--document_end", "none", "--validation_fraction", "0", "--output", "out")
        assert ids_of("out", "train").tolist() == joined, type_
        shutil.rmtree("out")
        shutil.rmtree("packed")
    fixed = pyarrow.array([joined[i : i + 64] for i in range(0, len(joined) - 64, 64)], pyarrow.list_(pyarrow.int32(), 64))
    pyarrow.parquet.write_table(pyarrow.table({"input_ids": fixed}), "fixed.parquet")
    for options in (["--packed"], ["--document_end", "none"]):
        prepare("fixed.parquet", *options, "--validation_fraction", "0", "--output", "out")
        assert ids_of("out", "train").tolist() == joined[: len(fixed) * 64], options
        shutil.rmtree("out")


def write_table(path, **columns):
    table = pyarrow.table({name: pyarrow.array(values, type_) for name, (values, type_) in columns.items()})
    pyarrow.parquet.write_table(table, path)


def bad_input():
    """What cannot be read is named, and nothing is left behind."""
    os.makedirs("empty")
    os.makedirs("splits")
    os.makedirs("mixed")
    text, ids = (["a", "b"], pyarrow.string()), ([[1, 2]], pyarrow.list_(pyarrow.int64()))
    for name in ("splits/train-00000-of-00001.parquet", "splits/validation-00000-of-00001.parquet", "mixed/train.parquet", "mixed/more.parquet"):
        write_table(name, text=text)
    write_table("both.parquet", text=(["a"], pyarrow.string()), input_ids=ids)
    write_table("ids.parquet", input_ids=ids)
    write_table("null_id.parquet", input_ids=([[1], [2, None]], pyarrow.list_(pyarrow.int64())))
    write_table("null_row.parquet", input_ids=([[1], None], pyarrow.list_(pyarrow.int64())))
    write_table("negative.parquet", input_ids=([[1], [2, -100], [3]], pyarrow.list_(pyarrow.int64())))
    write_table("large_id.parquet", input_ids=([[1], [2, 49152]], pyarrow.list_(pyarrow.int64())))
    write_table("no_rows.parquet", text=([], pyarrow.string()))
    write_table("floats.parquet", text=([1.5], pyarrow.float64()))
    write_table("words.parquet", text=([["a"]], pyarrow.list_(pyarrow.string())))
    write_table("wide.parquet", **{f"c{i}": ([1], pyarrow.int64()) for i in range(50)})
    os.mkfifo("pipe")
    datasets.Dataset.from_dict({"text": []}).save_to_disk("no_rows")
    shutil.copytree("saved", "no_file")
    os.remove(next(os.path.join("no_file", name) for name in os.listdir("saved") if name.startswith("data-00001-of-")))
    shutil.copytree("saved", "indices")
    with open("indices/state.json", encoding="utf-8") as file:
        state = json.load(file)
    for name, changed in (("indices", {"_indices_data_files": [{"filename": "indices.arrow"}]}), ("elsewhere", {"_data_files": [{"filename": "../rows.parquet"}]})):
        os.makedirs(name, exist_ok=True)
        with open(f"{name}/state.json", "w", encoding="utf-8") as file:
            json.dump({**state, **changed}, file)
    with open("rows.parquet", "rb") as file:
        whole = file.read()
    for name, content in (("cut.parquet", whole[:-100]), ("head.parquet", whole[:6]), ("no.parquet", b"PAR0 and so on"), ("zero.arrow", b"")):
        with open(name, "wb") as file:
            file.write(content)
    for arguments, message in (
        (["nowhere"], "nowhere is not there; --dataset NAME"),
        (["no*where"], r"no file matches no\*where"),
        (["empty"], "empty is no data set: no file of Parquet or Arrow"),
        (["rows.jsonl"], "rows.jsonl is neither Parquet nor Arrow; `muonscope data prepare` reads text"),
        (["dict"], "dict has several splits: --split NAME takes one of train, validation, --validation_split another$"),
        (["dict", "--split", "test"], "dict has no split test; there are train, validation"),
        (["splits"], "splits has several splits: --split NAME takes one of train, validation"),
        (["mixed"], "more.parquet is of no split by its name, others are of train"),
        (["rows.parquet", "--field", "body"], r"rows.parquet has no column body; it has id \(string\), text \(string\), meta.body.part \(string\)"),
        (["rows.parquet", "--field", "meta.body"], "the column meta.body has columns within: --field names one of meta.body.part"),
        (["rows.parquet", "--field", "score"], "the column score is double, neither text nor a list of integers"),
        (["rows.parquet", "--packed"], "--packed is for lists of token ids"),
        (["ids.parquet", "--field", "text"], "ids.parquet has no column text; it has input_ids"),
        (["both.parquet"], "has the columns text and input_ids: --field says which"),
        (["rows.parquet", "ids.parquet"], "ids.parquet has no column text"),
        (["both.parquet", "words.parquet", "--field", "text"], "words.parquet: the column text is list<.*neither text"),
        (["floats.parquet"], "the column text is double, neither text"),
        (["no_rows.parquet"], "no_rows.parquet has no text"),
        (["no_rows"], "no_rows: .* the data set has no rows"),
        (["null_id.parquet"], 'line 2: no list of integers under the key "input_ids"'),
        (["null_id.parquet", "--packed"], "row 2 of the column input_ids is null or holds a null"),
        (["null_row.parquet", "--packed"], "row 2 of the column input_ids is null or holds a null"),
        (["negative.parquet"], "line 2: id 1 is -100, outside the tokenizer's 300 tokens"),
        (["negative.parquet", "--packed"], "row 2 of the column input_ids has an id that is no uint32"),
        (["large_id.parquet", "--packed"], "id 2 is 49152, outside the tokenizer's 300 tokens"),
        (["no_file"], "1 of the [0-9]+ files that its state.json lists are missing: data-00001"),
        (["indices"], "its rows are reordered by a file of indices"),
        (["elsewhere"], "its state.json does not list data files in it"),
        (["cut.parquet"], "cut.parquet: damaged or truncated Parquet"),
        (["head.parquet"], "head.parquet: damaged or truncated Parquet"),
        (["no.parquet"], "no.parquet is neither Parquet nor Arrow"),
        (["zero.arrow"], "zero.arrow is empty"),
        (["rows.parquet", "--tokenizer", "none.json"], "none.json"),
        (["rows.parquet", "--validation", "nowhere"], "nowhere is not there"),
        (["rows.parquet", "--validation", "dict"], "dict has several splits"),
        (["pipe"], "pipe is no file"),
        (["wide.parquet"], r"wide.parquet has no column text or input_ids: --field names one of c0 \(int64\), .*and 10 more"),
        (["--dataset", "no/such-data-set"], "no/such-data-set: datasets cannot load it"),
    ):
        prepare(*arguments, "--output", "out", status=1, message="(?m)^muonscope: .*" + message)
        assert not os.path.exists("out"), arguments
    prepare("--output", "out", status=2, message="give PATH..., or --dataset NAME")
    prepare("rows.parquet", "--output", "out", "--seed", "-1", status=2, message="seed")
    assert not [name for name in os.listdir(".") if "out" in name], os.listdir(".")


def damaged():
    """An Arrow stream cut at any byte, and files with bytes changed: an error, or other text; never a crash, never half a folder."""
    table = pyarrow.table({"text": [f"text {i} " * 3 for i in range(40)], "meta": [{"n": i} for i in range(40)]})
    with pyarrow.ipc.new_stream("small.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    pyarrow.parquet.write_table(table, "small.parquet", row_group_size=10)
    n_refused = 0
    sys.path.insert(0, os.getcwd())
    for name in ("small.arrow", "small.parquet"):
        with open(name, "rb") as file:
            whole = file.read()
        cuts = [whole[: rng.randrange(1, len(whole))] for _ in range(8)] + ([whole[: whole.rindex(b"\xff\xff\xff\xff")]] if name == "small.arrow" else [])
        changed = []
        for _ in range(12):
            copy = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                copy[rng.randrange(8, len(copy))] = rng.randrange(256)
            changed.append(bytes(copy))
        for i, content in enumerate(cuts + changed):
            with open(f"damaged-{name}", "wb") as file:
                file.write(content)
            done = subprocess.run(
                [sys.executable, "-m", "muonscope", "prepare", f"damaged-{name}", "--output", "out", "--validation_fraction", "0"],
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert done.returncode in (0, 1), f"{name} {i}: {done.returncode}: {done.stderr}"
            assert done.returncode == 1 or i >= len(cuts), f"{name} cut at {len(content)} of {len(whole)} is taken for whole"
            assert "Traceback" not in done.stderr, done.stderr
            assert os.path.exists("out") == (done.returncode == 0)
            n_refused += done.returncode
            shutil.rmtree("out", ignore_errors=True)
    print(f"prepare.py: {n_refused} of 41 damaged files refused")


def killed():
    """Python is killed while it gives rows: the program takes what came for no whole data set.  SIGTERM is the program's too."""
    write_table("many.parquet", text=([f"row {i} " * 50 for i in range(200000)], pyarrow.string()))
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen([sys.executable, "-m", "muonscope", "prepare", "many.parquet", "--output", "out"], stderr=subprocess.PIPE, text=True)
        while not [name for name in os.listdir(".") if "out" in name]:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        message = process.stderr.read()  # to the end of the program too
        assert process.wait() != 0
        said = "many.parquet: SIGTERM: .* was stopped" if number == signal.SIGTERM else "standard input ends before its end"
        assert re.search(said, message), message
        assert not [name for name in os.listdir(".") if "out" in name], os.listdir(".")


def documentation():
    """The commands of docs/data.md, on files of the layouts that it names."""
    with open(f"{ROOT}/docs/data.md", encoding="utf-8") as file:
        text = file.read()
    commands = re.findall(r"^    (python -m muonscope prepare (?:.*\\\n)*.*)$", text, re.M)
    assert len(commands) >= 4, commands
    rows = make_rows(300)
    table = pyarrow.table({"text": [row["text"] for row in rows], "id": [row["id"] for row in rows], "score": [row["score"] for row in rows]})
    theirs = tokenizers.Tokenizer.from_file("tokenizer.json")
    joined = 40 * [i for row in rows for i in theirs.encode(row["text"]).ids]
    packed = datasets.Dataset.from_dict({"input_ids": [joined[i : i + 2048] for i in range(0, len(joined), 2048)]})
    packed.save_to_disk("processed_data/pretrain_2B")
    os.makedirs("TinyStories/data")
    os.makedirs("fineweb-edu/sample/10BT")
    for part in range(2):
        pyarrow.parquet.write_table(table, f"TinyStories/data/train-{part:05d}-of-00002.parquet")
        pyarrow.parquet.write_table(table, f"fineweb-edu/sample/10BT/{part:03d}_00000.parquet")
    pyarrow.parquet.write_table(table.slice(0, 50), "TinyStories/data/validation-00000-of-00001.parquet")
    for folder in ("TinyStories", "fineweb-edu"):
        with open(f"{folder}/README.md", "w", encoding="utf-8") as file:
            file.write("# about\n")
    os.makedirs("smollm2")
    shutil.copy("tokenizer.json", "smollm2")
    shutil.rmtree("data", ignore_errors=True)
    for command in commands:
        # Names of the Hub cannot be reached: that part of a data set is a folder here.
        done = subprocess.run(command.replace("python ", f"{sys.executable} ", 1), shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        output = re.search(r"--output (\S+)", command).group(1)
        program("data", "info", output)
    assert sum(ids_of("data/blueberry-2B", split).size for split in ("train", "val")) == len(joined)


started = time.monotonic()
for part in (same_shards, same_tokens, bad_input, damaged, killed, documentation):
    part()
    print(f"prepare.py: {part.__name__} ok, {time.monotonic() - started:.0f} s")
