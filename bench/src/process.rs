//! Servers as child processes: on their own core, their output in a file, gone when dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::system;

const START_PATIENCE: Duration = Duration::from_secs(60);

/// Where everything is, and on which cores it runs.
#[derive(Clone, Debug)]
pub struct Lab {
    /// The core of the servers.
    pub server_core: usize,
    /// The core of the generator.
    pub own_core: usize,
    /// The server that is measured.
    pub tidings: PathBuf,
    /// What the measured server is started under; itself when empty.
    pub under: Vec<OsString>,
    /// Where the peers are installed.
    pub peers: PathBuf,
    /// Where servers keep their state and output.
    pub work: PathBuf,
}

/// A server process.
pub struct Process {
    child: Child,
    output: PathBuf,
}

impl Lab {
    /// Starts a server on the server's core.
    pub fn start(&self, name: &str, command: &mut Command) -> Result<Process> {
        self.start_on(self.server_core, name, command)
    }

    /// Starts a program that stands in for the rest of the world, on the generator's core.
    pub fn start_beside(&self, name: &str, command: &mut Command) -> Result<Process> {
        self.start_on(self.own_core, name, command)
    }

    fn start_on(&self, core: usize, name: &str, command: &mut Command) -> Result<Process> {
        fs::create_dir_all(&self.work)?;
        let output = self.work.join(format!("{name}.out"));
        let file = File::create(&output)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        system::pin(core)?;
        let child = command.spawn();
        system::pin(self.own_core)?;
        let child = child.with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Process { child, output })
    }

    /// A folder of its own for a server, empty.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The path of an installed peer.
    pub fn peer(&self, path: &str) -> Result<PathBuf> {
        let path = self.peers.join(path);
        anyhow::ensure!(path.exists(), "{} is missing; run scripts/install-peers", path.display());
        Ok(path)
    }
}

impl Process {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it listens.
    pub fn await_port(&mut self, address: SocketAddr) -> Result<()> {
        self.await_that(|| TcpStream::connect(address).is_ok())
    }

    /// Waits until a file is there.
    pub fn await_file(&mut self, path: &Path) -> Result<()> {
        self.await_that(|| path.exists())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        system::terminate(self.pid())?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("it ended with {status}: {}", fs::read_to_string(&self.output)?);
        }
        Ok(())
    }

    fn await_that(&mut self, ready: impl Fn() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || started.elapsed() > START_PATIENCE {
                let said = fs::read_to_string(&self.output).unwrap_or_default();
                bail!("the server did not start ({ended:?}); it said:\n{said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
