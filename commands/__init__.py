"""The write side: validated commands, one load-decide-append loop, the ports it needs."""
