//! Every sample of every page: no finding of axe-core in light and dark, no scrolling sideways at 390 pixels.

use super::Browser;

/// Writes the samples into a folder, as files that a browser opens.
fn written() -> (tempfile::TempDir, Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    for (name, content) in rollcall_console::sample_assets() {
        std::fs::write(folder.path().join("assets").join(name), content).unwrap();
    }
    let mut pages = Vec::new();
    for (name, html) in rollcall_console::samples() {
        let path = folder.path().join(format!("{name}.html"));
        std::fs::write(&path, html.replace("\"/assets/", "\"assets/")).unwrap();
        pages.push((name, format!("file://{}", path.display())));
    }
    (folder, pages)
}

#[tokio::test]
async fn every_page_is_accessible_in_light_and_dark_and_fits_a_phone() {
    let (_folder, pages) = written();
    let browser = Browser::start(1280, 900).await;
    let mut findings = Vec::new();

    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await;
        for (name, address) in &pages {
            browser.open(address).await;
            for finding in browser.findings(scheme == "dark").await {
                findings.push(format!("{name}, {scheme}: {finding}"));
            }
        }
    }
    browser.size(390, 844).await;
    for (name, address) in &pages {
        browser.open(address).await;
        let sideways = browser.sideways().await;
        if sideways > 0 {
            findings.push(format!("{name}: scrolls sideways by {sideways} pixels"));
        }
    }

    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings.join("\n")
    );
}
