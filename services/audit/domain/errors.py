"""The one way this domain says no."""


class AuditRefusal(ValueError):
    """Something is not what it claims to be; args are (code, explanation). The codes are stable, tests name them."""

    @property
    def code(self) -> str:
        return str(self.args[0])

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"
