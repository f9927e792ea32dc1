# bench/training's steps by PyTorch, as its tutorials write them.

import time

import torch
from measure import noise, serve_jobs
from torch import nn

BATCHES, COMPARED_LOSSES = 8, 4


def answer(job):
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    net = eval(job["network"], {"nn": nn})
    shape, batch = job["shape"], job["batch"]
    rows = BATCHES * batch
    x = torch.from_numpy(noise(rows * torch.Size(shape).numel(), 1)).reshape(rows, *shape)
    y = torch.arange(rows) * 7 % 10
    options = dict(job["optimizer"])
    optimizer = getattr(torch.optim, options.pop("name"))(net.parameters(), **options)
    losses = []

    def step(at):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[at:at + batch]), y[at:at + batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    steps = -(-job["steps"] // BATCHES) * BATCHES
    start = time.perf_counter()
    for i in range(steps):
        step(i % BATCHES * batch)
    seconds = (time.perf_counter() - start) / steps
    return {"seconds": seconds, "sample": losses[:COMPARED_LOSSES], "version": torch.__version__}


serve_jobs(answer)
