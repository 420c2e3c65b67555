//! Where the ledger of real money may lie: on a disk whose locks hold.

use std::path::Path;

use crate::adapters::disk::shared_file_system;
use crate::cli::layers::{ALLOW_NETWORK_LEDGER, Layers};
use crate::cli::resolve::allows_network_ledger;
use crate::commands::failure::Failure;
use crate::exit::Exit;

/// Refuses to spend from a ledger on a network file system, unless the user says otherwise.
pub(super) fn refuse_network_ledger(folder: &Path, layers: &Layers) -> Result<(), Failure> {
    let is_allowed = allows_network_ledger(layers).map_err(|error| {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Invalid };
        Failure::new(exit, error)
    })?;
    let shared = shared_file_system(folder).map_err(|error| {
        let text = format!("the disk of {} cannot be asked: {error}", folder.display());
        Failure::new(Exit::Environment, text)
    })?;
    judge(folder, shared, is_allowed)
}

/// Whether a ledger may be spent from that lies on such a file system.
fn judge(folder: &Path, shared: Option<&str>, is_allowed: bool) -> Result<(), Failure> {
    let Some(name) = shared.filter(|_| !is_allowed) else { return Ok(()) };
    let text = format!(
        "the ledger's folder {} is on a network file system ({name}): its locks may hold back no \
         other machine, and two runs could spend the same money",
        folder.display()
    );
    Err(Failure::new(Exit::Invalid, text).with_hint(format!(
        "name a folder on a local disk with --ledger DIR; when only this machine uses that one: {}",
        ALLOW_NETWORK_LEDGER.flag
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layers::Origin;

    fn given(text: &str, origin: Origin) -> Layers {
        let mut layers = Layers::default();
        layers.put(ALLOW_NETWORK_LEDGER, text, origin);
        layers
    }

    #[test]
    fn a_ledger_on_a_network_file_system_is_refused_and_the_way_out_is_named_row_44() {
        let folder = Path::new("/mnt/team/ledger");
        let failure = judge(folder, Some("NFS"), false).expect_err("a network file system");
        assert_eq!(failure.exit, Exit::Invalid);
        let said = "the ledger's folder /mnt/team/ledger is on a network file system (NFS): its \
                    locks may hold back no other machine, and two runs could spend the same money";
        assert_eq!(failure.to_string(), said);
        let hint = failure.hint.expect("a hint");
        assert!(
            hint.contains("--ledger DIR") && hint.ends_with("--allow-network-ledger"),
            "{hint}"
        );
        assert!(judge(folder, Some("NFS"), true).is_ok());
        assert!(judge(folder, None, false).is_ok());
    }

    #[test]
    fn the_user_can_allow_it_and_a_saved_plan_cannot() {
        for (text, origin, is_allowed) in [
            ("true", Origin::Flag("--allow-network-ledger"), true),
            ("true", Origin::Env("IMAGEMILL_ALLOW_NETWORK_LEDGER".to_owned()), true),
            ("true", Origin::UserFile("config.toml:1".to_owned()), true),
            ("true", Origin::Plan("plan.json".to_owned()), false),
            ("false", Origin::UserFile("config.toml:1".to_owned()), false),
        ] {
            let found = allows_network_ledger(&given(text, origin.clone())).expect("valid");
            assert_eq!(found, is_allowed, "{text} {origin}");
        }
        assert!(!allows_network_ledger(&Layers::default()).expect("valid"));
        let env = Origin::Env("IMAGEMILL_ALLOW_NETWORK_LEDGER".to_owned());
        allows_network_ledger(&given("yes", env)).expect_err("true or false");
    }
}
