#: The version of the product. pyproject.toml and the client's user agent read it here.
__version__ = "0.2.0"
