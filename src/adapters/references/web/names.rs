//! From the name of a host to the addresses that may be asked, once for each connection.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::domain::egress::{AllowList, Passage};

/// Who knows the addresses of a name.
#[async_trait]
pub trait Names: Debug + Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When nobody knows it, or nobody answers.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        let found = bounded(&LOOKUPS, move || (host.as_str(), 0).to_socket_addrs()).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// The most names that the machine's resolver is asked for at once. Nothing can end a question to
/// it, and each keeps a thread until it is answered, also when the try that wanted it is over. Four
/// fetches at once with their retries stay below it even when no name server answers.
const MAX_LOOKUPS: usize = 32;

/// What bounds the questions to the machine's resolver.
static LOOKUPS: Semaphore = Semaphore::const_new(MAX_LOOKUPS);

/// Asks on a thread that may wait; the place is free when the thread is, not when the caller is.
async fn bounded<T: Send + 'static>(
    places: &'static Semaphore,
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = places.acquire().await.map_err(io::Error::other)?;
    let asked = spawn_blocking(move || {
        let _place = place;
        ask()
    });
    asked.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Asks for the addresses of a name and hands on those only that may be asked, so that whoever
/// connects has no others. A second question could have a second answer; there is none.
#[derive(Debug)]
pub(super) struct GatedNames {
    pub(super) names: Arc<dyn Names>,
    /// By what right is asked; nothing for the name of a proxy, which the user has chosen.
    pub(super) passage: Option<Passage>,
    pub(super) allowed: Arc<AllowList>,
}

impl Resolve for GatedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, passage) = (Arc::clone(&self.names), self.passage.clone());
        let allowed = Arc::clone(&self.allowed);
        Box::pin(async move {
            let (mut open, mut refused) = (Vec::new(), None);
            for address in names.addresses(name.as_str()).await? {
                let judged = passage.as_ref().map(|it| it.check_peer(address, &allowed));
                match judged.transpose() {
                    // The port is the one of the address that is asked.
                    Ok(_) => open.push(SocketAddr::new(address, 0)),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            match refused {
                Some(error) if open.is_empty() => Err(error.into()),
                None if open.is_empty() => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
                Some(_) | None => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use futures_util::FutureExt;

    use super::*;

    /// One answer for each question, in their order.
    #[derive(Debug)]
    struct Script(Mutex<Vec<&'static [&'static str]>>);

    #[async_trait]
    impl Names for Script {
        async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            let answer = self.0.lock().expect("no holder panics").remove(0);
            Ok(answer.iter().map(|it| it.parse().expect(it)).collect())
        }
    }

    fn gated(
        answers: &[&'static [&'static str]],
        passage: Option<Passage>,
        allowed: &str,
    ) -> GatedNames {
        let names = Arc::new(Script(Mutex::new(answers.to_vec())));
        GatedNames { names, passage, allowed: Arc::new(allowed.parse().expect("a list")) }
    }

    async fn ask(names: &GatedNames) -> Result<Vec<String>, String> {
        let name = "refs.example".parse().expect("a name");
        match names.resolve(name).await {
            Ok(addresses) => Ok(addresses.map(|it| it.ip().to_string()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn of_a_mixed_answer_the_open_ones_are_left_in_their_order_row_66() {
        let mixed: &[&str] = &["10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111", "10.1.0.1"];
        for (passage, allowed, wanted) in [
            (Passage::First, "", &["8.8.8.8", "2606:4700:4700::1111"][..]),
            (Passage::Public, "10.0.0.0/8", &["8.8.8.8", "2606:4700:4700::1111"]),
            (Passage::First, "10.1.0.0/16", &["8.8.8.8", "2606:4700:4700::1111", "10.1.0.1"]),
        ] {
            let names = gated(&[mixed], Some(passage), allowed);
            assert_eq!(ask(&names).await.expect("some are left"), wanted, "{allowed}");
        }
        let names = gated(&[mixed], None, "");
        assert_eq!(ask(&names).await.expect("a proxy is the user's choice").len(), 5);
    }

    #[tokio::test]
    async fn an_earlier_answer_vouches_for_no_later_one_row_65() {
        let names = gated(&[&["8.8.8.8"], &["127.0.0.1"], &[]], Some(Passage::First), "");
        assert_eq!(ask(&names).await.expect("public"), ["8.8.8.8"]);
        let refused = ask(&names).await.expect_err("it leads home now");
        assert!(refused.starts_with("127.0.0.1 is a loopback address"), "{refused}");
        assert_eq!(ask(&names).await.expect_err("none"), "the name has no address");
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_keeps_its_place_until_it_is_answered() {
        static PLACES: Semaphore = Semaphore::const_new(2);
        let (answer, answers) = mpsc::channel::<()>();
        let answers = Arc::new(Mutex::new(answers));
        for _ in 0..2 {
            let answers = Arc::clone(&answers);
            let asked = bounded(&PLACES, move || {
                answers.lock().expect("no holder panics").recv().map_err(io::Error::other)
            });
            assert!(asked.now_or_never().is_none(), "its answer takes long");
        }
        assert_eq!(PLACES.available_permits(), 0, "both are dropped, and both threads wait");
        let third = bounded(&PLACES, || Ok("an answer"));
        tokio::pin!(third);
        assert!(third.as_mut().now_or_never().is_none(), "it waits for a place");
        answer.send(()).expect("somebody waits");
        assert_eq!(third.await.expect("its turn has come"), "an answer");
        answer.send(()).expect("somebody waits");
    }
}
