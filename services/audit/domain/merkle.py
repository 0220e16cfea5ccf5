"""RFC 6962 Merkle trees over SHA-256: hashes and the growing edge of a log in, roots out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from services.audit.domain.errors import AuditRefusal

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
TILE_HEIGHT = 8  # C2SP tlog-tiles: a tile holds 2**8 hashes, so that a proof needs few and cacheable reads


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry. The 0x00 before it keeps a leaf from being read as a node (second preimage)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def fold(subtrees: Sequence[bytes]) -> bytes:
    """Root over perfect subtrees given from left (largest) to right (smallest); of none, the empty root."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


@dataclass(frozen=True, slots=True)
class TileRoot:
    """Hash of a full tile: subtree `index` of 2**(8 * (level + 1)) leaves."""

    level: int
    index: int
    root: bytes


@dataclass(frozen=True, slots=True)
class CompactRange:
    """All that must be known of a log to append to it: its size and the roots of its perfect subtrees, left to right."""

    size: int = 0
    stack: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.stack) != self.size.bit_count():
            raise AuditRefusal(
                "head_malformed",
                f"size {self.size} needs {self.size.bit_count()} subtree roots, found {len(self.stack)}",
            )

    def root(self) -> bytes:
        return fold(self.stack)

    def extend(self, leaves: Iterable[bytes]) -> tuple["CompactRange", list[TileRoot]]:
        """The range after appending leaf hashes in order, and the roots of the tiles this filled."""
        stack, size, filled = list(self.stack), self.size, list[TileRoot]()
        for leaf in leaves:
            index, height, carried = size, 0, leaf
            while index & 1:
                carried = node_hash(stack.pop(), carried)
                index >>= 1
                height += 1
                if height % TILE_HEIGHT == 0:
                    filled.append(TileRoot(height // TILE_HEIGHT - 1, index, carried))
            stack.append(carried)
            size += 1
        return CompactRange(size, tuple(stack)), filled


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root of a whole tree given its leaf hashes."""
    return CompactRange().extend(leaves)[0].root()
