"""The commands on a lead, a file per topic: their shape, and the decision that judges each."""
