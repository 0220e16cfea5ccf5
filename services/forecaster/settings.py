"""Settings of the forecaster, beside those every service shares."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables COUNTERSIGN_<NAME>."""

    http_port: int = Field(8081, ge=0, le=65535, description="port to listen on")
    forecaster_threads: int = Field(1, ge=1, le=64, description="cores one training may use; does not change results")
    forecaster_seed: int = Field(20171105, ge=0, description="seed of every random draw in training")
    history_days: int = Field(
        756, ge=120, le=3660, description="days of history a model sees: two years and four weeks"
    )
    artefacts_url: str | None = Field(
        None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]+)?$",
        description="bucket and prefix for models, such as s3://models/countersign; none: files in data_dir/models",
    )
    artefacts_endpoint: str | None = Field(
        None, pattern=r"^https?://", description="address of a store that speaks the S3 API; none: Amazon's"
    )
    artefacts_region: str = Field("us-east-1", description="region of the bucket")
    artefacts_access_key: str | None = Field(
        None, description="access key of the bucket; none: the environment's, a web identity or the instance's"
    )
    artefacts_secret_key: SecretStr | None = Field(None, description="secret of the access key")
    train_when_ready: bool = Field(True, description="train by itself when there is enough history and no model yet")
    await_first_model: bool = Field(
        False, description="a tenant's first forecasts wait for its first training instead of coming from the baseline"
    )
    retrain_after_days: int = Field(
        28, ge=0, le=3660, description="closed days after which a model is trained again; 0: never"
    )
    promotion: Literal["rules", "ask"] = Field(
        "rules",
        description="who lets a new model speak: stated rules (a person where they do not suffice), or always a person",
    )
    catch_up_records: int = Field(
        5_000, ge=0, description="backlog above which forecasts wait for the events to be read"
    )
    sensing_enabled: bool = Field(True, description="run live demand sensing (Faust) as a child process")
    sensing_lag_records_max: int = Field(
        20_000, ge=100, description="backlog above which sensing jumps to the newest sales"
    )
    sensing_stall_seconds: float = Field(
        45.0, gt=1, description="no progress with a backlog for this long restarts sensing"
    )

    @model_validator(mode="after")
    def _has_a_whole_key(self) -> "Settings":
        if (self.artefacts_access_key is None) != (self.artefacts_secret_key is None):
            raise ValueError(
                "COUNTERSIGN_ARTEFACTS_ACCESS_KEY and COUNTERSIGN_ARTEFACTS_SECRET_KEY belong together: set both, or neither"
                " for the environment's own credentials"
            )
        return self
