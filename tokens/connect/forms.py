from typing import Any

from django import forms

from amazon_accounts.amazon_ads.hosts import Region


class RegionsField(forms.CharField):
    """Regions as `NA,EU`, in any case; none means all."""

    def clean(self, value: Any) -> list[str]:
        names = [part.strip().upper() for part in (super().clean(value) or "").split(",")]
        regions = list(dict.fromkeys(name for name in names if name))
        if any(name not in Region.values for name in regions):
            # Not named: what stands in the wrong place may be a token.
            raise forms.ValidationError(f"Unknown region. The regions are {', '.join(Region.values)}.")
        return regions


class ConnectForm(forms.Form):
    """What may be asked of a new connection. Nothing is required."""

    region = forms.CharField(required=False, max_length=2)
    regions = RegionsField(required=False, max_length=100)
    label = forms.CharField(required=False, max_length=200)
    connection = forms.UUIDField(required=False)

    def clean_region(self) -> str:
        region = self.cleaned_data["region"].upper() or Region.NA.value
        if region not in Region.values:
            raise forms.ValidationError(f"Unknown region. The regions are {', '.join(Region.values)}.")
        return str(region)
