//! `rollcall check`.

use rollcall_app::SystemRandomness;
use rollcall_check::catalogue::Level;
use rollcall_check::{Exam, Report, Ungraded, Verdict, Word, grade};
use rollcall_model::{Randomness, Secret};

use super::app::connect;
use super::serve::stop_signal;
use crate::cli::app::TokenFrom;
use crate::cli::check::{Check, CheckToken};
use crate::config::Config;
use crate::outcome::{Exit, NEW_TOKEN, Trouble};
use crate::printer;
use crate::runtime;

/// Grades an endpoint. Exit code 1 when a promise is broken that directories rely on.
pub(crate) async fn run(config: &Config, command: Check, as_json: bool) -> anyhow::Result<Exit> {
    // whoever types an address may mean any: nobody else has a say in where this goes
    let client = runtime::client_to_anywhere(config)?;
    let base = client
        .address(&command.base)
        .map_err(|refused| Trouble::wrong(refused.to_string()))?;
    let exam = Exam {
        base,
        token: token(command.token)?,
        persona: command.persona,
        writes: command.write,
        mark: mark(),
    };
    let report = grade(&client, exam, async || drop(stop_signal().await))
        .await
        .map_err(|ungraded| match ungraded {
            Ungraded::NoAnswer(_) => Trouble::unreachable(ungraded.to_string()),
            Ungraded::Interrupted { .. } => Trouble::no(one_line(&ungraded.to_string())),
            Ungraded::Refused { .. } => Trouble::wrong(ungraded.to_string()).hint(NEW_TOKEN),
        })?;
    if as_json {
        printer::json(&report)?;
    } else {
        show(&report);
    }
    Ok(if report.is_passed() {
        Exit::Done
    } else {
        Exit::No
    })
}

fn token(from: CheckToken) -> anyhow::Result<Secret> {
    let CheckToken {
        token,
        stdin,
        file,
        env,
    } = from;
    match token {
        Some(token) => Ok(Secret::new(token)),
        None => connect::token(&TokenFrom { stdin, file, env }),
    }
}

/// Returns what nothing else there is called.
fn mark() -> String {
    let mut bytes = [0; 8];
    SystemRandomness::default().fill(&mut bytes);
    format!("{:016x}", u64::from_le_bytes(bytes))
}

fn show(report: &Report) {
    for verdict in &report.verdicts {
        printer::data(&line(verdict));
    }
    for path in &report.left_behind {
        printer::data(&left_behind(path));
    }
    printer::data(&summary(report));
}

fn left_behind(path: &str) -> String {
    let path = one_line(path);
    format!("! {path} may still be there, and was created for this test: delete it there")
}

fn line(verdict: &Verdict) -> String {
    let promise = verdict.promise;
    let found = one_line(verdict.found.as_deref().unwrap_or_default());
    match verdict.word {
        Word::Kept => format!("✓ {}", promise.title),
        Word::Untested => format!("- {}: not tested, {found}", promise.title),
        Word::Broken => {
            let weight = match promise.level {
                Level::Must => "must",
                Level::Should => "should",
                Level::May => "may",
            };
            let mut lines = vec![
                format!(
                    "✗ {} ({weight}; {}; {})",
                    promise.title, promise.id, promise.source
                ),
                format!("    found     {found}"),
            ];
            if let Some(evidence) = &verdict.evidence {
                let sent = evidence.sent.as_deref().unwrap_or_default();
                let asked = one_line(&format!("{} {sent}", evidence.asked));
                lines.push(format!("    asked     {asked}"));
                if let Some(status) = evidence.status {
                    let answered = one_line(&evidence.answered);
                    lines.push(format!("    answered  {status} {answered}"));
                }
            }
            lines.push(format!("    do        {}", promise.advice));
            lines.join("\n")
        }
    }
}

/// A foreign server's words are data: they move no cursor and begin no line, nor do they with the control characters of ISO 6429 beyond
/// ASCII (U+0080 to U+009F).
fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

fn summary(report: &Report) -> String {
    let levels = [Level::Must, Level::Should, Level::May];
    let all = |word| levels.iter().map(|level| report.count(word, *level)).sum();
    let (kept, broken, untested): (usize, usize, usize) =
        (all(Word::Kept), all(Word::Broken), all(Word::Untested));
    let relied_on = report.count(Word::Broken, Level::Must);
    let untested = match untested {
        0 => String::new(),
        some => format!(", {some} not tested"),
    };
    let more = if report.writes {
        ""
    } else {
        "\nNothing was changed there; with --write creating, changing and deleting is tested too."
    };
    format!(
        "\nGrade {}: {kept} promises kept, {broken} broken, of which directories rely on {relied_on}{untested}{more}",
        report.grade
    )
}

#[cfg(test)]
mod tests {
    use rollcall_check::{Evidence, catalogue};

    use super::*;

    #[test]
    fn whatever_a_foreign_server_says_stays_on_its_line() {
        let raw = "\u{1b}[2J\u{9b}31m\u{85}\r\n\u{7f}";
        let evidence = Evidence {
            asked: format!("GET /Users/{raw}"),
            sent: Some(raw.to_owned()),
            status: Some(200),
            answered: raw.to_owned(),
        };
        let verdict = |word| Verdict {
            promise: &catalogue::PEOPLE_ARE_READ,
            word,
            found: Some(raw.to_owned()),
            evidence: Some(evidence.clone()),
        };

        assert_eq!(
            line(&verdict(Word::Untested))
                .matches(char::is_control)
                .count(),
            0
        );
        let broken = line(&verdict(Word::Broken));
        assert_eq!(broken.lines().count(), 5, "{broken}");
        assert!(broken.chars().all(|one| one == '\n' || !one.is_control()));
        assert!(!left_behind(raw).contains(char::is_control));
    }
}
