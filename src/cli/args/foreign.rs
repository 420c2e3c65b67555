//! What other tools call the limits; each is answered with the name that it has here.

use clap::Args;
use clap::builder::UnknownArgumentValueParser;

/// Flags that mean nothing here, and whose nearest of our names would be the wrong one.
#[derive(Clone, Debug, Default, Args)]
pub struct ForeignLimits {
    #[arg(
        long,
        hide = true,
        value_parser = UnknownArgumentValueParser::suggest_arg("--limit-per-run")
    )]
    budget: Option<String>,

    #[arg(
        long,
        hide = true,
        value_parser = UnknownArgumentValueParser::suggest_arg("--limit-per-run")
    )]
    max_cost: Option<String>,

    #[arg(
        long,
        hide = true,
        value_parser = UnknownArgumentValueParser::suggest_arg("--limit-per-run")
    )]
    limit: Option<String>,

    #[arg(
        long,
        hide = true,
        value_parser = UnknownArgumentValueParser::suggest_arg("--limit-per-day")
    )]
    daily_limit: Option<String>,
}
