"""What must be so in the end, whatever was struck: looked at from outside, once everything has come to rest."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import sqlalchemy
from farms import eventually

from mayhem.door import Door, UnansweredError
from mayhem.jobs import PDF, numbers
from mayhem.kinds import NEVER_PRINTED, PRINTED, Batch, Printed, SavedReport, SavedWhileWaiting, ScheduleRun
from mayhem.ledger import Breach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mayhem.farm import Farm
    from mayhem.ledger import Ledger

# For everything that was accepted to end, and for what follows it: a thumbnail that was lost half-made is made again
# when its lease is over, after three minutes.
REST_SECONDS = 120.0
ERRANDS_SECONDS = 220.0
# For the farm's own sweeps to remove what was left.
SWEEP_SECONDS = 40.0
READERS = 8
# What waits for its turn in the database; read there, since HTTP shows only what somebody asked for.
AT_WORK = {
    "renders": "SELECT count(*) FROM renders WHERE state IN ('queued', 'running')",
    "print tasks": "SELECT count(*) FROM print_tasks WHERE status IN ('pending', 'sent', 'printing')",
    "thumbnails": "SELECT count(*) FROM thumbnails WHERE state IN ('queued', 'running')",
    "batches": "SELECT count(*) FROM batches WHERE settled_at IS NULL",
    "schedules' tasks": "SELECT count(*) FROM tasks WHERE state IN ('planned', 'running')",
}


def come_to_rest(farm: Farm, ledger: Ledger, *, tell: Callable[[str], None]) -> None:
    """Wait until everything accepted has ended and nothing is at work; what has not by the deadline is stuck.

    Args:
        farm: A farm without faults, to which nobody sends anything any more.
        ledger: What the clients know, who follow their jobs meanwhile.
        tell: Takes a line about what is waited for.
    """
    began = time.monotonic()
    while ledger.pending() and time.monotonic() - began < REST_SECONDS:
        time.sleep(0.2)
    for job in ledger.pending():
        ledger.breach(Breach.STUCK, f"{job} was accepted {time.monotonic() - job.sent_at:.0f} s ago and has not ended")
    told: dict[str, int] = {}
    while (left := at_work(farm)) and time.monotonic() - began < ERRANDS_SECONDS:
        if left != told:
            tell("what follows is still at work: " + ", ".join(f"{count} {what}" for what, count in left.items()))
            told = left
        time.sleep(0.5)
    for what, count in left.items():
        ledger.breach(Breach.STUCK, f"{count} {what} are still queued or running")


def at_work(farm: Farm) -> dict[str, int]:
    """Return how many rows of which tables have not ended, where there are any."""
    engine = sqlalchemy.create_engine(farm.database_url)
    try:
        with engine.connect() as connection:
            counts = {what: connection.scalar(sqlalchemy.text(question)) for what, question in AT_WORK.items()}
    finally:
        engine.dispose()
    return {what: count for what, count in counts.items() if count}


def check(farm: Farm, ledger: Ledger) -> None:
    """Write down in the ledger whatever is not as it must be.

    Args:
        farm: A farm at rest.
        ledger: What the clients know.
    """
    door = Door(farm.gateways)
    listed = list(_listed(door, "/odata/reports"))
    _check_states(ledger, listed)
    _check_runs(ledger, listed, list(_listed(door, "/odata/tasks")))
    _check_paper(farm, ledger)
    _check_inventory(farm, ledger)
    _check_objects(farm, ledger, listed)


def _check_states(ledger: Ledger, listed: list[dict[str, Any]]) -> None:
    """Each accepted report is there once, in the state in which it was seen to end; others are the unanswered."""
    by_id = {one["_id"]: one for one in listed}
    if len(by_id) != len(listed):
        ledger.breach(Breach.DOUBLED, f"the list of reports has {len(listed) - len(by_id)} of them twice")
    asked = {job.trace_id for job in (*ledger.accepted, *ledger.unanswered)}
    _check_batches(ledger, listed)
    asked.update(
        trace for job in (*ledger.accepted, *ledger.unanswered) if isinstance(job, Batch) for trace in job.trace_ids
    )
    for job in ledger.accepted:
        if not isinstance(job, SavedReport | SavedWhileWaiting):
            continue
        found = by_id.get(job.id)
        if found is None:
            ledger.breach(Breach.LOST, f"{job} was accepted and is in no list")
        elif job.end is not None and found["state"] != job.end:
            ledger.breach(Breach.WRONG, f"{job} had ended as {job.end}, and is {found['state']} now")
        elif job.sha256 is not None and found["sha256"] != job.sha256:
            ledger.breach(Breach.WRONG, f"{job}: the list has SHA-256 {found['sha256']}, served was {job.sha256}")
    for one in listed:
        if one["traceId"] not in asked and one["taskId"] is None:
            ledger.breach(Breach.DOUBLED, f"report {one['_id']} (trace {one['traceId']}) was asked for by nobody")


def _check_batches(ledger: Ledger, listed: list[dict[str, Any]]) -> None:
    """Each batch has one report for each of its items; one that nobody answered has all of them, or none."""
    of_trace = collections.Counter(one["traceId"] for one in listed)
    for job in (*ledger.accepted, *ledger.unanswered):
        if not isinstance(job, Batch):
            continue
        counts = [of_trace[trace] for trace in job.trace_ids]
        if max(counts) > 1:
            ledger.breach(Breach.DOUBLED, f"{job} has {counts} reports of its items")
        if min(counts) == 0 and (max(counts) > 0 or job in ledger.accepted):
            ledger.breach(Breach.LOST, f"{job} has {counts} reports of its items")


def _check_runs(ledger: Ledger, reports: list[dict[str, Any]], tasks: list[dict[str, Any]]) -> None:
    """Each run has one report; a schedule that beats ring for has one run for each of its times."""
    of_task = collections.Counter(one["taskId"] for one in reports)
    asked_for = {job.id for job in ledger.accepted if isinstance(job, ScheduleRun)}
    for task in tasks:
        if task["state"] == "success" and of_task[task["_id"]] != 1:
            breach = Breach.DOUBLED if of_task[task["_id"]] else Breach.LOST
            ledger.breach(breach, f"task {task['_id']} (trace {task['traceId']}) has {of_task[task['_id']]} reports")
        if task["state"] == "error" and task["_id"] not in asked_for:
            ledger.breach(Breach.LOST, f"task {task['_id']} (trace {task['traceId']}) failed: {task['error']}")
    fired = collections.Counter(
        (task["scheduleShortid"], task["dueDate"]) for task in tasks if task["_id"] not in asked_for
    )
    for (schedule, due), count in fired.items():
        if count > 1:
            ledger.breach(Breach.DOUBLED, f"schedule {schedule} was fired {count} times for {due}")


def _check_paper(farm: Farm, ledger: Ledger) -> None:
    """What is completed came out once, what failed or was cancelled did not, and nothing came out twice."""
    if farm.paper is None or not farm.paper.devices:
        return
    printed = collections.Counter(
        number for document in farm.paper.printed() for number in numbers(document, PDF) or {"without number"}
    )
    tasks = {job.number: job for job in ledger.accepted if isinstance(job, Printed)}
    for number, count in printed.items():
        if count > 1:
            ledger.breach(Breach.DOUBLED, f"{tasks.get(number, number)} came out of the printer {count} times")
        if number in tasks and tasks[number].printed in NEVER_PRINTED:
            ledger.breach(Breach.WRONG, f"{tasks[number]} is {tasks[number].printed}, and came out of the printer")
    for number, job in tasks.items():
        if job.printed in PRINTED and not printed[number]:
            ledger.breach(Breach.LOST, f"{job} is completed, and did not come out of the printer")
        if job.printed in NEVER_PRINTED:
            ledger.breach(Breach.LOST, f"{job} was not printed: {job.printed}")


def _check_inventory(farm: Farm, ledger: Ledger) -> None:
    """The farm itself finds no object without a row and no row without its object, once its sweeps came by."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while (found := farm.command("verify", "--grace", "5s")).returncode and time.monotonic() < deadline:
        time.sleep(2)
    if found.returncode:
        for line in [*found.stdout.splitlines(), *found.stderr.splitlines()]:
            ledger.breach(Breach.WRONG, f"pressroom verify: {line}")


def _check_objects(farm: Farm, ledger: Ledger, listed: list[dict[str, Any]]) -> None:
    """Each kept report has one object, the one that was served; nothing else is among the reports' objects."""
    expected = {f"reports/{job.stored}": job for job in ledger.accepted if job.stored}
    with_one = {_name(key) for key in expected}
    # The unanswered may have theirs, too, and so have the runs of schedules.
    known = {one["blobName"] for one in listed if one["state"] == "success"}
    found = set(farm.keys("reports/"))
    with ThreadPoolExecutor(READERS) as readers:
        kept = sorted(expected.keys() & found)
        for key, content in zip(kept, readers.map(farm.content, kept), strict=True):
            if hashlib.sha256(content).hexdigest() != expected[key].sha256:
                ledger.breach(Breach.WRONG, f"{expected[key]}: {key} has changed since it was served")
    for key in sorted(found - expected.keys()):
        if _name(key) in with_one:
            ledger.breach(Breach.DOUBLED, f"{key} is a second object of a report that has one")
        elif _name(key) not in known:
            ledger.breach(Breach.WRONG, f"{key} belongs to no report")
    for key in sorted(expected.keys() - found):
        ledger.breach(Breach.LOST, f"{expected[key]}: there is no object {key}")


def _name(key: str) -> str:
    """Return the blobName that a key was made of."""
    rest = key.removeprefix("reports/")
    return rest.partition("~")[0] if "~" in rest else rest.rpartition(".")[0]


def _listed(door: Door, path: str) -> Iterator[dict[str, Any]]:
    next_page: str | None = path
    while next_page:
        page = eventually(lambda where=next_page: _page(door, where), what=f"the answer of {next_page}")
        yield from page["value"]
        # It names the gateway that was asked; the next page may come from the other.
        link = page.get("@odata.nextLink")
        next_page = "/" + link.split("/", 3)[3] if link else None


def _page(door: Door, path: str) -> dict[str, Any] | None:
    with contextlib.suppress(UnansweredError):
        answer = door.ask("GET", path, seconds=60)
        if answer.ok:
            page: dict[str, Any] = answer.json()
            return page
    return None
