//! Creating, revoking and recognising users.
//!
//! What a node remembers of identities and tokens is a cache of the store; what a revocation changes
//! is changed there before it is answered. Other nodes learn of it within about a second.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auth::KeySlot;
use aws_lc_rs::digest::{SHA256, digest};
use kernel::{Clock, Error, ErrorKind, Result, Secret, Timestamp};
use storage::{Db, MasterKey};
use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::MAX_LIFETIME;
use super::scope::Scopes;
use super::signing::SigningKeys;
use super::store::{self, Issues, Stored};
use super::token::{self, Claims, Grant, TokenRefusal};
use crate::identifier::RawId;
use crate::recent::Recent;
use crate::resource::Resource;

/// How many tokens and identities are remembered: about the users of a busy node.
const REMEMBERED: usize = 16_384;
/// How many endings may wait for a listener before it is told that it missed some.
const ENDINGS: usize = 1_024;
/// How often it is looked whether another server has ended tokens.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// How long an ending is kept for servers that have not looked: longer than any token lives.
const KEEP_ENDINGS: Duration = MAX_LIFETIME.saturating_add(Duration::from_hours(1));
/// Longest custom id, in bytes. Azure publishes no figure.
const MAX_CUSTOM_ID: usize = 256;

/// The identities of all resources. Cheap to clone.
#[derive(Clone)]
pub struct Identities(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    keys: SigningKeys,
    /// Claims of tokens whose signature held, by the digest of the token.
    tokens: Recent<[u8; 32], Arc<Claims>>,
    generations: Recent<RawId, Generation>,
    endings: broadcast::Sender<Ended>,
    /// The number of the last ending that this server knows.
    seen: AtomicI64,
}

/// What is known about an identity's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Generation {
    Current(i64),
    /// For good: ids are never used again. Above every number.
    Deleted,
}

/// Why the tokens of a user do not hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They were revoked; the user may get new ones.
    Revoked,
    /// The identity is gone.
    Deleted,
}

/// The tokens of a user have ended; whoever holds a connection opened with one closes it. It may be
/// told twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose.
    pub user: RawId,
    /// Why.
    pub ending: Ending,
    /// The tokens of generations before this one.
    pub before: i64,
}

/// A user who has shown a good token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub id: RawId,
    /// What the token permits.
    pub scopes: Scopes,
    /// When the token ends.
    pub expires: Timestamp,
    /// Which revocation of the user's tokens it comes after.
    pub generation: i64,
}

/// A new token.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Ready to use.
    pub token: Secret,
    /// When it ends, to the second.
    pub expires: Timestamp,
}

/// An identity as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: RawId,
    pub(crate) custom_id: Option<String>,
    pub(crate) last_token_at: Option<Timestamp>,
}

/// What a token is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) scopes: Scopes,
    pub(crate) lifetime: Duration,
    /// The access key that the request was signed with.
    pub(crate) slot: KeySlot,
}

impl Identities {
    /// The identities in `db`, which has had this crate's migrations.
    ///
    /// # Errors
    /// When the store fails, or its signing keys were sealed with another master key.
    pub async fn open(db: Db, master: Arc<MasterKey>, clock: Arc<dyn Clock>) -> Result<Self> {
        let keys = SigningKeys::open(db.clone(), master, clock.now()).await?;
        let (tokens, generations) = (Recent::new(REMEMBERED), Recent::new(REMEMBERED));
        let endings = broadcast::Sender::new(ENDINGS);
        // Nothing is remembered yet, so nothing can be out of date.
        let seen = AtomicI64::new(store::revision(&db).await?);
        Ok(Self(Arc::new(Inner { db, clock, keys, tokens, generations, endings, seen })))
    }

    /// The users whose tokens end from now on. A listener that falls behind is told so by the channel
    /// and must ask [`Identities::authenticate`] about every token that it relies on.
    pub fn endings(&self) -> broadcast::Receiver<Ended> {
        self.0.endings.subscribe()
    }

    /// Who a token belongs to.
    ///
    /// # Errors
    /// `Unauthenticated` with the reason when the token does not hold for this resource now; an error
    /// of the store.
    pub async fn authenticate(&self, resource: &Resource, token: &str) -> Result<Caller> {
        let now = self.0.clock.now();
        let claims = match self.claims(token) {
            // Another server may have made the key since.
            Err(TokenRefusal::UnknownKey) if self.0.keys.look_for_new(now).await? => {
                self.claims(token)
            }
            claims => claims,
        };
        let claims = claims.map_err(unauthenticated)?;
        let refuse = |refusal| Err(unauthenticated(refusal));
        if claims.resource_id() != resource.id {
            return refuse(TokenRefusal::OtherResource);
        }
        if claims.expires() <= now {
            return refuse(TokenRefusal::Expired(now.since(claims.expires()).as_secs()));
        }
        let keys = resource.keys.current();
        let marks = [keys.primary(), keys.secondary()].map(token::key_mark);
        if !marks.iter().any(|mark| mark == claims.key_mark()) {
            return refuse(TokenRefusal::KeyReplaced);
        }
        let id = claims.user();
        match self.generation_of(&id, claims.generation()).await? {
            Generation::Deleted => refuse(TokenRefusal::IdentityDeleted),
            Generation::Current(generation) if generation != claims.generation() => {
                refuse(TokenRefusal::Revoked)
            }
            Generation::Current(generation) => {
                let (scopes, expires) = (claims.scopes(), claims.expires());
                Ok(Caller { id, scopes, expires, generation })
            }
        }
    }

    /// Learns what other servers end, for ever.
    pub async fn follow(&self) {
        let mut interval = tokio::time::interval(FOLLOW_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.learn().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot look for tokens that were revoked");
            }
        }
    }

    /// Learns what other servers have ended since the last time; its own endings come again.
    pub(crate) async fn learn(&self) -> Result<()> {
        let newest = store::revision(&self.0.db).await?;
        loop {
            let seen = self.0.seen.load(Ordering::Acquire);
            if seen >= newest {
                return Ok(());
            }
            let noted = store::endings_since(&self.0.db, seen).await?;
            // None is left of what was forgotten long ago.
            let last = noted.last().map_or(newest, |(number, ..)| *number);
            for (_, user, generation) in noted {
                let (generation, ending) = match generation {
                    Some(generation) => (Generation::Current(generation), Ending::Revoked),
                    None => (Generation::Deleted, Ending::Deleted),
                };
                self.end(&user, generation, ending);
            }
            self.0.seen.fetch_max(last, Ordering::AcqRel);
        }
    }

    /// Those of `ids` that exist.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn existing(&self, ids: &[RawId]) -> Result<HashSet<RawId>> {
        Ok(store::existing(&self.0.db, ids).await?.into_iter().collect())
    }

    /// Looks after the signing keys, and forgets old endings; to be called every few minutes.
    ///
    /// # Errors
    /// When the store fails; the keys in force stay.
    pub async fn refresh_keys(&self) -> Result<()> {
        let now = self.0.clock.now();
        // Tokens of before have ended by themselves.
        store::forget_endings(&self.0.db, now - KEEP_ENDINGS).await?;
        self.0.keys.refresh(now).await
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn jwks(&self) -> serde_json::Value {
        self.0.keys.jwks()
    }

    /// A token that says `claims`, for whoever knows the public keys; not for any user.
    pub(crate) fn attest(&self, claims: &serde_json::Value) -> Result<Secret> {
        self.0.keys.with_newest(|key| token::attest(claims, key))
    }

    /// A new identity, or the one with this custom id; with a token if one is wanted.
    pub(crate) async fn create(
        &self,
        resource: &Resource,
        custom_id: Option<&str>,
        wanted: Option<Wanted>,
    ) -> Result<(Identity, Option<Issued>)> {
        if custom_id.is_some_and(|id| id.is_empty() || id.len() > MAX_CUSTOM_ID) {
            let message = format!("A customId has 1 to {MAX_CUSTOM_ID} bytes.");
            let error = Error::new(ErrorKind::Invalid, "ValidationError", message);
            return Err(error.target("customId"));
        }
        let id = RawId::user(&resource.id, &Uuid::new_v4().to_string());
        let issues = Issues { now: self.0.clock.now(), token: wanted.is_some() };
        let stored = store::create(&self.0.db, &resource.name, &id, custom_id, issues).await?;
        self.remember(&stored.id, Generation::Current(stored.generation));
        let issued = wanted
            .map(|wanted| self.sign(resource, &stored.id, stored.generation, wanted))
            .transpose()?;
        Ok((stored.into(), issued))
    }

    /// A new token.
    pub(crate) async fn issue(
        &self,
        resource: &Resource,
        id: &RawId,
        wanted: Wanted,
    ) -> Result<Issued> {
        let generation = match id.belongs_to(&resource.id) {
            true => store::issue(&self.0.db, id, self.0.clock.now()).await?,
            false => None,
        };
        let generation = generation.ok_or_else(|| no_such_identity(resource, id))?;
        self.sign(resource, id, generation, wanted)
    }

    /// Ends every token of an identity.
    pub(crate) async fn revoke(&self, resource: &Resource, id: &RawId) -> Result<()> {
        let generation = match id.belongs_to(&resource.id) {
            true => store::revoke(&self.0.db, id, self.0.clock.now()).await?,
            false => None,
        };
        let generation = generation.ok_or_else(|| no_such_identity(resource, id))?;
        self.end(id, Generation::Current(generation), Ending::Revoked);
        Ok(())
    }

    /// Ends an identity. One that is gone already is gone.
    pub(crate) async fn delete(&self, resource: &Resource, id: &RawId) -> Result<()> {
        if !id.belongs_to(&resource.id) {
            return Err(no_such_identity(resource, id));
        }
        store::delete(&self.0.db, id, self.0.clock.now()).await?;
        self.end(id, Generation::Deleted, Ending::Deleted);
        Ok(())
    }

    /// An identity.
    pub(crate) async fn get(&self, resource: &Resource, id: &RawId) -> Result<Identity> {
        let stored = match id.belongs_to(&resource.id) {
            true => store::find(&self.0.db, id).await?,
            false => None,
        };
        Ok(stored.ok_or_else(|| no_such_identity(resource, id))?.into())
    }

    fn claims(&self, token: &str) -> std::result::Result<Arc<Claims>, TokenRefusal> {
        let name: [u8; 32] =
            digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes");
        if let Some(claims) = self.0.tokens.get(&name) {
            return Ok(claims);
        }
        let claims = Arc::new(token::verify(token, |kid| self.0.keys.point(kid))?);
        Ok(self.0.tokens.put(name, claims, |_, _| false))
    }

    /// The generation of an identity, whose token says that it is at least `at_least`: what is
    /// remembered may be from before a revocation by another server.
    async fn generation_of(&self, id: &RawId, at_least: i64) -> Result<Generation> {
        let remembered = self.0.generations.get(id);
        if let Some(generation) = remembered.filter(|it| *it >= Generation::Current(at_least)) {
            return Ok(generation);
        }
        let stored = store::find(&self.0.db, id).await?;
        let generation =
            stored.map_or(Generation::Deleted, |it| Generation::Current(it.generation));
        Ok(self.remember(id, generation))
    }

    /// A revocation may overtake a look into the store: what is further on wins.
    fn remember(&self, id: &RawId, generation: Generation) -> Generation {
        self.0.generations.put(id.clone(), generation, |present, new| present > new)
    }

    fn end(&self, id: &RawId, generation: Generation, ending: Ending) {
        self.remember(id, generation);
        let before = match generation {
            Generation::Current(generation) => generation,
            Generation::Deleted => i64::MAX,
        };
        // Without listeners there is nothing open to close.
        let _ = self.0.endings.send(Ended { user: id.clone(), ending, before });
    }

    fn sign(
        &self,
        resource: &Resource,
        id: &RawId,
        generation: i64,
        wanted: Wanted,
    ) -> Result<Issued> {
        let issued = self.0.clock.now();
        let expires = Timestamp::from_secs((issued + wanted.lifetime).as_secs());
        let keys = resource.keys.current();
        let claims = Claims::of(&Grant {
            user: id,
            resource_id: &resource.id,
            scopes: wanted.scopes,
            generation,
            key_mark: &token::key_mark(keys.get(wanted.slot)),
            issued,
            expires,
        });
        let token = self.0.keys.with_newest(|key| token::sign(&claims, key))?;
        Ok(Issued { token, expires })
    }
}

impl From<Stored> for Identity {
    fn from(stored: Stored) -> Self {
        Self { id: stored.id, custom_id: stored.custom_id, last_token_at: stored.last_token_at }
    }
}

pub(crate) fn unauthenticated(refusal: TokenRefusal) -> Error {
    let cause = refusal.cause();
    Error::new(ErrorKind::Unauthenticated, "Unauthorized", refusal.to_string()).because(cause)
}

fn no_such_identity(resource: &Resource, id: &RawId) -> Error {
    let message = format!(
        "The identity '{}' does not exist in the resource '{}': it was deleted, or it belongs to \
         another resource.",
        id.as_str().escape_debug(),
        resource.name
    );
    Error::new(ErrorKind::NotFound, "IdentityNotFound", message).target("id")
}
