-- One line that differs whenever something may have changed. pg_stat_database would miss most changes;
-- a transaction that changes something takes an id, which the snapshot shows; sequences change without one.
SELECT coalesce(string_agg(format('SELECT %s::bigint AS o, last_value AS v, is_called AS c FROM %I.%I', c.oid, n.nspname, c.relname), ' UNION ALL '),
                'SELECT 0::bigint AS o, 0::bigint AS v, false AS c WHERE false') AS sequences
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' \gset gitted_
SELECT coalesce(string_agg(concat_ws(',', o, v, c), ';' ORDER BY o), '') AS counters_text FROM (:gitted_sequences) s \gset gitted_
SELECT concat_ws('.', (pg_catalog.pg_control_system()).system_identifier,
                 (pg_catalog.pg_control_checkpoint()).timeline_id,
                 extract(epoch FROM pg_catalog.pg_postmaster_start_time()),
                 (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
                 -- A crash empties unlogged tables without a transaction.
                 CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_class WHERE relpersistence = 'u')
                      THEN (pg_catalog.pg_control_checkpoint()).checkpoint_lsn END) AS server,
       pg_catalog.pg_current_snapshot() AS snapshot,
       pg_catalog.md5(:'gitted_counters_text') AS counters \gset gitted_
