"""An answer that the client has already is 304, and If-Match goes on working with the ETag of a whole answer."""

import pytest
from django.contrib.auth.models import User

from tests.accounts.conftest import AccountFactory, ClientFactory


@pytest.mark.parametrize("address", ["accounts/", "accounts/{id}/", "connections/"])
def test_an_answer_that_is_known_is_not_sent_again(
    admin: User, new_account: AccountFactory, client_of: ClientFactory, address: str
) -> None:
    account, client = new_account(admin), client_of(admin)
    address = "/api/v1/" + address.format(id=account.pk)
    first = client.get(address)
    assert first["ETag"]
    for known in (first["ETag"], f"W/{first['ETag']}", f'"another", {first["ETag"]}'):
        again = client.get(address, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    account.name = "Changed by a sync"
    account.connection.label = "Changed"
    account.save(update_fields=["name"])
    account.connection.save(update_fields=["label"])
    changed = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_change_is_made_for_the_version_of_what_operators_say(
    admin: User, new_account: AccountFactory, client_of: ClientFactory
) -> None:
    account, client = new_account(admin), client_of(admin)
    address = f"/api/v1/accounts/{account.pk}/"
    known = client.get(address)["ETag"]
    # What a sync changes is no conflict.
    account.name = "Changed by a sync"
    account.save(update_fields=["name"])
    body = {"labels": {"team": "north"}}
    answer = client.patch(address, body, format="json", headers={"If-Match": known})
    assert answer.status_code == 200, answer.content
    body = {"labels": {"team": "south"}}
    assert client.patch(address, body, format="json", headers={"If-Match": known}).status_code == 412
