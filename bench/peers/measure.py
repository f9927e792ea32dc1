# What the benchmarks' sides in Python share: as clock.ts.

import json
import sys
import time

import numpy

BATCH_SECONDS = 0.001


def noise(n, seed):
    """Numbers in [-1, 1) that look random and are always the same."""
    state = (seed * 0x9E3779B9 & 0xFFFFFFFF) | 1
    values = numpy.empty(n, dtype=numpy.float32)
    # Steps of the generator are affine, and so are many at a time.
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
    """Seconds a run takes: the best batch of those that fit into `seconds`."""
    runs, best, end = 1, float("inf"), time.perf_counter() + seconds
    while True:
        if runs == 1:
            time.sleep(0.001)
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


def sample_of(values):
    return [values[i * (len(values) - 1) // 3].item() for i in range(4)]


def serve_jobs(answer):
    """Answers each job on standard input; ends with it."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
