#!/usr/bin/env python3
"""Checks what compilers don't: who includes whom, doors, sizes, TRY as a whole statement, words, headers.

  tidy.py [FOLDER]     prints FILE:LINE: RULE: message for every finding; exit 1 if there is one

The rules' allowances are in tables.py; tidy_test.py proves that each rule can fail.
"""
import fnmatch
import os
import re
import sys
from collections import namedtuple

import source
import tables

Finding = namedtuple("Finding", "path line rule message")
TOP = ["src", "tests", "bench", "tools", "cmake", "docs", "changes", ".ci"]
CODE_FILES = ("*.cc", "*.h", "*.py", "*.cmake", "*CMakeLists.txt", "*.sh", "tools/*", ".ci/*")


def any_match(path, globs):
    return any(fnmatch.fnmatch(path, glob) for glob in globs)


class File:
    """One text file: its path below the project, its text, and, for C++, its code without comments."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.splitlines()
        self.is_cpp = path.endswith((".cc", ".h"))
        self.code = source.code_only(text) if self.is_cpp else ""

    def find(self, line, rule, message):
        return Finding(self.path, line, rule, message)


def load(root):
    names = [name for name in sorted(os.listdir(root)) if name != ".git" and os.path.isfile(f"{root}/{name}")]
    for top in TOP:
        for folder, subfolders, files in os.walk(f"{root}/{top}"):
            subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
            names += [os.path.relpath(os.path.join(folder, name), root) for name in sorted(files)]
    for name in names:
        with open(f"{root}/{name}", "rb") as stream:
            content = stream.read()
        if b"\0" not in content:
            yield File(name, content.decode("utf-8", errors="replace"))


# ---- includes ----------------------------------------------------------------------------------------------

Room = namedtuple("Room", "level needs")


def read_rooms(text):
    """The rooms of src/CMakeLists.txt: a comment `# N  words` opens a level; NEEDS says who sees whom."""
    rooms, level = {}, None
    for match in re.finditer(r"(?m)^# (\d) .*$|holdfast_room\(([^)]*)\)", text):
        if match.group(1):
            level = int(match.group(1))
            continue
        name, *words = match.group(2).split()
        needs = words[words.index("NEEDS") + 1:] if "NEEDS" in words else []
        if "LIBRARIES" in needs:
            needs = needs[:needs.index("LIBRARIES")]
        rooms[name] = Room(level, needs)
    return rooms


def check_levels(file, rooms):
    for name, room in rooms.items():
        for need in room.needs:
            if need not in rooms:
                yield file.find(1, "room", f"{name} needs {need}, which is no room")
            elif rooms[need].level >= room.level:
                yield file.find(1, "room", f"{name} (level {room.level}) needs {need} "
                                           f"(level {rooms[need].level}): only lower levels are seen")


def check_own_include(file, line, target, rooms, paths):
    if not file.path.startswith("src/"):
        if not {f"src/{target}", target, f"{os.path.dirname(file.path)}/{target}"} & paths:
            yield file.find(line, "include", f'no such file: "{target}"')
        return
    own, room = file.path.split("/")[1], target.split("/")[0]
    if f"src/{target}" not in paths:
        yield file.find(line, "include", f'no such file: "{target}"; name it from src/')
    elif own not in rooms or (room != own and room not in rooms[own].needs):
        yield file.find(line, "room", f"{own} does not name {room} in its NEEDS (src/CMakeLists.txt)")


def check_system_include(file, line, target):
    for prefix, places in tables.THIRD_PARTY.items():
        if target.startswith(prefix):
            if not any_match(file.path, places + ["tests/*"]):
                yield file.find(line, "third-party", f"<{target}> belongs into {', '.join(places)} or tests")
            return
    if target in tables.STANDARD_BANNED:
        if not any_match(file.path, tables.STANDARD_BANNED[target]):
            yield file.find(line, "third-party", f"<{target}> is heavy, or beyond clang 14")
    elif not re.fullmatch(r"\w+", target) and not tables.SYSTEM.fullmatch(target):
        yield file.find(line, "third-party", f"<{target}> is unknown: give it a place in tables.py")


def check_includes(file, rooms, paths):
    for number, line in enumerate(file.lines, 1):
        if match := re.match(r'\s*#\s*include\s*"([^"]+)"', line):
            yield from check_own_include(file, number, match.group(1), rooms, paths)
        elif match := re.match(r"\s*#\s*include\s*<([^>]+)>", line):
            yield from check_system_include(file, number, match.group(1))


# ---- code --------------------------------------------------------------------------------------------------

def check_banned(file):
    for rule, pattern, doors, where, instead in tables.BANNED:
        if not any_match(file.path, where) or any_match(file.path, doors):
            continue
        for match in re.finditer(pattern, file.code):
            word = match.group().split("\n")[-1].strip()
            line = source.line_of(file.code, match.end())
            yield file.find(line, rule, f"'{word}' is banned here: {instead}")


def closing(code, opening):
    """Position after the parenthesis that closes the one at `opening`."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return len(code)


def stands_alone(before):
    """Whether what follows `before` is a whole statement or a whole initialiser."""
    before = before.rstrip()
    if not before or before[-1] in ";{}=" or re.search(r"\b(return|else|do)$", before):
        return not re.search(r"[=!<>]=$", before)
    if before[-1] == ")":  # of a control statement, not of a cast or a call
        depth = 0
        for at in range(len(before) - 1, -1, -1):
            depth += {")": 1, "(": -1}.get(before[at], 0)
            if depth == 0:
                return bool(re.search(r"\b(if|for|while|switch)(\s+constexpr)?\s*$", before[:at]))
    return bool(re.search(r"\b(case\s[^?;{}]*|default)\s*:$", before))


def check_try(file):
    code = source.without_preprocessor(file.code)
    for match in re.finditer(r"\bTRY(_AS)?\s*\(", code):
        after = code[closing(code, match.end() - 1):].lstrip()
        if not stands_alone(code[:match.start()]) or not after.startswith(";"):
            yield file.find(source.line_of(code, match.start()), "try",
                            f"{match.group()[:-1]} must be a whole statement or initialiser: nested it leaks")


def check_header(file):
    if not re.match(r"// \S", file.text):
        yield file.find(1, "header", "begins with a comment: what it is, what it promises, who may call it")
    if not re.search(r"(?m)^#pragma once$", file.text):
        yield file.find(1, "header", "has no #pragma once")
    room = file.path.split("/")[1]
    wanted = "holdfast" if room == "base" else f"holdfast::{room}"
    declared = re.findall(r"(?m)^namespace (holdfast[\w:]*)", file.code)
    if declared and not any(name == wanted or name.startswith(wanted + "::") for name in declared):
        yield file.find(1, "namespace", f"the namespace of this room is {wanted}")


# ---- sizes and words ---------------------------------------------------------------------------------------

def check_sizes(file):
    if any_match(file.path, CODE_FILES) and not any_match(file.path, tables.WIDE_FILES):
        for number, line in enumerate(file.lines, 1):
            if len(line) > tables.COLUMNS:
                yield file.find(number, "columns", f"{len(line)} columns; at most {tables.COLUMNS}")
    limit = next((lines for glob, lines in tables.FILE_LINES if any_match(file.path, [glob])), None)
    if limit and file.path in tables.LONG_FILES:
        limit = tables.FILE_LINES_HARD
    if limit and any_match(file.path, CODE_FILES) and len(file.lines) > limit:
        yield file.find(limit + 1, "lines", f"{len(file.lines)} lines; at most {limit}: cut where ideas part")
    for line, count in source.functions(source.without_preprocessor(file.code)):
        if file.path.startswith("src/") and count > tables.FUNCTION_LINES:
            yield file.find(line, "function", f"{count} lines; at most {tables.FUNCTION_LINES}")


def check_words(file):
    if file.path.startswith("tests/tidy/"):
        return
    for rule, pattern, instead in tables.FORBIDDEN_WORDS:
        for number, line in enumerate(file.lines, 1):
            if match := re.search(pattern, line):
                yield file.find(number, rule, f"'{match.group()}': {instead}")


def parents(path):
    """All folders above `path`: a/b/c.md gives a/b and a."""
    while path := os.path.dirname(path):
        yield path


def check_links(file, paths):
    folders = {folder for path in paths for folder in parents(path)}
    for number, line in enumerate(file.lines, 1):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
            path = os.path.normpath(os.path.join(os.path.dirname(file.path), target))
            if path not in paths and path not in folders:
                yield file.find(number, "link", f"no such file: {target}")


def check_leftovers(paths):
    rooms = [os.path.dirname(p) for p in paths if p.endswith(".cc") and not p.endswith("/main.cc")]
    for path in paths:
        if path.endswith("/placeholder.cc") and rooms.count(os.path.dirname(path)) > 1:
            yield Finding(path, 1, "leftover", "the room has files now; remove it")


def check(root):
    """All findings below `root`, in order of path."""
    files = list(load(root))
    paths = {file.path for file in files}
    declaration = next(file for file in files if file.path == "src/CMakeLists.txt")
    rooms = read_rooms(declaration.text)
    findings = list(check_levels(declaration, rooms)) + list(check_leftovers(paths))
    for file in files:
        if file.is_cpp:
            findings += check_includes(file, rooms, paths)
            findings += check_banned(file)
            findings += check_try(file)
            if re.fullmatch(r"src/[^/]+/.*\.h", file.path):
                findings += check_header(file)
        findings += check_sizes(file)
        findings += check_words(file)
        if file.path.endswith(".md"):
            findings += check_links(file, paths)
    return sorted(findings)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../..")
    findings = check(root)
    for found in findings:
        print(f"{found.path}:{found.line}: {found.rule}: {found.message}")
    if findings:
        print(f"tidy: {len(findings)} findings")
        sys.exit(1)


if __name__ == "__main__":
    main()
