"""Walks through the public pages of a `dsr local` with a real browser.

    walk.py PAGES MAILBOX OUT CHROMIUM AXE

PAGES is the address of the pages, MAILBOX the directory of mails, OUT where screenshots, receipts and the
export go. JavaScript is off for every step that a person takes. A second browser context, with JavaScript
on, loads each page again for axe-core, which needs it. Whatever does not fit ends the program.
"""

import hashlib
import json
import pathlib
import re
import sys
import time
import urllib.request
import zipfile

from playwright.sync_api import expect, sync_playwright

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}
PATIENCE_SECONDS = 240


class Walk:
    def __init__(self, browser, pages, mailbox, out, axe):
        self.pages, self.mailbox, self.out = pages, mailbox, out
        self.axe = axe.read_text()
        self.person = browser.new_context(
            java_script_enabled=False, viewport=WIDE, accept_downloads=True
        )
        self.judge = browser.new_context(viewport=WIDE)
        self.page = self.person.new_page()
        self.judged = {}

    def see(self, name):
        """Looks at the page: screenshots, nothing wider than the screen, keyboard, axe."""
        self.page.screenshot(path=self.out / f"{name}.png", full_page=True)
        self.page.set_viewport_size(NARROW)
        self.page.screenshot(path=self.out / f"{name}-320.png", full_page=True)
        self.page.set_viewport_size(WIDE)
        html = self.page.content()
        assert "<script" not in html.lower(), name
        copy = self.judge.new_page()
        # The page as the person has it, under the same address, so that the style sheet is found.
        address = self.page.url.split("#")[0]
        copy.route(
            "**/*",
            lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8")
            if route.request.resource_type == "document"
            else route.continue_(),
        )
        copy.goto(address)
        copy.set_viewport_size(NARROW)
        width = copy.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], f"{name} is {width} pixels wide at 320"
        unreachable = copy.evaluate(KEYBOARD)
        assert unreachable == [], f"{name}: {unreachable}"
        for scheme in ("light", "dark"):
            copy.emulate_media(color_scheme=scheme)
            copy.evaluate(self.axe)
            told = copy.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found = [
                (v["id"], [node["html"] for node in v["nodes"]]) for v in told["violations"]
            ]
            assert found == [], f"{name}, {scheme}: {found}"
        self.judged[name] = len(told["passes"])
        copy.emulate_media(forced_colors="active", color_scheme="light")
        copy.set_viewport_size(WIDE)
        copy.screenshot(path=self.out / f"{name}-forced.png", full_page=True)
        copy.close()

    def code(self, reference, after=None):
        """The newest code that was mailed about a request, and not `after`."""

        def look():
            found = []
            for mail in self.mailbox.iterdir():
                text = mail.read_text(errors="replace")
                code = re.search(r"Your code: (\S+)", text)
                if code and reference in text:
                    found.append((mail.name, code.group(1)))
            newest = max(found)[1] if found else None
            return newest if newest != after else None

        return self.until(look, f"no code for {reference}")

    def until(self, look, complaint):
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_SECONDS:
            if found := look():
                return found
            # Between two looks the browser waits, so that nothing is busy.
            self.page.wait_for_timeout(250)
        raise AssertionError(complaint)

    def heading(self, text):
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def until_heading(self, text):
        def look():
            self.page.reload()
            return self.page.get_by_role("heading", level=1).inner_text() == text

        self.until(look, f"never: {text}")

    def reference(self):
        return re.search(r"DSR(-[0-9A-Z]{4}){3}-[0-9A-Z*~$=]", self.page.content()).group(0)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name):
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def fill(self, label, text):
        self.page.get_by_label(label).first.fill(text)

    def receipt(self, reference):
        with self.page.expect_download() as told:
            self.follow("Download the receipt")
        told.value.save_as(self.out / f"{reference}.receipt.json")


# What a person without a mouse cannot reach, and what has no name.
KEYBOARD = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')]
  .filter(e => e.checkVisibility())
  .filter(e => e.tabIndex < 0 || (e.matches('input, select') && !e.labels.length))
  .map(e => e.outerHTML)"""


def start(walk):
    walk.page.goto(walk.pages)
    walk.heading("What do you want us to do with your data?")
    walk.see("start")
    first = walk.page.locator("main a.button").first
    assert first.inner_text() == "Opt out"
    sizes = {
        round(link.bounding_box()["height"]) for link in walk.page.locator("main a.button").all()
    }
    assert len(sizes) == 1, "the choices do not weigh the same"


def opt_out(walk):
    """Two page loads from the link: the form, and the confirmation. By keyboard alone."""
    loads = []
    walk.page.on("load", lambda _: loads.append(1))
    walk.page.goto(walk.pages)
    loads.clear()
    walk.follow("Opt out")
    walk.see("opt-out")
    walk.page.get_by_label("Email address").focus()
    walk.page.keyboard.type("leonekohler@surfeu.de")
    walk.page.keyboard.press("Enter")
    walk.heading("We have your request")
    assert len(loads) == 2, loads
    walk.see("opt-out-received")
    reference = walk.reference()
    walk.follow("See how it stands")
    walk.until_heading("You have opted out")
    walk.until(
        lambda: walk.page.reload() and walk.page.get_by_text("Download the receipt").count(),
        "no receipt",
    )
    walk.see("opt-out-status")
    walk.receipt(reference)
    return reference


def mistakes(walk):
    walk.page.goto(walk.pages + "access")
    walk.fill("Email address", "nobody")
    walk.press("Send my request for a copy")
    expect(walk.page.get_by_role("alert")).to_be_focused()
    assert walk.page.title().startswith("Error: ")
    walk.see("access-error")
    walk.page.get_by_role("alert").get_by_role("link").click()
    expect(walk.page.get_by_label("Email address")).to_be_focused()
    walk.page.goto(walk.pages + "nowhere")
    walk.see("not-found")


def access(walk):
    walk.page.goto(walk.pages)
    walk.follow("Ask for a copy")
    walk.see("access")
    walk.fill("Email address", "luisg@embraer.com.br")
    walk.press("Send my request for a copy")
    walk.heading("Enter the code we sent")
    reference = walk.reference()
    walk.see("code")
    walk.fill("Code from our mail", "0000-0000")
    walk.press("Go on")
    walk.see("code-error")
    code = walk.code(reference)
    walk.fill("Code from our mail", f" {code.lower()} ")
    walk.press("Go on")
    walk.heading("We have your request")
    walk.see("access-received")
    walk.follow("See how it stands")
    walk.see("access-status")
    return reference, code


def export(walk, reference, code):
    """The copy, once it is there: with a fresh code, in a browser that has forgotten everything."""
    walk.page.goto(f"{walk.pages}requests/{reference}")
    walk.until_heading("Your data is ready")
    walk.see("access-ready")
    walk.press("Forget my requests on this device")
    walk.heading("What do you want us to do with your data?")
    walk.follow("See how a request stands")
    walk.see("find")
    walk.fill("Reference", reference.lower().replace("-", " "))
    walk.fill("Email address", "luisg@embraer.com.br")
    walk.press("Send me a code")
    walk.heading("Enter the code we sent")
    code = walk.code(reference, after=code)
    walk.fill("Code from our mail", code)
    walk.press("Go on")
    walk.heading("Your data is ready")
    walk.follow("Get my data")
    walk.see("export")
    walk.fill("Email address", "luisg@embraer.com.br")
    walk.press("Send me a code")
    walk.see("export-sent")
    code = walk.code(reference, after=code)
    walk.fill("Code from our mail", code)
    with walk.page.expect_download() as told:
        walk.press("Download my data")
    at = walk.out / "your-data.zip"
    told.value.save_as(at)
    with zipfile.ZipFile(at) as zipped:
        assert zipped.testzip() is None
        manifest = json.loads(zipped.read("manifest.json"))
        assert manifest["files"], manifest
        for file in manifest["files"]:
            digest = hashlib.sha256(zipped.read(file["path"])).hexdigest()
            assert digest == file["sha256"], file["path"]
    walk.page.goto(f"{walk.pages}requests/{reference}")
    walk.until(
        lambda: walk.page.reload() and walk.page.get_by_text("Download the receipt").count(),
        "no receipt",
    )
    walk.receipt(reference)


def withdrawal(walk):
    """The copy asked for before is not there yet, so the deletion waits, and can be withdrawn."""
    walk.page.goto(walk.pages)
    walk.follow("Ask for deletion")
    walk.see("deletion")
    walk.fill("Email address", "luisg@embraer.com.br")
    walk.press("Send my request to delete my data")
    reference = walk.reference()
    walk.fill("Code from our mail", walk.code(reference))
    walk.press("Go on")
    walk.heading("We have your request")
    walk.follow("See how it stands")
    walk.until(
        lambda: walk.page.reload() and walk.page.get_by_text("You get it first").count(),
        "the deletion does not wait",
    )
    walk.see("deletion-waits")
    walk.follow("Withdraw this request")
    walk.heading("Withdraw your request?")
    walk.see("withdraw")
    walk.press("Withdraw my request")
    walk.heading("You have withdrawn this request")
    walk.see("withdrawn")


def regulators(walk):
    walk.page.goto(walk.pages)
    walk.follow("For regulators and auditors")
    walk.see("evidence")
    for name in ("policy", "log/checkpoint"):
        with urllib.request.urlopen(walk.pages + name) as answer:
            path = walk.out / name.replace("/", "-")
            path.write_bytes(answer.read())


def signal(browser, pages, out):
    """A browser with Global Privacy Control is told that it was heard."""
    context = browser.new_context(
        java_script_enabled=False, extra_http_headers={"Sec-GPC": "1"}
    )
    page = context.new_page()
    page.goto(pages + "opt-out")
    expect(page.get_by_role("status")).to_contain_text("Global Privacy Control")
    page.screenshot(path=out / "opt-out-signal.png", full_page=True)
    context.close()


def main():
    pages, mailbox, out, chromium, axe = sys.argv[1:]
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        walk = Walk(browser, pages, pathlib.Path(mailbox), out, pathlib.Path(axe))
        start(walk)
        mistakes(walk)
        reference, code = access(walk)
        opted_out = opt_out(walk)
        withdrawal(walk)
        regulators(walk)
        signal(browser, pages, out)
        print(json.dumps({"stage": "attest", "reference": reference}), flush=True)
        export(walk, reference, code)
        print(json.dumps({"receipts": [opted_out, reference], "judged": walk.judged}), flush=True)
        browser.close()


main()
