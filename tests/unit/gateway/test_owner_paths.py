"""Whatever an item is called, asking about it stays asking about it: a name in a path never becomes another path."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest

from kit.http import Problem
from kit.identity import Mint, Principal, ensure_keys
from schemas.problems import load
from services.gateway.api.deciding import NOT_THERE, segment
from services.gateway.owners import Owners, path_of
from tests.answering import answering

WHO = Principal("t", "ann", frozenset({"planner"}))


@pytest.mark.parametrize(
    "name", ["..", ".", "a/../b", "../../parameters", "x?y=1", "x#y", "50%", "Käse 4.5 l", "a\\b", "%2E%2E"]
)
async def test_a_name_is_one_segment_of_the_path_that_is_asked(tmp_path: Path, name: str) -> None:
    asked: list[str] = []

    def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(request.split(b" ", 2)[1].decode("ascii"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with answering(answer) as there:
        gateway = Owners({"policy": f"http://{there.host}:{there.port}"}, Mint(ensure_keys(tmp_path)[0]), 5.0)
        try:
            await gateway.call("policy", "GET", path_of("positions", name, "parameters"), WHO)
        finally:
            await gateway.close()
    (path,) = asked
    assert [unquote(one) for one in path.split("/")] == ["", "positions", name, "parameters"]


@pytest.mark.parametrize("what", sorted(NOT_THERE))
def test_what_can_be_no_id_is_refused_as_an_unknown_one_of_its_kind(what: str) -> None:
    kinds = load()
    for name in ("", "a/b", "x" * 65, "a\nb", "..%2f"):
        with pytest.raises(Problem) as refused:
            segment(name, what)
        code = refused.value.code
        assert (refused.value.status, refused.value.title, what in refused.value.detail) == (
            404,
            kinds[code].title,
            True,
        )
    assert segment("3f6c-1", what) == "3f6c-1"
