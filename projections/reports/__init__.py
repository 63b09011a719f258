"""Reports: each is SQL over the read tables, pure text and arguments, run by an adapter.

`catalogue` names them all; a report's own file says what it counts.
"""
