//! `imagemill sim`: the rehearsal server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;

use crate::adapters::system::TokioClock;
use crate::cli::args::sim::SimArgs;
use crate::commands::failure::Failure;
use crate::commands::signals;
use crate::commands::world::World;
use crate::domain::sim::SimSpec;
use crate::domain::suggest::{closest, did_you_mean};
use crate::exit::Exit;
use crate::pipeline::stop::Stop;
use crate::ports::clock::Clock;
use crate::report::progress::StatusRequest;
use crate::report::words;
use crate::server::sim::{Bill, SimOptions, SimServer, Stats};

/// Serves until a signal, or for the time that was asked for.
///
/// # Errors
/// When an argument is wrong or the address cannot be used.
pub fn run(world: &World, args: &SimArgs) -> Result<Exit, Failure> {
    let address = address(&args.listen)?;
    let duration = args.duration.as_deref().map(duration).transpose()?;
    let options = options(world, args)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Environment, error))?;
    let stop = Arc::new(Stop::default());
    let _signals = signals::listen(&stop, StatusRequest::default());
    let (bill, stats) = runtime.block_on(serve(world, address, options, duration, stop))?;
    world.printer.result(&goodbye(&bill, &stats));
    Ok(Exit::Ok)
}

async fn serve(
    world: &World,
    address: SocketAddr,
    options: SimOptions,
    duration: Option<Duration>,
    stop: Arc<Stop>,
) -> Result<(Bill, Stats), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::live());
    let failed = |error| {
        Failure::new(Exit::Environment, format!("cannot listen on {address}: {error}"))
            .with_hint("--listen 127.0.0.1:0 takes a free port")
    };
    let spec = options.spec.to_string();
    let server = SimServer::bind(address, options, Arc::clone(&clock)).await.map_err(failed)?;
    let address = server.address().map_err(failed)?;
    // Scripts wait for this line, so it is the first and alone on standard output.
    world.printer.result(&format!("listening on http://{address}/v1\n"));
    world.printer.say(&format!("behaves as: {spec}; Ctrl-C ends it"));
    let end = async {
        match duration {
            Some(duration) => tokio::select! {
                // Biased: which of both ends it makes no difference.
                biased;
                () = stop.draining() => {}
                () = clock.sleep(duration) => {}
            },
            None => stop.draining().await,
        }
    };
    Ok(server.serve(end).await)
}

fn options(world: &World, args: &SimArgs) -> Result<SimOptions, Failure> {
    let spec = match &args.sim {
        Some(text) => SimSpec::live_default()
            .overridden(text)
            .map_err(|error| Failure::new(Exit::Usage, format!("--sim: {error}")))?,
        None => SimSpec::live_default(),
    };
    let book = world.price_book(args.prices.as_deref().map(Path::new))?;
    if !book.providers().any(|known| known == args.provider) {
        let meant = closest(&args.provider, book.providers()).map(str::to_owned);
        let text =
            format!("nobody has prices for provider {:?}{}", args.provider, did_you_mean(&meant));
        return Err(Failure::new(Exit::Usage, text)
            .with_hint("imagemill prices list shows those that have, --prices FILE adds others"));
    }
    Ok(SimOptions {
        spec,
        book,
        provider: args.provider.clone(),
        n_image_bytes: args.image_bytes,
        refs_signed: args.refs_signed,
    })
}

/// An address of this machine that nobody else can reach.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let address: SocketAddr = numeric.parse().map_err(|_| {
        Failure::new(
            Exit::Usage,
            format!("--listen takes an address such as 127.0.0.1:8787, not {text:?}"),
        )
    })?;
    if address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    Err(Failure::new(
        Exit::Usage,
        format!("the rehearsal server is for this machine only, not {address}"),
    )
    .with_hint("--listen 127.0.0.1:8787"))
}

fn duration(text: &str) -> Result<Duration, Failure> {
    humantime::parse_duration(text).map_err(|error| {
        Failure::new(Exit::Usage, format!("--for takes a time such as 10s: {error}"))
    })
}

fn goodbye(bill: &Bill, stats: &Stats) -> String {
    let references = match stats.references.requests {
        0 => String::new(),
        n => format!(
            "received {} for references, at most {} at once; served {}\n",
            words::count(n, "request"),
            stats.references.max_in_flight,
            stats.references.served
        ),
    };
    let images = format!(
        "received {} on {}, at most {} at once; would bill {} ({} delivered, {} not)\n",
        words::count(stats.requests, "request"),
        words::count(stats.connections, "connection"),
        stats.max_in_flight,
        words::dollars(bill.total),
        words::dollars(bill.delivered),
        words::dollars(bill.undelivered)
    );
    references + &images
}
