#!/usr/bin/env python3
"""Parses the umbrella header as binding generators do (pycparser), and holds it to what foreign callers can call: no
varargs, structs by value, unions, bit-fields, inline functions or bodies, and no type whose width depends on the platform."""
import pathlib
import subprocess
import sys

try:
    from pycparser import c_ast, c_parser
except ImportError:
    print("SKIP: pycparser is not installed for", sys.executable, "(Debian: python3-pycparser)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "header" / "fake"
# "int" stands for itself in anonymous enums only; size_t and the fixed-width ones come through typedefs.
ALLOWED = {"void", "char", "float", "double", "size_t", "int32_t", "int64_t", "uint32_t", "uint64_t"}


def preprocessed():
    command = ["cc", "-E", "-P", "-nostdinc", "-DAIORCH_STATIC", f"-I{FAKE}", f"-I{ROOT / 'include'}", "-"]
    return subprocess.run(command, input="#include <aiorch/aiorch.h>\n", check=True, capture_output=True, text=True).stdout


class Law(c_ast.NodeVisitor):
    def __init__(self, handles):
        self.handles = handles
        self.problems = []
        self.functions = 0

    def say(self, node, what):
        self.problems.append(f"{node.coord}: {what}")

    def check_type(self, node, where):
        """Follows a type to its end; what is not behind a pointer must be a plain number."""
        pointers = 0
        while not isinstance(node, (c_ast.IdentifierType, c_ast.Struct, c_ast.Union, c_ast.Enum, c_ast.FuncDecl)):
            pointers += isinstance(node, (c_ast.PtrDecl, c_ast.ArrayDecl))
            node = node.type
        if isinstance(node, c_ast.FuncDecl):
            return
        if not isinstance(node, c_ast.IdentifierType):
            self.say(node, f"{where}: a struct, union or enum in place")
            return
        name = " ".join(node.names)
        if name in self.handles:
            if pointers == 0:
                self.say(node, f"{where}: {name} by value")
        elif name not in ALLOWED | {"aiorch_status"}:
            self.say(node, f"{where}: type {name}")

    def visit_FuncDecl(self, node):
        self.functions += 1
        for parameter in node.args.params if node.args else []:
            if isinstance(parameter, c_ast.EllipsisParam):
                self.say(node, "varargs")
                continue
            self.check_type(parameter.type, f"parameter {parameter.name}")
        self.check_type(node.type, "result")
        self.generic_visit(node)

    def visit_Struct(self, node):
        for member in node.decls or []:
            if member.bitsize is not None:
                self.say(member, f"bit-field {member.name}")
            self.check_type(member.type, f"member {member.name}")
        self.generic_visit(node)

    def visit_Union(self, node):
        self.say(node, "union")

    def visit_FuncDef(self, node):
        self.say(node, f"a body in a header: {node.decl.name}")

    def visit_Decl(self, node):
        if "inline" in node.funcspec:
            self.say(node, f"inline: {node.name}")
        self.generic_visit(node)


def main():
    tree = c_parser.CParser().parse(preprocessed(), "aiorch.h")
    handles = {node.name for node in tree.ext
               if isinstance(node, c_ast.Typedef) and isinstance(node.type, c_ast.TypeDecl)
               and isinstance(node.type.type, c_ast.Struct)}
    law = Law(handles)
    for node in tree.ext:
        # The typedef of a handle names a struct on purpose.
        if isinstance(node, c_ast.Typedef) and isinstance(node.type, c_ast.TypeDecl):
            if isinstance(node.type.type, c_ast.Struct):
                law.visit(node.type.type)
            continue
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Enum):
            continue
        if isinstance(node, c_ast.Decl) and not isinstance(node.type, (c_ast.FuncDecl, c_ast.Struct)):
            law.say(node, f"an exported variable: {node.name}")
        law.visit(node)
    for problem in law.problems:
        print(problem)
    if not handles or law.functions < 100:
        print(f"only {len(handles)} structs and {law.functions} functions were seen: the parse is not what it should be")
        return 1
    if not law.problems:
        print(f"{law.functions} functions and {len(handles)} structs parsed")
    return 1 if law.problems else 0


if __name__ == "__main__":
    sys.exit(main())
