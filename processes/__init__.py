"""Process managers: `react(event, state) -> commands`, `on_due(deadline) -> commands`, pure."""
