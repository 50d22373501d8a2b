//! What stays, what goes, and the property that nothing harmful gets through.

use proptest::prelude::*;

use super::*;

#[test]
fn rich_text_stays_as_it_is() {
    for html in [
        "<p>Hello <b>world</b> &amp; <a href=\"https://example.com/?a=1&amp;b=2\">you</a></p>",
        "<ol start=\"3\"><li>one</li></ol><hr><br>",
        "<img alt=\"a cat\" src=\"https://example.com/cat.png\" width=\"20\">",
        "2 &lt; 3, Привет, 你好 🌍",
        "<table><tbody><tr><td colspan=\"2\">x</td></tr></tbody></table>",
    ] {
        assert_eq!(sanitize(html), html);
    }
}

#[test]
fn what_is_not_on_the_list_goes() {
    for (html, expected) in [
        ("<script>alert(1)</script>after", "after"),
        ("<SCRIPT src=x>alert(1)</ScRiPt >after", "after"),
        ("<script>never ended", ""),
        ("<style>p{}</style>x", "x"),
        ("<svg onload=alert(1)><p>inside</p></svg>x", "x"),
        ("<p onclick=\"alert(1)\" class=x>text</p>", "<p>text</p>"),
        ("<p/onclick=alert(1)>text</p>", "<p>text</p>"),
        ("<a href='javascript:alert(1)'>x</a>", "<a>x</a>"),
        ("<a href=\"java\tscript:alert(1)\">x</a>", "<a>x</a>"),
        ("<a href=\"&#106;avascript:alert(1)\">x</a>", "<a>x</a>"),
        ("<a href=\"javascript&colon;alert(1)\">x</a>", "<a>x</a>"),
        ("<a href=\"data:text/html,x\">x</a>", "<a>x</a>"),
        ("<img src=x onerror=alert(1)>", "<img src=\"x\">"),
        ("<form action=x><input name=y>text</form>", "text"),
        ("<!-- comment --><p>x</p>", "<p>x</p>"),
        ("<!doctype html><?php x ?>y", "y"),
        ("<p title=\"a\" title=\"b\">x", "<p title=\"a\">x"),
        ("<p title='\"><script>'>x", "<p title=\"&quot;&gt;&lt;script&gt;\">x"),
        ("<img src=<!-->", "<img>"),
        ("a < b > c", "a &lt; b &gt; c"),
        ("<<p>x", "&lt;<p>x"),
        ("<p", ""),
        ("<p title=\"never ended>x", ""),
        ("</p onclick=x>", "</p>"),
    ] {
        assert_eq!(sanitize(html), expected, "{html}");
    }
}

/// Every tag in the text, read as leniently as a browser would: anything behind a `<`.
fn tags(html: &str) -> Vec<String> {
    html.split('<')
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap_or_default().to_ascii_lowercase())
        .collect()
}

fn assert_harmless(html: &str) {
    for tag in tags(html) {
        let name = tag.trim_start_matches('/').split([' ', '"']).next().unwrap_or_default();
        assert!(ELEMENTS.contains(&name), "<{tag}> in {html}");
        // Outside of quotes there are names of the list and nothing else.
        let outside: Vec<&str> = tag.split('"').step_by(2).collect();
        for piece in &outside[..outside.len() - 1] {
            let attribute = piece.rsplit(' ').next().unwrap_or_default();
            let attribute = attribute.strip_suffix('=').unwrap_or_default();
            let of_one = ATTRIBUTES_OF.iter().any(|(_, own)| own.contains(&attribute));
            assert!(ATTRIBUTES.contains(&attribute) || of_one, "{attribute} in {html}");
        }
        assert!(!outside.iter().any(|piece| piece.contains(" on")), "{html}");
        assert!(!outside[outside.len() - 1].contains('='), "{html}");
    }
    let addresses = html.split("href=\"").skip(1).chain(html.split("src=\"").skip(1));
    for address in addresses {
        let address: String = address.split('"').next().unwrap_or_default().to_ascii_lowercase();
        let address: String = address.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(!address.starts_with("javascript:"), "{html}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_gets_through_whatever_is_written(html in ".*") {
        assert_harmless(&sanitize(&html));
    }

    #[test]
    fn nothing_gets_through_of_what_looks_like_html(
        html in "(<|</|>|'|\"|=| |/|\n|script|style|svg|img|a|p|b|on(click|error)|href|src|\
                 (java)?script:|alert\\(1\\)|<!--|-->|&#106;|&lt;|é|x){0,24}"
    ) {
        assert_harmless(&sanitize(&html));
    }

    #[test]
    fn sanitising_again_changes_nothing(
        html in "(<|</|>|'|\"|=| |script|p|b title|img src|a href|<!--|-->|&amp;|x){0,24}"
    ) {
        let once = sanitize(&html);
        prop_assert_eq!(sanitize(&once), once);
    }
}
