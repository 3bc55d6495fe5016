"""What tests/tidy allows where. Changing a line here is a decision: say why in the commit.

Paths are globs below the project; a rule's door is the place where the thing it bans may stand.
"""
import re

# ---- includes ----------------------------------------------------------------------------------------------

# Third-party headers, each with the .cc files that may include it; tests may include any. Headers of ours
# include none, but for fmt/core.h in the precompiled header.
THIRD_PARTY = {
    "fmt/": ["src/*/*.cc", "bench/*.cc", "src/base/precompiled.h"],
    "blake3.h": ["src/crypto/*.cc"],
    "openssl/": ["src/crypto/*.cc"],
    "sodium.h": ["src/crypto/*.cc"],
    "zstd": ["src/compress/*.cc"],
    "isa-l": ["src/parity/*.cc"],
    "CLI/": ["src/cli/*.cc"],
    "nlohmann/": ["src/cli/*.cc", "src/storage/s3_credentials.cc"],
    "curl/": ["src/net/curl.cc"],
    "pugixml.hpp": ["src/storage/s3_reply.cc"],
    "regex.h": ["src/source/pattern.cc"],
    "archive": ["src/sink/zip_cpio.cc"],
    "sys/acl.h": ["src/source/*.cc", "src/sink/*.cc"],
    "fuse.h": [],
    "fuse_lowlevel.h": ["src/mount/fuse.cc"],
    "gtest/": [],
    "rapidcheck": [],
    "benchmark/": ["bench/*"],
}

# Heavy or unhelpful standard headers, with the files that may include them.
STANDARD_BANNED = {
    "iostream": [],
    "regex": [],
    "ranges": [],
    "format": [],
    "source_location": [],
}

# C and kernel headers that the system itself gives. C++ standard headers (no dot, no slash) need no entry.
SYSTEM = re.compile(r"""(?x)
    (sys|linux|netinet|arpa|asm)/[\w/]+\.h
  | (unistd|fcntl|dirent|errno|signal|poll|pwd|grp|termios|time|limits|stdlib|stdio|string|stdint|ftw|fnmatch
     |glob|immintrin|dlfcn|link|sched|pthread|getopt|langinfo|locale|wchar|spawn)\.h
""")

# ---- banned words in code: (rule, pattern, doors, where it applies, what to do instead) --------------------

SRC, CODE = ["src/*"], ["src/*", "tests/*", "bench/*.cc"]

BANNED = [
    ("clock", r"\b(system_clock|steady_clock|high_resolution_clock)::now|\b(gettimeofday|clock_gettime)\s*\("
              r"|(?<![\w.>])(::|std::)?time\s*\(\s*(nullptr|NULL|0|&\w+)\s*\)",
     ["src/base/clock.cc", "bench/*.cc"], CODE, "take a Clock"),
    ("sleep", r"\bsleep_(for|until)\b|(?<![\w.>])(::)?(u|nano)?sleep\s*\(",
     ["src/base/clock.cc"], CODE, "take a Clock and a stop_token"),
    ("random", r"(?<![\w.>])(std::|::)?s?rand\s*\(|(?<!\w)::s?random\s*\(|\brandom_device\b"
               r"|\bgetrandom\s*\(|\barc4random|\bRAND_(priv_)?bytes\b|\brandombytes_",
     ["src/base/random.cc"], CODE, "take a Random; a test seeds its own generator"),
    ("random", r"\bmt19937|\bdefault_random_engine\b", [], SRC, "take a Random"),
    ("thread", r"\bstd::j?thread\b(?!::(id|hardware_concurrency))|\bstd::async\b|\bpthread_create\b"
               r"|\.detach\(\)",
     ["src/base/task_group.*"], SRC, "use TaskGroup"),
    ("environment", r"\b(secure_)?getenv\s*\(|\bsetenv\s*\(|\bputenv\s*\(|\bchar\s*\*\*\s*environ\b",
     ["src/cli/*", "src/source/stream.cc"], SRC, "pass the value in"),
    ("process", r"(?<![\w.>])(std::|::)?system\s*\(|\bpopen\s*\(|(?<![\w.>])(::)?v?fork\s*\("
                r"|\bexec[lv]p?e?\s*\(|\bposix_spawnp?\s*\(",
     ["src/base/process.cc", "src/cli/process.cc", "src/source/stream.cc", "tests/*"], CODE,
     "go through the door for processes"),
    ("output", r"\bstd::c(out|err|log)\b", [], CODE, "fmt::print, in cli only"),
    ("output", r"\bfmt::print\b|(?<![\w.>:])(std::)?((f|v|vf)?printf|f?puts|putchar)\s*\(",
     ["src/cli/*", "src/base/check.cc"], SRC, "return it; only cli prints"),
    ("using", r"\busing\s+namespace\b", [], SRC, "name what you use"),
    ("throw", r"\bthrow\b", ["src/base/check.cc", "tests/*"], CODE, "return an Error"),
    ("catch", r"\bcatch\s*\(",
     ["src/cli/main.cc", "src/cli/json.cc", "src/cli/parse.cc", "src/base/task_group.cc", "src/net/curl.cc",
      "tests/*"], CODE,
     "catch only in the adapter that calls the foreign library; list it here"),
    ("assert", r"(?<![\w.>:])assert\s*\(", [], CODE, "HF_ASSERT: on in release too"),
    ("abort", r"(?<![\w.>])(std::|::)?(abort|terminate|_?exit|quick_exit)\s*\(",
     ["src/base/check.cc", "src/cli/*", "tests/*"], CODE, "return an Error, or HF_ASSERT"),
    ("new", r"[^(\s]\s*\bnew\s+(?!\()[\w:]|[^=\s]\s*\bdelete\b\s*(\[\s*\])?\s*[\w*(]", [], SRC,
     "make_unique; where a constructor is private, unique_ptr<T>(new T)"),
    ("memory", r"\bstd::call_once\b|\b(recursive_)?directory_iterator\b|\bfilesystem::remove_all\b", [], SRC,
     "ends the program where memory runs out: Once, names_in, remove_tree"),
    ("secret", r"\bmemcmp\s*\(|\bstd::equal\s*\(", ["src/crypto/secret.*"], ["src/crypto/*"],
     "compare secrets in constant time"),
    ("secret", r"\b(std::)?memcmp\s*\([^;]*(secret|password|passphrase|private|commitment|\bkey\b)", [], SRC,
     "compare secrets in constant time"),
]

# ---- sizes -------------------------------------------------------------------------------------------------

COLUMNS = 110
FUNCTION_LINES = 60
FILE_LINES = [("tests/*", 800), ("src/*.h", 200), ("src/*.cc", 400)]
# Files above their limit, each with a reason; the hard limit stands for them too.
FILE_LINES_HARD = 600
LONG_FILES = {}
# Files with wide tables of shell snippets or measured bytes, where breaking lines would hide their shape.
WIDE_FILES = ["bench/peers/*", "docs/*", "*.md", "tests/vectors/*"]

# ---- words -------------------------------------------------------------------------------------------------

# Everywhere, comments and documents included.
FORBIDDEN_WORDS = [
    ("unfinished", r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or say in a document what is missing"),
    ("machine", r"(?<![\w.-])/(work|root)/", "a path of one machine; take it from an argument"),
]
