"""C2SP tlog-tiles against the published census, paths and bundle."""

import hashlib
from collections.abc import Sequence

import pytest

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import CompactRange, fold, root_of
from services.audit.domain.tiles import (
    TileName,
    decode_entries,
    encode_entries,
    is_within,
    parse_tile_path,
    span_of,
    tiles_of,
)
from tests.unit.audit.vectors import TREES, VECTORS, leaves_of

TILES = VECTORS["tiles"]


def tile_hashes(leaves: Sequence[bytes], name: TileName) -> list[bytes]:
    assert name.level is not None
    per_hash = 256**name.level
    first = name.first
    return [root_of(leaves[at * per_hash : (at + 1) * per_hash]) for at in range(first, first + name.width)]


@pytest.mark.parametrize(("key", "path"), TILES["paths"].items())
def test_paths_of_c2sp(key: str, path: str) -> None:
    level, index, width = key.split(",")
    name = TileName(None if level == "entries" else int(level), int(index), int(width))
    assert name.path() == path
    _, stated, rest = path.split("/", 2)
    assert parse_tile_path(stated, rest) == name


def test_census_and_bytes_of_the_70000_leaf_tree() -> None:
    leaves = leaves_of("be64_70000")
    names = tiles_of(70_000)
    assert len(names) == TILES["count"]
    by_path = {name.path(): name for name in names}
    for path, digest in TILES["sha256_of_tile_bytes"].items():
        assert hashlib.sha256(b"".join(tile_hashes(leaves, by_path[path]))).hexdigest() == digest


def test_roots_of_full_tiles_fall_out_of_appending() -> None:
    leaves = leaves_of("be64_70000")
    _, filled = CompactRange().extend(leaves)
    assert {(one.level, one.index) for one in filled} == {(0, n) for n in range(273)} | {(1, 0)}
    for one in (filled[0], filled[200], filled[-1]):
        width = 256 ** (one.level + 1)
        assert one.root == root_of(leaves[one.index * width : (one.index + 1) * width])


@pytest.mark.parametrize(
    "text",
    ["1", "01/067", "x001", "x001/067", "001.p/0", "001.p/256", "001.p/300", "000/001", "x000/001", "-01", "٠٠١", ""],
)
def test_other_spellings_of_a_path_are_refused(text: str) -> None:
    if text == "x001/067":
        assert parse_tile_path("0", text).index == 1067
        return
    with pytest.raises(AuditRefusal, match="tile_path_malformed"):
        parse_tile_path("0", text)


@pytest.mark.parametrize("level", ["8", "00", "-1", "entry", ""])
def test_levels_beyond_the_log_are_refused(level: str) -> None:
    with pytest.raises(AuditRefusal):
        parse_tile_path(level, "000")


def test_entry_bundle_of_tessera() -> None:
    entries = [bytes.fromhex(text) for text in TREES["tessera15"]["leaves_hex"]]
    bundle = bytes.fromhex(TILES["entry_bundle_tessera15_p15_hex"])
    assert encode_entries(entries) == bundle
    assert decode_entries(bundle) == entries
    for cut in (1, 3, len(bundle) - 1):
        with pytest.raises(AuditRefusal, match="bundle_truncated"):
            decode_entries(bundle[:cut])
    with pytest.raises(AuditRefusal, match="entry_too_large"):
        encode_entries([b"x" * 65_536])


def test_a_tile_is_served_only_when_the_log_fills_it() -> None:
    assert is_within(TileName(0, 0, 7), 7) and not is_within(TileName(0, 0, 8), 7)
    assert is_within(TileName(1, 0, 1), 256) and not is_within(TileName(1, 0, 1), 255)
    assert not is_within(TileName(0, 0, 0), 7)


def test_a_perfect_subtree_is_found_in_one_tile() -> None:
    leaves = leaves_of("be64_70000")[:65_536]
    for height, index in ((0, 77), (3, 5), (8, 2), (11, 4), (15, 1)):
        level, first, count = span_of((height, index))
        assert first // 256 == (first + count - 1) // 256
        hashes = [root_of(leaves[at * 256**level : (at + 1) * 256**level]) for at in range(first, first + count)]
        whole = CompactRange().extend(hashes)[0]
        assert fold(whole.stack) == root_of(leaves[index << height : (index + 1) << height])
