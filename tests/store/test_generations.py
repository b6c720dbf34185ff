"""A link that was read earlier never overwrites what was learned since."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.model import Side
from reconciler.ports import Store
from tests.store.samples import link


def test_an_older_form_of_a_link_is_not_stored_over_a_newer_one(store: Store) -> None:
    with store.transaction() as transaction:
        [old] = transaction.save_links([link(1)])
    newer = replace(old, generation=old.generation + 1, drops=1)
    with store.transaction() as transaction:
        transaction.save_links([newer])
    with pytest.raises(LookupError), store.transaction() as transaction:
        transaction.save_links([replace(old, drops=7)])
    assert store.links_by(Side.CRM, [old.crm.id])[old.crm.id].drops == 1
