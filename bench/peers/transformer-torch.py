# bench/transformer's modules by PyTorch.

from module import serve

serve()
