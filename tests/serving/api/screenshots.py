"""Pictures of the page: every tab, wide and on a phone, light and dark; or the picture of the documentation.

    python -m tests.serving.api.screenshots DIR
    python -m tests.serving.api.screenshots --docs docs/images/page.png

Synthetic hands, and a stand-in that knows whose they are in place of a model. Needs playwright and chromium.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from handnet.gallery import Gallery
from handnet.serving.api.service import Collection
from tests.serving.api.hands import calibrate, draw, make_service
from tests.serving.api.site import Site

SIZES_PX = {"wide": (1280, 850), "phone": (390, 850)}
THEMES = ("light", "dark")
LONG = "Maria Salomea Skłodowska-Curie, the younger sister of Bronisława Dłuska (second laboratory, third floor)"
SCALE = 1.5


def photo(name: str, *what: Any) -> dict[str, Any]:
    """A synthetic hand as a file that is chosen."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": draw(*what)}


def fill_identify(page: Any) -> None:
    """Ask whose a hand is."""
    page.locator("#identify input[type=file]").set_input_files(photo("back.jpg", 0))
    page.locator("#identify .verdict").wait_for()
    page.locator("#identify .ranks .face img[src]").nth(5).wait_for()


def fill_verify(page: Any) -> None:
    """Compare two photos."""
    for place, what in enumerate(((0,), (0, "palmar"))):
        page.locator("#verify input[type=file]").nth(place).set_input_files(photo("a.jpg", *what))
    page.locator("#verify .verdict").wait_for()


def fill_enrol(page: Any) -> None:
    """Enrol somebody with a photo that is refused among them."""
    panel = page.locator("#enrol")
    panel.get_by_label("Name").fill("Rosalind Franklin")
    panel.locator("input[type=file]").set_input_files(
        [
            photo("a photo with a rather long name of its own, taken in the second laboratory.jpg", 30),
            {"name": "notes.png", "mimeType": "image/png", "buffer": b"not a photo"},
        ]
    )
    panel.get_by_role("button", name="Enrol").click()
    panel.locator(".results li").nth(1).wait_for()


def fill_people(page: Any) -> None:
    """Show somebody's photos."""
    page.locator("#people").get_by_role("button", name="Photos").first.click()
    page.locator("#people .photos figure img[src]").first.wait_for()


def fill_explorer(page: Any) -> None:
    """Wait for the first query."""
    page.locator("#explorer .grid img[src]").nth(5).wait_for()


FILL = {
    "identify": fill_identify,
    "verify": fill_verify,
    "enrol": fill_enrol,
    "people": fill_people,
    "explorer": fill_explorer,
}


def open_page(browser: Any, site: Site, size: str, theme: str) -> Any:
    """Open the page in a window of its own."""
    width, height = SIZES_PX[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=SCALE
    )
    page = context.new_page()
    page.goto(site.address)
    page.wait_for_selector("html[data-ready]")
    return page


def shoot(page: Any, tab: str, file: Path, *, with_options: bool = True) -> None:
    """Fill a tab in and write its picture."""
    page.click(f"#tab-{tab}")
    FILL[tab](page)
    if with_options:
        for row in page.locator(f"#{tab} details > summary").all():
            row.click()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(600)
    page.screenshot(path=file, full_page=True)


def make_docs_picture(browser: Any, site: Site, file: Path) -> None:
    """Write the picture of the documentation: on a laptop in light, and on a phone in dark."""
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for size, theme, tab in (("wide", "light", "identify"), ("phone", "dark", "verify")):
            part = Path(folder) / f"{size}.png"
            shoot(open_page(browser, site, size, theme), tab, part, with_options=tab == "identify")
            parts.append(Image.open(part).convert("RGB"))
    wide, phone = parts
    height = max(wide.height, phone.height)
    whole = Image.new("RGB", (wide.width + phone.width, height))
    for left, part in ((0, wide), (wide.width, phone)):
        # The ground of each goes on to the end.
        whole.paste(part.getpixel((2, part.height - 2)), (left, 0, left + part.width, height))
        whole.paste(part, (left, 0))
    small = whole.resize((1600, round(1600 * height / whole.width)), Image.Resampling.LANCZOS)
    small.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--docs", type=Path, help="Write the picture of the documentation to this file.")
    given = parser.parse_args()
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        service = make_service(Path(folder))
        site = Site(service)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            if given.docs is not None:
                make_docs_picture(browser, site, given.docs)
            hands = service.collections["hands"]
            hands.gallery.rename("Sofia Kovalevskaya", LONG)
            second = Gallery.create(Path(folder) / "a-second-collection-with-a-long-name", hands.encoder, calibrate())
            service.collections["a-second-collection-with-a-long-name"] = Collection(
                "a-second-collection-with-a-long-name", second, hands.encoder
            )
            for size in SIZES_PX if given.folder is not None else ():
                for theme in THEMES:
                    for tab in FILL:
                        page = open_page(browser, site, size, theme)
                        shoot(page, tab, given.folder / f"{tab} {size} {theme}.png")
                        page.context.close()
        finally:
            browser.close()
            site.stop()


if __name__ == "__main__":
    main()
