"""The world that `make run` shows: eight different logins with some 300 accounts.

Every name is invented. The accounts have every status, type and region, and whatever else real inventories
contain: hostile names, unknown values, half-registered accounts, unpaid invoices, and more links than Amazon shows.
"""

from datetime import UTC, datetime

from amazon_accounts.sandbox.world.demo_billing import add_billing
from amazon_accounts.sandbox.world.entities import (
    DEFAULT_SEED,
    AdsAccount,
    Alternate,
    Level,
    Link,
    Login,
    World,
    default_client,
    profile_in,
)
from amazon_accounts.sandbox.world.generate import CAPITALS, Maker
from amazon_accounts.sandbox.world.geography import MARKETPLACES

BRANDS = [
    "Nordwind",
    "Alder",
    "Birchline",
    "Copperleaf",
    "Driftwood",
    "Eastgate",
    "Fernhill",
    "Goldfinch",
    "Harbour",
    "Inkwell",
    "Juniper",
    "Kestrel",
    "Larkspur",
    "Millstone",
    "Nightjar",
    "Oakridge",
    "Pinecrest",
    "Quarry",
    "Rookery",
    "Saltmarsh",
    "Thistle",
    "Umber",
    "Verdant",
    "Willow",
    "Yarrow",
    "Zephyr",
]
TRADES = [
    "Outdoor",
    "Living",
    "Kitchen",
    "Toys",
    "Garden",
    "Pets",
    "Books",
    "Lighting",
    "Bikes",
    "Audio",
    "Beauty",
    "Tools",
    "Fitness",
    "Stationery",
    "Coffee",
    "Baby",
    "Office",
]
FORMS = ("", "", "", " GmbH", " Ltd", " Inc.", " SARL", " S.r.l.", " K.K.", " Pty Ltd")
EUROPE = ["DE", "UK", "FR", "IT", "ES", "NL", "SE", "PL", "BE", "IE"]
RIGHT_TO_LEFT = "\u202e"
HOSTILE_NAMES: tuple[str | None, ...] = (
    "<script>alert('accounts')</script>",
    '"><img src=x onerror=alert(1)>',
    'O\'Brien & "Söhne" <Import/Export>',
    "{{ 7 * 7 }}{% debug %}${7*7}#{7*7}",
    "'; DROP TABLE user_accounts; --",
    '=HYPERLINK("http://example.test","Click")',
    f"Nordwind {RIGHT_TO_LEFT}gnp.exe",
    "مكتبة الشمال للكتب \u200f(الرياض)",
    "חנות ספרים ירושלים",
    "北風アウトドア株式会社 東京支店",
    "Zürich Crème Brûlée Façade Ñandú",
    "👩‍👩‍👧‍👦 Family 🏳️‍🌈 Store 🇩🇪 🚀",
    "e\u0301clair vs \u00e9clair (combining)",
    "Zero\u200bwidth\ufeffspaces",
    "W" + "i" * 120 + "de word without a break",
    "A very long name " * 15,
    "Line one\nLine two\tand a tab\r\n",
    "   spaces around   ",
    "NUL\u0000byte",
    "Lone surrogate \ud83d here",
    "Z" + "\u0300\u0301\u0302\u0303\u0304\u0305\u0306" * 6 + "algo",
    "%00%0d%0aSet-Cookie: a=b",
    "../../etc/passwd",
    "null",
    "",
    None,
)


#: Login id, name, email address and description.
LOGINS = (
    ("ana", "Ana Nordwind", "ana@nordwind-agency.example", "An agency: many brands, DSP, manager accounts"),
    ("bruno", "Bruno Birch", "bruno@birchline.example", "A seller all over Europe"),
    ("chiyo", "Chiyo Kestrel", "chiyo@kestrel-tools.example", "Vendors in many countries"),
    ("dana", "Dana Yarrow", "dana@yarrow.example", "New: registration still going on"),
    ("emil", "Emil Inkwell", "emil@inkwell.example", "Books and attribution, profiles only"),
    ("farah", "Farah Quarry", "farah@quarry.example", "May view some of Ana's accounts"),
    ("grim", "Grim <b>Thistle</b>", "grim@thistle.example", "Names that want to break pages"),
    ("hugo", "Hugo Umber", "hugo@umber.example", "Has nothing at all"),
)


def demo_world(
    seed: int = DEFAULT_SEED, return_urls: list[str] | None = None, now: datetime | None = None
) -> World:
    """The same world for the same seed; the dates of billing count from the day of `now`, today by default."""
    world = World(seed)
    world.add_client(default_client(return_urls or []))
    maker = Maker(world)
    ana, bruno, chiyo, dana, emil, farah, grim, _hugo = [
        world.add_login(login_id, name=name, email=email, description=description)
        for login_id, name, email, description in LOGINS
    ]
    _add_agency(maker, ana)
    _add_brand(maker, bruno)
    _add_vendors(maker, chiyo)
    _add_unregistered(maker, dana)
    _add_publisher(maker, emil)
    _add_hostile_names(maker, grim)
    for ads_account_id in ana.ads_accounts[:25]:
        world.let_see(farah, ads_account_id=ads_account_id, level="view")
    for ads_account_id in ana.ads_accounts[25:30]:
        world.let_see(chiyo, ads_account_id=ads_account_id, level="edit")
    add_billing(world, now or datetime.now(UTC))
    return world


def _make_name(maker: Maker) -> str:
    chance = maker.chance
    return f"{chance.choice(BRANDS)} {chance.choice(TRADES)}{chance.choice(FORMS)}"


def _add_agency(maker: Maker, login: Login) -> None:
    chance = maker.chance
    groups: tuple[list[str], ...] = (
        ["US"],
        ["US", "CA"],
        ["US", "CA", "MX"],
        ["US", "CA", "MX", "BR"],
        ["DE"],
        ["UK"],
        EUROPE[:5],
    )
    groups += (
        ["UK", "DE"],
        ["JP"],
        ["AU"],
        ["AU", "SG"],
        ["IN"],
        ["AE", "SA", "EG"],
        ["US", "UK", "JP"],
        ["TR", "ZA"],
    )
    for number in range(135):
        status = "DISABLED" if number % 17 == 16 else "CREATED"
        level: Level = "view" if number % 11 == 10 else "edit"
        type_ = "vendor" if chance.random() < 0.35 else "seller"
        countries = chance.choice(groups)
        account = maker.account(_make_name(maker), type_, countries, login, status=status, level=level)
        if status == "DISABLED":
            text = "The advertiser is not eligible for this program."
            account.errors = {
                country: [{"errorId": 12, "errorCode": "NOT_ELIGIBLE", "errorMessage": text}]
                for country in countries
            }
    for country, count in (("US", 23), ("CA", 1), ("UK", 120), ("DE", 7), ("JP", 3), ("AU", 0)):
        agency = maker.profile(country, maker.entity_id(), "agency", login, name=f"Nordwind DSP {country}")
        for _ in range(count):
            maker.advertiser(agency, _make_name(maker))
    maker.profile(
        "US", maker.entity_id(), "agency", login, name="Nordwind Attribution", sub_type="AMAZON_ATTRIBUTION"
    )
    _add_managers(maker, login)


def _add_managers(maker: Maker, login: Login) -> None:
    world = maker.world
    profiles = [world.profiles[each] for each in login.profiles]
    american = [each for each in profiles if each.region == "NA" and each.type != "agency"]
    european = [each for each in profiles if each.region == "EU" and each.type != "agency"]
    maker.manager("Nordwind Group (empty)", [], login)
    maker.manager("Nordwind Americas", [maker.link(each, each.name or "") for each in american[:6]], login)
    maker.manager(
        "Nordwind Europe, full", [maker.link(each, each.name or "") for each in european[:50]], login
    )
    maker.manager(
        "Nordwind World, one too many", [maker.link(each, each.name or "") for each in american[:51]], login
    )
    agency = next(
        each for each in profiles if each.type == "agency" and world.advertisers_of.get(each.profile_id)
    )
    advertisers = [world.dsp_advertisers[each] for each in world.advertisers_of[agency.profile_id][:5]]
    managed: list[Link] = [maker.link(agency, each.name, advertiser=each) for each in advertisers]
    cloud = maker.link(american[0], "Nordwind Marketing Cloud")
    cloud.account_type = "MARKETING_CLOUD"
    maker.manager("Nordwind DSP, managed", [*managed, cloud], login)


def _add_brand(maker: Maker, login: Login) -> None:
    # The same seller id in several marketplaces.
    for trade in TRADES[:15]:
        maker.account(f"Birchline {trade}", "seller", EUROPE, login)
    for country in ("US", "CA", "JP", "AU", "TR", "AE", "SA", "IN", "ZA"):
        maker.account(f"Birchline {MARKETPLACES[country].country}", "seller", [country], login)


def _add_vendors(maker: Maker, login: Login) -> None:
    # A vendor account may list every country of Amazon Ads and have profiles in only a few.
    for number in range(70):
        chosen = maker.chance.sample(list(MARKETPLACES), k=1 + number % 4)
        account = maker.account(_make_name(maker), "vendor", chosen, login)
        if number % 10 == 0:
            account.country_codes = list(MARKETPLACES)
        if number % 14 == 13:
            # The ads account names a profile that Amazon's list of profiles leaves out: it has no campaign.
            profile_id = account.alternates[0].profile_id
            if profile_id is not None:
                maker.world.profiles[profile_id].has_campaigns = False


def _add_unregistered(maker: Maker, login: Login) -> None:
    world = maker.world
    maker.account("Yarrow Home", "seller", ["US"], login)
    for number, country in enumerate(("MX", "PL", "SG", "BR", "IE")):
        account = maker.account(
            f"Yarrow {TRADES[number]}", "seller", ["US"], login, status="PARTIALLY_CREATED"
        )
        account.country_codes.append(country)
        text = "The account could not be created in this country."
        errors = [{"errorId": 1, "errorCode": "INELIGIBLE", "errorMessage": text}]
        if number % 2:
            errors.append(
                {
                    "errorId": 2,
                    "errorCode": "TAX_INFORMATION_MISSING",
                    "errorMessage": "Tax details are missing.",
                }
            )
        account.errors = {country: errors}
    for number in range(6):
        countries = EUROPE[number : number + 2]
        pending = AdsAccount(maker.ads_account_id(), f"Yarrow Europe {number + 1}", "PENDING", countries)
        world.add_ads_account(pending, login)
    for name, country, code in (
        ("Yarrow Supplements", "DE", "RESTRICTED_PRODUCTS"),
        ("Yarrow Closed", "UK", "ACCOUNT_CLOSED"),
    ):
        errors = [{"errorId": 30, "errorCode": code, "errorMessage": f"Registration failed: {code.lower()}."}]
        disabled = AdsAccount(maker.ads_account_id(), name, "DISABLED", [country], errors={country: errors})
        world.add_ads_account(disabled, login)


def _add_publisher(maker: Maker, login: Login) -> None:
    # Most of these profiles belong to no ads account.
    for country in ("US", "UK", "DE", "JP", "AU", "CA"):
        maker.profile(country, maker.entity_id(), "vendor", login, name="Emil Inkwell", sub_type="KDP_AUTHOR")
    seller_id = maker.seller_id()
    for country in ("US", "CA", "MX"):
        maker.profile(country, seller_id, "seller", login)
    maker.profile("US", maker.entity_id(), "agency", login, name="Inkwell", sub_type="AMAZON_ATTRIBUTION")
    maker.profile("UK", maker.entity_id(), "vendor", login, name="Inkwell Print", valid_payment_method=False)
    maker.account("Inkwell Editions", "vendor", ["US", "UK"], login)


def _add_hostile_names(maker: Maker, login: Login) -> None:
    world = maker.world
    for number, name in enumerate(HOSTILE_NAMES):
        country = list(MARKETPLACES)[number % len(MARKETPLACES)]
        account = maker.account(name, "seller" if number % 2 else "vendor", [country], login)
        for alternate in account.alternates:
            if name is None and alternate.profile_id is not None:
                world.profiles[alternate.profile_id].name = None
    _add_unknown_values(maker, login)
    profile = world.profiles[next(iter(login.profiles))]
    link = maker.link(profile, "<b>Linked</b> {{ name }}")
    maker.manager("Manager <script>alert('manager')</script> 🧨", [link], login)
    agency = maker.profile("US", maker.entity_id(), "agency", login, name="<i>Agency</i> & Co {% now %}")
    for number in range(3):
        maker.advertiser(agency, f"<u>Advertiser</u> \"{number}\" 'quoted' 🎯")


def _add_unknown_values(maker: Maker, login: Login) -> None:
    # Values and fields that Amazon may add later.
    world = maker.world
    odd = maker.account("Unknown status", "seller", ["US"], login)
    odd.status = "SUSPENDED"
    odd = maker.account("Unknown country and new fields", "seller", ["DE"], login)
    odd.country_codes.append("XX")
    odd.alternates.append(Alternate("XX", None, "ENTITY" + maker.letters(CAPITALS, 13)))
    odd.extra = {"newField": {"since": 2027}, "tags": ["a", "b"]}
    odd = maker.account("Unknown type", "seller", ["UK"], login)
    for alternate in odd.alternates:
        if alternate.profile_id is not None:
            profile = world.profiles[alternate.profile_id]
            profile.type, profile.sub_type, profile.currency_code = "new_type", "NEW_SUB_TYPE", "XXX"
            profile.extra = {"newField": True}
    huge = profile_in(
        "JP", 2**53 + 11, maker.seller_id(), "seller", name="Profile id above 2^53", daily_budget=1.0
    )
    world.add_profile(huge, login)
    world.add_ads_account(
        AdsAccount(
            maker.ads_account_id(),
            huge.name,
            "CREATED",
            ["JP"],
            [Alternate("JP", huge.profile_id, maker.entity_id())],
        ),
        login,
    )
    unsigned = profile_in(
        "US", 2**63 + 25, maker.seller_id(), "seller", name="Profile id above 2^63", daily_budget=1.0
    )
    world.add_profile(unsigned, login)
