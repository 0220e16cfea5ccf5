"""Large JSON as small bytes for a column: what a service keeps of its own words and never looks into by SQL.

Zstandard against a dictionary, which is an example of what is packed: recommendations repeat its names, its sentences and its
shape, and shrink to a seventh. PostgreSQL then keeps one in its row, where it would otherwise write it in slices, twice,
uncompressed (a server without LZ4), which was half of the time the database spent on a planning run.

A packed value begins with MARK and the number of its dictionary, so that old ones stay readable: dictionaries are added, never
changed (a test holds their digests). What is not packed is kept as it is.
"""

from functools import cache
from pathlib import Path

import zstandard

MARK = b"\x00Z"
# Less gains nothing: it lies in its row anyway.
SMALLEST_BYTES = 2_048
LEVEL = 1
PLAIN = 0  # the number of no dictionary
RECOMMENDATION = 1
_FOLDER = Path(__file__).parent / "dictionaries"


def pack(value: bytes, dictionary: int = PLAIN) -> bytes:
    """`value` as it is kept: packed where that pays, and always where it could be taken for packed."""
    if len(value) < SMALLEST_BYTES and not value.startswith(MARK):
        return value
    return MARK + bytes((dictionary,)) + _packer(dictionary).compress(value)


def unpack(kept: bytes) -> bytes:
    """What `pack` was given. Raises zstandard.ZstdError for bytes that are damaged, KeyError for an unknown dictionary."""
    if not kept.startswith(MARK):
        return kept
    found: bytes = _unpacker(kept[len(MARK)]).decompress(memoryview(kept)[len(MARK) + 1 :])
    return found


@cache
def _words(dictionary: int) -> zstandard.ZstdCompressionDict:
    path = _FOLDER / f"{dictionary}.json"
    if not path.exists():
        raise KeyError(f"no dictionary {dictionary} is known; was this written by a newer version?")
    words = zstandard.ZstdCompressionDict(path.read_bytes(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    words.precompute_compress(level=LEVEL)
    return words


@cache
def _packer(dictionary: int) -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=_words(dictionary) if dictionary else None)


@cache
def _unpacker(dictionary: int) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(dict_data=_words(dictionary) if dictionary else None)
