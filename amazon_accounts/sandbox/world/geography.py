"""Amazon's regions and marketplaces, as its Profiles specification lists them."""

from dataclasses import dataclass
from typing import Literal, get_args

Region = Literal["NA", "EU", "FE"]
REGIONS: tuple[Region, ...] = get_args(Region)


@dataclass(frozen=True)
class Marketplace:
    region: Region
    country_code: str
    country: str
    marketplace_id: str
    currency_code: str
    timezone: str


MARKETPLACES: dict[str, Marketplace] = {
    marketplace.country_code: marketplace
    for marketplace in (
        Marketplace("NA", "US", "United States", "ATVPDKIKX0DER", "USD", "America/Los_Angeles"),
        Marketplace("NA", "CA", "Canada", "A2EUQ1WTGCTBG2", "CAD", "America/Los_Angeles"),
        Marketplace("NA", "MX", "Mexico", "A1AM78C64UM0Y8", "MXN", "America/Los_Angeles"),
        Marketplace("NA", "BR", "Brazil", "A2Q3Y263D00KWC", "BRL", "America/Sao_Paulo"),
        Marketplace("EU", "UK", "United Kingdom", "A1F83G8C2ARO7P", "GBP", "Europe/London"),
        Marketplace("EU", "DE", "Germany", "A1PA6795UKMFR9", "EUR", "Europe/Paris"),
        Marketplace("EU", "FR", "France", "A13V1IB3VIYZZH", "EUR", "Europe/Paris"),
        Marketplace("EU", "IT", "Italy", "APJ6JRA9NG5V4", "EUR", "Europe/Paris"),
        Marketplace("EU", "ES", "Spain", "A1RKKUPIHCS9HS", "EUR", "Europe/Paris"),
        Marketplace("EU", "NL", "Netherlands", "A1805IZSGTT6HS", "EUR", "Europe/Amsterdam"),
        Marketplace("EU", "BE", "Belgium", "AMEN7PMS3EDWL", "EUR", "Europe/Brussels"),
        Marketplace("EU", "IE", "Ireland", "A28R8C7NBKEWEA", "EUR", "Europe/Dublin"),
        Marketplace("EU", "SE", "Sweden", "A2NODRKZP88ZB9", "SEK", "Europe/Stockholm"),
        Marketplace("EU", "PL", "Poland", "A1C3SOZRARQ6R3", "PLN", "Europe/Warsaw"),
        Marketplace("EU", "TR", "Türkiye", "A33AVAJ2PDY3EV", "TRY", "Europe/Istanbul"),
        Marketplace("EU", "AE", "United Arab Emirates", "A2VIGQ35RCS4UG", "AED", "Asia/Dubai"),
        Marketplace("EU", "SA", "Saudi Arabia", "A17E79C6D8DWNP", "SAR", "Asia/Riyadh"),
        Marketplace("EU", "EG", "Egypt", "ARBP9OOSHTCHU", "EGP", "Africa/Cairo"),
        Marketplace("EU", "IN", "India", "A21TJRUUN4KGV", "INR", "Asia/Kolkata"),
        Marketplace("EU", "ZA", "South Africa", "AE08WJ6YKNBMC", "ZAR", "Africa/Johannesburg"),
        Marketplace("FE", "JP", "Japan", "A1VC38T7YXB528", "JPY", "Asia/Tokyo"),
        Marketplace("FE", "AU", "Australia", "A39IBJ37TRP1C6", "AUD", "Australia/Sydney"),
        Marketplace("FE", "SG", "Singapore", "A19VAU5U5O7RUS", "SGD", "Asia/Singapore"),
    )
}


def countries_of(region: Region) -> list[str]:
    return [code for code, marketplace in MARKETPLACES.items() if marketplace.region == region]
