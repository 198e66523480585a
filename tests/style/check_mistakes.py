#!/usr/bin/env python3
"""The usual mistakes in a program are named by the compiler. Arguments: source root, C++ compiler command. Prints TAP."""
import pathlib
import subprocess
import sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
root = pathlib.Path(sys.argv[1])

right = """
#include <proa/proa.hpp>
struct Echo : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};
struct Session {
  void expired(const proa::Result&) {}
  proa::On<proa::Timer, &Session::expired> timer_{*this};
  void refresh() {}
  proa::OnPost<&Session::refresh> refresh_{*this};
};
void serve(proa::Proactor& proactor) {
  proa::Server<Echo> server(proactor, "127.0.0.1:0");
  (void)proactor.post([] {});
}
"""
# What is wrong: what is replaced, by what, and what the compiler has to say.
mistakes = [
    ("a stream handler without on_read()", "  void on_read(proa::Buffer& data) override { write(std::move(data)); }", "",
     "H lacks a callback that it must have, such as void on_read(proa::Buffer&) override"),
    ("a handler without the constructor", "using StreamHandler::StreamHandler;",
     "explicit Echo(proa::Proactor& p) : StreamHandler(p) {}", "H needs the constructor H(proa::Proactor&, proa::Socket)"),
    ("a server of what is no handler", "proa::Server<Echo> server", "proa::Server<Session> server",
     "H is derived from a handler of proa"),
    ("a handler that is derived privately", "struct Echo : proa::StreamHandler", "struct Echo : private proa::StreamHandler",
     "H is derived publicly, as in class H : public proa::StreamHandler"),
    ("a method that takes something else", "void expired(const proa::Result&) {}", "void expired(int, int) {}",
     "the method of an On<> takes (Result), or (Request&, Result)"),
    ("a member in place of a method", "void expired(const proa::Result&) {}", "int expired = 0;",
     "On<Request, &Owner::method>: a method that returns void"),
    ("a post that calls a method with arguments", "void refresh() {}", "void refresh(int) {}",
     "the method of an OnPost<> takes no arguments"),
    ("work with arguments", "[] {}", "[](int) {}", "Proactor::post() takes a callable without arguments"),
]


def compile(text):
    return subprocess.run([*sys.argv[2:], "-x", "c++", "-std=c++17", "-fsyntax-only", "-I", str(root / "include"), "-"],
                          input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


failed = False


def report(number, what, good, output):
    global failed
    failed |= not good
    print(("ok" if good else "not ok") + f" {number} - mistakes: {what}", flush=True)
    if not good:
        print(output, file=sys.stderr)


print(f"1..{len(mistakes) + 1}")
result = compile(right)
report(1, "none", result.returncode == 0, result.stdout)
for number, (what, old, new, says) in enumerate(mistakes, 2):
    assert old in right
    result = compile(right.replace(old, new))
    # Compilers break their lines where they like.
    report(number, what, result.returncode != 0 and says in " ".join(result.stdout.replace('" "', "").split()), result.stdout)
sys.exit(failed)
