//! `imagemill sim`.

use clap::Args;

use crate::cli::args::TEMPLATE;

/// Arguments of `sim`.
#[derive(Clone, Debug, Args)]
#[command(
    before_help = "\
Examples:
  imagemill sim                                   serve on http://127.0.0.1:8787/v1
  imagemill sim --listen 127.0.0.1:0 --for 2s     on a free port, which it prints; for a script
  imagemill sim --sim 'latency=2s±30%,429=5%,errors=2%,seed=7'    a rough provider
  imagemill sim --refs-signed                     references only for signed addresses
",
    help_template = TEMPLATE,
    after_help = "\
In another terminal:
  imagemill run rows.csv --live --rehearsal --provider openai --model gpt-image-2 \\
    --base-url http://127.0.0.1:8787/v1

A magic word in a prompt decides what becomes of that request: [sim:500], or [sim:500 x2] for the
first two with that prompt. The words: 500 429 hang drop truncated malformed empty short extra
not-an-image zero-usage overrun html refused refused-output 400 401 402 403 404 quota redirect echo

GET /bill says what it would charge (?entries=1: each request), GET /stats what it has seen.

References: GET /refs/NAME.png is a small picture, the same for the same name. These before the
name make it otherwise: size/BYTES slow/TIME flaky/TIMES status/CODE trickle endless short drop gzip
wrong-type svg bomb redirect redirect-to-private redirect-loop, as in /refs/slow/3s/a.png. They are
the bucket s3://refs; seed --references-ttl signs addresses of it that expire. The key and its name
are both imagemill-sim. They are public and no secret, and they open this server only:
  AWS_ENDPOINT_URL=http://127.0.0.1:8787 AWS_ACCESS_KEY_ID=imagemill-sim
  AWS_SECRET_ACCESS_KEY=imagemill-sim AWS_REGION=us-east-1
An address that has expired or is signed wrongly gets 403 as from S3; of a signature in a header
only the key's name is checked."
)]
pub struct SimArgs {
    /// Where to listen; only this machine can reach it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    pub listen: String,

    /// How it behaves: latency, shares of faults, seed; as in run --sim [default: latency=50ms]
    #[arg(long, value_name = "SPEC")]
    pub sim: Option<String>,

    /// Whose prices it takes
    #[arg(long, value_name = "NAME", default_value = "openai")]
    pub provider: String,

    /// A price file laid over the built-in price book
    #[arg(long, value_name = "FILE")]
    pub prices: Option<String>,

    /// Send small pictures whose files are about this long, such as 2048
    #[arg(long, value_name = "BYTES")]
    pub image_bytes: Option<usize>,

    /// References need a signed address; without this an unsigned one will do
    #[arg(long)]
    pub refs_signed: bool,

    /// End after this time; else with Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    pub duration: Option<String>,
}
