"""Amazon's marketplaces: the countries with their names, the ids, and the region that a country belongs to.

https://advertising.amazon.com/API/docs/en-us/reference/api-overview
"""

from amazon_accounts.amazon_ads.hosts import Region

_COUNTRIES = {
    Region.NA: "US CA MX BR",
    Region.EU: "UK DE FR IT ES NL BE IE SE PL TR AE SA EG IN ZA",
    Region.FE: "JP AU SG",
}

COUNTRY_NAMES = {
    "US": "United States",
    "CA": "Canada",
    "MX": "Mexico",
    "BR": "Brazil",
    "UK": "United Kingdom",
    "DE": "Germany",
    "FR": "France",
    "IT": "Italy",
    "ES": "Spain",
    "NL": "Netherlands",
    "BE": "Belgium",
    "IE": "Ireland",
    "SE": "Sweden",
    "PL": "Poland",
    "TR": "Türkiye",
    "AE": "United Arab Emirates",
    "SA": "Saudi Arabia",
    "EG": "Egypt",
    "IN": "India",
    "ZA": "South Africa",
    "JP": "Japan",
    "AU": "Australia",
    "SG": "Singapore",
}
# By marketplace id.
_COUNTRY_OF_MARKETPLACE = {
    "ATVPDKIKX0DER": "US",
    "A2EUQ1WTGCTBG2": "CA",
    "A1AM78C64UM0Y8": "MX",
    "A2Q3Y263D00KWC": "BR",
    "A1F83G8C2ARO7P": "UK",
    "A1PA6795UKMFR9": "DE",
    "A13V1IB3VIYZZH": "FR",
    "APJ6JRA9NG5V4": "IT",
    "A1RKKUPIHCS9HS": "ES",
    "A1805IZSGTT6HS": "NL",
    "AMEN7PMS3EDWL": "BE",
    "A28R8C7NBKEWEA": "IE",
    "A2NODRKZP88ZB9": "SE",
    "A1C3SOZRARQ6R3": "PL",
    "A33AVAJ2PDY3EV": "TR",
    "A2VIGQ35RCS4UG": "AE",
    "A17E79C6D8DWNP": "SA",
    "ARBP9OOSHTCHU": "EG",
    "A21TJRUUN4KGV": "IN",
    "AE08WJ6YKNBMC": "ZA",
    "A1VC38T7YXB528": "JP",
    "A39IBJ37TRP1C6": "AU",
    "A19VAU5U5O7RUS": "SG",
}

_REGION_OF_COUNTRY = {
    country: str(region.value) for region, countries in _COUNTRIES.items() for country in countries.split()
}


def show_country(code: str) -> str:
    # Amazon uses both UK and GB for one country. Its console shows UK.
    return "UK" if code == "GB" else code


def find_region_of_country(code: str) -> str:
    """Return the region, or an empty string for a country that is not listed here."""
    return _REGION_OF_COUNTRY.get(show_country(code), "")


def name_marketplace(marketplace_id: str) -> str:
    """Return the name of the country, or the id of a marketplace that is not listed here."""
    return COUNTRY_NAMES.get(_COUNTRY_OF_MARKETPLACE.get(marketplace_id, ""), marketplace_id)
