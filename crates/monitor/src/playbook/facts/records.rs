//! Failures in the log tables, grouped, and the queries that repeat what was read.

use std::fmt::Write as _;
use std::time::Duration;

use kernel::Timestamp;

use crate::playbook::report::Evidence;
use crate::playbook::words::{count, line, span, when};

/// A log table whose failures are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    /// Calls for identities and tokens.
    Auth,
    /// Calls about chat.
    Chat,
    /// Messages on their way to receivers.
    Received,
    /// Connections of clients of hubs.
    Connectivity,
    /// REST calls to hubs.
    HttpRequests,
    /// Deliveries of events.
    Deliveries,
    /// Publications of events.
    Publications,
}

/// How a table is read: its name, which rows are failures, and which of its columns say what.
struct Layout {
    name: &'static str,
    failures: &'static str,
    operation: &'static str,
    status: &'static str,
    who: &'static str,
    message: &'static str,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Auth,
        Self::Chat,
        Self::Received,
        Self::Connectivity,
        Self::HttpRequests,
        Self::Deliveries,
        Self::Publications,
    ];

    const fn layout(self) -> Layout {
        let operational = Layout {
            name: "ACSChatIncomingOperations",
            failures: "ResultType != \"Succeeded\"",
            operation: "OperationName",
            status: "ResultSignature",
            who: "UserId",
            message: "ResultDescription",
        };
        match self {
            Self::Chat => operational,
            Self::Auth => {
                Layout { name: "ACSAuthIncomingOperations", who: "Identity", ..operational }
            }
            Self::Received => Layout {
                name: "ACSChatMessageReceivedEvents",
                who: "RecipientUserId",
                ..operational
            },
            Self::Connectivity => Layout {
                name: "WebPubSubConnectivity",
                // A connection that ended as nobody wished says why.
                failures: "(Level != \"Informational\" or Message contains \"has gone: \")",
                operation: "OperationName",
                status: "Level",
                who: "UserId",
                message: "Message",
            },
            Self::HttpRequests => Layout {
                name: "WebPubSubHttpRequest",
                failures: "StatusCode >= 400",
                operation: "OperationName",
                status: "tostring(StatusCode)",
                who: "UserId",
                message: "Message",
            },
            Self::Deliveries => Layout {
                name: "AegDeliveryFailureLogs",
                failures: "isnotempty(Message)",
                operation: "OperationName",
                status: "Category",
                who: "EventSubscriptionName",
                message: "Message",
            },
            Self::Publications => Layout {
                name: "AegPublishFailureLogs",
                failures: "isnotempty(Message)",
                operation: "OperationName",
                status: "Category",
                who: "SubResourceName",
                message: "Message",
            },
        }
    }

    /// The query whose answer has a row for each [`Record`]: `Operation`, `Status`, `Who`, `Message`,
    /// `Count`, `Last`.
    pub fn query(self, window: Duration) -> String {
        let Layout { name, failures, operation, status, who, message } = self.layout();
        format!(
            "{name}\n| where TimeGenerated > ago({}s) and {failures}\n\
             | summarize Count = count(), Last = max(TimeGenerated) by Operation = {operation}, \
             Status = {status}, Who = {who}, Message = {message}\n| top 200 by Last",
            window.as_secs()
        )
    }

    /// The query that shows the rows behind a piece of evidence.
    fn rows(self, sign: &Sign, window: Duration) -> String {
        let Layout { name, failures, status, message, .. } = self.layout();
        let mut query =
            format!("{name}\n| where TimeGenerated > ago({}s) and {failures}", window.as_secs());
        if let [first, more @ ..] = sign.statuses {
            let more: String = more.iter().map(|it| format!(", \"{it}\"")).collect();
            let _ = write!(query, "\n| where {status} in (\"{first}\"{more})");
        }
        if !sign.words.is_empty() {
            let words: Vec<String> =
                sign.words.iter().map(|word| format!("{message} contains \"{word}\"")).collect();
            let _ = write!(query, "\n| where {}", words.join(" or "));
        }
        query
    }
}

/// Failures of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where they stand.
    pub table: Table,
    /// What was tried.
    pub operation: String,
    /// A status, or what the table has in its place.
    pub status: String,
    /// Whose it was.
    pub who: String,
    /// What was said.
    pub message: String,
    /// How many.
    pub count: u64,
    /// When the last was.
    pub last: Timestamp,
}

/// The failures of the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Grouped, per table the newest first.
    pub rows: Vec<Record>,
}

/// How failures of one cause are told from others.
#[derive(Clone, Copy, Debug)]
pub(in crate::playbook) struct Sign {
    /// Where they stand.
    pub tables: &'static [Table],
    /// With one of these statuses, if there are any.
    pub statuses: &'static [&'static str],
    /// With one of these in the message, whatever its case, if there are any.
    pub words: &'static [&'static str],
}

impl Sign {
    fn is_of(&self, record: &Record) -> bool {
        let message = record.message.to_lowercase();
        self.tables.contains(&record.table)
            && (self.statuses.is_empty() || self.statuses.contains(&record.status.as_str()))
            && (self.words.is_empty() || self.words.iter().any(|it| message.contains(it)))
    }
}

impl Records {
    /// What the tables say of a cause, one piece of evidence a table; about one user or event
    /// subscription only, if `who` names it.
    pub(in crate::playbook) fn seen(
        &self,
        sign: &Sign,
        who: Option<&str>,
        (now, window): (Timestamp, Duration),
    ) -> Vec<Evidence> {
        let of = |table: Table| {
            let rows = self.rows.iter().filter(move |it| {
                let is_meant = |who: &str| it.who.is_empty() || it.who.eq_ignore_ascii_case(who);
                it.table == table && sign.is_of(it) && who.is_none_or(is_meant)
            });
            let total: u64 = rows.clone().map(|it| it.count).sum();
            let newest = rows.max_by_key(|it| it.last)?;
            let Record { operation, status, who, message, last, .. } = newest;
            let by = if who.is_empty() { String::new() } else { format!(" of {who}") };
            let text = format!(
                "{} in {} within {}; the last {}: {operation}{by}, {status}: {}",
                count(total, "failure"),
                table.layout().name,
                span(window),
                when(*last, now),
                line(message),
            );
            Some(Evidence::observed(text).query(table.rows(sign, window)))
        };
        sign.tables.iter().filter_map(|table| of(*table)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn record(table: Table, status: &str, who: &str, message: &str) -> Record {
        let operation = "SendChatMessage".to_owned();
        let (status, who, message) = (status.to_owned(), who.to_owned(), message.to_owned());
        Record { table, operation, status, who, message, count: 2, last: NOW }
    }

    const EXPIRED: Sign = Sign { tables: &[Table::Chat], statuses: &["401"], words: &["expired"] };

    #[test]
    fn rows_of_a_cause_are_told_with_the_query_that_shows_them() {
        let rows = vec![
            record(Table::Chat, "401", "ann", "the token has Expired 3 s ago"),
            record(Table::Chat, "403", "ann", "expired"),
            record(Table::Auth, "401", "ann", "expired"),
        ];
        let seen = Records { rows }.seen(&EXPIRED, None, (NOW, HOUR));
        assert_eq!(seen.len(), 1);
        assert!(seen[0].text.starts_with("2 failures in ACSChatIncomingOperations within 1 h"));
        assert_eq!(
            seen[0].query.as_deref(),
            Some(
                "ACSChatIncomingOperations\n| where TimeGenerated > ago(3600s) and ResultType != \
                 \"Succeeded\"\n| where ResultSignature in (\"401\")\n\
                 | where ResultDescription contains \"expired\""
            )
        );
    }

    #[test]
    fn a_user_who_is_asked_about_is_told_of_alone() {
        let rows = vec![record(Table::Chat, "401", "ann", "expired")];
        let records = Records { rows };
        assert_eq!(records.seen(&EXPIRED, Some("bob"), (NOW, HOUR)), []);
        assert_eq!(records.seen(&EXPIRED, Some("ANN"), (NOW, HOUR)).len(), 1);
    }

    #[tokio::test]
    async fn every_query_is_one_that_the_log_tables_answer() {
        let db = storage::Db::in_memory().unwrap();
        let store = crate::table::Store::open(db, "workspace").await.unwrap();
        for table in Table::ALL {
            for query in [table.query(HOUR), table.rows(&EXPIRED, HOUR)] {
                let parsed = crate::kql::parse(&query).unwrap();
                let bound = crate::kql::bind(&parsed, &store, 0);
                assert!(bound.is_ok(), "{query}: {:?}", bound.err());
            }
        }
    }
}
