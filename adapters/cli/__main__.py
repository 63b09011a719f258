"""`python -m adapters.cli`: the program, where its script is not on the path."""

from adapters.cli import main

main()
