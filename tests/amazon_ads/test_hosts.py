import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.hosts import Region, api_url, lwa_url


@pytest.fixture
def real_amazon(settings: LazySettings) -> None:
    settings.AMAZON_ADS_API_URL = settings.AMAZON_LWA_URL = ""


@pytest.mark.usefixtures("real_amazon")
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("NA", "https://advertising-api.amazon.com"),
        ("EU", "https://advertising-api-eu.amazon.com"),
        ("FE", "https://advertising-api-fe.amazon.com"),
    ],
)
def test_it_knows_the_api_of_each_region(region: str, host: str) -> None:
    assert api_url(region) == host


@pytest.mark.usefixtures("real_amazon")
def test_it_knows_the_hosts_of_login_with_amazon() -> None:
    assert lwa_url("NA", "authorize") == "https://www.amazon.com/ap/oa"
    assert lwa_url("EU", "authorize") == "https://eu.account.amazon.com/ap/oa"
    assert lwa_url("FE", "authorize") == "https://apac.account.amazon.com/ap/oa"
    assert lwa_url("NA", "token") == "https://api.amazon.com/auth/o2/token"
    assert lwa_url("EU", "token") == "https://api.amazon.co.uk/auth/o2/token"
    assert lwa_url("FE", "token") == "https://api.amazon.co.jp/auth/o2/token"
    assert {lwa_url(region, "profile") for region in Region} == {"https://api.amazon.com/user/profile"}


def test_it_obeys_the_settings(settings: LazySettings) -> None:
    settings.AMAZON_ADS_API_URL = "http://127.0.0.1:9/{region}/api"
    settings.AMAZON_LWA_URL = "http://127.0.0.1:9"
    assert api_url("EU") == "http://127.0.0.1:9/eu/api"
    assert lwa_url("EU", "profile") == "http://127.0.0.1:9/user/profile"


def test_it_rejects_an_unknown_region() -> None:
    with pytest.raises(ValueError, match="XX"):
        api_url("XX")
