"""The addresses of Amazon. Settings may replace them; `{region}` in a setting becomes na, eu or fe."""

from typing import Literal

from django.conf import settings
from django.db import models


class Region(models.TextChoices):
    NA = "NA", "North America"
    EU = "EU", "Europe"
    FE = "FE", "Far East"


LwaPart = Literal["authorize", "token", "profile"]

API_HOSTS = {
    Region.NA: "https://advertising-api.amazon.com",
    Region.EU: "https://advertising-api-eu.amazon.com",
    Region.FE: "https://advertising-api-fe.amazon.com",
}
# https://advertising.amazon.com/API/docs/en-us/guides/account-management/authorization/authorization-grants
AUTHORIZE_HOSTS = {
    Region.NA: "https://www.amazon.com",
    Region.EU: "https://eu.account.amazon.com",
    Region.FE: "https://apac.account.amazon.com",
}
TOKEN_HOSTS = {
    Region.NA: "https://api.amazon.com",
    Region.EU: "https://api.amazon.co.uk",
    Region.FE: "https://api.amazon.co.jp",
}
# The user profile belongs to Login with Amazon, which has one host for all regions.
PROFILE_HOST = "https://api.amazon.com"

LWA_PATHS: dict[LwaPart, str] = {
    "authorize": "/ap/oa",
    "token": "/auth/o2/token",
    "profile": "/user/profile",
}


def api_url(region: str) -> str:
    region = Region(region)
    return _fill_in_region(settings.AMAZON_ADS_API_URL, region) or API_HOSTS[region]


def lwa_url(region: str, part: LwaPart) -> str:
    # Codes and tokens are global, so the host of any region serves all regions.
    region = Region(region)
    hosts = {
        "authorize": AUTHORIZE_HOSTS[region],
        "token": TOKEN_HOSTS[region],
        "profile": PROFILE_HOST,
    }
    return (_fill_in_region(settings.AMAZON_LWA_URL, region) or hosts[part]) + LWA_PATHS[part]


def _fill_in_region(url: str, region: Region) -> str:
    return url.replace("{region}", region.value.lower())
