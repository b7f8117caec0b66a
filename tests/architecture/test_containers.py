"""The ways to run Liftlock that cannot be run here are at least well formed and closed."""

import configparser
import re
import subprocess
import sys

import pytest
import yaml

from tests.architecture import source

COMPOSE = yaml.safe_load(source.read("compose.yaml"))
SERVICES = COMPOSE["services"]
OWN = ("migrate", "api", "worker")
PROGRAMS = ("program:api", "program:worker")


def supervisor():
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read_string(source.read("deploy/supervisord.conf"))
    return parser


def test_compose_follows_its_specification():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            "compose.yaml",
        ],
        cwd=source.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_runs_every_part():
    assert set(SERVICES) == {"postgres", "redis", *OWN, "caddy"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_restarted_and_watched(name):
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z]+:[0-9][0-9a-z.-]*", service["image"])
    if name != "migrate":
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"] if name != "api" else "HEALTHCHECK" in dockerfile()


@pytest.mark.parametrize("name", OWN)
def test_liftlock_runs_without_privileges(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_proxy_can_be_reached_from_outside():
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"caddy"}
    assert COMPOSE["networks"]["data"]["internal"]
    assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["data"]


@pytest.mark.parametrize("name", ["api", "worker"])
def test_providers_that_the_operator_names_are_passed_on(name):
    assert SERVICES[name]["environment"]["LIFTLOCK_PROVIDERS"] == "${LIFTLOCK_PROVIDERS:-}"


def test_compose_has_no_password_of_its_own():
    text = source.read("compose.yaml")
    required = re.findall(r"\$\{(\w*PASSWORD\w*)(.*?)\}", text)
    assert {name for name, _ in required} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in required)
    assert not re.search(r"PASSWORD: [^$]|master_key: \{(?!file:)", text)


def test_data_outlives_its_containers():
    mounted = {
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])
    }
    assert set(COMPOSE["volumes"]) <= mounted
    assert "postgres:/var/lib/postgresql/data" in SERVICES["postgres"]["volumes"]


@pytest.mark.parametrize("name", [".env", "secrets/master_key"])
def test_what_is_secret_is_ignored_by_git_and_left_out_of_the_image(name):
    done = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=source.ROOT, check=False)
    assert done.returncode == 0
    ignored = source.read(".dockerignore").splitlines()
    assert "*" in ignored
    assert not [line for line in ignored if line.startswith("!") and name.startswith(line[1:])]


def test_the_image_runs_as_an_ordinary_user_from_a_pinned_base():
    bases = re.findall(r"^FROM (\S+)", dockerfile(), re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    assert re.findall(r"^USER (\d+):(\d+)$", dockerfile(), re.MULTILINE) == [("10001", "10001")]
    assert "--require-hashes" in dockerfile()


def test_everything_the_image_copies_reaches_the_builder():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile(), re.MULTILINE)
    allowed = [
        line[1:].rstrip("/")
        for line in source.read(".dockerignore").splitlines()
        if line.startswith("!")
    ]
    wanted = {path.rstrip("/") for line in copied for path in line.split()}
    assert wanted <= set(allowed)
    assert all((source.ROOT / path).exists() for path in wanted)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_supervised_program_comes_back_and_stops_as_a_group(program):
    options = supervisor()[program]
    assert options["autorestart"] == options["stopasgroup"] == options["killasgroup"] == "true"
    assert options["stopsignal"] == "TERM"
    # Longer than the program itself takes for a clean end.
    assert int(options["stopwaitsecs"]) >= 20
    assert "user" not in options


def test_the_supervisor_listens_on_a_closed_socket_only():
    parser = supervisor()
    assert "inet_http_server" not in parser
    assert parser["unix_http_server"]["chmod"] == "0700"


def dockerfile():
    return source.read("Dockerfile")
