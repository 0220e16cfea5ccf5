"""One recommendation over HTTP: as published with its evidence, and in a language model's words where one is configured."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI

from kit.database import Database
from kit.http import Problem
from kit.identity import Principal, require
from services.policy.rationale import Model, rationale_of
from services.policy.store import plans

Caller = Annotated[Principal, Depends(require())]


def attach(app: FastAPI, database: Database, model: Model | None) -> None:
    """Put the routes on the service's app."""
    router = APIRouter()

    @router.get("/recommendations/{recommendation_id}/evidence")
    async def read_evidence(recommendation_id: str, caller: Caller) -> dict[str, Any]:
        """A recommendation as published, with everything it was computed from."""
        return await _published(database, caller.tenant, recommendation_id)

    @router.get("/recommendations/{recommendation_id}/rationale")
    async def read_rationale(recommendation_id: str, caller: Caller) -> dict[str, Any]:
        """The model's words, or the explanation itself where the model failed or told a number that is not in the evidence."""
        if model is None:
            raise Problem(
                404,
                "rationale_off",
                "No language model is configured",
                "The recommendation's own explanation says everything; to have it rephrased, set COUNTERSIGN_RATIONALE_KIND,"
                " COUNTERSIGN_RATIONALE_URL and COUNTERSIGN_RATIONALE_MODEL.",
            )
        document = await _published(database, caller.tenant, recommendation_id)
        return await rationale_of(document, model)  # outside the transaction: a model takes its time

    app.include_router(router)


async def _published(database: Database, tenant: str, recommendation_id: str) -> dict[str, Any]:
    """Raises Problem 404."""
    async with database.transaction(tenant) as tx:
        document = await plans.document_of(tx, tenant, recommendation_id)
    if document is None:
        raise Problem(
            404,
            "recommendation_unknown",
            "There is no such recommendation",
            f"None has the id {recommendation_id}.",
        )
    found: dict[str, Any] = json.loads(document)
    return found
