-- Everything that has made a dump or a copy of a MariaDB database lose something.
SET NAMES utf8mb4;
SET SESSION time_zone = '+00:00';
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';
SET SESSION foreign_key_checks = 0;
CREATE SEQUENCE numbers START WITH 7 INCREMENT BY 3 CACHE 10 CYCLE MAXVALUE 1000;
SELECT NEXTVAL(numbers);
CREATE TABLE author (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) NOT NULL, favourite BIGINT, boss INT,
  CONSTRAINT author_boss FOREIGN KEY (boss) REFERENCES author (id), CONSTRAINT author_favourite FOREIGN KEY (favourite) REFERENCES book (id)) ENGINE=InnoDB;
CREATE TABLE book (id BIGINT AUTO_INCREMENT PRIMARY KEY, author INT NOT NULL, title TEXT, price DECIMAL(10,2) CHECK (price >= 0), gross DECIMAL(12,2) AS (price * 2) STORED,
  shout TEXT AS (UPPER(title)) VIRTUAL, KEY (author), CONSTRAINT book_author FOREIGN KEY (author) REFERENCES author (id) ON DELETE CASCADE) ENGINE=InnoDB;
INSERT INTO author (name) SELECT CONCAT('author ', seq) FROM seq_1_to_20;
INSERT INTO book (author, title, price) SELECT 1 + seq % 20, CONCAT('title ', seq), seq * 1.37 FROM seq_1_to_200;
UPDATE author SET favourite = id * 3, boss = NULLIF(id - 1, 0);
UPDATE author SET name = 'tab\there, newline\nhere, return\rhere, zero\0here, backslash \\ and \\N and \\. and \\! and ''quotes'' "double" \b\Z ünïcödé 漢字 😀' WHERE id = 7;
UPDATE author SET name = '' WHERE id = 8;
UPDATE author SET name = '\\.' WHERE id = 9;
UPDATE author SET name = '\\N' WHERE id = 10;
UPDATE author SET name = 'NULL' WHERE id = 11;
INSERT INTO author (id, name) VALUES (0, 'zero'), (-5, 'minus five');
CREATE TABLE every_type (id UUID PRIMARY KEY, ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, mi MEDIUMINT, i INT, bi BIGINT, bu BIGINT UNSIGNED, zf INT(5) ZEROFILL,
  f FLOAT, d DOUBLE, dc DECIMAL(65,30), bt BIT(17), b1 BIT(1), c CHAR(10), vc VARCHAR(255), vb VARBINARY(255), bn BINARY(6), t TEXT, mt MEDIUMTEXT, bl BLOB, lb LONGBLOB,
  dt DATE, tm TIME(6), dtm DATETIME(6), ts TIMESTAMP(6) NULL, y YEAR, e ENUM('a', 'it''s', 'c,d', 'ü'), s SET('x', 'y', 'z w'), js JSON, p POINT, g GEOMETRY,
  i4 INET4, i6 INET6, l1 VARCHAR(50) CHARACTER SET latin1, bin VARCHAR(50) COLLATE utf8mb4_bin, u16 VARCHAR(50) CHARACTER SET utf16, inv INT INVISIBLE DEFAULT 5, nx INT DEFAULT NEXTVAL(numbers)) ENGINE=InnoDB;
INSERT INTO every_type (id, nx) VALUES ('00000000-0000-0000-0000-000000000000', NULL);
INSERT INTO every_type (id, ti, tu, si, mi, i, bi, bu, zf, f, d, dc, bt, b1, c, vc, vb, bn, t, mt, bl, lb, dt, tm, dtm, ts, y, e, s, js, p, g, i4, i6, l1, bin, u16, inv)
VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', -128, 255, -32768, 8388607, -2147483648, -9223372036854775808, 18446744073709551615, 42, 3.4028234663852886e38, 1.7976931348623157e308,
  -99999999999999999999999999999999999.999999999999999999999999999999, b'10000000000000001', b'1', 'a  ', 'trailing  ', x'00090a0d5c2e', x'0001', 'a\tb\nc\\d\re\0f', '', x'', NULL,
  '0000-00-00', '-838:59:59.999999', '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01', 0, 'it''s', 'x,z w', '{"a":  1, "b": [1, null, "\\u0041\\t"]}', POINT(1e300, -0.1),
  GEOMETRYCOLLECTION(POINT(1, 2), LINESTRING(POINT(0, 0), POINT(1, 1))), '0.0.0.0', '::ffff:1.2.3.4', 'café ÿ', 'A a', 'z漢😀', 6);
INSERT INTO every_type (id, f, d, bt, b1, dt, tm, dtm, ts, y, e, s, vc, bl, lb, bn, l1)
VALUES ('ffffffff-ffff-ffff-ffff-ffffffffffff', 1.17549435e-38, 2.2250738585072014e-308, b'0', b'0', '2024-02-31', '838:59:59', '0000-00-00 00:00:00', '2038-01-19 03:14:07.999999', 2155, 'ü', '', 'NULL', x'ff', x'5c4e', x'000000000000', '\\'),
  ('00000000-0000-0000-0000-000000000001', 0.1, 0.1, NULL, NULL, '1582-10-05', '00:00:00.000001', '1000-01-01', NULL, 1901, 'c,d', 'y', '\\N', x'5c2e0a', x'00', x'ffffffffffff', ''),
  ('00000000-0000-0000-0000-000000000002', 16777216, 0.30000000000000004, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('00000000-0000-0000-0000-000000000003', -0e0, 4.9e-324, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('00000000-0000-0000-0000-000000000004', 1.4e-45, -1e-310, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('00000000-0000-0000-0000-000000000005', 0.30000001192092896, 123456789012345678, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE every_type SET lb = (SELECT UNHEX(GROUP_CONCAT(LPAD(HEX(seq), 2, '0') ORDER BY seq SEPARATOR '')) FROM seq_0_to_255) WHERE id = '00000000-0000-0000-0000-000000000002';

CREATE TABLE keyless (a INT, b TEXT) ENGINE=InnoDB;
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, ''), (NULL, NULL), (2, '\n'), (2, 'NULL');
CREATE TABLE one_column (t TEXT) ENGINE=InnoDB;
INSERT INTO one_column VALUES (NULL), (''), ('\\.'), ('\\N'), ('\n'), ('\t'), (' '), ('\\'), ('#'), ('<<<<<<< ours'), ('\r');
CREATE TABLE empty_table (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE text_key (k VARCHAR(50) PRIMARY KEY, v INT) ENGINE=InnoDB;
INSERT INTO text_key VALUES ('a', 1), ('B', 2), ('Z', 3), ('ö', 5), ('', 6), ('a b', 8), ('a_b', 9);
CREATE TABLE blob_key (k VARBINARY(20) PRIMARY KEY, v INT) ENGINE=InnoDB;
INSERT INTO blob_key VALUES (x'00', 1), (x'0000', 2), (x'ff', 3), ('', 4);
CREATE TABLE prefix_unique (a VARCHAR(100) NOT NULL, UNIQUE (a(3))) ENGINE=InnoDB;
INSERT INTO prefix_unique VALUES ('abcdef'), ('xyz');
CREATE TABLE composite_key (a INT, b ENUM('z', 'a'), c DATETIME(3), v TEXT, PRIMARY KEY (a, b, c)) ENGINE=InnoDB;
INSERT INTO composite_key SELECT seq, IF(seq % 2, 'z', 'a'), '2024-01-01 00:00:00.001', REPEAT('v', seq) FROM seq_1_to_9;
CREATE TABLE unsigned_key (id BIGINT UNSIGNED PRIMARY KEY, t TEXT) ENGINE=InnoDB;
INSERT INTO unsigned_key VALUES (0, 'zero'), (18446744073709551615, 'most');
CREATE TABLE old_engine (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) ENGINE=MyISAM;
INSERT INTO old_engine (t) VALUES ('one'), ('two');
CREATE TABLE aria (id INT PRIMARY KEY, t TEXT) ENGINE=Aria;
INSERT INTO aria VALUES (1, 'x');
CREATE TABLE latin (id INT PRIMARY KEY, t TEXT) ENGINE=InnoDB DEFAULT CHARSET=latin1;
INSERT INTO latin VALUES (1, 'café €'), (2, x'00ff80');
CREATE TABLE measure (at DATE NOT NULL, v INT) ENGINE=InnoDB PARTITION BY RANGE (YEAR(at)) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO measure VALUES ('1999-01-01', 1), ('2024-01-01', NULL);
CREATE TABLE hashed (id INT PRIMARY KEY) ENGINE=InnoDB PARTITION BY HASH (id) PARTITIONS 3;
INSERT INTO hashed SELECT seq FROM seq_1_to_20;

CREATE TABLE `../x` (`a/b` INT PRIMARY KEY, `c,d` TEXT, `tab	here` TEXT, `new
line` TEXT, `q``uote` TEXT, `%41` TEXT, `\.` TEXT) ENGINE=InnoDB;
INSERT INTO `../x` VALUES (1, 'x', 'y', 'z', 'q', 'p', 'd');
CREATE TABLE `.git` (id INT PRIMARY KEY, `SELECT` TEXT) ENGINE=InnoDB;
INSERT INTO `.git` VALUES (1, 'a;b');
CREATE TABLE `漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字x` (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE `漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字y` (id INT PRIMARY KEY) ENGINE=InnoDB;
INSERT INTO `漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字y` VALUES (5);
CREATE TABLE `table with; space` (id INT PRIMARY KEY) ENGINE=InnoDB COMMENT 'AUTO_INCREMENT=5 in a comment, ''quoted'' \\ too';
INSERT INTO `table with; space` VALUES (1);

CREATE VIEW cheap AS SELECT id, title FROM book WHERE price < 10 WITH CHECK OPTION;
CREATE VIEW about_cheap AS SELECT count(*) AS n FROM cheap;
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT) ENGINE=InnoDB;
DELIMITER //
CREATE FUNCTION doubled(n INT) RETURNS INT DETERMINISTIC COMMENT 'it''s' RETURN n * 2 //
CREATE PROCEDURE note(t TEXT) MODIFIES SQL DATA
BEGIN
  -- Dump completed on a Monday
  INSERT INTO audit (what) VALUES (CONCAT(t, '\n;'));
END //
CREATE TRIGGER book_note AFTER INSERT ON book FOR EACH ROW BEGIN CALL note('insert'); END //
CREATE TRIGGER book_other BEFORE UPDATE ON book FOR EACH ROW SET NEW.title = TRIM(NEW.title) //
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO BEGIN DELETE FROM audit; END //
DELIMITER ;
CREATE VIEW with_function AS SELECT id, doubled(id) AS twice FROM audit;

CREATE TABLE many (id INT PRIMARY KEY, t TEXT) ENGINE=InnoDB;
INSERT INTO many SELECT seq, CONCAT(MD5(seq), MD5(seq + 1)) FROM seq_1_to_12000;
CREATE TABLE many_text (k VARCHAR(40) PRIMARY KEY, t TEXT) ENGINE=InnoDB;
INSERT INTO many_text SELECT MD5(seq), MD5(seq + 1) FROM seq_1_to_12000;
CREATE TABLE many_uuid (k UUID PRIMARY KEY, t TEXT) ENGINE=InnoDB;
INSERT INTO many_uuid SELECT CAST(CONCAT(SUBSTR(MD5(seq), 1, 8), '-', SUBSTR(MD5(seq), 9, 4), '-4', SUBSTR(MD5(seq), 14, 3), '-8', SUBSTR(MD5(seq), 18, 3), '-', SUBSTR(MD5(seq), 21, 12)) AS UUID), MD5(seq + 1) FROM seq_1_to_12000;
CREATE TABLE many_keyless (a TEXT) ENGINE=InnoDB;
INSERT INTO many_keyless SELECT MD5(seq DIV 3) FROM seq_1_to_30000;
