/* lib/guard/hit_guard*.c: tables of pairs for each guard, both ways, and what holds for any pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard/hit_guard.h"
#include "support/test_alloc.h"

typedef struct pair {
  const char *a, *b;
  const char *detail; /* of a refusal; NULL: any */
} pair;

static aio__hit_guard *guard;

static int make_guard(void **state) {
  (void)state;
  return aio__hit_guard_new(aio__alloc_default(), &guard, NULL) == AIORCH_OK ? 0 : -1;
}

static int free_guard(void **state) {
  (void)state;
  aio__hit_guard_free(guard);
  return 0;
}

static aio__hit_finding check(aio__str a, aio__str b) {
  aio__hit_finding f;
  aio__arena arena;
  aio__arena_init(&arena, aio__alloc_default(), 8192);
  assert_int_equal(aio__hit_guard_check(guard, &arena, a, b, &f), AIORCH_OK);
  aio__arena_free(&arena);
  assert_true(strlen(f.detail) <= AIO__HIT_DETAIL_MAX);
  assert_true(f.refused_by != AIO__HIT_PASS || f.detail[0] == '\0');
  return f;
}

/* Both ways round. `by` AIO__HIT_PASS: they pass. */
static void assert_pairs(const pair *pairs, size_t n, aio__hit_refusal by) {
  for (size_t i = 0; i < n; i++) {
    const pair *p = &pairs[i];
    aio__hit_finding f = check(aio__str_z(p->a), aio__str_z(p->b)), turned = check(aio__str_z(p->b), aio__str_z(p->a));
    if (f.refused_by != by || turned.refused_by != by) {
      fail_msg("\"%s\" / \"%s\": %s (%s), turned %s (%s)", p->a, p->b, aio__hit_refusal_name(f.refused_by), f.detail,
               aio__hit_refusal_name(turned.refused_by), turned.detail);
    }
    if (p->detail != NULL && strcmp(f.detail, p->detail) != 0) fail_msg("\"%s\": \"%s\" and not \"%s\"", p->a, f.detail, p->detail);
  }
}

#define ASSERT_REFUSED(pairs, by) assert_pairs((pairs), sizeof(pairs) / sizeof(pairs)[0], (by))
#define ASSERT_PASS(pairs) assert_pairs((pairs), sizeof(pairs) / sizeof(pairs)[0], AIO__HIT_PASS)

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void test_numbers__another_number_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"What happened in 2023?", "What happened in 2024?", "2023, 2024"},
    {"How do I cook 3 eggs?", "How do I cook 4 eggs?", "3, 4"},
    {"How do I cook three eggs?", "How do I cook 4 eggs?", "three, 4"},
    {"a loan of 1,000 euros", "a loan of 10,000 euros", NULL},
    {"Is 1.5 enough?", "Is 15 enough?", "1.5, 15"},
    {"Is Python 3.1 supported?", "Is Python 3.10 supported?", "3.1, 3.10"},
    {"Who won the first round?", "Who won the second round?", "first, second"},
    {"What is the 3rd amendment?", "What is the 4th amendment?", "3rd, 4th"},
    {"top 10 rows", "top rows", "10"},
    {"pages 10-20", "pages 10-30", "20, 30"},
    {"half of the deposit back", "a third of the deposit back", NULL},
    {"two thirds of the votes", "three quarters of the votes", NULL},
    {"twice a day", "three times a day", NULL},
    {"What is 2+2+2?", "What is 2+2?", NULL},
    {"twenty-three people", "twenty-five people", NULL},
    {"a dozen eggs", "two dozen eggs", NULL},
    {"5k followers", "6k followers", NULL},
    {"it is -5 outside", "it is 5 outside", NULL},
    {"3 eggs and 2 cups of milk", "2 eggs and 3 cups of milk", NULL},
    {"mix 5 parts sand with 3 parts lime", "mix 3 parts sand with 5 parts lime", NULL},
    {"007 films", "7 films", NULL},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    aio__hit_finding f = check(aio__str_z(pairs[i].a), aio__str_z(pairs[i].b));
    if (f.refused_by == AIO__HIT_PASS) fail_msg("\"%s\" / \"%s\" passes", pairs[i].a, pairs[i].b);
  }
  ASSERT_REFUSED(((pair[]){{"What happened in 2023?", "What happened in 2024?", "2023, 2024"},
                           {"How do I cook three eggs?", "How do I cook 4 eggs?", "three, 4"},
                           {"Is Python 3.1 supported?", "Is Python 3.10 supported?", "3.1, 3.10"},
                           {"Who won the first round?", "Who won the second round?", "first, second"},
                           {"top 10 rows", "top rows", "10"},
                           {"mix 5 parts sand and 3 litres", "mix 3 parts sand and 5 litres", NULL}}),
                 AIO__HIT_NUMBERS);
}

static void test_numbers__another_spelling_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"wait 2 hours", "wait two hours", NULL},
    {"1,000 boxes", "1000 boxes", NULL},
    {"one thousand boxes", "1000 boxes", NULL},
    {"a thousand boxes", "1,000 boxes", NULL},
    {"5k followers", "5000 followers", NULL},
    {"2 million people", "2,000,000 people", NULL},
    {"1.5 million people", "1,500,000 people", NULL},
    {"two and a half million people", "2,500,000 people", NULL},
    {"half a million people", "500,000 people", NULL},
    {"one hundred and five pages", "105 pages", NULL},
    {"twenty-three pages", "23 pages", NULL},
    {"twenty three pages", "23 pages", NULL},
    {"nineteen ninety-nine", "1999", NULL},
    {"a dozen eggs", "12 eggs", NULL},
    {"two dozen eggs", "24 eggs", NULL},
    {"on the 1st floor", "on the first floor", NULL},
    {"the twenty-first century", "the 21st century", NULL},
    {"two thirds of it", "2/3 of it", NULL},
    {"one half of it", "1/2 of it", NULL},
    {"three and a half tonnes", "3.5 tonnes", NULL},
    {"1 1/2 cups of rice", "1.5 cups of rice", NULL},
    {"1\xC2\xBD cups of rice", "1.5 cups of rice", NULL},
    {"pages 10-20", "pages 10 to 20", NULL},
    {"issue #42", "issue 42", NULL},
    {"3 eggs and 2 cups of milk", "2 cups of milk and 3 eggs", NULL},
    {"one way of doing it", "a way of doing it", NULL},
    {"with 0 fees", "with no fees", NULL},
    {"zero fees", "0 fees", NULL},
    {"version v2", "version 2", NULL},
    {"SHA-256", "sha256", NULL},
    {"a fee of $1.50", "a fee of 1.5 dollars", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- dates ------------------------------------------------------------------------------------------------------- */

static void test_dates__another_date_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"Is it open on Monday?", "Is it open on Tuesday?", "Monday, Tuesday"},
    {"the statement of May", "the statement of June", "May, June"},
    {"what is the weather today", "what is the weather tomorrow", "today, tomorrow"},
    {"sales last week", "sales last month", "last week, last month"},
    {"sales last week", "sales this week", NULL},
    {"see you next Friday", "see you last Friday", NULL},
    {"a train at 5 pm", "a train at 6 pm", "5 pm, 6 pm"},
    {"a train at 5 am", "a train at 5 pm", NULL},
    {"a train at 17:00", "a train at 18:00", NULL},
    {"a train at noon", "a train at midnight", NULL},
    {"music of the 1980s", "music of the 1990s", "1980s, 1990s"},
    {"music of the 80s", "music of the 90s", NULL},
    {"in the morning", "in the evening", NULL},
    {"roses in summer", "roses in winter", NULL},
    {"who is on call", "who is on call today", "today"},
  };
  ASSERT_REFUSED(pairs, AIO__HIT_DATES);
  static const pair figures[] = {{"on 2024-05-03", "on 2024-05-04", NULL}, {"May 3, 2024", "May 4, 2024", NULL}};
  ASSERT_REFUSED(figures, AIO__HIT_NUMBERS);
}

static void test_dates__another_form_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"on March 5, 2024", "on 5 March 2024", NULL},
    {"on March 5, 2024", "on 2024-03-05", NULL},
    {"on the 5th of March 2024", "on Mar 5, 2024", NULL},
    {"on 3/25/2024", "on 25 March 2024", NULL},
    {"on 25.3.2024", "on March 25, 2024", NULL},
    {"on Mon", "on Monday", NULL},
    {"July fourth", "July 4", NULL},
    {"at 5 pm", "at 17:00", NULL},
    {"at 5pm", "at 5 p.m.", NULL},
    {"at 12 noon", "at noon", NULL},
    {"at noon", "at 12 pm", NULL},
    {"at midnight", "at 12 am", NULL},
    {"the '90s or the 90s", "the 90s or the '90s", NULL},
    {"may i order in may", "may i order in May", NULL},
    {"May I leave?", "may I leave?", NULL},
    {"the sun in the morning", "the morning sun", NULL},
  };
  ASSERT_PASS(pairs);
}

static void test_dates__in_passing(void **state) {
  (void)state;
  /* What a longer message says on the way is not what it asks. */
  static const pair pass[] = {
    {"I lost my phone yesterday on the train, what can I do so that nobody uses my account?",
     "I lost my phone on the train, what can I do so that nobody uses my account?", NULL},
  };
  ASSERT_PASS(pass);
}

/* ---- units ------------------------------------------------------------------------------------------------------- */

static void test_units__another_unit_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"Is 5 km far?", "Is 5 miles far?", "5 km, 5 miles"},
    {"take 10 mg", "take 10 ml", NULL},
    {"bake at 200 degrees Celsius", "bake at 200 degrees Fahrenheit", NULL},
    {"bake at 200 \xC2\xB0\x43", "bake at 200 \xC2\xB0\x46", NULL},
    {"a limit of 512 MB", "a limit of 512 GB", NULL},
    {"wait 60 minutes", "wait 60 hours", NULL},
    {"a fee of $5", "a fee of \xE2\x82\xAC" "5", NULL},
    {"a fee of 5 dollars", "a fee of 5 percent", NULL},
    {"How far is it in miles?", "How far is it in kilometres?", "miles, kilometres"},
    {"pay in euros", "pay in dollars", NULL},
    {"sales per day", "sales per week", NULL},
    {"three times a day", "three times a week", NULL},
    {"a report monthly", "a report weekly", NULL},
    {"run at 90 km/h", "run at 90 mph", NULL},
  };
  ASSERT_REFUSED(pairs, AIO__HIT_UNITS);
  /* A unit is not converted: 60 minutes are not 1 hour. */
  static const pair converted[] = {{"wait 60 minutes", "wait 1 hour", NULL}};
  ASSERT_REFUSED(converted, AIO__HIT_NUMBERS);
}

static void test_units__another_spelling_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"5 km", "5 kilometres", NULL},
    {"5km", "5 kilometers", NULL},
    {"16GB of memory", "16 gigabytes of memory", NULL},
    {"100 mph", "100 miles per hour", NULL},
    {"90 km/h", "90 kilometres per hour", NULL},
    {"20 \xC2\xB0\x43", "20 degrees Celsius", NULL},
    {"20 \xE2\x84\x83", "20 degrees celsius", NULL},
    {"5%", "5 percent", NULL},
    {"5 %", "five per cent", NULL},
    {"$5", "5 dollars", NULL},
    {"20 USD", "$20", NULL},
    {"50 \xE2\x82\xAC", "\xE2\x82\xAC" "50", NULL},
    {"\xE2\x82\xAC" "9.50", "9.5 euros", NULL},
    {"5 pounds", "\xC2\xA3" "5", NULL},
    {"5 pounds", "5 lbs", NULL},
    {"a 30-minute walk", "a walk of 30 minutes", NULL},
    {"an hour of work", "one hour of work", NULL},
    {"12 m\xC2\xB2", "12 square metres", NULL},
    {"it gave me 10 pounds when I wanted 30", "it gave me 10 pounds when I wanted 30 pounds", NULL},
    {"you must be 18 or older", "you must be 18 years old", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- negation ---------------------------------------------------------------------------------------------------- */

static void test_negation__denied_in_one_only_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"Which foods should I eat?", "Which foods should I not eat?", "not"},
    {"Which foods should I eat?", "Which foods shouldn't I eat?", "shouldn't"},
    {"Can I take it with food?", "Can I take it without food?", "without"},
    {"Is it possible?", "Is it impossible?", "impossible"},
    {"Is the contract valid?", "Is the contract invalid?", "invalid"},
    {"Are these pillows suitable for children?", "Are these pillows unsuitable for children?", "unsuitable"},
    {"Why does it start?", "Why does it fail to start?", "fail to"},
    {"Why can it start?", "Why is it unable to start?", "unable"},
    {"deploy with downtime", "deploy with no downtime", "no"},
    {"customers who ordered", "customers who never ordered", "never"},
    {"why did my bread rise", "why didnt my bread rise", "didnt"},
    {"rows where x is null", "rows where x is not null", "not"},
    {"Does anybody live there?", "Does nobody live there?", "nobody"},
    {"Is it not impossible?", "Is it impossible?", NULL},
    {"I like tea but not coffee", "I like coffee but not tea", NULL},
    {"If it rains, what is open?", "Unless it rains, what is open?", "Unless"},
    {"a drink with sugar", "a sugar-free drink", "sugar-free"},
    {"how do I use cookies", "how do I avoid cookies", NULL},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    aio__hit_finding f = check(aio__str_z(pairs[i].a), aio__str_z(pairs[i].b)), g = check(aio__str_z(pairs[i].b), aio__str_z(pairs[i].a));
    if (f.refused_by != AIO__HIT_NEGATION || g.refused_by != AIO__HIT_NEGATION) {
      fail_msg("\"%s\" / \"%s\": %s (%s)", pairs[i].a, pairs[i].b, aio__hit_refusal_name(f.refused_by), f.detail);
    }
    if (pairs[i].detail != NULL) assert_string_equal(f.detail, pairs[i].detail);
  }
}

static void test_negation__denied_in_both_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"Why don't you answer?", "Why do you not answer?", NULL},
    {"I cannot log in", "I can't log in", NULL},
    {"I can not log in", "I cannot log in", NULL},
    {"It is not possible", "It is impossible", NULL},
    {"Why is it not valid?", "Why is it invalid?", NULL},
    {"Why is it unable to start?", "Why is it not able to start?", NULL},
    {"It is not impossible", "It is possible", NULL},
    {"My card isn't working", "My card doesn't work", NULL},
    {"Why didn't my cake rise?", "Why did my cake not rise?", NULL},
    {"The rate is wrong", "The rate is not correct", NULL},
    {"I don't know why it was declined", "Why was it declined?", NULL},
    {"I am not sure how to order", "How do I order?", NULL},
    {"No, it is closed", "It is closed", NULL},
    {"It is cold, isn't it?", "It is cold", NULL},
    {"Tell me whether or not it is open", "Tell me whether it is open", NULL},
    {"a zero-copy slice", "a slice without copying", NULL},
    {"The service is not only fast", "The service is fast", NULL},
  };
  ASSERT_PASS(pairs);
}

static void test_negation__a_longer_text_may_say_it_otherwise(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"An iterable dataset lets you use a really big dataset that does not even fit on the disk or into the memory of the machine you have.",
     "An iterable dataset lets you use an enormous dataset that is too large to fit on the disk or into the memory of the machine you have.", NULL},
  };
  ASSERT_PASS(pairs);
  static const pair refused[] = {
    {"When the file has been found in the cache of the machine, the download is started again and the old copy is kept beside the new one for a day.",
     "When the file has not been found in the cache of the machine, the download is started again and the old copy is kept beside the new one for a day.", "not"},
  };
  ASSERT_REFUSED(refused, AIO__HIT_NEGATION);
}

/* ---- identifiers ------------------------------------------------------------------------------------------------- */

static void test_identifiers__another_one_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"What is in /etc/hosts?", "What is in /etc/passwd?", "/etc/hosts, /etc/passwd"},
    {"open config.yaml", "open settings.json", NULL},
    {"index on user_id", "index on order_id", "user_id, order_id"},
    {"What does getUser() do?", "What does getOrder() do?", NULL},
    {"What does open() do?", "What does close() do?", NULL},
    {"git push --force", "git push --dry-run", "--force, --dry-run"},
    {"ls -l", "ls -a", NULL},
    {"upgrade to 1.2.3", "upgrade to 1.2.4", "1.2.3, 1.2.4"},
    {"ping 10.0.0.1", "ping 10.0.0.2", NULL},
    {"mail to help@example.com", "mail to sales@example.com", NULL},
    {"https://a.org/x does not load", "https://a.org/y does not load", NULL},
    {"the status \"draft\"", "the status \"final\"", "draft, final"},
    {"the branch `main`", "the branch `develop`", NULL},
    {"the button 'Save as'", "the button 'Save all'", NULL},
    {"where is order A1234", "where is order A1243", "A1234, A1243"},
    {"invoice INV-2023-001", "invoice INV-2023-010", NULL},
    {"error 0x80070005", "error 0x80070057", NULL},
    {"std::vector is slow", "std::list is slow", NULL},
    {"load with `Table`", "load with `table`", NULL},
    {"What is 2+2?", "What is 2*2?", NULL},
    {"path C:\\Windows is gone", "path C:\\Users is gone", NULL},
    {"set $HOME first", "set $PATH first", NULL},
    {"colour #ff0000", "colour #ff0001", NULL},
  };
  ASSERT_REFUSED(pairs, AIO__HIT_IDENTIFIERS);
}

static void test_identifiers__another_way_to_write_it_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"the `split` parameter", "the split parameter", NULL},
    {"what does `foo_bar` do", "what does foo_bar() do", NULL},
    {"what is user_id", "what is the user id", NULL},
    {"version v1.2.3", "version 1.2.3", NULL},
    {"open README.md.", "open README.md", NULL},
    {"see https://a.org/x/", "see https://a.org/x", NULL},
    {"say \"yes\" and 'no'", "say 'yes' and \"no\"", NULL},
    {"the dogs' food and the cats' food", "the dogs' food and the cats' food, please", NULL},
    {"how do I use github", "How do I use GitHub?", NULL},
    {"and/or", "and / or", NULL},
    {"my account.How do I close it", "my account. How do I close it", NULL},
    {"cash with me .Is it free", "cash with me. Is it free", NULL},
    {"e.g. this", "eg this", NULL},
    {"1. First boil it. 2. Then eat it.", "First boil it. Then eat it.", NULL},
    {"1) boil it", "boil it", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static void test_order__changed_places_are_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"trains from London to Paris", "trains from Paris to London", NULL},
    {"a train to Paris from London", "a train from Paris to London", NULL},
    {"convert miles to kilometres", "convert kilometres to miles", NULL},
    {"Migrate MySQL to Postgres", "How do I migrate from Postgres to MySQL?", NULL},
    {"move it from my savings account to my checking account", "move it to my savings account from my checking account", NULL},
    {"Should I eat before I swim?", "Should I eat after I swim?", NULL},
    {"salt before sugar", "sugar before salt", NULL},
    {"salt before sugar", "salt after sugar", NULL},
    {"take it before a meal", "take it after a meal", NULL},
    {"butter instead of oil", "oil instead of butter", NULL},
    {"use butter instead of oil", "replace butter with oil", NULL},
    {"Is Python faster than Java?", "Is Java faster than Python?", NULL},
    {"Does Anna report to Boris?", "Does Boris report to Anna?", NULL},
    {"When did Spain beat Brazil?", "In which year did Brazil defeat Spain?", NULL},
    {"Does stress cause diabetes?", "Can diabetes lead to stress?", NULL},
    {"flights to Rome", "flights from Rome", NULL},
    {"people over 18", "people under 18", NULL},
    {"divide 12 by 5", "divide 5 by 12", NULL},
    {"dog bites man", "man bites dog", NULL},
  };
  ASSERT_REFUSED(pairs, AIO__HIT_ORDER);
  aio__hit_finding f = check(AIO__LIT("from A1 to B1"), AIO__LIT("from B1 to A1"));
  assert_string_equal(f.detail, "A1 to B1, B1 to A1");
}

static void test_order__no_order_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"trains from London to Paris", "trains to Paris from London", NULL},
    {"difference between TCP and UDP", "difference between UDP and TCP", NULL},
    {"tea or coffee", "coffee or tea", NULL},
    {"TCP vs UDP", "UDP vs TCP", NULL},
    {"compare Rust to Go", "compare Go to Rust", NULL},
    {"the distance from Rome to Oslo", "the distance from Oslo to Rome", NULL},
    {"In Chrome, how do I reset it?", "How do I reset it in Chrome?", NULL},
    {"salt before sugar", "sugar after salt", NULL},
    {"red, green and blue", "blue, green and red", NULL},
    {"Datasets can be accessed from cloud storage", "Datasets supports access to cloud storage", NULL},
    {"To add a card, open the settings", "Open the settings to add a card", NULL},
    {"I don't recognise a payment", "There is a payment I don't recognise", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void test_names__another_name_is_refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"What is the capital of Peru?", "What is the capital of Chile?", "Peru, Chile"},
    {"Who is Alice Johnson?", "Who is Alice Smith?", "Johnson, Smith"},
    {"John Smith lives where?", "John Miller lives where?", "Smith, Miller"},
    {"Pay with Apple Pay", "Pay by card", "Apple Pay"},
    {"how to sort a list in python", "how to sort a list in rust", "python, rust"},
    {"paris weather", "london weather", "paris, london"},
    {"Is USB better?", "Is HDMI better?", NULL},
    {"say hello in french", "say hello in german", NULL},
    {"WHAT IS THE CAPITAL OF PERU", "WHAT IS THE CAPITAL OF CHILE", NULL},
    {"a loop in C", "a loop in C++", NULL},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    aio__hit_finding f = check(aio__str_z(pairs[i].a), aio__str_z(pairs[i].b)), g = check(aio__str_z(pairs[i].b), aio__str_z(pairs[i].a));
    bool named = f.refused_by == AIO__HIT_NAMES && g.refused_by == AIO__HIT_NAMES;
    if (!named) fail_msg("\"%s\" / \"%s\": %s", pairs[i].a, pairs[i].b, aio__hit_refusal_name(f.refused_by));
    if (pairs[i].detail != NULL) assert_string_equal(f.detail, pairs[i].detail);
  }
}

static void test_names__the_same_name_passes(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"What is the capital of Peru?", "what is the capital of peru", NULL},
    {"WHAT IS THE CAPITAL OF PERU?", "What is the capital of Peru?", NULL},
    {"How Do I Reset My Password On GitHub?", "how do I reset my password on github", NULL},
    {"a visa for the USA", "a visa for the United States", NULL},
    {"Python's lists", "lists in Python", NULL},
    {"a Brazilian visa", "a visa for Brazil", NULL},
    {"What is machine learning?", "What is ML?", NULL},
    {"two DataFrames", "two of DataFrame", NULL},
    {"How can I top up?", "What do I do to Top Up?", NULL},
    {"Show me the time", "show me the time", NULL},
    {"Cafes in M\xC3\xBCnchen", "cafes in Munchen", NULL},
    {"I am Bob. Where is it?", "i am bob, where is it?", NULL},
    {"Convert Celsius to Kelvin", "from Celsius to Kelvin", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- opposites, questions, wording, length ----------------------------------------------------------------------- */

static void test_opposites__refused(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"How do I enable it?", "How do I disable it?", "enable, disable"},
    {"How do I turn on alerts?", "How do I turn off alerts?", NULL},
    {"How do I turn the alerts on?", "How do I turn the alerts off?", NULL},
    {"enabling alerts", "disabling alerts", NULL},
    {"switch it on", "shut it off", NULL},
    {"When to buy shares?", "When to sell shares?", NULL},
    {"the maximum amount", "the minimum amount", NULL},
    {"import a file", "export a file", NULL},
    {"encrypted mail", "decrypted mail", NULL},
    {"my left arm", "my right arm", NULL},
    {"the cheapest hotel", "the most expensive hotel", NULL},
    {"at least three", "at most three", NULL},
    {"a credit card", "a debit card", NULL},
    {"my husband", "my wife", NULL},
    {"red wine", "white wine", NULL},
    {"front brakes", "rear brakes", NULL},
  };
  ASSERT_REFUSED(pairs, AIO__HIT_OPPOSITES);
}

static void test_opposites__synonyms_and_both_pass(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"How do I enable it?", "How do I activate it?", NULL},
    {"How do I turn it off?", "How do I disable it?", NULL},
    {"open or close a door", "close or open a door", NULL},
    {"buy shares", "purchase shares", NULL},
    {"I need it right now, on the left", "I need it on the left", NULL},
    {"is it up to date", "is it up to date at most times", NULL},
  };
  ASSERT_PASS(pairs);
}

static void test_question__kinds(void **state) {
  (void)state;
  static const pair refused[] = {
    {"When is the final played?", "Where is the final played?", "When, Where"},
    {"Who closed it?", "Why was it closed?", NULL},
    {"Tell me when it opens", "Tell me where it opens", NULL},
    {"How many times does it ring?", "Why does it ring?", NULL},
    {"hi, when is it", "hi, where is it", NULL},
  };
  ASSERT_REFUSED(refused, AIO__HIT_QUESTION);
  static const pair pass[] = {
    {"When does it open?", "What time does it open?", NULL},
    {"When will it arrive?", "How long until it arrives?", NULL},
    {"How do I get one?", "Where do I get one?", NULL},
    {"Why was I charged?", "What is the reason I was charged?", NULL},
    {"Why is there a fee?", "Where does this fee come from?", NULL},
    {"How long does it take?", "How much time does it take?", NULL},
    {"The place where I live is cold", "The place where I live is cold, why", NULL},
  };
  ASSERT_PASS(pass);
}

static void test_words__one_other_word(void **state) {
  (void)state;
  static const pair refused[] = {
    {"how tall is biden", "how tall is obama", "biden, obama"},
    {"Can I keep a ferret in my flat?", "Can I keep a hedgehog in my flat?", "ferret, hedgehog"},
    {"define entropy", "define enthalpy", NULL},
  };
  ASSERT_REFUSED(refused, AIO__HIT_WORDS);
  static const pair pass[] = {
    {"How do I get a card?", "How do I obtain a card?", NULL},
    {"How do I organise it?", "How do I organize it?", NULL},
    {"decoding of images", "decode of images", NULL},
    {"Can I keep a ferret in my flat?", "Is it fine if a ferret lives in my flat?", NULL},
  };
  ASSERT_PASS(pass);
}

static void test_length__twice_as_long(void **state) {
  (void)state;
  static const pair refused[] = {
    {"How do I renew a passport?",
     "How do I renew a passport that I got as a child while my parents are abroad and cannot sign, if I also moved to another town since and changed my family name?",
     NULL},
  };
  aio__hit_finding f = check(aio__str_z(refused[0].a), aio__str_z(refused[0].b));
  assert_true(f.refused_by == AIO__HIT_LENGTH || f.refused_by == AIO__HIT_NEGATION);
  f = check(AIO__LIT("The documentation tells how to use the library."),
            AIO__LIT("The documentation tells how to use the library, and it has tutorials, guides and a reference, so that people who are new to it can "
                     "follow them step by step and look things up later."));
  assert_int_equal(f.refused_by, AIO__HIT_LENGTH);
  assert_int_equal(strncmp(f.detail, "8 words, ", 9), 0);
}

/* ---- typography -------------------------------------------------------------------------------------------------- */

static void test_check__typographic_forms_do_not_matter(void **state) {
  (void)state;
  static const pair pairs[] = {
    {"Why isn't \"fast mode\" on?", "Why isn\xE2\x80\x99t \xE2\x80\x9C" "fast mode\xE2\x80\x9D on?", NULL},
    {"pages 3-7", "pages 3\xE2\x80\x93" "7", NULL},
    {"what is 42", "\xEF\xBD\x97\xEF\xBD\x88\xEF\xBD\x81\xEF\xBD\x94\xE3\x80\x80\xEF\xBD\x89\xEF\xBD\x93\xE3\x80\x80\xEF\xBC\x94\xEF\xBC\x92", NULL},
    {"what is 42", "what\xC2\xA0is\xC2\xA0" "42", NULL},
    {"what is 42", "  what   is\n42\n", NULL},
    {"what is it", "what is it\xE2\x80\xA6", NULL},
    {"the fi ligature of file", "the fi ligature of \xEF\xAC\x81le", NULL},
    {"zero width", "zero\xE2\x80\x8B width", NULL},
  };
  ASSERT_PASS(pairs);
}

/* ---- language ---------------------------------------------------------------------------------------------------- */

static void test_reads__english_and_what_may_be(void **state) {
  (void)state;
  static const char *const english[] = {
    "How do I reset my password?", "postgres vacuum full", "2+2=?", "", "caf\xC3\xA9 menu prices", "git rebase", "Wo is it",
    "\xEF\xBC\xB7\xEF\xBD\x88\xEF\xBD\x81\xEF\xBD\x94 is this", "flights from nyc to la", "hotels in las vegas", "\xF0\x9F\xA4\x97 Datasets",
    "what does \xCF\x80 mean", "S\xC3\xA3o Paulo weather today", "HOW DO I PAY", "don\xE2\x80\x99t stop", "los angeles lakers",
  };
  for (size_t i = 0; i < sizeof english / sizeof english[0]; i++) {
    if (!aio__hit_guard_reads(guard, aio__str_z(english[i]))) fail_msg("not read: %s", english[i]);
  }
}

static void test_reads__other_languages(void **state) {
  (void)state;
  static const char *const others[] = {
    "Wie kann ich mein Passwort zur\xC3\xBC" "cksetzen?", "Was kostet das Abo und wo kann ich es bestellen?", "Wo ist meine Karte?",
    "Comment puis-je r\xC3\xA9initialiser mon mot de passe ?", "Quelle est la capitale de la France ?", "\xC2\xBF" "C\xC3\xB3mo puedo cambiar mi contrase\xC3\xB1" "a?",
    "Cual es la capital de Francia y como llego", "Qual \xC3\xA8 la capitale della Francia?", "Como posso mudar minha senha?", "Hoe kan ik mijn wachtwoord wijzigen?",
    "Hur byter jag mitt l\xC3\xB6senord?", "\xD0\x9A\xD0\xB0\xD0\xBA \xD1\x81\xD0\xB1\xD1\x80\xD0\xBE\xD1\x81\xD0\xB8\xD1\x82\xD1\x8C \xD0\xBF\xD0\xB0\xD1\x80\xD0\xBE\xD0\xBB\xD1\x8C",
    "\xE5\xA6\x82\xE4\xBD\x95\xE9\x87\x8D\xE7\xBD\xAE\xE5\xAF\x86\xE7\xA0\x81", "Passwort zur\xC3\xBC" "cksetzen",
  };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (aio__hit_guard_reads(guard, aio__str_z(others[i]))) fail_msg("read: %s", others[i]);
  }
  aio__hit_finding f = check(AIO__LIT("Wo ist meine Karte?"), AIO__LIT("Where is my card?"));
  assert_int_equal(f.refused_by, AIO__HIT_LANGUAGE);
  assert_string_equal(f.detail, "not English");
  f = check(AIO__LIT("Wo ist meine Karte?"), AIO__LIT("Wo ist meine Karte?")); /* the same bytes need no reader */
  assert_int_equal(f.refused_by, AIO__HIT_PASS);
}

/* ---- whatever comes ---------------------------------------------------------------------------------------------- */

static void test_check__too_long(void **state) {
  (void)state;
  size_t n = AIO__HIT_TEXT_MAX + 1;
  char *text = malloc(n);
  assert_non_null(text);
  memset(text, 'a', n);
  aio__hit_finding f = check(aio__str_n(text, n), AIO__LIT("a"));
  assert_int_equal(f.refused_by, AIO__HIT_LANGUAGE);
  assert_string_equal(f.detail, "too long to compare");
  assert_false(aio__hit_guard_reads(guard, aio__str_n(text, n)));
  free(text);
}

/* Long texts of one piece repeated, beside the same with a word more: no limit is passed, and both ways agree. */
static void test_check__hostile_texts(void **state) {
  (void)state;
  static const char *const pieces[] = {
    "a",  " ",   "not ", "1 ",   "1,", "-",  "\"", "`x` ", "'a ", "((", "a.", "A.b", "from a to b ", "2024-01-01 ", "12:30 ", "1/2 ", "one hundred and ", "turn ", "AB ",
    "x_", "a\\", "://",  "e.g.", "--", "5k", "%",  "$1 ",  "\xE2\x82\xAC", "\xC2\xBD", "\xEF\xB7\xBA", "too a to ", "\n", "before after ", "new york ", "half a ", "B2", "..", "@a",
  };
  enum { SIZE = 10000 };
  char *a = malloc(SIZE + 16), *b = malloc(SIZE + 16);
  assert_true(a != NULL && b != NULL);
  for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
    size_t n = 0, len = strlen(pieces[i]);
    while (n + len <= SIZE) memcpy(a + n, pieces[i], len), n += len;
    memcpy(b, a, n);
    memcpy(b + n, " word", 5);
    aio__hit_finding f = check(aio__str_n(a, n), aio__str_n(b, n + 5)), g = check(aio__str_n(b, n + 5), aio__str_n(a, n));
    assert_int_equal(f.refused_by, g.refused_by);
    assert_int_equal(aio__utf8_check(aio__str_z(f.detail), NULL), strlen(f.detail));
  }
  free(a);
  free(b);
}

static void test_check__more_facts_than_are_compared(void **state) {
  (void)state;
  enum { SIZE = 2000 };
  char a[SIZE], b[SIZE + 8];
  for (size_t i = 0; i < SIZE; i += 2) a[i] = '7', a[i + 1] = ' ';
  memcpy(b, a, SIZE);
  memcpy(b + SIZE, "7", 1);
  aio__hit_finding f = check(aio__str_n(a, SIZE), aio__str_n(b, SIZE + 1));
  assert_int_equal(f.refused_by, AIO__HIT_NUMBERS);
  assert_string_equal(f.detail, "too many to compare");
}

static void test_check__control_characters_stay_out_of_the_detail(void **state) {
  (void)state;
  aio__hit_finding f = check(AIO__LIT("the status \"a\tb\x01\""), AIO__LIT("the status \"c\""));
  assert_int_equal(f.refused_by, AIO__HIT_IDENTIFIERS);
  for (const char *p = f.detail; *p != '\0'; p++) assert_true((unsigned char)*p >= ' ');
}

/* Sentences from a few pieces, each beside each: the verdict is the same both ways, and a text is itself. */
static void test_check__symmetric(void **state) {
  (void)state;
  static const char *const subject[] = {"How do I move", "Why does not", "When did Spain beat", "select"};
  static const char *const object[] = {" 3 files", " two files to B1", " Brazil from Peru", " user_id before 5 pm", " it without `x`"};
  static const char *const rest[] = {"?", " on Monday?", " instead of oil", " to my account, not yours"};
  enum { MOST = 80 };
  static char texts[MOST][96];
  size_t n = 0;
  for (size_t i = 0; i < 4; i++) {
    for (size_t k = 0; k < 5; k++) {
      for (size_t m = 0; m < 4; m++) snprintf(texts[n++], sizeof texts[0], "%s%s%s", subject[i], object[k], rest[m]);
    }
  }
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(check(aio__str_z(texts[i]), aio__str_z(texts[i])).refused_by, AIO__HIT_PASS);
    for (size_t k = 0; k < n; k++) {
      aio__hit_finding f = check(aio__str_z(texts[i]), aio__str_z(texts[k])), g = check(aio__str_z(texts[k]), aio__str_z(texts[i]));
      if (f.refused_by != g.refused_by) fail_msg("\"%s\" / \"%s\"", texts[i], texts[k]);
    }
  }
}

/* The verdicts of all guards: the first that refuses is that of a check. */
static void test_check_all__each_guard(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
    {"Is it open on 3 May?", "Is it closed on 4 June?"}, {"same", "same"}, {"Wo ist meine Karte?", "Where is my card?"},
    {"to Rome from `x`", "from Rome, not `y`"}, {"When is it?", "Where is it?"}, {"how tall is biden", "how tall is obama"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    aio__hit_finding all[AIO__HIT_REFUSALS - 1], first = check(aio__str_z(pairs[i][0]), aio__str_z(pairs[i][1]));
    aio__arena arena;
    aio__arena_init(&arena, aio__alloc_default(), 8192);
    aiorch_status status = aio__hit_guard_check_all(guard, &arena, aio__str_z(pairs[i][0]), aio__str_z(pairs[i][1]), all);
    aio__arena_free(&arena);
    assert_int_equal(status, AIORCH_OK);
    size_t g = 0;
    while (g < AIO__HIT_REFUSALS - 1 && all[g].refused_by == AIO__HIT_PASS) g++;
    assert_int_equal(first.refused_by, g < AIO__HIT_REFUSALS - 1 ? all[g].refused_by : AIO__HIT_PASS);
    if (g < AIO__HIT_REFUSALS - 1) assert_string_equal(first.detail, all[g].detail);
  }
}

static void test_check__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__arena arena;
  aio__hit_finding f;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aio__arena_init(&arena, &t.al, 256);
    aiorch_status status = aio__hit_guard_check(guard, &arena, AIO__LIT("caf\xC3\xA9s from A1 to B1 in 2023"), AIO__LIT("caf\xC3\xA9s from A1 to B1 in 2023, please"), &f);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__arena_free(&arena);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
  assert_int_equal(f.refused_by, AIO__HIT_PASS);
}

static void test_new__out_of_memory(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  for (long fail_at = 1;; fail_at = fail_at < 40 ? fail_at + 1 : fail_at * 2) { /* it takes thousands of allocations */
    aio__hit_guard *made = NULL;
    aio__test_alloc_init(&t);
    t.fail_at = fail_at;
    aiorch_status status = aio__hit_guard_new(&t.al, &made, NULL);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    aio__hit_guard_free(made);
    assert_int_equal(t.live, 0);
    if (t.failed == 0) break;
  }
}

static void test_refusal_name__is_total(void **state) {
  (void)state;
  assert_string_equal(aio__hit_refusal_name(AIO__HIT_PASS), "");
  assert_string_equal(aio__hit_refusal_name(AIO__HIT_NUMBERS), "numbers");
  assert_string_equal(aio__hit_refusal_name(AIO__HIT_REFUSALS), "");
  for (int g = 1; g < AIO__HIT_REFUSALS; g++) assert_true(aio__hit_refusal_name((aio__hit_refusal)g)[0] != '\0');
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_numbers__another_number_is_refused),
    cmocka_unit_test(test_numbers__another_spelling_passes),
    cmocka_unit_test(test_dates__another_date_is_refused),
    cmocka_unit_test(test_dates__another_form_passes),
    cmocka_unit_test(test_dates__in_passing),
    cmocka_unit_test(test_units__another_unit_is_refused),
    cmocka_unit_test(test_units__another_spelling_passes),
    cmocka_unit_test(test_negation__denied_in_one_only_is_refused),
    cmocka_unit_test(test_negation__denied_in_both_passes),
    cmocka_unit_test(test_negation__a_longer_text_may_say_it_otherwise),
    cmocka_unit_test(test_identifiers__another_one_is_refused),
    cmocka_unit_test(test_identifiers__another_way_to_write_it_passes),
    cmocka_unit_test(test_order__changed_places_are_refused),
    cmocka_unit_test(test_order__no_order_passes),
    cmocka_unit_test(test_names__another_name_is_refused),
    cmocka_unit_test(test_names__the_same_name_passes),
    cmocka_unit_test(test_opposites__refused),
    cmocka_unit_test(test_opposites__synonyms_and_both_pass),
    cmocka_unit_test(test_question__kinds),
    cmocka_unit_test(test_words__one_other_word),
    cmocka_unit_test(test_length__twice_as_long),
    cmocka_unit_test(test_check__typographic_forms_do_not_matter),
    cmocka_unit_test(test_reads__english_and_what_may_be),
    cmocka_unit_test(test_reads__other_languages),
    cmocka_unit_test(test_check__too_long),
    cmocka_unit_test(test_check__hostile_texts),
    cmocka_unit_test(test_check__more_facts_than_are_compared),
    cmocka_unit_test(test_check__control_characters_stay_out_of_the_detail),
    cmocka_unit_test(test_check__symmetric),
    cmocka_unit_test(test_check_all__each_guard),
    cmocka_unit_test(test_check__out_of_memory),
    cmocka_unit_test(test_new__out_of_memory),
    cmocka_unit_test(test_refusal_name__is_total),
  };
  return cmocka_run_group_tests(tests, make_guard, free_guard);
}
