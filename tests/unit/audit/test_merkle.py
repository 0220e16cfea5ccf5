"""RFC 6962 hashes, trees and proofs against the published vectors, the slow recursive oracle, and every mutation."""

import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import EMPTY_ROOT, CompactRange, leaf_hash, node_hash, root_of
from services.audit.domain.proofs import (
    build,
    consistency_holds,
    consistency_ranges,
    inclusion_holds,
    inclusion_ranges,
    perfect_nodes,
)
from tests.examples import examples
from tests.unit.audit import merkle_oracle
from tests.unit.audit.vectors import TREES, VECTORS, leaves_of, nodes_of, unhex

oracle: Any = merkle_oracle


@functools.cache
def leaves(name: str) -> tuple[bytes, ...]:
    return tuple(leaves_of(name))


def cases(kind: str) -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}-{n}") for name, tree in TREES.items() for n, case in enumerate(tree[kind])
    ]


def test_hash_constants_of_the_ct_reference() -> None:
    assert EMPTY_ROOT.hex() == VECTORS["hash"]["empty_root"]
    assert leaf_hash(b"").hex() == VECTORS["hash"]["leaf_empty"]
    assert leaf_hash(b"L123456").hex() == VECTORS["hash"]["leaf_L123456"]
    assert node_hash(b"N123", b"N456").hex() == VECTORS["hash"]["node_N123_N456"]


@pytest.mark.parametrize("name", TREES)
def test_roots_of_every_published_size(name: str) -> None:
    known = leaves(name)
    stated = TREES[name].get("leaf_hashes")
    if isinstance(stated, list):
        assert [leaf.hex() for leaf in known] == stated
    for size, root in TREES[name]["roots"].items():
        assert root_of(known[: int(size)]).hex() == root


@pytest.mark.parametrize(("name", "case"), cases("inclusion"))
def test_inclusion_vectors_are_built_and_accepted(name: str, case: Any) -> None:
    proof, leaf, root = unhex(case["proof"]), bytes.fromhex(case["leaf_hash"]), bytes.fromhex(case["root"])
    assert inclusion_holds(leaf, case["index"], case["size"], proof, root)
    assert build(inclusion_ranges(case["index"], case["size"]), nodes_of(leaves(name)[: case["size"]])) == proof


@pytest.mark.parametrize(("name", "case"), cases("consistency"))
def test_consistency_vectors_are_built_and_accepted(name: str, case: Any) -> None:
    proof, old, new = unhex(case["proof"]), bytes.fromhex(case["root1"]), bytes.fromhex(case["root2"])
    assert consistency_holds(case["size1"], case["size2"], proof, old, new)
    assert build(consistency_ranges(case["size1"], case["size2"]), nodes_of(leaves(name)[: case["size2"]])) == proof


@pytest.mark.parametrize("case", VECTORS["must_reject"]["inclusion"], ids=lambda case: case["why"])
def test_bad_inclusion_is_rejected(case: Any) -> None:
    leaf, root = bytes.fromhex(case["leaf_hash"]), bytes.fromhex(case["root"])
    assert not inclusion_holds(leaf, case["index"], case["size"], unhex(case["proof"]), root)


@pytest.mark.parametrize("case", VECTORS["must_reject"]["consistency"], ids=lambda case: case["why"])
def test_bad_consistency_is_rejected(case: Any) -> None:
    old, new = bytes.fromhex(case["root1"]), bytes.fromhex(case["root2"])
    assert not consistency_holds(case["size1"], case["size2"], unhex(case["proof"]), old, new)


@settings(max_examples=examples(30), deadline=None)
@given(size=st.integers(0, 2000), cut=st.integers(0, 2000))
def test_growing_in_any_two_steps_gives_the_recursive_root(size: int, cut: int) -> None:
    known = [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
    first, _ = CompactRange().extend(known[:cut])
    grown, _ = first.extend(known[cut:])
    assert grown.size == size
    assert grown.root() == oracle.mth(known)


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_built_proofs_equal_those_of_the_recursive_oracle(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    known = [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]
    assert build(inclusion_ranges(index, size), nodes_of(known)) == oracle.path(index, known)
    assert build(consistency_ranges(old, size), nodes_of(known)) == oracle.consistency(old, known)


def test_every_mutation_of_a_good_proof_is_rejected() -> None:
    """Sizes 1 to 24: each bit-flipped hash, dropped, doubled, swapped hash, wrong leaf, index, root."""
    known = [leaf_hash(bytes([number])) for number in range(24)]
    good = bad = 0
    for size in range(1, 25):
        node = nodes_of(known[:size])
        root = root_of(known[:size])
        for index in range(size):
            proof = build(inclusion_ranges(index, size), node)
            assert inclusion_holds(known[index], index, size, proof, root)
            good += 1
            for mutant in mutants(proof):
                assert not inclusion_holds(known[index], index, size, mutant, root)
                bad += 1
            for other in {index + 1, index - 1, index ^ 1} & set(range(size)):
                assert not inclusion_holds(known[index], other, size, proof, root)
            assert not inclusion_holds(flipped(known[index]), index, size, proof, root)
            assert not inclusion_holds(known[index], index, size, proof, flipped(root))
        for old in range(1, size):
            proof, old_root = build(consistency_ranges(old, size), node), root_of(known[:old])
            assert consistency_holds(old, size, proof, old_root, root)
            good += 1
            for mutant in mutants(proof):
                assert not consistency_holds(old, size, mutant, old_root, root)
                bad += 1
            assert not consistency_holds(old, size, proof, flipped(old_root), root)
            assert not consistency_holds(old, size, proof, old_root, flipped(root))
            assert not consistency_holds(size, old, proof, root, old_root)
    assert (good, bad > 5_000) == (576, True)


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def mutants(proof: list[bytes]) -> list[list[bytes]]:
    made = [[*proof, b"\x00" * 32], [b"\x00" * 32, *proof]]
    for place, value in enumerate(proof):
        made.append([*proof[:place], flipped(value), *proof[place + 1 :]])
        made.append([*proof[:place], *proof[place + 1 :]])
        made.append([*proof[:place], value, *proof[place:]])
        made.append([*proof[:place], value[:31], *proof[place + 1 :]])
        if place and proof[place - 1] != value:
            made.append([*proof[: place - 1], value, proof[place - 1], *proof[place + 1 :]])
    return made


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(0, 500))
def test_perfect_nodes_tile_the_range_and_are_aligned(low: int, length: int) -> None:
    covered = low
    for height, index in perfect_nodes(low, low + length):
        assert index << height == covered
        covered += 1 << height
    assert covered == low + length


def test_a_head_whose_stack_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(AuditRefusal, match="head_malformed"):
        CompactRange(3, (b"\x00" * 32,))
