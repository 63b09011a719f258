"""The company's rules as data: a small frozen dataclass per kind, its defaults the brief's values.

A rule book is checked when it is made (ValueError says what to do), so a decision never meets a
bad one. `book.py` lists the kinds; versions are events of one stream per kind.
"""
