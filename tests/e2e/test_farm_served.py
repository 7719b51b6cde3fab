"""A farm of real processes tells what its workers do, which of them died, what failed, and that a part is away."""

from __future__ import annotations

import pytest
from farms import Farm, eventually
from services import Valkey

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
# Workers are found dead, and a broker is found away and back, not at once.
SECONDS = 90
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def broker():
    with Valkey() as broker:
        yield broker


@pytest.fixture(scope="module")
def farm(tmp_path_factory, broker):
    farm = Farm(
        tmp_path_factory.mktemp("farm"),
        PRESSROOM_BROKER_URL=broker.url,
        PRESSROOM_FLOWER_URL="http://127.0.0.1:5555",
    )
    try:
        farm.run_all()
        yield farm
    finally:
        farm.stop()


def state(farm):
    answer = farm.get("/api/v1/farm")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def queue(farm, name):
    return next(one for one in state(farm)["queues"] if one["name"] == name)


def worker(farm, name):
    return next((one for one in state(farm)["workers"] if one["name"].startswith(f"{name}@")), None)


def begin(farm, *, seconds):
    """Send a render that ends by its time limit alone; return its report."""
    body = {
        "template": {"name": "slow"},
        "options": {"timeout": seconds * 1000, "reports": {"async": True}},
    }
    answer = farm.post("/api/report", body, headers={"X-Trace-Id": "slow-one"})
    assert answer.status_code == 200, answer.text
    return answer.headers["Location"]


@pytest.fixture(scope="module", autouse=True)
def _slow_template(farm):
    made = farm.post("/odata/templates", {"name": "slow", "content": ENDLESS, "recipe": "html"})
    assert made.status_code == 201, made.text


def test_a_farm_that_has_nothing_to_do_is_whole(farm):
    said = state(farm)

    assert said["readiness"]["ready"] is True
    assert said["flower"] == "http://127.0.0.1:5555"
    assert {one["version"] for one in said["workers"]} == {said["version"]}
    assert {one["state"] for one in said["workers"]} <= {"alive", "silent"}
    assert all(one["workers"] == 1 for one in said["queues"])
    # Whoever reconciles notes the first minute at once.
    noted = eventually(lambda: queue(farm, "render")["samples"] or None, seconds=SECONDS, what="a sample")
    assert noted[0]["waiting"] == 0


def test_what_a_worker_does_is_shown_until_it_ends_and_then_why_it_failed(farm):
    status = begin(farm, seconds=8)

    [doing] = eventually(lambda: worker(farm, "render")["doing"] or None, what="the render")
    assert (doing["template"], doing["traceId"], doing["recipe"], doing["attempt"]) == ("slow", "slow-one", "html", 1)
    assert queue(farm, "render")["running"] == 1
    assert doing["childPid"] in {child.pid for child in farm.children("render-worker")}

    assert farm.until_done(status).status_code == 500
    [failed] = eventually(lambda: state(farm)["failures"] or None, what="the failure")
    assert (failed["cause"], failed["count"]) == ("timeout", 1)
    assert failed["last"]["renderId"] == doing["renderId"]
    assert failed["last"]["template"] == "slow"
    assert "time limit of 8 s" in failed["last"]["error"]
    eventually(lambda: worker(farm, "render")["doing"] == [], what="a worker that has nothing to do")
    assert queue(farm, "render")["perMinute"] >= 1


def test_a_killed_worker_is_dead_and_what_it_had_is_another_s(farm):
    farm.run_workers(children=1, name="second")
    eventually(lambda: worker(farm, "second"), seconds=SECONDS, what="the second worker")
    assert queue(farm, "render")["workers"] == 2
    # Each of three children gets one.
    sent = [begin(farm, seconds=15) for _ in range(3)]
    [lost] = eventually(lambda: worker(farm, "second")["doing"] or None, seconds=SECONDS, what="its render")

    farm.kill("second-worker")

    died = eventually(
        lambda: found if (found := worker(farm, "second"))["state"] == "dead" else None, seconds=SECONDS, what="death"
    )
    assert died["lastSignSeconds"] > 4
    assert queue(farm, "render")["workers"] == 1
    eventually(lambda: worker(farm, "second")["doing"] == [], seconds=SECONDS, what="its work given back")
    again = eventually(
        lambda: next((one for one in worker(farm, "render")["doing"] if one["renderId"] == lost["renderId"]), None),
        seconds=SECONDS,
        what="its render at the other worker",
    )
    assert again["attempt"] == 2
    for status in sent:
        assert farm.until_done(status, seconds=SECONDS).status_code == 500


def test_without_a_broker_it_answers_and_says_so(farm, broker):
    broker.kill()
    try:
        said = eventually(
            lambda: found if (found := state(farm))["readiness"]["down"] == ["broker"] else None,
            seconds=SECONDS,
            what="a broker that is away",
        )
        assert said["readiness"]["parts"]["broker"]["error"]
        assert said["workers"]
        location = farm.report({"content": "<p>hi", "recipe": "html"}, reports={"async": True}).headers["Location"]
    finally:
        broker.start()

    assert farm.until_done(location, seconds=SECONDS).status_code == 201
    eventually(lambda: state(farm)["readiness"]["ready"], seconds=SECONDS, what="a farm that is whole again")
