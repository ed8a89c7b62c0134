"""A byte-level BPE tokenizer.json as llama.cpp takes it: keys of GGUF.  What llama.cpp cannot do is refused by its name.

llama.cpp knows a pre-tokenizer by a name of its own; which text each splits how is written in its src/llama-vocab.cpp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ._library import Error

Metadata = List[Tuple[str, Any]]  # gguf.GGUFWriter's method, its argument

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3, _QWEN2, _DIGIT = _WORDS % r"\p{N}{1,3}", _WORDS % r"\p{N}", r"\p{N}"

# By the patterns that isolate pieces, one after the other, and ignore_merges (a piece that is a token is taken as it is).
_NAMES = {
    ((_GPT2,), False): "gpt-2",
    ((_DIGIT, _GPT2), False): "smollm",
    ((_LLAMA3,), True): "llama-bpe",
    ((_LLAMA3,), False): "smaug-bpe",
    ((_QWEN2,), False): "qwen2",
}

_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5  # gguf.TokenType


def _steps(step: Dict[str, Any], key: str) -> List[Dict[str, Any]]:
    """The steps of a Sequence; else the step alone."""
    return [inner for one in step[key] for inner in _steps(one, key)] if step.get("type") == "Sequence" else [step]


def _patterns(root: Dict[str, Any], where: str) -> Tuple[str, ...]:
    """What the pre-tokenizer isolates."""
    found: List[str] = []
    steps = _steps(root["pre_tokenizer"], "pretokenizers") if root.get("pre_tokenizer") else []
    if not steps or steps[-1]["type"] != "ByteLevel":
        raise Error(f"{where}: its pre-tokenizer does not end in ByteLevel: byte-level BPE is written alone")
    for step in steps[:-1]:
        if step["type"] == "Digits" and step.get("individual_digits"):
            found.append(_DIGIT)
        elif step["type"] == "Split" and step.get("behavior") == "Isolated" and not step.get("invert") and "Regex" in step["pattern"]:
            found.append(step["pattern"]["Regex"])
        else:
            raise Error(f"{where}: llama.cpp has no pre-tokenizer with the step {json.dumps(step)}")
    if steps[-1].get("add_prefix_space"):
        raise Error(f"{where}: ByteLevel with add_prefix_space is not what llama.cpp does")
    return tuple(found) + ((_GPT2,) if steps[-1].get("use_regex", True) else ())


def _pre_tokenizer(root: Dict[str, Any], where: str) -> str:
    key = _patterns(root, where), bool(root["model"].get("ignore_merges"))
    if key not in _NAMES:
        raise Error(
            f"{where}: llama.cpp has no pre-tokenizer that is known here for the pattern{'s' if len(key[0]) > 1 else ''} "
            f"{' and '.join(key[0])}{', with ignore_merges' if key[1] else ''}; known are those of {', '.join(_NAMES.values())}"
        )
    return _NAMES[key]


def _id_before(root: Dict[str, Any], where: str) -> Optional[int]:
    """The id that the post-processor puts before a text."""
    processor = root.get("post_processor")
    ids: List[int] = []
    for step in _steps(processor, "processors") if processor else []:
        if step["type"] == "ByteLevel":
            continue
        if step["type"] != "TemplateProcessing":
            raise Error(f"{where}: llama.cpp has no post-processor {step['type']}")
        names = [part["SpecialToken"]["id"] for part in step["single"] if "SpecialToken" in part]
        if "SpecialToken" in step["single"][-1] or len(names) > 1:
            raise Error(f"{where}: its post-processor puts {', '.join(names)} around a text: one token before it is written alone")
        ids += [i for name in names for i in step["special_tokens"][name]["ids"]]
    if len(ids) > 1:
        raise Error(f"{where}: its post-processor puts {len(ids)} tokens before a text: one is written alone")
    return ids[0] if ids else None


def _tokens(root: Dict[str, Any], vocabulary: int, where: str) -> Tuple[List[str], List[int]]:
    """Text and type of each id.  Ids of the embedding that no token has are unused."""
    texts: Dict[int, str] = {}
    types: Dict[int, int] = {}
    for text, i in root["model"]["vocab"].items():
        texts[i], types[i] = text, _NORMAL
    for token in root.get("added_tokens", []):
        for option in ("single_word", "lstrip", "rstrip"):
            if token.get(option):
                raise Error(f"{where}: llama.cpp has no {option}, which the added token {token['content']!r} has")
        texts[token["id"]], types[token["id"]] = token["content"], _CONTROL if token.get("special") else _USER_DEFINED
    if max(texts) >= vocabulary:
        raise Error(f"{where} has {max(texts) + 1} tokens, the model {vocabulary}")
    taken = set(texts.values())
    for i in range(vocabulary):
        if i not in texts:
            text = f"[PAD{i}]"
            while text in taken:
                text += "_"
            texts[i], types[i] = text, _UNUSED
    return [texts[i] for i in range(vocabulary)], [types[i] for i in range(vocabulary)]


def tokenizer_metadata(path: Path, where: str, vocabulary: int, end: Optional[int], is_run: bool, ignore_normalizer: bool) -> Metadata:
    """The keys `tokenizer.ggml.*` for a model of `vocabulary` ids.

    where: its name in messages.  end: id of the end of a document, by config.json; texts of a run begin with it.
    muonscope.Error: not a tokenizer.json, or one that does what llama.cpp does not."""
    try:
        root = json.loads(path.read_text(encoding="utf-8-sig"))
        model = root["model"]
        if model.get("type", "BPE") != "BPE":
            raise Error(f"{where}: model {model['type']}: byte-level BPE is written alone")
        for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.get(option):
                raise Error(f"{where}: llama.cpp has no {option} in a byte-level BPE")
        if root.get("normalizer") and not ignore_normalizer:
            names = "+".join(step["type"] for step in _steps(root["normalizer"], "normalizers"))
            raise Error(
                f"{where}: llama.cpp has no normalizer, and this one has {names}; with --ignore_normalizer the rest is written, and texts that "
                f"{names} changes get other tokens there"
            )
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
        tokens, types = _tokens(root, vocabulary, where)
        name, before = _pre_tokenizer(root, where), _id_before(root, where)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Error(f"{where} is no tokenizer.json: {type(error).__name__}: {error}") from error
    has_begin = before is not None or (is_run and end is not None)
    begin = before if before is not None and not is_run else end
    made: Metadata = [
        ("add_tokenizer_model", "gpt2"),
        ("add_tokenizer_pre", name),
        ("add_token_list", tokens),
        ("add_token_types", types),
        ("add_token_merges", merges),
    ]
    made += [("add_bos_token_id", begin)] if begin is not None else []
    made += [("add_eos_token_id", end)] if end is not None else []
    return made + [("add_add_bos_token", has_begin)]
