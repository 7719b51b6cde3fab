"""docker-compose.yml and the Dockerfile, held against the facts that they name; no container engine is needed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from services import SeaweedFS, ServiceMissingError, Valkey

from shared import cli
from shared.queues import QUEUES, RENDER_QUEUES
from shared.settings import check_exposure, described, load_settings

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
DOCKERFILE = PROJECT / "deploy" / "Dockerfile"
OWN_IMAGE = "pressroom"
SECRETS = {"PRESSROOM_TOKENS", "POSTGRES_PASSWORD", "S3_SECRET_KEY"}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<otherwise>[^}]*)\}")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load(COMPOSE.read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


@pytest.fixture(scope="module")
def own(services):
    """What runs in our own image, by its command."""
    return {name: service for name, service in services.items() if service["image"] == OWN_IMAGE}


def filled_in(environment):
    """Return an environment as a container gets it, with every variable set to `made-up`."""
    return {name: VARIABLE.sub("madeup", str(value)) for name, value in environment.items()}


def parsed(command):
    """Parse a command line as the `pressroom` program does, without running it."""
    name, *arguments = command
    assert name == "pressroom"
    found = cli.main
    while isinstance(found, click.Group):
        context = found.make_context(name, [], resilient_parsing=True)
        name, found, arguments = found.resolve_command(context, arguments)
    return name, found.make_context(name, list(arguments)).params


def dockerfile_lines():
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_every_setting_is_one_that_the_farm_knows(own):
    known = {row["name"] for row in described()}
    set_here = {name for service in own.values() for name in service["environment"]}
    set_there = set(re.findall(r"\b(PRESSROOM_\w+)=", DOCKERFILE.read_text()))

    assert set_here
    assert set_there
    assert (set_here | set_there) <= known


def test_every_process_accepts_its_settings_and_only_a_gateway_with_tokens_listens(own):
    for name, service in own.items():
        environment = filled_in(service["environment"])
        settings = load_settings(environment)
        assert settings.storage == "s3", name
        assert settings.database.startswith("postgresql://"), name
        assert settings.broker.startswith("redis://"), name
        assert ("PRESSROOM_HOST" in environment) == (name == "gateway")
        check_exposure(settings)
    assert load_settings(filled_in(own["gateway"]["environment"])).tokens


def test_a_container_is_killed_only_when_its_program_has_had_its_grace_and_given_back_the_rest(own):
    for name, service in own.items():
        grace = load_settings(filled_in(service["environment"])).shutdown_grace
        assert int(service["stop_grace_period"].removesuffix("s")) >= grace + 5, name


def test_nothing_starts_before_its_secrets_are_set():
    found = {match["name"]: match["otherwise"] for match in VARIABLE.finditer(COMPOSE.read_text())}

    assert set(found) == SECRETS
    assert all(otherwise.startswith(":?") for otherwise in found.values())


def test_only_the_gateway_knows_the_tokens(services):
    assert [name for name, one in services.items() if "PRESSROOM_TOKENS" in str(one)] == ["gateway"]


def test_every_command_is_one_that_pressroom_has(own):
    commands = {name: parsed(service["command"]) for name, service in own.items()}

    assert {name: command for name, (command, _) in commands.items()} == {
        "migrate": "migrate",
        "gateway": "gateway",
        "render": "worker",
        "small": "worker",
        "beat": "beat",
        "flower": "flower",
    }
    assert parsed(json.loads(dockerfile_lines()[-1].removeprefix("CMD ")))


def test_every_queue_is_served_by_one_worker_and_the_render_queues_can_be_scaled_alone(own):
    served = {name: parsed(own[name]["command"])[1]["queues"].split(",") for name in ("render", "small")}

    assert sorted(served["render"] + served["small"]) == sorted(QUEUES)
    assert set(served["render"]) == set(RENDER_QUEUES)
    # Neither may stand in the way of a second one.
    assert not {"container_name", "ports"} & set(own["render"])


def test_everything_waits_for_the_schema_and_the_schema_for_the_database(services, own):
    for name, service in own.items():
        conditions = {other: one["condition"] for other, one in service["depends_on"].items()}
        assert set(conditions) <= set(services)
        if name == "migrate":
            assert conditions == {"postgres": "service_healthy"}
            assert service["restart"] == "on-failure"
        else:
            assert conditions["migrate"] == "service_completed_successfully"
        for other, condition in conditions.items():
            if condition == "service_healthy":
                assert services[other]["healthcheck"]["test"]


def test_hosts_named_in_urls_are_services(services, own):
    for service in own.values():
        settings = load_settings(filled_in(service["environment"]))
        hosts = {settings.s3_endpoint.partition(":")[0]}
        hosts |= {re.search(r"(?://|@)(\w+)(?::\d+)?/", url)[1] for url in (settings.database, settings.broker)}
        assert hosts == {"s3", "postgres", "valkey"}
        assert hosts <= set(services)


def test_the_stores_are_asked_for_with_the_passwords_that_they_were_given(services, own):
    environment = own["gateway"]["environment"]
    assert services["s3"]["environment"]["AWS_ACCESS_KEY_ID"] == environment["PRESSROOM_S3_ACCESS_KEY"]
    assert services["s3"]["environment"]["AWS_SECRET_ACCESS_KEY"] == environment["PRESSROOM_S3_SECRET_KEY"]

    postgres = services["postgres"]["environment"]
    login = f"{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}@postgres/{postgres['POSTGRES_DB']}"
    assert environment["PRESSROOM_DATABASE_URL"] == f"postgresql://{login}"


def test_only_the_gateway_is_published_to_others_than_this_machine(services):
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {"gateway": ["8000:8000"], "flower": ["127.0.0.1:5555:5555"]}


def test_every_foreign_image_is_of_one_version(services):
    images = [service["image"] for service in services.values() if service["image"] != OWN_IMAGE]

    assert len(images) == 3
    for image in images:
        assert re.search(r":\d+(\.\d+)+(-\w+)?$", image), image


def test_what_must_outlive_a_container_is_in_a_volume_that_is_declared(compose, services):
    mounted = {
        name: [mount.partition(":")[0] for mount in service.get("volumes", [])] for name, service in services.items()
    }

    assert {name: volumes for name, volumes in mounted.items() if volumes} == {
        name: [name] for name in ("postgres", "s3", "valkey")
    }
    assert set(compose["volumes"]) == {"postgres", "s3", "valkey"}


def test_the_broker_keeps_what_it_is_given(services):
    program, *options = services["valkey"]["command"]
    server = Valkey(*options)
    try:
        server.check()
    except ServiceMissingError as error:
        pytest.skip(str(error))

    assert program == server.binary.name
    with server, server.client() as client:
        kept = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    assert kept == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}


def test_the_s3_server_is_the_tested_version_and_knows_every_option(services):
    server = SeaweedFS()
    try:
        server.check()
    except ServiceMissingError as error:
        pytest.skip(str(error))
    known = subprocess.run([server.binary, "server", "-h"], capture_output=True, text=True, check=False)
    version = subprocess.run([server.binary, "version"], capture_output=True, text=True, check=False)

    command, *options = services["s3"]["command"]
    assert command == "server"
    for option in options:
        assert re.search(rf"^  {re.escape(option.partition('=')[0])}\b", known.stdout + known.stderr, re.MULTILINE), (
            option
        )
    assert services["s3"]["image"].rpartition(":")[2] in version.stdout.split()


def test_the_image_is_made_of_files_that_are_there_and_are_sent_to_the_builder():
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for line in dockerfile_lines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in shlex.split(line)[1:-1]
    ]

    assert set(copied) == sent
    assert [source for source in copied if not (PROJECT / source).exists()] == []


def test_the_image_runs_as_an_ordinary_user_and_installs_only_what_is_locked():
    *_, last_stage = "\n".join(dockerfile_lines()).split("FROM ")
    text = DOCKERFILE.read_text()

    assert re.findall(r"^USER (\w+)$", last_stage, re.MULTILINE) == ["pressroom"]
    assert "HEALTHCHECK" in last_stage
    installs = [line for line in dockerfile_lines() if "pip install" in line]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert len(installs) == text.count("pip install") == 2
