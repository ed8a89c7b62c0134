"""Makes tests/golden/updates.safetensors: ten updates of two small stacks of matrices by every rule that
make_model.py lacks, in f64.

    python3 tests/golden/make_updates.py          (from the root; needs NumPy)

The gradients are given, so that nothing but the update is compared.  All of them are clipped together to norm 1.
Tensors: initial.NAME [L, R, C] and gradient.NAME [10, L, R, C] F32, final.VARIANT.NAME [L, R, C] F64 for the
stacks NAME in `merged`, whose rows are those of q, k, v, o, and `tall`."""
import json
import os

import numpy

import safetensors_file

STEPS = 10
SHAPES = {"merged": (2, 24, 16), "tall": (2, 20, 12)}
GROUPS = {"merged": [8, 4, 4, 8], "tall": [20]}
HEAD_ROWS = {"merged": [4, 4, 4, None], "tall": [None]}  # None: not rows of heads
POLAR_EXPRESS = [
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323)]
MUON = dict(rule="muon", lr=0.024, momentum=0.95, split="merged", decay=0.0)
HIGHEST = 1.1412  # of Polar Express: the largest singular value of the result
SGD = dict(rule="sgd", lr=0.1, momentum=0.9, nesterov=False, decay=0.0)
VARIANTS = {
    "sgd": SGD,
    "sgd_nesterov": dict(SGD, nesterov=True, decay=0.2),
    "normuon": dict(MUON, rule="normuon", beta2=0.95),
    "muon_cautious": dict(MUON, decay=2.0, cautious=True),
    "adamw_cautious": dict(rule="adamw", lr=0.01, decay=0.5, cautious=True),
    "sgd_cautious": dict(SGD, decay=2.0, cautious=True),
    "sphere_project": dict(MUON, sphere="project", decay=0.1),
    "sphere_hyperball": dict(MUON, sphere="hyperball"),
    "sphere_hyperball_sgd": dict(SGD, sphere="hyperball", lr=0.05),
    "soft_cap": dict(MUON, soft_cap=6.5),
    "soft_cap_split": dict(MUON, soft_cap=6.2, split="per_head", decay=0.1),
    "exponent_half": dict(MUON, exponent=0.5, split="per_projection"),
    "exponent_one": dict(MUON, exponent=1),
    "spectral_decay": dict(MUON, spectral_decay=0.5),
    "normuon_per_head": dict(MUON, rule="normuon", beta2=0.8, split="per_head", decay=0.1),
}


def norm(x):
    return numpy.sqrt((x * x).sum())


def orthogonalise(u):
    """u [R, C] -> about U V^T: Polar Express as in muon.py."""
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x / (norm(x) * 1.01 + 1e-7)
    for a, b, c in POLAR_EXPRESS:
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if u.shape[0] > u.shape[1] else x


# For exponent 0.5, by make_exponents.py.
TRIPLES = [
    (7.6398033187, -19.2937198887, 13.3202096515),
    (3.81589094476, -2.55366367553, 0.466681695358),
    (3.62318369381, -2.68697081642, 0.524558705429),
    (2.52955694403, -2.20205765672, 0.527255878055),
    (1.92791114133, -1.3273711156, 0.689315849058)]
WEIGHTS = [0.780030835931, 0.103647701188, 0.0602235905923, 0.0269075226386, -0.0823850028286, 0.0929119388066]


def power(u, exponent):
    """u [R, C] -> U S^p V^T, as large as an orthogonal matrix, the singular values by the scalar polynomials."""
    left, s, right = numpy.linalg.svd(u, full_matrices=False)
    if exponent == 0.5:
        y = s / (norm(u) * 1.01 + 1e-7)
        s = WEIGHTS[0] * y
        for (a, b, c), weight in zip(TRIPLES, WEIGHTS[1:]):
            y = a * y + b * y**3 + c * y**5
            s = s + weight * y
    result = (left * s) @ right
    return result * numpy.sqrt(min(u.shape)) / norm(result)


def normalise_neurons(o, second, beta2):
    """NorMuon, as its authors' normuon.py has it; second [R, 1] is changed."""
    second *= beta2
    second += (1 - beta2) * (o * o).mean(axis=1, keepdims=True)
    n = o / (numpy.sqrt(second) + 1e-10)
    return n * (norm(o) / (norm(n) + 1e-10))


def soft_cap_strength(cap, growth):
    """The a for which X - a X X^T X, then X + a X X^T X takes a singular value cap + growth to cap: y = a (cap +
    growth)^2 is the least positive root of y^4 - 3 y^3 + 3 y^2 - (1 - cap / (cap + growth))."""
    roots = numpy.roots([1, -3, 3, 0, -(1 - cap / (cap + growth))])
    return min(r.real for r in roots if abs(r.imag) < 1e-12 and r.real > 0) / (cap + growth) ** 2


def pieces(name, split):
    """Row counts of what is orthogonalised alone."""
    if split == "merged":
        return [sum(GROUPS[name])]
    result = []
    for rows, head in zip(GROUPS[name], HEAD_ROWS[name]):
        result += [head] * (rows // head) if head and split == "per_head" else [rows]
    return result


class Update:
    """The rule of one matrix of a stack."""

    def __init__(self, c, name, shape):
        self.c, self.name = c, name
        self.buffer = numpy.zeros(shape)
        self.square = numpy.zeros(shape)
        self.second = numpy.zeros((shape[0], 1))
        self.steps = 0

    def step(self, w, g):
        """w - lr (u + decay w), and the interventions on it."""
        c = self.c
        if self.steps == 0:
            self.norms = [norm(part) for part in self.groups(w)]
        self.steps += 1
        u = self.update(g)
        decayed = numpy.where(u * w >= 0, w, 0) if c.get("cautious") else w
        delta = c["lr"] * (u + c["decay"] * decayed)
        result = w - delta
        for i, (part, new, d) in enumerate(zip(self.groups(w), self.groups(result), self.groups(delta))):
            if c.get("spectral_decay"):
                v = numpy.linalg.svd(part)[2][0]
                new -= c["lr"] * c["spectral_decay"] * numpy.outer(part @ v, v)
            if c.get("sphere") == "hyperball":
                new[:] = part - c["lr"] * self.norms[i] * d / norm(d)
            if c.get("sphere"):
                new *= self.norms[i] / norm(new)
            if c.get("soft_cap"):
                strength = soft_cap_strength(c["soft_cap"], c["lr"] * self.largest_step(i, w.shape))
                new -= strength * new @ new.T @ new
                new += strength * new @ new.T @ new
        return result

    def groups(self, w):
        """Views of the rows of each projection."""
        return numpy.split(w, numpy.cumsum(GROUPS[self.name])[:-1])

    def largest_step(self, i, shape):
        """Bound of the singular values of a group of Muon's scaled update."""
        rows, head = GROUPS[self.name][i], HEAD_ROWS[self.name][i]
        piece = shape[0] if self.c["split"] == "merged" else head or rows
        return numpy.sqrt(max(1, piece / shape[1])) * HIGHEST * numpy.sqrt(max(1, rows / piece))

    def update(self, g):
        c = self.c
        if c["rule"] == "adamw":
            self.buffer = 0.9 * self.buffer + 0.1 * g
            self.square = 0.999 * self.square + 0.001 * g * g
            return (self.buffer / (1 - 0.9**self.steps)) / (numpy.sqrt(self.square / (1 - 0.999**self.steps)) + 1e-8)
        if c["rule"] == "sgd":
            self.buffer = c["momentum"] * self.buffer + g
            return g + c["momentum"] * self.buffer if c["nesterov"] else self.buffer
        self.buffer = c["momentum"] * self.buffer + (1 - c["momentum"]) * g
        return self.direction((1 - c["momentum"]) * g + c["momentum"] * self.buffer)

    def direction(self, u):
        result, begin = numpy.empty_like(u), 0
        for rows in pieces(self.name, self.c["split"]):
            part = slice(begin, begin + rows)
            o = power(u[part], self.c["exponent"]) if self.c.get("exponent") else orthogonalise(u[part])
            if self.c["rule"] == "normuon":
                o = normalise_neurons(o, self.second[part], self.c["beta2"])
            result[part] = o * numpy.sqrt(max(1, rows / u.shape[1]))
            begin += rows
        return result


def train(c, initial, gradients):
    weights = {name: value.astype(numpy.float64) for name, value in initial.items()}
    updates = {name: [Update(c, name, value.shape[1:]) for _ in value] for name, value in initial.items()}
    for step in range(STEPS):
        now = {name: value[step].astype(numpy.float64) for name, value in gradients.items()}
        factor = min(1, 1 / (numpy.sqrt(sum((g * g).sum() for g in now.values())) + 1e-6))
        for name, w in weights.items():
            for layer, update in enumerate(updates[name]):
                w[layer] = update.step(w[layer], factor * now[name][layer])
    return weights


def main():
    initial, gradients = {}, {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        generator = numpy.random.default_rng([12, number])
        values = 0.1 * generator.standard_normal(shape)
        for layer in values:  # projections with a first singular value of about 6, far above the second
            for part in numpy.split(layer, numpy.cumsum(GROUPS[name])[:-1]):
                left, right = generator.standard_normal(part.shape[0]), generator.standard_normal(part.shape[1])
                part += 6 * numpy.outer(left / norm(left), right / norm(right))
        initial[name] = values.astype(numpy.float32)
        spread = 1 / (1 + numpy.arange(shape[2]))  # of the gradients' singular values
        gradients[name] = (generator.standard_normal((STEPS, *shape)) * spread).astype(numpy.float32)
    tensors = {f"initial.{name}": value for name, value in initial.items()}
    tensors.update({f"gradient.{name}": value for name, value in gradients.items()})
    for variant, c in VARIANTS.items():
        for name, value in train(c, initial, gradients).items():
            tensors[f"final.{variant}.{name}"] = value
            print(f"{variant:20s} {name:7s} moved by {norm(value - initial[name]) / norm(initial[name]):.4f} of its norm")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "updates.safetensors")
    safetensors_file.write(path, tensors, {"variants": json.dumps(VARIANTS), "numpy": numpy.__version__})


if __name__ == "__main__":
    main()
