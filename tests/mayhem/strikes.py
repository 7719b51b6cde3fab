"""What strikes: each is a block, at whose end the fault is healed, and yields what was struck in particular."""

from __future__ import annotations

import contextlib
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import psutil

from mayhem.farm import NODES, Farm
from mayhem.parts import together
from mayhem.schedule import Kind, Planned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services import Valkey

    from mayhem.network import Network
    from mayhem.paper import Paper
    from mayhem.parts import Part


# A render takes some milliseconds: what is struck is to be struck in one, if there is one within this time.
AT_WORK_SECONDS = 2.0


class MissedError(Exception):
    """Raised when there was nothing to strike; the text is why."""


@contextlib.contextmanager
def _killed(farm: Farm, planned: Planned) -> Iterator[str]:
    _children(farm.parts[planned.target])
    if not farm.parts[planned.target].kill():
        raise MissedError("it was down already")
    yield ""


@contextlib.contextmanager
def _terminated(farm: Farm, planned: Planned) -> Iterator[str]:
    if not farm.parts[planned.target].terminate():
        raise MissedError("it was down already")
    yield ""


@contextlib.contextmanager
def _child_killed(farm: Farm, planned: Planned) -> Iterator[str]:
    child = _child(farm.parts[planned.target], planned)
    child.kill()
    yield f"process {child.pid}"


@contextlib.contextmanager
def _child_frozen(farm: Farm, planned: Planned) -> Iterator[str]:
    child = _child(farm.parts[planned.target], planned)
    with _frozen([child]):
        yield f"process {child.pid}"


@contextlib.contextmanager
def _part_frozen(farm: Farm, planned: Planned) -> Iterator[str]:
    _children(farm.parts[planned.target])
    family = farm.parts[planned.target].family()
    if not family:
        raise MissedError("it was down already")
    with _frozen(family):
        yield f"{len(family)} processes"


@contextlib.contextmanager
def _server_down(farm: Farm, planned: Planned) -> Iterator[str]:
    server = farm.servers[planned.target]
    server.kill()
    yield ""
    server.start()


@contextlib.contextmanager
def _server_restarted(farm: Farm, planned: Planned) -> Iterator[str]:
    server = farm.servers[planned.target]
    server.stop()
    server.start()
    yield ""


@contextlib.contextmanager
def _server_frozen(farm: Farm, planned: Planned) -> Iterator[str]:
    server = farm.servers[planned.target]
    server.pause()
    yield ""
    server.resume()


@contextlib.contextmanager
def _flushed(farm: Farm, planned: Planned) -> Iterator[str]:
    with cast("Valkey", farm.servers[planned.target]).client() as client:
        client.flushall()
    yield ""


@contextlib.contextmanager
def _session_killed(farm: Farm, planned: Planned) -> Iterator[str]:
    server = farm.servers[planned.target].process
    children = psutil.Process(server.pid).children() if server else []
    sessions = [one for one in children if any(word.startswith("pressroom") for word in one.cmdline()[0].split())]
    if not sessions:
        raise MissedError("nobody is connected")
    session = sessions[planned.choice % len(sessions)]
    session.kill()
    yield f"process {session.pid}; the server recovers by itself"


@contextlib.contextmanager
def _cut(farm: Farm, planned: Planned) -> Iterator[str]:
    _network(farm).cut(planned.target)
    yield ""
    _network(farm).mend(planned.target)


@contextlib.contextmanager
def _deafened(farm: Farm, planned: Planned) -> Iterator[str]:
    _network(farm).deafen(planned.target)
    yield "it speaks and hears nothing"
    _network(farm).undeafen(planned.target)


@contextlib.contextmanager
def _spoiled(farm: Farm, planned: Planned) -> Iterator[str]:
    yield _network(farm).spoil(planned.target)
    _network(farm).unspoil(planned.target)


@contextlib.contextmanager
def _printer_off(farm: Farm, planned: Planned) -> Iterator[str]:
    device = _paper(farm).devices[planned.target]
    device.refuse()
    yield ""
    device.accept()


STRIKES = {
    "kill render worker": _killed,
    "kill render child": _child_killed,
    "kill small worker": _killed,
    "kill beat": _killed,
    "kill gateway": _killed,
    "kill gateway child": _child_killed,
    "kill broker": _killed,
    "stop render worker": _terminated,
    "stop small worker": _terminated,
    "stop gateway": _terminated,
    "freeze render worker": _part_frozen,
    "freeze render child": _child_frozen,
    "freeze small worker": _part_frozen,
    "freeze gateway": _part_frozen,
    "restart broker": _server_down,
    "flush broker": _flushed,
    "freeze broker": _server_frozen,
    "restart database": _server_restarted,
    "kill database session": _session_killed,
    "kill database": _server_down,
    "freeze database": _server_frozen,
    "storage down": _server_down,
    "freeze storage": _server_frozen,
    "cut network": _cut,
    "half-cut network": _deafened,
    "bad network": _spoiled,
    "printer off": _printer_off,
}


def kinds_for(farm: Farm) -> list[Kind]:
    """Return what can be struck in a farm.

    A frozen worker stays so for longer than the farm takes to give its work away.
    """
    called = {
        what: tuple(name for name in farm.parts if name.startswith(what))
        for what in ("render", "small", "beat", "gateway", "broker")
    }
    render, small, beat, gateway = (called[what] for what in ("render", "small", "beat", "gateway"))
    kinds = [
        Kind("kill render worker", render),
        Kind("kill render child", render),
        Kind("kill small worker", small),
        Kind("kill beat", beat),
        Kind("kill gateway", gateway),
        Kind("stop render worker", render),
    ]
    if not farm.servers:
        return [
            *kinds,
            Kind("kill broker", called["broker"]),
            Kind("kill gateway child", gateway),
            Kind("stop small worker", small),
            Kind("stop gateway", gateway),
        ]
    given_away = (farm.dead_after + 3, farm.dead_after + 8)
    kinds += [
        Kind("freeze render worker", render, given_away),
        Kind("freeze render child", render, (3, 12)),
        Kind("freeze small worker", small, (3, 12)),
        Kind("freeze gateway", gateway, (2, 8)),
        Kind("stop gateway", gateway),
        Kind("restart broker", ("broker",), (0.5, 6)),
        Kind("flush broker", ("broker",)),
        Kind("freeze broker", ("broker",), (3, 10)),
        Kind("restart database", ("database",)),
        Kind("kill database session", ("database",)),
        Kind("kill database", ("database",), (0.5, 6)),
        Kind("freeze database", ("database",), (3, 10)),
        Kind("storage down", ("storage",), (3, 15)),
        Kind("freeze storage", ("storage",), (3, 15)),
    ]
    if farm.network is not None:
        kinds += [
            Kind("cut network", NODES, (5, farm.dead_after + 8)),
            Kind("half-cut network", NODES, (5, farm.dead_after + 8)),
            Kind("bad network", NODES, (5, 15)),
        ]
    if farm.paper is not None and farm.paper.devices:
        kinds.append(Kind("printer off", tuple(farm.paper.devices), (3, 15)))
    return kinds


def _network(farm: Farm) -> Network:
    if farm.network is None:
        raise MissedError("there is no network")
    return farm.network


def _paper(farm: Farm) -> Paper:
    if farm.paper is None:
        raise MissedError("there is no printer")
    return farm.paper


def _child(part: Part, planned: Planned) -> psutil.Process:
    children = _children(part)
    if not children:
        raise MissedError("it has no child at this moment")
    return children[planned.choice % len(children)]


def _children(part: Part) -> list[psutil.Process]:
    """Return a part's children: as soon as one of them is at work those that are, or else, after a moment, all."""
    deadline = time.monotonic() + AT_WORK_SECONDS
    while True:
        children = part.family()[1:]
        at_work = [one for one in children if _is_at_work(one)]
        if at_work or not children or time.monotonic() > deadline:
            return at_work or children
        time.sleep(0.002)


def _is_at_work(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_RUNNING)
    return False


@contextlib.contextmanager
def _frozen(processes: Sequence[psutil.Process]) -> Iterator[None]:
    for one in processes:
        # The parent comes first: it must not see its children stop.
        one.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        together([partial(_resume, one) for one in processes])


def _resume(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)
