"""A witness answers with the statuses of C2SP tlog-witness and never cosigns two histories."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.audit.domain.checkpoints import Checkpoint, hash_text
from services.audit.domain.merkle import leaf_hash, root_of
from services.audit.domain.notes import COSIGNATURE, LOG_SIGNATURE, Signer, open_note, signer, write_note
from services.audit.domain.proofs import build, consistency_ranges
from services.audit.witness import Memory, create_app
from tests.unit.audit.vectors import nodes_of

DEPLOYMENT = signer("test/audit", LOG_SIGNATURE, hashlib.sha256(b"TEST ONLY log").digest())
LOG = signer("test/audit/acme", LOG_SIGNATURE, hashlib.sha256(b"TEST ONLY log").digest())
WITNESS = signer("witness/1", COSIGNATURE, hashlib.sha256(b"TEST ONLY witness").digest())
LEAVES = [leaf_hash(bytes([number])) for number in range(40)]
OTHER = [leaf_hash(bytes([number, 1])) for number in range(40)]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    memory = Memory(tmp_path / "seen.sqlite")
    with TestClient(create_app(memory, WITNESS, [DEPLOYMENT.verifier()], lambda: 1_700_000_000.0)) as made:
        yield made
    memory.close()


def body(
    old: int, size: int, leaves: Sequence[bytes] = LEAVES, *, by: Signer = LOG, proof: list[bytes] | None = None
) -> str:
    text = Checkpoint(LOG.name, size, root_of(leaves[:size])).text()
    if proof is None:
        proof = build(consistency_ranges(old, size), nodes_of(leaves[:size])) if 0 < old <= size else []
    lines = "".join(hash_text(one) + "\n" for one in proof)
    return f"old {old}\n{lines}\n{write_note(text, [by.signature_line(text)])}"


def post(client: TestClient, text: str) -> tuple[int, str]:
    answer = client.post("/add-checkpoint", content=text.encode())
    if answer.status_code == 409:
        assert answer.headers["content-type"].startswith("text/x.tlog.size")
    return answer.status_code, answer.text


def test_heads_that_grow_are_cosigned(client: TestClient) -> None:
    for old, size in ((0, 3), (3, 3), (3, 17), (17, 40)):
        status, line = post(client, body(old, size))
        assert status == 200
        text = Checkpoint(LOG.name, size, root_of(LEAVES[:size])).text()
        assert open_note(f"{text}\n{line}", [WITNESS.verifier()]).signed_by[0][1] == 1_700_000_000


def test_statuses_of_refusals(client: TestClient) -> None:
    assert post(client, body(0, 5))[0] == 200
    stranger = signer("else/audit/acme", LOG_SIGNATURE, b"\x01" * 32)
    unknown = Checkpoint(stranger.name, 5, root_of(LEAVES[:5])).text()
    assert post(client, f"old 0\n\n{write_note(unknown, [stranger.signature_line(unknown)])}")[0] == 404
    thief = signer(LOG.name, LOG_SIGNATURE, b"\x02" * 32)
    assert post(client, body(5, 9, by=thief))[0] == 403
    assert post(client, body(9, 5))[0] == 400
    assert post(client, body(0, 9)) == (409, "5\n")
    assert post(client, body(5, 5, OTHER)) == (409, "5\n")
    assert post(client, body(5, 9, OTHER))[0] == 422
    assert post(client, body(5, 9, proof=[]))[0] == 422
    assert post(client, body(5, 9))[0] == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old\n\n",
        "old 00\n\nx",
        "new 0\n\nx",
        "old 0\nAAAA\n\nx",
        "old 0\n\n",
        "x" * 70_000,
        "old 0\n" + "A\n" * 64 + "\nx",
    ],
)
def test_malformed_submissions_are_refused(client: TestClient, text: str) -> None:
    assert post(client, text)[0] == 400


def test_what_was_cosigned_is_remembered_over_a_restart(tmp_path: Path) -> None:
    for old, size, status in ((0, 7, 200), (0, 7, 409), (7, 9, 200)):
        memory = Memory(tmp_path / "seen.sqlite")
        with TestClient(create_app(memory, WITNESS, [DEPLOYMENT.verifier()])) as client:
            assert post(client, body(old, size))[0] == status
        memory.close()


def test_of_many_at_once_from_one_size_only_one_history_is_cosigned(client: TestClient) -> None:
    assert post(client, body(0, 5))[0] == 200
    forks = [body(5, 6 + number, [*LEAVES[:5], *OTHER[number : number + 30]]) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(status for status, _ in pool.map(lambda text: post(client, text), forks))
    assert statuses == [200] + [409] * 7
