"""Which requests each person may make: every address with every method. A new address must be added to the table."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.accounts.access.somebody import ROLES, Row, Somebody, make_person
from tests.accounts.conftest import AccountFactory
from tests.teams import join
from tokens.people.roles import Role

# Other tests cover the same code, and measuring makes the many requests three times as slow.
pytestmark = pytest.mark.no_cover

# "nobody" is not signed in. The stranger is signed in but not staff and in no team. For these two and for the superuser
# the addresses name objects of a team that they are not in, for the others objects of the team in which they have this
# role. `>` is a redirect to the login. A GET of an address that a button posts to is redirected to the page of the button.
PEOPLE = ("nobody", "stranger", *ROLES, "superuser")
TABLE = """
method  address                                             nobody stranger Viewer Operator Administrator superuser

GET     api/v1/accounts/                                    401 401 200 200 200 200
GET     api/v1/accounts/amazon-profiles/                    401 401 200 200 200 200
GET     api/v1/accounts/batch/                              401 401 200 200 200 200
POST    api/v1/accounts/batch/                              401 401 403 202 202 202
GET     api/v1/accounts/batch/<uuid:batch_id>/              401 401 200 200 200 200
GET     api/v1/accounts/batch/<uuid:batch_id>/items/        401 401 200 200 200 200
POST    api/v1/accounts/batch/<uuid:batch_id>/cancel/       401 401 403 200 200 200
POST    api/v1/accounts/batch/<uuid:batch_id>/retry/        401 401 403 409 409 409
POST    api/v1/accounts/batch/<uuid:batch_id>/undo/         401 401 403 409 409 409
GET     api/v1/accounts/changes/                            401 401 200 200 200 200
GET     api/v1/accounts/export/                             401 401 200 200 200 200
GET     api/v1/accounts/health/                             401 401 200 200 200 200
GET     api/v1/accounts/sync-runs/                          401 401 200 200 200 200
GET     api/v1/accounts/<uuid:account_id>/                  401 401 200 200 200 200
PATCH   api/v1/accounts/<uuid:account_id>/                  401 401 403 200 200 200
GET     api/v1/accounts/<uuid:account_id>/changes/          401 401 200 200 200 200
GET     api/v1/audit/                                       401 401 403 403 200 200
GET     api/v1/connect-links/                               401 401 200 200 200 200
POST    api/v1/connect-links/                               401 401 403 201 201 201
POST    api/v1/connect-links/<uuid:link_id>/revoke/         401 401 403 200 200 200
GET     api/v1/connections/                                 401 401 200 200 200 200
GET     api/v1/connections/<uuid:connection_id>/            401 401 200 200 200 200
PATCH   api/v1/connections/<uuid:connection_id>/            401 401 403 200 200 200
GET     api/v1/connections/batch/                           401 401 200 200 200 200
POST    api/v1/connections/batch/                           401 401 403 202 202 202
GET     api/v1/connections/batch/<uuid:batch_id>/           401 401 200 200 200 200
GET     api/v1/connections/batch/<uuid:batch_id>/items/     401 401 200 200 200 200
POST    api/v1/connections/batch/<uuid:batch_id>/cancel/    401 401 403 200 200 200
POST    api/v1/connections/batch/<uuid:batch_id>/retry/     401 401 403 409 409 409
POST    api/v1/connections/access-tokens/                   401 401 403 403 200 200
POST    api/v1/connections/<uuid:connection_id>/access-token/   401 401 403 403 200 200
GET     api/v1/connections/<uuid:connection_id>/availability/   401 401 200 200 200 200
POST    api/v1/connections/<uuid:connection_id>/disconnect/ 401 401 403 403 200 200
POST    api/v1/connections/<uuid:connection_id>/move/       401 401 403 403 200 200
POST    api/v1/connections/<uuid:connection_id>/refresh/    401 401 403 202 202 202
GET     api/v1/connections/<uuid:connection_id>/refreshes/  401 401 200 200 200 200
POST    api/v1/connections/<uuid:connection_id>/sync/       401 401 403 202 202 202
GET     api/v1/events/                                      401 401 200 200 200 200
GET     api/v1/notes/                                       401 401 200 200 200 200
POST    api/v1/notes/                                       401 401 403 201 201 201
DELETE  api/v1/notes/<uuid:note_id>/                        401 401 403 204 204 204
GET     api/v1/teams/                                       401 401 200 200 200 200
POST    api/v1/teams/                                       401 401 403 403 403 201
PATCH   api/v1/teams/<uuid:team_id>/                        401 401 403 403 403 200
GET     api/v1/teams/<uuid:team_id>/members/                401 401 200 200 200 200
PUT     api/v1/teams/<uuid:team_id>/members/<str:user_name>/    401 401 403 403 200 200
DELETE  api/v1/teams/<uuid:team_id>/members/<str:user_name>/    401 401 403 403 204 204
GET     api/v1/views/                                       401 401 200 200 200 200
POST    api/v1/views/                                       401 401 403 201 201 201
PATCH   api/v1/views/<uuid:view_id>/                        401 401 403 200 200 200
DELETE  api/v1/views/<uuid:view_id>/                        401 401 403 204 204 204
GET     api/v1/webhooks/                                    401 401 403 403 200 200
POST    api/v1/webhooks/                                    401 401 403 403 201 201
GET     api/v1/webhooks/<uuid:webhook_id>/                  401 401 403 403 200 200
PATCH   api/v1/webhooks/<uuid:webhook_id>/                  401 401 403 403 200 200
DELETE  api/v1/webhooks/<uuid:webhook_id>/                  401 401 403 403 204 204
POST    api/v1/webhooks/<uuid:webhook_id>/test/             401 401 403 403 202 202
POST    api/v1/webhooks/<uuid:webhook_id>/rotate-secret/    401 401 403 403 200 200
GET     api/v1/webhooks/<uuid:webhook_id>/deliveries/       401 401 403 403 200 200
POST    api/v1/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver/  401 401 403 403 202 202
GET     api/v1/schema/                                      200 401 200 200 200 200
GET     api/v1/docs/                                        200 401 200 200 200 200

GET     connect/amazon/                                     > > 403 200 200 200
GET     c/<slug:token>/                                     410 410 410 410 410 410
POST    c/<slug:token>/                                     410 410 410 410 410 410
POST    connect/amazon/                                     > > 403 200 200 200
GET     connect/amazon/callback/                            403 403 403 400 400 400

GET     /                                                   > > 200 200 200 200
GET     accounts/                                           > > 200 200 200 200
GET     accounts/<uuid:account_id>/                         > > 200 200 200 200
GET     accounts/<uuid:account_id>/labels/                  302 302 302 302 302 302
POST    accounts/<uuid:account_id>/labels/                  > > 403 303 303 303
GET     accounts/<uuid:account_id>/notes/                   302 302 302 302 302 302
POST    accounts/<uuid:account_id>/notes/                   > > 403 303 303 303
GET     connections/<uuid:connection_id>/labels/            302 302 302 302 302 302
POST    connections/<uuid:connection_id>/labels/            > > 403 303 303 303
GET     connections/<uuid:connection_id>/notes/             302 302 302 302 302 302
POST    connections/<uuid:connection_id>/notes/             > > 403 303 303 303
GET     notes/<uuid:note_id>/delete/                        > > 403 302 302 302
POST    notes/<uuid:note_id>/delete/                        > > 403 303 303 303
GET     connections/                                        > > 200 200 200 200
GET     connections/<uuid:connection_id>/                   > > 200 200 200 200
GET     connections/<uuid:connection_id>/availability.csv   > > 200 200 200 200
GET     connections/<uuid:connection_id>/sync/              302 302 302 302 302 302
POST    connections/<uuid:connection_id>/sync/              > > 403 303 303 303
GET     connections/<uuid:connection_id>/refresh/           302 302 302 302 302 302
POST    connections/<uuid:connection_id>/refresh/           > > 403 303 303 303
GET     connections/<uuid:connection_id>/disconnect/        > > 403 403 200 200
POST    connections/<uuid:connection_id>/disconnect/        > > 403 403 303 303
GET     connections/<uuid:connection_id>/forget/            > > 403 403 200 200
POST    connections/<uuid:connection_id>/forget/            > > 403 403 303 303
GET     connections/<uuid:connection_id>/move/              > > 403 403 200 200
POST    connections/<uuid:connection_id>/move/              > > 403 403 303 303
GET     connections/<uuid:connection_id>/pause/             302 302 302 302 302 302
POST    connections/<uuid:connection_id>/pause/             > > 403 303 303 303
GET     connections/<uuid:connection_id>/resume/            302 302 302 302 302 302
POST    connections/<uuid:connection_id>/resume/            > > 403 303 303 303
GET     connections/<uuid:connection_id>/update/            > > 403 200 200 200
POST    connections/<uuid:connection_id>/update/            > > 403 303 303 303
GET     renewals/                                           > > 200 200 200 200
GET     renewals/dates/                                     > > 403 200 200 200
POST    renewals/dates/                                     > > 403 303 303 303
GET     renewals/links.csv                                  > > 403 303 303 303
POST    renewals/links.csv                                  > > 403 200 200 200
GET     views/                                              302 302 302 302 302 302
POST    views/                                              > > 303 303 303 303
GET     views/counts/                                       > > 200 200 200 200
GET     views/<uuid:view_id>/remove/                        > > 303 303 303 303
POST    views/<uuid:view_id>/remove/                        > > 403 303 303 303
GET     links/                                              > > 200 200 200 200
POST    links/                                              > > 403 200 200 200
GET     links/<uuid:link_id>/send-again/                    > > 403 303 303 303
POST    links/<uuid:link_id>/send-again/                    > > 403 303 303 303
GET     links/<uuid:link_id>/revoke/                        > > 403 303 303 303
POST    links/<uuid:link_id>/revoke/                        > > 403 303 303 303
GET     operations/                                         > > 200 200 200 200
POST    operations/                                         > > 403 200 200 200
GET     operations/<uuid:batch_id>/                         > > 200 200 200 200
GET     operations/<uuid:batch_id>/cancel/                  302 302 302 302 302 302
POST    operations/<uuid:batch_id>/cancel/                  > > 403 303 303 303
GET     operations/<uuid:batch_id>/retry/                   302 302 302 302 302 302
POST    operations/<uuid:batch_id>/retry/                   > > 403 303 303 303
GET     operations/<uuid:batch_id>/undo/                    302 302 302 302 302 302
POST    operations/<uuid:batch_id>/undo/                    > > 403 303 303 303
GET     operations/<uuid:batch_id>/toast/                   > > 302 302 302 302
GET     operations/<uuid:batch_id>/results.csv              > > 200 200 200 200
GET     audit/                                              > > 403 403 200 200
GET     audit/entries.csv                                   > > 403 403 200 200
GET     teams/                                              > > 200 200 200 200
GET     teams/make/                                         302 302 302 302 302 302
POST    teams/make/                                         > > 403 403 403 303
GET     teams/<uuid:team_id>/rename/                        > > 403 403 403 200
POST    teams/<uuid:team_id>/rename/                        > > 403 403 403 303
GET     teams/<uuid:team_id>/members/                       > > 403 403 303 303
POST    teams/<uuid:team_id>/members/                       > > 403 403 303 303
GET     teams/<uuid:team_id>/members/<int:person_id>/remove/    > > 403 403 200 200
POST    teams/<uuid:team_id>/members/<int:person_id>/remove/    > > 403 403 303 303
GET     teams/<uuid:team_id>/invitations/                   > > 403 403 303 303
POST    teams/<uuid:team_id>/invitations/                   > > 403 403 303 303
GET     teams/<uuid:team_id>/invitations/<uuid:invitation_id>/send-again/   > > 403 403 303 303
POST    teams/<uuid:team_id>/invitations/<uuid:invitation_id>/send-again/   > > 403 403 303 303
GET     teams/<uuid:team_id>/invitations/<uuid:invitation_id>/revoke/   > > 403 403 303 303
POST    teams/<uuid:team_id>/invitations/<uuid:invitation_id>/revoke/   > > 403 403 303 303
GET     webhooks/                                           > > 403 403 200 200
POST    webhooks/                                           > > 403 403 200 200
GET     webhooks/<uuid:webhook_id>/                         > > 403 403 200 200
GET     webhooks/<uuid:webhook_id>/test/                    302 302 302 302 302 302
POST    webhooks/<uuid:webhook_id>/test/                    > > 403 403 303 303
GET     webhooks/<uuid:webhook_id>/rotate-secret/           302 302 302 302 302 302
POST    webhooks/<uuid:webhook_id>/rotate-secret/           > > 403 403 200 200
GET     webhooks/<uuid:webhook_id>/switch/                  302 302 302 302 302 302
POST    webhooks/<uuid:webhook_id>/switch/                  > > 403 403 303 303
GET     webhooks/<uuid:webhook_id>/delete/                  > > 403 403 200 200
POST    webhooks/<uuid:webhook_id>/delete/                  > > 403 403 303 303
GET     webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/send-again/    > > 403 403 303 303
POST    webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/send-again/    > > 403 403 303 303
GET     teams/<uuid:team_id>/reminders/                     > > 403 403 303 303
POST    teams/<uuid:team_id>/reminders/                     > > 403 403 303 303
GET     teams/<uuid:team_id>/logo/                          > > 403 403 200 200
POST    teams/<uuid:team_id>/logo/                          > > 403 403 303 303
GET     teams/<uuid:team_id>/logo/remove/                   > > 403 403 303 303
POST    teams/<uuid:team_id>/logo/remove/                   > > 403 403 303 303
GET     teams/<uuid:team_id>/alerts/                        > > 403 403 200 200
POST    teams/<uuid:team_id>/alerts/                        > > 403 403 303 303
GET     teams/<uuid:team_id>/alerts/<uuid:address_id>/remove/   > > 403 403 303 303
POST    teams/<uuid:team_id>/alerts/<uuid:address_id>/remove/   > > 403 403 303 303
GET     activity/                                           > > 200 200 200 200
GET     activity/export/                                    > > 200 200 200 200
GET     history/                                            > > 302 302 302 302
GET     keys/                                               > > 200 200 200 200
POST    keys/                                               > > 200 200 200 200
GET     keys/<uuid:key_id>/revoke/                          > > 200 200 200 404
POST    keys/<uuid:key_id>/revoke/                          > > 303 303 303 404
GET     auth/alerts/                                        > 200 200 200 200 200
POST    auth/alerts/                                        > 303 303 303 303 303
GET     auth/sessions/                                      > 200 200 200 200 200
GET     auth/sessions/end/                                  302 302 302 302 302 302
POST    auth/sessions/end/                                  > 404 404 404 404 404
GET     auth/sessions/end-everywhere/                       302 302 302 302 302 302
POST    auth/sessions/end-everywhere/                       > 303 303 303 303 303
GET     auth/sessions/end-keys/                             302 302 302 302 302 302
POST    auth/sessions/end-keys/                             > 303 303 303 303 303
GET     errors/                                             > 200 200 200 200 200
GET     errors/<slug:code>/                                 > 200 200 200 200 200
GET     favicon.ico                                         302 302 302 302 302 302
GET     healthz                                             200 200 200 200 200 200
GET     readyz                                              200 200 200 200 200 200
GET     metrics                                             200 200 200 200 200 200
"""
# In the admin site: a model's changelist, as Viewer, Operator and Administrator. Others are sent to the login.
ADMIN = """
accounts.account                    200 200 200
accounts.accountaccess              200 200 200
accounts.accountchange              200 200 200
accounts.accountmanager             200 200 200
accounts.batchoperation             200 200 200
accounts.profile                    200 200 200
accounts.syncrun                    200 200 200
amazon_ads.applicationrefusal       403 403 403
amazon_ads.billingrequestform       403 403 403
amazon_ads.parkedlogin              403 403 403
amazon_ads.ratelimit                403 403 403
amazon_ads.ratelimithour            403 403 403
auth.user                           403 403 403
django_apscheduler.djangojob            403 403 403
django_apscheduler.djangojobexecution   403 403 403
mfa.authenticator                   403 403 403
procrastinate.procrastinatejob      403 403 403
procrastinate.procrastinateworker   403 403 403
tokens.alert                        200 200 200
tokens.apikey                       403 403 403
tokens.authorizationattempt         403 403 403
tokens.connection                   200 200 200
tokens.erasedperson                 403 403 403
tokens.failure                      403 403 403
tokens.heartbeat                    403 403 403
tokens.membership                   200 200 200
tokens.session                      403 403 403
tokens.team                         200 200 200
tokens.tokenrefresh                 200 200 200
"""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# An unknown address under /api/ is not found, for every person and method.
SIGN_IN = ("allauth.", "dashboard.sign_in.")
CATCH_ALL = {r"api/v1/.*[^/]$", "api/v1/", "^api/"}


def rows() -> list[Row]:
    found = []
    for line in TABLE.strip().splitlines()[1:]:
        if line:
            method, address, *answers = line.split()
            found.append((method, "" if address == "/" else address, dict(zip(PEOPLE, answers, strict=True))))
    return found


# The requests that name an object, and do not only lead to a page with a button.
OF_OBJECTS = [row for row in rows() if "<uuid:" in row[1] and row[2]["nobody"] != "302"]


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            # tests/dashboard/sign_in has who may open the pages of the sign-in.
            if not pattern.callback.__module__.startswith(SIGN_IN):
                yield f"{prefix}{pattern.pattern}"
        else:
            yield from patterns(pattern, f"{prefix}{pattern.pattern}")


def everywhere() -> set[str]:
    return {address for address in patterns(get_resolver()) if not address.startswith("admin/")} - CATCH_ALL


@pytest.mark.parametrize("who", PEOPLE)
def test_each_person_may_do_what_the_table_says(db: None, new_account: AccountFactory, who: str) -> None:
    somebody = Somebody(who, new_account)
    assert somebody.ask_each(rows()) == {
        f"{method} {address}": answers[who] for method, address, answers in rows()
    }


def test_the_table_has_every_address() -> None:
    assert {address for _, address, _ in rows()} == everywhere()


@pytest.mark.parametrize("method", METHODS)
def test_no_other_method_is_allowed(db: None, new_account: AccountFactory, method: str) -> None:
    somebody = Somebody("Administrator", new_account)
    requests: list[Row] = [(method, address, {}) for address in everywhere()]
    allowed = {name for name, answer in somebody.ask_each(requests).items() if answer != "405"}
    assert allowed == {f"{method} {address}" for known, address, _ in rows() if known == method}


@pytest.mark.parametrize("role", ROLES)
def test_an_object_of_another_team_is_not_found(db: None, new_account: AccountFactory, role: str) -> None:
    somebody, another = Somebody(role, new_account), Somebody("nobody", new_account)
    somebody.owner_of_objects = another
    # Who may do it in no team may get 403 for any object.
    forbidden = {f"{method} {address}" for method, address, answers in OF_OBJECTS if answers[role] == "403"}
    wrong = {
        name: answer
        for name, answer in somebody.ask_each(OF_OBJECTS).items()
        if answer != "404" and not (answer == "403" and name in forbidden)
    }
    assert wrong == {}


def test_a_role_in_another_team_allows_nothing_here(db: None, new_account: AccountFactory) -> None:
    somebody = Somebody("Viewer", new_account)
    assert somebody.user is not None
    join(somebody.user, "Another team", Role.ADMINISTRATOR)
    assert somebody.ask_each(OF_OBJECTS) == {
        f"{method} {address}": answers["Viewer"] for method, address, answers in OF_OBJECTS
    }


def test_the_admin_table_has_every_model() -> None:
    assert {line.split()[0] for line in ADMIN.strip().splitlines()} == {
        model._meta.label_lower for model in admin.site._registry
    }


@pytest.mark.parametrize("line", ADMIN.strip().splitlines(), ids=lambda line: line.split()[0])
def test_the_admin_shows_what_the_table_says(db: None, line: str) -> None:
    label, *answers = line.split()
    address = f"admin/{label.replace('.', '/')}/"
    assert Client().get(f"/{address}").status_code == 302
    for who, expected in zip((*ROLES, "superuser"), (*answers, "200"), strict=True):
        client = Client()
        client.force_login(make_person(who))
        assert str(client.get(f"/{address}").status_code) == expected, who
        if who != "superuser":
            assert client.get(f"/{address}add/").status_code == 403
