"""MB/s of Hugging Face tokenizers on the documents that `muonscope bench tokenizer` times: python3 time_tokenizers.py TOKENIZER TEXT THREADS

TEXT is JSONL with the key "text".  Prints the best of three.  Needs the package `tokenizers`.
"""
import json, os, sys, time

tokenizer_path, text_path, n_threads = sys.argv[1:]
os.environ["RAYON_NUM_THREADS"] = n_threads
os.environ["TOKENIZERS_PARALLELISM"] = "true" if int(n_threads) > 1 else "false"
import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(tokenizer_path)
documents, n_bytes = [], 0
with open(text_path, encoding="utf-8") as lines:
    for line in lines:
        documents.append(json.loads(line)["text"])
        n_bytes += len(documents[-1].encode())
        if n_bytes >= 64 << 20:
            break
best = None
for _ in range(3):
    begun = time.monotonic()
    n_tokens = 0
    for i in range(0, len(documents), 1000):  # as `datasets` gives them: encodings of all at once take gigabytes
        n_tokens += sum(len(e.ids) for e in tokenizer.encode_batch_fast(documents[i : i + 1000], add_special_tokens=False))
    seconds = time.monotonic() - begun
    best = seconds if best is None else min(best, seconds)
print(f"tokenizers {tokenizers.__version__}, {n_threads} threads: {n_bytes / best * 1e-6:.1f} MB/s, {n_tokens / best * 1e-6:.2f} million tokens/s, {n_tokens} tokens")
