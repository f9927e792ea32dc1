# bench/recurrent's modules by PyTorch.

from module import serve

serve()
