"""Codes of what events make: purchase orders, made by their release, and customer commitments, made by a reservation or
backorder. Such a code stands for itself once it is made; before that an alias may say which one is meant."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date
from typing import Any

from kernel import naming
from kernel.naming import Fact, Meaning
from kit import names, parking
from kit.database import Transaction
from kit.events import Received

# Why an answer to an order waits. It may overtake its order on the way here, as they come on two topics.
UNKNOWN_ORDER = "unknown_order"
# Which of these codes were made, as far as the service has read.
Made = Callable[[Transaction, str, Sequence[str]], Awaitable[Collection[str]]]
# Which of those that were made begin like a text, in order: some to choose from.
Alike = Callable[[Transaction, str, str], Awaitable[list[str]]]
Asked = tuple[str, date, int]  # a code, the business day and the moment at which an event named it


async def facts_about(
    tx: Transaction, tenant: str, subject: str, codes: Collection[str], made: Made
) -> dict[str, list[Fact]]:
    """What is known of these codes and of those they stand for. Nothing is remembered: a code may be made at any moment."""
    facts: dict[str, list[Fact]] = {}
    edge = set(codes)
    for _ in range(naming.STEPS_MAX + 1):
        if not edge:
            break
        found = await names.read(tx, tenant, subject, sorted(edge))
        facts |= {code: list(found.get(code, ())) for code in edge}
        edge = {one.target for told in found.values() for one in told if one.target not in facts}
    for code in await made(tx, tenant, sorted(facts)) if facts else ():
        facts[code].append(names.own(code))
    return facts


async def meanings(tx: Transaction, tenant: str, subject: str, asked: Sequence[Asked], made: Made) -> list[Meaning]:
    """What each code means, each for its day and as known at its moment, or since."""
    facts = await facts_about(tx, tenant, subject, {code for code, _on, _at_ms in asked}, made)
    return [naming.meaning(facts, code, on, at_ms) for code, on, at_ms in asked]


async def of_answers(
    tx: Transaction, tenant: str, answers: Sequence[Received[Any]], made: Made
) -> list[tuple[Received[Any], Meaning]]:
    """Answers to orders, each with the order it means."""
    asked = [(one.body.order_id, one.body.business_date, one.stored_at_ms) for one in answers]
    return list(zip(answers, await meanings(tx, tenant, names.ORDER, asked, made), strict=True))


async def hear(tx: Transaction, tenant: str, answers: Sequence[Received[Any]], made: Made) -> list[Received[Any]]:
    """Answers that name the order they mean, in their order. The others wait under their code, with what comes behind
    them; what a person has dropped is left out."""
    if not answers:
        return []
    gone = await parking.dropped(tx, tenant, [one.hash for one in answers])
    behind = await parking.parked_keys(tx, tenant, {one.envelope.key for one in answers})
    heard: list[Received[Any]] = []
    waiting: list[Received[Any]] = []
    for one, meaning in await of_answers(tx, tenant, [one for one in answers if one.hash not in gone], made):
        if meaning.target is None or one.envelope.key in behind:
            waiting.append(one)
            behind.add(one.envelope.key)
        elif meaning.target == one.body.order_id:
            heard.append(one)
        else:
            heard.append(one._replace(body=one.body.model_copy(update={"order_id": meaning.target})))
    await parking.park(tx, tenant, waiting, UNKNOWN_ORDER)
    return heard


async def free(tx: Transaction, tenant: str, made: Made) -> list[Received[Any]]:
    """Answers that waited and whose order is known by now: it was released, or an alias says which one is meant."""
    heads = await of_answers(tx, tenant, await parking.heads_for(tx, tenant, UNKNOWN_ORDER), made)
    known = [one.envelope.key for one, meaning in heads if meaning.target is not None]
    return await hear(tx, tenant, await parking.release(tx, tenant, known), made) if known else []
