"""`python -m tests.mutants`: the table of mutants, the rule that each one breaks, and the tests that caught it now."""

from __future__ import annotations

import sys

from tests.mutants.catalogue import CATALOGUE, SURVIVORS
from tests.mutants.trial import run


def main() -> int:
    """Run every mutant and print what caught it. Returns 1 if one of the catalogue was not caught."""
    missed = 0
    for mutant in CATALOGUE:
        trial = run(mutant.killers, mutant)
        caught = [node.rpartition("::")[2] for node in mutant.killers if not trial.passed(node)]
        missed += trial.mishaps != [] or len(caught) < len(mutant.killers)
        print(f"{mutant.name}\n    {mutant.rule}\n    caught by {', '.join(caught) or 'NOTHING'}", flush=True)
        for mishap in trial.mishaps:
            print(f"    MISHAP {mishap}", flush=True)
    for mutant in SURVIVORS:
        print(f"{mutant.name}\n    {mutant.rule}\n    survives, as it may", flush=True)
    print(f"{len(CATALOGUE)} mutants, {len(CATALOGUE) - missed} caught; {len(SURVIVORS)} may survive")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
