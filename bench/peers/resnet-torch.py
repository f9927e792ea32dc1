# bench/resnet's network by PyTorch, as torchvision's resnet18.

import torch
from measure import clock, noise, sample_of, serve_jobs
from torch import nn


def convolved(of, to, kernel, stride):
    return nn.Sequential(nn.Conv2d(of, to, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(to))


class Block(nn.Module):
    def __init__(self, of, to, stride):
        super().__init__()
        self.first, self.second = convolved(of, to, 3, stride), convolved(to, to, 3, 1)
        self.beside = None if of == to and stride == 1 else convolved(of, to, 1, stride)

    def forward(self, x):
        y = self.second(torch.relu_(self.first(x)))
        return torch.relu_(y.add_(x if self.beside is None else self.beside(x)))


def resnet():
    blocks = [Block(of, to, stride) for at, to in enumerate((64, 128, 256, 512))
              for of, stride in ((to if at == 0 else to // 2, 1 if at == 0 else 2), (to, 1))]
    return nn.Sequential(convolved(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def values(parameter, name, seed):
    x = torch.from_numpy(noise(parameter.numel(), seed)).reshape(parameter.shape)
    if parameter.dim() == 1:
        return 1 + 0.2 * x if name.endswith("weight") else 0.1 * x
    return (6 / parameter[0].numel()) ** 0.5 * x


def answer(job):
    torch.set_num_threads(1)
    net = resnet().eval()
    for i, (name, parameter) in enumerate(net.named_parameters()):
        parameter.copy_(values(parameter, name, i + 2))
    shape = [job["batch"], 3, 64, 64]
    x = torch.from_numpy(noise(torch.Size(shape).numel(), 1)).reshape(shape)
    return {"seconds": clock(lambda: net(x), job["seconds"]), "sample": sample_of(net(x).flatten()), "version": torch.__version__}


with torch.inference_mode():
    serve_jobs(answer)
