//! Tags and tag expressions: who among the devices of a notification hub is meant.
//!
//! | module | what |
//! |---|---|
//! | `expression` | the tree of an expression: printing, evaluation on a set of tags |
//! | `parse` | text to tree, with the service's limits |
//! | `plan` | the tree as an order to an index: which tags to walk through, what to ask of each device |
//!
//! Tags are compared ignoring case, as the official .NET client does; how they were written is kept.
//! Nothing here knows where devices live.

mod expression;
mod parse;
mod plan;
#[cfg(test)]
mod tests;

use std::fmt;

use kernel::Result;

use crate::refusal::{bad_request, shown};

pub(crate) use expression::Node;
pub use expression::TagExpression;
pub use parse::{MAX_DEPTH, MAX_EXPRESSION_BYTES, MAX_TAGS_MIXED, MAX_TAGS_OR};
pub(crate) use plan::Plan;

/// The longest tag, in characters.
pub const MAX_TAG_CHARS: usize = 120;
/// The most tags that a device has.
pub const MAX_TAGS: usize = 60;
/// An id within a system tag is at most this long, in characters.
const MAX_SYSTEM_CHARS: usize = 400;

const INSTALLATION: &str = "$InstallationId:{";
const USER: &str = "$UserId:{";

/// One tag. Equality ignores case.
#[derive(Clone, Debug)]
pub struct Tag {
    text: Box<str>,
    folded: Box<str>,
}

impl Tag {
    /// A tag that a caller gives a device.
    ///
    /// # Errors
    /// `Invalid` in the service's words for a tag that begins with `$`, else with the rule.
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with('$') {
            return Err(bad_request("Tags can not start with $."));
        }
        if !text.is_empty()
            && text.chars().all(is_tag_char)
            && text.chars().count() <= MAX_TAG_CHARS
        {
            return Ok(Self::unchecked(text));
        }
        Err(bad_request(format!(
            "The tag '{}' is invalid. A tag has 1 to {MAX_TAG_CHARS} characters: letters, digits and \
             _ @ # . : -",
            shown(text)
        )))
    }

    /// A tag as it may stand in an expression: one of a caller, or a system tag.
    pub(crate) fn parse_any(text: &str) -> Result<Self> {
        if Self::system_id(text).is_some() { Ok(Self::unchecked(text)) } else { Self::parse(text) }
    }

    /// The system tag of everything that belongs to an installation.
    pub fn installation(id: &str) -> Self {
        Self::unchecked(&format!("{INSTALLATION}{id}}}"))
    }

    /// The system tag of everything that belongs to a user.
    pub fn user(id: &str) -> Self {
        Self::unchecked(&format!("{USER}{id}}}"))
    }

    /// A text that was checked before, or is checked by its maker.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self { text: text.into(), folded: text.to_lowercase().into() }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is compared.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether the service made it, rather than a caller.
    pub fn is_system(&self) -> bool {
        self.text.starts_with('$')
    }

    /// The id within a well-formed system tag.
    fn system_id(text: &str) -> Option<&str> {
        let id = [INSTALLATION, USER].into_iter().find_map(|head| {
            let (start, id) = text.split_at_checked(head.len())?;
            start.eq_ignore_ascii_case(head).then_some(id)
        })?;
        let id = id.strip_suffix('}')?;
        let valid = !id.is_empty() && id.chars().all(is_system_char);
        (valid && id.chars().count() <= MAX_SYSTEM_CHARS).then_some(id)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for Tag {}

impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tag {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Whether an id can be part of a system tag; installation ids and user ids must.
pub(crate) fn is_system_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(is_system_char) && id.chars().count() <= MAX_SYSTEM_CHARS
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '.' | ':' | '-')
}

fn is_system_char(c: char) -> bool {
    is_tag_char(c) || c == '='
}

/// The tags of one device: no tag twice, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagSet(Vec<Tag>);

impl TagSet {
    /// Checks what a caller gives a device. White space around a tag is dropped, as are empty ones.
    ///
    /// # Errors
    /// The problem of the first tag that has one, or that there are more than [`MAX_TAGS`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut tags = Self::default();
        for text in texts.into_iter().map(str::trim).filter(|text| !text.is_empty()) {
            tags.insert(Tag::parse(text)?);
            tags.check_count()?;
        }
        Ok(tags)
    }

    /// The tags of a list with commas between them.
    ///
    /// # Errors
    /// As [`TagSet::parse`].
    pub fn parse_list(list: &str) -> Result<Self> {
        Self::parse(list.split(','))
    }

    /// Refuses more tags than a device may have.
    pub(crate) fn check_count(&self) -> Result<()> {
        if self.0.iter().filter(|tag| !tag.is_system()).count() <= MAX_TAGS {
            return Ok(());
        }
        Err(bad_request(format!("A device has at most {MAX_TAGS} tags; remove some.")))
    }

    /// Adds a tag, unless it is there.
    pub fn insert(&mut self, tag: Tag) {
        if !self.contains(&tag) {
            self.0.push(tag);
        }
    }

    /// Takes a tag away; tells whether it was there.
    pub fn remove(&mut self, tag: &Tag) -> bool {
        let before = self.0.len();
        self.0.retain(|own| own != tag);
        self.0.len() != before
    }

    /// Whether the tag is there.
    pub fn contains(&self, tag: &Tag) -> bool {
        self.0.contains(tag)
    }

    /// The tags in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Tag> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags with commas between them, without spaces: the JavaScript client does not trim.
    pub fn to_list(&self) -> String {
        self.0.iter().map(Tag::as_str).collect::<Vec<_>>().join(",")
    }

    /// What [`TagSet::to_list`] made, system tags included.
    pub(crate) fn stored(list: &str) -> Self {
        let tags = list.split(',').filter(|text| !text.is_empty());
        Self(tags.map(Tag::unchecked).collect())
    }
}

impl FromIterator<Tag> for TagSet {
    fn from_iter<I: IntoIterator<Item = Tag>>(tags: I) -> Self {
        let mut set = Self::default();
        tags.into_iter().for_each(|tag| set.insert(tag));
        set
    }
}
