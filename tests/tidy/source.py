"""C++ text for rules that look at code: without comments and literals, and cut into functions."""
import re

_TOKEN = re.compile(r'''(?xs)
    //(?:[^\n\\]|\\.)*                            # comment to the end of the line
  | /\*.*?\*/
  | R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
  | "(?:[^"\\\n]|\\.)*"
  | (?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'           # not the separator in 1'000
''')


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """`text` with comments and the inside of literals blanked; lines and columns stay."""
    def replace(match):
        token = match.group()
        if token[0] == "/":
            return _blank(token)
        return token[0] + _blank(token[1:-1]) + token[-1]
    return _TOKEN.sub(replace, text)


def without_preprocessor(code):
    """`code` (from code_only) with directives blanked, continued lines too."""
    return re.sub(r"(?m)^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", lambda m: _blank(m.group()), code)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def _kind(head, after_function):
    """What a brace opens, judged by the text since the last ; { or }."""
    head = re.sub(r"\boperator\s*\S+?\s*\(", "operator(", head)
    if _SCOPE.search(head) and not re.search(r"\)\s*(const|noexcept|override|final)*\s*$", head):
        return "scope"
    if re.search(r"=\s*[\w:<>,\s]*$", head) or re.search(r"\breturn\b", head):
        return "data"
    if "(" in head:
        return "function"
    # what follows `: member_{…}` in a constructor
    if after_function and (not head.strip() or head.strip().startswith(",")):
        return "function"
    return "data"


def functions(code):
    """Yields (first line, lines) of every function body in `code` (from without_preprocessor)."""
    stack, head_start, after_function = [], 0, False
    for match in re.finditer(r"[{};]", code):
        mark, at = match.group(), match.start()
        if mark == "{":
            inside = bool(stack) and stack[-1][0] in ("function", "data", "block")
            kind = "block" if inside else _kind(code[head_start:at], after_function)
            stack.append((kind, at))
            after_function = False
        elif mark == "}" and stack:
            kind, begin = stack.pop()
            after_function = kind == "function"
            if kind == "function":
                yield line_of(code, begin), code.count("\n", begin, at) + 1
        else:
            after_function = False
        head_start = match.end()
