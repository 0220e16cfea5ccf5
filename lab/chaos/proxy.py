"""A TCP proxy of our own between the services and their stores, in a process of its own: works without root, anywhere.

`python -m lab.chaos.proxy LISTEN:TARGET …` forwards 127.0.0.1:LISTEN to 127.0.0.1:TARGET. Each line on its input is a JSON
object `{"link": LISTEN, "mode": …}`; it ends when its input is closed, so that it never outlives the run.

Modes: `pass`; `refuse` (connections are cut, new ones refused at once); `hold` (a black hole: nothing is forwarded and nobody
is told); `hold-answers`, `hold-requests` (one direction only); `delay` (`seconds` before every piece); `reset` (cut all
connections with RST now, then pass). When a hold ends, what was held is lost with its connection, as answers lost are.
"""

import asyncio
import json
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field

PIECE_BYTES = 65_536
HOST = "127.0.0.1"
UP, DOWN = "hold-requests", "hold-answers"


@dataclass(slots=True)
class Link:
    """One forwarded port: its mode now, and the connections that live."""

    listen: int
    target: int
    mode: str = "pass"
    seconds: float = 0.0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, mode: str, seconds: float = 0.0) -> None:
        """Change the mode. Leaving a hold, and entering refuse or reset, ends what is connected."""
        was_held = self.mode.startswith("hold")
        self.mode, self.seconds = ("pass" if mode == "reset" else mode), seconds
        self.changed.set()
        self.changed = asyncio.Event()
        if mode in ("refuse", "reset") or was_held:
            self.cut()

    def cut(self) -> None:
        """End every connection with a reset."""
        for writer in list(self.writers):
            _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self.writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            if self.mode == "refuse":
                _reset(writer)
                return
            answers, upstream = await asyncio.open_connection(HOST, self.target)
            self.writers.add(upstream)
            await asyncio.gather(self._carry(reader, upstream, UP), self._carry(answers, writer, DOWN))
        except OSError:
            pass  # an end that is gone is what this proxy is about
        finally:
            for one in (writer, upstream):
                if one is not None:
                    self.writers.discard(one)
                    one.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held_by: str) -> None:
        while True:
            piece = await reader.read(PIECE_BYTES)
            while self.mode in ("hold", held_by):
                await self.changed.wait()
            if self.mode == "delay":
                await asyncio.sleep(self.seconds)
            if not piece:
                writer.close()
                return
            writer.write(piece)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: the other side sees a reset, not an orderly end."""
    with suppress(OSError):
        raw = writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if writer.transport is not None:
        writer.transport.abort()


async def main(pairs: list[str]) -> None:
    """Serve until the input ends."""
    links = {}
    for pair in pairs:
        listen, target = (int(part) for part in pair.split(":"))
        links[listen] = Link(listen, target)
        await asyncio.start_server(links[listen].serve, HOST, listen)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        wanted = json.loads(line)
        links[wanted["link"]].set(wanted["mode"], float(wanted.get("seconds", 0.0)))
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
