"""One run: start the farm, let clients and faults at it, let it come to rest, and judge."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from farms import eventually

from mayhem import invariants, outcome
from mayhem.clients import Clients
from mayhem.door import Door, UnansweredError
from mayhem.farm import EmbeddedFarm, Farm, ScaledFarm
from mayhem.faults import Faults
from mayhem.kinds import BATCHED, CONFIG, SCHEDULED, WORD, ScheduleRun, SyncRender
from mayhem.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from requests import Response

    from mayhem.network import Network


def perform(
    *,
    minutes: float,
    seed: int,
    embedded: bool,
    quick: bool,
    keep: bool,
    network: Network | None,
    say: Callable[[str], None],
) -> bool:
    """Perform a run, say how it went, and return whether all promises were kept.

    Args:
        minutes: For how long faults strike.
        seed: Decides what is struck when, and what is sent.
        embedded: Whether it is the embedded farm.
        quick: Whether the farm notices deaths sooner than by default.
        keep: Whether the farm's logs are kept in any case.
        network: The network of the farm's nodes, if there is one.
        say: Takes the lines.
    """
    say("starting the farm")
    with (EmbeddedFarm if embedded else ScaledFarm)(quick=quick, network=network) as farm:
        ledger = Ledger()
        if farm.paper is not None and farm.paper.missing:
            say(f"without prints: {farm.paper.missing}")
        schedule = _furnish(farm)
        ledger.began = time.monotonic()

        def tell(line: str) -> None:
            say(f"{ledger.now():7.1f} s  {len(ledger.accepted):5d} accepted, {len(ledger.pending()):3d} open  {line}")

        faults = Faults(farm, seed=seed, seconds=minutes * 60, clock=ledger.now, say=tell)
        try:
            _let_loose(farm, ledger, faults, schedule, seed=seed, until=minutes * 60, tell=tell)
        finally:
            faults.heal_all()
        if ledger.breaches or keep:
            folder = farm.keep()
            _write_down(ledger, folder / "ledger.jsonl")
            say(f"\nlogs of the farm, and what its clients know (ledger.jsonl): {folder}")
        deaths = {name: part.deaths for name, part in farm.parts.items()}
        for line in outcome.lines(ledger, faults, deaths, seed=seed):
            say(line)
        return not ledger.breaches


def _let_loose(
    farm: Farm, ledger: Ledger, faults: Faults, schedule: str, *, seed: int, until: float, tell: Callable[[str], None]
) -> None:
    printers = list(farm.paper.devices) if farm.paper is not None else []
    with Clients(farm.gateways, ledger, seed=seed, printers=printers) as clients:
        tell(f"{len(faults.plan)} faults planned")
        faults.strike_all()
        time.sleep(max(0.0, until - ledger.now()))
        tell("all healed; the clients go on for a moment, and the farm comes to rest")
        # The last fault's recovery is measured, too.
        healed = time.monotonic()
        while not ledger.recovered_since(healed) and time.monotonic() - healed < invariants.REST_SECONDS:
            time.sleep(0.5)
        clients.rest()
        _send(Door(farm.gateways), "PATCH", f"/odata/schedules('{schedule}')", {"enabled": False})
        eventually(lambda: not clients.are_waiting(), seconds=SyncRender.patience, what="the end of all requests")
        invariants.come_to_rest(farm, ledger, tell=tell)
        tell("at rest")
    invariants.check(farm, ledger)


def _furnish(farm: Farm) -> str:
    """Make the template, the printers and the schedules that the clients use; return the one that beat fires."""
    door = Door(farm.gateways)
    for template in (CONFIG, BATCHED):
        _send(door, "POST", "/odata/templates", template)
    template = _send(door, "POST", "/odata/templates", SCHEDULED).json()["shortid"]
    schedule = {"templateShortid": template, "data": {"word": WORD}, "allowOverlap": True}
    by_hand, by_beat = (
        _send(door, "POST", "/odata/schedules", schedule | {"name": name, "cron": cron}).json()["_id"]
        for name, cron in (("by hand", "0 0 29 2 *"), ("by beat", "*/5 * * * * *"))
    )
    ScheduleRun.schedule = by_hand
    for name, uri in farm.paper.uris.items() if farm.paper is not None else ():
        _send(door, "POST", "/api/v1/printer", {"name": name, "uri": uri})
    return str(by_beat)


def _send(door: Door, method: str, path: str, body: object) -> Response:
    def answered() -> Response | None:
        with suppress(UnansweredError):
            answer = door.ask(method, path, json=body)
            if answer.ok:
                return answer
        return None

    return eventually(answered, what=f"{method} {path}")


def _write_down(ledger: Ledger, path: Path) -> None:
    with path.open("w") as file:
        for job in (*ledger.accepted, *ledger.unanswered):
            file.write(json.dumps({"kind": job.kind, **vars(job)}) + "\n")
