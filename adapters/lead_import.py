"""`import leads`: every row of a file through the real capture command, many side by side.

What became of the rows is told in their order. A row has a name within its source (its key), which
names its command, too: so a row is entered once, however often and by whomever its file is
imported, and an import that was killed is simply started again. A row that says something else
than when it was entered is told apart and changes nothing.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

from adapters.lead_file import LeadFile
from adapters.row_file import Row
from aggregates.lead.state import Lead, Suspicion
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.lead.imported import ImportLead
from commands.lead_rows import Fault, Faulty, LeadRows
from commands.leads import LeadCommands, Named
from commands.loop import CommandLoop
from commands.ports import EventLog

IN_FLIGHT = 256
TELL_EVERY = 500

Status = Literal["new", "there", "changed", "refused"]


class Twin(NamedTuple):
    """Another lead that may be the same one: what is equal, its row's line if it is in this file,
    its code if that was asked for.
    """

    certain: bool
    by: tuple[str, ...]
    line: int | None
    code: str | None


class Outcome(NamedTuple):
    """What became of a row; with its `code` when it is new, else with its faults."""

    row: Row
    status: Status
    faults: tuple[Fault, ...] = ()
    code: str | None = None
    twins: tuple[Twin, ...] = ()


@dataclass(slots=True)
class Tally:
    """What came of an import: rows by status, new leads with twins by (certain, in this file)."""

    rows: Counter[Status] = field(default_factory=Counter)
    twins: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count a row; a new lead counts once for each kind of twin that it has."""
        self.rows[outcome.status] += 1
        self.twins.update({(twin.certain, twin.line is not None) for twin in outcome.twins})


class LeadImport:
    """Enters the rows of one file. `commands` and `loop` work on `log`; it may be a rehearsal."""

    def __init__(
        self,
        file: LeadFile,
        rows: LeadRows,
        source: str,
        commands: LeadCommands,
        loop: CommandLoop[Lead],
        log: EventLog,
        *,
        codes_of_twins: bool = False,
    ) -> None:
        self._file = file
        self._rows = rows
        self._source = source
        self._caller = Caller(f"import:{source}")
        self._commands = commands
        self._loop = loop
        self._log = log
        self._codes_of_twins = codes_of_twins
        self._lines: dict[int, int] = {}  # where a lead stands in the file, by half of its id

    async def run(
        self, tell: Callable[[Outcome], object], progress: Callable[[int], object]
    ) -> Tally:
        """Enter everything; `tell` hears of each row, `progress` of the bytes read.

        Raises Unreadable or Unavailable; the rows told of are in.
        """
        started, tally = time.monotonic(), Tally()
        async for outcome in self._outcomes():
            tally.add(outcome)
            tell(outcome)
            if tally.rows.total() % TELL_EVERY == 0:
                progress(self._file.read_bytes())
        tally.seconds = time.monotonic() - started
        return tally

    async def _outcomes(self) -> AsyncIterator[Outcome]:
        """The outcomes in the order of the rows, of which a window is under way."""
        window: deque[asyncio.Future[Outcome]] = deque()
        rows = iter(self._file)
        fault: Exception | None = None
        try:
            while fault is None or window:
                while fault is None and len(window) < IN_FLIGHT:
                    try:
                        window.append(self._begin(next(rows)))
                    except Exception as error:  # noqa: BLE001 - raised behind the rows before it
                        fault = error
                if window:
                    yield await window.popleft()
        finally:
            for left in window:
                left.cancel()
        if not isinstance(fault, StopIteration):
            raise fault

    def _begin(self, row: Row) -> "asyncio.Future[Outcome]":
        """Judge the row itself at once, its lead with others."""
        loop = asyncio.get_running_loop()
        try:
            return loop.create_task(self._enter(row, *self._read(row)))
        except Faulty as error:
            refused: asyncio.Future[Outcome] = loop.create_future()
            refused.set_result(Outcome(row, "refused", error.faults))
            return refused

    def _read(self, row: Row) -> tuple[ImportLead, str, Named]:
        """The command of a row, its key and its names; raises Faulty."""
        if row.fault:
            raise Faulty([Fault("", row.fault)])
        key, external_id, lead = self._rows.row(row.cells)
        command = ImportLead.model_construct(
            lead=lead, system=self._source, external_id=external_id
        )
        named = self._commands.named(command, lead=None, caller=self._caller, key=key)
        line = self._lines.setdefault(_half(named.stream), row.line)
        if line != row.line:
            raise Faulty([Fault(self._rows.key, f"names the same lead as line {line}")])
        return command, key, named

    async def _enter(self, row: Row, command: ImportLead, key: str, named: Named) -> Outcome:
        if noted := await self._log.find(named.command_id):
            if noted.fingerprint == named.fingerprint:
                return Outcome(row, "there")
            fault = Fault(self._rows.key, "is in already and says something else: change it there")
            return Outcome(row, "changed", (fault,))
        # A lead that is new, as far as anybody knows, need not be looked up.
        self._loop.remember(named.stream, Lead(named.stream))
        try:
            reply = await self._commands.execute(
                command, lead=None, caller=self._caller, key=key, named=named
            )
        except Refusal as refusal:
            if refusal.code == "already-captured":  # by a history of the same system
                return Outcome(row, "there")
            column = self._rows.column(refusal.field or "")
            return Outcome(row, "refused", (Fault(column, refusal.message),))
        twins = [await self._twin(*suspect) for suspect in reply.state.suspects.items()]
        code = reply.state.code if reply.position else None  # none was given in a rehearsal
        return Outcome(row, "new", (), code, tuple(twins))

    async def _twin(self, other: UUID, suspicion: Suspicion) -> Twin:
        code = None
        if self._codes_of_twins:
            code = (await self._loop.read(other)).code
        return Twin(suspicion.certain, suspicion.by, self._lines.get(_half(other)), code)


def _half(stream: UUID) -> int:
    """Half of an id: no two of a billion leads have the same, and it takes half the memory."""
    return stream.int & (2**63 - 1)
