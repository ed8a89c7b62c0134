"""A small GPT of PyTorch trained beside Tracker: the figures of W are those of `analyze` of its checkpoints; what it costs.  Run by
wheel.sh."""

import json
import math
import os
import time

import torch
from torch import nn

import muonscope
from files import write_safetensors

WIDTH, HEADS, LAYERS, STEPS, EVERY = 128, 4, 3, 40, 10


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.c_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x):
        q, k, v = (y.view(*y.shape[:2], HEADS, -1).transpose(1, 2) for y in self.c_attn(x).chunk(3, -1))
        return self.c_proj(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn, self.ln_1, self.ln_2 = Attention(), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.h = nn.Embedding(256, WIDTH), nn.ModuleList(Block() for _ in range(LAYERS))

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return x @ self.wte.weight.T


def train(folder):
    torch.manual_seed(1)
    model = Gpt()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    text = torch.frombuffer(bytearray(open(__file__, "rb").read()), dtype=torch.uint8).long()
    tracker = folder and muonscope.Tracker(model, folder, every=EVERY, tokens_per_step=8 * 64, heads=HEADS, head_size=WIDTH // HEADS)
    begin = time.perf_counter()
    for step in range(1, STEPS + 1):
        at = torch.randint(len(text) - 65, (8,)).tolist()
        ids = torch.stack([text[i : i + 65] for i in at])
        loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        if tracker:
            tracker.before_step()
        optimizer.step()
        if tracker:
            tracker.after_step(loss=loss.item(), lr=1e-3, decay_share=1e-3 * 1e-2)
        if folder and step % EVERY == 0:
            os.mkdir(f"at{step}")
            write_safetensors(f"at{step}/model.safetensors", {name: p.detach().numpy() for name, p in model.named_parameters()})
            with open(f"at{step}/config.json", "w", encoding="utf-8") as file:
                json.dump({"num_attention_heads": HEADS, "hidden_size": WIDTH}, file)
    stepped = time.perf_counter() - begin
    if tracker:
        tracker.close()
    return stepped, time.perf_counter() - begin, {name: p.detach().clone() for name, p in model.named_parameters()}


train(None)  # what comes first is slower
_, alone, plain = train(None)
stepped, whole, tracked = train("gpt")
assert all(torch.equal(plain[name], tracked[name]) for name in plain), "Tracker changed the training"
with open("gpt/spectra.jsonl", encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
assert len(lines) == (1 + STEPS // EVERY) * LAYERS * 6, len(lines)
n = exact = 0
for step in range(EVERY, STEPS + 1, EVERY):
    analyzed = {(a["layer"], a["projection"]): a for a in muonscope.analyze(f"at{step}")}
    for line in (line for line in lines if line["step"] == step):
        other = analyzed[line["layer"], line["projection"]]
        for key in set(line) & set(other) - {"layer", "projection"}:
            # analyze finds all singular values, the tracker those that it reports: by other sums.
            pairs = zip(line[key], other[key], strict=True) if isinstance(line[key], list) else [(line[key], other[key])]
            for here, there in pairs:
                exact += here == there
                n += 1
                assert here == there or math.isclose(here, there, rel_tol=1e-10), (step, key, here, there)
        assert line["update_sigma"][0] > 0 and math.isfinite(line["alignment_left"]), line
matrix = dict(tracked)["h.0.mlp.c_fc.weight"]
assert muonscope.spectrum(matrix) == muonscope.spectrum(matrix.numpy())
half = matrix.bfloat16()
assert muonscope.spectrum(half) == muonscope.spectrum(half.float().numpy())
print(f"gpt.py: {n} figures as those of analyze, {exact} to the bit; {STEPS} steps: {alone:.2f} s alone, {stepped:.2f} s tracked, {whole:.2f} s with the end")
