from tokens.encryption.sealing import seal, unseal


class UnknownContextError(TypeError):
    """This secret was read without its row. Read an instance of the model, or call `at` with the context."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Secret:
    """A secret as it is stored. It holds only ciphertext, so that no repr, log or traceback shows the plain text."""

    __slots__ = ("ciphertext", "context")

    def __init__(self, ciphertext: str, context: str | None = None) -> None:
        self.ciphertext = ciphertext
        # Where the secret is stored; None when only the ciphertext was read.
        self.context = context

    @classmethod
    def seal(cls, plain: str, context: str) -> "Secret":
        return cls(seal(plain, context), context)

    def at(self, context: str) -> "Secret":
        return Secret(self.ciphertext, context)

    def reveal(self) -> str:
        """Return the plain text; raise DecryptionError when no key fits or the secret belongs to another place."""
        if self.context is None:
            raise UnknownContextError
        return unseal(self.ciphertext, self.context)

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "<Secret>"
