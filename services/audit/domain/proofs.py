"""Inclusion and consistency proofs of RFC 6962: which subtrees a proof needs, and whether a given proof holds.

A proof does not authenticate the size of the tree. Take size and root together from a verified checkpoint, always.
"""

from collections.abc import Callable, Sequence

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import HASH_BYTES, fold, node_hash

Range = tuple[int, int]  # leaves from (inclusive) to (exclusive)
Node = tuple[int, int]  # height, index: covers leaves [index * 2**height, (index + 1) * 2**height)


def _split(size: int) -> int:
    """Largest power of two below `size` (size > 1): where RFC 6962 splits a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Subtrees whose roots prove that leaf `index` is in the tree of `size`, from the leaf up. RFC 6962, 2.1.1."""
    if not 0 <= index < size:
        raise AuditRefusal("index_outside_tree", f"there is no entry {index} in a log of {size} entries")
    low, high, path = 0, size, list[Range]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Subtrees whose roots prove that the tree of `old` leaves is a prefix of that of `new`. RFC 6962, 2.1.2."""
    if not 0 < old <= new:
        raise AuditRefusal(
            "sizes_out_of_order", f"no consistency proof leads from {old} to {new}: needs 0 < old <= new"
        )
    low, high, path, is_whole = 0, new, list[Range](), True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low, is_whole = middle, False
    if not is_whole:
        path.append((low, high))
    return path[::-1]


def perfect_nodes(low: int, high: int) -> list[Node]:
    """The perfect, aligned subtrees that tile leaves [low, high), left to right."""
    nodes = list[Node]()
    while low < high:
        height = (high - low).bit_length() - 1
        if low:
            height = min(height, (low & -low).bit_length() - 1)
        nodes.append((height, low >> height))
        low += 1 << height
    return nodes


def nodes_needed(ranges: Sequence[Range]) -> set[Node]:
    return {node for low, high in ranges for node in perfect_nodes(low, high)}


def build(ranges: Sequence[Range], node: Callable[[Node], bytes]) -> list[bytes]:
    """The hashes of a proof, given where to look up perfect subtrees."""
    return [fold([node(part) for part in perfect_nodes(low, high)]) for low, high in ranges]


def _all_hashes(*groups: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for group in groups for value in group)


def inclusion_holds(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows `leaf` at `index` in the tree of `size` with `root`. RFC 9162, 2.1.3.2."""
    if not 0 <= index < size or not _all_hashes(proof, (leaf, root)):
        return False
    first, last, result = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            result = node_hash(other, result)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            result = node_hash(result, other)
        first >>= 1
        last >>= 1
    return last == 0 and result == root


def consistency_holds(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether the tree (`old`, `old_root`) is a prefix of (`new`, `new_root`). RFC 9162, 2.1.4.2.

    Old size 0 never holds here: every log extends the empty one, which the caller knows without a proof.
    """
    if not 0 < old <= new or not _all_hashes(proof, (old_root, new_root)):
        return False
    if old == new:
        return not proof and old_root == new_root
    if not proof:
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    first, last = old - 1, new - 1
    while first & 1:
        first >>= 1
        last >>= 1
    old_result = new_result = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_result, new_result = node_hash(other, old_result), node_hash(other, new_result)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new_result = node_hash(new_result, other)
        first >>= 1
        last >>= 1
    return last == 0 and old_result == old_root and new_result == new_root
