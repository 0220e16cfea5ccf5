"""When a signal says that a location keeps its doors shut: forecaster, policy and gateway must not differ about it."""

from collections.abc import Collection

OF_SUPPLY = "supply_disruption"  # the kind whose strength is a lead time's and not demand's


def shuts_doors(kind: str, strength: float, probability: float, scope: Collection[str]) -> bool:
    """For certain no demand at all, of nothing less than all that a location sells. `scope`: the parts that it names."""
    return kind != OF_SUPPLY and strength == 0 and probability == 1 and set(scope) == {"location"}
