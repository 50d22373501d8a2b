//! What holds for every query: it reads back as printed, it never panics, and filters and groups are
//! those of a plain loop.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Texts of expressions that are grammatical, not necessarily sensible.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,3}".prop_map(|name| format!("c_{name}")),
        (0_i64..1000).prop_map(|number| number.to_string()),
        (0_u32..100).prop_map(|number| format!("{number}.5")),
        "[ -~\n\t]{0,6}"
            .prop_map(|text| format!("{text:?}"))
            .prop_filter("an escape of ours", |text| !text.contains("\\u")),
        Just("5m".to_owned()),
        Just("datetime(2026-01-31T01:02:03.5)".to_owned()),
        Just("dynamic({\"a\":[1]})".to_owned()),
        Just("long(null)".to_owned()),
        Just("long(-3)".to_owned()),
        Just("real(-0.5)".to_owned()),
        Just("true".to_owned()),
        Just("['a b']".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 3, |inner| {
        let sign = prop::sample::select(vec![
            "and",
            "or",
            "==",
            "!=",
            "=~",
            "<",
            ">=",
            "+",
            "-",
            "*",
            "/",
            "%",
            "has",
            "!contains",
            "startswith",
            "matches regex",
        ]);
        prop_oneof![
            (inner.clone(), sign, inner.clone())
                .prop_map(|(one, sign, two)| format!("{one} {sign} {two}")),
            inner.clone().prop_map(|it| format!("({it})")),
            inner.clone().prop_map(|it| format!("-({it})")),
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|it| format!("f_x({})", it.join(", "))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, two)| format!("(({one}) !in~ ({two}, 1))")),
            (inner.clone(), inner.clone())
                .prop_map(|(one, two)| format!("(({one}) between ({two} .. 9))")),
            inner.prop_map(|it| format!("({it}).field[0][\"x y\"]")),
        ]
    })
}

fn operators() -> impl Strategy<Value = String> {
    let expr = expressions;
    prop_oneof![
        expr().prop_map(|it| format!("where {it}")),
        expr().prop_map(|it| format!("extend a = {it}, {it}")),
        expr().prop_map(|it| format!("summarize n = count(), max({it}) by {it}, b = c")),
        expr().prop_map(|it| format!("sort by {it} asc nulls last, c")),
        expr().prop_map(|it| format!("top 3 by {it}")),
        expr().prop_map(|it| format!(
            "top-nested 2 of {it} by count(), top-nested of c by d = max(0) asc"
        )),
        expr().prop_map(|it| format!(
            "join kind=leftouter (T | where {it}) on a, $left.b == $right.c"
        )),
        expr().prop_map(|it| format!("union withsource=s (T | distinct {it}), U*")),
        expr().prop_map(|it| format!("search {it}")),
        Just("project-away a*, b | project-rename x = y | count | take 5 | distinct *".to_owned()),
        Just("render timechart with (title=\"a\", n=3)".to_owned()),
    ]
}

/// A table of small whole numbers and few texts.
fn table() -> impl Strategy<Value = Vec<(Option<i64>, String)>> {
    prop::collection::vec((prop::option::of(-5_i64..5), "[abAB]{0,2}"), 0..40)
}

fn memory(rows: &[(Option<i64>, String)]) -> Memory {
    let columns = vec![Column::new("n", Type::Long), Column::new("t", Type::String)];
    let row = |(n, t): &(Option<i64>, String)| {
        vec![n.map_or(Value::Null, Value::Long), Value::text(t.as_str())]
    };
    Memory([("T".to_owned(), (columns, rows.iter().map(row).collect()))].into())
}

proptest! {
    #[test]
    fn a_query_reads_back_as_printed(
        operators in prop::collection::vec(operators(), 0..4),
        constant in expressions(),
    ) {
        let text = format!("let x = {constant};\nT // all\n| {}", operators.join("\n| "));
        let text = text.trim_end_matches("| ");
        let query = parse(text).unwrap_or_else(|error| panic!("{} in {text}", error.explain(text)));
        let printed = query.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{} in {printed}", error.explain(&printed)));
        prop_assert_eq!(again, query);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", operators in prop::collection::vec(operators(), 0..4)) {
        let tables = memory(&[(Some(1), "a".to_owned()), (None, String::new())]);
        for text in [text.clone(), format!("T | {text}"), format!("T | {} {text}", operators.join(" | ")), format!("T | {}", operators.join(" | "))] {
            if let Ok(query) = parse(&text)
                && let Ok(prepared) = bind(&query, &tables, now())
            {
                let _ = ready(run(&prepared.plan, &tables, Limits::default()));
            }
        }
    }

    #[test]
    fn computing_never_panics(one in expressions(), two in expressions()) {
        let columns = "c_a = 1, c_b = 'x'";
        for text in [format!("print x = {one}"), format!("print {columns} | where {one} | extend y = {two}")] {
            if let Ok(query) = parse(&text)
                && let Ok(prepared) = bind(&query, &Memory::default(), now())
            {
                let _ = ready(run(&prepared.plan, &Memory::default(), Limits::default()));
            }
        }
    }

    #[test]
    fn filters_and_groups_are_those_of_a_plain_loop(rows in table(), least in -5_i64..5, part in "[ab]{1,2}") {
        let tables = memory(&rows);
        let text = format!(
            "T | where n >= {least} and (t contains '{part}' or t == 'B') | summarize c = count(), s = sum(n), m = max(n), d = dcount(n) by t | sort by t asc"
        );
        let mut groups: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (n, t) in &rows {
            let Some(n) = n else { continue };
            if *n >= least && (t.to_lowercase().contains(&part) || t == "B") {
                groups.entry(t).or_default().push(*n);
            }
        }
        let expected: Vec<Row> = groups
            .into_iter()
            .map(|(t, numbers)| {
                let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
                vec![
                    Value::text(t),
                    Value::Long(numbers.len() as i64),
                    Value::Long(numbers.iter().sum()),
                    Value::Long(*numbers.iter().max().unwrap()),
                    Value::Long(distinct.len() as i64),
                ]
            })
            .collect();
        prop_assert_eq!(answer(&tables, &text).rows, expected);
    }

    #[test]
    fn top_is_the_start_of_a_sort(rows in table(), count in 0_usize..10) {
        let tables = memory(&rows);
        let sorted = answer(&tables, "T | sort by n, t asc").rows;
        let top = answer(&tables, &format!("T | top {count} by n, t asc")).rows;
        prop_assert_eq!(&top[..], &sorted[..count.min(sorted.len())]);
    }
}
