# bench/updates' steps by PyTorch: its default implementation, or with "fused" in the options its one kernel a step.

import torch
from measure import clock, noise, sample_of, serve_jobs

COMPARED_STEPS = 3

torch.set_num_threads(1)


def answer(job):
    parameter = torch.nn.Parameter(torch.from_numpy(noise(job["numel"], 1)))
    parameter.grad = torch.from_numpy(noise(job["numel"], 2))
    optimizer = getattr(torch.optim, job["name"])([parameter], **job["options"])
    for _ in range(COMPARED_STEPS):
        optimizer.step()
    sample = sample_of(parameter.detach())
    return {"seconds": clock(optimizer.step, job["seconds"]), "sample": sample, "version": torch.__version__}


serve_jobs(answer)
