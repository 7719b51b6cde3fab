"""What a run found, as it is printed at its end."""

from __future__ import annotations

import collections
import os
from typing import TYPE_CHECKING

from mayhem.kinds import Printed, Probe
from mayhem.ledger import Breach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mayhem.faults import Fault, Faults
    from mayhem.ledger import Ledger

MOST_SHOWN = 40


def lines(ledger: Ledger, faults: Faults, deaths: Mapping[str, list[str]], *, seed: int) -> Iterator[str]:
    """Yield the lines of the report; the last is the verdict.

    Args:
        ledger: What the clients know.
        faults: What was struck.
        deaths: For each process the deaths that nobody had wished.
        seed: The run's seed.
    """
    accepted = ledger.accepted
    yield ""
    yield f"seed        {seed}"
    yield f"machine     {os.cpu_count()} cores, {os.getloadavg()[1]:.1f} processes wanted one in the last minutes"
    yield f"accepted    {len(accepted)}: {_counted(collections.Counter(job.kind for job in accepted))}"
    yield f"ended       {_counted(collections.Counter(job.end or 'not at all' for job in accepted))}"
    yield f"refused     {_counted(ledger.refusals) or 'none'} (429 and 5xx: not now; others: no whole answer)"
    prints = collections.Counter(job.printed or "not ended" for job in accepted if isinstance(job, Printed))
    yield f"prints      {_counted(prints) or 'none'}"
    lost_attempts = sum(max(job.attempts - 1, 0) for job in accepted)
    yield f"attempts    {lost_attempts} more than there are reports"
    struck = collections.Counter(one.planned.kind for one in faults.done)
    yield f"faults      {len(faults.done)} of {len(struck)} kinds, {faults.missed} missed: {_counted(struck)}"
    told = [f"{name}: {len(found)}, the last {found[-1]}" for name, found in deaths.items() if found]
    yield f"deaths      {'; '.join(told) or 'none'} (besides those that were faults)"
    slowest = max((job for job in accepted if job.ended_at), key=lambda job: job.ended_at - job.sent_at, default=None)
    if slowest is not None:
        yield f"slowest     {slowest.ended_at - slowest.sent_at:.1f} s from its submission to its end: {slowest}"
    for way, since_all_healed in (("once all was healed", True), ("whatever else was struck meanwhile", False)):
        recovery, by = longest_recovery(ledger, faults.done, since_all_healed=since_all_healed)
        yield f"recovery    {f'{recovery:.1f} s at most {way}, of: {by}' if by else 'never seen'}"
    for breach, text in ledger.breaches[:MOST_SHOWN]:
        yield f"  {breach}: {text}"
    if len(ledger.breaches) > MOST_SHOWN:
        yield f"  ... and {len(ledger.breaches) - MOST_SHOWN} more"
    counts = collections.Counter(breach for breach, _ in ledger.breaches)
    found = ", ".join(f"{counts[breach]} {breach}" for breach in Breach)
    yield f"{'BROKEN' if ledger.breaches else 'HELD'}: {len(accepted)} accepted, {len(faults.done)} faults, {found}"


def longest_recovery(ledger: Ledger, faults: Sequence[Fault], *, since_all_healed: bool) -> tuple[float, Fault | None]:
    """Return the longest time from a fault's end until something that was sent after it was done, and the fault.

    Args:
        ledger: What the clients know; their probes are what is sent.
        faults: What was struck.
        since_all_healed: Count from when no other fault was going on either, and not from the fault's own end.
    """
    probes = sorted(
        (job.sent_at - ledger.began, job.ended_at - ledger.began)
        for job in ledger.accepted
        if isinstance(job, Probe) and job.end == "success"
    )
    longest: tuple[float, Fault | None] = (0.0, None)
    for fault in faults:
        since = _end(fault)
        while (recovered := _recovered(probes, since)) is not None:
            others = [_end(one) for one in faults if one.struck_at < recovered and _end(one) > since]
            if not since_all_healed or not others:
                break
            since = max(others)
        # Of what was struck when nobody sent anything any more, nothing is known.
        if recovered is not None and recovered - since > longest[0]:
            longest = (recovered - since, fault)
    return longest


def _end(fault: Fault) -> float:
    return fault.struck_at if fault.healed_at is None else fault.healed_at


def _recovered(probes: Sequence[tuple[float, float]], since: float) -> float | None:
    return min((ended for sent, ended in probes if sent >= since), default=None)


def _counted(counts: collections.Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
