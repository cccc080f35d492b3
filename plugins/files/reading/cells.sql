-- How the text of a cell becomes a value. A macro is put in place of its call, argument and all: where the argument is itself
-- long it must stand once only, or the statement grows without bounds. So the tidying macros nest functions, and '' means NULL
-- until the end. Each as_… macro tries the cheap way first; what people and Excel write is tidied only where that fails.
-- Names in braces are filled in by plugins/files/reading/expressions.py.

CREATE MACRO blank_free(v) AS trim(v, {blanks});
CREATE MACRO narrow(v) AS translate(v, {wide}, {plain});

-- A text guard is what makes Excel keep a code as text: a leading ' or the form ="0012".
CREATE MACRO unguarded(v) AS regexp_replace(v, '^(?:''(.*)|="(.*)")$', '\1\2', 's');
CREATE MACRO tidy(v) AS regexp_replace(blank_free(unguarded(narrow(blank_free(v)))), {unknown}, '');
CREATE MACRO trimmed(v) AS nullif(blank_free(v), '');
CREATE MACRO known(v) AS nullif(tidy(v), '');

-- Nothing to tidy in what begins with an ASCII letter, a digit or a Chinese character and does not end in white space.
-- (chr: 9 tab, 160 no-break space, 12288 ideographic space, 65279 byte-order mark; full-width digits lie beyond it.)
CREATE MACRO odd_ascii(v) AS v < '0' OR (v >= '=' AND v < '>') OR ends_with(v, ' ') OR ends_with(v, chr(9));
CREATE MACRO odd_beyond(v) AS
  v > '~' AND (v < chr(12288) OR v >= chr(65279) OR starts_with(v, chr(12288)) OR ends_with(v, chr(12288)) OR ends_with(v, chr(160)));
CREATE MACRO untidy(v) AS odd_ascii(v) OR (odd_beyond(v));

-- A leading ' is a guard before what Excel would take for a number or a formula, and an apostrophe before anything else.
CREATE MACRO as_text(v) AS
  CASE WHEN NOT (untidy(v)) THEN v
       WHEN v >= '0' AND v < '=' OR v >= '>' AND v <= '~' THEN rtrim(v, ' ' || chr(9))
       WHEN v > '~' THEN trimmed(v)
       ELSE nullif(regexp_replace(blank_free(v), '^''([=+@0-9-])', '\1'), '') END;

-- Not "v IN (…)": DuckDB makes a join of a long list, and rows would no longer come in the file's order.
CREATE MACRO as_code(v) AS CASE WHEN untidy(v) OR list_contains({nulls}, v) THEN known(v) ELSE v END;

CREATE MACRO tidy_number(v) AS
  regexp_replace(
    regexp_replace(
      regexp_replace(tidy(v), '[￥¥$元折%\s]|RMB|CNY|人民币', '', 'g'),
      '^\((.*)\)$', '-\1'),
    '^([^-].*)-$', '-\1');

-- 1,234.50 has commas where thousands end; 12,5 has not, and must not become 125.
CREATE MACRO ungrouped(v) AS
  CASE WHEN NOT contains(v, ',') THEN v
       WHEN regexp_full_match(v, '[-+]?\d{1,3}(,\d{3})+(\.\d*)?') THEN replace(v, ',', '') END;
CREATE MACRO as_number(v) AS
  coalesce(
    TRY_CAST(v AS DECIMAL(18,4)),
    CASE WHEN v IS NOT NULL THEN TRY_CAST(ungrouped(tidy_number(v)) AS DECIMAL(18,4)) END);
CREATE MACRO as_money(v) AS {money};
CREATE MACRO as_float(v) AS TRY_CAST(tidy(v) AS DOUBLE);

-- DuckDB reads 26/3/1 as the year 26, and "infinity" as a time: here a year has four digits.
CREATE MACRO plain_time(v) AS
  CASE WHEN length(v) <= 19 AND (strpos(v, '-') = 5 OR strpos(v, '/') = 5) AND NOT contains(v, '+') AND NOT ends_with(v, 'Z')
       THEN TRY_CAST(v AS TIMESTAMP) END;
CREATE MACRO serial_time(v) AS
  CASE WHEN regexp_full_match(v, '[1-7]\d{4}(\.\d+)?')
       THEN TIMESTAMP '1899-12-30' + to_seconds(round(CAST(v AS DOUBLE) * 86400)) END;
CREATE MACRO has_offset(v) AS regexp_matches(v, ':.*\d(Z|z|[+-]\d{2}(:?\d{2})?)$');
CREATE MACRO other_time(v) AS
  CASE WHEN has_offset(v) THEN timezone({zone}, TRY_CAST(v AS TIMESTAMPTZ))
       WHEN regexp_matches(v, '^(19|20|21)\d\d')
       THEN coalesce(serial_time(v), try_strptime(v, {formats}), TRY_CAST(v AS TIMESTAMP))
       ELSE serial_time(v) END;
CREATE MACRO as_time(v) AS
  coalesce({own_time}, plain_time(v), CASE WHEN v IS NOT NULL THEN other_time(tidy(v)) END);
CREATE MACRO as_date(v) AS CAST(as_time(v) AS DATE);

CREATE MACRO day_part(v) AS CAST(TIMESTAMP '2000-01-01' + to_seconds(round(CAST(v AS DOUBLE) * 86400)) AS TIME);
CREATE MACRO plain_clock(v) AS
  CASE WHEN regexp_full_match(v, '\d{1,2}:\d{2}') THEN TRY_CAST(v || ':00' AS TIME)
       WHEN contains(v, ':') THEN TRY_CAST(v AS TIME)
       WHEN regexp_full_match(v, '0?\.\d+') THEN day_part(v) END;
CREATE MACRO as_clock(v) AS plain_clock(tidy(v));

-- 2000 is a leap year, so that 29 February is a day.
CREATE MACRO in_leap_year(v) AS
  try_strptime('2000-' || regexp_replace(v, '^(?:--)?(\d{1,2})[-/.月](\d{1,2})日?$', '\1-\2'), '%Y-%m-%d');
CREATE MACRO as_birthday(v) AS
  CASE WHEN regexp_full_match(tidy(v), '(--)?\d{1,2}[-/.月]\d{1,2}日?') THEN strftime(in_leap_year(tidy(v)), '--%m-%d')
       ELSE strftime(as_time(v), '%Y-%m-%d') END;

CREATE MACRO as_flag(v) AS
  CASE WHEN list_contains({yes}, lower(tidy(v))) THEN true WHEN list_contains({no}, lower(tidy(v))) THEN false END;
CREATE MACRO as_list(v) AS
  list_filter(list_transform(regexp_split_to_array(v, '[,，;；、|]'), lambda x: trimmed(x)), lambda x: x IS NOT NULL);
