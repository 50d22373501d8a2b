//! `tidings logs …`: asking a running server's log tables.
//!
//! For people rows are a table as wide as its cells need, within a limit; `--json` prints everything.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::admin::Admin;
use super::publish::{self, Content};
use crate::terminal;

/// A wider cell is cut in a table.
const CELL: usize = 100;
/// A table with more columns than this has been asked for all, so those that say nothing are left out.
const MANY: usize = 10;
/// Columns that are the same in every row.
const CONSTANT: [&str; 7] = [
    "TenantId",
    "SourceSystem",
    "Type",
    "_ResourceId",
    "_SubscriptionId",
    "_BilledSize",
    "_IsBillable",
];

/// A query and its range of time.
pub struct Question {
    /// The query, KQL.
    pub content: Content,
    /// The range; none for everything.
    pub timespan: Option<String>,
}

/// Asks and prints the rows.
///
/// # Errors
/// When the server does not answer, or refuses the query; says where it goes wrong.
pub async fn query(admin: &Admin, question: &Question, as_json: bool) -> anyhow::Result<()> {
    let query = String::from_utf8(publish::read(&question.content)?.to_vec())
        .context("the query is not UTF-8")?;
    let timespan = question.timespan.as_deref().map(timespan);
    let body = json!({ "query": query, "timespan": timespan });
    let answer = admin.post("/logs/query", &body).await?;
    let rows = Rows::of(&answer["tables"][0]);
    terminal::say(&if as_json { rows.lines() } else { rows.table() })?;
    if let Some(reason) = answer["error"]["details"][0]["message"].as_str() {
        terminal::complain(&format!("tidings: the answer is not whole: {reason}\n"));
    }
    Ok(())
}

/// Prints the tables and their columns.
///
/// # Errors
/// When the server does not answer.
pub async fn tables(admin: &Admin) -> anyhow::Result<()> {
    let answer = admin.get("/logs/tables").await?;
    let mut text = String::new();
    for table in answer["tables"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{}", table["name"].as_str().unwrap_or_default());
        for column in table["columns"].as_array().into_iter().flatten() {
            let part = |name: &str| column[name].as_str().unwrap_or_default().to_owned();
            let _ = writeln!(text, "  {:<24} {}", part("name"), part("type"));
        }
    }
    terminal::say(&text)?;
    Ok(())
}

/// `12h` as `PT12H`; anything else is for the server to judge.
fn timespan(text: &str) -> String {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match (is_number, &text[digits.len()..]) {
        (true, "d") => format!("P{digits}D"),
        (true, "h") => format!("PT{digits}H"),
        (true, "m") => format!("PT{digits}M"),
        (true, "s") => format!("PT{digits}S"),
        _ => text.to_owned(),
    }
}

struct Rows {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    fn of(table: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let columns = list(&table["columns"]);
        let columns = columns.iter().map(|it| it["name"].as_str().unwrap_or_default().to_owned());
        Self { columns: columns.collect(), rows: list(&table["rows"]).iter().map(list).collect() }
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let object: Map<String, Value> =
                self.columns.iter().cloned().zip(row.iter().cloned()).collect();
            let _ = writeln!(text, "{}", Value::Object(object));
        }
        text
    }

    fn table(&self) -> String {
        let shown: Vec<usize> = (0..self.columns.len()).filter(|at| self.says(*at)).collect();
        let cells = |row: &[Value]| shown.iter().map(|at| cell(&row[*at])).collect::<Vec<_>>();
        let head: Vec<String> = shown.iter().map(|at| self.columns[*at].clone()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| cells(row)).collect();
        let mut widths: Vec<usize> = head.iter().map(|it| it.chars().count()).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&rows) {
            let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let _ = writeln!(text, "{}", padded.collect::<Vec<_>>().join("  ").trim_end());
        }
        let count = self.rows.len();
        let hidden = self.columns.len() - shown.len();
        let rest = match hidden {
            0 => String::new(),
            hidden => format!("; {hidden} columns that say nothing are left out, --json has all"),
        };
        let _ = writeln!(text, "({count} rows{rest})");
        text
    }

    /// Whether a column is worth its place.
    fn says(&self, at: usize) -> bool {
        if self.columns.len() <= MANY {
            return true;
        }
        let empty = |row: &Vec<Value>| cell(&row[at]).is_empty();
        !CONSTANT.contains(&self.columns[at].as_str()) && !self.rows.iter().all(empty)
    }
}

/// A cell on one line.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut cut: String = plain.take(CELL).collect();
    if text.chars().nth(CELL).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_table_for_people_and_objects_for_programs() {
        let rows = Rows::of(&json!({
            "columns": [{ "name": "Operation" }, { "name": "count_" }],
            "rows": [["SendChatMessage", 2], ["a\nb", null]],
        }));
        let table = "Operation        count_\nSendChatMessage  2\na b\n(2 rows)\n";
        assert_eq!(rows.table(), table);
        let lines = "{\"Operation\":\"SendChatMessage\",\"count_\":2}\n{\"Operation\":\"a\\nb\",\"count_\":null}\n";
        assert_eq!(rows.lines(), lines);
        assert_eq!(Rows::of(&Value::Null).table(), "\n(0 rows)\n");
    }

    #[test]
    fn of_many_columns_those_that_say_nothing_are_left_out() {
        let names = (0..9).map(|at| format!("c{at}")).chain(["TenantId".into(), "Url".into()]);
        let columns: Vec<Value> = names.map(|name| json!({ "name": name })).collect();
        let row = json!(["", "", "", "", "", "", "", "", "x", "guid", "/"]);
        let table = Rows::of(&json!({ "columns": columns, "rows": [row] })).table();
        assert!(table.starts_with("c8  Url\nx   /\n(1 rows; 9 columns"), "{table}");
    }

    #[test]
    fn short_spans_are_written_as_the_service_wants_them() {
        for (typed, meant) in
            [("30m", "PT30M"), ("7d", "P7D"), ("P1D", "P1D"), ("d", "d"), ("1w", "1w")]
        {
            assert_eq!(timespan(typed), meant);
        }
    }
}
