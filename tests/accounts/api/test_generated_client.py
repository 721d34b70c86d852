"""A client that is made of the API's description works, with named enumerations."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler

from tests.accounts.conftest import AccountFactory
from tests.api_keys import new_key

PACKAGE = "client_of_the_api"
DESCRIPTION = Path(__file__).parents[3] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a function that imports a module of the generated client."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text("post_hooks: []\n")
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--path", str(DESCRIPTION)),
            *(
                "--meta",
                "none",
                "--output-path",
                str(folder / PACKAGE),
                "--config",
                str(folder / "config.yaml"),
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))


@pytest.mark.django_db(transaction=True)
def test_a_generated_client_lists_accounts_and_starts_an_operation(
    generated: Any, admin: User, new_account: AccountFactory
) -> None:
    accounts = [new_account(admin) for _ in range(3)]
    client = generated("client").AuthenticatedClient(
        base_url="http://testserver",
        token=new_key(admin),
        httpx_args={"transport": httpx.WSGITransport(app=WSGIHandler())},
    )
    page = generated("api.accounts.list_accounts").sync(client=client, page_size=2)
    assert len(page.results) == 2
    assert page.results[0].status is generated("models.status_enum").StatusEnum.ACTIVE
    started = generated("api.accounts.start_batch").sync_detailed(
        client=client,
        body=generated("models").StartBatchBody.from_dict(
            {"operation": "sync", "account_ids": [str(account.pk) for account in accounts]}
        ),
    )
    assert started.status_code == 202, started.content
    listed = generated("api.accounts.list_batches").sync(client=client)
    assert [batch.id for batch in listed.results] == [started.parsed.id]
    assert listed.results[0].state is generated("models.batch_state_enum").BatchStateEnum.WAITING
