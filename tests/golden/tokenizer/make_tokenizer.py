"""Makes the goldens of the tokenizer with Hugging Face tokenizers: two trained tokenizers and what they encode.

    python make_tokenizer.py        (writes the four files below beside itself)

Made with: Python 3.11.7, tokenizers 0.23.3.
trained_digits.json  Sequence[Digits, ByteLevel], merges spelt ["a", "b"]
digits.json          the same with further added tokens
gpt2.json            ByteLevel alone, merges spelt "a b", as older versions of the library write them
cases.json           texts with the ids of the last two
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
