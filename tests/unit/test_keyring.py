"""Keys of leads: what is sealed opens at its place alone, under its own key alone (R113)."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from adapters.keyring import Keyring, LeadKey, UnreadableError, master_id
from adapters.master_keys import MasterKeyMissingError

OLD, NEW = b"o" * 32, b"n" * 32
LEAD, OTHER = UUID(int=1), UUID(int=2)
PLACE, PLAIN = f"{LEAD}/1/lead.captured", "李经理 13912345678".encode()


def ring(*masters: bytes) -> Keyring:
    return Keyring(lambda: masters)


def test_what_is_sealed_comes_back_and_never_looks_the_same() -> None:
    key, _ = ring(OLD).make(LEAD)
    one, other = key.seal(PLACE, PLAIN), key.seal(PLACE, PLAIN)
    assert one != other
    assert key.open(PLACE, one) == key.open(PLACE, other) == PLAIN
    assert len(one) == 12 + len(PLAIN) + 16


def test_the_cipher_is_the_standards() -> None:
    """AES-256-GCM of NIST SP 800-38D: McGrew and Viega's test case 16, by our interface."""
    secret = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    )
    sealed = LeadKey(secret, nonce=lambda _: nonce).seal("", plain)
    assert sealed[:12] == nonce
    assert sealed[12:-16].hex() == (
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
    )
    assert sealed[-16:].hex() == "b094dac5d93471bdec1a502270e3cc6c"


@pytest.mark.parametrize("bit", [0, 12 * 8, -1])
def test_a_flipped_bit_is_seen(bit: int) -> None:
    """In the nonce, the ciphertext and the tag."""
    key, _ = ring(OLD).make(LEAD)
    sealed = bytearray(key.seal(PLACE, PLAIN))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UnreadableError, match=PLACE):
        key.open(PLACE, bytes(sealed))


@pytest.mark.parametrize("length", [0, 11, 12, 27])
def test_what_is_cut_off_is_seen(length: int) -> None:
    key, _ = ring(OLD).make(LEAD)
    with pytest.raises(UnreadableError):
        key.open(PLACE, key.seal(PLACE, PLAIN)[:length])


@pytest.mark.parametrize(
    "place",
    [f"{OTHER}/1/lead.captured", f"{LEAD}/2/lead.captured", f"{LEAD}/1/lead.info-changed", ""],
)
def test_what_is_sealed_cannot_be_moved(place: str) -> None:
    key, _ = ring(OLD).make(LEAD)
    with pytest.raises(UnreadableError, match="was altered, or moved there"):
        key.open(place, key.seal(PLACE, PLAIN))


def test_a_leads_key_is_wrapped_for_this_lead_by_the_master_key_in_front() -> None:
    key, wrapped = ring(NEW, OLD).make(LEAD)
    sealed = key.seal(PLACE, PLAIN)
    assert (len(wrapped), wrapped[:8]) == (8 + 12 + 32 + 16, master_id(NEW))
    assert ring(OLD, NEW).unwrap(LEAD, wrapped).open(PLACE, sealed) == PLAIN
    with pytest.raises(UnreadableError):
        ring(NEW).unwrap(OTHER, wrapped)
    with pytest.raises(MasterKeyMissingError, match=master_id(NEW).hex()):
        ring(OLD).unwrap(LEAD, wrapped)


def test_a_key_wrapped_anew_is_the_same_key() -> None:
    key, wrapped = ring(OLD).make(LEAD)
    again = ring(NEW, OLD).rewrap(LEAD, wrapped)
    assert again[:8] == master_id(NEW)
    assert ring(NEW).unwrap(LEAD, again).open(PLACE, key.seal(PLACE, PLAIN)) == PLAIN


def test_a_master_key_that_comes_later_is_read_then() -> None:
    masters: list[bytes] = [OLD]

    def read() -> Sequence[bytes]:
        return tuple(masters)

    keys = Keyring(read)
    _, wrapped = ring(NEW).make(LEAD)
    with pytest.raises(MasterKeyMissingError):
        keys.unwrap(LEAD, wrapped)
    masters.insert(0, NEW)
    keys.unwrap(LEAD, wrapped)
    assert keys.make(OTHER)[1][:8] == master_id(NEW)


def test_no_key_shows_in_a_text() -> None:
    """A log line or a traceback with a key in it would be a leak."""
    key, _ = ring(OLD).make(LEAD)
    assert repr(key).startswith("<adapters.keyring.LeadKey object")
    assert OLD.decode() not in str(MasterKeyMissingError(master_id(OLD).hex()))
