//! The whole program as one function: arguments in, exit out.

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::args::{Cli, ColorChoice, Command};
use crate::cli::env_vars;
use crate::cli::invocation::Invocation;
use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::commands::{
    canary, completions, config, doctor, init, ledger, prices, refs, report, run, runs, seed, sim,
};
use crate::exit::Exit;
use crate::report::printer::{Printer, Terminal};

/// Does what the arguments ask.
pub fn main(invocation: Invocation) -> Exit {
    let cli = match Cli::try_parse_from(&invocation.args) {
        Ok(cli) => cli,
        Err(error) => return parse_failure(&invocation, &error),
    };
    let printer = Printer::new(terminal(&invocation, cli.color));
    let world = World::new(invocation, printer, &cli);
    let done = match &cli.command {
        Command::Run(args) => return run::run(&world, args),
        Command::Seed(args) => seed::run(&world, args),
        Command::NameTest(args) => run::name_test::run(&world, args),
        Command::Canary(command) => canary::run(&world, command),
        Command::Ledger(command) => ledger::run(&world, command),
        Command::Runs(command) => runs::run(&world, command),
        Command::Report(args) => report::run(&world, args),
        Command::Refs(command) => refs::run(&world, command),
        Command::Prices(command) => prices::run(&world, command),
        Command::Sim(args) => sim::run(&world, args),
        Command::Doctor(args) => doctor::run(&world, args),
        Command::Init(args) => init::run(&world, args),
        Command::Config(command) => config::run(&world, command),
        Command::Completions { shell } => completions::completions(&world, *shell),
        Command::Man { dir } => completions::man(&world, dir.as_deref()),
    };
    done.unwrap_or_else(|failure| tell(&printer, &failure))
}

fn tell(printer: &Printer, failure: &Failure) -> Exit {
    match &failure.picture {
        Some(picture) => printer.say(picture.trim_end()),
        None => printer.error(failure.error.as_ref(), failure.hint.as_deref()),
    }
    failure.exit
}

/// Help and version are results; everything else that clap says is a usage error.
fn parse_failure(invocation: &Invocation, error: &clap::Error) -> Exit {
    let printer = Printer::new(terminal(invocation, ColorChoice::Auto));
    let text = error.render();
    let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let color = if is_asked_for { printer.color() } else { printer.color_stderr() };
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    if is_asked_for {
        printer.result(&text);
        Exit::Ok
    } else {
        printer.say(text.trim_end());
        Exit::Usage
    }
}

/// Flag over `NO_COLOR` over `CLICOLOR_FORCE` over the terminal itself.
fn terminal(invocation: &Invocation, choice: ColorChoice) -> Terminal {
    let env = |name: &str| invocation.env(name);
    let color = |is_terminal: bool| match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if env(env_vars::NO_COLOR.name).is_some() => false,
        ColorChoice::Auto if env(env_vars::CLICOLOR_FORCE.name).is_some_and(|it| it != "0") => true,
        ColorChoice::Auto => is_terminal && env(env_vars::TERM.name) != Some("dumb"),
    };
    Terminal {
        color_stdout: color(invocation.stdout_is_terminal),
        color_stderr: color(invocation.stderr_is_terminal),
        width: invocation
            .terminal_width
            .or_else(|| env(env_vars::COLUMNS.name).and_then(|text| text.parse().ok())),
    }
}
