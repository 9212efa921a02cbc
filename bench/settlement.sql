-- One settlement as plain SQL, one transaction, for pgbench: what a Settle of the benchmark reads,
-- locks and writes, row for row. Only the certificate's directory is another table of the same size,
-- bench_calls, because pgbench counts and does not hash. The amounts are worked out from what was
-- read; checks, texts and answers are those of a settlement that the service made.

\set place (:start + :client_id + 16 * :turn) % :calls
\set turn :turn + 1

BEGIN;
SELECT person_id AS patient, institution_code, code_1, code_2, code_3
  FROM bench_calls WHERE number = :place \gset
SELECT region FROM institutions WHERE institution_code = :institution_code \gset
INSERT INTO requests (region, caller, request_id, method, content, created_at)
  VALUES (:region, :institution_code, concat('pgbench-', :start::bigint, '-', :client_id::bigint, '-', :turn::bigint), '', '',
    now())
  ON CONFLICT DO NOTHING RETURNING request_id \gset

-- the patient, who may pay, and the prices
SELECT * FROM persons WHERE region = :region AND id = :patient ORDER BY region, id FOR UPDATE;
SELECT * FROM enrolments WHERE region = :region AND person_id = :patient;
SELECT (array_agg(donor_id ORDER BY rank))[1] AS donor_1,
    (array_agg(donor_id ORDER BY rank))[2] AS donor_2,
    (array_agg(id ORDER BY rank))[1] AS binding_1,
    (array_agg(id ORDER BY rank))[2] AS binding_2,
    min(per_settlement_fen) AS most_1
  FROM bindings WHERE region = :region AND beneficiary_id = :patient \gset
SELECT * FROM catalog_items
  WHERE region IN (:region, concat(left(:region, 2), '0000'), '000000')
    AND catalog_code IN (:code_1, :code_2, :code_3);

-- the accounts, the donors, what was counted, and the clock
WITH locked AS (
  SELECT * FROM accounts
  WHERE region = :region AND person_id IN (:patient, :donor_1, :donor_2)
  ORDER BY region, id FOR UPDATE
)
SELECT own.id AS account_0, own.balance_fen AS balance_0, own.seq + 1 AS seq_0,
    one.id AS account_1, one.balance_fen AS balance_1, one.seq + 1 AS seq_1,
    two.id AS account_2, two.balance_fen AS balance_2, two.seq + 1 AS seq_2
  FROM locked AS own, locked AS one, locked AS two
  WHERE own.person_id = :patient AND one.person_id = :donor_1 AND two.person_id = :donor_2 \gset
SELECT * FROM persons WHERE region = :region AND id IN (:donor_1, :donor_2);
SELECT * FROM enrolments WHERE region = :region AND person_id IN (:donor_1, :donor_2);
SELECT coalesce(sum(amount_fen) FILTER (WHERE subject_id = :binding_1 AND day = :today), 0)
      AS counted_1,
    coalesce(sum(amount_fen) FILTER (WHERE subject_id = :binding_2 AND day = :today), 0)
      AS counted_2
  FROM counters
  WHERE region = :region AND day >= date_trunc('year', :today::date)::date
    AND subject_id IN (:patient, :donor_1, :donor_2, :binding_1, :binding_2) \gset
SELECT pg_advisory_xact_lock_shared(49642, 0);
SELECT clock_timestamp() AS at, uuidv7() AS settlement, uuidv7() AS journal,
    (SELECT before FROM clearing_progress WHERE region = '000000' AND step = 'ENDED') AS ended
  \gset

\set paid_0 least(:balance_0, 10000)
\set paid_1 least(:most_1, 10000 - :paid_0)
\set paid_2 10000 - :paid_0 - :paid_1
\set donated :paid_1 + :paid_2
\set balance_0 :balance_0 - :paid_0
\set balance_1 :balance_1 - :paid_1
\set balance_2 :balance_2 - :paid_2
\set counted_1 :counted_1 + :paid_1
\set counted_2 :counted_2 + :paid_2

INSERT INTO counters (region, subject_id, kind, day, amount_fen)
  VALUES (:region, :binding_1, 'MUTUAL_AID', :today, :counted_1),
    (:region, :binding_2, 'MUTUAL_AID', :today, :counted_2)
  ON CONFLICT (region, subject_id, kind, day) DO UPDATE SET amount_fen = excluded.amount_fen;
INSERT INTO notices
    (region, id, person_id, kind, source_id, binding_id, amount_fen, recorded_at)
  VALUES
    (:region, uuidv7(), :donor_1, 'DEBIT', :settlement, :binding_1, :paid_1, :at),
    (:region, uuidv7(), :donor_2, 'DEBIT', :settlement, :binding_2, :paid_2, :at);
INSERT INTO settlements (region, id, institution_code, request_id, patient_id, insured_region,
    insurance, visit_type, account_use, state, total_fen, full_self_pay_fen, over_limit_fen,
    pre_self_pay_fen, in_scope_fen, deductible_fen, fund_ratio_bp, fund_pay_fen, personal_fen,
    account_pay_fen, mutual_aid_pay_fen, cash_pay_fen, policy, detail, occurred_at, recorded_at)
  VALUES (:region, :settlement, :institution_code, :request_id, :patient, :region,
    'EMPLOYEE', 'PHARMACY', 'MUTUAL_AID', 'SETTLED', 10000, 0, 0, 0, 10000, 0, 0, 0, 10000,
    10000, :donated, 0, :policy, :detail, :at, :at);
INSERT INTO entries (region, account_id, seq, journal_id, kind, amount_fen, balance_after_fen,
    source_id, counterparty, beneficiary_id, binding_id, occurred_at, recorded_at)
  VALUES
    (:region, :account_0, :seq_0, :journal, 'SETTLEMENT_OWN', -(:paid_0::bigint), :balance_0,
      :settlement, :institution_code, :patient, NULL, :at, :at),
    (:region, :account_1, :seq_1, :journal, 'SETTLEMENT_MUTUAL_AID', -(:paid_1::bigint), :balance_1,
      :settlement, :institution_code, :patient, :binding_1, :at, :at),
    (:region, :account_2, :seq_2, :journal, 'SETTLEMENT_MUTUAL_AID', -(:paid_2::bigint), :balance_2,
      :settlement, :institution_code, :patient, :binding_2, :at, :at);
INSERT INTO ledger_lines (region, journal_id, line_no, side, counterparty, amount_fen, recorded_at)
  VALUES (:region, :journal, 1, 'INSTITUTION_PAYABLE', :institution_code, 10000, :at);
UPDATE accounts AS a
  SET balance_fen = new.balance_fen, seq = new.seq, state = 'OPEN', held_fen = 0,
    frozen_quota_fen = 0, recorded_at = :at
  FROM (VALUES
    (:account_0::uuid, :balance_0::bigint, :seq_0::bigint),
    (:account_1::uuid, :balance_1::bigint, :seq_1::bigint),
    (:account_2::uuid, :balance_2::bigint, :seq_2::bigint)) AS new (id, balance_fen, seq)
  WHERE a.region = :region AND a.id = new.id;
UPDATE requests
  SET method = '/gongji.v1.SettlementService/Settle', content = :content, result_id = :settlement,
    answer = :answer
  WHERE region = :region AND caller = :institution_code AND request_id = :request_id;
COMMIT;
