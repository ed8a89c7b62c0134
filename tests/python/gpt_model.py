"""A small GPT of PyTorch, and its training beside Tracker or alone."""

import time

import torch
from torch import nn

import muonscope


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)

    def forward(self, x):
        q, k, v = (y.view(*y.shape[:2], self.heads, -1).transpose(1, 2) for y in self.c_attn(x).chunk(3, -1))
        return self.c_proj(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attn, self.ln_1, self.ln_2 = Attention(width, heads), nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, layers, width, heads):
        super().__init__()
        self.wte, self.h = nn.Embedding(256, width), nn.ModuleList(Block(width, heads) for _ in range(layers))

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return x @ self.wte.weight.T


class Times:
    """Seconds of the steps, and with the tracker's end; of the clock, and of all threads' processors."""

    def __init__(self):
        self.begin = time.perf_counter(), time.process_time()
        self.stepped = self.whole = self.processors = 0.0

    def lap(self):
        return time.perf_counter() - self.begin[0]


def train(model, folder=None, *, steps, every=1, sequences=8, tokens=64, heads=4, attach=False, wrap=lambda model: model, after_step=None, share=(0, 1)):
    """AdamW on this file's bytes.  folder: Tracker's; attach: by its hooks.  after_step(step) is called after each.  share: which of the
    sequences, from the first by the second."""
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    with open(__file__, "rb") as file:
        text = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).long()
    wrapped, tracker, times = wrap(model), None, Times()
    if folder:
        width = model.wte.weight.shape[1]
        tracker = muonscope.Tracker(wrapped, folder, every=every, tokens_per_step=sequences * tokens, heads=heads, head_size=width // heads)
        if attach:
            tracker.attach(optimizer)
    for step in range(1, steps + 1):
        at = torch.randint(len(text) - tokens - 1, (sequences,)).tolist()[share[0] :: share[1]]
        ids = torch.stack([text[i : i + tokens + 1] for i in at])
        loss = nn.functional.cross_entropy(wrapped(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        if tracker and attach:
            tracker.set_loss(loss.item())
        elif tracker:
            tracker.before_step()
        optimizer.step()
        if tracker and not attach:
            tracker.after_step(loss=loss.item(), lr=1e-3, decay_share=1e-3 * 1e-2)
        if after_step:
            after_step(step)
    times.stepped = times.lap()
    if tracker:
        tracker.close()
    times.whole, times.processors = times.lap(), time.process_time() - times.begin[1]
    return times
