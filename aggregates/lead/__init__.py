"""The lead: one stream per lead, from the first tagging to conversion or loss, for ever."""
