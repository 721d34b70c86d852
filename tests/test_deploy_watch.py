"""The alert rules and the dashboard ask for what /metrics has, in a language that Prometheus reads."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
NAME = re.compile(r"\bamazon_accounts_\w+")


def read_queries() -> list[str]:
    panels: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "amazon-accounts.json").read_text())[
        "panels"
    ]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.fixture
def promtool() -> str:
    if (found := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed: the rules and queries are not parsed")
    return found


def test_prometheus_reads_the_rules(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_prometheus_reads_the_queries_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    queries = [query.replace("$__rate_interval", "5m") for query in read_queries()]
    rules = [{"record": f"panel_{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
def test_every_metric_that_is_asked_for_exists(client: Client) -> None:
    exported = {
        name
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for name in (family.name, *(f"{family.name}_{end}" for end in ("bucket", "sum", "count", "total")))
    }
    asked = set(NAME.findall(" ".join([RULES.read_text(), *read_queries()])))
    assert asked
    assert asked - exported == set()
