//! A program that signs addresses anew: started without a shell, asked by its input.

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{MAX_ANSWER, TIMEOUT, is_web, question, read_answer, told};
use crate::ports::references::{RefreshError, UrlRefresher};

/// The most bytes of its complaints that are kept: its last line is told.
const MAX_COMPLAINT: usize = 4 * 1024;

/// A program and its arguments. The address is no argument, so none can be taken for a flag.
#[derive(Clone)]
pub struct RefreshCommand {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

impl fmt::Debug for RefreshCommand {
    /// The arguments may have a key in them.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("RefreshCommand");
        shown.field("program", &self.program).field("n_arguments", &self.arguments.len());
        shown.field("timeout", &self.timeout).finish()
    }
}

/// What a program left behind.
struct Output {
    status: ExitStatus,
    answer: Vec<u8>,
    complaint: Vec<u8>,
}

impl RefreshCommand {
    /// Takes a program and its arguments; nothing when there is no word.
    pub fn of_words(words: &[String]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        let (program, arguments) = (program.clone(), arguments.to_vec());
        Some(Self { program, arguments, timeout: TIMEOUT })
    }

    /// Lets it take less or more time.
    #[cfg(test)]
    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn failed(&self, why: &str) -> RefreshError {
        RefreshError::Failed(format!("the refresh command {:?} {why}", self.program))
    }

    async fn ask(&self, url: &str) -> io::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let group = Group::of(&child);
        let (mut stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ask = async {
            if let Some(stdin) = &mut stdin {
                // It may answer without reading the question.
                let _ = stdin.write_all(&question(url)).await;
            }
            drop(stdin);
        };
        // One byte more than allowed tells that there was more.
        let (_, answer, complaint) =
            tokio::join!(ask, head(stdout, MAX_ANSWER + 1), tail(stderr, MAX_COMPLAINT));
        let (answer, complaint) = (answer?, complaint?);
        if answer.len() > MAX_ANSWER {
            // It may go on for ever; the group is ended with this call.
            return Err(io::Error::other("gave more than 64 KiB"));
        }
        let status = child.wait().await?;
        group.has_ended();
        Ok(Output { status, answer, complaint })
    }
}

#[async_trait]
impl UrlRefresher for RefreshCommand {
    fn can_refresh(&self, url: &str) -> bool {
        is_web(url)
    }

    async fn refresh(&self, url: &str, _life: Duration) -> Result<String, RefreshError> {
        let output = tokio::time::timeout(self.timeout, self.ask(url)).await;
        let output = output
            .map_err(|_| {
                let after = humantime::format_duration(self.timeout);
                self.failed(&format!("gave no answer within {after}"))
            })?
            .map_err(|error| self.failed(&format!("failed: {error}")))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.complaint);
            let last = complaint.lines().rfind(|line| !line.trim().is_empty());
            let last = last.map(|line| format!(": {}", told(line, url))).unwrap_or_default();
            return Err(self.failed(&format!("ended with {}{last}", output.status)));
        }
        read_answer(&output.answer).map_err(|why| self.failed(why))
    }
}

/// The first bytes of what is written.
async fn head(from: Option<impl AsyncRead + Unpin>, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most as u64).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The last bytes of what is written.
async fn tail(from: Option<impl AsyncRead + Unpin>, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let Some(mut from) = from else { return Ok(bytes) };
    while from.read_buf(&mut bytes).await? > 0 {
        if bytes.len() > 2 * most {
            bytes.drain(..bytes.len() - most);
        }
    }
    Ok(bytes)
}

/// A program and whatever it has started; all of them end when this is dropped.
struct Group(Option<u32>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id())
    }

    /// The program has ended by itself, so that its number may soon be another's.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0
            && let Some(group) = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended by now.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
