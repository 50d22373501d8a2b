//! The grammar and its limits; evaluation and plans against plain set theory.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn set(tags: &str) -> TagSet {
    TagSet::parse_list(tags).unwrap()
}

fn matches(expression: &str, tags: &str) -> bool {
    TagExpression::parse(expression).unwrap().matches(&set(tags))
}

fn refusal(expression: &str) -> String {
    TagExpression::parse(expression).unwrap_err().message().to_owned()
}

#[test]
fn a_tag_is_checked_and_compared_without_case() {
    for good in ["a", "Größe", "a_b@c#d.e:f-1", &"x".repeat(MAX_TAG_CHARS)] {
        assert!(Tag::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "a,b", "a=b", "a/b", &"x".repeat(MAX_TAG_CHARS + 1)] {
        assert!(Tag::parse(bad).unwrap_err().message().contains("A tag has 1 to 120"), "{bad}");
    }
    assert_eq!(Tag::parse("$x").unwrap_err().message(), "Tags can not start with $.");
    assert_eq!(Tag::parse("News").unwrap(), Tag::parse("NEWS").unwrap());
    assert_eq!(Tag::parse("News").unwrap().as_str(), "News");
}

#[test]
fn a_set_trims_and_keeps_one_of_each() {
    assert_eq!(set(" a, B ,,A").to_list(), "a,B");
    let many: Vec<String> = (0..=MAX_TAGS).map(|n| format!("t{n}")).collect();
    let error = TagSet::parse(many.iter().map(String::as_str)).unwrap_err();
    assert!(error.message().contains("at most 60"), "{error}");
}

#[test]
fn operators_mean_what_they_say() {
    for (expression, tags, expected) in [
        ("a", "A", true),
        ("a&&b", "a", false),
        ("a || b && c", "a", true),
        ("(a || b) && c", "a", false),
        ("!a", "b", true),
        ("!!a", "a", true),
        ("a && !(b || c)", "a", true),
        ("a && !(b || c)", "a,c", false),
    ] {
        assert_eq!(matches(expression, tags), expected, "{expression} on {tags}");
    }
}

#[test]
fn system_tags_stand_in_expressions() {
    let expression = TagExpression::parse("$InstallationId:{ab=1} || $userid:{ann}").unwrap();
    assert!(expression.matches(&[Tag::installation("AB=1")].into_iter().collect()));
    assert!(expression.matches(&[Tag::user("Ann")].into_iter().collect()));
    for wrong in ["$Device:{x}", "$UserId:{}", "$UserId:{a b}", "$UserId:{x", "$"] {
        assert!(refusal(wrong).contains("at character 1"), "{wrong}");
    }
}

#[test]
fn a_refusal_names_the_place_and_what_belongs_there() {
    for (expression, place, expected) in [
        ("", 1, "a tag, ! or an opening parenthesis"),
        ("a &&", 5, "its end was found"),
        ("é & b", 3, "&&, || or the end"),
        ("(a || b", 8, "a closing parenthesis"),
        ("a)", 2, "an opening parenthesis before"),
        ("a b", 3, "'b' was found"),
        ("a || b=c", 6, "'b=c' is no tag"),
    ] {
        let message = refusal(expression);
        assert!(message.contains(&format!("at character {place}:")), "{expression}: {message}");
        assert!(message.contains(expected), "{expression}: {message}");
    }
}

#[test]
fn limits_depend_on_the_operators() {
    let joined = |count: usize, operator: &str| {
        (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>().join(operator)
    };
    assert!(TagExpression::parse(&joined(20, "||")).is_ok());
    assert!(refusal(&joined(21, "||")).contains("too many tags"));
    assert!(TagExpression::parse(&joined(6, "&&")).is_ok());
    assert!(refusal(&joined(7, "&&")).contains("too many tags"));
    assert!(refusal(&format!("{}&&z", joined(7, "||"))).contains("too many tags"));
    let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert!(TagExpression::parse(&deep(MAX_DEPTH)).is_ok());
    assert!(refusal(&deep(MAX_DEPTH + 1)).contains("nested deeper"));
    assert!(refusal(&"!".repeat(MAX_EXPRESSION_BYTES + 1)).contains("bytes"));
}

#[test]
fn a_plan_walks_through_the_rarest_tag() {
    let some = |text: &str| Some(text.to_owned());
    let plan = |text: &str| {
        let plan = planned(text);
        (plan.drivers.map(|it| listed(&it)), plan.filter.map(|it| it.to_string()))
    };
    assert_eq!(plan("common && rare"), (some("rare"), some("common")));
    assert_eq!(plan("common || rare"), (some("common,rare"), None));
    assert_eq!(
        plan("all && (common || rare)"),
        (some("common,rare"), some("all && (common || rare)"))
    );
    assert_eq!(plan("!rare"), (None, some("!rare")));
    assert_eq!(plan("rare && !common"), (some("rare"), some("!common")));
    assert_eq!(plan("rare || !common"), (None, some("rare || !common")));
    assert_eq!(plan("rare && (rare || common)"), (some("rare"), None));
}

#[test]
fn lists_of_like_length_are_gone_through_in_step() {
    let plan = |text: &str| {
        let plan = planned(text);
        let drivers = plan.drivers.map(|it| listed(&it)).unwrap_or_default();
        let filter = plan.filter.map(|it| it.to_string()).unwrap_or_default();
        [drivers, listed(&plan.with), listed(&plan.without), filter]
    };
    assert_eq!(plan("common && all"), ["common", "all", "", ""]);
    assert_eq!(plan("common && !all"), ["common", "", "all", ""]);
    assert_eq!(plan("!(rare || !common)"), ["common", "", "rare", ""]);
    assert_eq!(
        plan("common && all && !rare && (half || !all)"),
        ["common", "all", "rare", "half || !all"]
    );
    assert_eq!(plan("rare && common && half"), ["rare", "", "", "common && half"]);
    assert_eq!(plan("common || rare"), ["common,rare", "", "", ""]);
}

/// A plan with a few tags of very different sizes.
fn planned(text: &str) -> Plan {
    let devices: HashMap<&str, u64> =
        [("rare", 3), ("common", 900), ("all", 1000), ("half", 5_000_000)].into();
    let expression = TagExpression::parse(text).unwrap();
    Plan::new(&expression, &|tag: &Tag| devices[tag.folded()])
}

fn listed(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
}

#[test]
fn the_fuzzing_corpus_prints_itself() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/tag_expression");
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let expression = TagExpression::parse(&text).unwrap();
        assert_eq!(TagExpression::parse(&expression.to_string()).unwrap(), expression, "{text}");
    }
}

fn nodes() -> impl Strategy<Value = Node> {
    let leaf = "[a-d]".prop_map(|text| Node::Tag(Tag::unchecked(&text)));
    leaf.prop_recursive(3, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Node::all),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Node::any),
            inner.prop_map(Node::negated),
        ]
    })
}

fn few_tags(node: &Node) -> bool {
    let mut tags = Vec::new();
    node.collect(&mut tags);
    tags.len() <= MAX_TAGS_MIXED
}

/// What an expression means, without any of the code above.
fn naive(node: &Node, tags: &[&str]) -> bool {
    match node {
        Node::Tag(tag) => tags.contains(&tag.as_str()),
        Node::Not(inner) => !naive(inner, tags),
        Node::All(nodes) => nodes.iter().fold(true, |sum, it| sum & naive(it, tags)),
        Node::Any(nodes) => nodes.iter().fold(false, |sum, it| sum | naive(it, tags)),
    }
}

fn power_set() -> Vec<Vec<&'static str>> {
    let all = ["a", "b", "c", "d"];
    let pick = |bits: usize| (0..4).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect();
    (0..16).map(pick).collect()
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_itself(node in nodes().prop_filter("limit", few_tags)) {
        let expression = TagExpression(node);
        prop_assert_eq!(TagExpression::parse(&expression.to_string()).unwrap(), expression);
    }

    #[test]
    fn evaluation_equals_set_theory(node in nodes()) {
        for tags in power_set() {
            let meant = TagExpression(node.clone()).matches(&set(&tags.join(",")));
            prop_assert_eq!(meant, naive(&node, &tags), "{} on {:?}", node, tags);
        }
    }

    #[test]
    fn a_plan_finds_exactly_those_who_are_meant(node in nodes(), sizes in prop::array::uniform4(0_u64..9)) {
        let size = |tag: &Tag| sizes[usize::from(tag.folded().as_bytes()[0] - b'a')];
        let plan = Plan::new(&TagExpression(node.clone()), &size);
        for tags in power_set() {
            let driven = plan.drivers.as_ref()
                .is_none_or(|it| it.iter().any(|tag| tags.contains(&tag.folded())));
            let has = |tag: &Tag| tags.contains(&tag.folded());
            let listed = plan.with.iter().all(has) && !plan.without.iter().any(has);
            let found =
                driven && listed && plan.filter.as_ref().is_none_or(|it| naive(it, &tags));
            let several = plan.drivers.as_ref().is_none_or(|it| it.len() > 1);
            prop_assert!(!several || plan.with.is_empty() && plan.without.is_empty());
            prop_assert_eq!(found, naive(&node, &tags), "{} on {:?}: {:?}", node, tags, plan);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".*") {
        let _ = TagExpression::parse(&text);
    }

    #[test]
    fn near_misses_never_panic(text in "[a!()|&${}:é ]{0,40}") {
        let _ = TagExpression::parse(&text);
    }
}
