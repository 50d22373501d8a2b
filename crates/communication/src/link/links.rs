//! The links of all resources: stored with the connection string sealed, and read anew for each send,
//! so that a change holds at once on every node.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kernel::{Clock, Error, ErrorKind, Result, Timestamp};
use storage::{Db, MasterKey, Migration, Row, vals};
use wire::ResourceId;

use super::answer::Sent;
use super::connection::HubConnection;
use super::fault::{Counters, Fault, FaultKind, Stage, refusal};
use super::hub::{Hub, Push};
use super::probe::{self, HubDirectory, Platform};

/// What `Db::migrate` is given under the name `communication-links`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "linked hubs",
    sql: "CREATE TABLE communication_links (
            resource TEXT NOT NULL PRIMARY KEY,
            hub_id TEXT NOT NULL,
            sealed BLOB NOT NULL,
            linked_at BIGINT NOT NULL,
            fault_code TEXT,
            fault_detail TEXT,
            fault_at BIGINT
          );",
}];

const HUB_TYPE: &str = "Microsoft.NotificationHubs/namespaces/notificationHubs";

/// The hub of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The hub's id.
    pub hub_id: ResourceId,
    /// What opens it.
    pub connection: HubConnection,
}

impl Link {
    /// The hub's name.
    pub(crate) fn hub(&self) -> &str {
        self.hub_id.name()
    }
}

/// How a link does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// The hub's id.
    pub hub_id: ResourceId,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// What the last send that failed for the link's sake has found, and when. A send that works
    /// forgets it.
    pub fault: Option<(Fault, Timestamp)>,
}

/// The links. Cheap to clone.
#[derive(Clone)]
pub struct Links(Arc<Inner>);

struct Inner {
    db: Db,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
    hub: Hub,
    directory: Arc<dyn HubDirectory>,
    counters: Counters,
    /// The resources that have a hub, as last read.
    linked: ArcSwap<HashSet<String>>,
}

/// How often it is looked whether another node has linked a hub.
const REFRESH_EVERY: Duration = Duration::from_secs(1);

impl Links {
    /// The links in `db`, whose table is made where it is missing.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub async fn open(
        db: Db,
        master: Arc<MasterKey>,
        clock: Arc<dyn Clock>,
        hub: Hub,
        directory: Arc<dyn HubDirectory>,
    ) -> Result<Self> {
        db.migrate("communication-links", MIGRATIONS).await?;
        let counters = Counters::default();
        let linked = ArcSwap::default();
        let links = Self(Arc::new(Inner { db, master, clock, hub, directory, counters, linked }));
        links.refresh().await?;
        Ok(links)
    }

    /// Notices what other nodes link, for ever.
    pub async fn watch(&self) {
        let mut interval = tokio::time::interval(REFRESH_EVERY);
        loop {
            interval.tick().await;
            if let Err(error) = self.refresh().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot look for linked notification hubs");
            }
        }
    }

    /// Whether a resource has a hub: at once what this node has changed, within about a second what
    /// another has. Without a hub there is no work to be written.
    pub(crate) fn is_linked(&self, resource: &str) -> bool {
        self.0.linked.load().contains(resource)
    }

    pub(super) async fn refresh(&self) -> Result<()> {
        let rows = self.0.db.query("SELECT resource FROM communication_links", []).await?;
        let linked = rows.iter().map(|row| Ok(row.get(0)?)).collect::<Result<HashSet<String>>>()?;
        if **self.0.linked.load() != linked {
            self.0.linked.store(Arc::new(linked));
        }
        Ok(())
    }

    /// Links a hub to a resource, in place of the one before. What is wrong with it but does not speak
    /// against it, such as a platform without credentials, is returned.
    ///
    /// # Errors
    /// `Invalid` with everything that speaks against the hub, under the code of the first fault.
    pub async fn link(
        &self,
        resource: &str,
        hub_id: &str,
        connection_string: &str,
    ) -> Result<Vec<Fault>> {
        let link = read(hub_id, connection_string).map_err(|fault| {
            self.0.counters.count(Stage::Link, fault.kind);
            refusal(&[fault])
        })?;
        let report = probe::ask(&self.0.hub, &*self.0.directory, &link).await;
        let (faults, against) = probe::findings(&report);
        if against {
            self.count(Stage::Link, &faults);
            return Err(refusal(&faults));
        }
        self.count(Stage::Link, &faults);
        for fault in &faults {
            tracing::warn!(resource, hub = link.hub(), %fault, "a linked hub has a fault");
        }
        let sealed = self.0.master.seal(connection_string.as_bytes(), &place(resource));
        let sql = "INSERT INTO communication_links
                     (resource, hub_id, sealed, linked_at, fault_code, fault_detail, fault_at)
                   VALUES ($1, $2, $3, $4, NULL, NULL, NULL)
                   ON CONFLICT (resource) DO UPDATE SET hub_id = excluded.hub_id,
                     sealed = excluded.sealed, linked_at = excluded.linked_at,
                     fault_code = NULL, fault_detail = NULL, fault_at = NULL";
        let params = vals![resource, link.hub_id.as_str(), sealed, self.0.clock.now()];
        self.0.db.execute(sql, params).await?;
        self.refresh().await?;
        tracing::info!(resource, hub = link.hub_id.as_str(), "notification hub linked");
        Ok(faults)
    }

    /// Takes the hub away. Without one nothing happens.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unlink(&self, resource: &str) -> Result<()> {
        let sql = "DELETE FROM communication_links WHERE resource = $1";
        let gone = self.0.db.execute(sql, vals![resource]).await?;
        self.refresh().await?;
        if gone.affected > 0 {
            tracing::info!(resource, "notification hub unlinked");
        }
        Ok(())
    }

    /// The hub of a resource as it is now.
    ///
    /// # Errors
    /// When the store fails, or what it keeps was sealed with another master key.
    pub async fn get(&self, resource: &str) -> Result<Option<Link>> {
        let sql = "SELECT hub_id, sealed FROM communication_links WHERE resource = $1";
        let rows = self.0.db.query(sql, vals![resource]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let sealed: Vec<u8> = row.get(1)?;
        let text = self.0.master.open(&sealed, &place(resource))?;
        let link = read(&row.get::<String>(0)?, &String::from_utf8_lossy(&text));
        link.map(Some).map_err(|fault| stored_is_wrong(&fault))
    }

    /// How the link of a resource does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn status(&self, resource: &str) -> Result<Option<LinkStatus>> {
        let sql = "SELECT hub_id, linked_at, fault_code, fault_detail, fault_at
                   FROM communication_links WHERE resource = $1";
        self.0.db.query(sql, vals![resource]).await?.first().map(status_of).transpose()
    }

    /// Sends through the hub of a resource. A fault is counted, logged and kept for its status.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn send(&self, resource: &str, push: &Push) -> Result<Sent> {
        let Some(link) = self.get(resource).await? else {
            self.0.counters.count(Stage::Send, FaultKind::NotLinked);
            let fault = Fault::new(FaultKind::NotLinked, format!("'{resource}' has no hub"));
            return Ok(Sent::Fault(fault));
        };
        let sent = match self.known_fault(&link, push.platform) {
            Some(fault) => Sent::Fault(fault),
            None => self.0.hub.send(&link, push).await,
        };
        match &sent {
            Sent::Fault(fault) => self.found(resource, fault).await?,
            Sent::Accepted => self.recovered(resource).await?,
            _ => {}
        }
        Ok(sent)
    }

    /// What is known to be wrong without asking the hub.
    fn known_fault(&self, link: &Link, platform: Platform) -> Option<Fault> {
        let mode = || self.0.directory.apns_mode(link);
        (platform == Platform::Apns).then(mode).and_then(probe::apns_fault)
    }

    /// Asks the hub of a resource, without a word to any device, whether it would carry pushes: what is
    /// wrong with it now. `None` without a hub.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn check(&self, resource: &str) -> Result<Option<Vec<Fault>>> {
        let Some(link) = self.get(resource).await? else { return Ok(None) };
        let report = probe::ask(&self.0.hub, &*self.0.directory, &link).await;
        Ok(Some(probe::findings(&report).0))
    }

    /// How often each fault was found: code, stage, number.
    pub fn counters(&self) -> Vec<(&'static str, Stage, u64)> {
        self.0.counters.read()
    }

    fn count(&self, stage: Stage, faults: &[Fault]) {
        for fault in faults {
            self.0.counters.count(stage, fault.kind);
        }
    }

    async fn found(&self, resource: &str, fault: &Fault) -> Result<()> {
        self.0.counters.count(Stage::Send, fault.kind);
        let sql = "UPDATE communication_links SET fault_code = $2, fault_detail = $3, fault_at = $4
                   WHERE resource = $1 AND (fault_code IS NULL OR fault_code <> $2)";
        let params = vals![resource, fault.kind.code(), fault.detail.as_str(), self.0.clock.now()];
        if self.0.db.execute(sql, params).await?.affected > 0 {
            tracing::warn!(resource, %fault, "the linked notification hub has failed");
        }
        Ok(())
    }

    async fn recovered(&self, resource: &str) -> Result<()> {
        // Reading is cheap, writing is not, and there is nearly never anything to forget.
        let sql = "SELECT 1 FROM communication_links
                   WHERE resource = $1 AND fault_code IS NOT NULL";
        if self.0.db.query(sql, vals![resource]).await?.is_empty() {
            return Ok(());
        }
        let sql = "UPDATE communication_links
                   SET fault_code = NULL, fault_detail = NULL, fault_at = NULL WHERE resource = $1";
        self.0.db.execute(sql, vals![resource]).await?;
        tracing::info!(resource, "the linked notification hub works again");
        Ok(())
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Links").finish_non_exhaustive()
    }
}

fn read(hub_id: &str, connection_string: &str) -> std::result::Result<Link, Fault> {
    let hub_id = ResourceId::parse(hub_id)
        .map_err(|error| Fault::new(FaultKind::ResourceId, error.message()))?;
    if !hub_id.is_of_type(HUB_TYPE) {
        let detail = format!("a resource of type {} is no hub", hub_id.resource_type());
        return Err(Fault::new(FaultKind::ResourceId, detail));
    }
    let connection = HubConnection::parse(connection_string)
        .map_err(|problem| Fault::new(FaultKind::ConnectionString, problem.to_string()))?;
    Ok(Link { hub_id, connection })
}

/// A sealed text that was moved to another row does not open.
fn place(resource: &str) -> String {
    format!("communication-link/{resource}")
}

fn status_of(row: &Row) -> Result<LinkStatus> {
    let fault = match (row.get::<Option<String>>(2)?, row.get::<Option<Timestamp>>(4)?) {
        (Some(code), Some(at)) => FaultKind::of_code(&code)
            .map(|kind| Ok::<_, Error>((Fault::new(kind, row.get::<String>(3)?), at)))
            .transpose()?,
        _ => None,
    };
    Ok(LinkStatus {
        hub_id: ResourceId::parse(&row.get::<String>(0)?)?,
        linked_at: row.get(1)?,
        fault,
    })
}

fn stored_is_wrong(fault: &Fault) -> Error {
    let message = "The stored link to a notification hub cannot be read. Link the hub again.";
    Error::new(ErrorKind::Internal, "InternalServerError", message).context(fault.to_string())
}
