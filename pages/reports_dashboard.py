"""How the desk is doing: six figures with trend and definition, days, causes, and the cases behind each."""

from lib.reports.queries import share_dashboard
from lib.ui import doors, report_view
from lib.ui.live import refresh_on_change

doors.enter("reports_dashboard")
refresh_on_change("reports.dashboard")
days = report_view.asked_days()
board = doors.read(share_dashboard, days=days)
behind = report_view.asked_cases(board.period.days)

report_view.head(days, report_view.as_of(board))
report_view.tiles(board, days, behind)
report_view.plots(board)
report_view.case_list(board, days, behind)
