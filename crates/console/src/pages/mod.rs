//! The pages: a file for each, with its routes, its view, its handlers and its samples.

pub(crate) mod activate;
pub(crate) mod activity;
pub(crate) mod api_keys;
pub(crate) mod applications;
pub(crate) mod dashboard;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod integrations;
pub(crate) mod invitations;
pub(crate) mod logs;
pub(crate) mod mappings;
pub(crate) mod object_question;
pub(crate) mod organisation;
pub(crate) mod prove;
pub(crate) mod reports;
pub(crate) mod requests;
pub(crate) mod security;
pub(crate) mod sign_in;
pub(crate) mod users;
pub(crate) mod webhooks;

/// Returns samples of every page as whole documents, by name.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<(String, String)> {
    let mut samples = Vec::new();
    samples.extend(crate::problem::samples());
    samples.extend(activate::samples());
    samples.extend(activity::samples());
    samples.extend(dashboard::samples());
    samples.extend(mappings::samples());
    samples.extend(groups::samples());
    samples.extend(history::samples());
    samples.extend(applications::samples());
    samples.extend(logs::samples());
    samples.extend(integrations::samples());
    samples.extend(invitations::samples());
    samples.extend(organisation::samples());
    samples.extend(prove::samples());
    samples.extend(reports::samples());
    samples.extend(requests::samples());
    samples.extend(security::samples());
    samples.extend(sign_in::samples());
    samples.extend(users::samples());
    samples.extend(webhooks::samples());
    samples
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_sample_is_a_whole_page_and_lets_nothing_through() {
        let samples = super::samples();
        assert!(!samples.is_empty());
        let mut names: Vec<&String> = samples.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), samples.len(), "two samples of one name");
        for (name, html) in &samples {
            assert!(
                html.ends_with("</html>\n") || html.ends_with("</html>"),
                "{name}"
            );
            assert_eq!(
                html.matches("<h1").count(),
                1,
                "{name}: one heading of the page"
            );
            assert!(!html.contains("<script>"), "{name}: a script of a name");
            assert!(
                !html.contains("onerror=alert(1)>"),
                "{name}: an image of a name"
            );
            assert!(
                !html.contains(" style="),
                "{name}: the policy forbids styles in pages"
            );
            assert!(html.len() < 60 * 1024, "{name}: {} bytes", html.len());
            for form in html.split("<form").skip(1) {
                let form = form.split("</form>").next().unwrap_or_default();
                let head = form.split('>').next().unwrap_or_default();
                assert!(
                    !head.contains("post") || form.contains("name=\"csrf\""),
                    "{name}: a form without its token: {head}"
                );
            }
        }
    }
}
