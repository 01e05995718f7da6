#!/usr/bin/env python3
"""swap.py A B: exchange two names (renameat2, RENAME_EXCHANGE), again and again, until standard input ends.

Both names are there at every moment; what is behind them changes. Says how often it did.
"""

import ctypes
import os
import select
import sys

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def main():
    """Exchange for as long as somebody holds the other end of our input."""
    libc = ctypes.CDLL(None, use_errno=True)
    a, b = (name.encode() for name in sys.argv[1:3])
    count = 0
    while True:
        for _ in range(1000):
            if libc.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0:
                sys.exit(f"renameat2: {os.strerror(ctypes.get_errno())}")
        count += 1000
        if select.select([0], [], [], 0)[0]:
            break
    print(count)


main()
