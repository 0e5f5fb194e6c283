"""``python -m benchmarks [endpoints|handler|publish|realtime]``: all of it, or one part."""

from __future__ import annotations

import sys
from importlib import import_module

from .report import Target, print_targets

PARTS = ("endpoints", "handler", "publish", "realtime")


def main() -> int:
    chosen = sys.argv[1:] or PARTS
    unknown = set(chosen) - set(PARTS)
    if unknown:
        print(f"Unknown: {', '.join(sorted(unknown))}. The parts are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    targets: list[Target] = []
    for part in chosen:
        targets += import_module(f"benchmarks.{part}").main()
    print_targets(targets)
    return 0 if all(target.is_met for target in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
