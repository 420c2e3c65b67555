//! Asks for consent to spend: never twice, never where nobody can answer, never for nothing.

use std::io;

use crate::commands::failure::Failure;
use crate::commands::world::World;
use crate::domain::consent::{Decision, Missing, decide};
use crate::domain::money::NanoUsd;
use crate::domain::plan::Plan;
use crate::domain::settings::RunSettings;
use crate::exit::Exit;
use crate::report::{prompt, words};

/// Returns once there is consent to spend what the plan may cost at most.
pub(super) fn ask_consent(
    world: &World,
    settings: &RunSettings,
    plan: &Plan,
) -> Result<(), Failure> {
    if settings.is_simulated() {
        return Ok(());
    }
    let cost = &plan.cost;
    let can_ask = world.invocation.can_ask();
    match decide(&settings.consent, cost.maximum, cost.limit_per_day, can_ask) {
        Decision::Granted => Ok(()),
        Decision::Missing(missing) => Err(refused(&missing, cost.maximum)),
        Decision::Ask { by_amount } => {
            let place = settings.origin().map_or(String::new(), |origin| format!(" ({origin})"));
            let text = format!(
                "This will spend about {}, at most {}, on {}{place}.",
                words::dollars(cost.expected),
                cost.maximum.dollars(),
                settings.spec.provider
            );
            if agrees(&text, cost.maximum, by_amount)? {
                Ok(())
            } else {
                Err(Failure::new(Exit::Usage, "not confirmed; nothing was sent, nothing was spent"))
            }
        }
    }
}

fn agrees(text: &str, maximum: NanoUsd, by_amount: bool) -> Result<bool, Failure> {
    let unanswered =
        |error| Failure::new(Exit::Usage, format!("the question was not answered: {error}"));
    let (mut asked, mut answers) = (io::stderr(), io::stdin().lock());
    if !by_amount {
        let question = format!("{text} Continue?");
        return prompt::confirm(&question, &mut asked, &mut answers).map_err(unanswered);
    }
    let question = format!("{text} More than half of a day; type {maximum} to continue:");
    let typed = prompt::type_in(&question, &mut asked, &mut answers).map_err(unanswered)?;
    Ok(typed.trim().parse::<NanoUsd>().is_ok_and(|amount| amount == maximum))
}

fn refused(missing: &Missing, maximum: NanoUsd) -> Failure {
    let hint = match missing {
        Missing::Unsaid(_) => format!(
            "add --confirm-cost {maximum} (fails if the plan gets dearer), or --yes (up to \
             confirm_above)"
        ),
        Missing::AboveYes(..) => format!("add --confirm-cost {maximum}, or set confirm_above"),
        Missing::Dearer(..) => {
            format!("look at the plan, and confirm it again: --confirm-cost {maximum}")
        }
    };
    Failure::new(Exit::Usage, format!("{missing}; nothing was sent")).with_hint(hint)
}
