-- Everything that has made a dump or a copy of a PostgreSQL database lose something.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gitted_test Owner') THEN CREATE ROLE "gitted_test Owner" LOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gitted_test_reader') THEN CREATE ROLE gitted_test_reader; END IF;
END $$;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE SCHEMA "Crm; DROP";
CREATE SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database());
            EXECUTE format('ALTER DATABASE %I SET search_path = public, "Crm; DROP"', current_database());
            EXECUTE format('COMMENT ON DATABASE %I IS ''a ''''quoted'''' comment
of two lines \ with a backslash''', current_database());
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO gitted_test_reader', current_database()); END $$;

-- Foreign keys in a circle, one of them deferrable, and one to itself.
CREATE TABLE author (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, favourite int, boss int REFERENCES author (id));
CREATE TABLE book (id bigserial PRIMARY KEY, author int NOT NULL REFERENCES author (id) ON DELETE CASCADE, title text, price numeric(10,2),
                   gross numeric GENERATED ALWAYS AS (price * 1.19) STORED, UNIQUE (author, title) DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE author ADD FOREIGN KEY (favourite) REFERENCES book (id) DEFERRABLE INITIALLY DEFERRED;
INSERT INTO author (name) SELECT 'author ' || g FROM generate_series(1, 20) g;
INSERT INTO book (author, title, price) SELECT 1 + g % 20, 'title ' || g, g * 1.37 FROM generate_series(1, 200) g;
UPDATE author SET favourite = id * 3, boss = nullif(id - 1, 0);
UPDATE author SET name = E'tab\there, newline\nhere, return\rhere, backslash \\ and \\N and \\. and ''quotes'' "double" $$ ' || chr(8) || chr(11) || chr(12) || chr(1) || chr(127) || ' ünïcödé 漢字 😀' WHERE id = 7;
UPDATE author SET name = '' WHERE id = 8;
UPDATE author SET name = E'\\.' WHERE id = 9;
UPDATE author SET name = '\N' WHERE id = 10;

CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy', E'tab\there');
ALTER TYPE mood ADD VALUE 'before' BEFORE 'sad';
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN code AS text COLLATE "C" NOT NULL CHECK (VALUE ~ '^[a-z]+$');

CREATE TABLE every_type (
  id uuid PRIMARY KEY, b bool, i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision, m money, t text, vc varchar(10), c char(5), nm name,
  d date, tm time, tmz timetz, ts timestamp, tsz timestamptz, iv interval, by bytea, j json, jb jsonb, ia int[], ta text[][], md mood, mda mood[], pr pair, pra pair[],
  po positive, ip inet, cd cidr, ma macaddr, bt bit(5), vb varbit, pt point, ln line, ls lseg, bx box, pa path, pg polygon, ci circle,
  tv tsvector, tq tsquery, x xml, r4 int4range, rn numrange, mr int4multirange, o oid, rc regclass, ct public.citext, hs public.hstore, lsn pg_lsn);
INSERT INTO every_type (id) VALUES ('00000000-0000-0000-0000-000000000000');
INSERT INTO every_type VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true, -32768, -9223372036854775808, 'NaN', 'NaN', 'NaN', '-92233720368547758.08', '', '', '', '',
  '-infinity', '00:00:00', '00:00:00+15:59', '-infinity', '-infinity', '-178000000 years', '', '{"a":  1, "a":2}', '{"b": 1e400, "a": null}', '{}', '{}', 'before', '{}', '(,)', '{}',
  1, '0.0.0.0/0', '0.0.0.0/0', '00:00:00:00:00:00', '00000', '', '(0,0)', '{1,0,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1))', '<(0,0),1>',
  '', '', '', 'empty', 'empty', '{}', 0, 'pg_class', '', '', '0/0');
INSERT INTO every_type VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', false, 32767, 9223372036854775807, '-Infinity', 'Infinity', '-Infinity', '92233720368547758.07', E'a\tb\nc\\d\re', 'ten chars.', 'a', repeat('n', 63),
  'infinity', '24:00:00', '24:00:00-15:59', 'infinity', 'infinity', '178000000 years 3 mons -5 days -04:05:06.789', decode('00090a0d5c2e', 'hex'), '[1, 2.50, "\u0041\ttab"]', '["\u00e9", 1.10, 1e-10]',
  '[-1:1]={1,NULL,-3}', '{{"a,b","NULL"},{NULL,"\"q\" \\\\"}}', E'tab\there', '{sad,NULL,"it''s ok"}', '(5,"a,b""c)")', '{"(1,)",NULL,"(,\"x y\")"}',
  2147483647, '::1/64', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '10101', '1011001', '(1e300,-1e-300)', '{0.1,0.2,0.3}', '[(-1.5,2.5),(3,4)]', '(2.5,2.5),(-1,-1)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1.5,2.5),0.1>',
  '''a'':1A ''fat'':2B,4C ''c''''d''', '''fat'' & ( ''rat'' | !''cat'' ) <-> ''x''', '<a b="c">t&amp;<!-- x --></a>', '[1,10)', '(,5.5]', '{[1,3), [5,)}', 4294967295, 'book', 'CiTeXt', '"a b"=>"c\"d", "n"=>NULL', 'FFFFFFFF/FFFFFFFF');
INSERT INTO every_type (id, d, ts, tsz, f4, f8, n, iv, m, by) VALUES
  ('00000000-0000-0000-0000-000000000001', '4713-11-24 BC', '4713-11-24 00:00:00 BC', '0044-03-15 12:00:00.000001+00 BC', '1.17549435e-38', '2.2250738585072014e-308', ('0.' || repeat('1234567890', 30))::numeric, '1 mon -1 day', '-0.01',
   (SELECT decode(string_agg(lpad(to_hex(g), 2, '0'), ''), 'hex') FROM generate_series(0, 255) g)),
  ('00000000-0000-0000-0000-000000000002', '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '3.4028235e38', '1.7976931348623157e308', ('-' || repeat('9', 500) || '.5')::numeric, '-1 years -1 mons', '0.1', '\xff'),
  ('00000000-0000-0000-0000-000000000003', '0001-01-01 BC', 'epoch', 'epoch', '-0', '-0', '1.50', '0', '0', NULL),
  ('00000000-0000-0000-0000-000000000004', '1582-10-05', '1999-12-31 23:59:60', '2016-10-30 02:30:00+02', '0.1', '0.1', '-0.0', '1 day 24:00:00', NULL, NULL),
  ('00000000-0000-0000-0000-000000000005', NULL, NULL, NULL, '1.4e-45', '4.9e-324', 'Infinity', NULL, NULL, NULL),
  ('00000000-0000-0000-0000-000000000006', NULL, NULL, NULL, '0.30000001', '0.30000000000000004', '1e-1000', NULL, NULL, NULL);

-- Tables without a key, with equal rows, with one column, with none, with only generated ones.
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, ''), (NULL, NULL), (2, E'\n');
CREATE TABLE one_column (t text);
INSERT INTO one_column VALUES (NULL), (''), ('\.'), (E'\\.'), ('\N'), (E'\n'), (E'\t'), (' '), ('\'), ('#'), ('<<<<<<< ours');
CREATE TABLE no_column ();
INSERT INTO no_column DEFAULT VALUES;
INSERT INTO no_column DEFAULT VALUES;
CREATE TABLE empty_table (id int PRIMARY KEY);
CREATE TABLE dropped_column (gone int, id int PRIMARY KEY, also_gone text, kept text DEFAULT 'd');
INSERT INTO dropped_column VALUES (1, 2, 'x', 'y'), (1, -3, 'x', NULL);
ALTER TABLE dropped_column DROP COLUMN gone, DROP COLUMN also_gone;
CREATE TABLE key_in_middle (note text, id bigint PRIMARY KEY, more text);
INSERT INTO key_in_middle VALUES ('a', -9223372036854775808, 'z'), ('b', 9223372036854775807, 'y'), ('c', 0, 'x');
CREATE TABLE text_key (k text PRIMARY KEY, v int);
INSERT INTO text_key VALUES ('a', 1), ('B', 2), ('Z', 3), ('z', 4), ('ä', 5), ('', 6), (' ', 7), ('a b', 8), ('a_b', 9), ('Äb', 10);
CREATE TABLE composite_key (a int, b mood, c public.citext, v text, PRIMARY KEY (a, b, c));
INSERT INTO composite_key SELECT g, m, 'C' || g, repeat('v', g) FROM generate_series(1, 5) g, unnest(enum_range(NULL::mood)) m;
CREATE TABLE unique_only (a int NOT NULL, b text, UNIQUE (a));
INSERT INTO unique_only VALUES (3, 'c'), (1, 'a');
CREATE TABLE float_key (f float8 PRIMARY KEY);
INSERT INTO float_key VALUES ('NaN'), ('-Infinity'), ('-0'), ('1e-323'), ('0.1');
CREATE TABLE generated_key (a int, k int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY);
INSERT INTO generated_key VALUES (4), (2);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, t text);
INSERT INTO unlogged VALUES (1, 'u');

-- Hostile names.
CREATE TABLE "../x" ("a/b" int PRIMARY KEY, "c,d" text, "tab	here" text, "new
line" text, "q""uote" text, "%41" text, "\." text);
INSERT INTO "../x" VALUES (1, 'x', 'y', 'z', 'q', 'p', 'd');
CREATE TABLE ".git" (id serial PRIMARY KEY, "SELECT" text);
INSERT INTO ".git" ("SELECT") VALUES ('a;b');
CREATE TABLE "Author" (id int PRIMARY KEY);
INSERT INTO "Author" VALUES (1);
CREATE TABLE "Crm; DROP"."Table.with.dots" (id int PRIMARY KEY);
INSERT INTO "Crm; DROP"."Table.with.dots" VALUES (1), (2);
CREATE TABLE "Crm; DROP"."漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字x" (id int PRIMARY KEY);
CREATE TABLE "Crm; DROP"."漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字y" (id int PRIMARY KEY);
INSERT INTO "Crm; DROP"."漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字y" VALUES (5);
CREATE SEQUENCE "Crm; DROP"."se'q" AS smallint INCREMENT -2 MINVALUE -100 MAXVALUE 10 START 10 CYCLE;
SELECT nextval('"Crm; DROP"."se''q"');
CREATE SEQUENCE untouched START 42;
CREATE SEQUENCE set_not_called;
SELECT setval('set_not_called', 77, false);

-- Partitions by range, list and hash; inheritance.
CREATE TABLE measure (at date NOT NULL, v int) PARTITION BY RANGE (at);
CREATE TABLE measure_2024 PARTITION OF measure FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measure_2025 PARTITION OF measure (v CHECK (v > 0)) FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (v);
CREATE TABLE measure_2025_a PARTITION OF measure_2025 FOR VALUES IN (1, 2, 3);
CREATE TABLE measure_rest PARTITION OF measure DEFAULT;
INSERT INTO measure VALUES ('2024-05-01', 1), ('2025-05-01', 2), ('1999-01-01', NULL);
CREATE TABLE hashed (id int PRIMARY KEY, t text) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT g, 'h' || g FROM generate_series(-5, 20) g;
CREATE TABLE hash_child (id int PRIMARY KEY, ref int REFERENCES hashed (id));
INSERT INTO hash_child VALUES (1, 5), (2, NULL);
CREATE TABLE base (id int PRIMARY KEY, b text);
CREATE TABLE derived (d text, PRIMARY KEY (id)) INHERITS (base);
INSERT INTO base VALUES (1, 'base');
INSERT INTO derived VALUES (1, 'derived', 'd');

-- Views, materialized ones, rules, triggers, routines that depend on the search path.
CREATE VIEW cheap AS SELECT id, title FROM book WHERE price < 10 WITH CHECK OPTION;
CREATE MATERIALIZED VIEW totals AS SELECT author, sum(price) AS total FROM book GROUP BY author;
CREATE UNIQUE INDEX ON totals (author);
CREATE TABLE audit (id serial PRIMARY KEY, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $body$
-- Dumped from database version 99
-- \restrict x
BEGIN
  INSERT INTO public.audit (what) VALUES (TG_OP || ' on ' || TG_TABLE_NAME || E'\n\\unrestrict gitted');
  RETURN NEW;
END $body$;
CREATE TRIGGER book_note AFTER INSERT OR UPDATE ON book FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always_note BEFORE INSERT ON text_key FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE text_key ENABLE ALWAYS TRIGGER always_note;
CREATE TABLE ruled (id int PRIMARY KEY);
INSERT INTO ruled VALUES (1), (2);
CREATE RULE ruled_off AS ON INSERT TO ruled DO INSTEAD NOTHING;
CREATE FUNCTION depends_on_path(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(t)';
CREATE INDEX book_lower ON book (depends_on_path(title)) WHERE price > 5;
CREATE PROCEDURE do_nothing() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION keep_last(a int, b int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT b';
CREATE AGGREGATE last_one(int) (SFUNC = keep_last, STYPE = int);
CREATE STATISTICS book_stat ON author, title FROM book;
CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE collated (k text COLLATE ignore_case PRIMARY KEY, v text COLLATE "C");
INSERT INTO collated VALUES ('Hello', 'x'), ('world', 'y');

-- Rights and row security.
CREATE TABLE secret (id int PRIMARY KEY, owner name DEFAULT current_user, t text);
INSERT INTO secret VALUES (1, 'a', 'mine'), (2, 'b', 'yours');
ALTER TABLE secret OWNER TO "gitted_test Owner";
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (owner = current_user);
GRANT SELECT (id, t) ON secret TO gitted_test_reader WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Crm; DROP" GRANT SELECT ON TABLES TO gitted_test_reader;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
COMMENT ON COLUMN secret.t IS E'two\nlines \\ ''quoted''';

-- Large objects: with a hole, empty, owned.
SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a09', 1000), 'hex'));
SELECT lo_create(4712);
SELECT lo_create(4713);
SELECT lo_put(4713, 10000, 'after a hole');
ALTER LARGE OBJECT 4712 OWNER TO "gitted_test Owner";
GRANT SELECT ON LARGE OBJECT 4711 TO gitted_test_reader;
COMMENT ON LARGE OBJECT 4711 IS 'a picture''s \ bytes';
GRANT SELECT, UPDATE ON LARGE OBJECT 4712 TO gitted_test_reader WITH GRANT OPTION;
SET SESSION AUTHORIZATION gitted_test_reader;
GRANT SELECT ON LARGE OBJECT 4712 TO PUBLIC;
RESET SESSION AUTHORIZATION;
REVOKE UPDATE ON LARGE OBJECT 4712 FROM "gitted_test Owner";

-- Enough rows for several files.
CREATE TABLE many (id int PRIMARY KEY, t text);
INSERT INTO many SELECT g, md5(g::text) || md5((g + 1)::text) FROM generate_series(1, 12000) g;
CREATE TABLE many_text (k text PRIMARY KEY, t text);
INSERT INTO many_text SELECT md5(g::text), md5((g + 1)::text) FROM generate_series(1, 12000) g;
CREATE TABLE many_uuid (k uuid PRIMARY KEY, t text);
INSERT INTO many_uuid SELECT md5(g::text)::uuid, md5((g + 1)::text) FROM generate_series(1, 30000) g;
CREATE TABLE skewed (id bigint PRIMARY KEY, t text);
INSERT INTO skewed SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 10000) g;
INSERT INTO skewed VALUES (9000000000000000000, 'far away');
CREATE TABLE many_keyless (a text);
INSERT INTO many_keyless SELECT md5((g / 3)::text) FROM generate_series(1, 30000) g;
