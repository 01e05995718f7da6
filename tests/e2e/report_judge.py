#!/usr/bin/env python3
# report_judge.py PAGE DOCUMENT - whether a page is sound and stands alone, and has the numbers of the document.
import json
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "dl", "dt", "dd", "div", "table", "tr",
    "th", "td", "ul", "li", "code", "pre", "b", "span", "data", "svg", "text", "rect",
}


class Judge(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.numbers, self.text, self.bad = [], [], "", []

    def look(self, tag, attrs):
        if tag not in ALLOWED:
            self.bad.append(f"tag {tag}")
        for name, value in attrs:
            if name in ("href", "src") or name.startswith("on") or "url(" in (value or ""):
                self.bad.append(f"attribute {name}={value}")
        if tag == "data":
            self.numbers.append(int(dict(attrs)["value"]))

    def handle_starttag(self, tag, attrs):
        self.look(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.look(tag, attrs)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"end of {tag}")

    def handle_data(self, data):
        self.text += data


with open(sys.argv[1], encoding="utf-8") as f:
    page = f.read()
with open(sys.argv[2], encoding="utf-8") as f:
    document = json.load(f)
judge = Judge()
judge.feed(page)
judge.close()
bad = judge.bad + [f"open {tag}" for tag in judge.open]
bad += [f"control {c!r}" for c in set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", page))]
if "@import" in page or re.search(r"<style>.*url\(", page, re.S):
    bad.append("style that fetches")

wanted = [document["duration"], document["critical_path"]["duration"]] if document["critical_path"]["steps"] else [
    document["duration"]]
wanted += [s["duration"] for s in document["steps"] if s["critical"]]
for step in document["steps"]:
    wanted += [step[k] for k in ("duration", "cpu_time", "memory_peak") if k in step]
for image in document["images"]:
    for layer in image["layers"]:
        wanted += [layer[k] for k in ("size", "uncompressed", "wasted") if k in layer]
    if image.get("waste", {}).get("biggest"):
        wanted += [image["waste"]["bytes"]] + [file["size"] for file in image["waste"]["biggest"]]
if judge.numbers != wanted:
    bad.append(f"numbers {judge.numbers}, not {wanted}")
if "error" in document and "failed" not in judge.text:
    bad.append("no word of the failure")
print("\n".join(bad))
sys.exit(bool(bad))
