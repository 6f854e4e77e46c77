//! What a person does with a page: looks, presses, types, signs in and out.

use std::time::{Duration, Instant};

use thirtyfour::prelude::*;

use super::Browser;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

impl Browser {
    /// Presses the link or button with this text; of several, the first that can be seen.
    pub(super) async fn press(&self, text: &str) {
        // whole texts before beginnings: "Provisioning" is not "Provisioning logs"
        let begun = Instant::now();
        loop {
            for fits in ["normalize-space(.)=", "starts-with(normalize-space(.),"] {
                let end = if fits.ends_with(',') { ")" } else { "" };
                let path = format!("//*[(self::a or self::button) and {fits} \"{text}\"{end}]");
                if self.clicked(By::XPath(path.as_str())).await {
                    return;
                }
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "there is no `{text}` to press in:\n{}",
                self.shown().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ticks the box, or chooses the choice, whose label begins so.
    pub(super) async fn choose(&self, label: &str) {
        let path = format!("//label[starts-with(normalize-space(.), \"{label}\")]");
        let begun = Instant::now();
        while !self.clicked(By::XPath(path.as_str())).await {
            assert!(
                begun.elapsed() < PATIENCE,
                "there is no `{label}` to choose in:\n{}",
                self.shown().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Clicks the first of these that can be seen; tells whether there was one.
    pub(super) async fn clicked(&self, by: By) -> bool {
        for found in self.page.find_all(by).await.unwrap_or_default() {
            let is_seen = found.is_displayed().await.unwrap_or(false);
            if is_seen && found.scroll_into_view().await.is_ok() && found.click().await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Types into the field with this id, in place of what is there.
    pub(super) async fn fill(&self, id: &str, text: &str) {
        let field = self.found(&format!("#{id}")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Waits for an element.
    pub(super) async fn found(&self, css: &str) -> WebElement {
        let begun = Instant::now();
        loop {
            if let Ok(found) = self.page.find(By::Css(css)).await {
                return found;
            }
            assert!(
                begun.elapsed() <= PATIENCE,
                "there is no `{css}` in:\n{}",
                self.shown().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the page says something.
    pub(super) async fn says(&self, text: &str) {
        let begun = Instant::now();
        while !self.shown().await.contains(text) {
            assert!(
                begun.elapsed() < PATIENCE,
                "the page does not say `{text}` but:\n{}",
                self.shown().await
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Likewise, loading it again when it does not change by itself.
    pub(super) async fn says_in_time(&self, text: &str) {
        let begun = Instant::now();
        while !self.shown().await.contains(text) {
            assert!(
                begun.elapsed() < PATIENCE,
                "the page does not say `{text}` but:\n{}",
                self.shown().await
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
            drop(self.page.refresh().await);
        }
    }

    /// Returns the text that can be seen.
    pub(super) async fn shown(&self) -> String {
        match self.page.find(By::Tag("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Returns the text of an element; when a script replaces it meanwhile, that of the new one.
    pub(super) async fn text_of(&self, css: &str) -> String {
        loop {
            if let Ok(text) = self.found(css).await.text().await {
                return text;
            }
        }
    }

    /// Signs in at a console.
    pub(super) async fn sign_in(&self, url: &str, email: &str, password: &str) {
        self.open(&format!("{url}/")).await;
        self.fill("email", email).await;
        self.fill("password", password).await;
        self.press("Sign in").await;
        self.says("Dashboard").await;
    }

    /// Signs out of it.
    pub(super) async fn sign_out(&self, url: &str) {
        self.open(&format!("{url}/settings/security")).await;
        self.found(".me summary").await.click().await.unwrap();
        self.press("Sign out").await;
        self.says("You are signed out").await;
    }
}
