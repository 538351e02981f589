"""The processes of a job beside their sums: they agree before they begin, they wait for each other, and end together.

They write short texts into the store of `torchrun`, which every process can read. A thread in each of them writes a
sign of life, and ends its process when another one has failed or has given no sign for too long: so nobody waits in
vain, however long the work of the first process takes.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from time import monotonic, sleep
from typing import Any, NoReturn

import torch

from chainrule.errors import InputError, Interrupted

__all__ = ["ProcessLost", "Processes"]

PERIOD = 0.5  # seconds between two signs of life
TIMEOUT = 600.0  # seconds without one after which a process is lost
REFUSED, UNFORESEEN = 2, 70  # exit codes
LAST = 2.0  # seconds that a process which ends waits for the others
REMAINS = "the last checkpoint remains"
SHOWN = 100  # characters of a value in a message


class ProcessLost(InputError):
    """Another process of the job has ended, and with it the sums that this one waits for."""


class Disagreement(InputError):
    """Two processes of a job were started with different data, options or versions."""


class Processes:
    """The processes of the job that this one belongs to; outside of `torchrun` there is no other.

    timeout: seconds after which a process without a sign of life is lost, and for which a sum waits.

    >>> processes = Processes()
    >>> processes.world, processes.rank
    (1, 0)
    """

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0")) if self.world > 1 else 0
        self.timeout = timeout
        self._store: Any = None
        self._heard = monotonic()  # when the store answered last
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        if self.world > 1 and not torch.distributed.is_initialized():
            self._join()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside, what ends this process ends the others within seconds, and only the first to fail says why."""
        try:
            yield
        except Interrupted:
            raise
        except Exception as error:
            code = REFUSED if isinstance(error, InputError) else UNFORESEEN
            if not self._is_first_to_fail(code):
                raise SystemExit(code) from None
            named = self._store is None or isinstance(error, ProcessLost | Disagreement)
            if named or not isinstance(error, InputError):
                raise
            raise InputError(f"process {self.rank} of {self.world} on {platform.node()}: {error}") from None
        finally:
            self.close()

    def agree(self, values: Mapping[str, str]) -> None:
        """Raise InputError in all processes, with the first difference, unless all have the same values.

        values: what must be the same, by name.
        """
        if self._store is None:
            return
        self._store.set(f"values/{self.rank}", json.dumps([platform.node(), dict(values)]))
        said = [json.loads(self._read(f"values/{rank}")) for rank in range(self.world)]
        (host, first), *others = said
        for rank, (other_host, other) in enumerate(others, start=1):
            for name in [*first, *other]:
                if first.get(name) != other.get(name):
                    raise Disagreement(
                        f"process {rank} of {self.world} on {other_host} has {name} {_short(other.get(name))}, "
                        f"process 0 on {host} has {_short(first.get(name))}; give all of them the same data, options "
                        "and versions"
                    )

    def say(self, key: str) -> None:
        """Let the others know that this process has come to a place that has a name of its own."""
        if self._store is not None:
            self._store.set(key, "1")

    def wait_for(self, key: str) -> None:
        """Wait, however long it takes, until another process has said that it came to a place."""
        if self._store is not None:
            self._read(key)

    def close(self) -> None:
        """Leave the job. The first process waits a little for the others, which may need the store that it keeps."""
        if self._store is not None and not self._ended.is_set():
            _within(LAST, self._say_goodbye)
        self._stop_threads()

    def _stop_threads(self) -> None:
        """End the threads: one that still asks the store when Python ends would abort the process."""
        self._ended.set()
        for thread in self._threads:
            thread.join(LAST)

    def _say_goodbye(self) -> None:
        self._store.set(f"closed/{self.rank}", "1")
        last = monotonic() + LAST
        while self.rank == 0 and monotonic() < last:
            if self._store.check([f"closed/{rank}" for rank in range(self.world)]):
                return
            sleep(PERIOD / 10)

    def _join(self) -> None:
        """Meet the other processes."""
        from torch.distributed import PrefixStore, init_process_group  # type: ignore[attr-defined]
        from torch.distributed.rendezvous import rendezvous

        limit = timedelta(seconds=self.timeout)
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        try:
            store, rank, world = next(rendezvous("env://", timeout=limit))
            store.set_timeout(limit)
            self._store = PrefixStore("chainrule", store)
            group = PrefixStore("group", store)
            init_process_group("nccl" if cuda else "gloo", store=group, rank=rank, world_size=world, timeout=limit)
        except (RuntimeError, ValueError) as error:
            raise ProcessLost(
                f"process {self.rank} of {self.world} on {platform.node()} does not find the others "
                f"({str(error).splitlines()[0]}); start all of them within {self.timeout / 60:g} minutes "
                "(--rank-timeout)"
            ) from None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._watch, self._guard)]
        for thread in self._threads:
            thread.start()
        atexit.register(self._stop_threads)  # for a script that does not close the job

    def _read(self, key: str) -> bytes:
        """The text under a key, once it is there."""
        while not self._store.check([key]):
            sleep(PERIOD / 10)
        text: bytes = self._store.get(key)
        return text

    def _is_first_to_fail(self, code: int) -> bool:
        """Whether no other process has failed before, from now on it has."""
        if self._store is None:
            return True
        mine = f"{self.rank} {code}".encode()
        said = _within(LAST, lambda: self._store.compare_set("failed", "", mine.decode()))
        return said in (mine, None)  # None: there is nobody left to tell

    def _watch(self) -> None:
        """Give signs of life, and look for those of the others, until the job is over."""
        store = self._store.clone()
        seen: dict[int, tuple[bytes, float]] = {}
        looked = monotonic()
        for beat in count():
            try:
                store.set(f"alive/{self.rank}", str(beat))
                if store.check(["failed"]):
                    rank, code = store.get("failed").decode().split()
                    if int(rank) != self.rank and not self._ended.is_set():
                        _end(int(code))
                if monotonic() - looked > min(self.timeout / 4, 5.0):
                    looked = monotonic()
                    self._look(store, seen)
            except RuntimeError:
                if not self._ended.wait(2 * PERIOD):
                    _end(REFUSED, f"process {self.rank} of {self.world} lost the first one; {REMAINS}")
            self._heard = monotonic()
            if self._ended.wait(PERIOD):
                return

    def _look(self, store: Any, seen: dict[int, tuple[bytes, float]]) -> None:
        """End this process where another one has given no sign of life for too long.

        seen: the last sign of each process and when it was seen first, which is changed.
        """
        for rank in range(self.world):
            if rank == self.rank or store.check([f"closed/{rank}"]) or not store.check([f"alive/{rank}"]):
                continue
            sign = store.get(f"alive/{rank}")
            if rank not in seen or seen[rank][0] != sign:
                seen[rank] = (sign, monotonic())
            elif monotonic() - seen[rank][1] > self.timeout:
                minutes = f"{self.timeout / 60:.3g} minutes (--rank-timeout)"
                said = f"process {rank} of {self.world} has given no sign of life for {minutes}; {REMAINS}"
                _end(REFUSED, said if self._is_first_to_fail(REFUSED) else "")

    def _guard(self) -> None:
        """End this process where the store does not answer."""
        while not self._ended.wait(PERIOD):
            if monotonic() - self._heard > self.timeout + LAST:
                _end(REFUSED, f"process {self.rank} of {self.world} does not hear of the others any more; {REMAINS}")


def _within(seconds: float, ask: Callable[[], Any]) -> Any:
    """What a question to the store gives, None where there is no answer in time."""
    answers: list[Any] = []

    def asking() -> None:
        with suppress(RuntimeError):
            answers.append(ask())

    thread = threading.Thread(target=asking, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def _end(code: int, message: str = "") -> NoReturn:
    """End this process at once, wherever it is; what it was writing is not there under its name."""
    if message:
        print("error:", message, file=sys.stderr, flush=True)
    os._exit(code)


def _short(value: str | None) -> str:
    return "no value" if value is None else value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
