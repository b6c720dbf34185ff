"""All mutants of the design, and those that may survive."""

from __future__ import annotations

from typing import Final

from tests.mutants.conflicts import CONFLICTS
from tests.mutants.mutant import Mutant
from tests.mutants.pairing import PAIRING
from tests.mutants.reading import READING
from tests.mutants.writing import WRITING

CATALOGUE: Final = (*WRITING, *PAIRING, *CONFLICTS, *READING)

SURVIVORS: Final[tuple[Mutant, ...]] = ()
