#!/usr/bin/env python3
"""Times PyTorch on what docs/performance.md measures of pkm, on the CPU, float32.

    pip install torch==2.6.0 numpy
    python scripts/compare/pytorch.py            # prints JSON

lenet-step: forward, cross-entropy, backward and update of 256 images of 28x28; two
blocks of 8 and 16 filters 5x5, tanh, 2x2 max pool, then dense.
mlp-step: the same of 1,000 samples, 784-256-256-10 tanh.
tangent-kernel-100: the 1000x1000 tangent kernel of 100 samples of that network, by
torch.func (vmap of jacrev, then the products of the Jacobians, parameter by parameter).
"""
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.func import functional_call, jacrev, vmap


def seconds(f, repeats):
    f()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def step(net, x, y):
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def run():
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return run


def tangent_kernel(net, x):
    parameters = dict(net.named_parameters())

    def f(p, one):
        return functional_call(net, p, (one[None],))[0]

    def run():
        with torch.no_grad():
            j = vmap(jacrev(f), (None, 0))(parameters, x)
            return sum(torch.einsum("nca,mda->ncmd", v.flatten(2), v.flatten(2)) for v in j.values())

    return run


def main():
    torch.manual_seed(1)
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    lenet = nn.Sequential(nn.Conv2d(1, 8, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))
    mlp = nn.Sequential(nn.Linear(784, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 10))
    images, x = torch.rand(256, 1, 28, 28), torch.rand(1000, 784)
    print(json.dumps({
        "torch": torch.__version__, "threads": torch.get_num_threads(),
        "lenet-step": seconds(step(lenet, images, torch.arange(256) % 10), 30),
        "mlp-step": seconds(step(mlp, x, torch.arange(1000) % 10), 30),
        "tangent-kernel-100": seconds(tangent_kernel(mlp, x[:100]), 3),
    }))


if __name__ == "__main__":
    main()
