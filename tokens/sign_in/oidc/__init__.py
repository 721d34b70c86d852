"""Single sign-on: the calls to the provider of OpenID Connect, and what its answers mean for people."""
