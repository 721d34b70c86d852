from django.apps import AppConfig


class AmazonAdsConfig(AppConfig):
    name = "amazon_accounts.amazon_ads"
    label = "amazon_ads"
    verbose_name = "Amazon Ads"
