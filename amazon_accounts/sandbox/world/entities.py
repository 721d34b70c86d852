"""What exists at the sandbox Amazon: clients, logins, their accounts, and who may see what.

A test may change any field of an entity, and the next answer shows the change. Adding, removing and granting
access change several dictionaries, so they go through the methods of World.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from amazon_accounts.sandbox.world.billing import VALID, Billing, Notification, Pair
from amazon_accounts.sandbox.world.geography import MARKETPLACES, Region

Level = Literal["view", "edit"]

DEFAULT_SEED = 1
DEFAULT_CLIENT_ID = "amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8"
#: Published: it opens nothing but this sandbox.
DEFAULT_CLIENT_SECRET = "sandbox-secret"
KNOWN_SCOPES = frozenset(
    {
        "advertising::campaign_management",
        "advertising::audiences",
        "advertising::test:create_account",
        "cpc_advertising:campaign_management",
        "profile",
        "profile:user_id",
        "postal_code",
    }
)


@dataclass
class Client:
    """A Login with Amazon application."""

    client_id: str
    name: str
    secret: str = field(repr=False)
    return_urls: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=lambda: sorted(KNOWN_SCOPES))
    #: Approved for the Ads API. Without approval each API call is answered with 401.
    approved: bool = True
    #: Refused at the token endpoint with `unauthorized_client`.
    blocked: bool = False


@dataclass
class Login:
    login_id: str
    user_id: str
    name: str
    email: str
    #: One line for the authorize page.
    description: str = ""
    #: Refused by /adsAccounts with 403.
    barred: bool = False
    ads_accounts: list[str] = field(default_factory=list)
    profiles: dict[int, Level] = field(default_factory=dict)
    manager_accounts: list[str] = field(default_factory=list)


@dataclass
class Alternate:
    """The ids of an ads account in one country."""

    country_code: str
    profile_id: int | None = None
    entity_id: str | None = None


@dataclass
class AdsAccount:
    ads_account_id: str
    #: With None, Amazon leaves the field out.
    account_name: str | None
    status: str | None = "CREATED"
    country_codes: list[str] = field(default_factory=list)
    alternates: list[Alternate] = field(default_factory=list)
    errors: Any = None
    #: Seconds since 1970, for `profile_id_delay_seconds`.
    created_at: float = 0.0
    #: More fields of the answer: unknown fields, or odd values of known fields.
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Profile:
    profile_id: int
    region: Region
    country_code: str
    currency_code: str
    timezone: str
    marketplace_id: str
    account_id: str
    type: str
    name: str | None = None
    sub_type: str | None = None
    daily_budget: float | None = None
    valid_payment_method: bool | None = None
    #: Amazon leaves a profile without campaigns out of its list.
    has_campaigns: bool = True
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def pair(self) -> Pair:
        return self.account_id, self.marketplace_id


@dataclass
class Link:
    region: Region
    account_id: str
    account_name: str
    account_type: str
    marketplace_id: str
    profile_id: int | None = None
    dsp_advertiser_id: str | None = None


@dataclass
class ManagerAccount:
    manager_account_id: str
    name: str
    links: list[Link] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class DspAdvertiser:
    advertiser_id: str
    agency_profile_id: int
    name: str
    url: str
    currency: str
    country: str
    timezone: str
    extra: dict[str, Any] = field(default_factory=dict)


class World:
    """All entities by id. `seed` also signs the tokens, so that a restarted sandbox accepts its earlier tokens."""

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.seed = seed
        self.clients: dict[str, Client] = {}
        self.logins: dict[str, Login] = {}
        self.ads_accounts: dict[str, AdsAccount] = {}
        self.profiles: dict[int, Profile] = {}
        self.manager_accounts: dict[str, ManagerAccount] = {}
        self.dsp_advertisers: dict[str, DspAdvertiser] = {}
        #: What billing says of an advertiser in a marketplace. A pair that is not here is valid and has no notices.
        self.billing: dict[Pair, Billing] = {}
        #: Advertiser ids by their agency's profile, in Amazon's order.
        self.advertisers_of: dict[int, list[str]] = {}
        #: The number of Makers that this world has had.
        self.makers = 0

    def replace_with(self, other: "World") -> None:
        """Take over everything from the other world, in this object."""
        self.__dict__.update(other.__dict__)

    def add_client(self, client: Client) -> Client:
        self.clients[client.client_id] = client
        return client

    def add_login(self, login_id: str, *, name: str = "", email: str = "", description: str = "") -> Login:
        login = Login(
            login_id=login_id,
            user_id=f"amzn1.account.{login_id.upper().replace('-', '')}SANDBOX",
            name=name or login_id.title(),
            email=email or f"{login_id}@example.test",
            description=description,
        )
        self.logins[login_id] = login
        return login

    def add_ads_account(self, account: AdsAccount, *logins: Login) -> AdsAccount:
        self.ads_accounts[account.ads_account_id] = account
        for login in logins:
            login.ads_accounts.append(account.ads_account_id)
        return account

    def add_profile(self, profile: Profile, *logins: Login, level: Level = "edit") -> Profile:
        self.profiles[profile.profile_id] = profile
        for login in logins:
            login.profiles[profile.profile_id] = level
        return profile

    def add_manager_account(self, manager: ManagerAccount, *logins: Login) -> ManagerAccount:
        self.manager_accounts[manager.manager_account_id] = manager
        for login in logins:
            login.manager_accounts.append(manager.manager_account_id)
        return manager

    def add_dsp_advertiser(self, advertiser: DspAdvertiser) -> DspAdvertiser:
        self.dsp_advertisers[advertiser.advertiser_id] = advertiser
        self.advertisers_of.setdefault(advertiser.agency_profile_id, []).append(advertiser.advertiser_id)
        return advertiser

    def set_billing(
        self, profile: Profile, status_code: Any = VALID, *notifications: Notification, message: Any = None
    ) -> Billing:
        """Say what /billing answers for the profile's advertiser in its marketplace."""
        self.billing[profile.pair] = made = Billing(status_code, message, list(notifications))
        return made

    def let_see(
        self,
        login: Login,
        *,
        ads_account_id: str | None = None,
        profile_id: int | None = None,
        manager_account_id: str | None = None,
        level: Level | None = "edit",
    ) -> None:
        """Give a login access to what is named, or take it away (`level=None`).

        An ads account includes its profiles.
        """
        profiles = [] if profile_id is None else [profile_id]
        if ads_account_id is not None:
            _add_or_remove(login.ads_accounts, ads_account_id, wanted=level is not None)
            account = self.ads_accounts[ads_account_id]
            profiles += [
                alternate.profile_id
                for alternate in account.alternates
                if alternate.profile_id in self.profiles
            ]
        if manager_account_id is not None:
            _add_or_remove(login.manager_accounts, manager_account_id, wanted=level is not None)
        for each in profiles:
            if level is None:
                login.profiles.pop(each, None)
            else:
                login.profiles[each] = level

    def remove_ads_account(self, ads_account_id: str) -> None:
        """Remove the account and its profiles for every login."""
        for login in self.logins.values():
            self.let_see(login, ads_account_id=ads_account_id, level=None)
        account = self.ads_accounts.pop(ads_account_id)
        for alternate in account.alternates:
            if alternate.profile_id is not None:
                self.profiles.pop(alternate.profile_id, None)

    def remove_profile(self, profile_id: int) -> None:
        for login in self.logins.values():
            login.profiles.pop(profile_id, None)
        del self.profiles[profile_id]

    def remove_manager_account(self, manager_account_id: str) -> None:
        for login in self.logins.values():
            _add_or_remove(login.manager_accounts, manager_account_id, wanted=False)
        del self.manager_accounts[manager_account_id]

    def remove_dsp_advertiser(self, advertiser_id: str) -> None:
        advertiser = self.dsp_advertisers.pop(advertiser_id)
        self.advertisers_of[advertiser.agency_profile_id].remove(advertiser_id)

    def remove_login(self, login_id: str) -> None:
        del self.logins[login_id]


def _add_or_remove(ids: list[str], wanted_id: str, *, wanted: bool) -> None:
    if wanted and wanted_id not in ids:
        ids.append(wanted_id)
    elif not wanted and wanted_id in ids:
        ids.remove(wanted_id)


def profile_in(country_code: str, profile_id: int, account_id: str, type_: str, **more: Any) -> Profile:
    marketplace = MARKETPLACES[country_code]
    return Profile(
        profile_id=profile_id,
        region=marketplace.region,
        country_code=country_code,
        currency_code=marketplace.currency_code,
        timezone=marketplace.timezone,
        marketplace_id=marketplace.marketplace_id,
        account_id=account_id,
        type=type_,
        **more,
    )


def default_client(return_urls: list[str]) -> Client:
    return Client(
        client_id=DEFAULT_CLIENT_ID,
        name="Amazon Accounts (local)",
        secret=DEFAULT_CLIENT_SECRET,
        return_urls=return_urls,
    )
