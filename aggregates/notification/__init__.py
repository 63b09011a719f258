"""What became of a message to a person: sent, given up, tried again, read."""
