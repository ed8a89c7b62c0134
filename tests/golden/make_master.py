"""Makes tests/golden/master.safetensors: ten updates with weights and optimizer state in bf16, by NumPy alone.

    python3 tests/golden/make_master.py           (from the root)

The order of roundings is that of `train.master: bf16`: an update is computed whole from the weights and states of the step
before, and each new weight and state is rounded once, to nearest even, as it is stored.  Everything else is f64.  Gradients
are given, and do not depend on the weights.  It prints how far two other orders end: none (f32 weights), and a rounding after
every operation, as PyTorch's AdamW without `fused` and the Muon of vukrosic/muon-llm-research have on bf16 parameters."""
import json
import platform
import sys

import numpy

import safetensors_file
from make_updates import POLAR_EXPRESS

STEPS, SEED = 10, 42
SHAPES = {"matrix": (2, 12, 8), "gain": (2, 8), "table": (20, 8)}


def f32(x):
    """Settings reach the device as f32."""
    return float(numpy.float32(x))


def bf16(x):
    """To 8 significant bits, ties to even; normal numbers only."""
    mantissa, exponent = numpy.frexp(x)
    return numpy.ldexp(numpy.rint(mantissa * 256), exponent - 8)


def same(x):
    return x


def orthogonalise(u, each):
    x = u.T if u.shape[0] > u.shape[1] else u
    x = each(x / (each(numpy.sqrt(numpy.sum(x * x))) * f32(1.01) + f32(1e-7)))
    for a, b, c in POLAR_EXPRESS:
        gram = each(x @ x.T)
        x = each(each(f32(a) * x) + each(each(each(f32(b) * gram) + each(f32(c) * each(gram @ gram))) @ x))
    return x.T if u.shape[0] > u.shape[1] else x


def muon(weight, state, gradient, each):
    """each: what every operation's result goes through; the caller rounds what is stored."""
    m, lr = f32(0.95), f32(0.024)
    buffer = each(m * state["momentum"] + (1 - m) * gradient)
    nesterov = each((1 - m) * gradient + m * buffer)
    scale = f32(max(1.0, weight.shape[1] / weight.shape[2]) ** 0.5)
    direction = numpy.stack([orthogonalise(u, each) for u in nesterov])
    state["momentum"] = buffer
    return each(weight - each(lr * scale * direction))


def adamw(weight, state, gradient, step, each):
    b1, b2, lr, epsilon = f32(0.9), f32(0.999), f32(0.0005), f32(1e-8)
    first = each(b1 * state["momentum"] + (1 - b1) * gradient)
    second = each(each(b2 * state["second_moment"]) + (1 - b2) * gradient * gradient)
    corrections = f32(1 / (1 - b1 ** (step + 1))), f32(1 / (1 - b2 ** (step + 1)))
    root = each(each(numpy.sqrt(second * corrections[1])) + epsilon)
    state["momentum"], state["second_moment"] = first, second
    return each(weight - lr * (first * corrections[0]) / root)


def train(initial, gradients, stored, each):
    weights = {name: value.copy() for name, value in initial.items()}
    states = {name: {"momentum": numpy.zeros(shape), "second_moment": numpy.zeros(shape)} for name, shape in SHAPES.items()}
    for step in range(STEPS):
        norm = numpy.sqrt(sum(numpy.sum(gradients[name][step].astype(float) ** 2) for name in SHAPES))
        clip = min(1.0, 1 / (norm + f32(1e-6)))
        for name, weight in weights.items():
            gradient = each(clip * each(gradients[name][step].astype(float)))
            state = states[name]
            weight = muon(weight, state, gradient, each) if name == "matrix" else adamw(weight, state, gradient, step, each)
            weights[name] = stored(weight)
            for key in state:
                state[key] = stored(state[key])
    return weights, states


def main():
    generator = numpy.random.default_rng(SEED)
    initial = {name: bf16(0.02 * generator.standard_normal(shape).astype(numpy.float32).astype(float))
               for name, shape in SHAPES.items()}
    initial["gain"] = numpy.ones(SHAPES["gain"])
    gradients = {name: (0.1 * generator.standard_normal((STEPS,) + shape)).astype(numpy.float32)
                 for name, shape in SHAPES.items()}
    weights, states = train(initial, gradients, bf16, same)
    plain, _ = train(initial, gradients, same, same)
    every, every_states = train(initial, gradients, bf16, bf16)
    tensors = {}
    for name in SHAPES:
        tensors["initial." + name] = initial[name].astype(numpy.float32)
        tensors["gradient." + name] = gradients[name]
        tensors["final." + name] = weights[name].astype(numpy.float32)
        tensors["f32." + name] = plain[name].astype(numpy.float32)
        tensors["momentum." + name] = states[name]["momentum"].astype(numpy.float32)
        if name != "matrix":
            tensors["second_moment." + name] = states[name]["second_moment"].astype(numpy.float32)
        change = numpy.linalg.norm(plain[name] - initial[name])
        print(f"{name}: of the change in f32, {numpy.linalg.norm(weights[name] - plain[name]) / change:.3f} away from f32, "
              f"{numpy.linalg.norm(every[name] - weights[name]) / change:.3f} from a rounding after every operation; "
              f"there {numpy.mean(every[name] == weights[name]):.0%} of the weights are the same")
    metadata = {"steps": str(STEPS), "seed": str(SEED), "numpy": numpy.__version__, "python": platform.python_version(),
                "config": json.dumps({"muon": {"lr": 0.024, "momentum": 0.95}, "adamw": {"lr": 0.0005}, "gradient_clip": 1})}
    safetensors_file.write(sys.path[0] + "/master.safetensors", tensors, metadata)


if __name__ == "__main__":
    main()
