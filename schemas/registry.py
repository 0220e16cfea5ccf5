"""From a wire type to its model, tolerant for readers and strict for what comes in from outside."""

import functools
from typing import cast

from pydantic import ConfigDict, create_model

from schemas import accounts, catalogue, decisions, demand, forecasts, matrix, recommendations, signals
from schemas.base import Message

MESSAGES: dict[str, type[Message]] = {
    model.TYPE: model
    for model in (
        demand.SaleRecorded,
        demand.ReturnRecorded,
        demand.SaleVoided,
        demand.BusinessDayClosed,
        demand.StockMoved,
        demand.StockCounted,
        catalogue.ItemDefined,
        catalogue.LocationDefined,
        catalogue.ChannelDefined,
        catalogue.SupplierDefined,
        catalogue.SupplierItemDefined,
        catalogue.IdentityAliasDefined,
        catalogue.ReferenceAliasDefined,
        catalogue.SupersessionDefined,
        catalogue.SubstituteDefined,
        catalogue.OwnerScopeDefined,
        signals.SignalObserved,
        forecasts.ForecastIssued,
        forecasts.ForecastIssuedV2,
        forecasts.ForecastOverrideSet,
        forecasts.ForecastOverrideWithdrawn,
        forecasts.StrategyPinSet,
        forecasts.StrategyPinWithdrawn,
        forecasts.ModelPromoted,
        recommendations.RecommendationIssued,
        recommendations.RecommendationWithheld,
        recommendations.ExceptionRaised,
        recommendations.ExceptionResolved,
        recommendations.HeldEventSettled,
        recommendations.PolicyPublished,
        matrix.ApprovalMatrixPublished,
        decisions.DecisionMade,
        decisions.LineAssigned,
        decisions.LineCommented,
        decisions.OrderReleased,
        decisions.OrderCancelled,
        decisions.OrderUpdated,
        decisions.CheckpointSigned,
        accounts.AccountChanged,
        accounts.ApiKeyChanged,
    )
}


@functools.cache
def strict(message_type: str) -> type[Message]:
    """The model of `message_type` that refuses fields it does not know, at its top level. Raises KeyError if unknown.

    Writers must not invent fields: a misspelt optional field would otherwise be lost without a word.
    """
    model = MESSAGES[message_type]
    name = f"{model.__name__}Strict"
    made = create_model(name, __base__=model, __module__=model.__module__)
    made.model_config = ConfigDict(**{**model.model_config, "extra": "forbid"})
    made.model_rebuild(force=True)
    return cast(type[Message], made)
