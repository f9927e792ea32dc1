# bench/lenet's network by PyTorch, in inference mode.

import torch
from measure import clock, noise, sample_of, serve_jobs
from torch import nn

net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
).eval()  # fmt: skip


def answer(job):
    torch.set_num_threads(1)
    x = torch.from_numpy(noise(job["batch"] * 784, 1).reshape(-1, 1, 28, 28))
    seconds = clock(lambda: net(x), job["seconds"])
    return {"seconds": seconds, "sample": sample_of(net(x).flatten()), "version": torch.__version__}


with torch.inference_mode():
    for i, parameter in enumerate(net.parameters()):
        parameter.copy_(torch.from_numpy(noise(parameter.numel(), i + 2).reshape(parameter.shape)))
    serve_jobs(answer)
