"""Pages of what the network will see, doubtful scans first, under running numbers alone."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from bs_client.check.crew import Crew
from bs_client.check.reading import CheckedScan
from bs_common.files import write_atomic

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Progress = Callable[[str, int, int], None]

SCANS_PER_PAGE = 60
SCANS_PER_ROW = 10
GAP, HEAD = 12, 88  # pixels
CAPTION_LINES, LINE = 3, 18
WHITE, PALE, GREY, BLACK = 255, 215, 90, 0
FILE_PREFIX = "sheet-"


@dataclass(frozen=True, slots=True)
class Cell:
    """One scan of the sheet.

    number : running number on the sheet, from 1.
    picture : file of the small picture.
    warnings : `W_...` codes, written below it.
    """

    number: int
    picture: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the lines at its top and its scans."""

    title: str
    legend: str
    cells: tuple[Cell, ...]

    @property
    def digest(self) -> str:
        """Tell pages of different content apart; pictures are named by their content."""
        cells = [(cell.number, cell.picture.name, cell.warnings) for cell in self.cells]
        return sha256(repr((self.title, self.legend, cells)).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class DrawTask:
    """A page and the file it is drawn to."""

    page: Page
    file: Path


def doubtful_first(scans: Sequence[CheckedScan]) -> tuple[CheckedScan, ...]:
    """Give scans with most warnings first; equal ones in the order of their files."""
    return tuple(sorted(scans, key=lambda scan: (-len(scan.warnings), scan.files)))


def lay_out(
    scans: Sequence[CheckedScan], pictures: Path, *, title: str, legend: str
) -> tuple[Page, ...]:
    """Give the pages for scans in the order of the sheet."""
    cells = [
        Cell(number, pictures / scan.picture, scan.warnings)
        for number, scan in enumerate(scans, start=1)
    ]
    parts = [
        cells[start : start + SCANS_PER_PAGE] for start in range(0, len(cells), SCANS_PER_PAGE)
    ]
    return tuple(
        Page(f"{title}: page {number} of {len(parts)}", legend, tuple(part))
        for number, part in enumerate(parts, start=1)
    )


def write_sheet(
    pages: Sequence[Page], folder: Path, crew: Crew, *, progress: Progress
) -> tuple[Path, ...]:
    """Write each page as a PNG for its owner alone; pages that did not change stay as they are.

    Pages of an earlier sheet are removed.
    """
    names = [f"{FILE_PREFIX}{place:03d}-{page.digest}.png" for place, page in enumerate(pages, 1)]
    present = {file.name for file in folder.glob(f"{FILE_PREFIX}*.png")}
    for old in present.difference(names):
        (folder / old).unlink(missing_ok=True)
    tasks = [
        DrawTask(page, folder / name)
        for page, name in zip(pages, names, strict=True)
        if name not in present
    ]
    finished = 0

    def done(task: DrawTask, result: None) -> None:
        nonlocal finished
        finished += 1
        progress("contact sheet", finished, len(tasks))

    crew.run(write_page, tasks, done=done)
    return tuple(folder / name for name in names)


def write_page(task: DrawTask) -> None:
    """Draw one page to its file."""
    content = io.BytesIO()
    draw_page(task.page).save(content, format="PNG")
    write_atomic(task.file, content.getvalue(), mode=0o600)


def draw_page(page: Page) -> Picture.Image:
    """Draw a page, grey on white; each row holds ten scans."""
    drawn = [(cell, _open(cell.picture)) for cell in page.cells]
    width = max(picture.width for _, picture in drawn)
    rows = [drawn[at : at + SCANS_PER_ROW] for at in range(0, len(drawn), SCANS_PER_ROW)]
    heights = [_row_height(row) for row in rows]
    sheet = Picture.new("L", (SCANS_PER_ROW * (width + GAP) + GAP, HEAD + sum(heights)), WHITE)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 8), page.title, fill=BLACK, font=_font(30))
    draw.text((GAP, 50), page.legend, fill=GREY, font=_font(20))
    top = HEAD
    for row, height in zip(rows, heights, strict=True):
        for column, (cell, picture) in enumerate(row):
            corner = GAP + column * (width + GAP), top
            sheet.paste(picture, corner)
            _frame(draw, cell, corner, picture.size)
        top += height
    return sheet


def _row_height(row: Sequence[tuple[Cell, Picture.Image]]) -> int:
    lines = max(1, *(len(_caption(cell.warnings)) for cell, _ in row))
    return max(picture.height for _, picture in row) + lines * LINE + GAP


def _open(file: Path) -> Picture.Image:
    with Picture.open(file) as picture:
        return picture.convert("L")


def _frame(
    draw: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    """Draw border, the line between the views, number and warnings of one scan."""
    (left, top), (width, height) = corner, size
    edge = 3 if cell.warnings else 1
    draw.line((left + width // 2, top, left + width // 2, top + height), fill=PALE)
    box = (left - edge, top - edge, left + width - 1 + edge, top + height - 1 + edge)
    draw.rectangle(box, outline=BLACK if cell.warnings else PALE, width=edge)
    text = top + height + 4
    draw.text((left, text - 1), str(cell.number), fill=BLACK, font=_font(17))
    for line, words in enumerate(_caption(cell.warnings)):
        draw.text((left + 46, text + line * LINE), words, fill=BLACK, font=_font(14))


def _caption(warnings: tuple[str, ...]) -> list[str]:
    if len(warnings) <= CAPTION_LINES:
        return list(warnings)
    shown = warnings[: CAPTION_LINES - 1]
    return [*shown, f"and {len(warnings) - len(shown)} more, see index.csv"]


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
