"""The algorithm: functions from values to values, standard library only.

No clock, no settings, no log, no database and no network in here; what a function needs is in its arguments.
"""
