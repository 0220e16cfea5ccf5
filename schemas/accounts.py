"""Who may come in and as what: every change of a person's account and of a machine's key. Never a secret, nor its hash."""

from typing import ClassVar, Literal

from schemas.base import Code, Instant, Message, Reason, Text


class AccountChanged(Message):
    """What was done to a person's account, with the account as it is afterwards. `role` is what `changed_by` acted as: an
    administrator, the person (`self`), the identity provider, or whoever installs (`installation`)."""

    TYPE: ClassVar[str] = "account.changed.v1"
    change_id: Code
    username: Code
    change: Literal[
        "made",
        "changed",  # its name or its roles
        "closed",
        "reopened",
        "password_renewed",  # by somebody else, who sees it once
        "password_set",  # by the person
        "sessions_ended",  # because the identity provider said so
    ]
    name: Text
    roles: tuple[Reason, ...]
    roles_before: tuple[Reason, ...] | None = None
    active: bool
    signs_in_by: Literal["password", "provider"]
    changed_by: Code
    role: Reason
    changed_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/{self.username}"


class ApiKeyChanged(Message):
    """A key of a machine was made or revoked."""

    TYPE: ClassVar[str] = "api-key.changed.v1"
    change_id: Code
    key_id: Code
    change: Literal["made", "revoked"]
    name: Text
    scopes: tuple[Reason, ...]
    expires_at: Instant
    changed_by: Code
    role: Reason
    changed_at: Instant

    def record_key(self) -> str:
        return f"{self.tenant}/key/{self.key_id}"
