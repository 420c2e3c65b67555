//! Flags for references, shared by every command that fetches them.

use clap::Args;

use crate::cli::layers::{self, Layers};

/// How references are fetched, and from where.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "References")]
pub struct FetchArgs {
    /// The most fetches at once [default: 4]
    #[arg(long, value_name = "N")]
    pub fetch_concurrency: Option<String>,

    /// The most fetches at once from one host [default: 4]
    #[arg(long, value_name = "N")]
    pub fetch_per_host: Option<String>,

    /// How long one try may take, its body included [default: 10s]
    #[arg(long, value_name = "TIME")]
    pub fetch_timeout: Option<String>,

    /// How often what may heal is tried again [default: 2]
    #[arg(long, value_name = "N")]
    pub fetch_retries: Option<String>,

    /// How long a signed address must still live when its row is claimed [default: 5m]
    #[arg(long, value_name = "TIME")]
    pub fresh_for: Option<String>,

    /// Open a network or host that the gate refuses, such as 127.0.0.1/32; may be given several
    /// times
    #[arg(long, value_name = "CIDR|HOST")]
    pub allow_refs_from: Vec<String>,

    /// The folder from which local references start [default: that of the rows file]
    #[arg(long, value_name = "DIR")]
    pub refs_base: Option<String>,

    /// Open a further folder for local references; may be given several times
    #[arg(long, value_name = "DIR")]
    pub allow_refs_below: Vec<String>,

    /// Fetch through this proxy, which then decides where requests go; the environment's is ignored
    #[arg(long, value_name = "URL")]
    pub fetch_proxy: Option<String>,
}

impl FetchArgs {
    /// Lays the flags over what is there.
    pub fn put(&self, layers: &mut Layers) {
        for (setting, flag) in [
            (layers::FETCH_CONCURRENCY, &self.fetch_concurrency),
            (layers::FETCH_PER_HOST, &self.fetch_per_host),
            (layers::FETCH_TIMEOUT, &self.fetch_timeout),
            (layers::FETCH_RETRIES, &self.fetch_retries),
            (layers::FRESH_FOR, &self.fresh_for),
            (layers::FETCH_PROXY, &self.fetch_proxy),
            (layers::REFS_BASE, &self.refs_base),
        ] {
            layers.put_flag(setting, flag.as_ref());
        }
        layers.put_flags(layers::ALLOW_REFS_FROM, &self.allow_refs_from);
        layers.put_flags(layers::ALLOW_REFS_BELOW, &self.allow_refs_below);
    }
}
