"""Processes that share a list of tasks; one that dies costs the task that killed it, no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task", bound=Hashable)
Result = TypeVar("Result")

THREADS = "OPENBLAS_NUM_THREADS"  # read by numpy's linear algebra when it is loaded


def available_cores() -> int:
    """Give the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Crew:
    """A pool of fresh processes, started when needed and again after one of them died.

    Fresh ones (spawned, not forked) hold nothing of the parent's memory, threads or open files.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @property
    def is_running(self) -> bool:
        """Whether there are processes."""
        return self._pool is not None

    def run(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        done: Callable[[Task, Result | None], None],
    ) -> None:
        """Do all tasks, in any order.

        Parameters
        ----------
        work : a function of a module, so that another process can import it.
        tasks : each once.
        done : called in this process with each result; None if the task ended its process.

        Raises whatever `work` raises.
        """
        left = self._attempt(work, tasks, done) if tasks else []
        if left and len(tasks) == 1:
            done(tasks[0], None)
            return
        middle = len(left) // 2
        for part in (left[:middle], left[middle:]):
            if part:
                self.run(work, part, done=done)

    def _attempt(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        done: Callable[[Task, Result | None], None],
    ) -> list[Task]:
        """Do tasks until a process dies; give those without a result."""
        left = dict.fromkeys(tasks)
        try:
            pool = self._running()
            with _one_thread_each():  # processes start as tasks are submitted
                futures = {pool.submit(work, task): task for task in tasks}
            for future in as_completed(futures):
                result = future.result()
                del left[futures[future]]
                done(futures[future], result)
        except BrokenProcessPool:
            self.close()
        return list(left)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), initializer=_leave_interrupts
            )
        return self._pool

    def close(self) -> None:
        """End the processes; tasks that were not begun are dropped."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


@contextmanager
def open_crew(workers: int) -> Iterator[Crew]:
    """Give a crew whose processes end with the block."""
    crew = Crew(workers)
    try:
        yield crew
    finally:
        crew.close()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let numpy in new processes use one thread: there is a process for each core already."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


def _leave_interrupts() -> None:
    # Ctrl-C reaches every process of a terminal; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
