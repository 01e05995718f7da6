#!/usr/bin/env python3
"""Hold documents on standard input to the OCI runtime-spec 1.1.0: config.md, config-linux.md.

Every member must be one that the specification knows, of the type that it has there, and those that
it requires must be there. Prints how many documents there were.
"""

import json
import sys

UINT = ("uint", None)


def need(kind):
    """A member that must be there."""
    return ("need", kind)


RULES = {
    "ociVersion": need(str),
    "process": {
        "terminal": bool,
        "cwd": need(str),
        "env": [str],
        "args": need([str]),
        "user": need({"uid": need(UINT), "gid": need(UINT), "umask": UINT, "additionalGids": [UINT]}),
        "capabilities": {set: [str] for set in
                         ("bounding", "effective", "inheritable", "permitted", "ambient")},
        "rlimits": [{"type": need(str), "soft": need(int), "hard": need(int)}],
        "noNewPrivileges": bool,
        "oomScoreAdj": int,
    },
    "root": {"path": need(str), "readonly": bool},
    "hostname": str,
    "domainname": str,
    "mounts": [{"destination": need(str), "type": str, "source": str, "options": [str]}],
    "annotations": ("map", str),
    "linux": {
        "namespaces": [{"type": need(str), "path": str}],
        "uidMappings": [{"containerID": need(UINT), "hostID": need(UINT), "size": need(UINT)}],
        "gidMappings": [{"containerID": need(UINT), "hostID": need(UINT), "size": need(UINT)}],
        "devices": [{"type": need(str), "path": need(str), "major": need(int), "minor": need(int),
                     "fileMode": UINT, "uid": UINT, "gid": UINT}],
        "cgroupsPath": str,
        "resources": {
            "devices": [{"allow": need(bool), "type": str, "major": int, "minor": int, "access": str}],
            "memory": {"limit": int, "swap": int},
            "cpu": {"shares": UINT, "quota": int, "period": UINT, "cpus": str, "mems": str},
            "pids": {"limit": need(int)},
        },
        "sysctl": ("map", str),
        "seccomp": {
            "defaultAction": need(str),
            "defaultErrnoRet": UINT,
            "architectures": [str],
            "syscalls": [{"names": need([str]), "action": need(str), "errnoRet": UINT,
                          "args": [{"index": need(UINT), "value": need(UINT), "valueTwo": UINT,
                                    "op": need(str)}]}],
        },
        "maskedPaths": [str],
        "readonlyPaths": [str],
    },
}

NAMESPACES = {"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"}


def judge(value, rule, place):
    """Complain with the place of what breaks a rule."""
    if isinstance(rule, tuple) and rule[0] == "need":
        rule = rule[1]
    if rule == UINT:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    elif isinstance(rule, tuple):
        good = isinstance(value, dict)
        for key in value:
            judge(value[key], rule[1], f"{place}.{key}")
    elif isinstance(rule, dict):
        good = isinstance(value, dict)
        for key in value:
            if key not in rule:
                sys.exit(f"{place}.{key}: the specification does not know it")
            judge(value[key], rule[key], f"{place}.{key}")
        for key, inner in rule.items():
            if isinstance(inner, tuple) and inner[0] == "need" and key not in value:
                sys.exit(f"{place}.{key}: it is not there")
    elif isinstance(rule, list):
        good = isinstance(value, list)
        for i, element in enumerate(value):
            judge(element, rule[0], f"{place}[{i}]")
    else:
        good = isinstance(value, rule) and (rule is bool or not isinstance(value, bool))
    if not good:
        sys.exit(f"{place}: {value!r} is of another type")


def judge_words(document):
    """What the types do not say."""
    kinds = [namespace["type"] for namespace in document["linux"]["namespaces"]]
    if len(set(kinds)) != len(kinds) or set(kinds) - NAMESPACES:
        sys.exit(f"namespaces: {kinds}")
    for name in document["process"]["capabilities"]["bounding"]:
        if not name.startswith("CAP_"):
            sys.exit(f"capability {name}")
    limits = [limit["type"] for limit in document["process"]["rlimits"]]
    if len(set(limits)) != len(limits):
        sys.exit(f"rlimits: {limits}: one of them twice")
    for mount in document["mounts"]:
        if not mount["destination"].startswith("/"):
            sys.exit(f"destination {mount['destination']}")
    if not document["process"]["cwd"].startswith("/"):
        sys.exit("cwd")


def main():
    """All documents, one behind the other."""
    text, at, count = sys.stdin.read(), 0, 0
    decoder = json.JSONDecoder()
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        judge(document, RULES, "config")
        judge_words(document)
        count += 1
    print(count)


main()
