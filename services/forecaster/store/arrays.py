"""Arrays of numbers from Postgres without a Python object per number: the binary form of an array, read by numpy.

`array_send` is what Postgres itself puts on the wire: number of dimensions, a null flag, the element type, then size
and lower bound per dimension, then each element behind its length (src/backend/utils/adt/arrayfuncs.c).
"""

import numpy as np

from services.forecaster.domain.panel import FloatArray, IntArray

HEADER_BYTES = 20  # of an array with one dimension
_FLOATS = np.dtype([("length", ">i4"), ("value", ">f8")])
_INTEGERS = np.dtype([("length", ">i4"), ("value", ">i4")])


def floats(raw: bytes) -> FloatArray:
    """A float8[] without nulls."""
    return np.frombuffer(raw, _FLOATS, offset=HEADER_BYTES)["value"].astype(np.float64)


def integers(raw: bytes) -> IntArray:
    """An int4[] without nulls."""
    return np.frombuffer(raw, _INTEGERS, offset=HEADER_BYTES)["value"].astype(np.int64)
