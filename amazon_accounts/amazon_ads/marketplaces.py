"""The region of Amazon that a country belongs to.

https://advertising.amazon.com/API/docs/en-us/reference/api-overview
"""

from amazon_accounts.amazon_ads.hosts import Region

_COUNTRIES = {
    Region.NA: "US CA MX BR",
    Region.EU: "UK DE FR IT ES NL BE IE SE PL TR AE SA EG IN ZA",
    Region.FE: "JP AU SG",
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
