"""Compares exported runs with the runs, in Hugging Face's transformers.
Usage: compare_transformers.py PROGRAM LOGITS GOLDEN NEW_GOLDEN RUN...      RUN.hf is the folder of `muonscope export hf RUN`,
and RUN.from the one that it began with, where there is one (make_transformers.py)."""

import json
import os
import subprocess
import sys

import numpy as np
import torch
import transformers

PROMPTS, N_TOKENS, N_GREEDY = ["This License applies to", "the ", "GNU"], 120, 50


def compare_goldens(old, new):
    """The golden that was made anew differs in the last digits of logits alone."""
    old, new = (json.load(open(path))["variants"] for path in (old, new))
    assert old.keys() == new.keys()
    for name in old:
        worst = np.abs(np.array(old[name].pop("logits")) - np.array(new[name].pop("logits"))).max()
        assert worst < 1e-5 and old[name] == new[name], f"golden {name}: {worst}"
        print(f"golden {name}: logits within {worst:.1e}")


def ids_of(program, run, text):
    out = subprocess.run([program, "tokenizer", "encode", "--tokenizer", f"{run}/tokenizer.json"], input=text, text=True, check=True,
                         capture_output=True).stdout
    return [int(word) for word in out.split()]


def compare_logits(logits, run, step, folder, ids):
    """Ours of a checkpoint beside those that transformers makes of a folder; gives the model."""
    model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    with open("ids", "w") as file:
        print(*ids, file=file)
    subprocess.run([logits, run, "ids", "logits", str(step)], check=True, capture_output=True)
    with torch.no_grad():
        theirs = model(torch.tensor([ids])).logits[0].numpy()
    worst = np.abs(np.fromfile("logits", np.float32).reshape(theirs.shape) - theirs).max()
    print(f"{run}, step {step}, {folder}: {type(model).__name__}, logits up to {np.abs(theirs).max():.1f}, at most {worst:.1e} apart")
    assert worst < 1e-4 and np.abs(theirs).max() > 0.5
    return model


def compare_loss(program, folder, tokenizer, model, text):
    """`muonscope evaluate` of the folder beside the loss that transformers gives, of a text that one window holds."""
    with open("document", "w") as file:
        file.write(text)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    for options, start in ((["--no_bos"], []), ([], [[tokenizer.bos_token_id]])):
        whole = torch.cat([torch.tensor(start, dtype=torch.long).reshape(1, -1), ids], 1)
        with torch.no_grad():
            theirs = model(whole, labels=whole).loss.item()
        out = subprocess.run([program, "evaluate", folder, "document", "--jsonl", "--sequence_length", "512", *options], check=True,
                             capture_output=True).stdout
        ours = json.loads(out)
        print(f"{folder}: loss {ours['loss']:.7f} of {ours['tokens']} tokens, that of transformers {theirs:.7f}")
        assert abs(ours["loss"] - theirs) < 2e-5 and ours["tokens"] == whole.shape[1] - 1


def compare(program, logits, run):
    # AutoTokenizer splits text as Qwen2's own tokenizer does for every model of that type, which the model card says.
    kind = json.load(open(f"{run}.hf/config.json"))["model_type"]
    reader = transformers.PreTrainedTokenizerFast if kind == "qwen2" else transformers.AutoTokenizer
    tokenizer = reader.from_pretrained(f"{run}.hf")
    text = open("text.txt").read()[5000:9000]
    ids = tokenizer(text)["input_ids"]
    assert ids == ids_of(program, run, text), "other ids"
    ids = [tokenizer.bos_token_id] + ids[: N_TOKENS - 1]
    if os.path.exists(f"{run}.from"):  # what it began with
        compare_logits(logits, run, 0, f"{run}.from", ids)
    model = compare_logits(logits, run, -1, f"{run}.hf", ids)
    compare_loss(program, f"{run}.hf", tokenizer, model, text[:600])
    drawn = [compare_greedy(program, run, model, tokenizer, prompt) for prompt in PROMPTS]
    assert max(drawn) == N_GREEDY, drawn


def compare_greedy(program, run, model, tokenizer, prompt):
    """The same text to its end; how many tokens it has."""
    start = [tokenizer.bos_token_id] + tokenizer(prompt)["input_ids"]
    drawn = model.generate(torch.tensor([start]), do_sample=False, max_new_tokens=N_GREEDY)[0]
    ids = [str(token) for token in drawn[1:].tolist() if token != tokenizer.eos_token_id]
    theirs = subprocess.run([program, "tokenizer", "decode", "--tokenizer", f"{run}/tokenizer.json", *ids], check=True, capture_output=True).stdout
    ours = subprocess.run([program, "generate", run, "--prompt", prompt, "--temperature", "0", "--tokens", str(N_GREEDY)],
                          check=True, capture_output=True).stdout.removesuffix(b"\n")
    print(f"  {ours}")
    assert theirs == ours, theirs
    return len(drawn) - len(start)


def main():
    torch.set_num_threads(1)
    program, logits, old, new = sys.argv[1:5]
    compare_goldens(old, new)
    for run in sys.argv[5:]:
        compare(program, logits, run)


main()
