# bench/gradients' networks by PyTorch: forward, backward, and no step.

import torch
from measure import clock, noise, sample_of, serve_jobs
from torch import nn

torch.set_num_threads(1)


def answer(job):
    net = eval(job["network"], {"nn": nn})
    shape = job["shape"]
    x = torch.from_numpy(noise(torch.Size(shape).numel(), 1).reshape(shape))
    with torch.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.copy_(torch.from_numpy(0.1 * noise(parameter.numel(), i + 2).reshape(parameter.shape)))
    ones = torch.ones_like(net(x))

    def step():
        net.zero_grad()
        net(x).backward(ones)

    seconds = clock(step, job["seconds"])
    return {"seconds": seconds, "sample": sample_of(next(net.parameters()).grad.flatten()), "version": torch.__version__}


serve_jobs(answer)
