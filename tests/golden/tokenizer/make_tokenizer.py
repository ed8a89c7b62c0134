"""Makes the goldens of the tokenizer with Hugging Face tokenizers: two trained tokenizers and what they encode.

    python make_tokenizer.py        (writes the files below beside itself)

Made with: Python 3.11.7, tokenizers 0.23.3.
trained_digits.json  Sequence[Digits, ByteLevel], merges spelt ["a", "b"]
digits.json          the same with further added tokens
gpt2.json            ByteLevel alone, merges spelt "a b", as older versions of the library write them
cases.json           texts with the ids of the last two
pipelines.json       what to change in gpt2.json to get each family's pipeline, and further texts with their ids
"""
import json
import pathlib
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

here = pathlib.Path(__file__).parent
VOCAB_SIZE = 400
END_OF_TEXT = "<|endoftext|>"


def train(split_digits):
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, byte_level]) if split_digits else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, min_frequency=2, special_tokens=[END_OF_TEXT], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    # As one text: training from files would look at each line alone.
    tokenizer.train_from_iterator([(here / "corpus.txt").read_text(encoding="utf-8")], trainer)
    return tokenizer


def write(tokenizer, name, old_merges):
    data = json.loads(tokenizer.to_str())
    if old_merges:
        data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    (here / name).write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Tokenizer.from_file(str(here / name))


def texts():
    yield from ["", " ", "a", "The mill's stone", "  two  spaces  ", "\n\n\n", "1234 and 5", "they'll've", END_OF_TEXT,
                f"one{END_OF_TEXT}two {END_OF_TEXT} three", "<|endoftext", "<|note|><|note|>x", "@@mill@@ @@m @@",
                "a" * 300 + " " * 50 + "-=" * 100]
    pool = [" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u180e", "\u2003", "\u3000", "\u0085", "\u200b", "\u2028", "\ufeff", "a",
            "mill", "The", "é", "ß", "e\u0301", "水车", "Мель", "한", "ا", "1", "23", "²", "½", "Ⅷ", "٣", "𝟘", "'s", "'re",
            "'LL", "'ve", "!", "...", "—", "😀", "👨‍👩‍👧", END_OF_TEXT, "<|note|>", "@@mill", "<|", "_", "$", "🇩🇪", "naïve", "\x00",
            "\x7f"]
    source = random.Random(20)
    for _ in range(30):
        yield "".join(source.choice(pool) for _ in range(source.randrange(1, 60)))


digits = train(True)
write(digits, "trained_digits.json", False)
digits.add_special_tokens(["<|note|>"])
digits.add_tokens([AddedToken("@@mill", normalized=True), AddedToken("@@", normalized=False)])
digits = write(digits, "digits.json", False)
gpt2 = write(train(False), "gpt2.json", True)
cases = [{"text": text, "digits": digits.encode(text).ids, "gpt2": gpt2.encode(text).ids} for text in texts()]
(here / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n", encoding="utf-8")


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def steps(*splits):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, byte_level]}}


def added(content, **options):
    return {"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True, **options}


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
NANOCHAT = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
            r"|\s+(?!\S)|\s+")
template = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}], "pair": [
    {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {}}
PIPELINES = {
    "GPT-2 as Split": steps(split(GPT2)),
    "Llama 3": {**steps(split(CL100K)), "model": {"ignore_merges": True}, "post_processor": {"type": "Sequence",
                "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                               template]}},
    "Qwen 2": {**steps(split(CL100K.replace("{1,3}", ""))), "normalizer": {"type": "NFC"}},
    "DeepSeek": {**steps(split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK)),
                 "normalizer": {"type": "Sequence", "normalizers": []}},
    "Phi-4": {**steps(split(CL100K, "Removed", True)), "added_tokens": [added("<|endoftext|>", lstrip=True, rstrip=True)]},
    "Tekken": {**steps(split(TEKKEN)), "model": {"ignore_merges": True}},
    "nanochat": {**steps(split(NANOCHAT)), "model": {"byte_fallback": True}},
    "Claude 2": {"normalizer": {"type": "NFKC"}, "added_tokens": [added("e\u0301\ufb01", normalized=True)]},
    "no pattern": steps(),
    "MergedWithPrevious": steps(split(r"\s", "MergedWithPrevious")),
    "MergedWithNext": steps(split(r"\s", "MergedWithNext")),
    "Contiguous": steps(split(r"\s", "Contiguous"), {"type": "Digits", "individual_digits": False}),
    "Removed": steps(split(" ", "Removed", kind="String")),
    "empty matches": steps(split(r"x*|(?=\p{Lu})")),
    "edges": steps(split(r"\b|^|(?<=\A.)")),
    "classes": steps(split(r"[\S\d]\w[[:punct:]\h]|\p{Han}+|\P{^Greek}{,2}\v|(?m:.)\u006c|\W\B")),
    "single word": {"added_tokens": [added("mill", single_word=True, special=False)]},
}


def pipelines():
    texts_ = [case["text"] for case in cases if 0 < len(case["text"]) < 200][:26]
    texts_ += ["I'LL we'Ve 12345 x=[a]; // fin\r\n\r\n  Ωmega ſ's e\u0301e\u0301\ufb01 한글 ﾊﾟ \u1e9b\u0323\u212b",
               "mill mill_ (mill) \u200dmill ⓐmill", "The stone <|endoftext|> \u3000 mill<|endoftext|>\n", "\x0b\x0bal.l α\x0b 水水",
               "e\u0301\u0316\u0345\u0334" * 40 + "e" + "\u0301\u0344\u0316\u0345\u0334" * 40,
               "a\u0345\u1ac3\u0334 a\u0345\u0316\u1df6\u0301 \u32ff \U00010787 \U00011935\U00011930 \U0001e134\u0316"]
    result = []
    for name, changes in PIPELINES.items():
        data = json.loads((here / "gpt2.json").read_text(encoding="utf-8"))
        for token in changes.get("added_tokens", []):
            token["id"] = data["model"]["vocab"].get(token["content"], 400)
        model = changes.get("model", {})
        data.update({key: value for key, value in changes.items() if key != "model"})
        data["model"].update(model)
        tokenizer = Tokenizer.from_str(json.dumps(data))
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts_]
        result.append(json.dumps({"name": name, "changes": changes, "ids": ids}))
    return '{"texts": ' + json.dumps(texts_) + ', "pipelines": [\n' + ",\n".join(result) + "\n]}\n"


(here / "pipelines.json").write_text(pipelines(), encoding="utf-8")
