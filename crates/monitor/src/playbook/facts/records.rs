//! Failures in the log tables, grouped by their causes, and the queries that repeat what was read.
//!
//! A cause is told from others by a status or by the word for it ([`crate::cause`]), never by the
//! sentences of a message.

use std::fmt::Write as _;
use std::time::Duration;

use kernel::{Cause, Timestamp};

use crate::cause;
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
    /// By what the row's journey is found; empty where a row does not say.
    trace: &'static str,
}

/// What messages of the form `key=value, id=…, key=value` name.
const ID_OF_MESSAGE: &str = "extract(\", id=([^,]+), \", 1, Message)";

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
            trace: "CorrelationId",
        };
        match self {
            Self::Chat => operational,
            Self::Auth => {
                Layout { name: "ACSAuthIncomingOperations", who: "Identity", ..operational }
            }
            Self::Received => Layout {
                name: "ACSChatMessageReceivedEvents",
                who: "RecipientUserId",
                trace: "tostring(ChatMessageId)",
                ..operational
            },
            Self::Connectivity => Layout {
                name: "WebPubSubConnectivity",
                failures: "Level != \"Informational\"",
                operation: "OperationName",
                status: "Level",
                who: "UserId",
                message: "Message",
                trace: "\"\"",
            },
            Self::HttpRequests => Layout {
                name: "WebPubSubHttpRequest",
                failures: "StatusCode >= 400",
                operation: "OperationName",
                status: "tostring(StatusCode)",
                who: "UserId",
                message: "Message",
                trace: "TraceId",
            },
            Self::Deliveries => Layout {
                name: "AegDeliveryFailureLogs",
                failures: "isnotempty(Message)",
                operation: "OperationName",
                status: "Category",
                who: "EventSubscriptionName",
                message: "Message",
                trace: ID_OF_MESSAGE,
            },
            Self::Publications => Layout {
                name: "AegPublishFailureLogs",
                failures: "isnotempty(Message)",
                operation: "OperationName",
                status: "Category",
                who: "SubResourceName",
                message: "Message",
                trace: ID_OF_MESSAGE,
            },
        }
    }

    /// The query whose answer has a row for each [`Record`]: `Operation`, `Status`, `Who`, `Cause`,
    /// `Count`, and of the last `Last`, `Message`, `Trace`. With `journey`, the ids of one, only rows of
    /// it are read.
    pub fn query(self, window: Duration, journey: Option<&[String]>) -> String {
        let Layout { name, failures, operation, status, who, message, trace } = self.layout();
        let of_journey = journey.map_or_else(String::new, |ids| {
            // Whoever makes up an id with quotes is told of nothing.
            let is_plain = |id: &&String| !id.contains(['"', '\\']) && !id.is_empty();
            let ids: Vec<String> =
                ids.iter().filter(is_plain).map(|id| format!("\"{id}\"")).collect();
            format!("\n| where Trace in ({})", ids.join(", "))
        });
        let cause = cause::column(message);
        format!(
            "{name}\n| where TimeGenerated > ago({}s) and {failures}\n\
             | project Last = TimeGenerated, Operation = {operation}, Status = {status}, \
             Who = {who}, Message = {message}, Trace = {trace}, Cause = {cause}{of_journey}\n\
             | summarize Count = count(), arg_max(Last, Message, Trace) \
             by Operation, Status, Who, Cause\n| top 200 by Last",
            window.as_secs()
        )
    }

    /// The query that shows the rows behind a piece of evidence.
    fn rows(self, sign: &Sign, window: Duration) -> String {
        let Layout { name, failures, status, message, .. } = self.layout();
        let mut query =
            format!("{name}\n| where TimeGenerated > ago({}s) and {failures}", window.as_secs());
        let statuses = sign.statuses.iter().map(|it| format!("{status} == \"{it}\""));
        let causes = sign.causes.iter().map(|it| cause::clause(message, *it));
        let any: Vec<String> = statuses.chain(causes).collect();
        if !any.is_empty() {
            let _ = write!(query, "\n| where {}", any.join(" or "));
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
    /// Why, in a word.
    pub cause: Option<Cause>,
    /// What was said of the last.
    pub message: String,
    /// By what the journey of the last is found; empty where that is not known.
    pub trace: String,
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

/// How failures of one kind are told from others: by a status or by a cause. Without either, all are
/// meant.
#[derive(Clone, Copy, Debug)]
pub(in crate::playbook) struct Sign {
    /// Where they stand.
    pub tables: &'static [Table],
    /// With one of these statuses.
    pub statuses: &'static [&'static str],
    /// For one of these causes.
    pub causes: &'static [Cause],
}

impl Sign {
    fn is_of(&self, record: &Record) -> bool {
        let is_any = self.statuses.is_empty() && self.causes.is_empty();
        let is_status = self.statuses.contains(&record.status.as_str());
        let is_cause = record.cause.is_some_and(|cause| self.causes.contains(&cause));
        self.tables.contains(&record.table) && (is_any || is_status || is_cause)
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
            let Record { operation, status, who, message, trace, last, .. } = newest;
            let status = match table {
                // What stands in its place there is the same in every row.
                Table::Connectivity | Table::Deliveries | Table::Publications => String::new(),
                _ => format!(", {status}"),
            };
            let by = if who.is_empty() { String::new() } else { format!(" of {who}") };
            let text = format!(
                "{} in {} within {}; the last {}: {operation}{by}{status}: {}",
                count(total, "failure"),
                table.layout().name,
                span(window),
                when(*last, now),
                line(message),
            );
            Some(Evidence::observed(text).query(table.rows(sign, window)).trace(trace.as_str()))
        };
        sign.tables.iter().filter_map(|table| of(*table)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const HOUR: Duration = Duration::from_hours(1);

    fn record(table: Table, status: &str, who: &str, cause: Option<Cause>) -> Record {
        let operation = "SendChatMessage".to_owned();
        let (status, who) = (status.to_owned(), who.to_owned());
        let (message, trace) = ("whatever is said".to_owned(), "7".to_owned());
        Record { table, operation, status, who, cause, message, trace, count: 2, last: NOW }
    }

    const EXPIRED: Option<Cause> = Some(Cause::TokenExpired);
    const SIGN: Sign =
        Sign { tables: &[Table::Chat], statuses: &["429"], causes: &[Cause::TokenExpired] };

    #[test]
    fn rows_of_a_cause_are_told_with_the_query_that_shows_them() {
        let rows = vec![
            record(Table::Chat, "401", "ann", EXPIRED),
            record(Table::Chat, "403", "ann", Some(Cause::ScopeMissing)),
            record(Table::Chat, "404", "ann", None),
            record(Table::Auth, "401", "ann", EXPIRED),
        ];
        let seen = Records { rows }.seen(&SIGN, None, (NOW, HOUR));
        assert_eq!(seen.len(), 1);
        assert!(seen[0].text.starts_with("2 failures in ACSChatIncomingOperations within 1 h"));
        assert_eq!(
            seen[0].query.as_deref(),
            Some(
                "ACSChatIncomingOperations\n| where TimeGenerated > ago(3600s) and ResultType != \
                 \"Succeeded\"\n| where ResultSignature == \"429\" or ResultDescription endswith \
                 \"cause=TokenExpired\""
            )
        );
        assert_eq!(seen[0].trace.as_deref(), Some("7"));
    }

    #[test]
    fn a_user_who_is_asked_about_is_told_of_alone() {
        let rows = vec![record(Table::Chat, "401", "ann", EXPIRED)];
        let records = Records { rows };
        assert_eq!(records.seen(&SIGN, Some("bob"), (NOW, HOUR)), []);
        assert_eq!(records.seen(&SIGN, Some("ANN"), (NOW, HOUR)).len(), 1);
    }

    #[tokio::test]
    async fn every_query_is_one_that_the_log_tables_answer() {
        let db = storage::Db::in_memory().unwrap();
        let store = crate::table::Store::open(db, "workspace").await.unwrap();
        for table in Table::ALL {
            let ids = ["a".to_owned(), "\"".to_owned()];
            for query in
                [table.query(HOUR, None), table.query(HOUR, Some(&ids)), table.rows(&SIGN, HOUR)]
            {
                let parsed = crate::kql::parse(&query).unwrap();
                let bound = crate::kql::bind(&parsed, &store, 0);
                assert!(bound.is_ok(), "{query}: {:?}", bound.err());
            }
        }
    }
}
