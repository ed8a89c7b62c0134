"""Muon in PyTorch, straight from its definition, in whatever precision the tensors have.

Momentum, Nesterov and scaling: Keller Jordan's Muon (EMA form).  Polar Express: Amsel et al. 2025, the five triples and
the factor 1.01 as shipped in vukrosic/muon-llm-research.  Modula: six triples over 1024 (modula / lipschitz transformers,
Newhouse et al. 2025).  jordan_convergent: eight Jordan steps, then two of the convergent quintic (2, -1.5, 0.5).
Every set starts from the same normalisation u / (||u||_F * 1.01 + 1e-7)."""
import math

import torch

JORDAN = (3.4445, -4.7750, 2.0315)
COEFFICIENTS = {
    "polar_express": [
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ],
    "jordan": [JORDAN] * 5,
    "modula": [tuple(value / 1024 for value in triple) for triple in (
        (3955, -8306, 5008), (3735, -6681, 3463), (3799, -6499, 3211),
        (4019, -6385, 2906), (2677, -3029, 1162), (2172, -1833, 682))],
    "jordan_convergent": [JORDAN] * 8 + [(2.0, -1.5, 0.5)] * 2,
}


def orthogonalise(u, coefficients):
    """u [rows, cols] -> about U V^T of its singular value decomposition."""
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x / (x.norm() * 1.01 + 1e-7)
    for a, b, c in COEFFICIENTS[coefficients]:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if u.shape[0] > u.shape[1] else x


def scale(rows, cols, scaling):
    return {"max_rows_cols": math.sqrt(max(1.0, rows / cols)), "moonlight": 0.2 * math.sqrt(max(rows, cols)),
            "rows_cols": math.sqrt(rows / cols)}[scaling]


class Muon:
    """parameters: list of (tensor [L, rows, cols], row counts of the blocks that are orthogonalised alone)."""

    def __init__(self, parameters, coefficients, scaling, decay_mode, decay, lr=0.024, momentum=0.95):
        self.parameters, self.coefficients, self.scaling = parameters, coefficients, scaling
        self.decay_mode, self.decay, self.lr, self.momentum = decay_mode, decay, lr, momentum
        self.buffers = [torch.zeros_like(tensor) for tensor, _ in parameters]

    @torch.no_grad()
    def step(self):
        m = self.momentum
        for (weight, blocks), buffer in zip(self.parameters, self.buffers):
            buffer.copy_(m * buffer + (1 - m) * weight.grad)
            nesterov = (1 - m) * weight.grad + m * buffer
            for w, u in zip(weight, nesterov):
                parts = [orthogonalise(part, self.coefficients) * scale(*part.shape, self.scaling)
                         for part in u.split(blocks)]
                w -= self.lr * self.decayed(torch.cat(parts), w)

    def decayed(self, update, weight):
        """Modes as in optimizers/muon.py of vukrosic/llm-weight-decay-research ("decoupled" is called "param" there):
        the update mode multiplies the update itself by 1 + decay, both adds the two terms."""
        if self.decay_mode == "none":
            return update
        return update + self.decay * {"decoupled": weight, "update": update, "both": weight + update}[self.decay_mode]
