"""ClearingService: institutions reconcile their days; regions close, confirm and pay windows."""

from gongji_svc.services.differences import list_of_differences, read_resolve_difference
from gongji_svc.services.receiving import Upload
from gongji_svc.services.reconciling import reconcile_details, reconcile_totals, too_many_rows
from gongji_svc.services.window_closing import read_close_window
from gongji_svc.services.window_reads import get_window, list_of_positions, list_of_windows
from gongji_svc.services.window_steps import read_confirm_window, read_settle_window

COMMANDS = {
    "ResolveDifference": read_resolve_difference,
    "CloseWindow": read_close_window,
    "ConfirmWindow": read_confirm_window,
    "SettleWindow": read_settle_window,
}

READS = {
    "ReconcileTotals": reconcile_totals,
    "ListDifferences": list_of_differences,
    "GetWindow": get_window,
    "ListWindows": list_of_windows,
    "ListPositions": list_of_positions,
}

# The longest rows that a day may have, each in a message of its own.
UPLOADS = {"ReconcileDetails": Upload(reconcile_details, 48 << 20, too_many_rows)}
