"""C2SP tlog-tiles: the log as files of 256 hashes or entries that never change once full."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.domain.errors import AuditRefusal
from services.audit.domain.merkle import TILE_HEIGHT
from services.audit.domain.proofs import Node

TILE_WIDTH = 1 << TILE_HEIGHT
ENTRY_BYTES_MAX = 65_535  # entry bundles give the length in 16 bits
LEVEL_MAX = 7  # 256**8 leaves are more than any log will hold
_PATH = re.compile(r"(?P<groups>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TileName:
    """Tile `index` of `level` (None: entries instead of hashes), `width` of its 256 places filled."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        groups, rest = [f"{self.index % 1000:03d}"], self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{'/'.join(groups)}" + ("" if self.width == TILE_WIDTH else f".p/{self.width}")

    @property
    def first(self) -> int:
        """Number of its first hash among those of its level (of its first entry, for entries)."""
        return self.index * TILE_WIDTH


def parse_tile_path(level: str, rest: str) -> TileName:
    """The tile behind `tile/<level>/<rest>`. Raises AuditRefusal("tile_path_malformed")."""
    match = _PATH.fullmatch(rest)
    is_level = level == "entries" or re.fullmatch(r"[0-7]", level, re.ASCII)
    if match is None or not is_level:
        raise AuditRefusal("tile_path_malformed", f"tile/{level}/{rest} is not tile/<level>/<index>[.p/<width>]")
    width = int(match["width"] or TILE_WIDTH)
    index = int(match["groups"].replace("x", "").replace("/", ""))
    name = TileName(None if level == "entries" else int(level), index, width)
    if width > TILE_WIDTH or name.path() != f"tile/{level}/{rest}":
        raise AuditRefusal("tile_path_malformed", f"tile/{level}/{rest} is not written the one way it can be written")
    return name


def tiles_of(size: int) -> list[TileName]:
    """Every hash tile of a log of `size` entries, partial ones last in their level."""
    names, level, count = list[TileName](), 0, size
    while count:
        full, width = divmod(count, TILE_WIDTH)
        names.extend(TileName(level, index) for index in range(full))
        if width:
            names.append(TileName(level, full, width))
        level, count = level + 1, full
    return names


def is_within(name: TileName, size: int) -> bool:
    """Whether a log of `size` entries holds all hashes (or entries) of this tile."""
    hashes = size >> (TILE_HEIGHT * (name.level or 0))
    return 0 < name.width <= TILE_WIDTH and name.first + name.width <= hashes


def span_of(node: Node) -> tuple[int, int, int]:
    """Where a perfect subtree is found in tiles: (level, first hash, number of hashes); the hashes fold to it."""
    height, index = node
    level, within = divmod(height, TILE_HEIGHT)
    return level, index << within, 1 << within


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry with its length in 16 bits, big endian, before it."""
    if any(len(entry) > ENTRY_BYTES_MAX for entry in entries):
        raise AuditRefusal("entry_too_large", f"an entry bundle holds entries of at most {ENTRY_BYTES_MAX} bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def decode_entries(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises AuditRefusal("bundle_truncated")."""
    entries, at = list[bytes](), 0
    while at < len(bundle):
        if at + 2 > len(bundle):
            raise AuditRefusal("bundle_truncated", f"half a length at byte {at}")
        (length,) = struct.unpack_from(">H", bundle, at)
        entry = bundle[at + 2 : at + 2 + length]
        if len(entry) != length:
            raise AuditRefusal("bundle_truncated", f"entry at byte {at} says {length} bytes, {len(entry)} are there")
        entries.append(entry)
        at += 2 + length
    return entries
