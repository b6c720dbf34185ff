"""Notices that leave the machine: by mail and to a webhook, when a person should look, and once a day.

situation    what a state says now: troubles, and what waits for a person
watching     which of that is worth telling, given what was told before: pure
digest       the daily one, with the journal's head
notice       one notice: its words in either language, its form in the state
courier      carries notices one way, with a few repeats, and never lets anybody wait
mail, webhook  the two ways
"""
