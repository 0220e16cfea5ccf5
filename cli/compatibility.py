"""Would a change of the contracts break somebody? Compares JSON Schemas with those of the last release.

Both directions count, because in a rolling upgrade old and new run side by side: new readers must accept what old
writers wrote, and old readers what new writers write. A new optional field is fine; anything else is a new version of
the message. `./run schemas --release` freezes today's schemas as released.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Schema = dict[str, Any]
# Bounds: for each keyword, whether a larger number lets more values through.
LOOSER_WHEN_LARGER = {
    "maximum": True,
    "exclusiveMaximum": True,
    "maxLength": True,
    "maxItems": True,
    "minimum": False,
    "exclusiveMinimum": False,
    "minLength": False,
    "minItems": False,
}


def breaks(old: Schema, new: Schema) -> list[str]:
    """Sentences, one for each way in which `new` breaks readers or writers of `old`; empty if it breaks none."""
    return list(_compare(old, new, old, new, "message", frozenset()))


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _compare(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str, seen: frozenset[str]
) -> Iterator[str]:
    name = f"{old.get('$ref')}->{new.get('$ref')}"
    if "$ref" in old and name in seen:
        return
    seen = seen | {name}
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if "anyOf" in old or "anyOf" in new:
        yield from _compare_choices(old, new, old_root, new_root, at, seen)
        return
    if old.get("type") != new.get("type"):
        yield f"{at}: type was {old.get('type')}, is {new.get('type')}"
        return
    yield from _compare_values(old, new, at)
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    yield from (
        f"{at}.{field}: is gone; writers of the old version still send it" for field in before if field not in after
    )
    yield from (
        f"{at}.{field}: is new and required; old writers do not send it" for field in required_after - set(before)
    )
    for field in sorted(set(before) & set(after)):
        if (field in required_before) != (field in required_after):
            yield f"{at}.{field}: was {'required' if field in required_before else 'optional'} and is no longer"
        yield from _compare(before[field], after[field], old_root, new_root, f"{at}.{field}", seen)
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from _compare(old["items"], new["items"], old_root, new_root, f"{at}[]", seen)


def _compare_choices(
    old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("anyOf", [old]), new.get("anyOf", [new])
    if len(before) != len(after):
        yield f"{at}: had {len(before)} alternatives, has {len(after)}"
        return
    for one, other in zip(before, after, strict=True):
        yield from _compare(one, other, old_root, new_root, at, seen)


def _compare_values(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for keyword in ("const", "pattern", "format"):
        if old.get(keyword) != new.get(keyword):
            yield f"{at}: {keyword} was {old.get(keyword)!r}, is {new.get(keyword)!r}"
    gone, come = (
        set(old.get("enum", ())) - set(new.get("enum", ())),
        set(new.get("enum", ())) - set(old.get("enum", ())),
    )
    if gone:
        yield f"{at}: no longer accepts {sorted(gone)}; old writers send them"
    if come:
        yield f"{at}: may now be {sorted(come)}; old readers refuse them"
    for keyword, larger_is_looser in LOOSER_WHEN_LARGER.items():
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            tighter = before is None or (after is not None and (after < before) == larger_is_looser)
            who = "old writers may exceed it" if tighter else "old readers hold to the old one"
            yield f"{at}: {keyword} was {before}, is {after}; {who}"


def check(root: Path) -> list[str]:
    """What the contracts in the working tree break of the released ones under `schemas/released`."""
    sentences = []
    for released in sorted((root / "schemas/released").glob("*.schema.json")):
        current = root / "schemas/json" / released.name
        if not current.exists():
            sentences.append(f"{released.name}: the message is gone; its topic still holds such records")
            continue
        found = breaks(orjson.loads(released.read_bytes()), orjson.loads(current.read_bytes()))
        sentences += [f"{released.name.removesuffix('.schema.json')}: {sentence}" for sentence in found]
    return sentences


def release(root: Path) -> list[str]:
    """Freeze today's schemas as released. Refuses (returns the reasons) while they break the last release."""
    found = check(root)
    if not found:
        for path in (root / "schemas/json").glob("*.schema.json"):
            (root / "schemas/released" / path.name).write_bytes(path.read_bytes())
    return found
