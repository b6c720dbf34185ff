"""`python -m tests.mutants [name ..]`: each mutant, the rule that it breaks, and the tests that caught it now."""

from __future__ import annotations

import sys

from tests.mutants.catalogue import CATALOGUE, SURVIVORS
from tests.mutants.trial import run


def main(names: list[str]) -> int:
    """Run every mutant, or those named, and print what caught it. Returns 1 if one of the catalogue was not caught."""
    chosen = [mutant for mutant in CATALOGUE if not names or mutant.name in names]
    missed = 0
    for mutant in chosen:
        trial = run(mutant.killers, mutant)
        caught = [node.rpartition("::")[2] for node in mutant.killers if not trial.passed(node)]
        missed += trial.mishaps != [] or len(caught) < len(mutant.killers)
        print(f"{mutant.name}\n    {mutant.rule}\n    caught by {', '.join(caught) or 'NOTHING'}", flush=True)
        for mishap in trial.mishaps:
            print(f"    MISHAP {mishap}", flush=True)
    for mutant in SURVIVORS:
        print(f"{mutant.name}\n    {mutant.rule}\n    survives, as it may", flush=True)
    print(f"{len(chosen)} mutants, {len(chosen) - missed} caught; {len(SURVIVORS)} may survive")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
