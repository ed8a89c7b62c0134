"""python -m muonscope prepare beside datasets.map: a folder of save_to_disk and a Parquet file of 100 MB of text, the same tokens from both,
and how long each takes on the same processors.  Run by prepare.sh, where `muonscope` is the package, in an empty folder.
Usage: prepare_speed.py MEGABYTES TOKENIZER TEXT..."""

import os
import random
import resource
import subprocess
import sys
import time

import datasets
import numpy
import tokenizers

END = "<|endoftext|>"
MOST_PROCESSES = len(os.sched_getaffinity(0))


def make_documents(paths, size_bytes):
    """Documents of 1 to 60 lines of the texts, drawn at random with a fixed seed."""
    rng = random.Random(1)
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += file.readlines()
    n_bytes = 0
    while n_bytes < size_bytes:
        text = "".join(rng.choices(lines, k=rng.randrange(1, 61)))
        n_bytes += len(text.encode())
        yield {"text": text}


def timed(name, n_bytes, call):
    """Its result; prints MB of text a second, and a second of one processor."""

    def processor_seconds():
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)

    started, used = time.monotonic(), processor_seconds()
    result = call()
    seconds, used = time.monotonic() - started, processor_seconds() - used
    print(f"{name:32} {n_bytes / 1e6 / seconds:6.1f} MB/s  {n_bytes / 1e6 / used:6.1f} MB/s of one processor  {seconds:6.1f} s", flush=True)
    return result


def prepare(tokenizer, path, output):
    subprocess.run(
        [sys.executable, "-m", "muonscope", "prepare", "--tokenizer", tokenizer, "--validation_fraction", "0", "--output", output, path],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def map_tokens(dataset, tokenizer, n_processes):
    """What people do: batches to the tokenizer, in processes or, in one, in its own threads."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if n_processes == 1 else "false"
    theirs = tokenizers.Tokenizer.from_file(tokenizer)
    return dataset.map(
        lambda rows: {"input_ids": [code.ids for code in theirs.encode_batch(rows["text"])]},
        batched=True,
        num_proc=n_processes if n_processes > 1 else None,
        remove_columns=["text"],
        load_from_cache_file=False,
    )


def expected_ids(mapped, end):
    """The end of text and the ids of each row, one row after the other."""
    parts = []
    for table in mapped.with_format("arrow").iter(batch_size=1000):
        lists = table["input_ids"].combine_chunks()
        starts = lists.offsets.to_numpy()[:-1] - lists.offsets[0].as_py()
        parts.append(numpy.insert(lists.flatten().to_numpy(), starts, end))
    return numpy.concatenate(parts)


def main():
    size_bytes, tokenizer, paths = int(float(sys.argv[1]) * 1e6), sys.argv[2], sys.argv[3:]
    dataset = datasets.Dataset.from_generator(make_documents, gen_kwargs={"paths": tuple(paths), "size_bytes": size_bytes}, cache_dir="cache")
    dataset.save_to_disk("saved")
    dataset.to_parquet("rows.parquet")
    dataset = datasets.load_from_disk("saved")
    n_bytes = sum(len(text.encode()) for text in dataset["text"])
    print(f"{n_bytes / 1e6:.1f} MB of text, {len(dataset)} documents, {MOST_PROCESSES} processors")
    timed("prepare, save_to_disk", n_bytes, lambda: prepare(tokenizer, "saved", "from_saved"))
    mapped = timed(f"datasets.map, {MOST_PROCESSES} processes", n_bytes, lambda: map_tokens(dataset, tokenizer, MOST_PROCESSES))
    timed("prepare, Parquet", n_bytes, lambda: prepare(tokenizer, "rows.parquet", "from_parquet"))
    timed("datasets.map, threads", n_bytes, lambda: map_tokens(dataset, tokenizer, 1))
    expected = expected_ids(mapped, tokenizers.Tokenizer.from_file(tokenizer).token_to_id(END))
    for folder in ("from_saved", "from_parquet"):
        names = sorted(name for name in os.listdir(folder) if name.endswith(".bin"))
        ids = numpy.concatenate([numpy.fromfile(f"{folder}/{name}", dtype="<u2", offset=1024) for name in names])
        assert numpy.array_equal(ids, expected), folder
    print(f"prepare_speed.py: the same {len(expected)} tokens from all")


if __name__ == "__main__":
    main()
