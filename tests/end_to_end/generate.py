"""What `generate --json` says, and how text is streamed: generate.py PROGRAM RUN WEIGHTS_SHA256.  Called by generate.sh, whose run is of
text with many characters of several bytes, each byte a token."""
import json
import os
import subprocess
import sys

program, run, weights = sys.argv[1:]


def generate(*options, tokens=40):
    return subprocess.run([program, "generate", run, "--tokens", str(tokens), *options], check=True, capture_output=True).stdout


def lines(*options, tokens=40):
    return [json.loads(line) for line in generate("--json", *options, tokens=tokens).decode().splitlines()]


def as_text(one):
    """What is printed without --json, with U+FFFD for what is no UTF-8."""
    return one["prompt"] + one["text"] + "\n"


# A line for each text, in order; the first sample is the text alone; samples differ.
settings = {"tokens": 40, "temperature": 0.8, "top_k": 50, "top_p": 1, "min_p": 0, "repetition_penalty": 1, "repetition_window": 0,
            "stop": []}
both = lines("--prompt", "line 7", "--prompt", "says", "--n", "3", "--seed", "3")
assert [(one["prompt_number"], one["sample"]) for one in both] == [(i, j) for i in range(2) for j in range(3)]
assert len({tuple(one["ids"]) for one in both}) == 6
for one in both:
    assert one["settings"] == settings and one["seed"] == 3 and one["step"] == 60 and one["weights_sha256"] == weights and one["run"] == run
    assert one["end"] == ("length" if len(one["ids"]) == 40 else "end_of_text") and one["stop"] is None
    assert len(one["log_probabilities"]) == len(one["ids"]) and all(p <= 0 for p in one["log_probabilities"])
for i, prompt in enumerate(("line 7", "says")):
    assert generate("--prompt", prompt, "--seed", "3").decode(errors="replace") == as_text(both[3 * i])
assert lines("--prompt", "line 7", "--seed", "3", "--top_p", "0.5", "--min_p", "0.1", "--repetition_penalty", "1.5",
             "--repetition_window", "9", "--top_k", "0", "--temperature", "2")[0]["settings"] == {
                 **settings, "temperature": 2, "top_k": 0, "top_p": 0.5, "min_p": 0.1, "repetition_penalty": 1.5, "repetition_window": 9}

# Ids as a prompt are what the text's are.
with open("ids.jsonl", "w") as file:
    file.write(json.dumps({"input_ids": both[0]["prompt_ids"]}))
assert lines("--prompts", "ids.jsonl", "--seed", "3")[0]["ids"] == both[0]["ids"]

# Log-probabilities are those that `evaluate` sums, whatever the draw was made from.
one = lines("--prompt", "", "--temperature", "3", "--top_k", "5", "--repetition_penalty", "1.5", tokens=24)[0]
assert one["end"] == "length"
with open("drawn.jsonl", "w") as file:
    file.write(json.dumps({"input_ids": one["ids"]}))
scored = subprocess.run([program, "evaluate", run, "--jsonl", "--format", "ids", "drawn.jsonl"], check=True, capture_output=True).stdout
difference = json.loads(scored)["log_likelihood"] - sum(one["log_probabilities"])
assert abs(difference) < 1e-3, difference

# A stop string ends the text before it, in both forms; its tokens were drawn.
whole = lines("--prompt", "line 7", "--temperature", "0", tokens=60)[0]
stop = whole["text"][10:13]
begin = whole["text"].index(stop)
stopped = lines("--prompt", "line 7", "--temperature", "0", "--stop", "never", "--stop", stop, tokens=60)[0]
assert (stopped["end"], stopped["stop"], stopped["text"]) == ("stop", stop, whole["text"][:begin]), stopped
assert stopped["ids"] == whole["ids"][:len(stopped["ids"])] and len(stopped["ids"]) < len(whole["ids"])
assert generate("--prompt", "line 7", "--temperature", "0", "--stop", stop, tokens=60).decode() == as_text(stopped)


def pieces(*options):
    """What each write of the program has, however fast it is: the pipe keeps them apart (pipe(2), O_DIRECT)."""
    reader, writer = os.pipe2(os.O_DIRECT)
    process = subprocess.Popen([program, "generate", run, *options], stdout=writer)
    os.close(writer)
    while piece := os.read(reader, 1 << 16):
        yield piece
    assert process.wait() == 0
    os.close(reader)


# A stream shows the text token by token, and a character of several bytes, each a token, at once.
greedy = ("--prompt", "line 7", "--temperature", "0")
n = next(n for n in range(60, 64) if "\ufffd" not in lines(*greedy, tokens=n)[0]["text"])  # it does not end within a character
found = list(pieces(*greedy, "--tokens", str(n)))
assert b"".join(found) == generate(*greedy, tokens=n)
assert len(found) > 5, f"{len(found)} pieces: the text is not streamed"
assert any(max(piece) > 127 for piece in found), "the text has no character of several bytes"
for piece in found:
    piece.decode()
