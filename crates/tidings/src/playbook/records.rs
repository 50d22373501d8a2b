//! Failures in the log tables, read by the queries that the report shows.

use std::time::Duration;

use ::monitor::playbook::{Found, Record, Records, Table, Unknown};
use kernel::Cause;
use serde_json::{Value, json};

use super::operators::{Operators, moment, number, text};

/// Reads what failed in the window; with the `ids` of a journey, of it alone.
pub(super) async fn read(
    operators: &Operators,
    window: Duration,
    ids: Option<&[String]>,
) -> Found<Records> {
    let mut records = Records::default();
    for table in Table::ALL {
        let answer =
            operators.post("/logs/query", &json!({ "query": table.query(window, ids) })).await;
        let answer = answer.map_err(|unknown| {
            let why = format!("The log tables cannot be read. {}", unknown.why);
            Unknown::new(
                why,
                "Ask with --token, --user or --subscription: the store tells a part of it.",
            )
        })?;
        records.rows.extend(rows(table, &answer));
    }
    Ok(records)
}

fn rows(table: Table, answer: &Value) -> Vec<Record> {
    let answered = &answer["tables"][0];
    let columns: Vec<&str> = answered["columns"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["name"].as_str())
        .collect();
    let of = |row: &Value, name: &str| {
        let at = columns.iter().position(|column| *column == name);
        at.map(|at| row[at].clone()).unwrap_or_default()
    };
    let record = |row: &Value| {
        Some(Record {
            table,
            operation: text(&of(row, "Operation")),
            status: text(&of(row, "Status")),
            who: text(&of(row, "Who")),
            cause: Cause::from_name(&text(&of(row, "Cause"))),
            message: text(&of(row, "Message")),
            trace: text(&of(row, "Trace")),
            count: number(&of(row, "Count")),
            last: moment(&of(row, "Last"))?,
        })
    };
    answered["rows"].as_array().into_iter().flatten().filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_records_whatever_the_order_of_its_columns() {
        let columns = ["Last", "Message", "Count", "Operation", "Status", "Who", "Cause"];
        let columns: Vec<Value> = columns.iter().map(|name| json!({ "name": name })).collect();
        let row =
            json!(["2026-01-02T03:04:05Z", "It is over.", 2, "Send", "401", "ann", "TokenExpired"]);
        let answer = json!({ "tables": [{ "columns": columns, "rows": [row] }] });
        let found = rows(Table::Chat, &answer);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].count, found[0].who.as_str()), (2, "ann"));
        assert_eq!(found[0].cause, Some(Cause::TokenExpired));
        assert_eq!(found[0].last.as_secs(), 1_767_323_045);
        assert_eq!(rows(Table::Chat, &json!({})), []);
    }
}
