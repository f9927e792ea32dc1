# Modules of PyTorch in inference mode, as bench/peers/module-job.ts asks for them.

import torch
from measure import clock, noise, sample_of, serve_jobs
from torch import nn


def build(architecture):
    """The module that an architecture describes: arguments that are modules are described in the same way."""
    given = {name: build(value) if isinstance(value, dict) else value for name, value in architecture.items()}
    return getattr(nn, given.pop("type"))(**given)


def answer(job):
    torch.set_num_threads(1)
    module = build(job["architecture"]).eval()
    numbers = lambda count, seed: torch.from_numpy(noise(count, seed)) * job["scale"]
    for i, parameter in enumerate(module.parameters()):
        parameter.copy_(numbers(parameter.numel(), i + 2).reshape(parameter.shape))
    x = numbers(torch.Size(job["shape"]).numel(), 1).reshape(job["shape"])
    seconds = clock(lambda: module(x), job["seconds"])
    output = module(x)
    output = output[0] if isinstance(output, tuple) else output
    return {"seconds": seconds, "sample": sample_of(output.flatten()), "version": torch.__version__}


def serve():
    with torch.inference_mode():
        serve_jobs(answer)
