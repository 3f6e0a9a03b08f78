//! `docs/SESSION.md` has the same tables, row for row.

use super::{Call, ClientClosing, ClientLife, Place, Request, ServerClosing, ServerLife, State};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SESSION.md"));

#[test]
fn the_page_on_the_session_has_the_same_tables() {
    let mut pages = vec![page_of::<Call>(), page_of::<Place>(), page_of::<Request>()];
    pages.extend([page_of::<ClientClosing>(), page_of::<ServerClosing>()]);
    pages.extend([page_of::<ServerLife>(), page_of::<ClientLife>()]);
    let told: Vec<_> = PAGE.split("\n## ").skip(1).collect();
    for (heading, tables) in &pages {
        let section = told.iter().find(|section| section.lines().next() == Some(heading));
        let section = section.unwrap_or_else(|| panic!("no section has the heading: {heading}"));
        let lines = section.lines().filter(|line| line.starts_with('|'));
        let found: Vec<_> = lines.map(cells).filter(|cells| !cells[0].starts_with("--")).collect();
        for (index, line) in tables.iter().enumerate() {
            assert_eq!(found.get(index), Some(line), "{heading}, line {index} of its tables");
        }
        assert_eq!(found.len(), tables.len(), "{heading}: lines of its tables");
    }
    assert_eq!(told.len(), pages.len(), "sections of the page");
}

/// The heading of a section, and the lines of its two tables.
fn page_of<S: State>() -> (String, Vec<Vec<String>>) {
    let mut heading = S::OF.to_owned();
    heading[..1].make_ascii_uppercase();
    let mut tables = vec![line(["state", "what it says"])];
    tables.extend(S::STATES.iter().map(|(state, words)| line([&name(state), words])));
    tables.push(line(["from", "what happens", "to", "why"]));
    for row in S::ROWS {
        let from: Vec<_> = row.from.iter().map(name).collect();
        tables.push(line([&from.join(", "), row.cause.words(), &name(&row.to), row.why]));
    }
    (heading, tables)
}

fn name<S: State>(state: &S) -> String {
    format!("`{state:?}`")
}

fn line<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}
