#!/usr/bin/env python3
"""Question pairs from templates, as JSON lines {"class", "domain", "same", "a", "b"}: the same lines each time.

  make_pairs.py [--templates FILE] [--seed N] [--per-template N] [--same N]

`same` false: one value was put in the place of another, or two changed places, so that the question is another one
(at most --per-template pairs a template, half of them in other words too). `same` true: only the writing changed; of
these, class "other words" are two frames of one template with the same value (at most --same a template)."""
import argparse
import itertools
import json
import pathlib
import random
import sys


def arguments():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--templates", default=here / "pairs_templates.json")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-template", type=int, default=16)
    parser.add_argument("--same", type=int, default=6)
    return parser.parse_args()


def fill(frame, x, y=""):
    text = frame.replace("{x}", x).replace("{y}", y)
    return text[0].upper() + text[1:] if frame.startswith("{x}") and text else text


class Maker:
    def __init__(self, templates, options):
        self.lists = templates["lists"]
        self.templates = templates
        self.options = options
        self.random = random.Random(options.seed)
        self.seen = set()

    def values(self, spec):
        return self.lists[spec] if isinstance(spec, str) else spec

    def put(self, kind, domain, same, a, b):
        if a == b or (a, b) in self.seen:
            return
        self.seen.add((a, b))
        print(json.dumps({"class": kind, "domain": domain, "same": same, "a": a, "b": b}, ensure_ascii=False))

    def frames(self, template, number):
        """Two frames: the same one for every other pair, else two that say the same in other words."""
        frames = template["frames"]
        first = self.random.choice(frames)
        if number % 2 == 0 or len(frames) == 1 or template.get("same_frame"):
            return first, first
        return first, self.random.choice([f for f in frames if f != first])

    def replaced(self, template):
        skip = [set(pair) for pair in template.get("not", [])]
        pairs = [p for p in itertools.permutations(self.values(template["values"]), 2) if set(p) not in skip]
        self.random.shuffle(pairs)
        per = self.options.per_template
        for number, (x, y) in enumerate((pairs * per)[:max(per, 2)]):
            one, other = self.frames(template, number)
            self.put(template["class"], template["domain"], False, fill(one, x), fill(other, y))

    def swapped(self, template):
        pairs = list(itertools.permutations(self.values(template["swap"]), 2))
        self.random.shuffle(pairs)
        for number, (x, y) in enumerate((pairs * self.options.per_template)[:self.options.per_template]):
            one, other = self.frames(template, number)
            self.put(template["class"], template["domain"], False, fill(one, x, y), fill(other, y, x))

    def negated(self, template):
        values = self.values(template.get("values", [""]))
        choices = [(x, a, b) for x in values for a in template["sides"][0] for b in template["sides"][1]]
        self.random.shuffle(choices)
        for number, (x, a, b) in enumerate(choices[:self.options.per_template]):
            a, b = fill(a, x), fill(b, x)
            if number % 2:
                a, b = b, a
            self.put(template["class"], template["domain"], False, a, b)

    def change(self):
        for template in self.templates["change"]:
            if "swap" in template:
                self.swapped(template)
            elif "sides" in template:
                self.negated(template)
            else:
                self.replaced(template)

    # ---- what keeps the meaning -----------------------------------------------------------------------------------

    def other_words(self):
        for template in self.templates["change"]:
            if "sides" in template:
                groups = [(x, "", side) for x in self.values(template.get("values", [""])) for side in template["sides"]]
            elif template.get("same_frame"):
                continue
            elif "swap" in template:
                pairs = itertools.permutations(self.values(template["swap"]), 2)
                groups = [(x, y, template["frames"]) for x, y in pairs]
            else:
                groups = [(x, "", template["frames"]) for x in self.values(template["values"])]
            choices = [(x, y, a, b) for x, y, frames in groups for a, b in itertools.permutations(frames, 2)]
            self.random.shuffle(choices)
            for x, y, a, b in choices[:self.options.same]:
                self.put("other words", template["domain"], True, fill(a, x, y), fill(b, x, y))

    def rewritten(self, template):
        fillers = self.values(template.get("fill", [""]))
        choices = [(f, x, y) for f in template["frames"] for x, y in template["values"]]
        self.random.shuffle(choices)
        for frame, x, y in choices:
            if self.random.random() < 0.5:
                x, y = y, x
            filler = self.random.choice(fillers)
            self.put(template["kind"], "", True, fill(frame, x, filler), fill(frame, y, filler))

    def keep(self):
        for template in self.templates["keep"]:
            if template.get("from_change"):
                self.other_words()
            elif "values" in template:
                self.rewritten(template)
            else:
                for frame, name in itertools.product(template["frames"], template["transform"]):
                    self.put(template["kind"], name, True, frame, TRANSFORMS[name](frame))


def curly(text):
    out, inside = [], False
    for i, c in enumerate(text):
        before = text[i - 1] if i else " "
        if c == '"':
            out.append("\u201d" if inside else "\u201c")
            inside = not inside
        elif c == "'":
            out.append("\u2018" if before in " (" else "\u2019")
        else:
            out.append(c)
    return "".join(out)


def fullwidth(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" if c == " " else c for c in text)


def dashes(text):
    return text.replace(" - ", " \u2014 ").replace("0-2", "0\u20132").replace("3-7", "3\u20137")


TRANSFORMS = {
    "lower": str.lower,
    "upper": str.upper,
    "title": lambda text: " ".join(w[0].upper() + w[1:] for w in text.split(" ")),
    "curly": curly,
    "dashes": dashes,
    "fullwidth": fullwidth,
    "nbsp": lambda text: text.replace(" ", "\u00a0"),
    "spaces": lambda text: "  " + text.replace(" ", "  ") + "\n",
    "ellipsis": lambda text: text.rstrip("?") + "\u2026",
    "question": lambda text: text.rstrip("?") + "??",
}


def main():
    options = arguments()
    with open(options.templates, encoding="utf-8") as file:
        maker = Maker(json.load(file), options)
    maker.change()
    maker.keep()
    return 0


if __name__ == "__main__":
    sys.exit(main())
