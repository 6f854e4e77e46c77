//! Writes every page as its samples show it into a folder, to be looked at in a browser: `samples DIRECTORY`.
//!
//! The pages are those of the console; style and script lie beside them.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(std::io::Error::other("usage: samples DIRECTORY"));
    };
    std::fs::create_dir_all(folder.join("assets"))?;
    for (name, content) in rollcall_console::sample_assets() {
        std::fs::write(folder.join("assets").join(name), content)?;
    }
    for (name, html) in rollcall_console::samples() {
        let html = html.replace("\"/assets/", "\"assets/");
        std::fs::write(folder.join(format!("{name}.html")), html)?;
    }
    Ok(())
}
