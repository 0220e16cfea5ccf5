"""Settings of the gateway."""

from pathlib import Path

from pydantic import Field

from kit.settings import ServiceSettings


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

    @property
    def owner_urls(self) -> dict[str, str]:
        """Service name to base address."""
        return {
            "forecaster": self.forecaster_url,
            "policy": self.policy_url,
            "approvals": self.approvals_url,
            "audit": self.audit_url,
        }
