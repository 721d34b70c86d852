"""What each role of a team allows. Nothing else in the code answers this question."""

from collections.abc import Mapping
from typing import Final

from django.db import models


class Role(models.TextChoices):
    """The role of a person in a team. Each role allows everything that the role before it allows."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


RANKS: Final[Mapping[str, int]] = {role: rank for rank, role in enumerate(Role.values)}
