"""Which of Amazon's regions a country belongs to.

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


def shown_country(code: str) -> str:
    """The code that we show: Amazon calls one country by two, UK and GB."""
    return "UK" if code == "GB" else code


def region_of_country(code: str) -> str:
    """The region whose host knows the country, or nothing for a country that we do not know."""
    return _REGION_OF_COUNTRY.get(shown_country(code), "")
