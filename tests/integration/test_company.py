"""The company's facts: settled by the settings until the first event, fixed from then on."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import SimulatedClock, SystemClock
from adapters.company import open_company
from adapters.settings import Settings, StartupError
from tests.integration.api_client import begin_simulation
from tests.integration.report_log import Log, captured

PARIS = Settings(timezone="Europe/Paris", currency="EUR")


def test_before_the_first_event_the_settings_decide(dsn: str) -> None:
    first = open_company(dsn, Settings())
    assert (first.zone.key, first.currency, first.clock_kind) == ("Asia/Shanghai", "CNY", "real")
    changed = open_company(dsn, PARIS)
    assert (changed.zone.key, changed.currency) == ("Europe/Paris", "EUR")


def test_after_it_other_settings_are_refused_with_what_to_do(dsn: str) -> None:
    open_company(dsn, Settings())
    Log(dsn).append(captured("a", None))
    assert open_company(dsn, Settings()).currency == "CNY"
    with pytest.raises(StartupError, match="set LEADLOG_TIMEZONE=Asia/Shanghai or use another"):
        open_company(dsn, Settings(timezone="Europe/Paris"))
    with pytest.raises(StartupError, match="set LEADLOG_CURRENCY=CNY or use another"):
        open_company(dsn, Settings(currency="EUR"))
    with pytest.raises(StartupError, match="clock is real"):
        open_company(dsn, Settings(), clock="simulated")


def test_events_that_came_first_are_taken_to_mean_the_first_settings(dsn: str) -> None:
    Log(dsn).append(captured("a", None))
    open_company(dsn, PARIS)
    with pytest.raises(StartupError, match="timezone is Europe/Paris"):
        open_company(dsn, Settings())


def test_the_key_of_fingerprints_is_made_once_and_is_no_others(dsn: str) -> None:
    key = open_company(dsn, Settings()).ledger_key
    assert len(key) == 32
    assert open_company(dsn, Settings()).ledger_key == key


def test_a_real_database_runs_on_the_machines_clock(dsn: str) -> None:
    clock = open_company(dsn, Settings()).clock()
    assert isinstance(clock, SystemClock)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.anyio
async def test_a_simulated_one_goes_on_where_it_stood(dsn: str) -> None:
    stood = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
    await begin_simulation(dsn, stood)
    company = open_company(dsn, Settings())
    assert company.clock_kind == "simulated"
    assert timedelta(0) <= company.clock().now() - stood < timedelta(seconds=5)


def test_simulated_time_stands_still_and_never_goes_back() -> None:
    start = datetime(2024, 5, 1, tzinfo=UTC)
    clock = SimulatedClock(start)
    assert clock.now() == clock.now() == start
    clock.move_to(start + timedelta(days=1))
    clock.move_to(start)
    assert clock.now() == start + timedelta(days=1)
    running = SimulatedClock(start, running=True)
    assert running.now() < running.now()
