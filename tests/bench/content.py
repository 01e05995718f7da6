"""content: what goes into contexts and bases: texts, trees, root filesystems."""

import glob
import itertools
import multiprocessing
import os
import random
import shutil
import subprocess
import sys

from measure import Failed, run

HERE = os.path.dirname(os.path.abspath(__file__))
TEXT = 32 * 1000 * 1000
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
NPM = """FROM base AS packages
ARG REGISTRY
WORKDIR /srv/app
COPY certificates.pem /
ENV npm_config_registry=$REGISTRY npm_config_cafile=/certificates.pem \\
    npm_config_update_notifier=false
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund

FROM packages AS tested
COPY app.js test.js ./
RUN npm test && touch passed

FROM packages AS production
RUN npm prune --omit=dev --offline --no-audit --no-fund

FROM base
WORKDIR /srv/app
COPY --from=tested /srv/app/passed /srv/app/app.js /srv/app/package.json ./
COPY --from=production /srv/app/node_modules node_modules
CMD ["node", "app.js"]
"""
APT = """FROM base
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends python3
RUN useradd --system --uid 900 --home-dir /srv/app app && install -d -o app -m 0750 /srv/data
COPY app.py /srv/app/
WORKDIR /srv/app
USER app
CMD ["python3", "app.py"]
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def recipe(context, *lines):
    write(f"{context}/Recipe", "\n".join(lines) + "\n")


def apart(function, *args):
    """Call in another process: what it takes of memory is given back."""
    process = multiprocessing.Process(target=function, args=args)
    process.start()
    try:
        process.join()
    finally:
        process.kill()
    if process.exitcode:
        sys.exit(f"{function.__name__} has failed")


def source_text(rng, size):
    """Text that zstd -3 takes as it takes sources: 4.5:1 at 290 MB/s where the standard library
    of Python 3.11 is 4.4:1 at 300 MB/s, and packages of Node.js 4.8:1 at 300 MB/s."""
    words = ["".join(rng.choices("etaoinsrhldcumfpgwybvk_", k=rng.randint(2, 10)))
             for _ in range(3000)]
    rank = list(itertools.accumulate(1 / (n + 1) for n in range(len(words))))

    def line():
        return ("\t" * rng.randint(0, 3) +
                " ".join(rng.choices(words, cum_weights=rank, k=rng.randint(2, 9))) +
                rng.choice((";", "();", " {", "")) + "\n")

    known = [line() for _ in range(20000)]
    rank_known = list(itertools.accumulate(1 / (n + 30) for n in range(len(known))))
    text, length = [], 0
    while length < size:
        chosen = rng.choices(known, cum_weights=rank_known, k=70) + [line() for _ in range(30)]
        rng.shuffle(chosen)
        text += chosen
        length += sum(map(len, chosen))
    return "".join(text).encode()[:size]


def tree(directory, count, total):
    """Files of varied size with the text of sources, in 200 directories."""
    rng = random.Random(7)
    mean = total // count
    text = source_text(rng, min(TEXT, 100 * mean + total // 4))
    for number in range(count):
        path = f"{directory}/d{number % 200:03}/f{number:06}.c"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        length = int(mean * rng.uniform(0.2, 1.8))
        begin = rng.randrange(len(text) - length)
        with open(path, "wb") as file:
            file.write(text[begin:begin + length])


def mixed(path, size):
    """A file, three quarters text of sources and a quarter noise, in turns of up to 16 MiB."""
    rng = random.Random(11)
    part = min(size, 1 << 24)
    turn = source_text(rng, max(part // 4, 1)) * 3 + rng.randbytes(part // 4)
    turn += b"." * (part - len(turn))
    with open(path, "wb") as file:
        while (left := size - file.tell()) > 0:
            # No two turns are the same, so that no window finds the noise again.
            file.write((turn[:-8] + rng.randbytes(8))[:left] if left >= part else turn[:left])


def small_base(top, data=0):
    """A root filesystem of one busybox, and perhaps /data, so many bytes of it: a tar."""
    root = f"{top}/rootfs"
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(f"{root}/bin")
    if data:
        apart(mixed, f"{root}/data", data)
    shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
    for applet in ("sh", "cat", "echo", "true", "mkdir", "rm", "seq"):
        os.symlink("busybox", f"{root}/bin/{applet}")
    run(["tar", "-C", root, "-cf", f"{top}/base.tar", "."])
    return f"{top}/base.tar"


def debian_base(top, *options):
    """The distribution of this machine, from where it gets its packages and as it gets them."""
    if not (shutil.which("mmdebstrap") and shutil.which("apt-config")):
        raise Failed("no mmdebstrap(1) or no apt")
    sources = [path for path in ["/etc/apt/sources.list",
                                 *glob.glob("/etc/apt/sources.list.d/*.sources"),
                                 *glob.glob("/etc/apt/sources.list.d/*.list")]
               if os.path.exists(path) and os.path.getsize(path)]
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries")
    config = [line for line in run(["apt-config", "dump"]).splitlines()
              if line.startswith(wanted)]
    write(f"{top}/apt.conf", "\n".join(config) + "\n")
    name = run(["sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME"]).strip()
    run(["mmdebstrap", "--quiet", "--mode=root", *options, f"--aptopt={top}/apt.conf", name,
         f"{top}/base.tar", *sources])
    return f"{top}/base.tar"


def proxies():
    """What a build has to know of the proxies of this machine: options, and their values."""
    env = {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
    return [word for name in env for word in ("--build-arg", name)], env


def apt_context(context, _scale):
    write(f"{context}/Recipe", APT)
    write(f"{context}/app.py", "print(42)\n")


def npm_configured(name):
    done = subprocess.run(["npm", "config", "get", name], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return done.stdout.decode().strip()


def npm_context(context, _scale):
    if not shutil.which("npm"):
        raise Failed("no npm(1)")
    write(f"{context}/Recipe", NPM)
    for path in glob.glob(f"{HERE}/../e2e/npm/*"):
        shutil.copy(path, context)
    places = (npm_configured("cafile"), os.environ.get("NODE_EXTRA_CA_CERTS", ""),
              "/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(next(path for path in places if os.path.isfile(path)),
                f"{context}/certificates.pem")


def npm_arguments():
    return ["--build-arg", "REGISTRY=" + npm_configured("registry")]
