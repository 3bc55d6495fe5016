#!/usr/bin/env python3
"""Proves that each rule of tidy can fail: a clean little project, then one thing wrong at a time."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import source  # noqa: E402
import tables  # noqa: E402
import tidy  # noqa: E402

CLEAN = {
    "src/CMakeLists.txt": """
# 0  ground
holdfast_room(base)
# 1  parts
holdfast_room(crypto NEEDS base LIBRARIES x)
holdfast_room(chunk NEEDS base)
# 3  format
holdfast_room(repo NEEDS base crypto
  LIBRARIES x)
""",
    "src/base/a.h": "// A thing.\n#pragma once\n\n#include <vector>\n\nnamespace holdfast {}\n",
    "src/repo/a.h": "// A thing.\n#pragma once\n\nnamespace holdfast::repo {}\n",
    "src/repo/a.cc": '#include "repo/a.h"\n#include <fmt/core.h>\n#include <poll.h>\n#include "base/a.h"\n',
    "README.md": "See [a](src/repo/a.h) and [folder](src/).\n",
}


def rules_found(changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CLEAN, **changes}.items():
            os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
            with open(f"{root}/{path}", "w", encoding="utf-8") as out:
                out.write(text)
        return [found.rule for found in tidy.check(root)]


def in_function(statement):
    return {"src/repo/b.cc": f"void f() {{\n  {statement}\n}}\n"}


# rule → texts, each of which breaks it once and nothing else
WRONG = {
    "room": [
        {"src/repo/b.cc": '#include "chunk/a.h"\n', "src/chunk/a.h": "// A.\n#pragma once\n"},
        {"src/base/b.cc": '#include "repo/a.h"\n'},
        {"src/CMakeLists.txt": CLEAN["src/CMakeLists.txt"] + "holdfast_room(flow NEEDS repo)\n"},
        {"src/CMakeLists.txt": CLEAN["src/CMakeLists.txt"] + "holdfast_room(flow NEEDS nowhere)\n"},
    ],
    "include": [{"src/repo/b.cc": '#include "repo/gone.h"\n'},
                {"tests/unit/b.cc": '#include "repo/gone.h"\n'}],
    "third-party": [
        {"src/repo/b.cc": "#include <sodium.h>\n"},
        {"src/crypto/b.h": "// B.\n#pragma once\n#include <openssl/evp.h>\n"},
        {"src/repo/b.h": "// B.\n#pragma once\n#include <fmt/core.h>\n"},
        {"src/repo/b.cc": "#include <iostream>\n"},
        {"src/repo/b.cc": "#include <boost/any.hpp>\n"},
    ],
    "clock": [in_function("auto t = std::chrono::system_clock::now();"),
              in_function("auto t = ::time(nullptr);"),
              {"tests/unit/b.cc": "long t = time(0);\n"}],
    "sleep": [in_function("std::this_thread::sleep_for(d);"), in_function("usleep(5);")],
    "random": [in_function("int r = rand();"), in_function("std::mt19937 r(1);"),
               in_function("RAND_bytes(p, 1);")],
    "thread": [in_function("std::thread t(g);"), in_function("auto r = std::async(g);")],
    "environment": [in_function('auto h = std::getenv("HOME");')],
    "process": [in_function('system("ls");'), in_function('auto p = popen("ls", "r");'),
                in_function("fork();")],
    "output": [in_function("std::cout << 1;"), in_function('std::printf("x");'),
               in_function('fmt::print("x");')],
    "using": [{"src/repo/b.cc": "using namespace std;\n"},
              {"src/repo/b.h": "// B.\n#pragma once\nusing namespace base;\n"}],
    "throw": [in_function("throw 1;")],
    "catch": [in_function("try { g(); } catch (...) { }")],
    "assert": [in_function("assert(true);")],
    "abort": [in_function("std::abort();"), in_function("exit(1);")],
    "new": [in_function("auto p = new int;"), in_function("delete p;"), in_function("g(1, new int);")],
    "memory": [in_function("std::call_once(o, g);"), in_function("std::filesystem::remove_all(p, e);"),
               in_function("std::filesystem::directory_iterator at(p);")],
    "secret": [{"src/crypto/b.cc": "bool f() { return memcmp(a, b, 4) == 0; }\n"},
               in_function("int c = memcmp(password.data(), b, 4);")],
    "try": [
        in_function("g(TRY(h()));"), in_function("auto x = T{1, TRY(h())};"),
        in_function("if (TRY(h())) return;"),
        in_function("auto x = TRY(h()) + 1;"), in_function("auto x = TRY(g(TRY(h())));"),
        in_function("for (auto& x : TRY(h())) g(x);"), in_function("auto x = c ? 1 : TRY(h());"),
        in_function('g(TRY_AS(h(), "here"));'), in_function("(void)TRY(h());"), in_function("x == TRY(h());"),
    ],
    "header": [{"src/repo/b.h": "#pragma once\n"}, {"src/repo/b.h": "// B.\n"}],
    "namespace": [{"src/repo/b.h": "// B.\n#pragma once\nnamespace holdfast::chunk {}\n"}],
    "columns": [{"src/repo/b.cc": "//" + "x" * 109 + "\n"}, {"tools/b": "#" + "x" * 110 + "\n"}],
    "lines": [{"src/repo/b.cc": "\n" * 401}, {"src/repo/b.h": "// B.\n#pragma once\n" + "\n" * 199},
              {"tests/unit/b.cc": "\n" * 801}],
    "function": [{"src/repo/b.cc": "int A::f() const {\n" + "  g();\n" * 59 + "}\n"},
                 {"src/repo/b.cc": "class A {\n  A() : a_{1}, b_{2} {\n" + "  g();\n" * 60 + "  }\n};\n"}],
    "unfinished": [{"src/repo/b.cc": "// TO" + "DO: more\n"}, {"docs/b.md": "FIX" + "ME\n"}],
    "machine": [{"tools/b": "cd /wo" + "rk/main\n"}, {"docs/b.md": "see /ro" + "ot/x\n"}],
    "link": [{"docs/b.md": "[b](gone.md)\n"}],
    "leftover": [{"src/repo/placeholder.cc": "\n"}],
}

# texts that look like the above and are right
RIGHT = [
    {"src/base/clock.cc": "long f() { return std::chrono::system_clock::now().count(); }\n"},
    {"src/base/task_group.cc": "std::thread t(g);\n"},
    {"src/cli/b.cc": 'auto h = getenv("HOME");\n'},
    {"tests/unit/b.cc": "#include <zstd.h>\nstd::mt19937 r(1);\nauto b = random(5);\n"},
    {"src/crypto/b.cc": "#include <sodium.h>\n"},
    {"src/repo/main.cc": ""},
    {"tests/unit/b.cc": '#include "c.h"\n', "tests/unit/c.h": ""},
    in_function('auto x = TRY(g());\n  TRY(h());\n  x.y = TRY_AS(h(), a + "(");'),
    in_function("if (x) TRY(h());\n  else TRY(h());"),
    in_function("switch (x) {\n    case A: TRY(h());\n  }\n  return TRY(h());"),
    in_function("auto p = std::unique_ptr<A>(new A(1));\n  auto q = unique_ptr<A>(\n      new A);"),
    in_function('// rand() and std::cout are not for us\n  auto s = "throw rand() std::cout";'),
    in_function("auto n = std::thread::hardware_concurrency();\n  entry.time(0);\n  long x = 1\'000\'000;"),
    {"src/repo/b.cc": "struct A {\n  A(const A&) = delete;\n};\n"},
    {"src/repo/b.cc": "const T kTable[] = {\n" + "  {1, f(2)},\n" * 70 + "};\n"},
    {"src/repo/b.cc": "namespace a {\nclass B {\n" + "  int f() { return 1; }\n" * 70 + "};\n}\n"},
]


class TidyTest(unittest.TestCase):
    def test_clean_project_has_no_findings(self):
        self.assertEqual(rules_found({}), [])

    def test_each_rule_can_fail(self):
        for rule, cases in WRONG.items():
            for case in cases:
                with self.subTest(rule=rule, case=case):
                    self.assertEqual(rules_found(case), [rule])

    def test_right_things_pass(self):
        for case in RIGHT:
            with self.subTest(case=case):
                self.assertEqual(rules_found(case), [])

    def test_every_banned_word_has_a_case(self):
        self.assertLessEqual({entry[0] for entry in tables.BANNED + tables.FORBIDDEN_WORDS}, set(WRONG))

    def test_code_only_keeps_places(self):
        text = 'int a; // "x\nconst char* b = R"(y\n// z)"; /* c\n */ char d = \'"\'; int e;\n'
        code = source.code_only(text)
        self.assertEqual(len(code), len(text))
        self.assertEqual(code.count("\n"), text.count("\n"))
        for word in "xyz":
            self.assertNotIn(word, code)
        self.assertIn("int e;", code)


if __name__ == "__main__":
    unittest.main()
