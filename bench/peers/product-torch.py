# bench/gemm's products by PyTorch: torch.nn.functional.linear in inference mode.

import torch
from measure import clock, noise, sample_of, serve_jobs

operands = {}


def answer(job):
    m, k, n = job["m"], job["k"], job["n"]
    torch.set_num_threads(job["threads"])
    if (m, k, n) not in operands:
        operands.clear()
        x, w, bias = noise(m * k, 1).reshape(m, k), noise(n * k, 2).reshape(n, k), noise(n, 3)
        operands[m, k, n] = [torch.from_numpy(array) for array in (x, w, bias)]
    given = operands[m, k, n]
    seconds = clock(lambda: torch.nn.functional.linear(*given), job["seconds"])
    y = torch.nn.functional.linear(*given).flatten()
    return {"seconds": seconds, "sample": sample_of(y), "version": torch.__version__}


with torch.inference_mode():
    serve_jobs(answer)
