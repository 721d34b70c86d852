"""What the OpenAPI document says beyond what the views say by themselves."""

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """One operation of the document."""
