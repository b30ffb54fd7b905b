//! A server's process: started, waited for, and ended with the value that stands for it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::free_port;

/// How long a server may take until it answers. Bounds a test that would otherwise hang; nothing is timed with it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that is not there yet is asked.
const POLL: Duration = Duration::from_millis(5);
/// Another process can take the port between the moment it was free and the server's start.
const ATTEMPTS: usize = 3;

/// A running program, killed on drop.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server on a free port, and returns when `ready` says yes of that port.
    ///
    /// # Panics
    /// With the program's output if it ends, or is not ready in time.
    pub async fn serve(
        log: &Path,
        command: impl Fn(u16) -> Command,
        ready: impl AsyncFn(u16) -> bool,
    ) -> (Self, u16) {
        for attempt in 1.. {
            let port = free_port();
            match Self::serve_on(port, log, command(port), &ready).await {
                Ok(process) => return (process, port),
                Err(problem) if attempt == ATTEMPTS => panic!("{problem}"),
                Err(_) => {}
            }
        }
        unreachable!("the loop ends at the last attempt")
    }

    /// The same on a port that the caller knows.
    pub async fn serve_on(
        port: u16,
        log: &Path,
        mut command: Command,
        ready: impl AsyncFn(u16) -> bool,
    ) -> Result<Self, String> {
        let output = File::create(log).expect("the temporary folder takes a log");
        let errors = output.try_clone().expect("a file handle can be cloned");
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}; `make tools` installs it"))?;
        let mut process = Self { child, log: log.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        while !ready(port).await {
            if let Ok(Some(status)) = process.child.try_wait() {
                return Err(format!("{name} ended ({status}):\n{}", process.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("{name} is not ready on port {port}:\n{}", process.log()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(process)
    }

    /// What the program has printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
