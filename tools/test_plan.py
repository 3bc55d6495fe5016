#!/usr/bin/env python3
"""Which tests run in which build, and one ctest run over all of them. Used by tools/test.

  test_plan.py choose PRESET [--only LABEL] [--long]
      prints the names of the tests that PRESET's build runs
  test_plan.py merge FOLDER PRESET ... [--only LABEL] [--long]
      writes FOLDER/CTestTestfile.cmake: the chosen tests of all builds, named PRESET/test, labelled PRESET

A test is chosen by its labels: everything runs in `release`; `asan` has the unit and contract suites up to
the repository's format, and with --long all that runs our code; `tsan` has the threaded suites, `fuzz` the
fuzz targets. Label `long` runs with --long only. Suites that grow with HOLDFAST_TEST_LONG do so in `release`
alone: under a sanitizer they would take days.
"""
import argparse
import json
import os
import subprocess

PRESETS = {
    "release": lambda labels: "fuzz" not in labels,
    "asan": lambda labels: labels & {"unit", "contract"} and "wide" not in labels,
    "tsan": lambda labels: "threads" in labels,
    "fuzz": lambda labels: "fuzz" in labels,
}
LONG = {"asan": lambda labels: not labels & {"fuzz", "tidy", "package", "script"}}
SANITIZED = {"asan", "tsan"}
# Properties that name other tests or fixtures, which get their build's prefix.
NAMING = {"DEPENDS", "FIXTURES_SETUP", "FIXTURES_REQUIRED", "FIXTURES_CLEANUP"}


def chosen_tests(preset, args):
    """The tests of build/PRESET that are to run, as ctest describes them."""
    shown = subprocess.run(["ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1"],
                           check=True, capture_output=True, text=True).stdout
    for test in json.loads(shown)["tests"]:
        test["properties"] = {p["name"]: p["value"] for p in test.get("properties", [])}
        labels = set(test["properties"].get("LABELS", []))
        wanted = LONG.get(preset, PRESETS[preset]) if args.long else PRESETS[preset]
        if not wanted(labels) or ("long" in labels and not args.long):
            continue
        if args.only and args.only != preset and args.only not in labels:
            continue
        yield test


def bracket(text):
    """A CMake argument that stands for exactly this text."""
    return f"[==[{text}]==]"


def cmake_value(name, value, preset):
    if isinstance(value, list):
        items = [v["regex"] if isinstance(v, dict) else str(v) for v in value]
        return ";".join(f"{preset}/{item}" if name in NAMING else item for item in items)
    return {True: "ON", False: "OFF"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def lines_of(test, preset):
    name = f"{preset}/{test['name']}"
    if "command" not in test:
        raise SystemExit(f"test_plan.py: {name} has no command: its program was not built")
    yield f"add_test({bracket(name)} {' '.join(map(bracket, test['command']))})"
    properties = dict(test["properties"])
    properties["LABELS"] = properties.get("LABELS", []) + [preset]
    if preset in SANITIZED:
        changes = properties.get("ENVIRONMENT_MODIFICATION", [])
        properties["ENVIRONMENT_MODIFICATION"] = changes + ["HOLDFAST_TEST_LONG=unset:"]
    settings = [f"{key} {bracket(cmake_value(key, value, preset))}" for key, value in properties.items()]
    yield f"set_tests_properties({bracket(name)} PROPERTIES {' '.join(settings)})"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["choose", "merge"])
    parser.add_argument("arguments", nargs="+")
    parser.add_argument("--only", default="")
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    if args.verb == "choose":
        for test in chosen_tests(args.arguments[0], args):
            print(test["name"])
        return
    folder, *presets = args.arguments
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/CTestTestfile.cmake", "w", encoding="utf-8") as out:
        for preset in presets:
            for test in chosen_tests(preset, args):
                print(*lines_of(test, preset), sep="\n", file=out)


if __name__ == "__main__":
    main()
