-- admit_call and its one-row form: what they answer, with the clock in the test's hand.
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only on
SELECT set_config('search_path', format('pg_catalog, %I, trial', :'schema'), false), set_config('aiorch.tenant', 'limited', true) \g /dev/null
SET LOCAL ROLE aiorch_app;
CREATE FUNCTION pg_temp.run(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.log(n int, key text, window_ms bigint, most bigint, amount bigint, at_ms bigint) RETURNS text LANGUAGE sql AS
  $$ SELECT a::text FROM admit_call(pg_temp.run(n), '{0}', ARRAY[key], ARRAY[window_ms], ARRAY[most], ARRAY[amount], at_ms) a $$;
CREATE FUNCTION pg_temp.rate(n int, key text, window_ms bigint, most bigint, amount bigint, at_ms bigint) RETURNS text LANGUAGE sql AS
  $$ SELECT a::text FROM admit_call_by_rate(pg_temp.run(n), ARRAY[key], ARRAY[window_ms], ARRAY[most], ARRAY[amount], at_ms) a $$;
SELECT no_plan();

SELECT is(pg_temp.log(1, 'a', 1000, 2, 1, 10000), '(t,-1,1,0)', 'the first');
SELECT is(pg_temp.log(1, 'a', 1000, 2, 1, 10001), '(t,-1,1,0)', 'the same run again counts once');
SELECT is(pg_temp.log(2, 'a', 1000, 2, 1, 10300), '(t,-1,2,0)', 'the second');
SELECT is(pg_temp.log(3, 'a', 1000, 2, 1, 10400), '(f,0,2,600)', 'the third waits for the first to leave');
SELECT is((SELECT count(*) FROM admissions WHERE key = 'a'), 2::bigint, 'who is denied writes nothing');
SELECT is(pg_temp.log(3, 'a', 1000, 2, 1, 10999), '(f,0,2,1)', 'a millisecond before');
SELECT is(pg_temp.log(3, 'a', 1000, 2, 1, 11000), '(t,-1,2,0)', 'after retry_after_ms it passes');
SELECT is(pg_temp.log(4, 'a', 1000, 0, 1, 20000), '(f,0,0,-1)', 'a limit of nothing admits nobody, ever');
SELECT is(pg_temp.log(4, 'a', 1000, 2, 3, 20000), '(f,0,0,-1)', 'nor does one that is smaller than the amount');
SELECT is(pg_temp.log(4, 'a', 1000, 2, 0, 20000), '(t,-1,0,0)', 'an amount of nothing passes');
SELECT is(pg_temp.log(5, 'big', 1000, 9223372036854775807, 9223372036854775807, 1000), '(t,-1,9223372036854775807,0)', 'the largest there is');
SELECT is(pg_temp.log(6, 'big', 1000, 9223372036854775807, 1, 1001), '(f,0,9223372036854775807,999)', 'and one more is no overflow');
SELECT is(pg_temp.log(7, 'low', 1000, 5, 1, 1000) || pg_temp.log(8, 'low', 1000, 5, 1, 1100) || pg_temp.log(9, 'low', 1000, 5, 1, 1200),
          '(t,-1,1,0)(t,-1,2,0)(t,-1,3,0)', 'three under a limit of five');
SELECT is(pg_temp.log(10, 'low', 1000, 2, 1, 1300), '(f,0,3,800)', 'lowered to two, two have to go');
-- A clock that went back: what lies more than a minute ahead counts as now, and from then on is now.
SELECT is(pg_temp.log(11, 'ahead', 60000, 1, 1, 9000000), '(t,-1,1,0)', 'admitted by a clock that was ahead');
SELECT is(pg_temp.log(12, 'ahead', 60000, 1, 1, 1000000), '(f,0,1,60000)', 'it counts as now');
SELECT is(pg_temp.log(12, 'ahead', 60000, 1, 1, 1060000), '(t,-1,1,0)', 'and leaves its window from there');
-- Several constraints: all or none; the one that refuses longest is named.
CREATE FUNCTION pg_temp.three(n int, at_ms bigint) RETURNS text LANGUAGE sql AS $$
  SELECT a::text FROM admit_call(pg_temp.run(n), '{0,1,1}', '{z,m,b}', '{1000,5000,9000}', '{2,100,1000}', '{1,40,40}', at_ms) a $$;
SELECT is(pg_temp.three(20, 1000) || pg_temp.three(21, 1100), '(t,-1,1,0)(t,-1,2,0)', 'three constraints hold twice');
SELECT is(pg_temp.three(22, 1200), '(f,1,80,4800)', 'two are violated, the money longer');
SELECT is((SELECT count(*) FROM admissions WHERE run_id = pg_temp.run(22)), 0::bigint, 'nothing was written of the one that held');
UPDATE admissions SET amount = 7 WHERE run_id = pg_temp.run(20) AND kind = 1;
SELECT is(pg_temp.three(22, 2001), '(t,-1,2,0)', 'settled at what it cost, there is room again');
SELECT is(pg_temp.three(22, 2002), '(t,-1,2,0)', 'and again the same run counts once');
-- Keys of tenants never meet, however they are put together.
SELECT set_config('aiorch.tenant', 'a', true) \g /dev/null
SELECT is(pg_temp.log(30, 'bc', 1000, 1, 1, 1000), '(t,-1,1,0)', 'tenant a, key bc');
SELECT set_config('aiorch.tenant', 'ab', true) \g /dev/null
SELECT is(pg_temp.log(30, 'c', 1000, 1, 1, 1000), '(t,-1,1,0)', 'tenant ab, key c');
SELECT set_config('aiorch.tenant', 'limited', true) \g /dev/null
SELECT throws_ok($$SELECT admit_call(pg_temp.run(1), '{0}', '{a,b}', '{1}', '{1}', '{1}')$$, '22023');
SELECT throws_ok($$SELECT admit_call(pg_temp.run(1), '{}', '{}', '{}', '{}', '{}')$$, '22023');

SELECT is(pg_temp.rate(40, 'r', 1000, 2, 1, 10000), '(t,-1,1,0)', 'rate: the first');
SELECT is(pg_temp.rate(40, 'r', 1000, 2, 1, 10000), '(t,-1,1,0)', 'rate: the same run again counts once');
SELECT is(pg_temp.rate(41, 'r', 1000, 2, 1, 10000), '(t,-1,2,0)', 'rate: the second');
SELECT is(pg_temp.rate(42, 'r', 1000, 2, 1, 10100), '(f,0,2,400)', 'rate: the third waits for half a window');
SELECT is(pg_temp.rate(42, 'r', 1000, 2, 1, 10499), '(f,0,2,1)', 'rate: a millisecond before');
SELECT is(pg_temp.rate(42, 'r', 1000, 2, 1, 10500), '(t,-1,2,0)', 'rate: after retry_after_ms it passes');
SELECT is(pg_temp.rate(43, 'r', 1000, 0, 1, 10500), '(f,0,0,-1)', 'rate: a limit of nothing');
SELECT is(pg_temp.rate(43, 'r', 1000, 2, 3, 10500), '(f,0,2,-1)', 'rate: an amount that never fits');
SELECT is(pg_temp.rate(44, 'back', 1000, 1, 1, 9000000), '(t,-1,1,0)', 'rate: a clock that was ahead');
SELECT is(pg_temp.rate(45, 'back', 1000, 1, 1, 10000), '(f,0,1,1000)', 'rate: counts as now');
SELECT is((SELECT a::text FROM admit_call_by_rate(pg_temp.run(46), '{r,s}', '{1000,1000}', '{2,1}', '{1,1}', 10600) a), '(f,0,2,400)', 'rate: two keys, one refuses');
SELECT is((SELECT count(*) FROM admission_rates WHERE key = 's'), 0::bigint, 'rate: who is denied writes nothing');
SELECT is((SELECT a::text FROM admit_call_by_rate(pg_temp.run(46), '{r,s}', '{1000,1000}', '{2,1}', '{1,1}', 11000) a), '(t,-1,2,0)', 'rate: both hold');
SELECT is((SELECT a::text FROM admit_call_by_rate(pg_temp.run(47), '{r,s}', '{1000,1000}', '{2,1}', '{1,1}', 11100) a), '(f,1,1,900)', 'rate: the longer is named');

-- Several at once answer what they would one after the other; those of which nothing is doubtful come first.
CREATE FUNCTION pg_temp.together(numbers int[], first_of int[], keys text[], most bigint[], amounts bigint[], at_ms bigint) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg((a.call, a.admitted, a.violated, a.used, a.retry_after_ms)::text, '' ORDER BY a.call) FROM admit_calls(
    ARRAY(SELECT pg_temp.run(n) FROM unnest(numbers) WITH ORDINALITY u(n, i) ORDER BY i), first_of, array_fill(0, ARRAY[cardinality(keys)]), keys,
    array_fill(1000::bigint, ARRAY[cardinality(keys)]), most, amounts, at_ms) a $$;
CREATE FUNCTION pg_temp.rates(numbers int[], first_of int[], keys text[], most bigint[], at_ms bigint) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg((a.call, a.admitted, a.violated, a.used, a.retry_after_ms)::text, '' ORDER BY a.call) FROM admit_calls_by_rate(
    ARRAY(SELECT pg_temp.run(n) FROM unnest(numbers) WITH ORDINALITY u(n, i) ORDER BY i), first_of, keys,
    array_fill(1000::bigint, ARRAY[cardinality(keys)]), most, array_fill(1::bigint, ARRAY[cardinality(keys)]), at_ms) a $$;
SELECT is(pg_temp.together('{60,61}', '{1,2}', '{t,t}', '{9,9}', '{1,2}', 10000), '(1,t,-1,1,0)(2,t,-1,3,0)', 'two of one key: each sees those before it');
SELECT is(pg_temp.together('{60,61}', '{1,2}', '{t,t}', '{9,9}', '{1,2}', 10500), '(1,t,-1,3,0)(2,t,-1,3,0)', 'the same again count once');
SELECT is((SELECT count(*) FROM admissions WHERE key = 't'), 2::bigint, 'and write nothing');
SELECT is(pg_temp.together('{62,62}', '{1,2}', '{t2,t2}', '{9,9}', '{1,1}', 10000), '(1,t,-1,1,0)(2,t,-1,1,0)', 'one run twice counts once');
SELECT is(pg_temp.together('{63,64,65}', '{1,2,3}', '{u,u,v}', '{1,1,1}', '{1,1,1}', 10000), '(1,t,-1,1,0)(2,f,0,1,1000)(3,t,-1,1,0)', 'one is denied, the others are not');
SELECT is(pg_temp.together('{66,67}', '{1,3}', '{w,u,w}', '{5,1,5}', '{1,1,1}', 10100), '(1,f,1,1,900)(2,t,-1,1,0)', 'of several keys all or none');
SELECT is((SELECT count(*) FROM admissions WHERE key = 'w'), 1::bigint, 'who is denied writes nothing');
SELECT is(pg_temp.together('{68,69}', '{1,2}', '{x,x}', '{9223372036854775807,9223372036854775807}', '{9223372036854775807,9223372036854775807}', 1000),
          '(1,t,-1,9223372036854775807,0)(2,f,0,9223372036854775807,1000)', 'the largest there is, twice');
SELECT is(pg_temp.together('{70}', '{1}', '{y}', '{1}', '{1}', 9000000), '(1,t,-1,1,0)', 'admitted by a clock that was ahead');
SELECT is(pg_temp.together('{71}', '{1}', '{y}', '{2}', '{1}', 1000000), '(1,t,-1,2,0)', 'it counts as now');
SELECT is((SELECT max(at_ms) FROM admissions WHERE key = 'y'), 1000000::bigint, 'and from then on is now');
SELECT is(pg_temp.rates('{80,81,82}', '{1,2,3}', '{ra,ra,ra}', '{2,2,2}', 10000), '(1,t,-1,1,0)(2,t,-1,2,0)(3,f,0,2,500)', 'rates: the third waits for half a window');
SELECT is(pg_temp.rates('{81}', '{1}', '{ra}', '{2}', 10000), '(1,t,-1,2,0)', 'rates: the last run again counts once');
SELECT is(pg_temp.rates('{83,84}', '{1,3}', '{rb,ra,rb}', '{1,2,1}', 10100), '(1,f,0,1,1000)(2,t,-1,1,0)', 'rates: of several keys all or none');
SELECT is((SELECT count(*) FROM admission_rates WHERE key = 'rb'), 1::bigint, 'rates: one row a key');
SELECT is(pg_temp.rates('{85,86}', '{1,2}', '{rc,rc}', '{0,1}', 10000), '(1,f,0,0,-1)(2,t,-1,1,0)', 'rates: a limit of nothing');
SELECT is(pg_temp.rates('{87}', '{1}', '{rd}', '{0}', 10000), '(1,f,0,0,-1)', 'rates: denied');
SELECT is((SELECT count(*) FROM admission_rates WHERE key = 'rd'), 0::bigint, 'rates: who is denied writes nothing');
SELECT throws_ok($$SELECT admit_calls(ARRAY[pg_temp.run(1)], '{1}', '{0}', '{a,b}', '{1}', '{1}', '{1}')$$, '22023');
SELECT throws_ok($$SELECT admit_calls('{}', '{}', '{}', '{}', '{}', '{}', '{}')$$, '22023');
SELECT throws_ok($$SELECT admit_calls_by_rate(ARRAY[pg_temp.run(1)], '{2}', '{a,b}', '{1,1}', '{1,1}', '{1,1}')$$, '22023');

RESET ROLE;
SELECT throws_ok($$SELECT admit_call(pg_temp.run(1), '{0}', '{a}', '{1}', '{1}', '{1}') FROM set_config('aiorch.tenant', '', true)$$, '42501');
SELECT * FROM finish();
