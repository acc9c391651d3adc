"""The page in a real browser: Chromium without a window, driven by Playwright; skipped where either is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fgkd.record import RunRecord
from fgkd.report.html import Beside, report_page
from fgkd.report.published import Pair, Published, Source, Table
from tests.report.html.factory import HOSTILE, hostile_records, many_records, teacher_record, truth, varied_records

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WIDTHS = (360, 1280)
PUBLISHED = Published(
    tables=(
        Table(
            dataset="cub200",
            source=Source(paper="Somebody, 2024", table="table 3", url="https://example.org/paper"),
            pairs=(Pair(teacher="big_net", student="small_net", top1={"dkd": 70.5}),),
        ),
    )
)


class Tab:
    """A page of the browser, and whatever went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        self.requests: list[str] = []

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file anew."""
        self.page.goto("about:blank")
        self.page.goto(f"{path.as_uri()}{fragment}")
        self.page.wait_for_selector("#table tbody tr, #count")

    def names(self) -> list[str]:
        """The first column."""
        return self.page.locator("#table tbody th .open").all_inner_texts()

    def fine(self) -> None:
        """No message, no error, nothing fetched, nothing wider than the window."""
        assert self.wrong == []
        assert [url for url in self.requests if not url.startswith(("file:", "data:", "about:"))] == []
        assert len([url for url in self.requests if url.startswith("file:")]) >= 1
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An installed Chromium with a profile of its own."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install fgkd[browser]")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    profile = tmp_path_factory.mktemp("profile")
    with driver.sync_playwright() as play:
        context = play.chromium.launch_persistent_context(
            profile, executable_path=path, args=list(FLAGS), headless=True
        )
        yield context
        context.close()


@pytest.fixture(params=WIDTHS)
def tab(request: pytest.FixtureRequest, browser: Any) -> Iterator[Tab]:
    """A fresh page, as wide as a phone and as a desk's screen."""
    page = browser.new_page()
    page.set_viewport_size({"width": request.param, "height": 800})
    yield Tab(page)
    page.close()


def trained_anew() -> RunRecord:
    """The same teacher, from another machine."""
    teacher = teacher_record()
    assert teacher.student is not None
    return teacher.model_copy(
        update={"student": teacher.student.model_copy(update={"weights_hash": "fedcba9876543210"})}
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages that are looked at."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {
        "varied": report_page(
            varied_records(), ["kd-1.json: x"], title="fine", beside=Beside({"r1": truth()}, published=PUBLISHED)
        ),
        "hostile": report_page(
            hostile_records(), [HOSTILE[0]], title=HOSTILE[1], beside=Beside({"r1": truth(HOSTILE[:6])})
        ),
        "many": report_page(many_records(5000), [], title="many", beside=Beside({"r1": truth()})),
        "twice": report_page([teacher_record(), trained_anew()], [], title="twice"),
        "empty": report_page([], [], title="empty"),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


def test_it_loads_draws_everything_and_asks_for_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    tab.page.wait_for_selector("#scatter svg circle")
    shown = tab.page.locator("main > section:visible").evaluate_all("all => all.map((one) => one.id)")
    assert [name for name in shown if name] == [
        *("results", "protocol", "scatter", "forest", "curves", "calibration", "failures", "published", "ranks")
    ]
    assert tab.page.locator("#count").inner_text() == "31 configurations"
    assert len(tab.names()) == 31
    assert tab.page.locator("#curves svg path").count() == 5 * 4 - 1, "a mean and three seeds each; one run failed"
    assert "70.50" in tab.page.locator("#published").inner_text()
    assert "20 epochs of batches of 8, sgd at" in tab.page.locator("#protocol").inner_text()
    tab.fine()


def test_an_empty_board_is_a_page_too(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["empty"])
    assert tab.page.locator("#count").inner_text() == "0 configurations"
    assert tab.page.locator("#scatter").is_hidden()
    tab.fine()


def test_columns_sort_both_ways_and_keep_blanks_last(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    head = tab.page.locator("#table th button[data-sort=score]")
    scores = "[...document.querySelectorAll('#table .scorecell span:first-child')].map((s) => Number(s.textContent))"
    head.click()
    down = tab.page.evaluate(scores)
    assert down == sorted(down, reverse=True)
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    assert tab.page.evaluate("document.activeElement.dataset.sort") == "score"
    tab.page.keyboard.press("Enter")
    up = tab.page.evaluate(scores)
    assert up == sorted(up)
    tab.page.locator("#table th button[data-sort=kd]").click()
    texts = tab.page.locator("#table tbody tr > :nth-child(1)").evaluate_all("all => all.map((one) => one.innerText)")
    assert {text.split()[0] for text in texts[-7:]} == {"kd", "teacher"}  # nothing to compare with
    tab.fine()


def test_filters_search_and_views(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    tab.page.get_by_role("combobox", name="Data set").select_option("foodx251")
    assert tab.page.locator("#count").inner_text() == "10 of 31 configurations"
    tab.page.get_by_role("combobox", name="Student").select_option("smaller_net")
    assert len(tab.names()) == 5
    tab.page.get_by_role("searchbox").fill("TH_ foodx")
    assert tab.names() == ["th_kd"]
    tab.page.get_by_role("button", name="Clear").click()
    tab.page.locator("[data-view=runs]").click()
    assert tab.page.evaluate("document.activeElement.dataset.view") == "runs"  # the keyboard stays where it was
    tab.page.get_by_role("combobox", name="Status").select_option("failed")
    assert tab.page.locator("#count").inner_text() == "1 of 91 runs"
    tab.page.get_by_role("combobox", name="Status").select_option("")
    tab.page.locator("#filters").get_by_role("combobox", name="Method").select_option("dkd")
    assert len(tab.names()) == 18
    tab.fine()


def test_a_row_opens_its_record_with_mouse_and_keyboard(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    row = tab.page.locator("#table tbody tr", has_text="th_kd").first
    row.locator("td").first.click() if tab.page.viewport_size["width"] > 500 else row.locator(".scorecell").click()
    dialog = tab.page.locator("dialog[open]")
    text = dialog.inner_text()
    for wanted in ("95 % interval", "head cosine", "0.8125", "abc123", "Recipe", "Runs", "rank 1 of 4"):
        assert wanted in text
    assert dialog.locator(".chart svg path").count() == 1
    tab.page.keyboard.press("Escape")
    assert tab.page.locator("dialog[open]").count() == 0
    assert tab.page.evaluate("document.activeElement.className") == "open"
    tab.page.keyboard.press("Enter")
    assert tab.page.locator("dialog[open]").count() == 1
    tab.page.get_by_role("button", name="Close").click()
    tab.fine()


def test_each_training_of_a_teacher_opens_its_own_record(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["twice"], "#view=runs")
    seen = []
    for place in (0, 1):
        tab.page.locator("#table tbody .open").nth(place).click()
        seen.append(tab.page.locator("dialog[open]").inner_text())
        tab.page.keyboard.press("Escape")
    assert sum("fedcba9876543210" in text for text in seen) == 1
    tab.fine()


def test_what_is_shown_can_be_sent_as_a_link(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    tab.page.get_by_role("combobox", name="Data set").select_option("foodx251")
    tab.page.locator("#table th button[data-sort=method]").click()
    tab.page.get_by_role("combobox", name="The charts below show").select_option("2")
    tab.page.locator("#failures select").focus()
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.evaluate("document.activeElement.closest('section').id") == "failures"
    tab.page.locator("#table tbody .open").first.click()
    address, names = tab.page.url, tab.names()
    title = tab.page.locator("#details-title").inner_text()
    tab.open(pages["varied"], address[address.index("#") :])
    assert tab.names() == names
    assert tab.page.locator("#details-title").inner_text() == title
    assert tab.page.url == address
    assert "foodx251" in tab.page.locator("#forest figcaption").inner_text()
    tab.page.evaluate("location.hash = 'view=runs&open=nobody&table=99&sort=-nothing'")
    tab.page.wait_for_function("document.getElementById('count').textContent === '91 runs'")
    tab.fine()


def test_a_failed_run_says_why(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"], "#view=runs&status=failed")
    tab.page.locator("#table tbody .open").click()
    assert "CUDA out of memory: tried to allocate 2 GiB at step 12" in tab.page.locator("dialog .reason").inner_text()
    tab.fine()


def test_charts_follow_their_controls(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    tab.page.get_by_role("combobox", name="Cost").select_option("seconds")
    assert "training seconds" in tab.page.locator("#scatter .chart").get_attribute("aria-label")
    tab.page.get_by_role("button", name="against scratch").click()
    assert tab.page.locator("#forest h2").inner_text() == "Differences to scratch"
    tab.page.locator("#curves .key button").first.click()
    assert tab.page.locator("#curves .pale").count() > 0
    tab.fine()


def test_colours_follow_the_system_until_they_are_chosen(tab: Tab, pages: dict[str, Path]) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    tab.page.emulate_media(color_scheme="dark")
    tab.open(pages["varied"])
    tab.page.evaluate("localStorage.clear()")
    tab.page.reload()
    dark = tab.page.evaluate(paper)
    tab.page.emulate_media(color_scheme="light")
    light = tab.page.evaluate(paper)
    assert (dark, light) == ("rgb(18, 22, 26)", "rgb(255, 255, 255)")
    tab.page.locator("#theme").click()
    assert tab.page.evaluate(paper) == dark
    tab.page.evaluate("localStorage.clear()")
    tab.fine()


def test_hostile_names_run_nothing(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["hostile"])
    assert tab.page.title() == f"{HOSTILE[1]}: fgkd report"
    tab.page.locator("#table tbody .open").first.click()
    tab.page.keyboard.press("Escape")
    for i in range(tab.page.locator("#chooser option").count()):
        tab.page.get_by_role("combobox", name="The charts below show").select_option(str(i))
    for name in tab.page.locator("#table tbody .open").evaluate_all("all => all.map((one) => one.dataset.open)"):
        tab.page.evaluate(f"location.hash = new URLSearchParams({{ open: {json.dumps(name)} }})")
        tab.page.wait_for_selector("dialog[open]")
    tab.page.get_by_role("button", name="Close").click()
    assert tab.page.evaluate("window.hacked") is None
    assert tab.page.locator("img, iframe, object, embed, svg script, a[href^=javascript]").count() == 0
    assert tab.page.locator("script").count() == 2
    shown = tab.page.locator("body").inner_text()
    assert "invoice[U+202E]gnp.exe" in shown
    assert "\u202e" not in shown
    tab.fine()


def test_five_thousand_rows_sort_in_a_quarter_of_a_second(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["many"], "#view=runs")
    assert tab.page.locator("#count").inner_text() == "5,000 runs"
    timed = """(key) => new Promise((done) => {
      const start = performance.now();
      document.querySelector(`#table [data-sort=${key}]`).click();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    })"""
    seconds = {key: min(tab.page.evaluate(timed, key) for _ in range(3)) / 1000 for key in ("score", "run", "seed")}
    print("sorting 5,000 runs:", ", ".join(f"by {key} {1000 * took:.0f} ms" for key, took in seconds.items()))
    assert max(seconds.values()) < 1.0  # a quarter of a second on an idle machine; CI's are not
    assert tab.page.locator("#table tbody tr").count() == 100
    tab.page.get_by_role("button", name="Show 100 more").click()
    assert tab.page.locator("#table tbody tr").count() == 200
    tab.fine()


def test_everything_is_named_for_those_who_do_not_see(tab: Tab, pages: dict[str, Path]) -> None:
    tab.open(pages["varied"])
    nameless = tab.page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, [role=img], [role=region], section")]
        .filter((one) => one.checkVisibility() && !one.textContent.trim() && !one.getAttribute("aria-label")
          && !one.getAttribute("aria-labelledby") && !one.closest("label")).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert tab.page.locator("#scatter [role=img]").get_attribute("aria-label").startswith("10 configurations on cub200")
    assert tab.page.locator("svg:not([aria-hidden])").count() == 0
    assert tab.page.evaluate(
        "[...document.querySelectorAll('[role=img] *')].every((one) => one.closest('[aria-hidden]'))"
    )
    assert tab.page.locator("table").evaluate_all(
        "all => all.every((one) => one.tHead && one.querySelector('th[scope]'))"
    )


def test_paper_gets_every_row_in_light_colours(browser: Any, pages: dict[str, Path]) -> None:
    tab = Tab(browser.new_page())
    tab.page.emulate_media(color_scheme="dark")
    tab.open(pages["varied"])
    assert tab.page.pdf().startswith(b"%PDF")
    tab.page.emulate_media(media="print")
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.page.locator("#filters").is_hidden()
    assert len(tab.names()) == 31
    tab.fine()
    tab.page.close()
