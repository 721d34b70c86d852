"""Worlds of any size. The same seed always makes the same world."""

import random
import string

from amazon_accounts.sandbox.world.entities import (
    DEFAULT_SEED,
    AdsAccount,
    Alternate,
    DspAdvertiser,
    Level,
    Link,
    Login,
    ManagerAccount,
    Profile,
    World,
    default_client,
    profile_in,
)
from amazon_accounts.sandbox.world.geography import MARKETPLACES, REGIONS, Region, countries_of

SMALL_LETTERS = string.ascii_lowercase + string.digits
CAPITALS = string.ascii_uppercase + string.digits
DSP_TIMEZONES = {"US": "America/New_York", "CA": "America/Toronto", "MX": "America/Mexico_City"}


class Maker:
    """Makes entities with ids like Amazon's and adds them to a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        # A later maker of the same world must not make the same ids again.
        self.chance = random.Random(f"{world.seed} {world.makers}")
        world.makers += 1
        self._numbers = set(world.profiles) | {
            int(each) for each in world.dsp_advertisers if each.isdecimal()
        }

    def letters(self, alphabet: str, length: int) -> str:
        return "".join(self.chance.choices(alphabet, k=length))

    def number(self, digits: int) -> int:
        """A number with `digits` digits that this world does not have yet."""
        while True:
            number = self.chance.randrange(10 ** (digits - 1), 10**digits)
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def profile_id(self) -> int:
        return self.number(self.chance.choice((15, 16, 16, 16, 17)))

    def seller_id(self) -> str:
        return "A" + self.letters(CAPITALS, 13)

    def entity_id(self) -> str:
        return "ENTITY" + self.letters(CAPITALS, 13)

    def ads_account_id(self) -> str:
        return "amzn1.ads-account.g." + self.letters(SMALL_LETTERS, 25)

    def profile(
        self, country: str, account_id: str, type_: str, *logins: Login, level: Level = "edit", **more: object
    ) -> Profile:
        made = profile_in(country, self.profile_id(), account_id, type_, **more)
        if type_ == "seller" and made.daily_budget is None:
            made.daily_budget = self.chance.choice((0.0, 25.0, 340.0, 1200.5, 999999999.0))
        if type_ == "vendor" and made.valid_payment_method is None:
            made.valid_payment_method = self.chance.random() > 0.1
        return self.world.add_profile(made, *logins, level=level)

    def account(
        self,
        name: str | None,
        type_: str,
        countries: list[str],
        *logins: Login,
        status: str = "CREATED",
        level: Level = "edit",
    ) -> AdsAccount:
        """An ads account with one profile in each country."""
        account_id = self.seller_id() if type_ == "seller" else self.entity_id()
        alternates = [
            Alternate(
                country,
                self.profile(country, account_id, type_, *logins, level=level, name=name).profile_id,
                self.entity_id(),
            )
            for country in countries
        ]
        made = AdsAccount(self.ads_account_id(), name, status, list(countries), alternates)
        return self.world.add_ads_account(made, *logins)

    def agency(self, name: str, country: str, *logins: Login, advertisers: int = 0) -> Profile:
        made = self.profile(country, self.entity_id(), "agency", *logins, name=name)
        for number in range(1, advertisers + 1):
            self.advertiser(made, f"{name} advertiser {number}")
        return made

    def advertiser(self, agency: Profile, name: str, country: str = "") -> DspAdvertiser:
        country = country or agency.country_code
        return self.world.add_dsp_advertiser(
            DspAdvertiser(
                advertiser_id=str(self.number(13)),
                agency_profile_id=agency.profile_id,
                name=name,
                url=f"www.{''.join(name.lower().split())[:40]}.example",
                currency=MARKETPLACES[country].currency_code,
                country=country,
                timezone=DSP_TIMEZONES.get(country, MARKETPLACES[country].timezone),
            )
        )

    def manager(self, name: str, links: list[Link], *logins: Login) -> ManagerAccount:
        made = ManagerAccount("amzn1.ads1.ma1." + self.letters(SMALL_LETTERS, 25), name, links)
        return self.world.add_manager_account(made, *logins)

    @staticmethod
    def link(profile: Profile, name: str, *, advertiser: DspAdvertiser | None = None) -> Link:
        return Link(
            region=profile.region,
            account_id=profile.account_id,
            account_name=name,
            account_type="DSP_ADVERTISING_ACCOUNT" if advertiser else profile.type.upper(),
            marketplace_id=profile.marketplace_id,
            profile_id=None if advertiser else profile.profile_id,
            dsp_advertiser_id=advertiser.advertiser_id if advertiser else None,
        )


def generated_world(
    *,
    logins: int = 1,
    accounts_per_login: int = 100,
    profiles_per_account: int = 1,
    regions: tuple[Region, ...] = REGIONS,
    agencies_per_login: int = 0,
    advertisers_per_agency: int = 0,
    managers_per_login: int = 0,
    links_per_manager: int = 0,
    seed: int = DEFAULT_SEED,
) -> World:
    """A world with the logins `login-1`, `login-2`, ...; sellers and vendors, spread over the regions."""
    world = World(seed)
    world.add_client(default_client([]))
    maker = Maker(world)
    countries = [country for region in regions for country in countries_of(region)]
    for number in range(1, logins + 1):
        login = world.add_login(f"login-{number}", name=f"Login {number}")
        for index in range(accounts_per_login):
            chosen = [countries[(index + step) % len(countries)] for step in range(profiles_per_account)]
            maker.account(
                f"Account {number}-{index + 1}", "vendor" if index % 3 == 2 else "seller", chosen, login
            )
        for index in range(agencies_per_login):
            region = regions[index % len(regions)]
            maker.agency(
                f"Agency {number}-{index + 1}",
                countries_of(region)[0],
                login,
                advertisers=advertisers_per_agency,
            )
        own = [world.profiles[each] for each in login.profiles][:links_per_manager]
        for index in range(managers_per_login):
            links = [maker.link(each, each.name or "") for each in own]
            maker.manager(f"Manager {number}-{index + 1}", links, login)
    return world


def small_world(seed: int = DEFAULT_SEED) -> World:
    """The world of most tests.

    alice has accounts of every kind, bob may view one of her accounts and edit one of his own, charlie has
    none.
    """
    world = World(seed)
    world.add_client(default_client([]))
    maker = Maker(world)
    alice = world.add_login("alice", name="Alice Example", email="alice@example.test")
    bob = world.add_login("bob", name="Bob Example", email="bob@example.test")
    world.add_login("charlie", name="Charlie Example", email="charlie@example.test")

    outdoor = maker.account("Nordwind Outdoor", "seller", ["US", "UK", "DE"], alice)
    world.let_see(bob, ads_account_id=outdoor.ads_account_id, level="view")
    maker.account("Nordwind Vendors", "vendor", ["JP"], alice, level="view")
    maker.account("Bob's Bikes", "seller", ["FR"], bob)
    living = maker.account("Nordwind Living", "seller", ["CA"], alice, status="PARTIALLY_CREATED")
    living.country_codes.append("MX")
    text = "The account could not be created in this country."
    living.errors = {"MX": [{"errorId": 1, "errorCode": "INELIGIBLE", "errorMessage": text}]}
    for status, country in (("PENDING", "AU"), ("DISABLED", "IN")):
        name = f"Nordwind {status.title()}"
        world.add_ads_account(AdsAccount(maker.ads_account_id(), name, status, [country]), alice)
    maker.profile("ES", maker.seller_id(), "seller", alice, name="Profile alone")
    agency = maker.agency("Nordwind DSP", "US", alice, advertisers=3)
    advertiser = world.dsp_advertisers[world.advertisers_of[agency.profile_id][0]]
    profiles = [world.profiles[each.profile_id] for each in outdoor.alternates if each.profile_id]
    links = [maker.link(each, "Nordwind Outdoor") for each in profiles]
    links.append(maker.link(agency, advertiser.name, advertiser=advertiser))
    maker.manager("Nordwind Group", links, alice)
    return world
