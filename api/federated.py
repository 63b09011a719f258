"""Logins by another issuer: it says who somebody is, our directory whether they may, and what."""

from collections.abc import Mapping
from typing import Protocol

from commands.access import Identity, Unproven
from commands.caller import Principal
from commands.register import Register, Registry

UNKNOWN = "nobody active in the directory has the {} of this token: an administrator adds them"


class Issuer(Protocol):
    """Verifies an issuer's tokens."""

    def familiar(self, token: str) -> bool:
        """Whether the token was good when it was verified last."""
        ...

    async def identity(self, token: str) -> Identity:
        """Whom it is of; Unproven with the reason, Unavailable when that cannot be told now."""
        ...


class Federated:
    """The people whom an issuer's tokens are of."""

    def __init__(self, issuer: Issuer, registry: Registry) -> None:
        self._issuer = issuer
        self._registry = registry
        self._addresses: tuple[Register | None, Mapping[str, list[str]]] = None, {}

    def familiar(self, token: str) -> bool:
        """Whether the token was good when it was verified last."""
        return self._issuer.familiar(token)

    async def principal(self, token: str) -> Principal:
        """The active person with a role whom the token is of; Unproven for anybody else."""
        identity = await self._issuer.identity(token)
        register = await self._registry.current()
        names = [identity.value]
        if identity.claim == "email":
            if not identity.value.isascii():  # in lower case, the Kelvin sign is a k
                raise Unproven("the e-mail address of this token is not ASCII: no person has it")
            names = self._by_address(register).get(identity.value.lower(), [])
        people = {name: register.people[name] for name in names if name in register.people}
        found = [(n, p.role) for n, p in people.items() if p.active and p.role]
        if len(found) > 1:
            raise Unproven("several people have this token's e-mail address in the directory")
        for name, role in found:
            return Principal(name, role)
        raise Unproven(UNKNOWN.format(identity.claim))

    def _by_address(self, register: Register) -> Mapping[str, list[str]]:
        """Names by address in lower case."""
        if self._addresses[0] is not register:
            found: dict[str, list[str]] = {}
            for name, person in register.people.items():
                if person.email:
                    found.setdefault(person.email.lower(), []).append(name)
            self._addresses = register, found
        return self._addresses[1]
