"""python -m muonscope ...: the commands that are Python's, and the program that is bundled with the package, e.g. --version."""

import importlib
import os
import sys
from typing import Dict

from ._library import Error
from ._program import program

# The module of this package whose main(arguments) is the command; it gives the exit status, or None for 0.
COMMANDS: Dict[str, str] = {
    "gguf": "_gguf",
    "prepare": "_prepare",
    "tensorboard": "_tensorboard",
}


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        try:
            sys.exit(importlib.import_module(f"{__package__}.{COMMANDS[sys.argv[1]]}").main(sys.argv[2:]))
        except (Error, ImportError, OSError) as error:
            sys.exit(f"muonscope: {error}")
    path = program()
    os.execv(path, [path, *sys.argv[1:]])


if __name__ == "__main__":
    main()
