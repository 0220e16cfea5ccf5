"""Settings of approvals beside the shared ones."""

from datetime import timedelta
from decimal import Decimal

from pydantic import Field

from kit.settings import ServiceSettings
from services.approvals.domain.authority import Limits


class Settings(ServiceSettings):
    """Limits here hold until a policy version that names them is published."""

    http_port: int = Field(8083, ge=0, le=65535, description="port to listen on")
    undo_window_seconds: float = Field(
        10.0, ge=0, le=3600, description="how long a decision can be taken back before its order leaves"
    )
    group_wait_seconds_max: float = Field(
        60.0, ge=0, le=3600, description="how much longer an approved line waits for others of the same order at most"
    )
    release_every_seconds: float = Field(
        0.5, gt=0, le=60, description="how often approved lines are looked through for release"
    )
    escalate_every_seconds: float = Field(
        15.0, gt=0, le=3600, description="how often lines are looked through whose time to be decided is over"
    )
    rule_value_limit: Decimal = Field(
        Decimal(50), ge=0, description="up to this value a line nobody has to look at is approved by rule"
    )
    second_signature_above: Decimal = Field(
        Decimal(5000), ge=0, description="above this value two different persons sign"
    )
    # Policy takes back what is not needed and says nothing while a proposal stays as it is; this only ends what it forgot.
    line_expires_after_days: int = Field(
        28, ge=1, le=366, description="business days after which a proposal nobody refreshed expires"
    )

    @property
    def undo_window(self) -> timedelta:
        """The undo window as a duration."""
        return timedelta(seconds=self.undo_window_seconds)

    @property
    def default_limits(self) -> Limits:
        """The limits before any policy is published."""
        return Limits(self.rule_value_limit, self.second_signature_above)
