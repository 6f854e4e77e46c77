//! The one place that prints: data to stdout, everything else to stderr, colour on a terminal only.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::outcome::Exit;

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const BOLD: Style = Style::new().bold();

/// Prints data: one line of stdout.
pub(crate) fn data(text: &str) {
    written(writeln!(anstream::stdout(), "{text}"));
}

/// Prints a line of what is read by programs, as it is: control characters that are part of a value are not taken out.
pub(crate) fn line(text: &str) {
    written(writeln!(std::io::stdout(), "{text}"));
}

/// Prints data as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    written(writeln!(std::io::stdout(), "{text}"));
    Ok(())
}

/// Ends the program when nobody reads what it prints, or when it cannot be written: going on would help nobody.
fn written(outcome: std::io::Result<()>) {
    match outcome {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            std::process::exit(Exit::Done as i32)
        }
        Err(failure) => {
            error(&format!("standard output cannot be written to: {failure}"));
            std::process::exit(Exit::Unreachable as i32)
        }
    }
}

/// Prints data as a table.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    data(&table_text(header, rows));
}

/// Returns a table as text.
pub(crate) fn table_text<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Says something to the person at the terminal.
pub(crate) fn say(text: &str) {
    anstream::eprintln!("{text}");
}

/// Says what the next part is about.
pub(crate) fn title(text: &str) {
    anstream::eprintln!("\n{BOLD}{text}{BOLD:#}");
}

/// Says more about it.
pub(crate) fn detail(text: &str) {
    anstream::eprintln!("    {text}");
}

/// Says that something is good.
pub(crate) fn good(text: &str) {
    anstream::eprintln!("  {GREEN}✓{GREEN:#} {text}");
}

/// Says what went wrong.
pub(crate) fn error(text: &str) {
    anstream::eprintln!("{RED}error:{RED:#} {text}");
}

/// Says what can be done.
pub(crate) fn hint(text: &str) {
    anstream::eprintln!("{CYAN}hint:{CYAN:#} {text}");
}
