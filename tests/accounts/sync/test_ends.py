"""One line of the log for the end of each sync, with its figures."""

import logging

import pytest
from django.contrib.auth.models import User

from accounts.models import SyncRun
from accounts.sync.ends import report_end
from amazon_accounts.postgresql.measures import read_measures, write_measures
from tests.accounts.conftest import AccountFactory


def test_the_end_of_a_sync_is_one_line_with_its_figures(
    admin: User, new_account: AccountFactory, caplog: pytest.LogCaptureFixture
) -> None:
    connection = new_account(admin).connection
    run = SyncRun.objects.create(
        connection=connection, trigger="manual", state="failed", created=4, error="Gone."
    )
    write_measures()
    before = read_measures().get("synced_accounts", {}).get(("created",), {}).get("total", 0)
    with caplog.at_level(logging.INFO, logger="accounts.sync.ends"):
        report_end(run.pk)
    (record,) = caplog.records
    assert "failed" in record.getMessage()
    assert record.getMessage().endswith("Gone.")
    figures = vars(record)
    assert (figures["action"], figures["new"], figures["run"]) == ("sync_ended", 4, str(run.pk))
    write_measures()
    assert read_measures()["synced_accounts"]["created",]["total"] == before + 4
