-- After token.sql: sequences come after the snapshot, since they do not obey it, and one that is ahead of the rows is harmless.
SELECT E'\\.\tcounters\tsequences.tsv';
SELECT concat_ws(E'\t', pg_catalog.encode(pg_catalog.convert_to(n.nspname, 'UTF8'), 'hex'), pg_catalog.encode(pg_catalog.convert_to(c.relname, 'UTF8'), 'hex'),
                 pg_catalog.split_part(s, ',', 2), pg_catalog.split_part(s, ',', 3))
  FROM pg_catalog.unnest(pg_catalog.string_to_array(:'gitted_counters_text', ';')) s
  JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.split_part(s, ',', 1)::pg_catalog.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = ANY (:'gitted_left_out'::pg_catalog.oid[]))
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
SELECT E'\\.\ttoken';
SELECT concat_ws('.', :'gitted_server', :'gitted_snapshot', :'gitted_counters');
-- The dumps have run beside the rows, under the same snapshot, which must live until they are done.
\set gitted_dumped `head -n 1 <&8`
\if :gitted_dumped
\else
  DO $$ BEGIN RAISE 'pg_dump failed, see above'; END $$;
\endif
SELECT E'\\.\tend';
COMMIT;
