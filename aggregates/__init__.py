"""The pure domain: values in, events out; standard library only.

One package per aggregate. `events.py` says what can happen, `state.py` folds it (evolve never
refuses), and one file per topic decides whether it may happen now (decide refuses with a reason).
Clocks, ids and storage stay outside.
"""
