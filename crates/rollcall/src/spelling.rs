//! Which word was meant by one that is none.

/// Returns the word that is nearest to a text, if it is near enough that it may have been meant.
pub(crate) fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let allowed = match text.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let distances = words.iter().map(|word| (distance(text, word), *word));
    let (distance, word) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= allowed).then_some(word)
}

/// Counts the characters to change, add or leave out between two short texts, whatever their case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut costs: Vec<usize> = (0..=right.len()).collect();
    for (row, one) in left.to_lowercase().chars().take(64).enumerate() {
        let (mut diagonal, mut last) = (row, row + 1);
        let mut next = vec![last];
        for (other, above) in right.iter().zip(costs.iter().skip(1)) {
            let changed = diagonal + usize::from(one != *other);
            last = changed.min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        costs = next;
    }
    costs.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_word_is_taken_for_it() {
        let words = ["max_deletions", "leaving", "every", "kind"];
        for (text, meant) in [
            ("max_deletion", Some("max_deletions")),
            ("maxdeletions", Some("max_deletions")),
            ("Leaving", Some("leaving")),
            ("kin", Some("kind")),
            ("evry", Some("every")),
            ("k", None),
            ("", None),
            ("repair", None),
        ] {
            assert_eq!(nearest(text, &words), meant, "{text}");
        }
    }
}
