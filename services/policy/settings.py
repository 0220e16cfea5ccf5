"""What can be set about the policy service from outside; what a planner decides is in the policy parameters instead."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """The shared settings, and how planning runs are paced."""

    http_port: int = Field(8082, ge=0, le=65535, description="port to listen on")
    plan_after_close: bool = Field(True, description="plan a location when its business day has closed")
    plan_grace_seconds: float = Field(30.0, ge=0, description="wait this long after a close for late forecasts")
    plan_quiet_seconds: float = Field(
        3.0, ge=0, description="after the grace, plan when no forecast has come for this long"
    )
    plan_poll_seconds: float = Field(1.0, gt=0, description="how often to look for runs to carry on")
    # A thousand items take about half a second on a busy machine: events of these items wait no longer than that behind a run.
    plan_chunk_items: int = Field(1000, ge=1, le=5000, description="items of one transaction of a planning run")
    plan_workers: int = Field(
        2, ge=1, le=64, description="processes that plan a long run beside the service; 1: the service plans it itself"
    )
    sweep_seconds: float = Field(30.0, gt=0, description="how often parked events are looked at again")
    rationale_kind: Literal["off", "openai", "gemini"] = Field(
        "off", description="language model that may say explanations in other words: none, OpenAI-compatible, or Gemini"
    )
    rationale_url: str = Field(
        "", description="address of its API, up to and with the version, such as https://host/v1"
    )
    rationale_model: str = Field("", description="its name there")
    rationale_key: SecretStr | None = Field(None, description="its key, where it asks for one")
    rationale_seconds: float = Field(20.0, gt=0, le=60, description="after this long the explanation stands as it is")

    @model_validator(mode="after")
    def _names_the_model(self) -> Self:
        if self.rationale_kind != "off" and not (self.rationale_url and self.rationale_model):
            raise ValueError(
                "a language model needs an address and a name; set COUNTERSIGN_RATIONALE_URL and COUNTERSIGN_RATIONALE_MODEL, or"
                " COUNTERSIGN_RATIONALE_KIND=off"
            )
        return self
