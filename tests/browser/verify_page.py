"""Opens the verify page as a person would, from a file and without a network, and has it judge receipts.

    verify_page.py PAGE JUDGE GOLDEN KINDS OUT CHROMIUM AXE

PAGE is the built page, JUDGE the same verifier as a program of this machine, GOLDEN the directory of golden
receipts, KINDS one with a receipt of each kind, OUT where screenshots go. Each check counts one.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import traceback

from playwright.sync_api import sync_playwright

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}
FLIPS = 200
MOST = 1048576
WORDS = {"verified": "Verified", "self_consistent": "Self-consistent, and no more", "refused": "Refused"}


class Bench:
    def __init__(self, browser, page, judge, golden, kinds, out, axe):
        self.browser, self.address, self.judge, self.out = browser, page.as_uri(), judge, out
        self.html, self.axe = page.read_text(), axe.read_text()
        self.plain = (golden / "receipt_v1.receipt.json").read_bytes()
        self.plain_policy = (golden / "receipt_v1.policy").read_bytes()
        self.witnessed = (golden / "receipt_v1_witnessed.receipt.json").read_bytes()
        self.witnessed_policy = (golden / "receipt_v1_witnessed.policy").read_bytes()
        self.kinds = {
            file.name.split(".")[0]: (file.read_bytes(), file.with_name(file.name.split(".")[0] + ".policy").read_bytes())
            for file in sorted(kinds.glob("*.receipt.json"))
        }
        self.asked, self.said = [], []
        self.person = self.context()
        self.page = self.person.new_page()
        self.page.goto(self.address)

    def context(self, **more):
        """A browser without a network, that tells what a page asks for and complains of."""
        context = self.browser.new_context(viewport=WIDE, **more)
        context.set_offline(True)
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("console", lambda message: self.said.append(message.text))
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        return context

    # ---- a person's hands

    def give(self, receipt, policy=None, name="a.receipt.json"):
        """Chooses files, or ticks that there is no policy."""
        self.page.set_input_files("#receipt", file_of(receipt, name))
        if policy is None:
            self.page.check("#embedded")
        else:
            self.page.set_input_files("#policy", file_of(policy, "policy"))

    def press(self):
        self.page.get_by_role("button", name="Check the receipt").click()
        self.page.wait_for_selector("#result:not([hidden]), #trouble:not([hidden])")

    def check(self, receipt, policy=None):
        self.give(receipt, policy)
        self.press()
        return self.answer()

    def drop(self, target, *files):
        """Drops files as a hand does: over it, and let go."""
        transfer = self.page.evaluate_handle(
            """files => {
                const told = new DataTransfer();
                for (const [name, bytes] of files) told.items.add(new File([new Uint8Array(bytes)], name));
                return told;
            }""",
            [[name, list(data)] for name, data in files],
        )
        for event in ("dragenter", "dragover", "drop"):
            self.page.dispatch_event(target, event, {"dataTransfer": transfer})
        self.page.wait_for_timeout(50)

    # ---- what the page says

    def answer(self):
        assert self.page.is_visible("#result"), self.page.inner_text("#trouble")
        texts = self.page.locator("#found details pre").all_text_contents()
        return {
            "word": self.page.inner_text("#verdict strong"),
            "verdict": self.page.inner_text("#verdict"),
            "report": json.loads(texts[0]),
            "statement": json.loads(texts[1]) if len(texts) > 1 else None,
        }

    def trouble(self):
        assert self.page.is_visible("#trouble") and not self.page.is_visible("#result")
        assert self.page.evaluate("document.activeElement.id") == "trouble"
        return self.page.inner_text("#trouble")

    def natively(self, cases):
        """What the same code says as a program of this machine, of each receipt and policy."""
        with tempfile.TemporaryDirectory() as at:
            lines = []
            for number, case in enumerate(cases):
                paths = []
                for name, data in zip(("receipt", "policy"), case):
                    if data is not None:
                        path = pathlib.Path(at, f"{number}.{name}")
                        path.write_bytes(data)
                        paths.append(str(path))
                lines.append("\t".join(paths) + "\n")
            told = subprocess.run([self.judge], input="".join(lines), text=True, check=True, stdout=subprocess.PIPE)
        return [json.loads(line) for line in told.stdout.splitlines()]

    def agrees(self, answer, native):
        assert answer["word"] == WORDS[native["verdict"]], (answer, native)
        assert answer["report"] == native["report"], (answer, native)
        assert answer["statement"] == native.get("statement"), (answer, native)

    def judged(self, receipt, policy, verdict):
        """Checks in the page and natively, and expects the same verdict from both."""
        answer = self.check(receipt, policy)
        [native] = self.natively([(receipt, policy)])
        assert native["verdict"] == verdict, native
        self.agrees(answer, native)
        return answer

    def failed(self, answer):
        return [check["name"] for check in answer["report"]["checks"] if check["verdict"] == "failed"]

    def see(self, name):
        """Looks at the page in every light: screenshots, no wider than the screen, keyboard, axe."""
        page = self.page
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for label, size in (("", WIDE), ("-320", NARROW)):
                page.set_viewport_size(size)
                width = page.evaluate("document.documentElement.scrollWidth")
                assert width <= size["width"], f"{name} is {width} pixels wide at {size['width']}"
                page.screenshot(path=self.out / f"{name}-{scheme}{label}.png", full_page=True)
            page.evaluate(self.axe)
            told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found = [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in told["violations"]]
            assert found == [], f"{name}, {scheme}: {found}"
        page.emulate_media(color_scheme="light", forced_colors="active")
        page.set_viewport_size(WIDE)
        page.screenshot(path=self.out / f"{name}-forced.png", full_page=True)
        page.emulate_media(color_scheme="light", forced_colors="none")
        assert page.evaluate(KEYBOARD) == [], name


KEYBOARD = """() => [...document.querySelectorAll('a[href], button, input, textarea, summary, pre')]
  .filter(e => e.checkVisibility())
  .filter(e => e.tabIndex < 0 || (e.matches('input, textarea') && !e.labels.length))
  .map(e => e.outerHTML)"""


def file_of(data, name):
    return {"name": name, "mimeType": "application/json", "buffer": data}


# ---- the checks


def a_receipt_is_verified_under_its_policy(bench):
    bench.page.reload()
    bench.see("start")
    answer = bench.judged(bench.plain, bench.plain_policy, "verified")
    assert bench.page.title().startswith("Verified")
    assert bench.page.evaluate("document.activeElement.id") == "result-title"
    text = bench.page.inner_text("#found")
    for expected in (
        "Example Shop", "DSR-Z22K-ZQDM-P8TF-A", "deletion of the data", "done in part", "20 November 2026, 09:15 UTC",
        "Customer account", "1 deleted", "point-in-time recovery, until 28 December 2026, 20:46 UTC",
        "2 kept for a legal reason (tax law), until 1 January 2037, 00:00 UTC", "Not done (object lock)", "no witness signed",
    ):
        assert expected in text, f"{expected} is not in {text}"
    rows = bench.page.locator(".checks tbody tr").all_inner_texts()
    assert len(rows) == len(answer["report"]["checks"]) == 10
    assert all("passed" in row for row in rows), rows
    bench.see("verified")


def a_witnessed_receipt_is_verified_with_and_without_its_witnesses(bench):
    bench.judged(bench.witnessed, bench.plain_policy, "verified")
    bench.judged(bench.witnessed, bench.witnessed_policy, "verified")
    text = bench.page.inner_text("#found")
    assert "witness3.example.test" in text and "no witness signed" not in text


def without_a_policy_nothing_is_called_verified(bench):
    bench.page.reload()
    answer = bench.judged(bench.plain, None, "self_consistent")
    assert "verified" not in answer["verdict"].lower(), answer["verdict"]
    assert "verified" not in bench.page.title().lower()
    assert answer["report"]["trust"] == "embedded"
    bench.see("self-consistent")


def the_wrong_policy_refuses(bench):
    other = subprocess.run(
        "openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -outform DER | openssl base64 -A",
        shell=True, check=True, stdout=subprocess.PIPE,
    ).stdout
    lines = bench.plain_policy.splitlines()
    strange = b"\n".join([*lines[:-1], lines[-1].rsplit(b" ", 1)[0] + b" " + other]) + b"\n"
    answer = bench.judged(bench.plain, strange, "refused")
    assert bench.failed(answer) == ["signature"]
    assert answer["statement"] is None and "Example Shop" not in bench.page.inner_text("#found")
    answer = bench.judged(bench.plain, b"quorum none\n" + lines[-1] + b"\n", "refused")
    assert bench.failed(answer) == ["checkpoint"]


def missing_witnesses_refuse(bench):
    answer = bench.judged(bench.plain, bench.witnessed_policy, "refused")
    assert bench.failed(answer) == ["policy"] and "fetch it again" in answer["verdict"]
    bench.see("refused")


def a_bit_flipped_anywhere_refuses(bench):
    chance = random.Random(20)
    step = len(bench.witnessed) / FLIPS
    cases = []
    for number in range(FLIPS):
        flipped = bytearray(bench.witnessed)
        flipped[int(step * number + chance.random() * step)] ^= 1 << chance.randrange(8)
        cases.append((bytes(flipped), bench.plain_policy if number % 2 else bench.witnessed_policy))
    for case, native in zip(cases, bench.natively(cases), strict=True):
        assert native["verdict"] == "refused"
        bench.agrees(bench.check(*case), native)


def what_is_no_receipt_is_refused(bench):
    for data in (b"", b"{", b"hello\n", b"[" * 100_000, bytes(range(256)), bench.plain + b"\n", b"\xef\xbb\xbf" + bench.plain):
        answer = bench.judged(data, bench.plain_policy, "refused")
        assert bench.failed(answer) == ["canonical"], answer
        bench.judged(data, None, "refused")
        bench.page.uncheck("#embedded")


def what_is_longer_than_a_mebibyte_is_refused(bench):
    for size in (MOST, MOST + 1, 30 * MOST):
        padded = bench.plain + b" " * (size - len(bench.plain))
        answer = bench.check(padded, bench.plain_policy)
        [native] = bench.natively([(padded[: MOST + 1], bench.plain_policy)])
        bench.agrees(answer, native)
        assert answer["word"] == "Refused" and bench.failed(answer) == ["canonical"]


def what_is_no_policy_checks_nothing(bench):
    for policy in (b"", b"\xff", b"hello\n", bench.plain, b"#" * 300_000 + b"\n", bench.plain_policy[:-1]):
        bench.give(bench.plain, policy)
        bench.press()
        assert "is none" in bench.trouble(), bench.trouble()
    bench.see("no-policy")


def nothing_is_checked_before_both_are_given(bench):
    bench.page.reload()
    bench.press()
    assert bench.trouble().count("\n") >= 2
    bench.page.get_by_role("link", name="Choose a receipt").click()
    assert bench.page.evaluate("document.activeElement.id") == "receipt"
    bench.page.set_input_files("#receipt", file_of(bench.plain, "a"))
    assert not bench.page.is_visible("#trouble")
    bench.press()
    assert "Give a policy" in bench.trouble()


def an_answer_never_stands_beside_another_file(bench):
    for change in (
        lambda: bench.page.set_input_files("#receipt", file_of(b"other", "b")),
        lambda: bench.page.set_input_files("#policy", file_of(b"other", "b")),
        lambda: bench.page.fill("#policy-text", "other"),
        lambda: bench.page.check("#embedded"),
    ):
        bench.page.reload()
        bench.judged(bench.plain, bench.plain_policy, "verified")
        change()
        assert not bench.page.is_visible("#result")
        assert bench.page.inner_text("#verdict") == "" and bench.page.title() == "Check a receipt"


def keys_come_from_one_place(bench):
    state = """() => [document.getElementById('policy').files.length,
        document.getElementById('policy-text').value, document.getElementById('embedded').checked]"""
    bench.page.set_input_files("#policy", file_of(b"a", "a"))
    assert bench.page.evaluate(state) == [1, "", False]
    bench.page.fill("#policy-text", "b")
    assert bench.page.evaluate(state) == [0, "b", False]
    bench.page.check("#embedded")
    assert bench.page.evaluate(state) == [0, "", True]
    bench.page.set_input_files("#policy", file_of(b"a", "a"))
    assert bench.page.evaluate(state) == [1, "", False]


def a_policy_can_be_pasted(bench):
    text = bench.plain_policy.decode()
    for pasted in (text, text.rstrip("\n"), text.replace("\n", "\r\n")):
        bench.page.reload()
        bench.page.set_input_files("#receipt", file_of(bench.plain, "a"))
        bench.page.fill("#policy-text", pasted)
        bench.press()
        assert bench.answer()["word"] == "Verified"


def files_can_be_dropped(bench):
    receipt, policy = ("r", bench.plain), ("p", bench.plain_policy)
    for drops in (
        [("#receipt-drop", receipt), ("#policy-drop", policy)],
        [("#receipt", receipt), ("#policy-text", policy)],
        [("h1", receipt, policy)],
        [("#receipt-drop", policy, receipt)],
        [("body", policy), ("footer", receipt)],
    ):
        bench.page.reload()
        for drop in drops:
            bench.drop(*drop)
        bench.press()
        assert bench.answer()["word"] == "Verified", drops
    # What is dropped on a field is taken for what the field asks for, whatever it looks like.
    bench.drop("#receipt-drop", policy)
    bench.press()
    assert bench.failed(bench.answer()) == ["canonical"]


def receipts_of_every_kind_are_told(bench):
    expected = {
        "acceptance": ["Acceptance of a request", "deletion of the data"],
        "amendment": ["<img src=x onerror=alert(1)>", "Corrects entry", "9007199254740991 found", "123456 bytes"],
        "denied": ["refused by the company", "insuf verification", "1000000: 0 done", "No place was concerned"],
        "manifest": ["A day’s account", "23 November 2026", "Corrections told of"],
    }
    assert sorted(bench.kinds) == sorted(expected)
    for name, (receipt, policy) in bench.kinds.items():
        bench.judged(receipt, policy, "verified")
        text = bench.page.inner_text("#found")
        for words in expected[name]:
            assert words in text, f"{words} is not in {text}"
        for nothing in ("undefined", "null", "NaN", "[object"):
            assert nothing not in text.split("Every check")[0], f"{nothing} in {text}"
        assert bench.page.locator("#found img, #found script").count() == 0
        bench.see(f"kind-{name}")


def the_keyboard_is_enough(bench):
    bench.page.reload()
    bench.page.set_input_files("#receipt", file_of(bench.plain, "a"))
    bench.page.focus("#receipt")
    for _ in range(40):
        bench.page.keyboard.press("Tab")
        if bench.page.evaluate("document.activeElement.id") == "embedded":
            break
    bench.page.keyboard.press("Space")
    bench.page.keyboard.press("Tab")
    bench.page.keyboard.press("Enter")
    bench.page.wait_for_selector("#result:not([hidden])")
    assert bench.answer()["word"] == WORDS["self_consistent"]


def without_javascript_it_says_what_to_do(bench):
    page = bench.context(java_script_enabled=False).new_page()
    page.goto(bench.address)
    text = page.inner_text("body")
    assert "JavaScript is off" in text and "dsr verify FILE" in text
    assert not page.is_visible("#form")
    page.screenshot(path=bench.out / "no-javascript.png", full_page=True)
    page.context.close()


def without_webassembly_it_says_what_to_do(bench):
    context = bench.context()
    context.add_init_script("delete window.WebAssembly")
    page = context.new_page()
    page.goto(bench.address)
    assert "no WebAssembly" in page.inner_text("#trouble") and not page.is_visible("#form")
    context.close()


def a_verifier_that_fails_is_no_verdict(bench):
    """A mistake of ours must never look like an answer."""
    context = bench.browser.new_context()
    context.add_init_script("WebAssembly.instantiate = async () => { throw new Error('unreachable') }")
    page = context.new_page()
    page.goto(bench.address)
    page.set_input_files("#receipt", file_of(bench.plain, "a"))
    page.set_input_files("#policy", file_of(bench.plain_policy, "policy"))
    page.get_by_role("button", name="Check the receipt").click()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "Nothing was checked: unreachable" in page.inner_text("#trouble")
    assert not page.is_visible("#result")
    context.close()


def it_says_what_it_is_not(bench):
    text = bench.page.inner_text("main")
    for words in ("comes from the company that you may want to check", "Nothing leaves this browser", "openssl",
                  "verify.py", "@sigstore/verify", "dsr verify", "docs/RECEIPT.md"):
        assert words in text, words


def nothing_is_asked_of_a_network(bench):
    """After everything above: only the page itself was opened, and nobody complained."""
    assert set(bench.asked) == {bench.address}, set(bench.asked)
    assert bench.said == [], bench.said
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "fetch("):
        script = bench.html.split("<script>")[1]
        assert word not in script, word
    # And if it wanted to: a page with a network, whose policy forbids.
    page = bench.browser.new_page()
    page.goto(bench.address)
    sent = []
    page.on("requestfinished", lambda request: sent.append(request.url))
    tried = page.evaluate(
        """async () => {
            const refused = [];
            document.addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective));
            await fetch('http://localhost/').catch(() => {});
            document.body.append(Object.assign(new Image(), {src: 'http://localhost/'}));
            document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}));
            await new Promise(resolve => setTimeout(resolve, 200));
            return [refused.sort(), window.ran];
        }"""
    )
    assert tried == [["connect-src", "img-src", "script-src-elem"], None], tried
    assert sent == [], sent
    page.close()


CHECKS = [
    a_receipt_is_verified_under_its_policy,
    a_witnessed_receipt_is_verified_with_and_without_its_witnesses,
    without_a_policy_nothing_is_called_verified,
    the_wrong_policy_refuses,
    missing_witnesses_refuse,
    a_bit_flipped_anywhere_refuses,
    what_is_no_receipt_is_refused,
    what_is_longer_than_a_mebibyte_is_refused,
    what_is_no_policy_checks_nothing,
    nothing_is_checked_before_both_are_given,
    an_answer_never_stands_beside_another_file,
    keys_come_from_one_place,
    a_policy_can_be_pasted,
    files_can_be_dropped,
    receipts_of_every_kind_are_told,
    the_keyboard_is_enough,
    without_javascript_it_says_what_to_do,
    without_webassembly_it_says_what_to_do,
    a_verifier_that_fails_is_no_verdict,
    it_says_what_it_is_not,
    nothing_is_asked_of_a_network,
]


def main():
    page, judge, golden, kinds, out, chromium, axe = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        bench = Bench(browser, page, judge, golden, kinds, out, axe)
        for check in CHECKS:
            try:
                check(bench)
                passed += 1
                print(f"test {check.__name__} ... ok", flush=True)
            except Exception:
                failed += 1
                print(f"test {check.__name__} ... FAILED", flush=True)
                traceback.print_exc(limit=3)
        browser.close()
    # As cargo's tests say it: tests/run adds up these lines.
    print(f"test result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed; the verify page", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
