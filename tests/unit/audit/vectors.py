"""The published vectors, and trees over them. Source of each is named in `merkle_vectors.json`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from services.audit.domain.merkle import leaf_hash, root_of
from services.audit.domain.proofs import Node

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "merkle_vectors.json").read_text("utf-8"))
TREES = {tree["name"]: tree for tree in VECTORS["trees"]}


def leaves_of(name: str) -> list[bytes]:
    """Leaf hashes of a tree of the vectors."""
    if name == "be64_70000":
        return [leaf_hash(number.to_bytes(8, "big")) for number in range(70_000)]
    return [leaf_hash(bytes.fromhex(text)) for text in TREES[name]["leaves_hex"]]


def unhex(values: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def nodes_of(leaves: Sequence[bytes]) -> Callable[[Node], bytes]:
    """Where a proof finds perfect subtrees: straight from the leaves."""

    def node(place: Node) -> bytes:
        height, index = place
        return root_of(leaves[index << height : (index + 1) << height])

    return node
