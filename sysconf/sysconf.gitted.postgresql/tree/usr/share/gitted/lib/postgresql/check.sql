-- Whether anything visible here is newer than the snapshot :'gitted_since': then a table has another number of rows
-- than it had, or a row that a later transaction wrote. Unlike the token this does not mind transactions elsewhere.
-- :gitted_counted becomes TABLE=ROWS,... by oid, :gitted_newer the number of newer rows. With an empty
-- :'gitted_since' only the tables are counted, which is several times as quick.
SELECT string_agg(format('SELECT %s::bigint AS o, %s AS n, %s AS newer FROM ONLY %I.%I',
         -- Below a root that divides by hash all rows count for the root, as they are exported; those of extensions do not.
         CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h')
              THEN pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid ELSE c.oid END,
         CASE WHEN n.nspname = 'pg_catalog' OR c.relkind = 'm' OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
              THEN '0' ELSE 'count(*)' END,
         CASE :'gitted_since' WHEN '' THEN '0' ELSE format('count(*) FILTER (WHERE pg_catalog.age(xmin) <= pg_catalog.age(%L::pg_catalog.xid) OR xmin = ANY (%L::pg_catalog.xid[]))',
         ((pg_catalog.pg_snapshot_xmax(nullif(:'gitted_since', '')::pg_catalog.pg_snapshot)::pg_catalog.text::numeric) % 4294967296)::pg_catalog.text,
         (SELECT coalesce(array_agg((x::pg_catalog.text::numeric % 4294967296)::pg_catalog.text), '{}') FROM pg_catalog.pg_snapshot_xip(nullif(:'gitted_since', '')::pg_catalog.pg_snapshot) x)) END,
         n.nspname, c.relname), ' UNION ALL ' ORDER BY c.oid) AS counting
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND NOT c.relisshared AND c.relpersistence <> 't' AND n.nspname NOT IN ('information_schema') AND n.nspname !~ '^pg_(toast|temp)'
   AND c.relname !~ '^pg_statistic' AND NOT (n.nspname = 'pg_catalog' AND :'gitted_since' = '') \gset gitted_
SELECT coalesce(string_agg(o || '=' || n, ',' ORDER BY o) FILTER (WHERE n <> 0), '') AS counted, coalesce(sum(newer), 0) AS newer FROM (SELECT o, sum(n) AS n, sum(newer) AS newer FROM (:gitted_counting) c GROUP BY o) s \gset gitted_
