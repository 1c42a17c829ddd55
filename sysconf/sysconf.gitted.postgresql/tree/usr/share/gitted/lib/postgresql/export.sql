-- Everything of one database under one snapshot, as one stream for gitted-split. A line that begins with
-- backslash and full stop is ours: COPY never writes one.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_catalog.pg_export_snapshot() AS snapshot_name, pg_catalog.current_database() AS database \gset gitted_
-- What the binding keeps back, found in the catalog; a partition goes with its root.
WITH named AS (
  SELECT c.oid AS part, a.oid, concat(pg_catalog.encode(pg_catalog.convert_to(n.nspname, 'UTF8'), 'hex'), ',', pg_catalog.encode(pg_catalog.convert_to(a.relname, 'UTF8'), 'hex')) AS word
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class a ON a.oid = c.oid OR a.oid IN (SELECT relid FROM pg_catalog.pg_partition_ancestors(c.oid))
    JOIN pg_catalog.pg_namespace n ON n.oid = a.relnamespace
   WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND :'gitted_leave_out' || :'gitted_mask' <> ''
), hidden AS (
  SELECT part, attnum, concat(word, ',', pg_catalog.encode(pg_catalog.convert_to(attname, 'UTF8'), 'hex')) AS word
    FROM named JOIN pg_catalog.pg_attribute ON attrelid = part AND attnum > 0 AND NOT attisdropped
), wanted AS (
  SELECT pg_catalog.string_to_array(:'gitted_leave_out', ' ') AS tables, pg_catalog.string_to_array(:'gitted_mask', ' ') AS columns
)
SELECT coalesce((SELECT array_agg(DISTINCT part) FROM named, wanted WHERE word = ANY (tables)), '{}')::pg_catalog.text AS left_out,
       coalesce((SELECT array_agg(DISTINCT concat(part, '.', attnum)) FROM hidden, wanted WHERE word = ANY (columns)), '{}')::pg_catalog.text AS masked,
       -- A name that is not there would be a secret that is not kept. Only in a database without tables there is nothing to keep.
       coalesce((SELECT string_agg(word, ' ') FROM (SELECT pg_catalog.unnest(tables || columns) AS word FROM wanted) w
                  WHERE word NOT IN (SELECT word FROM named UNION SELECT word FROM hidden) AND EXISTS (SELECT FROM named)), '') AS unknown \gset gitted_
SELECT :'gitted_unknown' <> '' AS is_unknown,
       (SELECT string_agg((SELECT string_agg(pg_catalog.convert_from(pg_catalog.decode(part, 'hex'), 'UTF8'), '.' ORDER BY nr) FROM pg_catalog.string_to_table(word, ',') WITH ORDINALITY p(part, nr)), ', ')
          FROM pg_catalog.string_to_table(:'gitted_unknown', ' ') word) AS unknown_names \gset gitted_
\if :gitted_is_unknown
  \warn The binding keeps back :gitted_unknown_names, which is not there, expected tables in GITTED_POSTGRESQL_LEAVE_OUT and columns in GITTED_POSTGRESQL_MASK
  \quit
\endif
\setenv GITTED_SNAPSHOT :gitted_snapshot_name
\! sh -c "$GITTED_DUMP"

SELECT E'\\.\tmanifest';
SELECT E'engine\tpostgresql';
SELECT E'server\t' || pg_catalog.current_setting('server_version_num')::int / 10000;
-- By way of json, since these columns differ between versions.
SELECT concat_ws(E'\t', 'encoding', pg_catalog.pg_encoding_to_char(encoding), 'locale', coalesce(j ->> 'datlocprovider', 'c'), datcollate, datctype, coalesce(j ->> 'daticulocale', j ->> 'datlocale', '-'))
  FROM pg_catalog.pg_database d, pg_catalog.to_jsonb(d) j WHERE datname = pg_catalog.current_database();
-- Roles without passwords, so that owners and rights can be set where they do not exist yet.
SELECT concat_ws(E'\t', 'role', pg_catalog.encode(pg_catalog.convert_to(rolname, 'UTF8'), 'hex'), CASE WHEN rolcanlogin THEN 'login' ELSE 'nologin' END)
  FROM pg_catalog.pg_roles r
 WHERE oid >= 16384 AND oid IN (
   SELECT refobjid FROM pg_catalog.pg_shdepend d WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      AND (dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           OR (classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))))
 ORDER BY rolname COLLATE "C";

-- An import must not take for gone what was only kept back.
SELECT concat_ws(E'\t', 'left-out', pg_catalog.encode(pg_catalog.convert_to(n.nspname, 'UTF8'), 'hex'), pg_catalog.encode(pg_catalog.convert_to(c.relname, 'UTF8'), 'hex'))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY (:'gitted_left_out'::pg_catalog.oid[])
   AND c.relkind = CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h') THEN 'p' ELSE 'r' END
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h' AND c.oid <> pg_catalog.pg_partition_root(c.oid))
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
SELECT concat_ws(E'\t', 'masked', pg_catalog.encode(pg_catalog.convert_to(n.nspname, 'UTF8'), 'hex'), pg_catalog.encode(pg_catalog.convert_to(c.relname, 'UTF8'), 'hex'),
                 string_agg(pg_catalog.encode(pg_catalog.convert_to(a.attname, 'UTF8'), 'hex'), ',' ORDER BY a.attnum))
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
 WHERE concat(c.oid, '.', a.attnum) = ANY (:'gitted_masked'::pg_catalog.text[]) AND NOT c.oid = ANY (:'gitted_left_out'::pg_catalog.oid[])
   AND c.relkind = CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h') THEN 'p' ELSE 'r' END
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h' AND c.oid <> pg_catalog.pg_partition_root(c.oid))
 GROUP BY c.oid, n.nspname, c.relname ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
SELECT format(E'SELECT E''\\\\.\\tcount\\t%s\\t'' || count(*) FROM ONLY %I.%I',
              CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_partition_tree(pg_catalog.pg_partition_root(c.oid)) t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.relid WHERE p.partstrat = 'h')
                   THEN pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid ELSE c.oid END, n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY (:'gitted_left_out'::pg_catalog.oid[]) AND c.relkind = 'r'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e') \gexec

-- What belongs to the database itself is not in a dump of what is in it, and a swapped database must not lose it.
SELECT E'\\.\ttext\tschema/database.sql';
SELECT pg_catalog.encode(pg_catalog.convert_to(line, 'UTF8'), 'hex') FROM (
  SELECT 1 AS part, 0::bigint AS nr, format('ALTER DATABASE :"database" OWNER TO %I;', pg_catalog.pg_get_userbyid(datdba)) AS line
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
  UNION ALL
  SELECT 2, 0, format('ALTER DATABASE :"database" CONNECTION LIMIT %s;', datconnlimit)
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database() AND datconnlimit <> -1
  UNION ALL
  SELECT 3, 0, 'REVOKE ALL ON DATABASE :"database" FROM PUBLIC;'
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database() AND datacl IS NOT NULL
  UNION ALL
  SELECT 4, row_number() OVER (ORDER BY CASE grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(grantee) END COLLATE "C", privilege_type),
         format('GRANT %s ON DATABASE :"database" TO %s%s;', privilege_type,
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_catalog.pg_get_userbyid(grantee)) END,
                CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_catalog.pg_database, pg_catalog.aclexplode(datacl)
   WHERE datname = pg_catalog.current_database() AND grantee <> datdba
  UNION ALL
  SELECT 5, row_number() OVER (ORDER BY coalesce(r.rolname, '') COLLATE "C", nr),
         format('ALTER %sDATABASE :"database" SET %I TO %s;', CASE WHEN r.oid IS NULL THEN '' ELSE format('ROLE %I IN ', r.rolname) END,
                pg_catalog.split_part(setting, '=', 1),
                -- Values of these are lists that are quoted already.
                CASE WHEN pg_catalog.split_part(setting, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
                     THEN pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') + 1)
                     ELSE pg_catalog.quote_literal(pg_catalog.substr(setting, pg_catalog.strpos(setting, '=') + 1)) END)
    FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole,
         pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS u(setting, nr)
   WHERE d.datname = pg_catalog.current_database()
  UNION ALL
  SELECT 6, 0, format('COMMENT ON DATABASE :"database" IS %L;', pg_catalog.shobj_description(oid, 'pg_database'))
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database() AND pg_catalog.shobj_description(oid, 'pg_database') IS NOT NULL
) x ORDER BY part, nr;

-- Tables: partitions one by one, except below a root that divides by hash, whose hash differs between machines.
WITH RECURSIVE hashed AS (
  SELECT partrelid FROM pg_catalog.pg_partitioned_table WHERE partstrat = 'h'
), roots AS (
  SELECT DISTINCT pg_catalog.pg_partition_root(partrelid) AS oid FROM hashed
), chosen AS (
  SELECT c.oid, n.nspname, c.relname, c.relkind,
         e.condition
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
      SELECT coalesce((SELECT x.extcondition[i.nr] FROM pg_catalog.unnest(x.extconfig) WITH ORDINALITY i(rel, nr) WHERE i.rel = c.oid), '') AS condition,
             coalesce(c.oid = ANY (x.extconfig), false) AS wanted
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
       WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
         AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass) e ON true
   WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
     AND (e.wanted IS NULL OR e.wanted) AND NOT c.oid = ANY (:'gitted_left_out'::pg_catalog.oid[])
     AND ((c.relkind = 'r' AND NOT EXISTS (SELECT FROM roots WHERE roots.oid = pg_catalog.pg_partition_root(c.oid)))
          OR (c.relkind = 'p' AND c.oid IN (SELECT oid FROM roots)))
), columns AS (
  SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull, t.typname,
         row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) - 1 AS place,
         CASE WHEN t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname IN
                ('int2','int4','int8','oid','numeric','float4','float8','bool','date','time','timetz','timestamp','timestamptz','interval',
                 'uuid','bytea','inet','cidr','macaddr','macaddr8','pg_lsn','money','bit','varbit')
              THEN format('q.%I', a.attname) ELSE format('q.%I::pg_catalog.text COLLATE pg_catalog."C"', a.attname) END AS sorted
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
   WHERE a.attrelid IN (SELECT oid FROM chosen) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     AND NOT concat(a.attrelid, '.', a.attnum) = ANY (:'gitted_masked'::pg_catalog.text[])
), keys AS (
  SELECT DISTINCT ON (i.indrelid) i.indrelid, i.indexrelid, i.indkey, i.indnkeyatts
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
   WHERE i.indrelid IN (SELECT oid FROM chosen) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
     AND NOT EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) g
                      WHERE NOT EXISTS (SELECT FROM columns k WHERE k.attrelid = i.indrelid AND k.attnum = i.indkey[g] AND k.attnotnull))
   ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, c.relname COLLATE "C"
), described AS (
  SELECT t.*, l.names, l.hexes, l.row_text, k.key_hexes, k.key_sorted, k.key_text, k.first_type, k.first_place, k.how_many
    FROM chosen t
    LEFT JOIN LATERAL (
      SELECT string_agg(format('q.%I', attname), ', ' ORDER BY attnum) AS names,
             string_agg(pg_catalog.encode(pg_catalog.convert_to(attname, 'UTF8'), 'hex'), ',' ORDER BY attnum) AS hexes,
             'ROW(' || string_agg(format('q.%I', attname), ', ' ORDER BY attnum) || ')::pg_catalog.text' AS row_text
        FROM columns WHERE attrelid = t.oid) l ON true
    LEFT JOIN LATERAL (
      SELECT string_agg(pg_catalog.encode(pg_catalog.convert_to(k.attname, 'UTF8'), 'hex'), ',' ORDER BY g) AS key_hexes,
             string_agg(k.sorted, ', ' ORDER BY g) AS key_sorted,
             'ROW(' || string_agg(format('q.%I', k.attname), ', ' ORDER BY g) || ')::pg_catalog.text' AS key_text,
             min(k.typname) AS first_type, min(k.place) AS first_place, count(*) AS how_many
        FROM keys i, pg_catalog.generate_series(0, i.indnkeyatts - 1) g, columns k
       WHERE i.indrelid = t.oid AND k.attrelid = t.oid AND k.attnum = i.indkey[g]) k ON true
), planned AS (
  SELECT *, CASE WHEN how_many = 1 AND first_type IN ('int2', 'int4', 'int8') THEN 'int'
                 WHEN how_many = 1 AND first_type = 'uuid' THEN 'uuid' ELSE 'hash' END AS cut
    FROM described
)
SELECT format(E'SELECT E''\\\\.\\ttable\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s''',
              pg_catalog.encode(pg_catalog.convert_to(nspname, 'UTF8'), 'hex'), pg_catalog.encode(pg_catalog.convert_to(relname, 'UTF8'), 'hex'),
              cut, CASE cut WHEN 'hash' THEN -1 ELSE first_place END, coalesce(key_hexes, '-'), coalesce(hexes, ''), CASE WHEN condition IS NULL THEN oid::pg_catalog.text ELSE '' END),
       CASE WHEN key_hexes IS NULL AND EXISTS (SELECT FROM pg_catalog.unnest(:'gitted_masked'::pg_catalog.text[]) m WHERE pg_catalog.split_part(m, '.', 1) = oid::pg_catalog.text)
            THEN format('DO %L', format('BEGIN RAISE %L; END', pg_catalog.replace(relname, '%', '%%') || ' has masked columns and no key without them, expected a key, or the table in GITTED_POSTGRESQL_LEAVE_OUT'))
            ELSE format('COPY (SELECT %s%s FROM %s%I.%I q %s%s) TO STDOUT',
              CASE WHEN cut = 'hash' AND names IS NOT NULL THEN format('pg_catalog.left(pg_catalog.md5(%s), 16), ', coalesce(key_text, row_text))
                   WHEN names IS NULL THEN 'pg_catalog.repeat(''0'', 16), ''''' ELSE '' END,
              names, CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, nspname, relname, condition,
              ' ORDER BY ' || coalesce(key_sorted, row_text || ' COLLATE pg_catalog."C"')) END
  FROM planned ORDER BY nspname COLLATE "C", relname COLLATE "C"
\gexec

-- Large objects, for which pg_dump has a place among the schema only up to version 16.
SELECT E'\\.\ttext\tschema/large-objects.sql' WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata);
SELECT pg_catalog.encode(pg_catalog.convert_to(line, 'UTF8'), 'hex') FROM (
  SELECT oid, 1 AS part, 0::bigint AS nr, format('SELECT pg_catalog.lo_create(%s);', oid) AS line
    FROM pg_catalog.pg_largeobject_metadata
  UNION ALL
  SELECT oid, 2, 0, format('ALTER LARGE OBJECT %s OWNER TO %I;', oid, pg_catalog.pg_get_userbyid(lomowner))
    FROM pg_catalog.pg_largeobject_metadata
  UNION ALL
  SELECT objoid, 3, 0, format('COMMENT ON LARGE OBJECT %s IS %L;', objoid, description)
    FROM pg_catalog.pg_description WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
  UNION ALL
  SELECT objoid, 4, row_number() OVER (ORDER BY provider COLLATE "C"), format('SECURITY LABEL FOR %I ON LARGE OBJECT %s IS %L;', provider, objoid, label)
    FROM pg_catalog.pg_seclabel WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
  UNION ALL
  SELECT oid, 5, 0, format('REVOKE ALL ON LARGE OBJECT %s FROM %I;', oid, pg_catalog.pg_get_userbyid(lomowner))
    FROM pg_catalog.pg_largeobject_metadata WHERE lomacl IS NOT NULL
  UNION ALL
  -- In the order in which they were given: some follow from others.
  SELECT oid, 6, nr, concat(
           CASE WHEN grantor <> lomowner THEN format('SET SESSION AUTHORIZATION %I; ', pg_catalog.pg_get_userbyid(grantor)) END,
           format('GRANT %s ON LARGE OBJECT %s TO %s%s;', string_agg(privilege_type, ', ' ORDER BY privilege_type), oid,
                  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_catalog.pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END),
           CASE WHEN grantor <> lomowner THEN ' RESET SESSION AUTHORIZATION;' END)
    FROM pg_catalog.pg_largeobject_metadata, pg_catalog.unnest(lomacl) WITH ORDINALITY i(item, nr), pg_catalog.aclexplode(ARRAY[item])
   GROUP BY oid, lomowner, nr, grantor, grantee, is_grantable
) x ORDER BY oid, part, nr, line COLLATE "C";

-- Their pages, sixteen digits of a hash in front.
SELECT E'\\.\tpages\tlarge-objects/pages\thash' WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject);
COPY (SELECT pg_catalog.left(pg_catalog.md5(loid::pg_catalog.text), 16), loid, pageno, data FROM pg_catalog.pg_largeobject ORDER BY loid, pageno) TO STDOUT;
