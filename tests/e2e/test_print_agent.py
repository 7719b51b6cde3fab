"""scripts/print-agent against a real farm and a real print server: each document on paper once, whatever dies."""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import random
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import records
from farms import Farm, eventually, free_port
from sqlalchemy import update

from shared import print_agents
from shared.database import Database, now
from shared.models import PrintTask

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[2] / "scripts" / "print-agent"
TASKS = "/api/v1/report-print-task"
TOKEN = "secret"


@pytest.fixture(scope="module")
def farm(tmp_path_factory, valkey) -> Iterator[Farm]:
    """A farm of which agents need only the gateway."""
    farm = Farm(tmp_path_factory.mktemp("farm"), PRESSROOM_BROKER_URL=valkey.url, PRESSROOM_TOKENS=f"attic:{TOKEN}")
    farm.token = TOKEN
    try:
        assert farm.command("migrate").returncode == 0
        farm.run_gateway()
        yield farm
    finally:
        farm.stop()


def data_of(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


class Attic:
    """A printer that only the agent reaches, with its queue, and the agent."""

    def __init__(self, farm, queue, home) -> None:
        self.farm = farm
        self.queue = queue
        self.home = home
        self.state = home / "state"
        self.name = f"Attic {secrets.token_hex(4)}"
        self.running: list[subprocess.Popen] = []
        data_of(farm.post("/api/v1/printer", {"name": self.name, "agent": True}), 201)

    def command(self, *arguments, **changes) -> list[str]:
        said = {
            "--url": self.farm.base,
            "--printer": f"{self.name}={self.queue.name}",
            "--cups": f"127.0.0.1:{self.queue.server.ports[0]}",
            "--state": str(self.state),
            "--interval": "0.1",
            "--name": "attic-pi",
        } | {f"--{name}": value for name, value in changes.items()}
        return [sys.executable, str(SCRIPT), *(word for pair in said.items() for word in pair), *arguments]

    def environment(self, token=TOKEN) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "PRESSROOM_TOKEN": token}

    def once(self, *arguments, token=TOKEN, **changes) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("--once", *arguments, **changes),
            env=self.environment(token),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> subprocess.Popen:
        self.running.append(subprocess.Popen(self.command(), env=self.environment()))
        return self.running[-1]

    def kill(self) -> None:
        agent = self.running.pop()
        agent.kill()
        agent.wait()

    def stop(self) -> None:
        for agent in self.running:
            agent.terminate()
            assert agent.wait(30) == 0
        self.running.clear()

    def order(self, **changes) -> str:
        body = {"fileBase64": base64.b64encode(records.PDF).decode(), "printerName": self.name}
        return data_of(self.farm.post(TASKS, body | changes), 201)["id"]

    def task(self, task_id) -> dict:
        return data_of(self.farm.get(f"{TASKS}/{task_id}"))

    def until(self, task_id, **expected) -> dict:
        def look():
            task = self.task(task_id)
            return task if expected.items() <= task.items() else None

        return eventually(look, what=f"print task {task_id} with {expected}")

    def until_queued(self, task_id) -> dict:
        """Return the task when its job is in the queue and the farm knows the job."""
        task = eventually(lambda: (one := self.task(task_id))["jobId"] is not None and one, what="a job")
        assert task["jobId"] in self.queue.jobs()
        return task

    def kept(self, task_id) -> Path:
        return self.state / f"{task_id}.json"

    def in_state(self) -> set[str]:
        return {path.name for path in self.state.iterdir()} - {"lock"}

    def let_lease_run_out(self, task_id) -> None:
        database = Database(f"sqlite:///{self.farm.home / 'pressroom.db'}")
        with database.writing() as session:
            claimed = update(PrintTask).where(PrintTask.id == task_id, PrintTask.lease_until.is_not(None))
            session.execute(claimed.values(lease_until=now(-1)))
            # As the farm's workers do every few seconds.
            print_agents.lapse(session)
        database.close()


@pytest.fixture
def attic(farm, print_queue, tmp_path) -> Iterator[Attic]:
    attic = Attic(farm, print_queue, tmp_path)
    try:
        yield attic
    finally:
        for agent in attic.running:
            agent.kill()
            agent.wait()


def test_what_waits_is_printed_and_reported(attic):
    task_ids = [attic.order(fileName=f"{number}.pdf") for number in range(6)]
    done = attic.once()
    assert (done.returncode, done.stderr) == (0, "")
    assert attic.queue.device.until_printed(6) == [records.PDF] * 6
    for task_id in task_ids:
        task = attic.task(task_id)
        assert (task["status"], task["jobState"], task["error"], task["attempts"]) == (
            "completed",
            "completed",
            None,
            1,
        )
        assert task["jobId"] in attic.queue.jobs()
    assert attic.in_state() == set()


def test_the_printer_makes_the_copies(attic):
    attic.order(numberOfCopies=3, options={"duplex": "two-sided-long-edge", "colour": False, "pageRanges": "1"})
    assert attic.once().returncode == 0
    assert attic.queue.device.until_printed() == [records.PDF * 3]


def test_nothing_is_done_when_nothing_waits(attic):
    done = attic.once()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_agent_that_is_killed_after_the_hand_over_prints_nothing_twice(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    queued = attic.until_queued(task_id)
    attic.kill()
    attic.queue.resume()
    attic.queue.device.until_printed()
    assert attic.once().returncode == 0
    ended = attic.task(task_id)
    assert (ended["status"], ended["jobId"]) == ("completed", queued["jobId"])
    assert attic.queue.device.documents == [records.PDF]
    assert len(attic.queue.jobs()) == 1


def test_an_agent_that_is_killed_before_it_wrote_the_job_down_finds_it_by_its_title(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    queued = attic.until_queued(task_id)
    attic.kill()
    # What its file says between the claim and the answer of `lp`.
    kept = json.loads(attic.kept(task_id).read_text())
    attic.kept(task_id).write_text(json.dumps(kept | {"job_id": None}))
    attic.queue.resume()
    assert attic.once().returncode == 0
    ended = attic.task(task_id)
    assert (ended["status"], ended["jobId"]) == ("completed", queued["jobId"])
    assert attic.queue.device.until_printed() == [records.PDF]
    assert len(attic.queue.jobs()) == 1


def test_an_agent_that_is_killed_again_and_again_prints_everything_once(attic):
    documents = [records.pdf(pages=number) for number in range(1, 7)]
    task_ids = [attic.order(fileBase64=base64.b64encode(document).decode()) for document in documents]
    chance = random.Random(4711)
    for _ in range(10):
        agent = attic.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            agent.wait(chance.uniform(0.2, 0.8))
        attic.kill()
    assert attic.once().returncode == 0
    # One that was killed before it wrote its lease down does not know that it has the task.
    for task_id in task_ids:
        attic.let_lease_run_out(task_id)
    assert attic.once().returncode == 0
    assert {attic.task(task_id)["status"] for task_id in task_ids} == {"completed"}
    assert sorted(attic.queue.device.until_printed(6)) == sorted(documents)
    assert len(attic.queue.jobs()) == 6


def test_a_result_is_delivered_when_the_farm_is_back(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    attic.until_queued(task_id)
    attic.farm.kill("gateway")
    try:
        attic.queue.resume()
        attic.queue.device.until_printed()
        eventually(lambda: '"completed"' in attic.kept(task_id).read_text(), what="a result in hand")
    finally:
        attic.farm.run_gateway()
    assert attic.until(task_id, status="completed")["attempts"] == 1
    attic.stop()
    assert attic.in_state() == set()


def test_a_task_that_is_cancelled_never_reaches_the_paper(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    attic.until_queued(task_id)
    assert data_of(attic.farm.post(f"{TASKS}/{task_id}/cancel"))["cancelRequested"]
    assert attic.until(task_id, status="cancelled")["jobState"] == "canceled"
    attic.stop()
    attic.queue.resume()
    after = attic.order()
    assert attic.once().returncode == 0
    assert attic.task(after)["status"] == "completed"
    assert attic.queue.device.until_printed() == [records.PDF]


def test_an_agent_that_lost_its_task_takes_its_job_back(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    attic.until_queued(task_id)
    attic.kill()
    attic.let_lease_run_out(task_id)
    other = data_of(attic.farm.post(f"{TASKS}/{task_id}/claim", {"agent": "other-pi"}))
    done = attic.once()
    assert done.returncode == 0
    assert "not this agent's any more" in done.stderr
    attic.queue.resume()
    said = {"lease": other["lease"], "status": "completed"}
    assert data_of(attic.farm.post(f"{TASKS}/{task_id}/result", said))["status"] == "completed"
    after = attic.order(fileName="after.pdf")
    assert attic.once().returncode == 0
    assert attic.task(after)["status"] == "completed"
    assert attic.queue.device.until_printed() == [records.PDF]


def test_an_agent_whose_lease_is_over_goes_on_where_nobody_else_has_claimed(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    attic.until_queued(task_id)
    attic.kill()
    attic.let_lease_run_out(task_id)
    attic.queue.resume()
    assert attic.once().returncode == 0
    ended = attic.task(task_id)
    assert (ended["status"], ended["attempts"]) == ("completed", 1)
    assert attic.queue.device.until_printed() == [records.PDF]


def test_what_lp_refuses_has_failed_in_its_own_words(attic):
    task_id = attic.order()
    attic.queue.server.run("cupsreject", attic.queue.name)
    done = attic.once()
    assert done.returncode == 0
    failed = attic.task(task_id)
    assert failed["status"] == "failed"
    assert "not accepting jobs" in failed["error"]


def test_a_job_that_the_print_server_forgot_is_unknown(attic):
    attic.queue.stop()
    task_id = attic.order()
    attic.start()
    attic.until_queued(task_id)
    attic.queue.forget()
    assert "has forgotten job" in attic.until(task_id, status="unknown")["error"]
    attic.stop()


def test_a_document_that_is_still_being_rendered_is_left_alone(attic):
    task_id = attic.order()
    database = Database(f"sqlite:///{attic.farm.home / 'pressroom.db'}")
    with database.writing() as session:
        session.execute(update(PrintTask).where(PrintTask.id == task_id).values(held=True))
    database.close()
    assert attic.once().returncode == 0
    assert attic.task(task_id)["attempts"] == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://127.0.0.1:{nobody}"}, "the farm does not answer"),
        ({"cups": "127.0.0.1:{nobody}"}, "CUPS at 127.0.0.1:{nobody} does not answer"),
        ({"printer": "{name}=no-such-queue"}, "CUPS says no"),
        ({"token": "wrong"}, "the farm answers 401: A token is needed"),
        ({"url": "{base}/docs"}, "the farm answers 404"),
    ],
)
def test_what_is_away_or_wrong_is_said_in_a_line_and_nothing_is_claimed(attic, changes, words):
    task_id = attic.order()
    facts = {"nobody": free_port(), "name": attic.name, "base": attic.farm.base}
    done = attic.once(**{name: value.format(**facts) for name, value in changes.items()})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert words.format(**facts) in line
    assert attic.task(task_id)["attempts"] == 0


def test_an_agent_goes_on_trying_and_complains_once(attic):
    port = free_port()
    command = attic.command(url=f"http://127.0.0.1:{port}", interval="0.01")
    agent = subprocess.Popen(command, env=attic.environment(), stderr=subprocess.PIPE, text=True)
    try:
        assert "does not answer" in agent.stderr.readline()
        agent.terminate()
        assert agent.communicate(timeout=30)[1] == ""
        assert agent.returncode == 0
    finally:
        agent.kill()
        agent.wait()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "farm.example"}, "--url is 'farm.example'"),
        ({"interval": "0"}, "--interval is 0"),
        ({"cups": "127.0.0.1:ipp"}, "--cups is '127.0.0.1:ipp'"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(attic, changes, words):
    done = attic.once(**changes)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def script():
    loader = importlib.machinery.SourceFileLoader("print_agent", str(SCRIPT))
    spec = importlib.util.spec_from_loader("print_agent", loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["print_agent"] = module
    try:
        loader.exec_module(module)
        yield module
    finally:
        del sys.modules["print_agent"]
        Path(importlib.util.cache_from_source(str(SCRIPT))).unlink(missing_ok=True)


def test_options_are_those_of_lp(script):
    asked = {"duplex": "two-sided-short-edge", "media": "iso_a4_210x297mm", "tray": "tray-2", "pageRanges": "1-3, 5"}
    assert script._lp_options(asked | {"colour": True}) == [
        ("sides", "two-sided-short-edge"),
        ("media", "iso_a4_210x297mm,tray-2"),
        ("page-ranges", "1-3,5"),
        ("print-color-mode", "color"),
    ]
    assert script._lp_options({"colour": False}) == [("print-color-mode", "monochrome")]
    assert script._lp_options({}) == []


@pytest.mark.parametrize("options", [{"staple": True}, {"media": "a4 -o job-sheets=secret"}, {"tray": "x\ny"}])
def test_options_that_lp_would_misunderstand_are_refused(script, options):
    with pytest.raises(script.RefusedError):
        script._lp_options(options)


@pytest.mark.parametrize("answer", [b"", b"\2\0", b"<html>", b"\2\0\0\0\0\0\0\1" + b"\x21\0\0\0\0"])
def test_what_is_no_answer_of_cups_is_no_end_of_the_agent(script, answer):
    with pytest.raises(script.AwayError):
        script._read_jobs(answer)


def test_a_token_that_counts_no_more_is_no_failure_of_what_is_in_hand(script, tmp_path):
    class Revoked:
        def fetch(self, _task_id, _path):
            raise script.RefusedError("the farm answers 401: This API token has been revoked.", 401)

    agent = script.Agent(Revoked(), None, tmp_path, name="attic-pi", printers={})
    hand = script.InHand("0" * 36, "lease", "Attic", "queue", "label.pdf")
    with pytest.raises(script.RefusedError, match="401"):
        agent._fetch(hand)
    assert hand.result is None


def test_what_a_file_is_called_is_no_command_of_the_terminal(script, capsys):
    script._say("label\x1b[2J\x07.pdf")
    assert capsys.readouterr().out.rstrip("\n").isprintable()


def test_the_script_needs_nothing_but_python_3_9():
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert len(imported) > 10
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names}
    assert os.access(SCRIPT, os.X_OK)
