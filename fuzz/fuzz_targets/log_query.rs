//! Queries of the log tables: no text makes reading or checking one panic, and what is read prints as
//! the same query.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitor::kql::{Catalogue, Column, Type, bind, parse};

struct Tables;

impl Catalogue for Tables {
    fn columns(&self, _: &str) -> Option<Vec<Column>> {
        Some(vec![Column::new("a", Type::String), Column::new("TimeGenerated", Type::Datetime)])
    }

    fn names(&self) -> Vec<String> {
        vec!["T".to_owned()]
    }
}

fuzz_target!(|text: &str| {
    let Ok(query) = parse(text) else { return };
    // Printing adds parentheses, so that the printed form may be too long or too deep.
    if let Ok(again) = parse(&query.to_string()) {
        assert_eq!(again, query);
    }
    let _ = bind(&query, &Tables, 0);
});
