"""The workbook of what an import did not take: row by row, with column, value and reason in both languages."""

from collections.abc import Iterable
from pathlib import Path

import xlsxwriter

from db.codes import Language
from lib.shared.words import text
from lib.tickets.log_cases import Refused

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
LONGEST_CELL = 32_000
COLUMNS = ("row", "case", "column", "value", "reason")


def write_refusals(path: Path, refusals: Iterable[Refused]) -> int:
    """Write the workbook; answers the number of its lines. Nothing in it can run as a formula or a link."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    lines = 0
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("refused")
        bold = book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 0, 10)
        sheet.set_column(1, 4, 32)
        for place, name in enumerate(COLUMNS):
            told = " / ".join(text(language, f"import_column.{name}") for language in Language)
            sheet.write_string(0, place, told, bold)
        for lines, refused in enumerate(refusals, start=1):
            key = f"import_reason.{refused.reason}"
            reason = " / ".join(text(language, key) for language in Language)
            sheet.write_number(lines, 0, refused.row)
            cells = (refused.case, refused.column, refused.value, reason)
            for place, cell in enumerate(cells, start=1):
                sheet.write_string(lines, place, harmless(cell))
    return lines


def harmless(cell: str) -> str:
    """Text that no spreadsheet takes for a formula, also after it is saved as CSV and opened again."""
    cut = cell[:LONGEST_CELL]
    return f"'{cut}" if cut.startswith(FORMULA_STARTS) else cut
