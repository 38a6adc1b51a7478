"""`./run bench NAME [options]`: what can be measured, and the one that is wanted."""

import importlib
import pkgutil
import sys
from pathlib import Path

SUPPORT = {"__main__", "machine", "peer", "stores"}


def names() -> list[str]:
    folder = str(Path(__file__).parent)
    found = {each.name for each in pkgutil.iter_modules([folder])} - SUPPORT
    return sorted(name for name in found if not name.endswith("_app"))


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["all"]:
        arguments = ["everything", *arguments[1:]]
    if not arguments or arguments[0] not in names():
        print("What can be measured:")
        for name in names():
            module = importlib.import_module(f"tests.bench.{name}")
            print(f"  {name:<12} {(module.__doc__ or '').strip().splitlines()[0]}")
        return 0 if not arguments else 2
    return int(importlib.import_module(f"tests.bench.{arguments[0]}").main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
