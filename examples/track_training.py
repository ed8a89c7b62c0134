# %% [markdown]
# # Spectra of your own training
#
# A small model of PyTorch learns to sum digits, once with AdamW and once with orthogonalised updates (as Muon makes them), and muonscope
# records the matrices of both.  Needs the package muonscope (docs/python.md), PyTorch and pandas; takes about half a minute on two cores.  Cells begin
# with `# %%`: Jupyter (jupytext), VS Code and Spyder run them one by one, Python all of them.

# %%
import pandas
import torch
from torch import nn

import muonscope

torch.manual_seed(0)
torch.set_num_threads(2)

# %% [markdown]
# The names of the parameters say which matrices they are: `layers.0.mlp.up_proj.weight` is `up` of layer 0, as in transformers.  Others are named
# by `Tracker(..., matrices={"name": (layer, "projection")})`.


# %%
class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"up_proj": nn.Linear(width, 4 * width, bias=False), "down_proj": nn.Linear(4 * width, width, bias=False)})

    def forward(self, x):
        return x + self.mlp["down_proj"](torch.relu(self.mlp["up_proj"](self.norm(x))))


class Model(nn.Module):
    def __init__(self, width=64, n_layers=2):
        super().__init__()
        self.embed = nn.Embedding(10, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(n_layers))
        self.head = nn.Linear(width, 28)

    def forward(self, digits):  # [batch, 3]
        x = self.embed(digits).sum(1)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Orthogonal(torch.optim.Optimizer):
    """W -= lr * U V^T of the momentum's singular value decomposition: Muon, with an exact orthogonalisation."""

    def __init__(self, parameters, lr, momentum=0.9):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": 0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for parameter in group["params"]:
                average = self.state[parameter].setdefault("average", torch.zeros_like(parameter))
                average.mul_(group["momentum"]).add_(parameter.grad)
                u, _, vh = torch.linalg.svd(average, full_matrices=False)
                parameter.sub_(u @ vh, alpha=group["lr"])


# %% [markdown]
# `attach` takes all optimizers that make a step.  `seed` and `config` are what `compare` pairs and groups runs by.


# %%
def train(name, seed, steps=60, batch=256):
    torch.manual_seed(seed)
    model = Model()
    matrices = [p for n, p in model.named_parameters() if n.startswith("layers.") and p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is m for m in matrices)]
    first = torch.optim.AdamW(matrices, lr=1e-3) if name == "adamw" else Orthogonal(matrices, lr=1e-2)
    optimizers = [first, torch.optim.Adam(others, lr=1e-3)]
    config = {"optimizer.name": name}
    with muonscope.Tracker(model, f"runs/{name}_{seed}", every=20, tokens_per_step=batch, seed=seed, config=config).attach(*optimizers) as tracker:
        for _ in range(steps):
            digits = torch.randint(10, (batch, 3))
            loss = nn.functional.cross_entropy(model(digits), digits.sum(1))
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            tracker.set_loss(loss.item())
            for optimizer in optimizers:
                optimizer.step()
    return model


for seed in (1, 2):
    for name in ("adamw", "muon"):
        model = train(name, seed)

# %% [markdown]
# A run as tables of pandas.  Orthogonalised updates have singular values of one size, so that the ratio of the update's largest to its median
# one is 1.

# %%
runs = {name: muonscope.read_run(f"runs/{name}_1") for name in ("adamw", "muon")}
for name, run in runs.items():
    print(name, "loss", run.metrics["loss"].iloc[[0, -1]].round(3).tolist())
    print(run.spectra.pivot_table(index="step", columns=["projection", "layer"], values="stable_rank").round(1), "\n")

update = pandas.concat({name: run.spectra[run.spectra["step"] == 60].set_index(["projection", "layer"]) for name, run in runs.items()}, axis=1)
ratio = pandas.DataFrame({name: update[name]["update_sigma_1"] / update[name]["update_sigma_q50"] for name in runs})
print("update: largest singular value to the median\n", ratio.round(2), "\n")

# %% [markdown]
# One matrix, and every matrix of a checkpoint.

# %%
weight = model.layers[0].mlp["up_proj"].weight
figures = muonscope.spectrum(weight, "up of layer 0")
print({key: figures[key] for key in ("sigma_max", "sigma_min", "stable_rank", "spectral_entropy")})

# %% [markdown]
# The program reads the same folders: `muonscope plot runs/muon_1`, `muonscope report runs/muon_1`, and
# `muonscope compare runs/adamw_* runs/muon_* --by optimizer.name`, whose replicates are the seeds.
