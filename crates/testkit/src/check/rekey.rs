use record::control::Control;
use record::facet::Facet;
use tlog::KeyHistory;

use super::tree::Tree;
use super::{Contents, Violation, broken};

/// The keys of a ledger, from its genesis and its records of changes: each must hold (docs/format.md, K1 to K4), and the key
/// in force for the register's size be the one that the register names.
pub(super) fn history(contents: &Contents, tree: &Tree) -> Result<KeyHistory, Violation> {
    let state = &contents.state;
    let mut history = None;
    for (index, (entry, stored)) in contents.decoded()?.into_iter().enumerate() {
        if !entry.kind.is_control() {
            continue;
        }
        match (Control::parse(entry.kind, &stored.facets[Facet::What as usize]), &mut history) {
            (Ok(Control::Genesis(genesis)), None) => {
                let begun = KeyHistory::new(&state.origin, &genesis.log_vkey, &genesis.authority_vkey);
                history = Some(begun.or_else(|error| broken(contents.at(index), error))?);
            }
            (Ok(Control::Key(change)), Some(history)) => {
                let (statement, checkpoint) = (change.statement.as_bytes(), change.checkpoint.as_bytes());
                let change = history.push(index as u64, statement, checkpoint);
                let statement = &change.or_else(|error| broken(contents.at(index), error))?.statement;
                if statement.size > tree.size() || tree.root(statement.size) != statement.root {
                    return broken(contents.at(index), "K3: the statement is about another tree");
                }
            }
            _ => {}
        }
    }
    match history {
        Some(history) if history.in_force(state.size).to_string() == state.vkey => Ok(history),
        Some(_) => broken(&state.name, "the records name another key than the register"),
        None => broken(&state.name, "there is no genesis"),
    }
}
