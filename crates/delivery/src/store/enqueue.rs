//! Accepting work.

use kernel::Timestamp;
use storage::{Statement, vals};

use crate::decide::expiry;
use crate::{NewDelivery, journeys};

const FREE: &str = "INSERT INTO deliveries (id, queue, target, state, accepted_at, due_at, \
    expires_at, lifetime, attempts, max_attempts, payload, trace) \
    VALUES ($1, $2, $3, 0, $4, $5, $6, $7, 0, $8, $9, $10)";

/// As [`FREE`]; an item whose key has others already goes behind them.
const ORDERED: &str = "INSERT INTO deliveries (id, queue, target, state, accepted_at, due_at, \
    expires_at, lifetime, attempts, max_attempts, payload, trace, order_key) \
    VALUES ($1, $2, $3, \
        CASE WHEN EXISTS (SELECT 1 FROM deliveries AS other WHERE other.queue = $2 \
            AND other.target = $3 AND other.order_key = $11) THEN 2 ELSE 0 END, \
        $4, $5, $6, $7, 0, $8, $9, $10, $11)";

pub(super) fn statement(new: &NewDelivery, now: Timestamp, time_scale: f64) -> Statement {
    let due_at = new.not_before.map_or(now, |moment| moment.max(now));
    let expires_at = expiry(due_at, new.time_to_live, time_scale);
    let lifetime = expires_at.as_micros().saturating_sub(due_at.as_micros());
    let mut params = vals![
        new.id,
        new.queue,
        new.target.as_str(),
        now,
        due_at,
        expires_at,
        lifetime,
        i64::from(new.max_attempts),
        new.payload.as_slice(),
        journeys::taken_along(),
    ];
    match &new.order_key {
        None => Statement::new(FREE, params),
        Some(key) => {
            params.push(key.as_str().into());
            Statement::new(ORDERED, params)
        }
    }
}
