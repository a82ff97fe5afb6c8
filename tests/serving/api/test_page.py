"""The web page in a browser: each tab clicked through, wide and on a phone. Needs playwright and a chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handnet.serving.api.keys import KeyFile
from handnet.serving.api.service import Collection
from tests.serving.api.hands import draw, make_service
from tests.serving.api.site import Site

CHROMIUM = shutil.which("chromium") or ""
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install 'handnet[dev]'"
)
if not CHROMIUM:
    pytest.skip("chromium is not installed: apt-get install chromium", allow_module_level=True)

pytestmark = pytest.mark.slow

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="module")
def tab() -> Iterator[Any]:
    """One tab of a browser for all tests: each has a server, and so an origin, of its own. A new one takes a second each time."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page()
        opened.set_default_timeout(15_000)
        yield opened
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(make_service(tmp_path))
    yield made
    made.stop()


WIDE_PX, PHONE_PX = 1280, 390
# A page takes seconds: on a phone too where more is done than looked at. How wide the last view is on a phone is seen of all.
wide_and_on_a_phone = pytest.mark.parametrize("page", [WIDE_PX, PHONE_PX], indirect=True)


@pytest.fixture
def page(tab: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page; a complaint of the browser, e.g. of the content policy, or a request to elsewhere fails the test."""
    width_px = getattr(request, "param", WIDE_PX)
    complaints: list[str] = []
    listeners = {
        "console": lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None,
        "pageerror": lambda error: complaints.append(str(error)),
        "request": lambda sent: None if sent.url.startswith((site.address, "blob:")) else complaints.append(sent.url),
    }
    tab.set_viewport_size({"width": width_px, "height": 850})
    for event, listener in listeners.items():
        tab.on(event, listener)
    tab.goto(site.address)
    tab.wait_for_selector("html[data-ready]")
    yield tab
    widths = {}
    for screen_px in (width_px, PHONE_PX):
        tab.set_viewport_size({"width": screen_px, "height": 850})
        widths[screen_px] = tab.evaluate("document.documentElement.scrollWidth")
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    tab.goto("about:blank")
    assert complaints == []
    assert all(width <= screen_px for screen_px, width in widths.items()), f"wider than the screen: {widths}"


def photo(name: str, *what: Any) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/jpeg", "buffer": draw(*what)}


def show(page: Any, tab: str) -> Any:
    page.click(f"#tab-{tab}")
    panel = page.locator(f"#{tab}")
    # The explorer is empty until its first answer.
    panel.locator("*").first.wait_for()
    return panel


@wide_and_on_a_phone
def test_identify_by_upload_example_and_drop(page: Any) -> None:
    panel = page.locator("#identify")
    panel.locator("input[type=file]").set_input_files(photo("back.jpg", 0))
    panel.get_by_text("Ada Lovelace").first.wait_for()
    assert panel.locator(".verdict strong").inner_text() == "Ada Lovelace"
    assert panel.locator(".ranks li").count() == 7
    assert panel.locator(".ranks li.named").count() == 1
    assert panel.locator(".bar b").count() == 6
    panel.locator(".ranks .face img[src]").nth(5).wait_for()
    panel.get_by_label("Example: somebody else").click()
    panel.locator(".verdict strong", has_text="Nobody enrolled").wait_for()
    transfer = page.evaluate_handle(
        "bytes => { const data = new DataTransfer(); data.items.add(new File([new Uint8Array(bytes)], 'dropped.jpg', "
        "{type: 'image/jpeg'})); return data; }",
        list(draw(2)),
    )
    panel.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    panel.locator(".verdict strong", has_text="Grace Hopper").wait_for()
    panel.locator("input[type=file]").set_input_files(
        {"name": "text.png", "mimeType": "image/png", "buffer": b"no photo"}
    )
    panel.get_by_text("this photo cannot be used").wait_for()


def test_identify_by_camera(page: Any) -> None:
    page.locator("#identify").get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photo").click()
    page.get_by_role("img", name="chosen: camera.jpg").wait_for()
    # Whoever the test picture of the camera is taken for: it moves.
    page.locator("#identify .verdict").wait_for()


def test_verify_draws_the_pair_on_the_distributions(page: Any) -> None:
    panel = show(page, "verify")
    inputs = panel.locator("input[type=file]")
    inputs.nth(0).set_input_files(photo("a.jpg", 0))
    inputs.nth(1).set_input_files(photo("b.jpg", 0, "palmar"))
    panel.get_by_text("The same person").wait_for()
    chart = panel.get_by_role("img", name="Similarity of this pair")
    assert chart.locator("path.genuine").count() == 1

    def place(name: str) -> float:
        return float(chart.locator(f"line.{name}").get_attribute("x1"))

    assert place("pair") > place("threshold")
    panel.locator("input[type=file]").nth(1).set_input_files(photo("c.jpg", 1, "palmar"))
    panel.get_by_text("Two different people").wait_for()
    assert place("pair") < place("threshold")


@wide_and_on_a_phone
def test_enrol_rename_and_remove_with_confirmation(page: Any, site: Site) -> None:
    gallery = site.service.collections["hands"].gallery
    panel = show(page, "enrol")
    panel.get_by_role("button", name="Enrol").click()
    panel.get_by_text("Give a name").wait_for()
    panel.get_by_label("Name").fill("Rosalind Franklin")
    panel.locator("input[type=file]").set_input_files([photo("back.jpg", 9), photo("ada.jpg", 0, "palmar")])
    panel.get_by_role("button", name="Enrol", exact=True).click()
    panel.get_by_text("Rosalind Franklin is enrolled").wait_for()
    assert panel.locator(".results .ok").count() == 1
    assert "another person" in panel.locator(".results .bad").inner_text()
    page.get_by_text("7 people enrolled").wait_for()

    panel = show(page, "people")
    panel.get_by_role("button", name="Rename Rosalind Franklin").click()
    page.locator("dialog input").fill("R. Franklin")
    page.locator("dialog").get_by_role("button", name="Rename").click()
    remove = panel.get_by_role("button", name="Remove R. Franklin")
    remove.wait_for()
    remove.click()
    page.locator("dialog").get_by_role("button", name="Cancel").click()
    assert "R. Franklin" in {row.name for row in gallery.list()}
    remove.click()
    page.locator("dialog").get_by_role("button", name="Remove for good").click()
    page.get_by_text("6 people enrolled").wait_for()
    assert "R. Franklin" not in {row.name for row in gallery.list()}
    panel.get_by_label("Search by name").fill("lise")
    panel.get_by_text("1 person", exact=True).wait_for()
    panel.get_by_role("button", name="Photos").click()
    panel.locator(".photos img[src]").wait_for()


def test_the_explorer_frames_the_right_one(page: Any) -> None:
    panel = show(page, "explorer")
    panel.locator(".grid figure").first.wait_for()
    assert panel.locator(".fact b").all_inner_texts() == ["8", "8", "8", "16"]
    right = panel.locator("figure.right")
    assert right.count() == 1
    assert "0000020" in right.inner_text()
    border = right.locator(".shot").evaluate("element => getComputedStyle(element).borderTopColor")
    red, green, blue = (int(part) for part in border[4:-1].split(","))
    assert green > max(red, blue)
    panel.get_by_label("Person").select_option("0000023")
    panel.get_by_text("person 0000023").first.wait_for()
    panel.get_by_role("button", name="Random query").click()
    panel.get_by_text("Found at rank").wait_for()


def test_the_keyboard_goes_through_the_tabs(page: Any) -> None:
    page.focus("#tab-identify")
    for name in ("verify", "enrol", "people", "explorer", "identify"):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == f"tab-{name}"
        assert page.locator(f"#{name}").get_attribute("hidden") is None
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "file"
    page.get_by_label("Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


# What the longest choice needs, the arrow and the padding included, and what there is.
CUT = """panel => {
  const pen = document.createElement("canvas").getContext("2d");
  const cut = [...panel.querySelectorAll("select")].filter((choice) => {
    const style = getComputedStyle(choice);
    pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const longest = Math.max(...[...choice.options].map((option) => pen.measureText(option.text).width));
    return longest + parseFloat(style.paddingLeft) + parseFloat(style.paddingRight) + 16 > choice.clientWidth;
  });
  const names = [...panel.querySelectorAll(".name")].filter((name) => name.scrollWidth > name.clientWidth);
  return [...cut, ...names].map((element) => element.textContent);
}"""


@wide_and_on_a_phone
def test_no_choice_and_no_name_is_cut(page: Any, site: Site) -> None:
    gallery = site.service.collections["hands"].gallery
    gallery.rename(
        "Lise Meitner", "Elise Meitner, of the Kaiser-Wilhelm-Institut für Chemie in Berlin-Dahlem, second floor"
    )
    page.locator("#identify input[type=file]").set_input_files(photo("back.jpg", 0))
    page.locator("#identify .verdict").wait_for()
    for tab in ("identify", "verify", "enrol", "people"):
        panel = show(page, tab)
        for summary in panel.locator("details > summary").all():
            summary.click()
        assert panel.evaluate(CUT) == [], tab


@wide_and_on_a_phone
def test_a_second_collection_is_chosen_on_a_phone_too(page: Any, site: Site, tmp_path: Path) -> None:
    hands = site.service.collections["hands"]
    name = "the-second-collection-of-a-server-with-a-long-name"
    made = hands.gallery.create_like(tmp_path / name)
    made.bind(hands.encoder)
    site.service.collections[name] = Collection(name, made, hands.encoder)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.locator("#collection").select_option(name)
    page.get_by_text("Nobody is enrolled yet").first.wait_for()
    theme = page.locator("#theme").bounding_box()
    assert theme["width"] >= 40
    assert theme["x"] + theme["width"] <= page.viewport_size["width"]


def test_a_file_that_is_no_picture_shows_no_broken_one(page: Any) -> None:
    panel = show(page, "enrol")
    text = {"name": "notes.png", "mimeType": "image/png", "buffer": b"no photo"}
    panel.locator("input[type=file]").set_input_files([text, photo("back.jpg", 9)])
    panel.get_by_text("notes.png cannot be shown").wait_for()
    assert panel.locator(".thumb img").count() == 1


def test_names_are_text_and_never_markup(page: Any, site: Site) -> None:
    name = "<img src=x onerror=alert(1)>"
    site.service.collections["hands"].gallery.add(name, draw(15))
    panel = show(page, "people")
    panel.get_by_text(name).wait_for()


def test_the_page_asks_for_a_key_where_the_server_does(tab: Any, tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    key = keys.add("read")
    site = Site(make_service(tmp_path, keys=keys))
    try:
        tab.goto(site.address)
        tab.locator("dialog input[type=password]").fill(key)
        tab.get_by_role("button", name="Use it").click()
        tab.wait_for_selector("html[data-ready]")
        tab.set_input_files("#identify input[type=file]", photo("back.jpg", 0))
        tab.locator("#identify .verdict strong", has_text="Ada Lovelace").wait_for()
        tab.locator("#identify .face img[src]").first.wait_for()
        tab.click("#tab-people")
        tab.get_by_role("button", name="Remove Ada Lovelace").click()
        tab.get_by_role("button", name="Remove for good").click()
        tab.get_by_text("This needs an API key with the role admin").wait_for()
        tab.goto("about:blank")
    finally:
        site.stop()
