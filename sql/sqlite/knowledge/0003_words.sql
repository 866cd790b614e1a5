-- Full text takes runs of ideographs, kana and hangul apart. FTS5 is given other words for them from here on; what was
-- given before is taken out and put in anew by stores/sqlite_words.c, in the same transaction.
SELECT 1;
