SET NAMES utf8mb4;
SET SESSION time_zone = '+00:00';
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES';
SET SESSION foreign_key_checks = 0;
SET SESSION lock_wait_timeout = 5;
SET SESSION innodb_lock_wait_timeout = 5;
SET SESSION max_statement_time = 0;
SET SESSION net_write_timeout = 3600;
SET SESSION group_concat_max_len = 1073741824;
