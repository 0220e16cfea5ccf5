"""Settings of the gateway."""

from pathlib import Path
from typing import Self

from pydantic import Field, IPvAnyNetwork, SecretStr, model_validator

from kit.settings import ServiceSettings
from services.gateway.domain.access import Role
from services.gateway.domain.sign_on import is_protected


class GatewaySettings(ServiceSettings):
    """What the gateway needs beyond what every service needs."""

    http_port: int = Field(8080, ge=0, le=65535, description="port to listen on")
    default_tenant: str = Field(
        "demo", pattern=r"^[^/\x00-\x1f\x7f]{1,64}$", description="tenant of a sign-in that names none"
    )
    internal_private_key_file: Path | None = Field(
        None, description="Ed25519 private key (PEM); default data_dir/keys/internal.pem, made on first use"
    )
    forecaster_url: str = Field("http://127.0.0.1:8081", description="where the forecaster answers")
    policy_url: str = Field("http://127.0.0.1:8082", description="where the policy service answers")
    approvals_url: str = Field("http://127.0.0.1:8083", description="where the approvals service answers")
    audit_url: str = Field("http://127.0.0.1:8084", description="where the audit service answers")
    owner_timeout_seconds: float = Field(10.0, gt=0, le=120, description="how long another service may take to answer")
    exceptions_per_day: int = Field(
        40, ge=1, le=1000, description="open exceptions a person is shown at once: what one can settle in a day"
    )
    session_hours: float = Field(12.0, gt=0, le=24 * 30, description="how long a sign-in lasts")
    session_cache_seconds: float = Field(
        5.0, ge=0, le=60, description="how long a checked session or key is trusted before it is looked up again"
    )
    sign_in_tries: int = Field(10, ge=1, le=1000, description="failed sign-ins per account in a quarter of an hour")
    sign_in_tries_per_address: int = Field(
        50, ge=1, le=10_000, description="failed sign-ins per network address in a quarter of an hour"
    )
    request_body_bytes_max: int = Field(1_048_576, ge=1024, description="largest request body, except for events")
    ingest_body_bytes_max: int = Field(5_242_880, ge=1024, description="largest body of one batch of events")
    ingest_events_max: int = Field(5_000, ge=1, description="events of one batch at most")
    ingest_in_flight_max: int = Field(
        40_000, ge=1, description="events waiting for Kafka at most; above it callers are told to wait"
    )
    ingest_deadline_seconds: float = Field(
        10.0, gt=0, le=60, description="how long Kafka may take to acknowledge a batch"
    )
    requests_per_minute: int = Field(3_000, ge=10, description="requests of one caller a minute, events not counted")
    stream_heartbeat_seconds: float = Field(
        15.0, gt=0, le=60, description="silence after which a live stream says it is still there"
    )

    public_url: str = Field(
        "http://127.0.0.1:8080", description="where people reach the pages; links in mails begin with it"
    )
    webhook_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="private networks webhooks may go to, beside every public address; JSON list of CIDR"
    )
    measure_every_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="how often stock, exceptions and what waits are counted for the metrics; suppliers a tenth as often",
    )
    notice_every_seconds: float = Field(1.0, gt=0, le=600, description="how often waiting webhooks are looked through")
    due_notice_minutes: float = Field(
        60.0, ge=0, le=24 * 60, description="how long before its deadline a line is told of as due"
    )
    smtp_host: str = Field("", description="server that takes mails; empty: nobody is mailed")
    smtp_port: int = Field(587, ge=1, le=65535, description="port of the mail server")
    smtp_starttls: bool = Field(True, description="encrypt before anything is said to the mail server")
    smtp_user: str = Field("", description="user at the mail server, when it wants one")
    smtp_password: SecretStr | None = Field(None, description="password at the mail server")
    mail_from: str = Field("countersign@localhost", description="sender of mails")
    mail_every_seconds: float = Field(
        120.0, gt=0, le=86_400, description="how often people are mailed what came for them since the last time"
    )

    sign_on_issuer: str = Field(
        "", description="OpenID Connect provider people sign in at, as its `iss` says it; empty: local accounts only"
    )
    sign_on_name: str = Field("single sign-on", max_length=40, description="what the button of that sign-in calls it")
    sign_on_client_id: str = Field("", description="what the provider knows this installation as")
    sign_on_client_secret: SecretStr | None = Field(
        None, description="shared with the provider; none for a public client, which PKCE protects all the same"
    )
    sign_on_scopes: str = Field("openid profile email", description="what the provider is asked for, `openid` among it")
    sign_on_roles_claim: str = Field("groups", description="claim of the ID token that lists a person's groups")
    sign_on_roles: dict[str, Role] = Field(
        {}, description='JSON object, group to role: {"retail-buyers": "planner"}; groups it does not name give nothing'
    )

    sign_on_check_minutes: float = Field(
        5.0,
        gt=0,
        le=24 * 60,
        description="how often the provider is asked whether it still vouches for whose session is open here",
    )
    sign_on_unasked_hours: float = Field(
        1.0,
        gt=0,
        le=24,
        description="how long a sign-in lasts when the provider gives no refresh token and cannot be asked again",
    )

    @model_validator(mode="after")
    def _sign_on_is_whole(self) -> Self:
        if self.sign_on_issuer:
            if not is_protected(self.sign_on_issuer):
                raise ValueError("sign_on_issuer must be an https address (plain http is for this machine only)")
            if not self.sign_on_client_id or not self.sign_on_roles:
                raise ValueError("sign_on_issuer needs sign_on_client_id and sign_on_roles beside it")
            if "openid" not in self.sign_on_scopes.split():
                raise ValueError("sign_on_scopes must name openid")
        return self

    @property
    def owner_urls(self) -> dict[str, str]:
        """Service name to base address."""
        return {
            "forecaster": self.forecaster_url,
            "policy": self.policy_url,
            "approvals": self.approvals_url,
            "audit": self.audit_url,
        }
