"""What a command with a key of its caller's is called, for ever: the ledger knows it by that."""

from uuid import UUID, uuid5

from commands.caller import Caller
from commands.leads import COMMANDS, _command_id

LI = Caller("user:李")


def test_the_same_key_of_the_same_caller_is_the_same_command() -> None:
    assert _command_id(LI, "k1") == uuid5(COMMANDS, "user:李\nk1")
    assert _command_id(LI, "k1") == UUID("5ce95d3d-8ec1-50ad-a28f-04bc0fbf4035")
    assert len({_command_id(LI, "k1"), _command_id(LI, "k2"), _command_id(Caller("x"), "k1")}) == 3


def test_without_a_key_every_command_is_another() -> None:
    assert _command_id(LI, None) != _command_id(LI, None)
