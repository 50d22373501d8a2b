//! One step of a notification on its way, as everybody records it and the monitor keeps it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::time::Timestamp;
use crate::trace::{SpanId, TraceId};

/// What is kept of a detail, in bytes: names in it are chosen by callers.
const MAX_DETAIL: usize = 400;
/// What is kept of a subject, in bytes.
const MAX_SUBJECT: usize = 256;

macro_rules! stages {
    ($($(#[$doc:meta])* $stage:ident = $name:literal,)+) => {
        /// The stages that there are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Stage { $($(#[$doc])* $stage,)+ }

        impl Stage {
            /// Every stage, in the order in which a notification usually meets them.
            pub const ALL: &[Self] = &[$(Self::$stage,)+];

            /// As it is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$stage => $name,)+ }
            }
        }
    };
}

stages! {
    /// The caller may do what it asks for.
    Authorised = "authorised",
    /// A service has taken it.
    Accepted = "accepted",
    /// The request was refused, and why.
    Refused = "refused",
    /// It is on disk, with the work that it causes.
    Stored = "stored",
    /// Who is to receive it was found out.
    Matched = "matched",
    /// Durable work waits for its attempt.
    Queued = "queued",
    /// It was handed to connected devices, and waits for those that are away.
    Announced = "announced",
    /// It was written to connections.
    Written = "written",
    /// A client said that it has it.
    Acknowledged = "acknowledged",
    /// A webhook answered, or did not.
    WebhookAnswered = "webhook answered",
    /// A notification hub took a push, or did not.
    HubAccepted = "hub accepted",
    /// A push service took a push, or did not.
    PushServiceAnswered = "push service answered",
    /// Durable work is done.
    Delivered = "delivered",
    /// An attempt failed, and another one follows.
    Retried = "retried",
    /// It was given up.
    DeadLettered = "dead-lettered",
    /// It was left out on purpose, such as for somebody who is away.
    Dropped = "dropped",
    /// A call began to ring, was answered, or ended.
    Call = "call",
    /// The request was answered.
    Answered = "answered",
}

impl Stage {
    /// From [`Stage::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|stage| stage.as_str() == name)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// As it should.
    Done,
    /// It failed, and is tried again.
    Again,
    /// It failed for good.
    Failed,
}

impl Outcome {
    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again => "again",
            Self::Failed => "failed",
        }
    }
}

/// Something by which a journey can be found beside its own id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// What it is, such as `message`.
    pub kind: &'static str,
    /// Its id.
    pub value: String,
}

/// What is told of one step; when and in which journey is added by [`crate::Journey::note`].
#[derive(Clone, Debug)]
pub struct Note {
    pub(crate) stage: Stage,
    pub(crate) outcome: Outcome,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) took: Option<Duration>,
    pub(crate) pending: i32,
}

impl Note {
    /// A step that went well. The detail is read by operators: it holds no payload and no secret.
    pub fn new(stage: Stage, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = match detail.into() {
            Cow::Borrowed(text) => Cow::Borrowed(cut(text, MAX_DETAIL)),
            Cow::Owned(mut text) => {
                text.truncate(cut(&text, MAX_DETAIL).len());
                Cow::Owned(text)
            }
        };
        Self { stage, outcome: Outcome::Done, detail, subjects: Vec::new(), took: None, pending: 0 }
    }

    /// How it went.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// It failed for good.
    #[must_use]
    pub fn failed(self) -> Self {
        self.outcome(Outcome::Failed)
    }

    /// It failed, and is tried again.
    #[must_use]
    pub fn again(self) -> Self {
        self.outcome(Outcome::Again)
    }

    /// Lets the journey be found by this id. An empty one is none.
    #[must_use]
    pub fn subject(mut self, kind: &'static str, value: impl AsRef<str>) -> Self {
        let value = cut(value.as_ref(), MAX_SUBJECT);
        if !value.is_empty() {
            self.subjects.push(Subject { kind, value: value.to_owned() });
        }
        self
    }

    /// It leaves so many pieces of work to be done.
    #[must_use]
    pub fn opens(mut self, pieces: usize) -> Self {
        self.pending = i32::try_from(pieces).unwrap_or(i32::MAX);
        self
    }

    /// It ends a piece of work, one way or the other.
    #[must_use]
    pub fn closes(mut self) -> Self {
        self.pending = -1;
        self
    }

    /// How long it took, up to now.
    #[must_use]
    pub fn took(mut self, span: Duration) -> Self {
        self.took = Some(span);
        self
    }
}

/// One recorded step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// The journey.
    pub trace: TraceId,
    /// The part of the journey, such as the request, that the step belongs to.
    pub span: SpanId,
    /// The step is the end of that part, which belongs to another one, of this program or another.
    pub ends: Option<Ends>,
    /// When; of steps that take a while, their end.
    pub at: Timestamp,
    /// How long it took.
    pub took: Option<Duration>,
    /// Who recorded it, such as `eventgrid`.
    pub service: &'static str,
    /// What happened.
    pub stage: Stage,
    /// How it went.
    pub outcome: Outcome,
    /// More about it, for people.
    pub detail: Cow<'static, str>,
    /// Pieces of work that it leaves to be done; negative when it ends some.
    pub pending: i32,
    /// What the journey can be found by.
    pub subjects: Vec<Subject>,
}

/// The end of a part of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What the part belongs to, if it is not the first.
    pub parent: Option<SpanId>,
}

/// The beginning of a text, whole characters only.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_names_of_their_own() {
        for stage in Stage::ALL {
            assert_eq!(Stage::from_name(stage.as_str()), Some(*stage));
        }
        assert_eq!(Stage::from_name("anything"), None);
    }

    #[test]
    fn what_callers_choose_is_cut_between_characters() {
        let long = "ü".repeat(MAX_DETAIL);
        let note = Note::new(Stage::Accepted, long.clone()).subject("event", &long);
        assert_eq!(note.detail.len(), MAX_DETAIL);
        assert_eq!(note.subjects[0].value.len(), MAX_SUBJECT);
        assert!(Note::new(Stage::Accepted, "").subject("event", "").subjects.is_empty());
    }
}
