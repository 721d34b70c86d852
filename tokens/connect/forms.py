from typing import Any

from django import forms

from amazon_accounts.amazon_ads.hosts import Region


class RegionsField(forms.CharField):
    """Regions such as `NA,EU`, in upper or lower case. No region means all regions."""

    def clean(self, value: Any) -> list[str]:
        names = [part.strip().upper() for part in (super().clean(value) or "").split(",")]
        regions = list(dict.fromkeys(name for name in names if name))
        if any(name not in Region.values for name in regions):
            # The text is not repeated, because it may be a token in the wrong place.
            raise forms.ValidationError(f"Unknown region. The regions are {', '.join(Region.values)}.")
        return regions


class ConnectForm(forms.Form):
    """The choices for a new connection. None is required."""

    region = forms.CharField(required=False, max_length=2)
    regions = RegionsField(required=False, max_length=100)
    label = forms.CharField(required=False, max_length=200)
    connection = forms.UUIDField(required=False)

    def clean_region(self) -> str:
        region = self.cleaned_data["region"].upper() or Region.NA.value
        if region not in Region.values:
            raise forms.ValidationError(f"Unknown region. The regions are {', '.join(Region.values)}.")
        return str(region)
