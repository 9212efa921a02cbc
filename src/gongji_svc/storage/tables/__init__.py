"""The schema: the one description of every table, from which migrations and statements are made.

Rules: every key begins with a region, so that the tables can be distributed by it; the exception is
`person_directory`, the small shared table that finds people. A column is not renamed or dropped
in the release that stops using it (docs/decisions/migrations.md). What identifies a person is
sealed bytes with the key's id beside them (`sealing.py`). Entries and ledger lines are append-only.
Money is bigint fen.
"""

from gongji_svc.storage.tables.bindings import (
    binding_checks,
    bindings,
    document_chunks,
    documents,
    donor_bindings,
)
from gongji_svc.storage.tables.clearing import (
    clearing_days,
    clearing_progress,
    clearing_totals,
    window_positions,
    windows,
)
from gongji_svc.storage.tables.columns import metadata
from gongji_svc.storage.tables.differences import differences
from gongji_svc.storage.tables.ledger import (
    accounts,
    adjustments,
    allocation_files,
    allocation_refusals,
    counters,
    entries,
    holds,
    ledger_lines,
    suspense,
)
from gongji_svc.storage.tables.people import (
    catalog_items,
    enrolments,
    institutions,
    key_checks,
    person_directory,
    persons,
)
from gongji_svc.storage.tables.premiums import premium_payments, tax_messages
from gongji_svc.storage.tables.risk import risk_progress, risk_signals, trace_codes
from gongji_svc.storage.tables.seals import block_accounts, blocks
from gongji_svc.storage.tables.settlements import (
    audit_records,
    credential_uses,
    notices,
    refunds,
    requests,
    settlements,
)

# Written once, then only read: the run-time role may not UPDATE or DELETE them.
APPEND_ONLY = (
    "audit_records",
    "block_accounts",
    "blocks",
    "clearing_days",
    "clearing_totals",
    "entries",
    "ledger_lines",
    "refunds",
    "window_positions",
)

__all__ = [
    "APPEND_ONLY",
    "accounts",
    "adjustments",
    "allocation_files",
    "allocation_refusals",
    "audit_records",
    "binding_checks",
    "bindings",
    "block_accounts",
    "blocks",
    "catalog_items",
    "clearing_days",
    "clearing_progress",
    "clearing_totals",
    "counters",
    "credential_uses",
    "differences",
    "document_chunks",
    "documents",
    "donor_bindings",
    "enrolments",
    "entries",
    "holds",
    "institutions",
    "key_checks",
    "ledger_lines",
    "metadata",
    "notices",
    "person_directory",
    "persons",
    "premium_payments",
    "refunds",
    "requests",
    "risk_progress",
    "risk_signals",
    "settlements",
    "suspense",
    "tax_messages",
    "trace_codes",
    "window_positions",
    "windows",
]
