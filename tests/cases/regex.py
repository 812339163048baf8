"""Rows of tfdeploy/ops/regex.py."""

import numpy as np

from tests.cases import case


def text(*values):
    held = np.empty(len(values), object)
    held[:] = [v if isinstance(v, bytes) else v.encode() for v in values]
    return held


def scalar(value):
    return np.array(value.encode(), object)


EMPTY = np.zeros((0, 2), object)
WORDS = text(
    "abcd", "h\u00e9llo W\u00f6rld", b"a\xffb", "", "a\nb\n", "aaa-b_1 \u017fK", "x.y+[z]\\{,5}"
)
# Patterns, each run over WORDS with the rewrite below and matched in full.
PATTERNS = (
    "b*",
    "",
    ".",
    "[^a]",
    "\\xff",
    "(b)",
    "a{,5}",
    "a{1,x}",
    "\\pL",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[]]",
    "[a-]",
    "(?i)B",
    "(?i)k",
    "(?i)\\w",
    "(?i)[a-z]",
    "(?i)s",
    "a.b",
    "(?s)a.b",
    "^b",
    "(?m)^b",
    "b$",
    "(?m)b$",
    "\\n\\z",
    "(?U)a+",
    "(?U)a+?",
    "a(?i)B|A",
    "\\Qx.y\\E",
    "\\Q+[",
    "\\x41|\\x{62}",
    "\\141",
    "\\_",
    "(?P<n>a)(b)",
    "\\bb\\b",
    "\\b",
    "^$",
    "|a",
    "()*",
    "(a*)*",
    "(|a)+",
    "(?:ab)+",
    "[\\^]",
    "[\\d\\w]",
    "[^\\d]",
    "[\\w-]",
    "[a&&b]",
    "\\D",
    "\\s",
    "(?i:B)c",
    "a{2,}?",
    "a{2,3}",
    "[[=a=]]",
    "[[]",
    "(?i-s)A",
    "^",
    "(?m)^",
    "(?m)$",
    "\\A.",
    "\\t",
    "(?i)\u00c9",
    "[a-b-z]",
    "\\p{Nd}",
    "\\PL",
    "\\p{^L}",
    "\\p{Any}",
    "(((((a)))))",
    "[^a\\n]",
    "(a|ab)(c|bcd)",
    "(\\w+)\\s(\\w+)",
    "(a|b|c)*d",
    "(?:a?){20}a{20}",
    "((a*)*)*b",
    ".*",
    "[\\s\\S]*",
    "\\W+",
    "[!\"#$%&()\\*\\+,-\\./:;<=>?@\\[\\\\\\]^_`{|}~\\']",
)
WRONG = (
    "(?=b)",
    "(a)\\1",
    "a**",
    "a*+",
    "a{2}{3}",
    "a{1001}",
    "[z-a]",
    "\\\u00e9",
    "\\Z",
    "(?<m>b)",
    "(?P=n)",
    "(?#c)a",
    "(",
    ")",
    "*",
    "a|*",
    "\\",
    "[a",
    "\\8",
    "[[:foo:]]",
    "(?z)A",
    "[\\b]",
    "\\p{Zy}",
)

CASES = [
    *[case("StaticRegexReplace", WORDS, pattern=p, rewrite="<\\0>") for p in PATTERNS],
    *[case("StaticRegexFullMatch", WORDS, pattern=p) for p in PATTERNS],
    *[
        case("StaticRegexReplace", WORDS, pattern="(a)|(b)|(l+)", rewrite=r)
        for r in ("[\\1\\2\\3]", "\\4", "\\x", "a\\", "\\\\\\1", "\u00e9")
    ],
    case("StaticRegexReplace", WORDS, pattern="l", rewrite="-", replace_global=False),
    case("StaticRegexReplace", EMPTY, pattern="l", rewrite="-"),
    case("StaticRegexFullMatch", EMPTY, pattern="l"),
    *[case("StaticRegexFullMatch", WORDS, pattern=p, raises=True) for p in WRONG],
    *[
        case("RegexReplace", WORDS, scalar("(.)b"), scalar("\\1-"), replace_global=g)
        for g in (True, False)
    ],
    case("StaticRegexReplace", text("abcd a", ""), pattern="\\B", rewrite="-"),
    case("RegexReplace", EMPTY, scalar("a"), scalar("b")),
    case("RegexReplace", WORDS, scalar("("), scalar("b"), raises=True),
    case("RegexFullMatch", WORDS.reshape(7, 1), scalar("a.*")),
    case("RegexFullMatch", EMPTY, scalar("a.*")),
    case("RegexFullMatch", WORDS, scalar("a)"), raises=True),
]
