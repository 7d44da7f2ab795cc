"""How names of the AWS models become C names. One rule, so that nobody needs to look it up."""

KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false".split())


def snake(name):
    """'_' before a capital that follows a small letter, and before a capital that a small letter follows.

    VersionId version_id, ETag e_tag, ChecksumCRC32C checksum_crc32c, s3MonitoringConfiguration s3_monitoring_configuration.
    """
    out = []
    for i, c in enumerate(name):
        if not c.isalnum():
            out.append("_")
            continue
        if c.isupper() and i > 0 and name[i - 1].isalnum():
            follows_small = name[i - 1].islower()
            before_small = i + 1 < len(name) and name[i + 1].islower()
            if follows_small or before_small:
                out.append("_")
        out.append(c.lower())
    return "".join(out)


def member(name):
    text = snake(name)
    return text + "_" if text in KEYWORDS else text


def constant(text):
    return "".join(c if c.isalnum() and c.isascii() else "_" for c in text).upper()


def c_string(text):
    """A C string literal; escapes of three octal digits cannot swallow what follows, as \\x would."""
    out = []
    for byte in text.encode("utf-8"):
        c = chr(byte)
        if c in '"\\':
            out.append("\\" + c)
        elif 0x20 <= byte < 0x7F:
            out.append(c)
        else:
            out.append("\\%03o" % byte)
    return '"' + "".join(out) + '"'
