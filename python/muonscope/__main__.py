"""python -m muonscope ...: the program that is bundled with the package, e.g. python -m muonscope --version."""

import os
import sys

from ._program import program


def main() -> None:
    path = program()
    os.execv(path, [path, *sys.argv[1:]])


if __name__ == "__main__":
    main()
