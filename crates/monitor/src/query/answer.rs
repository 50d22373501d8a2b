//! An answer as JSON.

use serde_json::{Value as Json, json};

use crate::kql::{Answer, Render};

/// What is told beside the rows.
pub(super) struct Beside<'a> {
    pub render: Option<Option<&'a Render>>,
    /// Milliseconds that the query took, when statistics are wanted.
    pub took_ms: Option<u64>,
}

/// The body of an answer with status 200.
pub(super) fn body(answer: &Answer, beside: &Beside<'_>) -> Json {
    let columns: Vec<Json> = answer
        .columns
        .iter()
        .map(|column| json!({ "name": &*column.name, "type": column.kind.name() }))
        .collect();
    let rows: Vec<Json> = answer
        .rows
        .iter()
        .map(|row| row.iter().map(crate::kql::Value::to_answer).collect())
        .collect();
    let count = rows.len();
    let mut body =
        json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] });
    if let Some(render) = beside.render {
        body["render"] = rendering(render);
    }
    if let Some(took_ms) = beside.took_ms {
        body["statistics"] = json!({ "query": {
            "executionTime": took_ms as f64 / 1000.0,
            "datasetStatistics": [{ "tableRowCount": count }],
            "inputDatasetStatistics": { "extents": {}, "rows": { "scanned": answer.read } },
        } });
    }
    if let Some(cut) = &answer.cut {
        body["error"] = json!({
            "code": "PartialError",
            "message": "There were some errors when processing your query.",
            "details": [{ "code": "QueryResultTooLarge", "message": cut,
                "innererror": { "code": "QueryResultTooLarge", "message": cut } }],
        });
    }
    body
}

/// What a client needs to draw it; a table when the query does not say.
fn rendering(render: Option<&Render>) -> Json {
    let mut object = json!({ "visualization": render.map(|it| it.visualization.as_str()) });
    for (key, value) in render.map(|it| it.properties.as_slice()).unwrap_or_default() {
        object[key] = value.as_str().into();
    }
    object
}
