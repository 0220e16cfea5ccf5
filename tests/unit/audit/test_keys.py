"""The signing key and those before it: which sign, which count, and what is refused."""

from pathlib import Path

import pytest

from services.audit import keys


def test_key_that_is_being_replaced_signs_too_and_counts_ever_after(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    (old,) = keys.load("shop", path).deployment_vkeys()
    path.rename(tmp_path / "audit.key.retiring")
    both = keys.load("shop", path)
    new, still = both.deployment_vkeys()
    assert still == old != new
    assert len(both.signers("acme")) == 2
    (tmp_path / "audit.key.retiring").unlink()
    after = keys.load("shop", path)
    assert after.deployment_vkeys() == [new, old]
    assert [one.verifier() for one in after.signers("acme")] == after.verifiers("acme")[:1]


def test_lost_key_is_no_replaced_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    first = keys.load("shop", path).deployment_vkeys()
    path.unlink()
    assert not set(first) & set(keys.load("shop", path).deployment_vkeys())


def test_second_replacement_keeps_every_key_before(tmp_path: Path) -> None:
    path, retiring = tmp_path / "audit.key", tmp_path / "audit.key.retiring"
    seen = keys.load("shop", path).deployment_vkeys()
    for _ in range(2):
        path.rename(retiring)
        seen = [keys.load("shop", path).deployment_vkeys()[0], *seen]
        retiring.unlink()
    assert keys.load("shop", path).deployment_vkeys() == seen


def test_key_that_would_replace_itself_and_a_broken_list_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    keys.load("shop", path)
    (tmp_path / "audit.key.retiring").write_bytes(path.read_bytes())
    with pytest.raises(keys.KeyUnusable, match="same secret"):
        keys.load("shop", path)
    (tmp_path / "audit.key.retiring").unlink()
    (tmp_path / "audit.key.retired").write_text("zz")
    with pytest.raises(keys.KeyUnusable, match="restore the file"):
        keys.load("shop", path)
