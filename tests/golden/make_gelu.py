"""Makes tests/golden/gelu_tanh.def: GELU(x, y, dy/dx) of torch.nn.functional.gelu(x, approximate="tanh") in f64.

    python3 tests/golden/make_gelu.py             (from the root; needs PyTorch)

The slopes are autograd's."""
import os

import torch


def main():
    torch.set_num_threads(1)
    values = [0.0, 1e-30, 1e-3, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 30.0, 1e4]
    x = torch.tensor([v for value in values for v in ({value, -value})], dtype=torch.float64)
    x = torch.unique(x).requires_grad_()
    y = torch.nn.functional.gelu(x, approximate="tanh")
    y.sum().backward()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gelu_tanh.def")
    with open(path, "w") as file:
        file.write(f"/* Made by make_gelu.py with PyTorch {torch.__version__}. */\n")
        for row in zip(x.tolist(), y.tolist(), x.grad.tolist()):
            file.write("GELU(" + ", ".join(value.hex() for value in row) + ")\n")


if __name__ == "__main__":
    main()
