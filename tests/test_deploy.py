"""What is in deploy/, compose.yaml and the Dockerfile: read as the programs read it, and run where that is possible here."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from django.contrib.auth.models import User
from django.db import connection
from psycopg import sql

from amazon_accounts.starter.cluster import find_programs
from tests.processes import environment
from tests.test_settings import PRODUCTION

PROJECT = Path(__file__).resolve().parents[1]
DEPLOY = PROJECT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
KUBERNETES: list[dict[str, Any]] = [
    part
    for file in sorted((DEPLOY / "kubernetes").iterdir())
    for part in yaml.safe_load_all(file.read_text())
]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
PROBES = {"worker": "probe worker", "scheduler": "probe scheduler"}
MAX_BYTES_WITHOUT_STATIC_FILES = 110_000_000
PROGRAMS = find_programs()


def test_compose_runs_each_kind_of_process() -> None:
    assert set(COMPOSE["services"]) == {"db", "migrate", "web", "worker", "scheduler", "caddy"}
    for kind, probe in PROBES.items():
        service = COMPOSE["services"][kind]
        assert service["deploy"]["replicas"] == 2
        assert " ".join(service["healthcheck"]["test"]).endswith(probe)
    for kind in ("migrate", "web", *PROBES):
        service = COMPOSE["services"][kind]
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])


def test_the_example_of_an_environment_has_what_compose_asks_for() -> None:
    text = (PROJECT / ".env.example").read_text()
    offered = set(re.findall(r"^#?([A-Z_]+)=", text, flags=re.MULTILINE))
    asked = set(re.findall(r"\$\{([A-Z_]+)", (PROJECT / "compose.yaml").read_text())) - {"VERSION"}
    assert asked <= offered
    given = set(COMPOSE["services"]["web"]["environment"])
    assert set(PRODUCTION) <= offered | given
    documented = (PROJECT / "docs" / "configuration.md").read_text()
    assert [name for name in offered - asked if f"`{name}`" not in documented] == []


def test_each_deployment_has_probes_and_no_rights() -> None:
    deployments = {part["metadata"]["name"]: part for part in KUBERNETES if part["kind"] == "Deployment"}
    assert set(deployments) == {"web", *PROBES}
    for part in KUBERNETES:
        if part["kind"] not in {"Deployment", "Job"}:
            continue
        pod = part["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    for kind, probe in PROBES.items():
        (container,) = deployments[kind]["spec"]["template"]["spec"]["containers"]
        for when in ("startupProbe", "livenessProbe"):
            assert " ".join(container[when]["exec"]["command"]).endswith(probe)
    (web,) = deployments["web"]["spec"]["template"]["spec"]["containers"]
    paths = {when: web[f"{when}Probe"]["httpGet"]["path"] for when in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_the_image_is_built_from_what_there_is_and_runs_without_rights() -> None:
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert re.search(r"^USER 10001$", stages[-1], flags=re.MULTILINE)
    assert "HEALTHCHECK" in stages[-1]
    assert "RUN pip" not in stages[-1]
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE):
        assert all((PROJECT / source).exists() for source in sources.split())
    for step in re.findall(r"build\.sh (\w+) ", DOCKERFILE):
        assert f"\n{step}() {{\n" in (DEPLOY / "build.sh").read_text()


def test_the_build_sees_no_secret_and_no_test() -> None:
    first, *kept = [
        line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert first == "*"
    allowed = [line[1:] for line in kept if line.startswith("!")]
    assert not [
        name for name in (".env", "var", "tests", ".git", "docs") if fnmatch.filter(allowed, f"{name}*")
    ]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_packages_of_the_image_are_small_and_enough(tmp_path: Path) -> None:
    packages = tmp_path / "venv" / "lib" / "python3" / "site-packages"
    for name in re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.txt").read_text(), flags=re.MULTILINE):
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:  # of another platform
            continue
        for file in files:
            if ".." not in file.parts and file.suffix != ".pyc":
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    project = tmp_path / "app"
    for name in ("accounts", "amazon_accounts", "dashboard", "locale", "tokens"):
        ignored = shutil.ignore_patterns("__pycache__", "sandbox")
        shutil.copytree(PROJECT / name, project / name, ignore=ignored)
    shutil.copy(PROJECT / "manage.py", project)
    subprocess.run([DEPLOY / "build.sh", "slim", tmp_path / "venv"], cwd=project, check=True)
    total = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert total < MAX_BYTES_WITHOUT_STATIC_FILES
    # Without the packages of this machine.
    program = (
        "import sys, runpy; sys.path[:] = [path for path in sys.path if 'site-packages' not in path]; "
        f"sys.path[:0] = ['.', {str(packages)!r}]; sys.argv = ['manage.py', 'check']; runpy.run_path('manage.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPYCACHEPREFIX": str(tmp_path / "pycache"), **PRODUCTION},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.fixture
def empty_database(transactional_db: None) -> Iterator[str]:
    """The address of an empty database beside the test's."""
    name = f"{connection.settings_dict['NAME']}_drill"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield environment()["DATABASE_URL"].replace(str(connection.settings_dict["NAME"]), name)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run(script: str, argument: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEPLOY / script, argument],
        env={"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_backup_is_restored_into_an_empty_database_alone(empty_database: str, tmp_path: Path) -> None:
    User.objects.create_user("alice")
    own = environment()["DATABASE_URL"]
    done = run("backup.sh", tmp_path, own)
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip())
    assert file.parent == tmp_path
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

    refused = run("restore.sh", file, own)
    assert refused.returncode == 1
    assert "Give an empty one" in refused.stderr

    done = run("restore.sh", file, empty_database)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_database) as restored:
        assert restored.execute("SELECT username FROM auth_user").fetchall() == [("alice",)]
        (migrations,) = restored.execute("SELECT count(*) FROM django_migrations").fetchone() or (0,)
    assert migrations > 100
