//! Tables for what filters mean and how they are refused, and what must hold for any of them.

use proptest::prelude::*;

use super::*;
use generate::{Print as _, any_connection, any_predicate};

mod generate;

#[derive(Clone, Debug)]
struct Connection {
    user: Option<String>,
    groups: Vec<String>,
    protocol: Option<&'static str>,
}

impl Subject for Connection {
    fn user_id(&self) -> Option<&str> {
        self.user.as_deref()
    }

    fn connection_id(&self) -> &str {
        "conn-1"
    }

    fn protocol(&self) -> Option<&str> {
        self.protocol
    }

    fn in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|it| it == group)
    }

    fn group_count(&self) -> usize {
        self.groups.len()
    }
}

fn user(id: &str) -> Connection {
    Connection { user: Some(id.into()), ..nobody() }
}

fn nobody() -> Connection {
    Connection { user: None, groups: Vec::new(), protocol: None }
}

fn member(groups: &[&str]) -> Connection {
    let groups = groups.iter().map(|&group| group.into()).collect();
    Connection { user: Some("u1".into()), groups, protocol: Some("json.webpubsub.azure.v1") }
}

#[track_caller]
fn check(connection: &Connection, cases: &[(&str, bool)]) {
    for (text, expected) in cases {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filter.matches(connection), *expected, "{text}");
    }
}

#[test]
fn values_compare_by_type_and_case() {
    check(
        &user("u1"),
        &[
            ("userId eq 'u1'", true),
            ("userId eq 'U1'", false),
            ("'u1' eq userId", true),
            ("userId ne 'u1'", false),
            ("userId ne 'u2'", true),
            ("connectionId eq 'conn-1'", true),
            ("userId eq 1", false),
            ("'1' eq 1", false),
            ("userId ne 1", true),
            ("1 eq 1", true),
            ("+1 eq 1 and -1 ne 1", true),
            ("null eq null", true),
            ("true eq true", true),
            ("true ne (userId eq 'u1')", false),
            ("true", true),
            ("FALSE", false),
            ("USERID Eq 'u1' AND connectionid NE 'x'", true),
        ],
    );
}

#[test]
fn numbers_are_ordered() {
    check(
        &user("12345"),
        &[
            ("length(userId) gt 4", true),
            ("length(userId) gt 5", false),
            ("length(userId) ge 5", true),
            ("length(userId) ge 6", false),
            ("length(userId) lt 6", true),
            ("length(userId) lt 5", false),
            ("length(userId) le 5", true),
            ("length(userId) le 4", false),
            ("-9223372036854775808 lt 9223372036854775807", true),
        ],
    );
}

#[test]
fn functions_do_what_their_names_say() {
    check(
        &user("User-ab-de"),
        &[
            ("tolower(userId) eq 'user-ab-de'", true),
            ("toupper(userId) eq 'USER-AB-DE'", true),
            ("toupper('ß') eq 'SS' and tolower('ÄB') eq 'äb'", true),
            ("trim('  a b ') eq 'a b' and trim(concat(' ',userId)) eq userId", true),
            ("substring(userId,5,2) eq 'ab'", true),
            ("substring(userId,5) eq 'ab-de'", true),
            ("substring(userId,10) eq ''", true),
            ("substring(concat(userId,'!'),10) eq '!'", true),
            ("substring(userId,indexof(userId,'-')) eq '-ab-de'", true),
            ("concat(userId,'!') eq 'User-ab-de!'", true),
            ("contains(userId,'ab')", true),
            ("contains(userId,'AB')", false),
            ("startswith(userId,'User')", true),
            ("startswith(userId,'de')", false),
            ("endswith(userId,'de')", true),
            ("EndsWith(userId,'User')", false),
            ("indexof(userId,'-ab-') eq 4", true),
            ("indexof(userId,'x') eq -1", true),
            ("indexof(userId,'') eq 0", true),
            ("length(userId) eq 10", true),
        ],
    );
}

#[test]
fn text_is_measured_in_utf16_units() {
    check(
        &user("a😀é!"),
        &[
            ("length(userId) eq 5", true),
            ("indexof(userId,'!') eq 4", true),
            ("substring(userId,3,1) eq 'é'", true),
            ("substring(userId,1,2) eq '😀'", true),
            ("substring(userId,2) eq null", true),
            ("substring(userId,1,1) eq null", true),
        ],
    );
}

#[test]
fn null_follows_its_rules() {
    check(
        &nobody(),
        &[
            ("userId eq null", true),
            ("userId ne null", false),
            ("userId eq ''", false),
            ("userId ne 'u1'", true),
            ("tolower(userId) eq null and toupper(userId) eq null and trim(userId) eq null", true),
            ("substring(userId,0) eq null", true),
            ("substring('abc',4) eq null", true),
            ("substring('abc',-1) eq null", true),
            ("substring('abc',1,3) eq null", true),
            ("substring('abc',1,-1) eq null", true),
            ("substring('abc',length(userId)) eq null", true),
            ("concat(userId,'x') eq 'x' and concat('x',null) eq 'x'", true),
            ("concat(null,null) eq ''", true),
            ("contains(userId,'') or startswith(userId,'') or endswith('a',userId)", false),
            ("indexof(userId,'a') eq -1 and indexof('a',userId) eq -1", true),
            ("length(userId) eq null", true),
            ("length(userId) gt 0 or length(userId) le 0 or 1 ge null or null lt 1", false),
            ("userId in groups", false),
            ("userId in ('a',null)", true),
            ("userId in ('a','b')", false),
            ("protocol eq null", true),
            ("length(null) eq null", true),
        ],
    );
}

#[test]
fn membership_of_groups_and_lists() {
    check(
        &member(&["g1", "g2", "u1"]),
        &[
            ("'g1' in groups", true),
            ("'G1' in groups", false),
            ("'g1' in (groups)", true),
            ("'g1' in ((groups))", true),
            ("tolower('G1') in GROUPS", true),
            ("userId in groups", true),
            ("length(groups) eq 3", true),
            ("length((groups)) gt 3", false),
            ("userId in ('u2','u1')", true),
            ("userId in ('u1')", true),
            ("userId in ('u2','u3','u2')", false),
            ("userId in (connectionId, 'u1')", true),
            ("length(userId) in (1, 2)", true),
            ("length(userId) in (1, '2')", false),
            ("(1 eq 1) in (true)", true),
            ("protocol eq 'json.webpubsub.azure.v1'", true),
        ],
    );
}

#[test]
fn not_binds_tighter_than_comparison_and_than_or() {
    check(
        &user("u1"),
        &[
            ("true or false and false", true),
            ("(true or false) and false", false),
            ("false and true or true", true),
            ("not true or true", true),
            ("not (true or true)", false),
            ("not not true", true),
            ("not false eq true", true),
            ("not true eq false", true),
            ("not(length(userId) gt 5)", true),
            ("not endswith(userId,'milk')", true),
            ("length(userId) gt 0 and length(userId) lt 2 or length(userId) gt 7", false),
        ],
    );
}

#[test]
fn filters_that_clients_generate_are_understood() {
    check(&user("vic's"), &[("userId eq 'vic''s'", true), ("userId eq 'vic'", false)]);
    check(&user("'"), &[("userId eq ''''", true), ("userId eq ''", false)]);
    check(&member(&["g"]), &[("not ('g' in groups)", false)]);
    let negated = "'0~Lw~YQ' in groups or '0~Lw~Yg' in groups and not ('0~Lw~Yw' in groups)";
    check(&member(&["0~Lw~YQ", "0~Lw~Yw"]), &[(negated, true)]);
    check(&member(&["0~Lw~Yg"]), &[(negated, true)]);
    check(&member(&["0~Lw~Yg", "0~Lw~Yw"]), &[(negated, false)]);
    check(&user("u1"), &[("userId eq 'u1' and (not ('group1' in groups))", true)]);
    check(
        &member(&["group1"]),
        &[
            ("userId in ('u1', 'u2', 'u3') and 'group1' in groups", true),
            ("userId eq 'u1' and connectionId ne '123'", true),
        ],
    );
}

#[test]
fn a_refusal_says_what_is_wrong_where_and_what_would_be_right() {
    for (text, expected) in [
        (
            "not length(userId) gt 5",
            "Invalid syntax for 'not length(userId)': Type 'null', expect 'bool'. (Parameter \
             'filter') At character 5: Put the operand of not in parentheses, as in not \
             (length(userId) gt 5).",
        ),
        (
            "userId = 'a'",
            "Invalid syntax for 'userId = 'a'': Invalid token '='. (Parameter 'filter') At \
             character 8: Text stands in single quotes, and operators are words, such as eq.",
        ),
        (
            "'é' eq 'a",
            "Invalid syntax for ''é' eq 'a': Invalid token ''a'. (Parameter 'filter') At \
             character 8: A text ends with a single quote; write a quote within it twice.",
        ),
    ] {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.message(), expected);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "Error.BadRequest"));
        assert_eq!(error.target_name(), Some("filter"));
    }
}

/// A text, the expression that is blamed, the detail, and the character.
const REFUSALS: [(&str, &str, &str, usize); 37] = [
    // what is no condition
    ("userId", "userId", "Type 'null', expect 'bool'.", 1),
    ("connectionId", "connectionId", "Type 'string', expect 'bool'.", 1),
    ("length(connectionId)", "length(connectionId)", "Type 'int', expect 'bool'.", 1),
    ("groups", "groups", "Type 'collection', expect 'bool'.", 1),
    ("not null", "not null", "Type 'null', expect 'bool'.", 5),
    ("not 'g' in groups", "not 'g'", "Type 'string', expect 'bool'.", 5),
    ("true and userId", "true and userId", "Type 'null', expect 'bool'.", 10),
    ("true and (true or 5)", "true or 5", "Type 'int', expect 'bool'.", 19),
    // other types
    ("userId gt 5", "userId gt 5", "Type 'string', expect 'int'.", 1),
    ("length(userId) gt '5'", "length(userId) gt '5'", "Type 'string', expect 'int'.", 19),
    ("true lt 5", "true lt 5", "Type 'bool', expect 'int'.", 1),
    ("length(5) gt 1", "length(5)", "Type 'int', expect 'string'.", 8),
    ("contains(groups,'g')", "contains(groups,'g')", "Type 'collection', expect 'string'.", 10),
    ("substring(userId,'1') eq 'a'", "substring(userId,'1')", "Type 'string', expect 'int'.", 18),
    ("groups eq null", "groups eq null", "Type 'collection', expect 'string'.", 1),
    ("5 in groups", "5 in groups", "Type 'int', expect 'string'.", 1),
    ("'a' in 'b'", "'a' in 'b'", "Type 'string', expect 'collection'.", 8),
    ("'a' in ('a',groups)", "'a' in ('a',groups)", "Type 'collection', expect 'string'.", 13),
    // calls
    ("startswith('a')", "startswith('a')", "Too few arguments.", 15),
    ("length('a','b') eq 1", "length('a','b')", "Too many arguments.", 12),
    ("substring('a',1,2,3) eq ''", "substring('a',1,2,3)", "Too many arguments.", 19),
    ("tolower eq 'a'", "tolower eq 'a'", "Token 'eq' is not supported.", 9),
    ("length() eq 1", "length() eq 1", "Invalid token ')'.", 8),
    // words
    ("user eq 'a'", "user eq 'a'", "Token 'user' is not supported.", 1),
    ("userId add 1 eq 2", "userId add 1 eq 2", "Token 'add' is not supported.", 8),
    ("round(1) eq 1", "round(1) eq 1", "Token 'round' is not supported.", 1),
    ("1 eq 1 eq true", "1 eq 1 eq true", "Token 'eq' is not supported.", 8),
    // what is missing or too much
    ("", "", "Unexpected end.", 1),
    ("  ", "  ", "Unexpected end.", 3),
    ("userId eq", "userId eq", "Unexpected end.", 10),
    ("(true", "(true", "Unexpected end.", 6),
    ("true)", "true)", "Invalid token ')'.", 5),
    ("userId in ()", "userId in ()", "Invalid token ')'.", 12),
    ("userId in ('a' 'b')", "userId in ('a' 'b')", "Invalid token ''b''.", 16),
    // tokens
    ("1.5 eq 2", "1.5 eq 2", "Invalid token '1.5'.", 1),
    (
        "9223372036854775808 eq 1",
        "9223372036854775808 eq 1",
        "Invalid token '9223372036854775808'.",
        1,
    ),
    ("userId eq \u{1}", "userId eq \\u{1}", "Invalid token '\\u{1}'.", 11),
];

#[test]
fn every_refusal_blames_the_right_place() {
    for (text, within, detail, character) in REFUSALS {
        let error = Filter::parse(text).unwrap_err();
        let expected = format!(
            "Invalid syntax for '{within}': {detail} (Parameter 'filter') At character {character}: "
        );
        assert!(error.message().starts_with(&expected), "{text}\n{expected}\n{error}");
        assert!(error.message().len() > expected.len(), "{error}");
    }
}

#[test]
fn a_long_text_is_shown_in_part() {
    let text = format!("userId eq '{}' )", "é".repeat(5000));
    let error = Filter::parse(&text).unwrap_err();
    assert!(
        error.message().starts_with(&format!("Invalid syntax for '{}…'", &text[..11 + 2 * 89]))
    );
    assert!(error.message().contains("At character 5014"), "{error}");
}

/// Both sides of every limit; `at(limit)` is good, `at(limit + 1)` is not.
#[track_caller]
fn check_limit(limit: usize, at: impl Fn(usize) -> String, detail: &str) {
    assert!(Filter::parse(&at(limit)).is_ok(), "{:?}", Filter::parse(&at(limit)));
    let error = Filter::parse(&at(limit + 1)).unwrap_err();
    assert!(error.message().contains(detail), "{error}");
}

#[test]
fn both_sides_of_every_limit() {
    let deep = "Nested deeper than 100.";
    check_limit(MAX_DEPTH, |n| format!("{}true{}", "(".repeat(n), ")".repeat(n)), deep);
    check_limit(MAX_DEPTH, |n| format!("{}true", "not ".repeat(n)), deep);
    check_limit(MAX_DEPTH, |n| format!("{}'a'{} eq 'a'", "trim(".repeat(n), ")".repeat(n)), deep);
    check_limit(MAX_DEPTH, |n| format!("{}true{}", "true in (".repeat(n), ")".repeat(n)), deep);
    let clauses = "More than 1000 clauses.";
    check_limit(MAX_CLAUSES, |n| vec!["true"; n].join(" and "), clauses);
    check_limit(MAX_CLAUSES, |n| vec!["true"; n].join(" or "), clauses);
    check_limit(
        MAX_CLAUSES,
        |n| format!("({}) or true", vec!["true"; n - 1].join(" and ")),
        clauses,
    );
    check_limit(MAX_BYTES, |n| format!("userId eq '{}'", "a".repeat(n - 12)), "16385 bytes");
}

#[test]
fn the_fuzzing_corpus_is_answered_or_refused_on_one_line() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/odata_filter");
    let (mut answered, mut refused) = (0, 0);
    for file in std::fs::read_dir(corpus).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        match Filter::parse(&text) {
            Ok(filter) => {
                let negation = Filter::parse(&format!("not({text})")).unwrap();
                for connection in [nobody(), user("aé😀B"), member(&["g"])] {
                    let answers = (filter.matches(&connection), negation.matches(&connection));
                    assert_ne!(answers.0, answers.1, "{text}");
                }
                answered += 1;
            }
            Err(error) => {
                assert!(!error.message().contains(char::is_control), "{error}");
                refused += 1;
            }
        }
    }
    assert!(answered > 0 && refused > 0, "the corpus holds both");
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed_again(predicate in any_predicate()) {
        let text = predicate.print();
        prop_assert_eq!(Filter::parse(&text).map_err(|it| it.message().to_owned()), Ok(Filter(predicate)));
    }

    #[test]
    fn any_filter_has_an_answer_and_its_negation_the_other(
        predicate in any_predicate(), connection in any_connection(),
    ) {
        let negation = Filter::parse(&format!("not ({})", predicate.print())).unwrap();
        let filter = Filter(predicate);
        prop_assert_ne!(filter.matches(&connection), negation.matches(&connection));
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = Filter::parse(&text);
    }

    #[test]
    fn arbitrary_tokens_never_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "(", ")", ",", "'a'", "'", "-1", "9", "not", "and", "or", "eq", "gt", "in", "userId",
            "groups", "null", "true", "length", "substring", "concat", "contains", " ", "é", ".",
        ]), 0..24),
        connection in any_connection(),
    ) {
        for separator in ["", " "] {
            if let Ok(filter) = Filter::parse(&tokens.join(separator)) {
                filter.matches(&connection);
            }
        }
    }
}
