-- With triggers off nobody looks after foreign keys: each one that a touched row takes part in is checked here.
-- pg_temp.gitted_touched holds the tables and the numbers of their lists of deleted and inserted rows.
DO $gitted$
DECLARE
  k record;
  side record;
  missing text;
BEGIN
  FOR k IN
    SELECT f.oid, f.conname, f.conrelid, f.confrelid, f.conrelid::regclass::text AS child, f.confrelid::regclass::text AS parent, f.confmatchtype,
           replace(f.conrelid::regclass::text, 'public.', '') AS child_label, replace(f.confrelid::regclass::text, 'public.', '') AS parent_label,
           (SELECT array_agg(a.attname ORDER BY u.nr) FROM unnest(f.conkey) WITH ORDINALITY u(n, nr) JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = u.n) AS child_columns,
           (SELECT array_agg(a.attname ORDER BY u.nr) FROM unnest(f.confkey) WITH ORDINALITY u(n, nr) JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = u.n) AS parent_columns,
           (SELECT relkind = 'p' FROM pg_class WHERE oid = f.conrelid) AS child_parted, (SELECT relkind = 'p' FROM pg_class WHERE oid = f.confrelid) AS parent_parted
      FROM pg_constraint f
     WHERE f.contype = 'f' AND f.conparentid = 0
  LOOP
    -- Rows that came into the child, and rows that left the parent.
    FOR side IN
      SELECT t.n, 'insert' AS what FROM pg_temp.gitted_touched t
       WHERE t.inserts > 0 AND (t.rel = k.conrelid OR (k.child_parted AND k.conrelid IN (SELECT relid FROM pg_partition_ancestors(t.rel))))
      UNION ALL
      SELECT t.n, 'delete' FROM pg_temp.gitted_touched t
       WHERE t.deletes > 0 AND (t.rel = k.confrelid OR (k.parent_parted AND k.confrelid IN (SELECT relid FROM pg_partition_ancestors(t.rel))))
    LOOP
      EXECUTE (
        SELECT format('SELECT (ROW(%s))::text FROM %s%s c WHERE %s%s AND NOT EXISTS (SELECT FROM %s%s p WHERE %s) LIMIT 1',
                 string_agg(format('c.%I', cc), ', ' ORDER BY nr), CASE WHEN k.child_parted THEN '' ELSE 'ONLY ' END, k.child,
                 string_agg(format('c.%I IS NOT NULL', cc), CASE k.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END ORDER BY nr),
                 -- Narrow to the touched rows where their columns are among those of the rows (a generated one is not).
                 CASE WHEN (SELECT count(*) FROM pg_attribute WHERE attrelid = format('pg_temp.gitted_%s_%s', side.what, side.n)::regclass AND attnum > 0
                               AND attname = ANY (CASE side.what WHEN 'insert' THEN k.child_columns ELSE k.parent_columns END)) = count(*)
                      THEN format(' AND (%s) IN (SELECT %s FROM pg_temp.gitted_%s_%s t)', string_agg(format('c.%I', cc), ', ' ORDER BY nr),
                             string_agg(format('t.%I', CASE side.what WHEN 'insert' THEN cc ELSE pc END), ', ' ORDER BY nr), side.what, side.n)
                      ELSE '' END,
                 CASE WHEN k.parent_parted THEN '' ELSE 'ONLY ' END, k.parent,
                 string_agg(format('p.%I = c.%I', pc, cc), ' AND ' ORDER BY nr))
          FROM unnest(k.child_columns, k.parent_columns) WITH ORDINALITY u(cc, pc, nr)) INTO missing;
      IF missing IS NOT NULL THEN
        RAISE '%: % is not in %, expected it there (foreign key %)', k.child_label, missing, k.parent_label, k.conname;
      END IF;
    END LOOP;
  END LOOP;
  -- Unique constraints that are checked late are checked by a trigger, too.
  FOR k IN
    SELECT u.conname, u.conrelid::regclass::text AS child, replace(u.conrelid::regclass::text, 'public.', '') AS child_label, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY c.nr) FROM unnest(u.conkey) WITH ORDINALITY c(n, nr)
                JOIN pg_attribute a ON a.attrelid = u.conrelid AND a.attnum = c.n) AS columns,
           (SELECT string_agg(format('%I IS NOT NULL', a.attname), ' AND ' ORDER BY c.nr) FROM unnest(u.conkey) WITH ORDINALITY c(n, nr)
                JOIN pg_attribute a ON a.attrelid = u.conrelid AND a.attnum = c.n) AS filled
      FROM pg_constraint u JOIN pg_temp.gitted_touched t ON t.rel = u.conrelid
     WHERE u.contype IN ('p', 'u') AND u.condeferrable AND t.inserts > 0
  LOOP
    EXECUTE format('SELECT ROW(%s)::text FROM ONLY %s WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT 1', k.columns, k.child, k.filled, k.columns) INTO missing;
    IF missing IS NOT NULL THEN
      RAISE '%: % is there twice, expected it once (constraint %)', k.child_label, missing, k.conname;
    END IF;
  END LOOP;
END $gitted$;
