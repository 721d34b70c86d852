"""The form that starts a connection."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from tokens.connect.forms import ConnectForm, RegionsField
from tokens.models import Team

REGIONS = ["NA", "EU", "FE"]
UNKNOWN = "Unknown region. The regions are NA, EU, FE."
field = RegionsField(required=False, max_length=100)


class TestRegionsField:
    @pytest.mark.parametrize(
        ("text", "regions"),
        [
            ("", []),
            (None, []),
            (" , ,", []),
            ("NA", ["NA"]),
            ("eu", ["EU"]),
            ("fe, na", ["FE", "NA"]),
            (",NA,,EU,", ["NA", "EU"]),
            ("NA,na,Na", ["NA"]),
        ],
    )
    def test_regions_are_read_in_the_order_they_are_written(
        self, text: str | None, regions: list[str]
    ) -> None:
        assert field.clean(text) == regions

    @given(
        chosen=st.lists(st.sampled_from(REGIONS), max_size=8),
        blanks=st.sampled_from(["", " ", "  "]),
        lower=st.booleans(),
    )
    def test_a_repeated_region_counts_once(self, chosen: list[str], blanks: str, lower: bool) -> None:
        text = f"{blanks},{blanks}".join(chosen)
        assert field.clean(text.lower() if lower else text) == list(dict.fromkeys(chosen))

    @given(text=st.text("abcdefghijklmnopqrstuvwxyz,. ", max_size=20))
    def test_any_other_text_is_refused_and_not_repeated(self, text: str) -> None:
        words = {word.strip().upper() for word in text.split(",")} - {""}
        if words <= set(REGIONS):
            assert set(field.clean(text)) == words
        else:
            with pytest.raises(ValidationError) as raised:
                field.clean(text)
            assert raised.value.messages == [UNKNOWN]

    @pytest.mark.parametrize("text", ["XX", "NA,XX", "N A", "NA;EU", "Atzr|secret"])
    def test_an_unknown_region_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError) as raised:
            field.clean(text)
        assert raised.value.messages == [UNKNOWN]

    def test_a_long_text_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="at most 100 characters"):
            field.clean("NA," * 50)


class TestConnectForm:
    def test_the_team_is_chosen_only_among_several(self, db: None) -> None:
        given = {"regions": ["NA"], "team": ""}
        Team.objects.create(name="North")
        assert "team" in ConnectForm(given, teams=Team.objects.all()).errors
        one = Team.objects.filter(name="North")
        assert ConnectForm(given, teams=one).is_valid()
        foreign = ConnectForm({**given, "team": Team.objects.get(name="Main").pk}, teams=one | one)
        assert "team" not in foreign.fields

    def test_only_regions_are_required(self) -> None:
        form = ConnectForm({"regions": ["EU", "NA"]}, teams=Team.objects.none())
        assert form.is_valid()
        assert form.cleaned_data == {"region": "NA", "regions": ["EU", "NA"], "label": "", "team": None}
        assert list(ConnectForm({}, teams=Team.objects.none()).errors) == ["regions"]

    def test_every_field_may_be_given(self) -> None:
        form = ConnectForm(
            {"region": "EU", "regions": ["FE"], "label": " Garden shop "}, teams=Team.objects.none()
        )
        assert form.is_valid()
        assert form.cleaned_data == {"region": "EU", "regions": ["FE"], "label": "Garden shop", "team": None}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("region", "xx"),
            ("regions", ["xx"]),
            ("label", "x" * 201),
            ("label", "a\0b"),
            ("label", "Atzr|IwEB-token"),
            ("label", "my token is atzr%7CIwEB-token"),
            ("label", "a\x9bb"),
        ],
    )
    def test_a_bad_value_is_an_error_of_its_field(self, name: str, value: object) -> None:
        form = ConnectForm({"regions": ["NA"], name: value}, teams=Team.objects.none())
        assert not form.is_valid()
        assert list(form.errors) == [name]
        assert "IwEB" not in str(form), "the page shows the token"
