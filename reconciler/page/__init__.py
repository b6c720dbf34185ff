"""The status page: what the state says, for people, in Vietnamese and English. It only reads.

`routes.page` makes the one thing to mount. A request opens the state read-only, `views` turns it into plain data (what
`status`, `why`, `history` and `report` print too), a template into HTML. What takes long is an errand (`errands`).
"""
