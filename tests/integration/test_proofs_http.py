"""Proofs over HTTP, and exports: what an outsider needs to check a lead, and nothing personal."""

import json
import os
import subprocess
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import anyio
import msgspec
import pytest

from adapters.key_file import KeyFile
from adapters.lead_export import BadExport, Export, verify_export, write_export
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import public_keys
from adapters.signed_notes import Signer, Verifier, read_checkpoint
from tests import forked
from tests.integration.api_client import CONTACT, EMAIL, PHONE, Api, problem
from tests.integration.program import Program
from tests.proving import GoVerifier, build_verifier, checkpointed, fill
from tests.seed import SEED
from tests.size import size

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoVerifier:
    return build_verifier(tmp_path_factory.mktemp("go"))


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    monkeypatch.setenv("LEADLOG_SIGNING_KEY_FILE", str(tmp_path / "signing.key"))
    return KeyFile(tmp_path / "signing.key")


async def checkpoint_now(api: Api, keys: KeyFile) -> None:
    await anyio.to_thread.run_sync(checkpointed, api.dsn, keys)


def requests_of(body: dict[str, Any], verifier: str) -> list[dict[str, Any]]:
    """What Go is asked about the answer of a proof: nothing in it is taken on trust but the key."""
    checkpoint = read_checkpoint(body["checkpoint"], [Verifier.read(verifier)])
    lead = UUID(body["lead"])
    found = []
    for item in body["items"]:
        proof = [b64decode(one) for one in item["proof"]]
        found.append({
            "leaf": leaf(lead, item), "index": item["position"] - 1, "proof": proof,
            "size": checkpoint.size, "root": checkpoint.root,
        })  # fmt: skip
    return found


def leaf(lead: UUID, item: dict[str, Any]) -> bytes:
    """As docs/reference/proof.md has it, written here once more."""
    at = datetime.fromisoformat(item["recorded_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    us = (at.days * 86400 + at.seconds) * 1_000_000 + at.microseconds
    topic = item["topic"].encode()
    return (
        item["position"].to_bytes(8, "big") + lead.bytes + item["version"].to_bytes(8, "big")
        + us.to_bytes(8, "big") + len(topic).to_bytes(4, "big") + topic + b64decode(item["state"])
    )  # fmt: skip


async def test_a_leads_events_are_proven_and_later_ones_are_named(
    api: Api, keys: KeyFile, go: GoVerifier
) -> None:
    lead = await api.lead()
    await api.project()
    before = (await api.get(f"/v1/leads/{lead['code']}/proof", role="auditor")).json()
    assert (before["checkpoint"], before["items"]) == (None, [])
    assert len(before["uncovered"]) >= 1
    problem(await api.get("/v1/audit/checkpoint"), 404, "not-found")
    await checkpoint_now(api, keys)
    await api.post(f"/v1/leads/{lead['id']}/follow-ups", CONTACT)
    answer = await api.get(f"/v1/leads/{lead['id']}/proof", role="auditor")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert len(body["items"]) == len(before["uncovered"])
    assert body["uncovered"][0]["version"] == len(body["items"]) + 1
    [key] = (await api.get("/v1/audit/checkpoint")).json()["verifiers"]
    assert key["until"] is None
    requests = requests_of(body, key["verifier"])
    assert all(go.verdicts(requests))
    assert not any(go.verdicts([r | {"leaf": r["leaf"] + b"!"} for r in requests]))
    stored = b"".join(b64decode(item["state"]) for item in body["items"])
    for personal in (PHONE, EMAIL):
        assert personal not in answer.text
        assert personal.encode() not in stored


async def test_a_proof_comes_in_pages(api: Api, keys: KeyFile) -> None:
    lead = await api.lead()
    await checkpoint_now(api, keys)
    await api.post(f"/v1/leads/{lead['id']}/follow-ups", CONTACT)
    path = f"/v1/leads/{lead['id']}/proof"
    whole = (await api.get(path)).json()
    found, cursor = [], ""
    while cursor is not None:
        page = (await api.get(f"{path}?limit=2{cursor and '&cursor=' + cursor}")).json()
        found += [*page["items"], *page["uncovered"]]
        cursor = page["next"]
    assert found == [*whole["items"], *whole["uncovered"]]


async def test_a_page_has_at_most_fifty_proofs(api: Api, keys: KeyFile) -> None:
    lead = await api.lead()
    for path in (f"/v1/leads/{lead['id']}/proof?limit=51", f"/v1/leads/{lead['id']}/proof?limit=0"):
        assert (await api.get(path)).status_code == 422
    assert (await api.get(f"/v1/leads/{lead['id']}/proof?limit=50")).status_code == 200


async def test_a_position_that_no_checkpoint_covers_is_not_there_yet(
    api: Api, keys: KeyFile
) -> None:
    """Interface, section 3: min_position is never ignored."""
    await api.lead()
    paths = ("/v1/audit/checkpoint?", "/v1/audit/consistency?from=1&to=1&")
    for path in paths:
        problem(await api.get(f"{path}min_position=1"), 503, "unavailable")
    await checkpoint_now(api, keys)
    size = (await api.get("/v1/audit/checkpoint")).json()["size"]
    for path in paths:
        assert (await api.get(f"{path}min_position={size}")).status_code == 200
        late = await api.get(f"{path}min_position={size + 1}")
        problem(late, 503, "unavailable")
        assert int(late.headers["Retry-After"]) >= 1
        assert f"covers {size} events" in late.text


@pytest.mark.parametrize("role", ["sales", "supervisor", "marketing", "analyst"])
async def test_proofs_are_for_administrators_and_auditors(api: Api, role: str) -> None:
    lead = await api.lead()
    for path in ("audit/checkpoint", "audit/consistency?from=1&to=1", f"leads/{lead['id']}/proof"):
        problem(await api.get(f"/v1/{path}", role=role), 403, "forbidden")
    problem(await api.get(f"/v1/leads/{uuid4()}/proof", role="auditor"), 404, "not-found")


async def test_growth_is_proven_between_any_two_sizes(
    api: Api, keys: KeyFile, go: GoVerifier, tmp_path: Path
) -> None:
    rng = Random(SEED)
    notes = []
    for number in (300, 500):
        await anyio.to_thread.run_sync(fill, api.dsn, number, rng)
        await checkpoint_now(api, keys)
        notes.append((await api.get("/v1/audit/checkpoint")).json())
    old, new = notes
    answer = await api.get(f"/v1/audit/consistency?from={old['size']}&to={new['size']}")
    body = answer.json()
    assert (body["from_root"], body["to_root"]) == (old["root"], new["root"])
    paths = [tmp_path / name for name in ("old", "new", "proof")]
    for path, text in zip(paths, (old["note"], new["note"], answer.text), strict=True):
        path.write_text(text)
    key = new["verifiers"][0]["verifier"]
    assert go.run("consistency", *map(str, paths), key).stdout == "ok\n"
    paths[2].write_text(json.dumps({"proof": body["proof"][::-1]}))
    assert go.run("consistency", *map(str, paths), key).returncode == 1
    for sizes in ("from=0&to=5", "from=6&to=5", "from=1&to=801", "from=x&to=1", "to=5",
                  "from=1&to=99999999999999999999", "from=1&to=2&more=3"):  # fmt: skip
        refused = await api.get(f"/v1/audit/consistency?{sizes}")
        assert refused.status_code == 422, refused.text


@pytest.fixture
async def exported(api: Api, keys: KeyFile, tmp_path: Path) -> Path:
    """A lead's export, with other leads' events between its own."""
    lead = await api.lead()
    for _ in range(3):
        await api.lead(phone="13800001111", email="li@example.cn", customer="B制造有限公司")
        await api.post(f"/v1/leads/{lead['id']}/follow-ups", CONTACT)
    path = tmp_path / "lead.json"
    program = Program(api.dsn)
    said = await anyio.to_thread.run_sync(program, "audit", "export", lead["code"], "-o", str(path))
    assert str(path) in said
    return path


def key_of(dsn: str) -> str:
    with connect(dsn, "leadlog_auditor") as conn:
        [key] = public_keys(conn)
    return str(key.verifier)


def text_of(path: Path) -> str:
    return path.read_text()


def audit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`leadlog audit verify` without any database or settings."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith("LEADLOG_")}
    return forked.run("audit", "verify", *arguments, environment=bare)


async def test_an_export_verifies_offline_and_in_go(
    api: Api, exported: Path, go: GoVerifier, tmp_path: Path
) -> None:
    key = key_of(api.dsn)
    done = audit(str(exported), "--key", key)
    assert done.returncode == 0, done.stderr
    assert "versions 1 to" in done.stdout
    assert "NOT checked" not in done.stdout
    (tmp_path / "keys").write_text(f"# ours\n{key}\n")
    assert audit(str(exported), "--key-file", str(tmp_path / "keys")).returncode == 0
    assert "The key itself was NOT checked" in audit(str(exported)).stdout
    assert go.run("export", str(exported), key).stdout.startswith("ok: ")
    other = str(Signer.generate(key.partition("+")[0]).verifier)
    refused = audit(str(exported), "--key", other)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert go.run("export", str(exported), other).returncode == 1


async def test_an_export_holds_what_is_personal_as_ciphertext_only(exported: Path) -> None:
    text = text_of(exported)
    body = json.loads(text)["export"]
    stored = b"".join(b64decode(event["state"]) for event in body["events"])
    assert b'"sealed":' in stored
    assert [step["position"] for step in body["steps"]] == [e["position"] for e in body["events"]]
    assert all(step["in_words"] for step in body["steps"])
    for personal in (PHONE, EMAIL, "李经理", "A科技有限公司", CONTACT["content"]):
        assert personal not in text
        assert personal.encode() not in stored


async def test_an_erasure_changes_no_hash(
    api: Api, keys: KeyFile, exported: Path, go: GoVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was proven before is proven after, and the lead can still be exported (T13)."""
    monkeypatch.setenv("LEADLOG_DATA_DIR", str(exported.parent))
    program, key = Program(api.dsn), key_of(api.dsn)
    before = json.loads(text_of(exported))["export"]
    lead, note = before["lead"], exported.with_name("note")
    note.write_text(before["checkpoint"])
    program("erase", lead, "--reason", "request of the customer")
    assert "every event readable" in program("audit", "verify", "--against", str(note))
    assert go.run("export", str(exported), key).returncode == 0
    program("audit", "export", lead, "-o", str(exported))
    after = json.loads(text_of(exported))["export"]
    assert go.run("export", str(exported), key).returncode == 0
    same = len(before["events"])
    assert [e["state"] for e in after["events"][:same]] == [e["state"] for e in before["events"]]
    assert after["events"][-1]["topic"] == "lead.personal-data-erased"


async def test_no_change_of_an_export_passes(
    api: Api, exported: Path, go: GoVerifier, tmp_path: Path, keys: KeyFile
) -> None:
    """Neither of a byte, nor of a value by one who can sign but not rewrite the log."""
    print(f"SEED={SEED}")
    rng, data, key = Random(SEED), text_of(exported).encode(), key_of(api.dsn)
    trusted = [Verifier.read(key)]
    verify_export(data, trusted)
    changed = tmp_path / "changed.json"
    for number in range(size(150, 5_000)):
        at, bit = rng.randrange(len(data) - 1), 1 << rng.randrange(8)
        bad = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
        if is_the_same(bad, data):
            continue
        with pytest.raises(BadExport):
            verify_export(bad, trusted)
        if number % 10 == 0 and bad.lower() != data.lower():  # Go's JSON does not tell case
            changed.write_bytes(bad)
            assert go.run("export", str(changed), key).returncode == 1, (at, bit)
    for bad in forgeries(json.loads(data)["export"], keys.find(trusted[0])):
        with pytest.raises(BadExport):
            verify_export(bad, trusted)
        changed.write_bytes(bad)
        assert go.run("export", str(changed), key).returncode == 1


def is_the_same(one: bytes, other: bytes) -> bool:
    """The bytes outside `export` may be spelled in several ways."""
    try:
        a, b = json.loads(one), json.loads(other)
    except ValueError:
        return False
    end = other.rindex(b',\n"signature"')
    return bool(a == b and one[:end] == other[:end])


def forgeries(export: dict[str, Any], signer: Signer | None) -> list[bytes]:
    """Exports that are signed with the right key and say something that the log does not."""
    assert signer
    events = export["events"]
    other = {**events[1], "state": b64encode(b"{}").decode()}
    changes = [
        {"events": [events[0], other, *events[2:]]},
        {"events": events[1:]},
        {"events": [events[0], *events[2:]]},
        {"events": [events[1], events[0], *events[2:]]},
        {"events": [{**events[0], "position": events[0]["position"] + 1}, *events[1:]]},
        {"events": [{**events[0], "topic": "lead.assigned"}, *events[1:]]},
        {"events": [{**events[0], "recorded_at": "2024-05-01T01:15:00.000000Z"}, *events[1:]]},
        {"events": [{**events[0], "proof": events[0]["proof"][:-1]}, *events[1:]]},
        {"events": []},
        {"lead": str(uuid4())},
        {"origin": "leadlog.other"},
        {"format": "leadlog-lead-export/2"},
        {"checkpoint": export["checkpoint"].replace("\n", "\n1", 1)},
    ]
    return [write_export(msgspec.convert(export | change, Export), signer) for change in changes]


async def test_an_export_of_nobody_and_a_file_that_is_none_end_in_one_line(
    api: Api, exported: Path, tmp_path: Path
) -> None:
    program = Program(api.dsn)
    target = tmp_path / "none.json"
    for lead in (str(uuid4()), "XLSH19990101001"):
        program("audit", "export", lead, "-o", str(target), refused=f"no lead is called {lead}")
    assert not target.exists()
    target.write_text("{}")
    for arguments in ((str(target),), (str(tmp_path / "nothing"),), (str(exported), "--key", "x")):
        ended = audit(*arguments)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1), ended.stderr
    deep = '{"export": {"steps": ' + "[" * 100_000 + "]" * 100_000 + '}, "signature": "x"}'
    target.write_text(deep)
    ended = audit(str(target))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1), ended.stderr[-500:]
    assert "it is no export of a lead" in ended.stderr
    whole = json.loads(text_of(exported))["export"]
    first, *rest = whole["events"]
    for bad in ({"position": 2**63}, {"version": 2**63}, {"position": 0}):
        changed = {"export": whole | {"events": [first | bad, *rest]}, "signature": "x"}
        with pytest.raises(BadExport, match="it is no export of a lead"):
            verify_export(json.dumps(changed).encode(), None)
    nowhere = str(tmp_path / "no" / "such.json")
    code = json.loads(text_of(exported))["export"]["lead"]
    program("audit", "export", code, "-o", nowhere, refused="No such file")
