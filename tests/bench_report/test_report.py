#!/usr/bin/env python3
"""What bench/report makes of results.json, and of changes to it. Argument: source root."""
import copy
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

if len(sys.argv) != 2:
    sys.exit(__doc__)
PROGRAM = pathlib.Path(sys.argv[1]) / "bench/report"
RESULTS = json.loads((pathlib.Path(__file__).parent / "results.json").read_text(encoding="utf-8"))
HOSTILE = "<script>alert('\"1\"')</script>&amp;|x`*_[a](http://a.example)\n# y\u202e\ud800"


class Page(html.parser.HTMLParser):
    """The text of a page, its tags and attributes. Every tag has to be closed where it should."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.words, self.attributes = [], set(), [], []
        self.feed(source)
        self.close()
        assert not self.open, self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["title"]):
            self.words.append(data)


def run(*arguments):
    return subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], capture_output=True, text=True)


def comparison(results, name):
    return next(one for one in results["comparisons"] if one["name"] == name)


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.results = copy.deepcopy(RESULTS)

    def make(self, suffix):
        source, page = self.folder / "r.json", self.folder / f"page.{suffix}"
        source.write_text(json.dumps(self.results), encoding="utf-8")
        result = run(source, "-o", page)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return page.read_text(encoding="utf-8")

    def html(self):
        return Page(self.make("html"))

    def both(self):
        """The text of both pages: Markdown without its escapes, its tables' bars and other marks."""
        markdown = re.sub(r"\\(.)", r"\1", self.make("md")).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return self.html().text, " ".join(markdown.split())

    def refuses(self, *says):
        source = self.folder / "bad.json"
        source.write_text(json.dumps(self.results), encoding="utf-8")
        result = run(source, "-o", self.folder / "page.html")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for text in (str(source), *says):
            self.assertIn(text, result.stderr)
        self.assertFalse((self.folder / "page.html").exists())

    def test_losses_are_first(self):
        for page in self.both():
            order = [page.index(text) for text in (
                "Losses", "beyond the spread in 3 of 4 comparisons", "proa epoll has 412 bytes, raw_epoll (floor) has 0",
                "proa uring has 80 % less than raw_file_io (floor): ratio 0.200, 0.188 to 0.214",
                "proa epoll has 10 % more than raw_epoll (floor): ratio 1.104, 1.052 to 1.151",
                "Behind at the median, within the spread", "proa epoll has 2.1 % more than raw_epoll (floor)",
                "Refused and skipped", "AMD EPYC", "Asio: 1.22.1" if "Asio: 1.22.1" in page else "Asio 1.22.1",
                "compare all --quick --json results.json", "TCP echo 256" if "TCP echo 256" in page else "## TCP echo ###",
                "Published figures of another machine")]
            self.assertEqual(order, sorted(order))

    def test_a_peer_wins_by_the_quotient_of_the_ratios(self):
        asio = comparison(self.results, "tcp-256-100")["contestants"][3]
        asio["ratio"].update(min=0.5, median=0.552, max=0.6)
        for page in self.both():
            self.assertIn("proa epoll has 2 times that of Asio (peer): ratio 2.000, 1.753 to 2.302", page)
            self.assertIn("proa uring has 55 % more than Asio (peer): ratio 1.553, 1.350 to 1.768", page)

    def test_standard_errors_are_the_spread(self):
        contestants = comparison(self.results, "tcp-256-100")["contestants"]
        contestants[1]["ratio"].update(min=0.2, max=3, error=0.01)
        contestants[2]["ratio"].update(min=0.2, max=3)
        for page in self.both():
            self.assertIn("proa epoll has 10 % more than raw_epoll (floor): ratio 1.104, 1.084 to 1.124", page)
            self.assertLess(page.index("proa epoll has 10 % more"), page.index("Behind at the median"))
            self.assertIn("1.104 ± 0.020", page)
        contestants[1]["ratio"]["error"] = 0.06
        for page in self.both():
            self.assertGreater(page.index("proa epoll has 10 % more than raw_epoll"), page.index("Behind at the median"))

    def test_a_note_is_below_its_comparison(self):
        comparison(self.results, "tcp-256-100")["note"] = "System calls were not counted."
        for page in self.both():
            self.assertGreater(page.index("System calls were not counted."), page.rindex("10.3"))
            self.assertLess(page.index("System calls were not counted."), page.rindex("10,000 idle connections"))

    def test_ours_may_be_what_the_others_are_divided_by(self):
        floor, ours = comparison(self.results, "files-write")["contestants"]
        del ours["ratio"]
        floor["ratio"] = {"to": "proa uring", "min": 4, "median": 5, "max": 8}
        for page in self.both():
            self.assertIn("proa uring has 80 % less than raw_file_io (floor): ratio 0.200, 0.125 to 0.250", page)

    def test_no_losses(self):
        self.results["comparisons"] = [comparison(self.results, "tcp-256-100")]
        self.results["comparisons"][0]["contestants"] = self.results["comparisons"][0]["contestants"][2:4]
        for page in self.both():
            self.assertIn("beats proa beyond the spread in 0 of 1 comparison that can be judged.", page)
            self.assertNotIn("Behind at the median", page)

    def test_what_was_refused_and_skipped_is_said_above(self):
        for page in self.both():
            above = page[:page.index("AMD EPYC")]
            self.assertRegex(above, r"TCP echo, 256-byte echo, 1 connection: CPU per echo\W+Asio: turns differ by 40 %")
            self.assertRegex(above, r"Skipped: Instructions, instructions per echo\W+valgrind is not installed")
            self.assertRegex(above, r"Errors: TCP echo, 256-byte echo, 100 connections: CPU per echo\W+mine: 3")
            self.assertIn("1 more could not be run", above)

    def test_what_was_refused_is_no_loss(self):
        ours = comparison(self.results, "files-write")["contestants"][1]
        del ours["ratio"]
        ours["refused"] = "rounds differ"
        for page in self.both():
            self.assertNotIn("80 %", page)
            self.assertIn("in 2 of 3 comparisons that can be judged; 1 more cannot be judged, because ratios were refused; "
                          "1 more could not be run.", page)
            self.assertIn("proa uring: rounds differ", page)

    def test_both_pages_have_the_same_numbers(self):
        def numbers(text):
            return sorted(re.findall(r"\d[\d,]*(?:\.\d+)?", text))

        source = re.sub(r"<svg.*?</svg>", "", self.make("html"), flags=re.DOTALL)
        markdown = self.make("md")
        for mark in ("&lt;", "&gt;", "&amp;"):
            self.assertNotIn(mark, markdown)
        self.assertEqual(numbers(Page(source).text), numbers(markdown))

    def test_every_number_of_the_input_is_there(self):
        for page in self.both():
            for text in ("32.8", "30.1 to 35.2", "1.104", "183,210", "634,100", "29.4", "3.01", "7,954", "7 min 11 s"):
                self.assertIn(text, page)

    def test_a_chart_is_as_long_as_its_numbers(self):
        source = self.make("html")
        chart = next(one for one in re.findall(r'<svg class="chart".*?</svg>', source, re.DOTALL) if "memory" in one)
        widths = [float(each) for each in re.findall(r'<rect class="bar \w+" x="0.00%" width="([\d.]+)%"', chart)]
        self.assertEqual(len(widths), 3)
        self.assertEqual(widths[0], 0)
        self.assertAlmostEqual(widths[1] / widths[2], 412 / 1544, places=2)

    def test_the_page_needs_nothing_from_outside(self):
        page = self.html()
        self.assertFalse(page.tags & {"script", "link", "img", "iframe", "object"})
        self.assertFalse({name for name, _ in page.attributes} & {"src", "href", "srcset", "data"})
        self.assertNotIn("//", self.make("html").replace("<!DOCTYPE html>", ""))

    def test_hostile_strings_are_text(self):
        tags, names = self.html().tags, {name for name, _ in self.html().attributes}

        def poison(value):
            if isinstance(value, dict):
                for key in list(value):
                    if key in ("machine", "versions", "details"):
                        value[key][HOSTILE] = 1 if key == "details" else HOSTILE
                    elif isinstance(value[key], str) and key not in ("role", "better", "to"):
                        value[key] = value[key] if value is not self.results and key == "name" and "title" in value \
                            else value[key] + HOSTILE
                    else:
                        poison(value[key])
            elif isinstance(value, list):
                for each in value:
                    poison(each)

        poison(self.results)
        page = self.html()
        self.assertEqual((page.tags, {name for name, _ in page.attributes}), (tags, names))
        self.assertIn("<script>alert('\"1\"')</script>&amp;|x`*_[a](http://a.example)\ufffd# y\ufffd\ufffd", page.text)
        markdown = self.make("md")
        for mark in ("<", "\u202e", "http://", "[a](", "\n# y", "\ud800"):
            self.assertNotIn(mark, re.sub("^    .*", "", markdown, flags=re.MULTILINE))
        for line in markdown.splitlines():  # as many cells as before
            if line.startswith("| ---"):
                columns = line.count("|")
            elif line.startswith("| ") and "contestant |" not in line and "what |" not in line:
                self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), columns, line)

    def test_a_missing_key_is_named(self):
        del comparison(self.results, "tcp-256-100")["contestants"][1]["ratio"]["median"]
        self.refuses("comparisons[1].contestants[1].ratio.median: is missing")

    def test_wrong_values_are_named(self):
        for change, says in (
                (lambda r: r.update(format=2), "format: is not 1"),
                (lambda r: r.update(comparisons=[]), "comparisons: is not a list with something in it"),
                (lambda r: r["machine"].pop("kernel"), "machine.kernel: is missing"),
                (lambda r: r["versions"].update(proa=1), "versions.proa: is not a text"),
                (lambda r: r["comparisons"][0].update(better="red"), "comparisons[0].better: is not one of lower, higher"),
                (lambda r: r["comparisons"][0].update(name="A b"), "comparisons[0].name: is not of"),
                (lambda r: r["comparisons"][1].update(name="tcp-256-1"), "comparisons[1].name: there is another tcp-256-1"),
                (lambda r: r["comparisons"][0]["contestants"][0].update(median=True), "contestants[0].median: is not a number"),
                (lambda r: r["comparisons"][0]["contestants"][0].update(median=99), "contestants[0].median: is not between"),
                (lambda r: r["comparisons"][0]["contestants"][0].update(role="boss"), "contestants[0].role: is not one of"),
                (lambda r: r["comparisons"][0]["contestants"][0].update(errors=-1), "contestants[0].errors: is not a count"),
                (lambda r: r["comparisons"][0]["contestants"][1].update(refused="no"), "contestants[1].refused: stands beside"),
                (lambda r: r["comparisons"][0]["contestants"][0]["details"].update(a="b"), "details.a: is not a number"),
                (lambda r: r["comparisons"].append(7), "comparisons[5]: is not an object")):
            self.results = copy.deepcopy(RESULTS)
            change(self.results)
            with self.subTest(says):
                self.refuses(says)

    def test_what_is_no_json(self):
        for number, text in enumerate((b"", b"{", b"\xff", b'{"format": NaN}', b"[" * 100000)):
            source = self.folder / f"{number}.json"
            source.write_bytes(text)
            result = run(source, "-o", self.folder / "page.html")
            self.assertEqual(result.returncode, 1, text[:9])
            self.assertRegex(result.stderr, rf"^report: {re.escape(str(source))}: is not JSON: .*\n$")

    def test_files_that_are_not_there(self):
        result = run(self.folder / "none.json", "-o", self.folder / "page.html")
        self.assertEqual(result.returncode, 1)
        self.assertIn("none.json", result.stderr)
        source = self.folder / "r.json"
        source.write_text(json.dumps(self.results), encoding="utf-8")
        result = run(source, "-o", self.folder / "none/page.html")
        self.assertEqual(result.returncode, 1)
        self.assertIn("none/page.html", result.stderr)

    def test_usage(self):
        for arguments in ((), ("r.json",), ("r.json", "-o", "page.txt"), ("--what",), ("r.json", "-o")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 64, arguments)
            self.assertIn("try --help", result.stderr)
        result = run("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("*.html or *.md", result.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
