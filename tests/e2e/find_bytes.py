"""tests/e2e/find_bytes.py - look for secrets, byte for byte, in everything that a build has left.

    find_bytes.py NEEDLES PATH...

Each line of the file NEEDLES is looked for: as it is, in base64 (at each of the three places where
it may begin), in hex, and in the text of JSON. In files as they are and, for what is compressed, in
what they hold. Prints where something was found and ends with 1.
"""

import base64
import gzip
import json
import os
import subprocess
import sys


def spellings(line):
    yield 'plain', line
    yield 'hex', line.hex().encode()
    yield 'JSON', json.dumps(line.decode('latin-1'))[1:-1].encode()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + line)
        # without the characters that what stands before and behind decides, too
        yield 'base64', text[(0, 2, 3)[shift]:-4]


def contents(path):
    with open(path, 'rb') as file:
        data = file.read()
    yield data
    if data[:4] == b'\x28\xb5\x2f\xfd':
        yield subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE).stdout
    elif data[:2] == b'\x1f\x8b':
        yield gzip.decompress(data)


def files(path):
    if not os.path.isdir(path):
        yield path
        return
    for where, dirs, names in os.walk(path):
        for name in dirs + names:
            full = os.path.join(where, name)
            yield full


def main():
    with open(sys.argv[1], 'rb') as file:
        needles = [pair for line in file.read().split(b'\n') if line for pair in spellings(line)]
    assert needles and min(len(needle) for _, needle in needles) >= 8
    found = False
    count = 0
    for path in (name for top in sys.argv[2:] for name in files(top)):
        count += 1
        places = [os.fsencode(path)]
        if os.path.islink(path):
            places.append(os.fsencode(os.readlink(path)))
        elif os.path.isfile(path):
            places += contents(path)
        for attribute in os.listxattr(path, follow_symlinks=False):
            places.append(os.getxattr(path, attribute, follow_symlinks=False))
        for kind, needle in needles:
            if any(needle in place for place in places):
                print(f'{path}: {kind}')
                found = True
    assert count > 1, 'nothing was searched'
    return found


sys.exit(main())
