# bench/gemm's products by PyTorch: torch.nn.functional.linear in inference mode. Reads a job a line, answers a line.

import json
import sys
import time

import numpy
import torch

BATCH_SECONDS = 0.001


def noise(n, seed):
    """As noise() of clock.ts."""
    state = (seed * 0x9E3779B9 & 0xFFFFFFFF) | 1
    values = numpy.empty(n, dtype=numpy.float32)
    # The generator's jump by a block of steps is affine too: one block at a time.
    block = min(n, 4096)
    scale, shift = 1, 0
    scales, shifts = numpy.empty(block, dtype=numpy.uint64), numpy.empty(block, dtype=numpy.uint64)
    for i in range(block):
        scale, shift = scale * 1664525 & 0xFFFFFFFF, (shift * 1664525 + 1013904223) & 0xFFFFFFFF
        scales[i], shifts[i] = scale, shift
    for start in range(0, n, 4096):
        count = min(4096, n - start)
        states = (scales[:count] * numpy.uint64(state) + shifts[:count]) & numpy.uint64(0xFFFFFFFF)
        values[start : start + count] = states.astype(numpy.uint32).view(numpy.int32) / 2.0**31
        state = int(states[-1])
    return values


def clock(run, seconds):
    """As clock() of clock.ts."""
    runs, best, end = 1, float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        for _ in range(runs):
            run()
        now = time.perf_counter()
        taken = now - start
        if taken < BATCH_SECONDS and runs < 1e6:
            runs = -int(-runs * min(10, 1.2 * BATCH_SECONDS / max(taken, 1e-7)) // 1)
        else:
            best = min(best, taken / runs)
            if now >= end:
                return best


placed = None
with torch.inference_mode():
    for line in sys.stdin:
        job = json.loads(line)
        m, k, n = job["m"], job["k"], job["n"]
        torch.set_num_threads(job["threads"])
        if placed != (m, k, n):
            placed = (m, k, n)
            x = torch.from_numpy(noise(m * k, 1)).reshape(m, k)
            w = torch.from_numpy(noise(n * k, 2)).reshape(n, k)
            bias = torch.from_numpy(noise(n, 3))
        seconds = clock(lambda: torch.nn.functional.linear(x, w, bias), job["seconds"])
        y = torch.nn.functional.linear(x, w, bias).flatten()
        sample = [y[i * (len(y) - 1) // 3].item() for i in range(4)]
        print(json.dumps({"seconds": seconds, "sample": sample, "version": torch.__version__}), flush=True)
