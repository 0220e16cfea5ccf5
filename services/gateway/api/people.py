"""Accounts of people: an administrator makes, changes and closes them; everybody sets a password of their own."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from kit.database import Transaction
from kit.http import Problem
from services.gateway import access, account_events
from services.gateway.access import Caller
from services.gateway.account_events import By
from services.gateway.accounts import PASSWORD_LENGTH_MAX, new_password
from services.gateway.api import models
from services.gateway.api.sessions import Tries
from services.gateway.api.shared import Parts, Who, not_found
from services.gateway.context import Context
from services.gateway.domain.access import ADMIN, ROLES, Role
from services.gateway.store import accounts
from services.gateway.store.rows import Row, instant

router = APIRouter(prefix="/v1", tags=["accounts"])
Name = Annotated[str, Field(min_length=1, max_length=120)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(ROLES))]
# NIST SP 800-63B-4 §3.1.1.2: what is the only factor has fifteen letters or more, and no rules on their kinds.
PASSWORD_LENGTH_MIN = 15


class AccountState(BaseModel):
    """What an administrator decides about an account."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ada Lovelace", "roles": ["planner"], "active": True}]}
    )
    name: Name
    roles: Roles
    active: bool = True


class NewAccount(BaseModel):
    """A person. The user name stays for ever: decisions and the audit log carry it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"username": "ada", "name": "Ada Lovelace", "roles": ["planner"]}]},
    )
    username: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,63}$")]
    name: Name
    roles: Roles


class NewPassword(BaseModel):
    """The one in use, and the one to be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"current": "the one in use", "new": "a sentence only you know"}]},
    )
    current: Annotated[str, Field(min_length=1, max_length=PASSWORD_LENGTH_MAX)]
    new: Annotated[str, Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]


@router.get("/accounts", summary="Accounts of people")
async def people(who: Who, parts: Parts) -> models.Listed[models.AccountView]:
    """Names, roles, and how each of them signs in."""
    async with parts.database.transaction(who.tenant) as tx:
        rows = await accounts.accounts(tx, who.tenant)
    return models.Listed(items=[_view(row) for row in rows])


@router.post("/accounts", status_code=201, summary="Make an account")
async def make(body: NewAccount, who: Who, parts: Parts, response: Response) -> models.AccountSecretView:
    """`password` is shown in this answer and never again. 409 `account_exists`."""
    password, roles = new_password(), sorted(set(body.roles))
    hashed = await parts.passwords.hashed(password)
    async with parts.database.transaction(who.tenant) as tx:
        made = await accounts.make_account(
            tx, who.tenant, body.username, name=body.name, roles=roles, password_hash=hashed
        )
        if made:
            account = account_events.fresh(body.username, body.name, roles)
            await account_events.account_changed(tx, who.tenant, "made", account, _by(who, parts))
    if not made:
        raise Problem(
            409,
            "account_exists",
            "There is such an account already",
            f"{body.username} exists; a closed one too keeps its name.",
        )
    response.headers["Cache-Control"] = "no-store"
    return models.AccountSecretView(username=body.username, password=password)


@router.put("/accounts/{username}", summary="Change, close or reopen an account")
async def change(username: str, body: AccountState, who: Who, parts: Parts) -> models.AccountView:
    """Holds at once; a closed account's sessions end. 404 `account_not_found`, 409 `last_administrator`, `account_of_provider`."""
    roles = sorted(set(body.roles))
    async with parts.database.transaction(who.tenant) as tx:
        await accounts.administrators(tx, who.tenant)  # first of all, so that two who close each other wait in line
        before = await _locked(tx, who.tenant, username)
        if before["by_provider"] and (roles != sorted(before["roles"]) or body.name != before["name"]):
            raise _of_provider(
                "Name and roles follow its word at each sign-in; here the account is closed or reopened."
            )
        await accounts.change_account(tx, who.tenant, username, name=body.name, roles=roles, active=body.active)
        if not await accounts.administrators(tx, who.tenant):
            raise Problem(
                409,
                "last_administrator",
                "Nobody would administer any more",
                f"{username} is the last open administrator with a password; give the role to another account first.",
            )
        after = before | {"name": body.name, "roles": roles, "active": body.active}
        await account_events.account_differs(tx, who.tenant, before, after, _by(who, parts))
    parts.door.forget()
    return _view(after)


@router.post("/accounts/{username}/password", summary="Give an account a new password")
async def renew(username: str, who: Who, parts: Parts, response: Response) -> models.AccountSecretView:
    """Shown in this answer and never again; the account's sessions end. 404 `account_not_found`, 409 `account_of_provider`."""
    password = new_password()
    hashed = await parts.passwords.hashed(password)
    async with parts.database.transaction(who.tenant) as tx:
        before = await _locked(tx, who.tenant, username)
        if before["by_provider"]:
            raise _of_provider(f"{username} has no password here.")
        await accounts.set_password(tx, who.tenant, username, hashed)
        await account_events.account_changed(tx, who.tenant, "password_renewed", before, _by(who, parts))
    parts.door.forget()
    response.headers["Cache-Control"] = "no-store"
    return models.AccountSecretView(username=username, password=password)


@router.put("/session/password", status_code=204, summary="Set your own password")
async def set_own(body: NewPassword, who: Who, request: Request, parts: Parts) -> None:
    """Every other session of yours ends. 422 `password_wrong`, `password_unfit`, 429 `too_many_attempts`."""
    username, address = who.principal.subject, access.address_of(request)
    if body.new == body.current or username in body.new.lower():
        raise Problem(
            422, "password_unfit", "This password is not taken", "It is the one in use, or has your user name in it."
        )
    tries: Tries = request.app.state.tries
    tries.take(f"{who.tenant}/{username}", address)  # whoever found an open browser may not guess on
    async with parts.database.transaction(who.tenant) as tx:
        row = await accounts.account(tx, who.tenant, username)
    if row is not None and row["password_hash"] is None:
        raise _of_provider(f"{username} has no password here; change it at the provider.")
    if row is None or not await parts.passwords.matches(row["password_hash"], body.current):
        raise Problem(422, "password_wrong", "The current password is another one", "Nothing was changed.")
    tries.succeeded(f"{who.tenant}/{username}", address)
    hashed = await parts.passwords.hashed(body.new)
    secret = access.session_secret(request)
    async with parts.database.transaction(who.tenant) as tx:
        mine = await _locked(tx, who.tenant, username)
        await accounts.set_password(tx, who.tenant, username, hashed, spared=secret.sha256 if secret else b"")
        await account_events.account_changed(tx, who.tenant, "password_set", mine, _by(who, parts, role="self"))
    parts.door.forget()


def _by(who: Caller, parts: Context, *, role: str = ADMIN) -> By:
    return By(who.principal.subject, role, parts.clock.now())


def _of_provider(detail: str) -> Problem:
    return Problem(409, "account_of_provider", "The identity provider says who this is", detail)


async def _locked(tx: Transaction, tenant: str, username: str) -> Row:
    row = await accounts.locked_account(tx, tenant, username)
    if row is None:
        raise not_found("account", username)
    return row


def _view(row: Row) -> models.AccountView:
    return models.AccountView(
        username=row["username"],
        name=row["name"],
        roles=row["roles"],
        active=row["active"],
        last_sign_in_at=instant(row["last_sign_in_at"]),
        signs_in_by="provider" if row["by_provider"] else "password",
    )
