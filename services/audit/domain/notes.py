"""C2SP signed notes: a text, then the Ed25519 signatures of those who stand for it (log keys and cosigning witnesses)."""

import base64
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.audit.domain.errors import AuditRefusal

LOG_SIGNATURE = 0x01  # Ed25519 over the text
COSIGNATURE = 0x04  # Ed25519 over time and text, by a witness
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
SIGNATURES_MAX = 100  # the specification asks for at least 16; a bound keeps a hostile note from costing much
_LINE = re.compile(r"\u2014 (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")


def _unbase64(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error, or text that is not ASCII
        raise AuditRefusal("base64_malformed", f"{what} is not base64: {error}") from error
    if base64.b64encode(raw).decode() != text:
        raise AuditRefusal("base64_malformed", f"{what} is not canonical base64")
    return raw


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() or not character.isprintable() for character in name):
        raise AuditRefusal("key_name_malformed", f"{name!r} cannot name a key: needs text without blanks and '+'")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with the name it signs under; as text, a `vkey`: name+hex key id+base64 of type and key."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:KEY_ID_BYTES]

    def vkey(self) -> str:
        material = base64.b64encode(bytes([self.algorithm]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def verified_time(self, text: str, signature: bytes) -> int | None:
        """None for a good log signature, the POSIX time of a good cosignature. Raises AuditRefusal("signature_bad")."""
        message, time = text.encode(), None
        if self.algorithm == COSIGNATURE and len(signature) == 8 + SIGNATURE_BYTES:
            (time,) = struct.unpack(">Q", signature[:8])
            message, signature = cosigned_message(text, time), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise AuditRefusal("signature_bad", f"the signature of {self.name} does not fit the text") from error
        return time


def parse_vkey(text: str) -> Verifier:
    """The key behind a vkey. Raises AuditRefusal: vkey_malformed, base64_malformed, key_name_malformed."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise AuditRefusal("vkey_malformed", f"{text!r} is not name+keyid+key")
    name, key_id, material = parts
    _check_name(name)
    raw = _unbase64(material, "the key")
    if len(raw) != 33 or raw[0] not in (LOG_SIGNATURE, COSIGNATURE):
        raise AuditRefusal("vkey_malformed", f"{name}: only Ed25519 keys (types 1 and 4) are known here")
    verifier = Verifier(name, raw[0], raw[1:])
    if verifier.key_id.hex() != key_id:
        raise AuditRefusal("vkey_malformed", f"{name}: key id {key_id} does not fit the key ({verifier.key_id.hex()})")
    return verifier


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with the name it signs under."""

    name: str
    algorithm: int
    private: Ed25519PrivateKey

    def verifier(self) -> Verifier:
        return Verifier(self.name, self.algorithm, self.private.public_key().public_bytes_raw())

    def _line(self, signature: bytes) -> str:
        return f"\u2014 {self.name} {base64.b64encode(self.verifier().key_id + signature).decode()}\n"

    def signature_line(self, text: str) -> str:
        return self._line(self.private.sign(text.encode()))

    def cosignature_line(self, text: str, time: int) -> str:
        """Line of a witness that saw `text` at POSIX `time` in seconds."""
        return self._line(struct.pack(">Q", time) + self.private.sign(cosigned_message(text, time)))


def signer(name: str, algorithm: int, seed: bytes) -> Signer:
    """The key made from 32 secret bytes."""
    _check_name(name)
    return Signer(name, algorithm, Ed25519PrivateKey.from_private_bytes(seed))


def cosigned_message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


@dataclass(frozen=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A text, and who is known to have signed it (with the time, for a witness)."""

    text: str
    signed_by: tuple[tuple[Verifier, int | None], ...]


def write_note(text: str, lines: Sequence[str]) -> str:
    """A note from its text (ends in a newline) and finished signature lines."""
    if not text.endswith("\n"):
        raise AuditRefusal("note_malformed", "the text of a note ends in a newline")
    return text + "\n" + "".join(lines)


def parse_note(note: str) -> tuple[str, list[Signature]]:
    """Text and signatures, nothing verified. Raises AuditRefusal: note_malformed, base64_malformed."""
    if any(character < " " and character != "\n" for character in note):
        raise AuditRefusal("note_malformed", "control characters other than newline")
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        raise AuditRefusal("note_malformed", "no blank line between text and signatures, or no newline at the end")
    text, block = note[: split + 1], note[split + 2 :]
    lines = block[:-1].split("\n")
    if not block or len(lines) > SIGNATURES_MAX:
        raise AuditRefusal("note_malformed", f"needs 1 to {SIGNATURES_MAX} signature lines")
    signatures = list[Signature]()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise AuditRefusal("note_malformed", f"{line!r} is not a signature line")
        raw = _unbase64(match["blob"], "a signature")
        if len(raw) <= KEY_ID_BYTES:
            raise AuditRefusal("note_malformed", f"the signature of {match['name']} is empty")
        signatures.append(Signature(match["name"], raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:]))
    return text, signatures


def open_note(note: str, verifiers: Sequence[Verifier]) -> OpenedNote:
    """The text with those of `verifiers` who signed it; keys we do not know are passed over.

    Raises AuditRefusal: note_malformed, base64_malformed, signature_bad (a known key that fails spoils the whole note),
    no_known_signature.
    """
    text, signatures = parse_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed_by = list[tuple[Verifier, int | None]]()
    for signature in signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            signed_by.append((verifier, verifier.verified_time(text, signature.signature)))
    if not signed_by:
        raise AuditRefusal("no_known_signature", f"none of {sorted({v.name for v in verifiers})} signed this note")
    return OpenedNote(text, tuple(signed_by))
