"""Look at every file once, by all cores, and survive what a file does to the process that decodes it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import cv2
from PIL import Image

from fgkd.data.check.look import Look, glance, look

Seen = tuple[int, Look]  # the file's position, and what was seen
Job = list[tuple[int, Path]]
CHUNK = 32  # files handed to a process at once
THREADS = 32  # headers are waited for, not computed
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def sweep(files: Job, workers: int) -> Iterator[Seen]:
    """`look` at all files, given with their positions, in any order, in `workers` processes, >= 1.

    Processes, not threads: they take a decoder's crash upon themselves, let its complaints be heard, and the Python
    part of a look does not queue for the interpreter lock.
    """
    waiting = deque(_chunks(files))
    while waiting:
        lost: list[Job] = []
        with _pool(workers) as pool:
            yield from _drain(pool, waiting, lost, 3 * workers)
        if lost:
            yield from _one_by_one([file for job in lost for file in job])


def _chunks(files: Job) -> Iterator[Job]:
    return (files[at : at + CHUNK] for at in range(0, len(files), CHUNK))


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)


def _drain(pool: ProcessPoolExecutor, waiting: deque[Job], lost: list[Job], window: int) -> Iterator[Seen]:
    """Results as they come, of at most `window` jobs at a time; when the pool breaks, its jobs go to `lost`."""
    running: dict[Future[list[Seen]], Job] = {}
    try:
        while (waiting and not lost) or running:
            while waiting and not lost and len(running) < window:
                running[pool.submit(_look_at, waiting[0])] = waiting[0]
                waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    lost.append(job)
    except BrokenProcessPool:  # from submit
        lost += running.values()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_by_one(files: Job) -> Iterator[Seen]:
    """For files of which one has killed a process: it is the one that kills another."""
    pool = _pool(1)
    try:
        for number, path in files:
            try:
                yield from pool.submit(_look_at, [(number, path)]).result()
            except BrokenProcessPool:
                pool = _pool(1)
                yield number, Look((("unreadable", "the process that decoded it died"),))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    """In each new process: no threads below processes, Ctrl-C is the parent's, and stderr becomes a file to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)


def _look_at(job: Job) -> list[Seen]:
    return [(number, look(path, _murmur)) for number, path in job]


def _murmur() -> str:
    """What libraries have printed on stderr since the last call: libjpeg tells of lost data nowhere else."""
    if not (size := os.fstat(2).st_size):
        return ""
    text = os.pread(2, size, 0).decode(errors="replace")
    os.ftruncate(2, 0)
    os.lseek(2, 0, os.SEEK_SET)
    return text


def skim(files: Job, seconds: float) -> Iterator[Seen]:
    """`glance` at files, given with their positions, in this order, for about so many seconds."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(min(THREADS, 4 * (os.cpu_count() or 1))) as pool:
        for seen in pool.map(lambda job: [(n, glance(p)) for n, p in job if time.monotonic() < end], _chunks(files)):
            yield from seen
