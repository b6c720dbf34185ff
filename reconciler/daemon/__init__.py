"""The daemon: connections kept in step for months, each with its own schedule, lease, state and troubles.

running      starts, reloads and stops; signals, the config's folder, systemd
keeper       one connection: cycles, sweeps and people's requests take turns
scheduler    when
stopping     how to end in the middle of work without leaving anything half done
happening    what the keepers tell; narrator: the same as log lines, metrics: as numbers
herald       the same as notices that leave the machine
web          metrics and health over HTTP
"""
