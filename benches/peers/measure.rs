//! What a command costs: wall time, CPU time and peak memory, as the kernel counts them.
//!
//! The command is a child of a small process of its own (this program, started again), whose children's usage is then
//! the command's alone. Started from here directly, its peak would be at least ours: a child's memory counts from the
//! fork on.

use std::{
    env, fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// The first argument that makes this program the small process.
const CHILD: &str = "--measure-as-child";

/// What a command cost.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// From start to end.
    pub wall: Duration,
    /// User and system time of all its threads and children.
    pub cpu: Duration,
    /// Peak resident memory in bytes, of the largest of its processes.
    pub peak: u64,
}

/// Runs a command and measures it.
///
/// # Errors
/// What the command printed, if it ended with none of these exit codes.
pub fn run(command: &[String], codes: &[i32], folder: &Path) -> Result<Usage, String> {
    let (log, cost) = (folder.join("output"), folder.join("cost"));
    let output = fs::File::create(&log).expect("the temporary folder takes a file");
    let status = Command::new(env::current_exe().expect("this program has a path"))
        .arg(CHILD)
        .arg(&cost)
        .args(command)
        // No tool shall find a person's credentials or settings.
        .env("HOME", folder)
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file handle can be cloned"))
        .stderr(output)
        .status()
        .expect("this program can be started");
    if !status.code().is_some_and(|code| codes.contains(&code)) {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let end: Vec<&str> = text.lines().rev().take(20).collect();
        return Err(format!(
            "{command:?}: {status}\n{}",
            end.into_iter().rev().collect::<Vec<_>>().join("\n")
        ));
    }
    let cost = fs::read_to_string(cost).expect("the child wrote what it cost");
    let mut numbers = cost.split(' ').map(|number| number.parse().expect("the child writes numbers"));
    let mut next = || numbers.next().expect("the child writes three numbers");
    Ok(Usage { wall: Duration::from_micros(next()), cpu: Duration::from_micros(next()), peak: next() * 1024 })
}

/// Runs the command, where this is the small process.
pub fn as_child() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != CHILD {
        return None;
    }
    let (cost, program) = (arguments.next()?, arguments.next()?);
    let start = Instant::now();
    let status = match Command::new(&program).args(arguments).status() {
        Ok(status) => status,
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            return Some(ExitCode::from(127));
        }
    };
    let wall = start.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("every process may ask");
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    fs::write(cost, format!("{} {cpu} {}", wall.as_micros(), usage.max_rss()))
        .expect("the folder takes a file");
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Some(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
