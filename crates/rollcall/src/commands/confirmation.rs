//! A question before something goes for good.

use std::io::IsTerminal;

use crate::outcome::Trouble;
use crate::printer;

/// Says what is about to happen, and asks for a word that shows that it was read; tells whether that word came. `doing` names the deed for
/// whoever cannot be asked.
///
/// # Errors
/// When nobody is at the terminal.
pub(super) fn confirmed(doing: &str, says: &str, word: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::wrong(format!("{doing} needs a yes"))
            .hint("repeat the command with --yes")
            .into());
    }
    printer::say(&format!("{says}, for good. Type `{word}` to go on:"));
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    Ok(typed.trim() == word)
}
