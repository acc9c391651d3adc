"""Whatever a stranger wrote is shown, and nothing of it is obeyed."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgkd.report.html import Beside, report_page
from fgkd.report.html.safety import digest, script_json, visible
from tests.board_factory import record, run_spec
from tests.report.html.factory import HOSTILE, hostile_records, truth

NASTY = st.one_of(
    st.text(),
    st.sampled_from(HOSTILE),
    st.text(alphabet="<>&\"'/!-scripSCRIPT\u2028\u202e\u0000{}%#\ud800"),
)
TREES = st.recursive(NASTY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(NASTY, inner))


@given(NASTY)
def test_nothing_unseen_is_left(text: str) -> None:
    shown = visible(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    shown.encode()
    assert visible(shown) == shown


def test_letters_from_right_to_left_stay() -> None:
    assert visible("\u05d3\u05d5\u05d2 \u0645") == "\u05d3\u05d5\u05d2 \u0645"
    assert visible("invoice\u202egnp.exe") == "invoice[U+202E]gnp.exe"


@given(TREES)
def test_json_in_a_script_is_ascii_without_markup(value: object) -> None:
    text = script_json(value)
    assert text.isascii()
    assert not set("<>&\n\r") & set(text)
    assert json.loads(text) == shown(value)


def shown(value: object) -> object:
    if isinstance(value, list):
        return [shown(part) for part in value]
    if isinstance(value, dict):
        return {visible(key): shown(part) for key, part in value.items()}
    return visible(value) if isinstance(value, str) else value


@pytest.mark.parametrize("text", ["\x7f", " a", "a ", "\u202e", "a\tb", "\u00a0", "\ud800", '" ', "\\\x00"])
def test_no_text_that_is_not_shown_as_it_is_gets_by(text: str) -> None:
    assert json.loads(script_json({"plain": 1, "k": [text], text: 2})) == {
        "plain": 1,
        "k": [visible(text)],
        visible(text): 2,
    }


class Elements(HTMLParser):
    """The elements of a page, and its text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)


def elements(page: str) -> Elements:
    parser = Elements()
    parser.feed(page)
    parser.close()
    return parser


def tags_of(page: str) -> set[str]:
    return {tag for tag, _ in elements(page).tags}


PLAIN = tags_of(report_page([record()], ["kd.json: broken"], title="plain"))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_bring_no_element(name: str) -> None:
    page = report_page(hostile_records(), [f"{name}: x"], title=name, beside=Beside({"r1": truth(HOSTILE[:6])}))
    found = elements(page)
    assert {tag for tag, _ in found.tags} <= PLAIN | {"p", "bdi", "article", "h3", "strong", "li", "ul"}
    assert not any(
        key.startswith("on") or key in ("href", "src") for tag, keys in found.tags for key in keys if tag != "a"
    )
    assert len(found.scripts) == 2
    assert "\u202e" not in page
    assert "\u2028" not in page


@given(NASTY)
def test_any_title_stays_a_title(title: str) -> None:
    page = report_page([], [], title=title)
    found = elements(page)
    assert {tag for tag, _ in found.tags} <= PLAIN
    assert len(found.scripts) == 2


def test_the_policy_lets_nothing_through_but_the_page_itself() -> None:
    page = report_page([record()], [], title="x")
    policy = next(keys["content"] for tag, keys in elements(page).tags if keys.get("http-equiv"))
    assert policy is not None
    script, style = (re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("script", "style"))
    assert script is not None
    assert style is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src '{digest(script[1])}'" in policy
    assert f"style-src '{digest(style[1])}'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


def test_a_reason_with_lines_is_told_whole() -> None:
    page = report_page([record(run_spec(), None, reason="</script>one\ntwo")], [], title="x")
    data = json.loads(elements(page).scripts[0])
    row = dict(zip(data["runs"]["names"], data["runs"]["rows"][0], strict=True))
    assert row["reason"] == "</script>one two"
