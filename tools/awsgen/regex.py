"""Java's regular expressions, as far as the models use them, to programs for src/aws/regex.c.

A program is run as a set of states over the value's code points, so a match takes at most (length x instructions) steps. What
the machine cannot do (look-around, back references, class intersections) is refused here, at build time.
"""
import unicodedata

MAX_INSTRUCTIONS = 1024
LAST = 0x10FFFF


class Unsupported(Exception):
    pass


def merge(ranges):
    out = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(out[-1][1], last))
        else:
            out.append((first, last))
    return tuple(out)


def negate(ranges):
    out, at = [], 0
    for first, last in merge(ranges):
        if first > at:
            out.append((at, first - 1))
        at = last + 1
    if at <= LAST:
        out.append((at, LAST))
    return tuple(out)


DIGIT = ((0x30, 0x39),)
WORD = merge([(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)])
SPACE = merge([(0x09, 0x0D), (0x20, 0x20)])
DOT = negate([(0x0A, 0x0A), (0x0D, 0x0D), (0x85, 0x85), (0x2028, 0x2029)])
SETS = {"d": DIGIT, "D": negate(DIGIT), "w": WORD, "W": negate(WORD), "s": SPACE, "S": negate(SPACE)}
SIMPLE = {"t": 0x09, "n": 0x0A, "r": 0x0D, "f": 0x0C}
_categories = {}


def category(letter):
    if letter not in _categories:
        if letter not in ("L", "Z", "N", "P", "S", "M"):
            raise Unsupported("\\p{%s}" % letter)
        _categories[letter] = merge(
            (c, c) for c in range(LAST + 1) if unicodedata.category(chr(c)).startswith(letter))
    return _categories[letter]


# "Not blank": of EMR's members, which in users' hands hold several lines (sparkSubmitParameters, arguments), though Java's '.' is no line break.
NOT_BLANK = r".*\S.*"


class Parser:
    def __init__(self, text):
        self.text, self.at = text, 0
        self.dot = ((0, LAST),) if text == NOT_BLANK else DOT

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, expected=None):
        c = self.peek()
        if not c or (expected and c != expected):
            raise Unsupported("at %d: %r where %r was expected" % (self.at, c, expected or "more"))
        self.at += 1
        return c

    def parse(self):
        node = self.alternatives()
        if self.peek():
            raise Unsupported("at %d: stray %r" % (self.at, self.peek()))
        return node

    def alternatives(self):
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else ("or", branches)

    def sequence(self):
        items = []
        while self.peek() and self.peek() not in "|)":
            items.append(self.repeated(self.atom()))
        return ("seq", items)

    def repeated(self, node):
        while self.peek() and self.peek() in "*+?{":
            c = self.take()
            if c == "{":
                end = self.text.index("}", self.at)
                low, _, high = self.text[self.at:end].partition(",")
                bounded = "," in self.text[self.at:end]
                self.at = end + 1
                low = int(low)
                high = (int(high) if high else None) if bounded else low
            else:
                low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[c]
            if self.peek() == "+":
                raise Unsupported("possessive repetition")
            if self.peek() == "?":  # lazy: the same language when the whole value must match
                self.take()
            node = ("repeat", node, low, high)
        return node

    def atom(self):
        c = self.take()
        if c == "(":
            if self.peek() == "?":
                self.take()
                if self.take() != ":":
                    raise Unsupported("look-around")
            node = self.alternatives()
            self.take(")")
            return node
        if c == "[":
            return ("class", self.char_class())
        if c == ".":
            return ("class", self.dot)
        if c == "^":
            return ("begin",)
        if c == "$":
            return ("end",)
        if c == "\\":
            value = self.escape()
            return ("class", value if isinstance(value, tuple) else ((value, value),))
        if c in "*+?{":
            raise Unsupported("nothing to repeat")
        return ("class", ((ord(c), ord(c)),))

    def escape(self):
        """One code point, or a tuple of ranges."""
        c = self.take()
        if c in SETS:
            return SETS[c]
        if c in SIMPLE:
            return SIMPLE[c]
        if c == "u":
            digits = self.text[self.at:self.at + 4]
            self.at += 4
            return int(digits, 16)
        if c == "x":
            digits = self.text[self.at:self.at + 2]
            self.at += 2
            return int(digits, 16)
        if c in "pP":
            self.take("{")
            end = self.text.index("}", self.at)
            ranges = category(self.text[self.at:end])
            self.at = end + 1
            return ranges if c == "p" else negate(ranges)
        if c.isalnum():
            raise Unsupported("\\" + c)
        return ord(c)

    def char_class(self):
        inverted = self.peek() == "^"
        if inverted:
            self.take()
        ranges, first = [], True
        while self.peek() != "]" or first:
            first = False
            c = self.take()
            if c == "[" or (c == "&" and self.peek() == "&"):
                raise Unsupported("class union or intersection")
            low = self.escape() if c == "\\" else ord(c)
            if isinstance(low, tuple):
                ranges.extend(low)
                continue
            if self.peek() == "-" and self.text[self.at + 1:self.at + 2] not in ("]", ""):
                mark = self.at
                self.take()
                c = self.take()
                high = self.escape() if c == "\\" else ord(c)
                if isinstance(high, tuple):  # [.-\w]: the '-' is itself
                    self.at = mark
                    ranges.append((low, low))
                    continue
                if high < low:
                    raise Unsupported("range out of order")
                ranges.append((low, high))
            else:
                ranges.append((low, low))
        self.take("]")
        return negate(ranges) if inverted else merge(ranges)


def compile_pattern(text):
    """A list of ('class', ranges) | ('split', x, y) | ('jump', x) | ('begin',) | ('end',) | ('match',)."""
    program = []

    def emit(node):
        kind = node[0]
        if kind == "seq":
            for item in node[1]:
                emit(item)
        elif kind == "or":
            ends = []
            for branch in node[1][:-1]:
                split = len(program)
                program.append(None)
                emit(branch)
                ends.append(len(program))
                program.append(None)
                program[split] = ("split", split + 1, len(program))
            emit(node[1][-1])
            for end in ends:
                program[end] = ("jump", len(program))
        elif kind == "repeat":
            _, inner, low, high = node
            for _ in range(low):
                emit(inner)
            if high is None:
                split = len(program)
                program.append(None)
                emit(inner)
                program.append(("jump", split))
                program[split] = ("split", split + 1, len(program))
            else:
                splits = []
                for _ in range(high - low):
                    splits.append(len(program))
                    program.append(None)
                    emit(inner)
                for split in splits:
                    program[split] = ("split", split + 1, len(program))
        else:
            program.append(node)
        if len(program) > MAX_INSTRUCTIONS:
            raise Unsupported("more than %d instructions" % MAX_INSTRUCTIONS)

    emit(Parser(text).parse())
    program.append(("match",))
    return program
